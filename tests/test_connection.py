"""The way to the service: its address, and the key that pays."""

import pytest

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import AuthenticationError, ConfigurationError

KEY = "sk-test-0123456789abcdef"
BAD_CHARACTER = (
    "the API key from --api-key holds a character that no key has "
    "(a space, a line break or a letter outside ASCII)"
)
COPY_AGAIN = "copy the key again, whole and alone"
HTTP_HINT = "use https; plain http is for this machine only (127.0.0.1, localhost)"


def test_repr_of_a_key_hides_it() -> None:
    """A key that is logged by accident does not leak."""
    key = ApiKey(value=KEY, source="NSCALE_API_KEY")
    assert repr(key) == str(key) == f"{key}" == "ApiKey(source='NSCALE_API_KEY')"
    connection = Connection(base_url="https://h", api_key=key, timeout_seconds=1, retries=0)
    assert KEY not in repr(connection)


@pytest.mark.parametrize("value", [KEY, "!", "~" * 8192, 'a"b\\c', "a.b/c+d=="])
def test_key_of_visible_ascii_is_accepted(value: str) -> None:
    """Whatever can stand in an HTTP header may be a key."""
    assert ApiKey(value=value, source="--api-key").value == value


@pytest.mark.parametrize(
    "character", [" ", "\n", "\r\nX-Evil: 1", "\0", "\t", "\x1b", "\x7f", "é", "“", "\udcff"]
)
def test_key_that_cannot_stand_in_a_header_is_refused_without_showing_it(character: str) -> None:
    """Anywhere in the key; the HTTP client would print the whole header."""
    for value in (f"{KEY}{character}{KEY}", f"{character}{KEY}", f"{KEY}{character}"):
        with pytest.raises(AuthenticationError) as caught:
            ApiKey(value=value, source="--api-key")
        assert (caught.value.message, caught.value.hint) == (BAD_CHARACTER, COPY_AGAIN)


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("", "the API key from --api-key is empty", "is the variable set?"),
        ("k" * 8193, "the API key from --api-key is too long to be one", COPY_AGAIN),
    ],
    ids=["empty", "too-long"],
)
def test_key_that_is_no_key_is_refused(value: str, message: str, hint: str) -> None:
    """The message says where it came from."""
    with pytest.raises(AuthenticationError) as caught:
        ApiKey(value=value, source="--api-key")
    assert (caught.value.message, caught.value.hint) == (message, hint)


def connection(base_url: str) -> Connection:
    """Return a connection to the address."""
    key = ApiKey(value=KEY, source="--api-key")
    return Connection(base_url=base_url, api_key=key, timeout_seconds=1, retries=0)


@pytest.mark.parametrize(
    ("base_url", "host", "uses_plain_http"),
    [
        ("https://Inference.example.com:8443/v1/", "inference.example.com", False),
        ("http://[::1]:80", "::1", True),
        ("HTTP://127.0.0.1", "127.0.0.1", True),
        ("https://localhost", "localhost", False),
    ],
)
def test_connection_knows_its_host(base_url: str, host: str, uses_plain_http: bool) -> None:
    """Plain http never leaves this machine, however it is written."""
    assert connection(base_url).host == host
    assert connection(base_url).uses_plain_http is uses_plain_http


def test_connection_to_a_bad_address_cannot_be_made() -> None:
    """The check stands at the birth of the value."""
    with pytest.raises(ConfigurationError):
        connection("http://example.com")

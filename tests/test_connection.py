"""The service's address and the key that pays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.connection import (
    ApiKey,
    Connection,
    is_loopback,
    key_from_environment,
    require_base_url,
)
from nscale_cli.errors import ConfigurationError, KeyRejected

KEY = "sk-test-0123456789abcdef"
BAD_CHARACTER = (
    "the API key from --api-key holds a character that no key has "
    "(a space, a line break or a letter outside ASCII)"
)
COPY_AGAIN = "copy the key again, whole and alone"
URL_HINT = "it looks like https://host/v1 (--base-url or NSCALE_BASE_URL)"
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
        with pytest.raises(KeyRejected) as caught:
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
    with pytest.raises(KeyRejected) as caught:
        ApiKey(value=value, source="--api-key")
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("env", "value", "source"),
    [
        ({"NSCALE_API_KEY": "old-key"}, "old-key", "NSCALE_API_KEY"),
        ({"NSCALE_SERVICE_TOKEN": "token"}, "token", "NSCALE_SERVICE_TOKEN"),
        (
            {"NSCALE_API_KEY": "old-key", "NSCALE_SERVICE_TOKEN": "token"},
            "token",
            "NSCALE_SERVICE_TOKEN",
        ),
        ({"NSCALE_API_KEY": "old-key", "NSCALE_SERVICE_TOKEN": " "}, "old-key", "NSCALE_API_KEY"),
        ({"NSCALE_API_KEY": " old-key\r\n"}, "old-key", "NSCALE_API_KEY"),
    ],
)
def test_key_is_taken_from_the_first_variable_that_holds_one(
    env: dict[str, str], value: str, source: str
) -> None:
    """The service token first; space around a key is dropped."""
    key = key_from_environment(env)
    assert (key.value, key.source) == (value, source)


@pytest.mark.parametrize("env", [{}, {"NSCALE_API_KEY": ""}, {"OPENAI_API_KEY": KEY}])
def test_no_key_is_said_with_the_ways_to_give_one(env: dict[str, str]) -> None:
    """Another service's key is never used."""
    with pytest.raises(KeyRejected) as caught:
        key_from_environment(env)
    assert caught.value.message == "no API key"
    assert caught.value.hint == (
        "export NSCALE_API_KEY=..., name a file with --api-key-file, or try without a key: "
        "--sandbox"
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("127.0.0.1.example.com", False),
        ("127.example.com", False),
        ("localhost.example.com", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    """A name that merely looks like it is another machine."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/v1", "https://h/v1"),
        ("https://h/v1/", "https://h/v1"),
        ("https://h:8443//", "https://h:8443"),
        ("HTTPS://Host/V1", "https://Host/V1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("HTTP://LOCALHOST:8000", "http://LOCALHOST:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://h/@v1", "https://h/@v1"),
    ],
)
def test_address_is_returned_in_its_plain_form(url: str, expected: str) -> None:
    """Https anywhere, http on this machine; the scheme in lower case, no slash at the end."""
    assert require_base_url(url) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the base URL '' is not an http(s) address"),
        ("h/v1", "the base URL 'h/v1' is not an http(s) address"),
        ("localhost:1", "the base URL 'localhost:1' is not an http(s) address"),
        ("ftp://h/v1", "the base URL 'ftp://h/v1' is not an http(s) address"),
        ("file:///etc", "the base URL 'file:///etc' is not an http(s) address"),
        ("https://", "the base URL 'https://' is not an http(s) address"),
        ("https:///v1", "the base URL 'https:///v1' is not an http(s) address"),
        ("https://:80", "the base URL 'https://:80' is not an http(s) address"),
        (" https://h", "the base URL ' https://h' is not an http(s) address"),
        ("https://h\n", "the base URL 'https://h\\n' is not an http(s) address"),
        ("https://hé", "the base URL 'https://hé' is not an http(s) address"),
        ("https://a b", "the base URL 'https://a b' is not valid"),
        ("https://h/\tv1", "the base URL 'https://h/\\tv1' is not valid"),
        ("https://h/v1?a=b", "the base URL 'https://h/v1?a=b' is not valid"),
        ("https://h/v1?", "the base URL 'https://h/v1?' is not valid"),
        ("https://h/v1#a", "the base URL 'https://h/v1#a' is not valid"),
        ("http://[::1", "the base URL 'http://[::1' is not valid"),
        (
            "https://h:99999",
            "the base URL 'https://h:99999' is not valid",
        ),
        ("https://me:pass@h/v1", "the base URL holds a user name or password"),
        ("https://@h/v1", "the base URL holds a user name or password"),
        (
            "https://me:pass@h:99999",
            "the base URL 'https://h:99999' is not valid",
        ),
        ("ftp://me:pass@h", "the base URL 'ftp://h' is not an http(s) address"),
    ],
)
def test_address_that_no_key_may_be_sent_to_is_refused(url: str, message: str) -> None:
    """The message shows the address, but no password in it."""
    with pytest.raises(ConfigurationError) as caught:
        require_base_url(url)
    assert (caught.value.message, caught.value.hint) == (message, URL_HINT)


@pytest.mark.parametrize(
    "url", ["http://h/v1", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://0.0.0.0:80"]
)
def test_plain_http_to_another_machine_is_refused(url: str) -> None:
    """Anyone on the way could read the key."""
    with pytest.raises(ConfigurationError) as caught:
        require_base_url(url)
    shown = f"the base URL uses plain http, which would show your key to the network: {url}"
    assert (caught.value.message, caught.value.hint) == (shown, HTTP_HINT)


@given(st.text() | st.text().map(lambda text: f"https://{text}"))
def test_any_text_is_an_address_or_a_configuration_error(url: str) -> None:
    """Nothing else escapes, and what is accepted once is accepted again."""
    try:
        address = require_base_url(url)
    except ConfigurationError:
        return
    assert require_base_url(address) == address


def connection(base_url: str) -> Connection:
    """Return a connection to the address."""
    key = ApiKey(value=KEY, source="--api-key")
    return Connection(base_url=base_url, api_key=key, timeout_seconds=1, retries=0)


@pytest.mark.parametrize(
    ("base_url", "host", "on_this_machine"),
    [
        ("https://Inference.example.com:8443/v1/", "inference.example.com", False),
        ("http://[::1]:80", "::1", True),
        ("HTTP://127.0.0.1", "127.0.0.1", True),
        ("https://localhost", "localhost", False),
    ],
)
def test_connection_knows_its_host(base_url: str, host: str, on_this_machine: bool) -> None:
    """Plain http never leaves this machine, however it is written."""
    assert connection(base_url).host == host
    assert connection(base_url).on_this_machine is on_this_machine


def test_connection_to_a_bad_address_cannot_be_made() -> None:
    """The check stands at the birth of the value."""
    with pytest.raises(ConfigurationError):
        connection("http://example.com")

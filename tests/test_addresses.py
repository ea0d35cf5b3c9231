"""Addresses of services: which of them a key may be sent to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.connection import is_loopback, require_base_url
from nscale_cli.errors import ConfigurationError

URL_HINT = "it looks like https://host/v1 (--base-url or NSCALE_BASE_URL)"
HTTP_HINT = "use https; plain http is for this machine only (127.0.0.1, localhost)"


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

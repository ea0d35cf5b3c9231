"""How long the service asks to wait."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import RateLimited
from nscale_cli.service.replies import Reply, error_in, retry_after_seconds

NOW = datetime(2025, 3, 9, 14, 5, 7, tzinfo=UTC)
CONNECTION = Connection(
    base_url="https://api.example.com/v1",
    api_key=ApiKey(value="sk-test-0123456789abcdef", source="NSCALE_API_KEY"),
    timeout_seconds=60,
    retries=2,
)


@pytest.mark.parametrize(
    ("headers", "seconds", "forbidden", "wait"),
    [
        ({}, None, False, ""),
        ({"retry-after": "30"}, 30.0, False, "; it asks to wait 30 s"),
        ({"retry-after": "soon"}, None, False, ""),
        ({"retry-after": "30", "x-should-retry": "false"}, 30.0, True, "; it asks to wait 30 s"),
        ({"x-should-retry": "true"}, None, False, ""),
    ],
)
def test_rate_limit_says_how_long_to_wait(
    headers: dict[str, str], seconds: float | None, forbidden: bool, wait: str
) -> None:
    """A server can ask for patience or forbid a retry; it cannot force one."""
    error = error_in(Reply(status=429, body=b"", headers=headers), CONNECTION, model="m", now=NOW)
    assert isinstance(error, RateLimited)
    assert error.message == f"too many requests (429){wait}"
    assert (error.retry_after_seconds, error.retry_forbidden) == (seconds, forbidden)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2.0),
        (" 2.5 ", 2.5),
        ("1e2", 100.0),
        ("1e999", float("inf")),
        ("Sun, 09 Mar 2025 14:05:37 GMT", 30.0),
        ("Sun, 09 Mar 2025 14:05:37 -0000", 30.0),
        ("Sun, 09 Mar 2025 15:05:37 +0100", 30.0),
        ("Mon, 10 Mar 2025 14:05:07 GMT", 86_400.0),
        ("Sun, 09 Mar 2025 14:05:06 GMT", None),
        *((text, None) for text in ("", "0", "-5", "soon", "nan", "inf", "Infinity", "1_0", "２")),
        ("Sun, 09 Mar 99999 14:05:37 GMT", None),
        ("Sun, 09 Mar 2025 14:05:37 +9999", None),
        ("Sun, 09 Mar 2025 14:05:37 +999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: float | None) -> None:
    """What is neither, or has passed, asks for no wait."""
    assert retry_after_seconds(text, NOW) == expected


def test_retry_after_is_measured_in_any_time_zone() -> None:
    """The clock may be local."""
    local = NOW.astimezone(timezone(timedelta(hours=-7))) + timedelta(seconds=5)
    assert retry_after_seconds("Sun, 09 Mar 2025 14:05:37 GMT", local) == 25.0


@pytest.mark.slow
@given(st.text(st.characters(max_codepoint=0xFF)) | st.from_regex(r"\d \w{3} \d+ \d+:\d+ [+-]\d+"))
def test_any_retry_after_is_read_without_failing(text: str) -> None:
    """A header is a stranger's text."""
    seconds = retry_after_seconds(text, NOW)
    assert seconds is None or seconds > 0

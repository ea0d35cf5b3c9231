"""Billing and retries: nothing is bought twice, and the exit code says what may have been paid."""

import contextlib
import json
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nscale_cli.errors import ExitCode
from tests.conftest import KEY, Cli, FakeClock, Outcome
from tests.faults.conftest import good_reply, png, require_failure
from tests.faults.raw_server import Connection, RawServer, Script, answers, response

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]


def error_body(code: str, error_type: str, *, shape: str) -> bytes:
    """Return an error in one of the service's three shapes."""
    if shape == "older":
        error = {"code": code, "message": "no", "param": None, "error_type": error_type}
        return json.dumps({"error": error}).encode()
    if shape == "newer":
        error = {"message": "no", "type": error_type, "param": None, "code": code}
        return json.dumps({"error": error}).encode()
    return json.dumps({"code": error_type, "message": None}).encode()


def test_one_image_is_one_request(buy: Buy, raw: RawServer) -> None:
    """The control of all that follows: the bytes on disk are the bytes that were served."""
    raw.scripts = [answers(good_reply())]

    outcome = buy(raw)

    assert outcome.exit_code == 0
    assert raw.posts == 1
    assert Path(outcome.stdout.strip()).read_bytes() == png()


@pytest.mark.parametrize(
    "status", [408, 409, 500, 501, 502, 503, 504, 505, 520, 521, 522, 523, 524, 529, 599]
)
def test_a_failing_service_is_asked_once(
    buy: Buy, raw: RawServer, injected: Injected, status: int
) -> None:
    """It may have done the work before it failed."""
    raw.scripts = [answers(b"<html>Bad gateway</html>", status, content_type="text/html")]

    outcome = buy(raw)

    message = require_failure(outcome, 12, "maybe")
    assert message == f"the service, or a proxy before it, failed ({status})"
    assert raw.posts == 1
    injected(raw.played == 1, f"status {status}")


@pytest.mark.parametrize("shape", ["older", "newer", "bare"])
@pytest.mark.parametrize("marker", ["INSUFFICIENT_CREDIT", "insufficient_credit"])
@pytest.mark.parametrize("status", [429, 402, 200])
def test_missing_credit_is_never_retried(
    buy: Buy, raw: RawServer, injected: Injected, shape: str, marker: str, status: int
) -> None:
    """Whichever shape and status it comes in."""
    raw.scripts = [answers(error_body("TOO_MANY_REQUESTS", marker, shape=shape), status)]

    outcome = buy(raw)

    assert require_failure(outcome, 5, "no").startswith("not enough credit")
    assert raw.posts == 1
    injected(raw.played == 1, f"no credit, {shape} shape, status {status}")


def test_a_busy_service_is_asked_again_twice_and_each_wait_is_announced(
    buy: Buy, raw: RawServer, injected: Injected, sleeps: FakeClock
) -> None:
    """A plain 429 has cost nothing."""
    busy = answers(b"{}", 429)
    raw.scripts = [busy, busy, answers(good_reply())]

    outcome = buy(raw)

    assert outcome.exit_code == 0
    assert raw.posts == 3
    assert sleeps.sleeps == [1.0, 2.0]
    assert outcome.stderr.splitlines()[:2] == [
        "too many requests (429); trying again in 1 s (1 of 2)",
        "too many requests (429); trying again in 2 s (2 of 2)",
    ]
    injected(raw.played == 3, "plain 429, then an image")


def test_a_service_that_stays_busy_is_left_alone(
    buy: Buy, raw: RawServer, injected: Injected
) -> None:
    """After the last try the exit code says that nothing was billed."""
    raw.scripts = [answers(b"{}", 429)]

    outcome = buy(raw)

    require_failure(outcome, 9, "no")
    assert raw.posts == 3
    injected(raw.played == 3, "plain 429 for ever")


def test_no_retry_means_none(buy: Buy, raw: RawServer, injected: Injected) -> None:
    """--retry 0."""
    raw.scripts = [answers(b"{}", 429)]

    require_failure(buy(raw, "--retry", "0"), 9, "no")

    assert raw.posts == 1
    injected(raw.played == 1, "plain 429 with --retry 0")


@pytest.mark.parametrize(
    ("value", "posts", "waits"),
    [
        ("2", 3, [2.0, 2.0]),
        ("60", 3, [60.0, 60.0]),
        ("61", 1, []),
        ("120", 1, []),
        ("1e999", 1, []),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 1, []),
        ("0", 3, [1.0, 2.0]),
        ("-5", 3, [1.0, 2.0]),
        ("nan", 3, [1.0, 2.0]),
        ("-inf", 3, [1.0, 2.0]),
        ("soon", 3, [1.0, 2.0]),
        ("", 3, [1.0, 2.0]),
    ],
)
def test_a_wait_that_the_service_asks_for_is_honoured_up_to_a_minute(
    buy: Buy,
    raw: RawServer,
    injected: Injected,
    sleeps: FakeClock,
    value: str,
    posts: int,
    waits: list[float],
) -> None:
    """A longer one ends the run; nonsense is ignored."""
    raw.scripts = [answers(b"{}", 429, f"Retry-After: {value}")]

    message = require_failure(buy(raw), 9, "no")

    assert raw.posts == posts
    assert sleeps.sleeps == waits
    assert ("it asks to wait" in message) is (waits not in ([1.0, 2.0],))
    injected(raw.played == posts, f"Retry-After: {value}")


@pytest.mark.parametrize(("status", "code"), [(400, 6), (401, 4), (500, 12)])
def test_a_server_cannot_force_a_retry(
    buy: Buy, raw: RawServer, injected: Injected, status: int, code: int
) -> None:
    """x-should-retry: true is for the SDK's own retries, which are off."""
    raw.scripts = [answers(b"{}", status, "x-should-retry: true")]

    assert buy(raw).exit_code == code
    assert raw.posts == 1
    injected(raw.played == 1, f"x-should-retry: true on {status}")


def test_a_server_can_forbid_a_retry(buy: Buy, raw: RawServer, injected: Injected) -> None:
    """x-should-retry: false on a 429."""
    raw.scripts = [answers(b"{}", 429, "x-should-retry: false")]

    require_failure(buy(raw), 9, "no")

    assert raw.posts == 1
    injected(raw.played == 1, "x-should-retry: false on 429")


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_connection_that_ends_before_the_reply_may_have_been_billed(
    buy: Buy, raw: RawServer, injected: Injected, how: str
) -> None:
    """The request was sent; nobody knows what became of it."""
    raw.scripts = [Connection.reset if how == "reset" else closing(b"")]

    message = require_failure(buy(raw), 11, "maybe")

    assert message == "the connection to 127.0.0.1 broke before the reply was whole"
    assert raw.posts == 1
    injected(raw.played == 1, f"{how} before the reply")


def closing(data: bytes) -> Script:
    """Return the script that sends `data` and ends the connection."""

    def script(connection: Connection) -> None:
        connection.send(data)
        connection.close()

    return script


def resetting(data: bytes) -> Script:
    """Return the script that sends `data` and, once it has left, resets the connection."""

    def script(connection: Connection) -> None:
        connection.send(data)
        connection.pause(0.2)  # an RST at once would overtake the data
        connection.reset()

    return script


@pytest.mark.parametrize("how", ["reset", "short", "chunked"])
def test_a_reply_that_breaks_off_is_kept_as_far_as_it_came(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, how: str
) -> None:
    """It was paid for, and may be evidence; it is never bought again by itself."""
    body = good_reply()
    half = body[: len(body) // 2]
    whole = response(body)
    cut = whole[: len(whole) - len(body) + len(half)]
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
        len(half),
        half,
    )
    script = {"reset": resetting(cut), "short": closing(cut), "chunked": closing(chunked)}[how]
    raw.scripts = [script]

    message = require_failure(buy(raw), 11, "maybe")

    kept = tmp_path / "cat-incomplete-reply.json"
    assert message.endswith(f"; it is kept at {kept}")
    assert kept.read_bytes() == half
    assert raw.posts == 1
    injected(raw.played == 1, f"reply cut in half: {how}")


def test_a_late_answer_is_not_waited_for_and_not_bought_again(
    buy: Buy, raw: RawServer, injected: Injected
) -> None:
    """The service may bill an answer that nobody heard."""
    raw.scripts = [Connection.hang]

    message = require_failure(buy(raw, "--timeout", "0.5"), 10, "maybe")

    assert message == "no answer within 0.5 s"
    assert raw.posts == 1
    injected(raw.played == 1, "no answer in time")


def test_a_refused_connection_is_tried_again_until_the_service_is_up(
    cli: Cli, injected: Injected, sleeps: FakeClock
) -> None:
    """Nothing was sent, so trying again is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with contextlib.ExitStack() as stack:
        servers: list[RawServer] = []

        def start_server(seconds: float) -> None:
            sleeps.sleeps.append(seconds)
            server = RawServer(port=port)
            server.scripts = [answers(good_reply())]
            servers.append(stack.enter_context(server))

        sleeps.sleep = start_server
        outcome = cli("images", "generate", "cat", "--base-url", f"http://127.0.0.1:{port}/v1",
                      "-a", KEY)  # fmt: skip

    assert outcome.exit_code == 0
    assert servers[0].posts == 1
    assert "127.0.0.1 was not reached: connection refused; trying again in 1 s (1 of 2)" in (
        outcome.stderr
    )
    injected(sleeps.sleeps == [1.0], "refused, then listening")


def test_a_connection_that_stays_refused_has_cost_nothing(
    cli: Cli, injected: Injected, sleeps: FakeClock
) -> None:
    """Two further tries, then exit code 7."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

    outcome = cli("images", "generate", "cat", "--base-url", url, "-a", KEY)

    message = require_failure(outcome, 7, "no")
    assert message == "127.0.0.1 was not reached: connection refused"
    injected(sleeps.sleeps == [1.0, 2.0], "refused for ever")


def test_one_run_has_one_idempotency_key(buy: Buy, raw: RawServer, injected: Injected) -> None:
    """The same on every attempt, another in the next run."""
    raw.scripts = [answers(b"{}", 429)]
    buy(raw)
    buy(raw)

    keys = [request.header("idempotency-key") for request in raw.requests]
    assert len(keys) == 6
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1
    assert keys[0] != keys[3]
    assert uuid.UUID(keys[0]).version == 4
    injected(raw.played == 6, "two busy runs")


@pytest.mark.parametrize("fault", ["500", "close", "hang"])
@pytest.mark.parametrize("again", [False, True])
def test_only_the_second_flag_repeats_what_may_have_been_billed(
    buy: Buy, raw: RawServer, injected: Injected, fault: str, again: bool
) -> None:
    """--retry alone never does; with --retry-billed the repetition is announced."""
    scripts = {"500": answers(b"{}", 500), "close": closing(b""), "hang": Connection.hang}
    raw.scripts = [scripts[fault], answers(good_reply())]
    limit = ("--timeout", "1") if fault == "hang" else ()

    outcome = buy(raw, "--retry", "5", *limit, *(["--retry-billed"] if again else []))

    repeated = again and fault != "hang"  # the time limit is for all attempts together
    assert raw.posts == (2 if repeated else 1)
    assert (outcome.exit_code == 0) is repeated
    assert ("trying again in 1 s (1 of 5); it may be charged again" in outcome.stderr) is repeated
    injected(raw.played == raw.posts, f"{fault} with --retry-billed {again}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "type", "data", "message"]), children)
    ),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(status=st.integers(200, 599), document=json_values)
def test_no_status_and_no_body_makes_a_second_request_but_a_plain_429(
    buy: Buy, raw: RawServer, injected: Injected, status: int, document: object
) -> None:
    """Whatever a server answers, the exit code is in the table and is never a bug."""
    before = raw.posts
    raw.scripts = [answers(json.dumps(document).encode(), status)]

    outcome = buy(raw)

    posts = raw.posts - before
    assert outcome.exit_code in {code.value for code in ExitCode} - {ExitCode.BUG, ExitCode.OK}
    assert posts == (3 if outcome.exit_code == ExitCode.RATE_LIMITED else 1)
    assert (outcome.exit_code == ExitCode.RATE_LIMITED) <= (status == 429)
    injected(posts >= 1, "a random status and body")

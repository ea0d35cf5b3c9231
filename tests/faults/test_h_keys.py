"""The forms in which a key may be given, and those that are refused before anything is sent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import KEY, Cli
from tests.faults.conftest import good_reply, require_failure
from tests.faults.raw_server import RawServer, answers

Injected = Callable[[bool, str], None]

MALFORMED = {
    "inner line break": "sk-secret-one\nsk-secret-two",
    "header injection": "sk-secret-one\r\nX-Evil: 1",
    "null": "sk-secret\x00one",
    "no ASCII": "sk-secret-é-one",
    "quotes of a word processor": "“sk-secret-one”",
    "escape": "sk-secret\x1b]0;x\x07one",
    "space": "sk-secret one",
    "zero width": "sk-secret\u200bone",
    "empty": "",
    "blank": " \n",
    "100 kB": "sk-secret" * 12_000,
}


@pytest.mark.parametrize("way", ["-a", "file", "stdin", "NSCALE_API_KEY", "NSCALE_SERVICE_TOKEN"])
@pytest.mark.parametrize("key", MALFORMED.values(), ids=MALFORMED)
def test_a_key_that_no_header_can_hold_is_refused_unseen(
    cli: Cli, raw: RawServer, tmp_path: Path, injected: Injected, key: str, way: str
) -> None:
    """Before a socket is opened, and without a word of it."""
    words = ["images", "generate", "cat", "--base-url", raw.base_url]
    env, stdin = {}, None
    if way == "-a":
        words += ["-a", key]
    elif way == "file":
        (tmp_path / "key").write_bytes(key.encode())
        words += ["--api-key-file", "key"]
    elif way == "stdin":
        words, stdin = [*words, "-a", "-"], key.encode()
    else:
        env = {way: key}

    outcome = cli(*words, env=env, stdin=stdin)

    message = require_failure(outcome, 4, "no")
    assert "secret" not in message + outcome.stdout + outcome.stderr
    assert raw.connections == 0
    injected("key" in message, f"malformed key from {way}")


ENDINGS = ["{}", "{}\n", "{}\r\n", "\ufeff{}\n", "  {}\t\n", "{}\n\n"]


WAYS = ["-a", "stdin", "NSCALE_API_KEY", "NSCALE_SERVICE_TOKEN"]


@pytest.mark.parametrize(
    ("form", "way"),
    # A mark at the beginning is for files and pipes.
    [(form, way) for form in ENDINGS for way in WAYS if form[0] != "\ufeff" or way == "stdin"],
)
def test_space_around_a_key_is_no_part_of_it(
    cli: Cli, raw: RawServer, injected: Injected, form: str, way: str
) -> None:
    """Editors and `$(cat ...)` leave some; the header is exact."""
    raw.scripts = [answers(good_reply())]
    key = form.format(KEY)
    words = ["images", "generate", "cat", "--base-url", raw.base_url]
    if way == "stdin":
        outcome = cli(*words, "-a", "-", stdin=key.encode())
    elif way == "-a":
        outcome = cli(*words, "-a", key)
    else:
        outcome = cli(*words, env={way: key})

    assert outcome.exit_code == 0
    assert raw.requests[0].header("authorization") == f"Bearer {KEY}"
    injected(raw.posts == 1, f"a key as {form!r} from {way}")

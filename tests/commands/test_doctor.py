"""`nscale doctor`: what stands between this machine and an image."""

import platform
import re

import pytest

from nscale_cli import __version__
from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import Sandbox
from tests.conftest import KEY, Cli, Outcome, ScriptedServer


def rows_of(outcome: Outcome) -> dict[str, str]:
    """Return what was printed of each part."""
    return dict(re.split("  +", line, maxsplit=1) for line in outcome.stdout.splitlines())


def test_all_is_well_with_the_sandbox(cli: Cli) -> None:
    """Exit code 0: an image could be made now."""
    outcome = cli("doctor", "--sandbox")

    assert outcome.exit_code == 0
    lines = rows_of(outcome)
    assert lines["nscale"] == __version__
    assert lines["python"].startswith(platform.python_version())
    assert "openai 3." in lines["libraries"]
    assert (lines["key"], lines["key accepted"]) == ("from --sandbox", "yes")
    assert outcome.stderr == "an image could be made now\n"


def test_one_document_with_json(cli: Cli, sandbox: Sandbox) -> None:
    """With each finding by its name."""
    outcome = cli("doctor", "--json", "--base-url", sandbox.base_url, env={"NSCALE_API_KEY": KEY})

    document = outcome.document
    assert (outcome.exit_code, document["command"], document["status"]) == (0, "doctor", "ok")
    data = document["data"]
    assert data["ready"] is True
    assert data["key"] == "from NSCALE_API_KEY"
    assert data["service"] == sandbox.base_url
    assert data["proxy"] == "none"
    assert data["dns"].startswith("127.0.0.1 in ")
    assert data["answer"].startswith("200 in ")
    assert data["key_accepted"] == "yes"
    assert "(not there)" in data["settings"]
    assert data["cache"].endswith("-cache/nscale")
    assert [request.path for request in sandbox.requests] == ["/v1/models"]


@pytest.mark.parametrize(
    ("answer", "code", "name"),
    [
        (Answer(status=401, body=b"{}"), 4, "key"),
        (Answer(status=503, body=b"{}"), 12, "service_failed"),
        (Answer(sent_bytes=0), 11, "disconnected"),
    ],
)
def test_the_exit_code_is_that_of_the_failure(
    cli: Cli, server: ScriptedServer, answer: Answer, code: int, name: str
) -> None:
    """As it would be for an image."""
    server.models = answer

    outcome = cli("doctor", "--json", "--base-url", server.base_url, "-a", KEY)

    assert outcome.exit_code == code
    assert outcome.document["data"]["ready"] is False
    assert [error["code"] for error in outcome.document["errors"]] == [name]


def test_a_service_that_is_gone_is_said(cli: Cli) -> None:
    """Exit code 7."""
    with Sandbox() as gone:
        pass

    outcome = cli("doctor", "--base-url", gone.base_url, "-a", KEY)

    assert outcome.exit_code == 7
    assert rows_of(outcome)["answer"] == "127.0.0.1 was not reached: connection refused"


def test_without_a_key_the_service_is_looked_at_all_the_same(
    cli: Cli, server: ScriptedServer
) -> None:
    """Its refusal then says that it is there."""
    server.models = Answer(status=401, body=b"{}")

    outcome = cli("doctor", "--base-url", server.base_url)

    assert outcome.exit_code == 4
    assert rows_of(outcome)["key"] == "no API key"
    assert rows_of(outcome)["answer"].startswith("401 in ")
    assert "key accepted" not in outcome.stdout
    assert outcome.stderr.count("error:") == 1


def test_nothing_secret_is_in_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is meant to be pasted into a bug report: no key, no part of it, no proxy's password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pass-word@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    outcome = cli("doctor", "--base-url", "https://images.example/v1", "-a", KEY)

    assert outcome.exit_code == 7
    assert rows_of(outcome)["proxy"] == "http://127.0.0.1:9"
    assert "pass-word" not in outcome.stdout + outcome.stderr
    assert KEY[-4:] not in outcome.stdout


def test_the_preview_that_would_be_drawn_is_named(cli: Cli) -> None:
    """The user's own style, and what auto would choose."""
    env = {"FORCE_COLOR": "1", "TERM": "xterm-kitty", "NSCALE_PREVIEW": "blocks"}

    outcome = cli("doctor", "--sandbox", env=env)

    assert rows_of(outcome)["preview"] == "blocks: blocks, auto: blocks"
    assert "terminal      standard error is no terminal, TERM xterm-kitty\n" in outcome.stdout


def test_hostile_words_reach_no_terminal(cli: Cli) -> None:
    """A model's id may come from anywhere."""
    outcome = cli("doctor", "--sandbox", env={"NSCALE_MODEL": "m\x1b]0;x\x07"})

    assert rows_of(outcome)["model"] == "m\\x1b]0;x\\x07 (NSCALE_MODEL)"

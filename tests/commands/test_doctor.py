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
    assert data["key_source"] == "NSCALE_API_KEY"
    assert data["service"] == sandbox.base_url
    assert data["proxy"] is None and data["profile"] is None
    assert isinstance(data["dns_milliseconds"], int) and data["dns_error"] is None
    assert data["answer_status"] == 200
    assert isinstance(data["answer_milliseconds"], int)
    assert data["key_accepted"] is True
    assert data["settings"].endswith("/config.toml") and data["settings_exist"] is False
    assert data["cache"].endswith("-cache/nscale")
    assert data["python"] == platform.python_version()
    assert data["libraries"]["openai"].startswith("3.")
    assert (data["terminal"], data["columns"]) == (False, None)
    assert data["preview"] == {"ascii": "ascii", "auto": "ascii"}
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


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_service_without_a_list_of_models_may_make_images(
    cli: Cli, server: ScriptedServer, status: int
) -> None:
    """That the key could not be checked is said; nothing is against an image."""
    server.models = Answer(status=status)
    words = ("--base-url", server.base_url, "-a", KEY)

    outcome = cli("doctor", *words)
    data = cli("doctor", "--json", *words).document["data"]

    assert outcome.exit_code == 0
    expected = f"127.0.0.1 has no list of models ({status}); the key could not be checked"
    assert rows_of(outcome)["key accepted"] == expected
    assert (data["key_accepted"], data["answer_status"], data["ready"]) == (None, status, True)


@pytest.mark.parametrize("command", ["doctor", "auth status", "models list", "images generate cat"])
def test_a_base_url_without_v1_is_what_the_hint_is_about(
    cli: Cli, server: ScriptedServer, command: str
) -> None:
    """The most frequent slip with other services."""
    server.models = Answer(status=404)
    server.answers = [Answer(status=404)]
    address = server.base_url.removesuffix("/v1")

    outcome = cli(*command.split(), "--base-url", address, "-a", KEY)

    assert outcome.exit_code == 6
    assert f"{address} does not end in /v1, as most do\n" in outcome.stderr

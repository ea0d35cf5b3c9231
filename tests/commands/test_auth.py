"""`nscale auth`: a key is checked, stored, used for its own service, and forgotten."""

import json
import os
import stat
import sys
from pathlib import Path

import pexpect
import pytest

from nscale_cli.credentials import keyring as system_keyring
from nscale_cli.credentials.keyring import KeyringUnavailable
from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import Sandbox
from tests.conftest import KEY, Cli, Program, ScriptedServer

STORE = Path("home/.config/nscale/keys.json")
REFUSAL = Answer(status=401, body=b'{"error": {"message": "Invalid API key"}}')
MODELS = Answer(body=b'{"data": []}')
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folder is Linux's")


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contributor's own keyring is not for tests; `test_system_keyring.py` has real ones."""

    def fail(*_: object) -> str:
        raise KeyringUnavailable("there is none")

    for name in ("put", "get", "delete"):
        monkeypatch.setattr(system_keyring, name, fail)


def login(cli: Cli, server: Sandbox, key: str = KEY, **options: object) -> object:
    """Store a key for the server."""
    return cli(
        "auth", "login", "--with-token", "--base-url", server.base_url, stdin=f"{key}\n".encode(),
        **options,
    )  # fmt: skip


@pytest.mark.slow
def test_a_key_is_stored_used_and_forgotten(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    """From login to logout."""
    origin = sandbox.base_url.removesuffix("/v1")

    outcome = login(cli, sandbox)
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr == (
        f"{origin} accepts the key; it is stored in {tmp_path / STORE}\n"
        "only you can read that file; no keyring took the key: there is none\n"
    )
    assert stat.S_IMODE((tmp_path / STORE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / STORE).parent.stat().st_mode) == 0o700

    cli("images", "generate", "cat", "-z", "64x64", "--base-url", sandbox.base_url)
    assert sandbox.requests[-1].headers["authorization"] == f"Bearer {KEY}"

    outcome = cli("auth", "logout", "--base-url", sandbox.base_url)
    assert outcome.stderr == f"the key for {origin} is removed from {tmp_path / STORE}\n"
    assert KEY not in (tmp_path / STORE).read_text()
    outcome = cli("auth", "logout", "--base-url", sandbox.base_url)
    assert (outcome.exit_code, outcome.stderr) == (0, f"no key is stored for {origin}\n")


def test_a_key_that_the_service_refuses_is_not_stored(
    cli: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """Exit code 4."""
    server.models = REFUSAL

    outcome = login(cli, server)

    assert outcome.exit_code == 4
    assert "; the key was not stored. Nothing was billed." in outcome.stderr
    assert not (tmp_path / STORE).exists()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "the API key from standard input is empty"),
        ("two words", "the API key from standard input holds a character that no key has"),
    ],
)
def test_what_is_no_key_is_not_even_sent(
    cli: Cli, sandbox: Sandbox, key: str, message: str
) -> None:
    """Nor shown."""
    outcome = login(cli, sandbox, key)

    assert outcome.exit_code == 4
    assert outcome.stderr.startswith(f"error: {message}")
    assert sandbox.requests == []


def test_a_service_that_is_not_reached_stores_nothing(cli: Cli, tmp_path: Path) -> None:
    """Exit code 7."""
    with Sandbox() as gone:
        pass

    assert login(cli, gone).exit_code == 7
    assert not (tmp_path / STORE).exists()


def test_a_login_warns_of_a_variable_that_goes_before_it(cli: Cli, sandbox: Sandbox) -> None:
    """The stored key would seem to have no effect."""
    outcome = login(cli, sandbox, env={"NSCALE_API_KEY": "another-key-of-mine"})

    assert outcome.stderr.endswith(
        "warning: NSCALE_API_KEY is set, and goes before the stored key\n"
    )


def test_without_a_terminal_the_key_must_be_piped(cli: Cli, sandbox: Sandbox) -> None:
    """Nobody is there to type it."""
    outcome = cli("auth", "login", "--base-url", sandbox.base_url, stdin=b"")

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        "error: there is no terminal to ask for the key at\n"
        "hint: nscale auth login --with-token < FILE, or set NSCALE_API_KEY instead\n"
    )


def test_a_damaged_store_is_not_overwritten(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    """Other keys may be in it."""
    (tmp_path / STORE).parent.mkdir(parents=True)
    (tmp_path / STORE).write_text("{")

    outcome = login(cli, sandbox)

    assert outcome.exit_code == 3
    assert f"{tmp_path / STORE} is damaged" in outcome.stderr
    assert (tmp_path / STORE).read_text() == "{"


def test_status_tells_source_ending_and_validity(cli: Cli, sandbox: Sandbox) -> None:
    """The last four characters, by which its owner knows it."""
    outcome = cli("auth", "status", "--base-url", sandbox.base_url, env={"NSCALE_API_KEY": KEY})

    assert outcome.exit_code == 0
    assert outcome.stdout == (
        f"service  {sandbox.base_url}\nkey      from NSCALE_API_KEY, ends in cdef\nvalid    yes\n"
    )


@pytest.mark.parametrize(
    ("answer", "valid", "code", "name"),
    [
        (MODELS, True, 0, None),
        (REFUSAL, False, 4, "key"),
        (Answer(status=403, body=b"{}"), False, 4, "key"),
        (Answer(status=500, body=b"{}"), None, 12, "service_failed"),
        (Answer(status=404, body=b"<html>"), None, 6, "refused"),
        (Answer(sent_bytes=0), None, 11, "disconnected"),
    ],
)
def test_status_as_json_for_each_answer(
    cli: Cli, server: ScriptedServer, answer: Answer, valid: bool | None, code: int, name: str
) -> None:
    """One document; the exit code says the same."""
    server.models = answer

    outcome = cli("auth", "status", "--json", "--base-url", server.base_url, "-a", KEY)

    assert outcome.exit_code == code
    document = outcome.document
    assert document["command"] == "auth status"
    assert document["data"] == {
        "base_url": server.base_url,
        "source": "-a",
        "key_ending": "cdef",
        "valid": valid,
    }
    assert [error["code"] for error in document["errors"]] == ([name] if name else [])


@pytest.mark.parametrize("path", ["/v1", ""])
def test_a_service_without_a_list_of_models_cannot_check_a_key(
    cli: Cli, server: ScriptedServer, path: str
) -> None:
    """It is not about a model, and an address that lacks its end is thought of."""
    server.answers = [Answer(status=404)]
    url = server.base_url.removesuffix("/v1") + path

    outcome = cli("auth", "status", "--base-url", url, "-a", KEY)

    lacking = "" if path else f": {url} does not end in /v1, as most do"
    assert outcome.exit_code == 6
    assert outcome.stderr.startswith(
        "error: 127.0.0.1 has no list of models (404); the key could not be checked. "
        "Nothing was billed.\n"
    )
    assert outcome.stderr.endswith(f"\nhint: check --base-url or NSCALE_BASE_URL{lacking}\n")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=500), "the service, or a proxy before it, failed (500)"),
        (Answer(sent_bytes=0), "the connection to 127.0.0.1 broke before the reply was whole"),
        (Answer(status=303), "the address redirects to another address (303), which nscale does"),
    ],
)
def test_a_question_about_a_key_costs_nothing_however_it_ends(
    cli: Cli, server: ScriptedServer, answer: Answer, words: str
) -> None:
    """And that is said."""
    server.models = answer

    outcome = cli("auth", "status", "--base-url", server.base_url, "-a", KEY)

    assert outcome.stderr.startswith(f"error: {words}")
    assert ". Nothing was billed.\n" in outcome.stderr


def test_status_without_a_key_says_the_ways_to_give_one(cli: Cli) -> None:
    """The shortest first; the service is not asked."""
    outcome = cli("auth", "status", "--json", "--base-url", "http://127.0.0.1:9/v1")

    assert outcome.exit_code == 4
    (error,) = outcome.document["errors"]
    assert error["hint"].startswith("nscale auth login, or export NSCALE_API_KEY=...")


def test_a_short_key_shows_nothing_of_itself(cli: Cli, sandbox: Sandbox) -> None:
    """Four characters would be too much of it."""
    outcome = cli("auth", "status", "--base-url", sandbox.base_url, "-a", "short-key")

    assert "from -a\n" in outcome.stdout


@pytest.mark.terminal
@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX's")
def test_a_person_types_the_key_unseen(program: Program, sandbox: Sandbox) -> None:
    """In the real program, at a real terminal."""
    env = program.env | {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    words = [*program.command[1:], "auth", "login", "--base-url", sandbox.base_url]
    terminal = pexpect.spawn(
        program.command[0], words, cwd=program.cwd, env=env, timeout=60, encoding="utf-8"
    )
    terminal.expect("make a key where http://127.0.0.1:[0-9]+ keeps accounts, and paste it here")
    terminal.expect("API key for http://127.0.0.1:[0-9]+: ")
    terminal.sendline(KEY)
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert terminal.exitstatus == 0
    assert KEY not in terminal.before
    assert "accepts the key; it is stored in" in terminal.before
    assert json.loads((program.cwd / STORE).read_text())["keys"] == {
        sandbox.base_url.removesuffix("/v1"): {"key": KEY}
    }


@pytest.mark.terminal
@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX's")
@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 4)])
def test_ctrl_c_and_ctrl_d_at_the_question_store_nothing(
    program: Program, sandbox: Sandbox, key: str, code: int
) -> None:
    """And the terminal echoes again."""
    words = [*program.command[1:], "auth", "login", "--base-url", sandbox.base_url]
    terminal = pexpect.spawn(
        program.command[0], words, cwd=program.cwd, env=program.env, timeout=60, encoding="utf-8"
    )
    terminal.expect("API key for ")
    terminal.waitnoecho()
    terminal.send(key)
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert terminal.exitstatus == code
    assert not (program.cwd / STORE).exists()
    assert sandbox.requests == []

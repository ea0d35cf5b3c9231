"""The error boundary: whatever happens is one message and an exit code."""

import errno
import io
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nscale_cli import __version__
from nscale_cli.errors import ExitCode, NscaleError
from nscale_cli.jobs import generate
from nscale_cli.jobs.buyer import Buyer
from nscale_cli.jobs.job import Job, JobProgress, JobResult
from nscale_cli.jobs.run import Engine
from nscale_cli.output import crash_log
from nscale_cli.sandbox.server import Sandbox
from nscale_cli.service.client import Client
from tests.conftest import KEY, Cli, Program, Stream


class FullDisk(Stream):
    """A stream whose disk is full."""

    @property
    def buffer(self) -> io.BufferedWriter:
        """Fail as a write would."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    content = b""


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the command fail in a way that nobody foresaw, with the key in the message."""

    def fail(*arguments: object, **options: object) -> None:
        raise KeyError(KEY)

    monkeypatch.setattr(generate, "run_generate", fail)


def test_a_bug_is_one_line_and_exit_code_1(cli: Cli, bug: None) -> None:
    """No traceback, and no key, although the exception holds it."""
    outcome = cli("images", "generate", "x", "-a", KEY)

    assert outcome.exit_code == 1
    first, second = outcome.stderr.splitlines()
    assert first.startswith("error: this is a bug in nscale: KeyError at test_main.py:")
    assert first.endswith(": '[key hidden]'. Nothing was billed.")
    assert second.startswith("hint: please report it")


def test_debug_shows_where_a_bug_is(cli: Cli, bug: None) -> None:
    """Files, lines and names; no values, which could hold the key."""
    outcome = cli("images", "generate", "x", "-a", KEY, "--debug")

    frames = [line for line in outcome.stderr.splitlines() if line.startswith("debug: ")]
    assert any("main.py" in frame and " in run" in frame for frame in frames)
    assert any("images_generate.py" in frame for frame in frames)


def log_of(hint: str) -> Path:
    """Return the crash log that a hint names."""
    return Path(hint.partition("please report it, with ")[2].strip())


def test_a_bug_before_anything_is_sent_has_cost_nothing(cli: Cli, bug: None) -> None:
    """In words as in JSON; and nothing has to be run again to report it."""
    outcome = cli("images", "generate", "x", "-a", KEY, "--json")

    (error,) = outcome.document["errors"]
    assert (error["code"], error["billed"]) == ("bug", "no")
    first, second = outcome.stderr.splitlines()
    assert first.endswith(". Nothing was billed.")
    assert second == f"hint: {error['hint']}"
    assert error["hint"].startswith("please report it, with ")
    assert log_of(error["hint"]).is_file()


def test_a_bug_while_buying_may_have_cost_something(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug promises nothing, and says so in words as in JSON."""

    def fail(*arguments: object, **options: object) -> None:
        raise KeyError(KEY)

    monkeypatch.setattr(Engine, "results", fail)
    nowhere = ("--base-url", "http://127.0.0.1:9/v1")
    outcome = cli("images", "generate", "x", "-a", KEY, "--json", *nowhere)

    (error,) = outcome.document["errors"]
    assert (outcome.exit_code, error["code"], error["billed"]) == (1, "bug", "maybe")
    assert "The image may have been made, and billed.\n" in outcome.stderr
    assert error["hint"].startswith("look at your usage page before running it again; ")
    assert log_of(error["hint"]).is_file()


def test_a_crash_log_holds_what_helps_and_no_key(cli: Cli, bug: None, tmp_path: Path) -> None:
    """For its owner alone. The prompt, and the values of options, are nobody else's business."""
    outcome = cli(
        "images", "generate", "a private prompt", f"-a{KEY}", "--base-url=http://127.0.0.1:9/v1"
    )

    path = log_of(outcome.stderr)
    assert path.parent == tmp_path / "home/.local/state/nscale"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert text.startswith(f"nscale {__version__} images generate\noptions: -a --base-url\n")
    assert "openai 3." in text
    assert "Traceback (most recent call last):" in text
    assert "images_generate.py" in text
    assert text.endswith("KeyError: '[key hidden]'\n")
    assert not any(word in text for word in (KEY, KEY[3:12], "private prompt", "127.0.0.1"))


def test_a_crash_log_is_in_another_place_where_the_first_takes_none(
    cli: Cli, bug: None, tmp_path: Path
) -> None:
    """As a file in the way of the directory."""
    (tmp_path / "taken").write_text("")
    (tmp_path / "other").mkdir()
    env = {"XDG_STATE_HOME": str(tmp_path / "taken"), "TMPDIR": str(tmp_path / "other")}

    path = log_of(cli("images", "generate", "x", "-a", KEY, env=env).stderr)

    assert path.parent == tmp_path / "other"
    assert path.name.startswith("nscale-crash-")


def test_a_bug_whose_log_cannot_be_written_is_told_all_the_same(
    cli: Cli, bug: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second failure does not come before the user instead of the first."""

    def fail(*arguments: object) -> None:
        raise RecursionError

    for failure in (lambda *arguments: None, fail):
        monkeypatch.setattr(crash_log, "write_crash_log", failure)
        outcome = cli("images", "generate", "x", "-a", KEY)

        assert outcome.exit_code == 1
        assert outcome.stderr.endswith("Nothing was billed.\nhint: please report it\n")


def test_a_bug_behind_the_first_image_keeps_the_image_and_leaves_a_log(
    generate: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved is reported as ever."""
    run = Buyer.run

    def crash(self: Buyer, job: Job, progress: JobProgress) -> JobResult:
        return replace(run(self, job, progress), crash=KeyError("x"))

    monkeypatch.setattr(Buyer, "run", crash)
    outcome = generate("x", "-z", "64x64")

    assert outcome.stdout.endswith("/x.png\n")
    assert log_of(outcome.stderr).read_text().endswith("KeyError: 'x'\n")


def test_a_failure_that_cannot_be_written_keeps_its_exit_code(cli: Cli) -> None:
    """The script still learns what happened."""
    outcome = cli("images", "generate", "x", "-z", "1", "--json", stdout=FullDisk())

    assert outcome.exit_code == 2
    assert "error: standard output could not be written" in outcome.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["help", "exit-codes"]])
def test_an_answer_that_cannot_be_written_is_exit_code_23(cli: Cli, arguments: list[str]) -> None:
    """Whatever the answer is."""
    outcome = cli(*arguments, stdout=FullDisk())

    assert outcome.exit_code == ExitCode.STDOUT_FAILED


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["images", "generate", "fox", "-z", "1"], "images generate"),
        (["images", "generate", "fox", "--bogus"], "images generate"),
        (["images", "generate", "fox", "-a", ""], "images generate"),
        (["models", "list", "--sort", "bogus"], "models list"),
        (["auth", "status"], "auth status"),
        (["images", "bogus"], "images"),
        (["bogus"], ""),
        ([], ""),
    ],
)
def test_a_failure_names_the_command_that_failed(cli: Cli, words: list[str], command: str) -> None:
    """Whoever found the fault: the parser, an option, or the command. A wrong word names none."""
    assert cli(*words, "--json").document["command"] == command


def test_a_missing_value_points_to_the_help_of_its_command(cli: Cli) -> None:
    """The parser itself does not know whose option it was."""
    outcome = cli("images", "generate", "fox", "--json", "-z")

    assert outcome.document["command"] == "images generate"
    assert outcome.document["errors"][0]["hint"] == "see nscale images generate --help"


def test_json_as_the_value_of_an_option_asks_for_no_document(generate: Cli) -> None:
    """It is a file's name then."""
    outcome = generate("fox", "-z", "64x64", "-o", "--json")

    assert outcome.stdout.endswith("/--json\n")


def test_json_after_two_dashes_is_a_prompt(cli: Cli) -> None:
    """The option has to be an option."""
    outcome = cli("images", "generate", "-z", "1", "--", "--json")

    assert outcome.exit_code == 2
    assert outcome.stdout == ""


@pytest.mark.parametrize("words", [[], ["images"]])
def test_a_group_without_a_command_shows_its_help(cli: Cli, words: list[str]) -> None:
    """On stderr, as a usage error, so that a script notices."""
    outcome = cli(*words)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("Usage: nscale")
    assert outcome.stdout == ""


@pytest.mark.parametrize(
    "words", [[], ["images"], ["images", "generate"], ["sandbox"], ["completion"], ["help"]]
)
def test_the_help_of_every_command_shows_examples_before_options(
    cli: Cli, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What most people look for comes first."""
    assert cli(*words, "--help").exit_code == 0

    page = capsys.readouterr().out
    assert 0 < page.index("Examples:") < page.index("Options:")
    assert "\x1b" not in page


def test_the_help_never_shows_a_key(program: Program) -> None:
    """Defaults from the environment are named, not shown."""
    env = program.env | {"NSCALE_API_KEY": KEY, "NSCALE_SERVICE_TOKEN": KEY}

    page = program.run("images", "generate", "--help", env=env).stdout

    assert "NSCALE_API_KEY" in page
    assert "Other users of this machine can see it" in " ".join(page.split())


def test_help_without_a_topic_is_the_help_of_the_program(cli: Cli) -> None:
    """As with git."""
    assert cli("help").stdout.startswith("Usage: nscale [OPTIONS] COMMAND")


def test_an_unknown_topic_names_the_known_ones(cli: Cli) -> None:
    """The next step is in the hint."""
    outcome = cli("help", "money")

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        "error: there is no help on 'money'\n"
        "hint: the topics are exit-codes, environment, agent, json-schema\n"
    )


def test_an_unknown_shell_names_the_known_ones(cli: Cli) -> None:
    """The next step is in the hint."""
    outcome = cli("completion", "tcsh")

    assert outcome.exit_code == 2
    assert outcome.stderr.endswith("hint: choose from bash, zsh, fish, powershell\n")


def test_help_environment_lists_every_variable(cli: Cli) -> None:
    """Also the ones that other programs share."""
    page = cli("help", "environment").stdout

    for name in ("NSCALE_SERVICE_TOKEN", "NSCALE_API_KEY", "HTTPS_PROXY", "NO_COLOR", "COLUMNS"):
        assert name in page


def test_a_price_that_cannot_be_asked_for_is_unknown_and_no_failure(
    cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run without a network still shows the request."""

    def unreachable(*arguments: object, **options: object) -> None:
        raise NscaleError("127.0.0.1 was not reached")

    monkeypatch.setattr(Client, "list_models", unreachable)
    outcome = cli("images", "generate", "x", "--dry-run", "--base-url", sandbox.base_url, "-a", KEY)

    assert outcome.exit_code == 0
    assert outcome.stdout.endswith("price: unknown (127.0.0.1 was not reached)\n")


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["plain", "json"])
def test_ctrl_c_during_start_up_is_no_traceback(program: Program, flags: list[str]) -> None:
    """The signal arrives while the program is still being imported; a script gets its document."""
    code = (
        "import os, signal, sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Interrupt(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'nscale_cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from nscale_cli.__main__ import run\n"
        "run()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=program.cwd,
        env=program.env,
        capture_output=True,
    )

    assert result.returncode == 130
    assert [json.loads(result.stdout)["errors"][0]["code"]] == ["interrupted"] if flags else True
    assert bool(result.stdout) == bool(flags)
    assert result.stderr == b"error: stopped before anything was sent. Nothing was billed.\n"


def test_ctrl_c_before_the_signals_are_routed_is_no_traceback(program: Program) -> None:
    """It ends the program as it ends most others."""
    code = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name == 'nscale_cli.terminal.signals':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        "from nscale_cli.__main__ import run\n"
        "run()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=program.cwd, env=program.env, capture_output=True
    )

    assert result.returncode == -signal.SIGINT
    assert result.stderr == b""

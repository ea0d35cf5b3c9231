"""`nscale completion SHELL`, and what the program answers to the script of PowerShell."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nscale_cli.commands.completion import SCRIPTS
from nscale_cli.service.catalog import store
from nscale_cli.service.models import Model, ModelList
from tests.conftest import Cli, Program


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_is_printed_as_it_is(cli: Cli, name: str) -> None:
    """`nscale completion SHELL` prints the script, ready to be saved."""
    assert cli("completion", name).stdout == f"{SCRIPTS[name]}\n"


def test_unknown_shell_is_a_usage_error(cli: Cli) -> None:
    """The shells that there are are named."""
    outcome = cli("completion", "tcsh")
    assert outcome.exit_code == 2
    assert "choose from bash, zsh, fish, powershell" in outcome.stderr


START_UP = {"bash": ".bashrc", "zsh": ".zshrc", "fish": None}


@pytest.mark.parametrize("shell", START_UP)
@pytest.mark.parametrize("before", [None, "", "alias ll='ls -l'", "# caf\udce9\n\nalias a=b\n"])
def test_what_is_installed_can_be_taken_away(
    cli: Cli, tmp_path: Path, shell: str, before: str | None
) -> None:
    """Folders are made, each file is named, twice is once, and undone is as before."""
    home = tmp_path / "home"
    home.mkdir()
    start_up = home / (START_UP[shell] or ".unused")
    if before is not None:
        start_up.write_text(before, errors="surrogateescape")
    for _ in range(2):
        outcome = cli("completion", shell, "--install")
        assert (outcome.exit_code, outcome.stdout) == (0, "")
    script = next(
        Path(line.removesuffix(" is written"))
        for line in outcome.stderr.splitlines()
        if line.endswith(" is written")
    )
    assert script.read_text() == f"{SCRIPTS[shell]}\n"
    if START_UP[shell]:
        text = start_up.read_text(errors="surrogateescape")
        assert text.startswith(before or "")
        assert text.count(str(script)) == 2 and text.count("# nscale completion\n") == 1
        assert f"{start_up} loads it" in outcome.stderr

    gone = cli("completion", shell, "--uninstall")

    assert (gone.exit_code, gone.stdout) == (0, "")
    assert f"{script} is removed\n" in gone.stderr
    assert not script.exists()
    if before:
        assert start_up.read_text(errors="surrogateescape").rstrip("\n") == before.rstrip("\n")
    assert f"{script} is not there\n" in cli("completion", shell, "--uninstall").stderr


def test_places_of_the_user_are_heeded(cli: Cli, tmp_path: Path) -> None:
    """XDG_DATA_HOME and ZDOTDIR, with a space in them."""
    env = {"XDG_DATA_HOME": str(tmp_path / "my data"), "ZDOTDIR": str(tmp_path / "z")}

    assert cli("completion", "zsh", "--install", env=env).exit_code == 0

    assert (tmp_path / "my data/zsh/site-functions/_nscale").exists()
    assert f"'{tmp_path}/my data/zsh/" in (tmp_path / "z/.zshrc").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["powershell", "--install"], 2, "hint: in PowerShell: nscale completion powershell >> $P"),
        (["bash", "--install", "--uninstall"], 2, "--install and --uninstall exclude each other"),
    ],
)
def test_what_cannot_be_installed_is_said(cli: Cli, words: list[str], code: int, said: str) -> None:
    """With the next step."""
    outcome = cli("completion", *words)

    assert outcome.exit_code == code
    assert said in outcome.stderr


def test_a_place_that_takes_no_file_is_one_line(cli: Cli, tmp_path: Path) -> None:
    """Exit code 3, and another way."""
    (tmp_path / "home").write_text("no directory")

    outcome = cli("completion", "fish", "--install")

    assert outcome.exit_code == 3
    assert "cannot be written" in outcome.stderr
    assert "nscale completion fish prints the script" in outcome.stderr


def test_without_a_home_nothing_is_installed(cli: Cli) -> None:
    """It is said, and written nowhere."""
    outcome = cli("completion", "bash", "--install", env={"HOME": "here"})

    assert outcome.exit_code == 3
    assert "HOME does not name your home directory" in outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "word", "lines"),
    [
        ("nscale im", "im", ["images:::Make images, and tell how they were made."]),
        (
            "nscale images generate --forc",
            "--forc",
            ["--force:::Let -o FILE replace an existing file."],
        ),
        ("nscale images generate -m sandbox/unav", "sandbox/unav", ["sandbox/unavailable::: "]),
        ("nscale help e", "e", ["exit-codes::: ", "environment::: "]),
        ("nscale help images ge", "ge", ["generate::: "]),
        ("nscale images generate -o sun", "sun", []),
    ],
)
def test_question_of_powershell_is_answered(
    program: Program, typed: str, word: str, lines: list[str]
) -> None:
    """The variables that the PowerShell script sets bring one `value:::help` a line."""
    variables = {
        "_NSCALE_COMPLETE": "complete_powershell",
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": word,
    }
    assert all(f"$Env:{name} = " in SCRIPTS["powershell"] for name in variables)
    outcome = program.run(env=program.env | variables)
    assert outcome.stdout.split("\n") == [*lines, ""] if lines else outcome.stdout.strip() == ""
    assert (outcome.exit_code, outcome.stderr) == (0, "")


def offers(program: Program, typed: str, **more: str) -> list[str]:
    """Return what Tab offers after `typed`."""
    variables = {
        "_NSCALE_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"nscale {typed}",
    }
    return program.run(env=program.env | variables | more).stdout.split()


@pytest.fixture
def kept(program: Program) -> None:
    """A list of models is kept, with ids that nobody should type."""
    ids = ("acme/flux-9", "acme/flux-$(reboot)", "acme/flux\x1b[31m", "acme/llama")
    models = tuple(Model(id=name, fields={}) for name in ids)
    listed = ModelList(base_url="https://a.example", fetched_at=datetime.now(UTC), models=models)
    store(listed, program.env)


@pytest.mark.slow
@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("command", ["images generate -m ", "models show "])
def test_models_that_a_service_listed_come_first(program: Program, command: str) -> None:
    """Then those that everybody knows; a model of another kind only where nothing else fits."""
    listed = offers(program, command)
    assert listed[:2] == ["acme/flux-9", "black-forest-labs/FLUX.1-schnell"]
    assert not [name for name in listed if "llama" in name or "$" in name or "\x1b" in name]
    assert offers(program, f"{command}acme/f") == ["acme/flux-9"]
    assert offers(program, f"{command}acme/l") == ["acme/llama"]


def test_without_a_list_the_known_models_are_offered(program: Program) -> None:
    """A cache that is a file is as good as none."""
    Path(program.env["XDG_CACHE_HOME"]).write_text("")
    assert offers(program, "images generate -m black-f") == ["black-forest-labs/FLUX.1-schnell"]


def test_orders_are_offered(program: Program) -> None:
    """For --sort."""
    assert offers(program, "models list --sort ") == ["name", "price"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "variables", "offered"),
    [
        ("images generate -m ", {}, False),
        ("images generate --sandbox -m ", {}, True),
        ("images generate --base-url http://127.0.0.1:1/v1 -m ", {}, True),
        ("images generate -m ", {"NSCALE_SANDBOX": "1"}, True),
        ("images generate -m ", {"NSCALE_BASE_URL": "http://localhost:8787/v1"}, True),
        ("images generate -m ", {"NSCALE_BASE_URL": "https://a.example/v1"}, False),
        ("images generate -m sandbox/sl", {}, True),  # who types that means it
    ],
)
def test_scenarios_are_offered_where_a_sandbox_is_in_use(
    program: Program, typed: str, variables: dict[str, str], offered: bool
) -> None:
    """They would be "no such model" anywhere else."""
    assert ("sandbox/slow" in offers(program, typed, **variables)) is offered

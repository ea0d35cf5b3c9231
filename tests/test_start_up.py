"""What the program loads before it knows that it needs it: nothing heavy."""

import subprocess
import sys

import pytest

from nscale_cli.sandbox.scenarios import Account, generate
from tests.conftest import KEY, Cli, Program, ScriptedServer

HEAVY = {"PIL", "ascii_magic", "http", "httpx2", "openai", "pydantic", "rich", "ssl"}
LINE = "nscale im"
# A module that is None in sys.modules is barred, not loaded.
RUN_AND_TELL = """
import atexit, sys

def tell():
    loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
    print(*sorted(loaded), file=sys.stderr)

atexit.register(tell)
sys.argv[0] = "nscale"
from nscale_cli.__main__ import run
run()
"""


def loaded_by(
    program: Program, *arguments: str, expected_code: int = 0, **variables: str
) -> tuple[str, set[str]]:
    """Return what the program printed, and the packages that it had loaded at its end."""
    process = subprocess.run(
        [sys.executable, "-c", RUN_AND_TELL, *arguments],
        cwd=program.cwd,
        env=program.env | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == expected_code
    modules = set(process.stderr.splitlines()[-1].split())
    assert "nscale_cli" in modules
    return process.stdout, modules


@pytest.mark.parametrize(
    ("arguments", "expected_code"),
    [
        (["--help"], 0),
        (["images", "generate", "--help"], 0),
        (["--version"], 0),
        (["help", "exit-codes"], 0),
        (["completion", "bash"], 0),
        (["models", "list", "--help"], 0),
        (["models", "list", "--sort", "size"], 2),
        (["models", "list"], 4),
        (["images", "generate", "--no-such-option"], 2),
        (["images", "generate", "a red fox", "-z", "huge"], 2),
        ([], 2),
    ],
)
def test_help_and_usage_errors_load_nothing_heavy(
    program: Program, arguments: list[str], expected_code: int
) -> None:
    """Help, the version and usage errors come without the libraries that make images."""
    _, modules = loaded_by(program, *arguments, expected_code=expected_code)
    assert not modules & HEAVY


def test_the_version_needs_no_command_tree(program: Program) -> None:
    """It is asked for by scripts, which want nothing else."""
    _, modules = loaded_by(program, "--version")
    assert "typer" not in modules


@pytest.mark.slow
def test_an_image_needs_neither_the_sandbox_nor_a_preview(
    program: Program, server: ScriptedServer
) -> None:
    """Pillow, rich and the server's half of HTTP are not between a reply and its file."""
    body = b'{"model": "m", "prompt": "p", "size": "64x64"}'
    server.answers = [generate(body, Account())]
    address = ("--base-url", server.base_url, "-a", KEY)

    _, modules = loaded_by(program, "images", "generate", "x", *address)

    assert "openai" in modules
    assert not modules & {"PIL", "ascii_magic", "rich"}


@pytest.mark.parametrize(
    ("instruction", "variables"),
    [
        ("complete_bash", {"COMP_WORDS": LINE, "COMP_CWORD": "1"}),
        ("complete_zsh", {"_TYPER_COMPLETE_ARGS": LINE}),
        (
            "complete_fish",
            {"_TYPER_COMPLETE_ARGS": LINE, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        ),
        (
            "complete_powershell",
            {
                "_TYPER_COMPLETE_ARGS": LINE,
                "_TYPER_COMPLETE_WORD_TO_COMPLETE": "im",
            },
        ),
    ],
)
def test_completion_loads_nothing_heavy(
    program: Program, instruction: str, variables: dict[str, str]
) -> None:
    """Each Tab starts the program; what it then loads is what the user waits for."""
    answer, modules = loaded_by(program, _NSCALE_COMPLETE=instruction, **variables)
    assert "images" in answer
    assert not modules & HEAVY


def test_completion_of_models_loads_nothing_heavy(program: Program) -> None:
    """Reading the kept lists is cheap, also where the system is asked for their folder."""
    variables = {
        "_TYPER_COMPLETE_ARGS": "nscale images generate -m ",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "XDG_CACHE_HOME": "",
    }
    answer, modules = loaded_by(program, _NSCALE_COMPLETE="complete_fish", **variables)
    assert "FLUX.1-schnell" in answer
    assert not modules & HEAVY


def test_empty_completion_variable_changes_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exported but empty variable asks for no completion, and bars no library."""
    monkeypatch.delitem(sys.modules, "rich", raising=False)
    assert cli("--version", env={"_NSCALE_COMPLETE": ""}).exit_code == 0
    assert sys.modules.get("rich", "not loaded") is not None

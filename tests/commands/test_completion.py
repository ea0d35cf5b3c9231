"""`nscale completion SHELL`, and what the program answers to the script of PowerShell."""

import pytest

from nscale_cli.commands.completion import SCRIPTS
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


@pytest.mark.parametrize(
    ("typed", "word", "lines"),
    [
        ("nscale im", "im", ["images:::Make images."]),
        (
            "nscale images generate --forc",
            "--forc",
            ["--force:::Let -o FILE replace an existing file."],
        ),
        ("nscale images generate -m sandbox/unav", "sandbox/unav", ["sandbox/unavailable::: "]),
        ("nscale help", "", ["exit-codes::: ", "environment::: "]),
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

"""Command lines that are not quite right are answered with the one to type."""

import pytest
import typer

from nscale_cli.app import build_app
from nscale_cli.commands._words import paths_below
from tests.conftest import KEY, Cli


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("generate", "nscale images generate"),
        ("images gen", "nscale images generate"),
        ("image", "nscale images"),
        ("image show fox.png", "nscale images show fox.png"),
        ("imges generate fox", "nscale images generate fox"),
        ("models lst", "nscale models list"),
        ("model show x/y", "nscale models show x/y"),
        ("login", "nscale auth login"),
        ("Images", "nscale images"),
        ("config sett size 1x1", "nscale config set size 1x1"),
    ],
)
def test_the_nearest_command_is_named(cli: Cli, typed: str, meant: str) -> None:
    """With the words that came after it, ready to be copied."""
    outcome = cli(*typed.split())

    assert outcome.exit_code == 2
    assert outcome.stderr.endswith(f"hint: did you mean: {meant}\n")


@pytest.mark.parametrize("typed", ["xyzzy", "images xyzzy", "--no-such"])
def test_where_nothing_is_near_help_is(cli: Cli, typed: str) -> None:
    """A guess would only lead astray."""
    outcome = cli(*typed.split())

    assert outcome.exit_code == 2
    assert "--help" in outcome.stderr.splitlines()[-1]
    assert "did you mean" not in outcome.stderr


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["a", "red", "fox"], '"a red fox"'),
        (["a", "red", "fox", "-z", "64x64", "--sandbox"], '"a red fox" -z 64x64 --sandbox'),
        (["-n", "2", "a", "fox", "--", "-x"], '"a fox -x" -n 2'),
        (["it", "costs", "$5"], "'it costs $5'"),
        (["a", "fox", "-o", "my pictures/"], '"a fox" -o "my pictures/"'),
        (["a", "fox" * 1000, "-n", "2"], '"..." -n 2'),
    ],
)
def test_a_prompt_without_quotes_is_repeated_with_them(
    cli: Cli, words: list[str], again: str
) -> None:
    """And with the options as they were."""
    outcome = cli("images", "generate", *words)

    assert outcome.exit_code == 2
    assert (
        outcome.stderr.splitlines()[1] == f"hint: quote the prompt: nscale images generate {again}"
    )


@pytest.mark.parametrize(
    "option", [["-a", KEY], [f"-a{KEY}"], ["--api-key", KEY], [f"--api-key={KEY}"]]
)
@pytest.mark.parametrize("before", [["images", "generate", "a", "fox"], ["generate", "fox"]])
def test_no_hint_repeats_a_key(cli: Cli, before: list[str], option: list[str]) -> None:
    """A variable stands in its place; that KEY is nowhere is checked for every run."""
    outcome = cli(*before, *option)

    assert '"$NSCALE_API_KEY"' in outcome.stderr


def test_other_commands_say_which_words_are_too_many(cli: Cli) -> None:
    """One line, and its help."""
    outcome = cli("config", "show", "x", "y")

    assert outcome.stderr == (
        "error: unexpected arguments 'x', 'y'\nhint: see nscale config show --help\n"
    )


def test_no_line_of_a_command_list_is_cut_off() -> None:
    """Each fits 80 columns."""
    program = typer.main.get_command(build_app())
    root = program.make_context("nscale", [], resilient_parsing=True, terminal_width=80)
    groups = [root, *(context for _, context in paths_below(root))]

    assert len(groups) > 20
    for context in groups:
        assert "..." not in context.get_help().partition("Commands:")[2], context.command_path


def test_no_argument_looks_like_a_choice() -> None:
    """Braces mean a choice in every manual; here they would only be typed."""
    program = typer.main.get_command(build_app())
    root = program.make_context("nscale", [], resilient_parsing=True)

    for _, context in paths_below(root):
        assert "{" not in context.get_usage()

"""What a newcomer types at `images compare`, and what is said of it."""

import pytest

from tests.conftest import Cli, Program


def test_two_models_in_one_word_are_noticed(cli: Cli) -> None:
    """Values of --vary are listed so; a service would only say that there is no such model."""
    words = ("images", "compare", "cat", "-m", "a/b,c/d", "--sandbox", "--dry-run")

    assert "-m a/b,c/d is one model; two are -m A -m B" in cli(*words).stderr
    assert cli(*words, "-q").stderr == ""
    assert "is one model" not in cli("images", "compare", "cat", "--sandbox", "--dry-run").stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("images", "compare", "--seed", "1"), "--vary seed=V1,V2, or --param seed=VALUE"),
        (("images", "generate", "--negative-prompt", "x"), "--param negative_prompt=VALUE"),
        (("images", "batch", "--steps=4"), "--param steps=VALUE"),
    ],
)
def test_what_other_tools_have_as_an_option_is_asked_for_as_a_field(
    cli: Cli, words: tuple[str, ...], hint: str
) -> None:
    """The hint has the very words."""
    outcome = cli(*words)

    assert outcome.exit_code == 2
    assert outcome.stderr.splitlines()[-1] == f"hint: it may be a field of the request: {hint}"


def test_other_unknown_options_lead_to_the_help(cli: Cli) -> None:
    """So does one of these where there is no request."""
    for words in (("images", "compare", "--bogus"), ("models", "list", "--seed", "1")):
        assert "--help" in cli(*words).stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["compare", "report"])
def test_the_help_says_what_p_does_unless_told(cli: Cli, program: Program, command: str) -> None:
    """A sheet is drawn in the best style and as wide as the terminal, unlike an image."""
    helped = program.run("images", command, "--help", env=program.env | {"COLUMNS": "200"})
    text = " ".join(helped.stdout.split())

    assert "(auto: the best there is). [env: NSCALE_PREVIEW; default: auto]" in text
    assert "The most columns that -p fills. [default: the terminal's width]" in text
    known = cli("help", "images", command, "--json").document["data"]["commands"]
    options = [option for each in known for option in each["options"]]
    (style,) = (option for option in options if "--preview-style" in option["flags"])
    assert style["default"] == "auto"

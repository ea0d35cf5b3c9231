"""`nscale images show`: files, streams and exit codes, in the test's own process."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import KEY, Cli, Outcome
from tests.preview.conftest import picture

Show = Callable[..., Outcome]
COLOUR = {"FORCE_COLOR": "1"}


@pytest.fixture
def show(cli: Cli, tmp_path: Path) -> Show:
    """Run `nscale images show` where fox.png and cat.jpg are."""
    picture(200, 100).save(tmp_path / "fox.png")
    picture(100, 100).save(tmp_path / "cat.jpg")
    return lambda *arguments, **options: cli("images", "show", *arguments, **options)


def test_one_file_is_a_picture_and_nothing_else(show: Show) -> None:
    """Off a terminal: plain ASCII, on stderr; stdout stays free."""
    outcome = show("fox.png")

    lines = outcome.stderr.splitlines()
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert len(lines) == 20
    assert all(line.isascii() and line.isprintable() and len(line) == 80 for line in lines)


def test_several_files_stand_side_by_side_over_their_names(show: Show) -> None:
    """Each in half of the width."""
    outcome = show("fox.png", "cat.jpg")

    assert outcome.exit_code == 0
    assert outcome.stderr.splitlines()[-1] == "fox.png" + " " * 34 + "cat.jpg"
    assert max(map(len, outcome.stderr.splitlines())) <= 80


def test_absolute_paths_and_repeated_files_are_fine(show: Show, tmp_path: Path) -> None:
    """The folder is not part of the name shown."""
    outcome = show(str(tmp_path / "fox.png"), "fox.png")

    assert outcome.exit_code == 0
    assert outcome.stderr.splitlines()[-1].split() == ["fox.png", "fox.png"]


@pytest.mark.parametrize(
    "name", ["none.png", ".", "sub/none.png", "fox.png/x", "x" * 300 + ".png", "/dev/null"]
)
def test_what_is_no_file_is_said_before_anything_is_shown(show: Show, name: str) -> None:
    """A missing file, a folder, a device: exit code 2, and no half of an answer."""
    outcome = show("fox.png", name)

    assert outcome.exit_code == 2
    assert outcome.stderr == (f"error: {name} is not a file\nhint: name PNG, JPEG or WebP files\n")


def test_the_help_says_that_several_files_are_fine(cli: Cli) -> None:
    """Not only by its dots."""
    assert "One image or several" in " ".join(cli("help", "images", "show").stdout.split())


def test_without_a_file_the_usage_is_said(show: Show) -> None:
    """As for every other command."""
    outcome = show()

    assert outcome.exit_code == 2
    assert "missing argument 'FILE...'" in outcome.stderr


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b]0;owned\x07.png", r"\x1b]0;owned\x07.png"),
        ("a\x1b[2J\x1b[31m.png", r"a\x1b[2J\x1b[31m.png"),
        ("line\nbreak.png", "line break.png"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("[bold]x[dim].png", "[bold]x[dim].png"),
        ("-x.png", "-x.png"),
        ("\udcff.png", r"\udcff.png"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
def test_hostile_names_are_shown_as_text(show: Show, tmp_path: Path, name: str, shown: str) -> None:
    """In labels, in warnings, and in errors."""
    path = tmp_path / os.fsdecode(name.encode("utf-8", "surrogateescape"))
    picture().save(path, "png")

    label = show("--", name, "fox.png")
    path.write_bytes(b"nothing")
    warning = show("--", name)
    path.unlink()
    error = show("--", name)

    assert [label.exit_code, warning.exit_code, error.exit_code] == [0, 2, 2]
    assert label.stderr.splitlines()[-1].startswith(shown + " ")
    assert warning.stderr.startswith(f"warning: no preview of {shown}: it cannot be decoded")
    assert error.stderr.startswith(f"error: {shown} is not a file\n")


def test_one_broken_file_does_not_hide_the_others(show: Show, tmp_path: Path) -> None:
    """It is one warning, and exit code 2."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    outcome = show("fox.png", "broken.png")

    assert outcome.exit_code == 2
    assert outcome.stderr.splitlines()[-2:] == [
        "fox.png",
        "warning: no preview of broken.png: it cannot be decoded (UnidentifiedImageError)",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_file_that_cannot_be_read_is_one_warning(show: Show) -> None:
    """With the system's own reason; this file fails for root as well."""
    outcome = show("/proc/self/mem")

    assert outcome.exit_code == 2
    assert outcome.stderr == "warning: no preview of mem: it cannot be read (Input/output error)\n"


# Width, style and colour


@pytest.mark.parametrize(("width", "columns"), [("1", 1), ("28", 28), ("80", 80), ("10000", 80)])
def test_the_width_is_at_most_what_was_asked_and_what_there_is(
    show: Show, width: str, columns: int
) -> None:
    """Off a terminal there are 80 columns."""
    outcome = show("fox.png", "--preview-width", width)

    assert outcome.exit_code == 0
    assert {len(line) for line in outcome.stderr.splitlines()} == {columns}


def test_a_wide_preview_is_bounded_by_the_picture(show: Show) -> None:
    """It is never enlarged."""
    outcome = show("fox.png", "--preview-width", "10000", env={"COLUMNS": "9999"})

    assert {len(line) for line in outcome.stderr.splitlines()} == {200}


@pytest.mark.parametrize(
    ("width", "message"),
    [
        ("0", "error: --preview-width must be 1 or more"),
        ("-5", "error: --preview-width must be 1 or more"),
        ("wide", "error: invalid value for '--preview-width'"),
    ],
)
def test_a_width_that_is_none_is_a_usage_error(show: Show, width: str, message: str) -> None:
    """Before anything is drawn."""
    outcome = show("fox.png", "--preview-width", width)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(message)
    assert len(outcome.stderr.splitlines()) <= 2


@pytest.mark.parametrize("style", ["kitty", "blocks", "ascii"])
def test_the_style_comes_from_the_option_or_the_environment(show: Show, style: str) -> None:
    """The option wins; an empty variable is none."""
    by_option = show("fox.png", "--preview-style", style, env=COLOUR | {"NSCALE_PREVIEW": "sixel"})
    by_variable = show("fox.png", env=COLOUR | {"NSCALE_PREVIEW": style})
    default = show("fox.png", env=COLOUR | {"NSCALE_PREVIEW": ""})

    assert by_option.stderr == by_variable.stderr
    assert (default.stderr == by_option.stderr) is (style == "ascii")
    assert ("\x1b_G" in by_option.stderr) is (style == "kitty")
    assert ("▀" in by_option.stderr) is (style == "blocks")


@pytest.mark.parametrize("style", ["ASCII", "chafa", " kitty", "\x1b[31m"])
@pytest.mark.parametrize("source", ["--preview-style", "NSCALE_PREVIEW"])
def test_a_style_that_is_none_is_a_usage_error(show: Show, source: str, style: str) -> None:
    """It names where the word came from, and the styles there are."""
    if source == "NSCALE_PREVIEW":
        outcome = show("fox.png", env={source: style})
    else:
        outcome = show("fox.png", source, style)

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        f"error: {source} has an invalid style, {style!r}\n"
        "hint: choose from ascii, auto, blocks, kitty, iterm2, sixel\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("style", ["ascii", "auto", "blocks", "kitty", "iterm2", "sixel"])
@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, COLOUR | {"NO_COLOR": "1"}])
def test_off_a_terminal_no_style_writes_an_escape(
    show: Show, style: str, env: dict[str, str]
) -> None:
    """Whatever was asked for, a file or a pipe gets plain ASCII."""
    outcome = show("fox.png", "--preview-style", style, env=env | {"TERM": "xterm-kitty"})

    assert outcome.exit_code == 0
    assert outcome.stderr == show("fox.png").stderr


@pytest.mark.parametrize("colorterm", ["", "truecolor"])
def test_forced_colour_off_a_terminal_is_characters_in_colour(show: Show, colorterm: str) -> None:
    """For a pager, or the log of a build."""
    outcome = show("fox.png", env=COLOUR | {"COLORTERM": colorterm})

    assert ("\x1b[38;2;" in outcome.stderr) is bool(colorterm)
    assert ("\x1b[38;5;" in outcome.stderr) is not bool(colorterm)


def test_forced_colour_off_a_terminal_is_never_pixels_by_itself(show: Show) -> None:
    """The variables tell of a terminal that does not get to see it."""
    env = COLOUR | {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}

    outcome = show("fox.png", "--preview-style", "auto", env=env)

    assert "\x1b_G" not in outcome.stderr
    assert "\x1b[38;2;" in outcome.stderr


@pytest.mark.parametrize(
    ("colorfgbg", "turned"),
    [("0;15", True), ("0;default;7", True), ("15;0", False), ("", False), ("junk", False)],
)
def test_a_light_background_turns_the_characters_round(
    show: Show, colorfgbg: str, turned: bool
) -> None:
    """Without colour, ink is dark there."""
    dark = show("fox.png", env={"NO_COLOR": "1"})

    outcome = show("fox.png", env={"NO_COLOR": "1", "COLORFGBG": colorfgbg})
    coloured = show("fox.png", env=COLOUR | {"COLORFGBG": colorfgbg})

    assert (outcome.stderr != dark.stderr) is turned
    assert coloured.stderr == show("fox.png", env=COLOUR).stderr


def test_quiet_is_no_option_of_a_command_that_only_draws(show: Show) -> None:
    """There would be nothing left of it."""
    outcome = show("fox.png", "-q")

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: no such option: -q")


def test_debug_says_which_style_and_why(show: Show) -> None:
    """In one line, before the picture."""
    outcome = show("fox.png", "--debug", env={"NSCALE_API_KEY": KEY})

    assert outcome.stderr.startswith("debug: preview style ascii (terminal unnamed)\n")


def test_a_script_is_told_what_was_shown(show: Show, tmp_path: Path) -> None:
    """One document on stdout, while the picture is drawn on stderr."""
    outcome = show("fox.png", "--json")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    failed = show("fox.png", "broken.png", "--json")

    path = str(tmp_path / "fox.png")
    assert outcome.document["data"] == {"paths": [path], "complete": True}
    assert outcome.stderr.count("\n") > 5
    assert failed.exit_code == 2
    assert failed.document["data"]["complete"] is False
    assert failed.document["errors"][0]["code"] == "usage"
    assert "error:" not in failed.stderr  # each was warned of

"""Which style and how many colours a terminal deserves."""

import pytest

from nscale_cli.preview.styles import (
    TerminalCapabilities,
    brand_style,
    choose,
    colours_of,
    multiplexer,
    needs_query,
)

SIXEL, KITTY = TerminalCapabilities(sixel=True), TerminalCapabilities(kitty=True)
EXACT = 2**24
TRUE = {"COLORTERM": "truecolor"}
XTERM = {"TERM": "xterm-256color"}
IN_KITTY = {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"} | TRUE
# environment, answers, asked?, style, colours
NO_ANSWER = TerminalCapabilities()
TERMINALS = {
    "kitty": (IN_KITTY, NO_ANSWER, False, "kitty", EXACT),
    "kitty over SSH": ({"TERM": "xterm-kitty", "SSH_TTY": "/"}, NO_ANSWER, False, "kitty", EXACT),
    "kitty, other TERM": (XTERM | {"KITTY_WINDOW_ID": "1"}, NO_ANSWER, False, "kitty", 256),
    "ghostty": (
        {"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"} | TRUE, NO_ANSWER, False, "kitty",
        EXACT,
    ),
    "ghostty over SSH": ({"TERM": "xterm-ghostty"}, NO_ANSWER, False, "kitty", EXACT),
    "iTerm": (XTERM | TRUE | {"TERM_PROGRAM": "iTerm.app"}, NO_ANSWER, False, "iterm2", EXACT),
    "WezTerm": (XTERM | TRUE | {"TERM_PROGRAM": "WezTerm"}, NO_ANSWER, False, "iterm2", EXACT),
    "WezTerm's executable": (XTERM | {"WEZTERM_EXECUTABLE": "/w"}, NO_ANSWER, False, "iterm2", 256),
    "WezTerm over SSH": ({"TERM": "wezterm"}, NO_ANSWER, False, "iterm2", EXACT),
    "Konsole": (XTERM | TRUE | {"KONSOLE_VERSION": "221203"}, KITTY, True, "kitty", EXACT),
    "old Konsole": (XTERM | {"KONSOLE_VERSION": "200400"}, NO_ANSWER, True, "blocks", 256),
    "VS Code": (XTERM | TRUE | {"TERM_PROGRAM": "vscode"}, SIXEL, True, "iterm2", EXACT),
    "VS Code without images": (
        XTERM | TRUE | {"TERM_PROGRAM": "vscode"}, NO_ANSWER, True, "blocks", EXACT,
    ),
    "VS Code, started from kitty": (
        XTERM | TRUE | {"TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, NO_ANSWER, True,
        "blocks", EXACT,
    ),
    "kitty, started from iTerm": (IN_KITTY | {"TERM_PROGRAM": "iTerm.app"}, NO_ANSWER, False,
                                  "kitty", EXACT),
    "foot": ({"TERM": "foot"}, SIXEL, True, "sixel", EXACT),
    "mlterm": ({"TERM": "mlterm"}, SIXEL, True, "sixel", 256),
    "xterm -ti vt340": (XTERM, SIXEL, True, "sixel", 256),
    "xterm": (XTERM, NO_ANSWER, True, "blocks", 256),
    "Windows Terminal": ({"WT_SESSION": "0"}, NO_ANSWER, True, "blocks", EXACT),
    "Windows Terminal 1.22, WSL": (XTERM | {"WT_SESSION": "0"}, SIXEL, True, "sixel", EXACT),
    "Apple Terminal": (XTERM | {"TERM_PROGRAM": "Apple_Terminal"}, NO_ANSWER, False, "blocks", 256),
    "alacritty": ({"TERM": "alacritty"} | TRUE, NO_ANSWER, True, "blocks", EXACT),
    "Linux console": ({"TERM": "linux"}, NO_ANSWER, False, "blocks", 256),
    "something over SSH": (XTERM | {"SSH_CONNECTION": "1"}, NO_ANSWER, True, "blocks", 256),
    "tmux in kitty": (IN_KITTY | {"TERM": "tmux-256color", "TMUX": "/t,1,0"}, KITTY, True,
                      "blocks", EXACT),
    "tmux with sixel": ({"TERM": "screen-256color", "TMUX": "/t"} | TRUE, SIXEL, True, "sixel",
                        EXACT),
    "tmux in VS Code": (
        {"TERM": "tmux-256color", "TMUX": "/t", "TERM_PROGRAM": "tmux"}, NO_ANSWER, True, "blocks",
        256,
    ),
    "screen in kitty": (IN_KITTY | {"TERM": "screen.xterm-kitty", "STY": "1.a"}, KITTY, False,
                        "blocks", 256),
    "screen over SSH": ({"TERM": "screen-256color"} | TRUE, SIXEL, False, "blocks", 256),
    "screen, other TERM": (XTERM | TRUE | {"STY": "1.a"}, SIXEL, False, "blocks", 256),
    "screen in tmux": ({"TERM": "screen", "STY": "1.a", "TMUX": "/t"} | TRUE, NO_ANSWER, False,
                       "blocks", 256),
    "tmux in screen": ({"TERM": "tmux-256color", "STY": "1.a", "TMUX": "/t"} | TRUE, SIXEL, True,
                       "sixel", EXACT),
    "zellij in kitty": (IN_KITTY | {"ZELLIJ": "0"}, KITTY, False, "blocks", EXACT),
    "zellij and tmux": ({"ZELLIJ": "0", "TMUX": "/t"}, SIXEL, False, "blocks", 256),
    "nothing known": ({}, NO_ANSWER, True, "blocks", 256),
    "all answered": (XTERM, TerminalCapabilities(kitty=True, sixel=True), True, "kitty", 256),
}  # fmt: skip


@pytest.mark.parametrize("name", TERMINALS)
def test_a_terminal_gets_the_best_that_it_can_show(name: str) -> None:
    """By its variables, else by its answers; never pixels through what would not pass them on."""
    env, answers, asked, style, colours = TERMINALS[name]

    assert needs_query("auto", env, coloured=True) is asked
    assert choose("auto", env, answers, coloured=True) == style
    assert colours_of(env, coloured=True) == colours


@pytest.mark.parametrize("name", TERMINALS)
@pytest.mark.parametrize("style", ["ascii", "auto", "blocks", "kitty", "iterm2", "sixel"])
def test_without_colour_there_is_plain_ascii(name: str, style: str) -> None:
    """NO_COLOR, a dumb terminal, a pipe: no escape at all, so no question either."""
    env, answers, *_ = TERMINALS[name]

    assert not needs_query(style, env, coloured=False)
    assert choose(style, env, answers, coloured=False) == "ascii"
    assert colours_of(env, coloured=False) == 0


@pytest.mark.parametrize("name", TERMINALS)
@pytest.mark.parametrize("style", ["ascii", "blocks", "kitty", "iterm2", "sixel"])
def test_a_style_that_the_user_names_is_drawn(name: str, style: str) -> None:
    """Whatever is known of the terminal; it is not asked."""
    env, answers, *_ = TERMINALS[name]

    assert not needs_query(style, env, coloured=True)
    assert choose(style, env, answers, coloured=True) == style


@pytest.mark.parametrize("value", ["truecolor", "24bit", "TrueColor"])
def test_colorterm_promises_all_colours(value: str) -> None:
    """Both words are in use."""
    assert colours_of({"COLORTERM": value}, coloured=True) == EXACT
    assert colours_of({"COLORTERM": "yes"}, coloured=True) == 256


def test_a_brand_within_a_multiplexer_is_no_promise() -> None:
    """Its variables are inherited."""
    assert brand_style(IN_KITTY) == "kitty"
    assert brand_style(IN_KITTY | {"TMUX": "/t"}) is None
    assert multiplexer({}) is None

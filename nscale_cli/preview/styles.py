"""The styles that a preview can have, and which of them a terminal deserves."""

from collections.abc import Mapping

from nscale_cli.values import frozen

# Set by the innermost terminal, so that it wins over variables which may be left from another one
# around it. TERM travels over SSH, too.
_STYLE_OF_TERM = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty", "wezterm": "iterm2"}
_STYLE_OF_PROGRAM = {"ghostty": "kitty", "iTerm.app": "iterm2", "WezTerm": "iterm2"}
_STYLE_OF_VARIABLE = {"KITTY_WINDOW_ID": "kitty", "WEZTERM_EXECUTABLE": "iterm2"}
# They have no pixels, and would print parts of the question.
_NOT_TO_BE_ASKED = {"TERM": ("linux",), "TERM_PROGRAM": ("Apple_Terminal",)}
_EXACT_TERMS = (*_STYLE_OF_TERM, "alacritty", "foot")


@frozen
class PreviewOptions:
    """How the user wants to see images: a style of PREVIEW_STYLES, and a width in columns."""

    style: str
    width: int | None = None


@frozen
class TerminalCapabilities:
    """What a terminal said of itself; see query.py. Nothing, where it was not asked."""

    name: str = ""
    kitty: bool = False
    sixel: bool = False
    cell_pixels: tuple[int, int] | None = None


def multiplexer(env: Mapping[str, str]) -> str | None:
    """Return tmux, screen or zellij where one stands between the program and the terminal.

    They inherit the variables of the terminal around them, so they are looked for first.
    """
    term = env.get("TERM", "")
    if env.get("ZELLIJ"):
        return "zellij"
    # Of one in the other, screen is the one that can do less.
    if env.get("STY") and not term.startswith("tmux"):
        return "screen"
    if env.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if term.startswith("screen") else None


def colours_of(env: Mapping[str, str], *, coloured: bool) -> int:
    """Return 0, 256 or 2**24: the colours of the terminal, given whether it is to have any."""
    if not coloured:
        return 0
    if multiplexer(env) == "screen":  # screen 4 passes COLORTERM on and misreads what it then gets
        return 256
    # Windows Terminal does not set COLORTERM, and SSH does not pass it on.
    exact = env.get("WT_SESSION") or env.get("TERM") in _EXACT_TERMS
    return 2**24 if exact or env.get("COLORTERM", "").lower() in ("truecolor", "24bit") else 256


def brand_style(env: Mapping[str, str]) -> str | None:
    """Return the pixel protocol that the terminal's own variables promise, or None."""
    if multiplexer(env):
        return None
    if style := _STYLE_OF_TERM.get(env.get("TERM", "")):
        return style
    if program := env.get("TERM_PROGRAM"):
        return _STYLE_OF_PROGRAM.get(program)
    return next((style for name, style in _STYLE_OF_VARIABLE.items() if env.get(name)), None)


def needs_query(style: str, env: Mapping[str, str], *, coloured: bool) -> bool:
    """Return whether only the terminal itself can tell what `style` should be."""
    if style != "auto" or not coloured:
        return False
    if any(env.get(name) in values for name, values in _NOT_TO_BE_ASKED.items()):
        return False
    return brand_style(env) is None and multiplexer(env) in (None, "tmux")


def choose(
    style: str, env: Mapping[str, str], answers: TerminalCapabilities, *, coloured: bool
) -> str:
    """Return the style to draw in: ascii, blocks, kitty, iterm2 or sixel."""
    if not coloured:
        return "ascii"
    if style != "auto":
        return style
    if brand := brand_style(env):
        return brand
    if multiplexer(env) not in (None, "tmux"):
        return "blocks"
    if answers.kitty and multiplexer(env) is None:
        return "kitty"
    if answers.sixel:
        return "iterm2" if env.get("TERM_PROGRAM") == "vscode" else "sixel"
    return "blocks"

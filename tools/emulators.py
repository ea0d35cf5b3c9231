"""The terminal emulators that Debian has, and how each is started to look the same everywhere."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAPER, INK = "#101418", "#d8dee9"
LIGHT_PAPER, LIGHT_INK = "#fdf6e3", "#333333"
_FONT = "DejaVu Sans Mono"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a terminal emulator is to look; `lines_above` the program are filled already."""

    columns: int = 80
    lines: int = 30
    light: bool = False
    lines_above: int = 0

    @property
    def geometry(self) -> str:
        """The size in characters, in the words of X11."""
        return f"{self.columns}x{self.lines}+0+0"

    @property
    def paper(self) -> str:
        """The colour of the background."""
        return LIGHT_PAPER if self.light else PAPER

    @property
    def ink(self) -> str:
        """The colour of the text."""
        return LIGHT_INK if self.light else INK


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A terminal emulator: the commands it needs, and the words that start it.

    `words` may hold the names of `command`'s places. `origin` is where in the window, in pixels,
    the first cell is.
    """

    name: str
    needs: tuple[str, ...]
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    origin: tuple[int, int] = (0, 0)

    def command(self, window: Window, folder: Path, program: Sequence[str]) -> list[str]:
        """Return the words that start it, running `program`."""
        places = {
            "geometry": window.geometry,
            "columns": str(window.columns),
            "lines": str(window.lines),
            "paper": window.paper,
            "ink": window.ink,
            "font": _FONT,
            "folder": str(folder),
        }
        words = [word.format(**places) for word in self.words]
        return [shutil.which(words[0]) or words[0], *words[1:], *program]


_XTERM = (
    *("xterm", "-geometry", "{geometry}", "-fa", "{font}", "-fs", "11", "-bg", "{paper}"),
    *("-fg", "{ink}", "-b", "0", "-bw", "0", "+sb", "-xrm", "XTerm*cursorBlink: false"),
    *("-xrm", "XTerm*maxGraphicSize: 1200x900", "-ti", "vt340", "-e"),
)
EMULATORS = {
    each.name: each
    for each in (
        Emulator(name="xterm", needs=("xterm",), words=_XTERM),
        Emulator(
            name="kitty",
            needs=("kitty",),
            words=(
                *("kitty", "--config", "NONE", "--class", "nscale"),
                *("-o", "initial_window_width={columns}c", "-o", "initial_window_height={lines}c"),
                *("-o", "remember_window_size=no", "-o", "window_padding_width=0"),
                *("-o", "window_margin_width=0", "-o", "window_border_width=0"),
                *("-o", "font_family={font}", "-o", "font_size=11", "-o", "background={paper}"),
                *("-o", "foreground={ink}", "-o", "cursor_blink_interval=0"),
                *("-o", "update_check_interval=0", "-o", "enable_audio_bell=no"),
            ),
            env={"LIBGL_ALWAYS_SOFTWARE": "1"},
        ),
        Emulator(
            name="mlterm",
            needs=("mlterm",),
            words=(
                *("mlterm", "--geometry={geometry}", "--fg={ink}", "--bg={paper}", "--border=0"),
                *("--sbmod=none", "--aa=true", "--deffont={font}", "--fontsize=15"),
                *("--logmsg=false", "--im=none", "-e"),
            ),
        ),
        Emulator(
            name="konsole",
            needs=("konsole",),
            words=(
                *("konsole", "--separate", "--nofork", "--hide-menubar", "--hide-tabbar"),
                *("-p", "TerminalColumns={columns}", "-p", "TerminalRows={lines}"),
                *("-p", "TerminalMargin=0", "-p", "ScrollBarPosition=2"),
                *("-p", "Font={font},11", "-e"),
            ),
            origin=(3, 32),  # below a tool bar
        ),
        Emulator(
            name="tmux",
            needs=("xterm", "tmux"),
            words=(
                *_XTERM,
                *("tmux", "-S", "{folder}/tmux", "-f", "{folder}/tmux.conf", "new-session"),
            ),
        ),
    )
}

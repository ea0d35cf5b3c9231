"""Images before a person's eyes: in the terminal, and in the desktop's viewer."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from nscale_cli.config.other_programs import env_without_keys
from nscale_cli.preview.canvas import LINES_LEFT_FREE, MAX_COLUMNS, Canvas
from nscale_cli.preview.draw import NamedImage, draw, load_libraries
from nscale_cli.preview.query import Query, begin
from nscale_cli.preview.styles import (
    PreviewOptions,
    TerminalCapabilities,
    choose,
    colours_of,
    needs_query,
)
from nscale_cli.preview.viewer import ViewerUnavailable, open_image
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.streams import Terminal


class Preview:
    """Draws images in the terminal. Made early: the terminal is asked while others work."""

    def __init__(self, preview_options: PreviewOptions, terminal: Terminal) -> None:
        """Ask the terminal what it can draw, if only it knows; do not wait for its answer."""
        self._wish, self._terminal = preview_options, terminal
        # A file or a pipe is no kitty, whatever the variables say.
        self._env = terminal.env if terminal.stderr_is_tty else {}
        self._query: Query | None = None
        watched = terminal.stderr_is_tty and terminal.coloured
        if needs_query(preview_options.style, self._env, coloured=watched):
            self._query = begin()

    def load(self) -> None:
        """Load, in a thread, what will be needed to draw; where that fails, `show` says so."""
        with suppress(RuntimeError):  # no more threads: then it is loaded when it is needed
            threading.Thread(target=load_libraries, daemon=True).start()

    def show(self, paths: Sequence[Path]) -> bool:
        """Draw the files, side by side where they fit; return whether all could be drawn.

        What cannot be drawn is one warning.
        """
        terminal, style, answers = self._terminal, self.style(), self._answers()
        terminal.debug(f"preview style {style} (terminal {answers.name or 'unnamed'})")
        images = [NamedImage(name=text_of(Path(path.name)), path=path) for path in paths]
        complete = True
        for drawing in draw(images, self._canvas(answers), style):
            if drawing.text:
                terminal.draw(drawing.text)
            for name, reason in drawing.failures:
                terminal.warn(f"no preview of {name}: {reason}")
                complete = False
        return complete

    def style(self) -> str:
        """Return the style in which images are drawn; waits for the terminal, if it was asked."""
        coloured = self._terminal.coloured
        return choose(self._wish.style, self._env, self._answers(), coloured=coloured)

    def _answers(self) -> TerminalCapabilities:
        return self._query.answers() if self._query else TerminalCapabilities()

    def _canvas(self, answers: TerminalCapabilities) -> Canvas:
        terminal = self._terminal
        size = terminal.size()
        return Canvas(
            columns=min(self._wish.width or MAX_COLUMNS, size.columns),
            lines=max(1, size.lines - LINES_LEFT_FREE),
            colours=colours_of(terminal.env, coloured=terminal.coloured),
            cell_pixels=size.cell_pixels or answers.cell_pixels,
            light=_is_light(terminal.env.get("COLORFGBG", "")),
        )


def _is_light(colorfgbg: str) -> bool:
    """Return whether `foreground;background` names a light background (rxvt's convention)."""
    background = colorfgbg.rpartition(";")[2]
    return background in ("7", "15")


def open_images(paths: Sequence[Path], terminal: Terminal) -> bool:
    """Open each file in the desktop's viewer; return whether all could be opened.

    What cannot be opened is one warning.
    """
    env = env_without_keys(terminal)
    complete = True
    for path in paths:
        try:
            open_image(path, env)
        except ViewerUnavailable as error:
            terminal.warn(f"{text_of(Path(path.name))} was not opened: {error}")
            complete = False
    return complete

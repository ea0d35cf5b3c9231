"""The line at the bottom of a terminal that changes: the only owner of rich."""

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOW_CURSOR = "\x1b[?25h"


class LiveLine:
    """A line at the bottom of the terminal; rich is loaded when there is something to show."""

    def __init__(self, put: Callable[[str], None], *, coloured: bool, elapsed: bool) -> None:
        """Take what writes to the terminal; `elapsed`: behind the text is how long it is there."""
        self._put, self._coloured, self._elapsed = put, coloured, elapsed
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def show(self, text: str) -> None:
        """Show a text, in place of the last."""
        if self._progress is None:
            self._progress = self._new_progress()
            self._progress.start()
        if self._task is None:
            self._task = self._progress.add_task(text, total=None)
        else:
            self._progress.update(self._task, description=text)

    def redraw(self) -> None:
        """Draw it again, where something else was written over it."""
        if self._progress is not None:
            self._progress.refresh()

    def print_above(self, line: str) -> None:
        """Write a line, which may have colours, above it."""
        from rich.text import Text

        if self._progress is not None:
            self._progress.console.print(Text.from_ansi(line), soft_wrap=True)

    def stop(self) -> None:
        """Take it away."""
        if self._progress is None:
            return
        try:
            self._progress.stop()
        finally:
            self._put(SHOW_CURSOR)  # also where a signal came while the line stopped

    def _new_progress(self) -> "Progress":
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(
            file=cast("IO[str]", _Unfailing(self._put)),
            force_terminal=True,
            force_interactive=True,
            no_color=not self._coloured,
            highlight=False,
            markup=False,
            emoji=False,
        )
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            *([TimeElapsedColumn()] if self._elapsed else []),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )


class _Unfailing:
    """Stderr as rich wants it, which never fails: a terminal that has gone harms no image."""

    encoding = "utf-8"

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def write(self, text: str) -> int:
        self._put(text)
        return len(text)

    def flush(self) -> None:
        pass

"""How a run goes on, as the user hears of it: one changing line, or a line for each row."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nscale_cli.errors import SavedElsewhere, StdoutFailed
from nscale_cli.jobs.job import JobResult
from nscale_cli.output.images import saved_line
from nscale_cli.output.result import readable
from nscale_cli.redact import excerpt
from nscale_cli.request import SavedImage
from nscale_cli.runs.comparison import CELL_FIELD
from nscale_cli.runs.journal import Event
from nscale_cli.runs.ledger import Ledger, Place
from nscale_cli.runs.plan import PlannedRow
from nscale_cli.runs.resume import missing_files, saved_paths
from nscale_cli.runs.states import RowState, RowStates
from nscale_cli.runs.survey import Survey
from nscale_cli.service.prices import dollars
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.streams import Terminal

SUMMARY_SECONDS = 30.0
_MAX_LABEL = 60
_SPINNER_COLUMNS = 4
_LEAST_IN_THREE_DECIMALS = 0.01
_BILLED = {"no": "nothing was billed", "maybe": "it may have been billed", "yes": "it was billed"}


class RunProgress:
    """Tells the user of each row, and writes the answer as it comes.

    `show` changes the line at the bottom of a person's terminal. `paths`, `lines`: whether the
    paths of images, or the journal's lines, go to stdout. `stdout_failed` is how that ended.
    """

    def __init__(
        self,
        terminal: Terminal,
        ledger: Ledger,
        survey: Survey,
        show: Callable[[str], None],
        *,
        estimate_usd: float | None,
        paths: bool,
        lines: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with what earlier runs have saved."""
        self.stdout_failed: StdoutFailed | None = None
        self._terminal, self._ledger, self._show = terminal, ledger, show
        self._rows, self._saved, self._left = survey.rows, survey.saved, survey.to_send
        self._failed = self._ended = 0
        self._estimate_usd, self._paths, self._lines = estimate_usd, paths, lines
        self._monotonic, self._begun_at = monotonic, monotonic()
        self._told_at = self._begun_at

    def answer(self, text: str) -> None:
        """Write one line to stdout; where that fails the run goes on."""
        try:
            self._terminal.answer(text)
        except StdoutFailed as error:
            self.stdout_failed = error

    def tell_earlier(self) -> None:
        """Write the paths of what earlier runs have saved, before all others."""
        if not self._paths or not self._saved:
            return
        for path in saved_already(self._ledger.place, self._ledger.states):
            self.answer(str(path))

    def say(self, text: str) -> None:
        """Say something on stderr."""
        self._terminal.note(text)

    def happened(self, events: list[Event]) -> None:
        """Write the journal's new lines to stdout, where they are wanted there."""
        if self._lines:
            for event in events:
                self.answer(readable(dict(event.data)))

    def finished(self, planned: PlannedRow, result: JobResult, usd: float | None) -> None:
        """Tell of a row: paths to stdout, and to stderr what is new for whoever reads there."""
        self._ended += 1
        self._left -= 1
        if self._paths:
            for image in result.images:
                self.answer(str(image.path))
        whole = len(result.images) >= planned.request.count
        if whole and all(isinstance(error, SavedElsewhere) for error in result.errors):
            self._saved += 1
        else:
            self._failed += 1
        if not self._terminal.stderr_is_tty:
            for image in result.images:
                name = self._name_of(image)
                seconds = result.elapsed_seconds
                self.say(saved_line(name, image, planned.request, seconds, usd))
        for error in result.errors:
            billed = _BILLED[error.billed.value]
            label = "error" if not result.images else "warning"
            text = f"{row_label(planned)}: {error.message.rstrip('.')}; {billed}"
            self._terminal.say(text, label=label, style="red" if label == "error" else "yellow")

    def _name_of(self, image: SavedImage) -> str:
        path, directory = image.path or Path(), self._ledger.place.run.path
        return text_of(path.relative_to(directory) if path.is_relative_to(directory) else path)

    def tick(self, under_way: int) -> None:
        """Bring the changing line up to date; off a terminal say it every half a minute."""
        if under_way == 0 and self._ended == 0:
            return  # the first request is not out yet
        if self._terminal.stderr_is_tty:
            self._show(self.summary(under_way, self._terminal.size().columns - _SPINNER_COLUMNS))
        elif self._monotonic() - self._told_at >= SUMMARY_SECONDS:
            self._told_at = self._monotonic()
            self.say(self.summary(under_way))

    def summary(self, under_way: int, columns: int | None = None) -> str:
        """Return the run in one line: what fits into `columns`, and the first of it at least."""
        parts = [f"{self._saved}/{self._rows} saved"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        parts.append(f"{under_way} under way")
        spent = self._ledger.states.money.spent_usd
        if self._estimate_usd is not None:
            parts.append(f"about ${_brief(spent)} of ${_brief(self._estimate_usd)}")
        seconds = self._monotonic() - self._begun_at
        if self._ended and seconds > 0:
            rate = self._ended / seconds
            parts += [f"{rate:.1f}/s", f"{_duration(self._left / rate)} left"]
        while columns is not None and len(parts) > 1 and len("  ".join(parts)) > columns:
            parts.pop()
        return "  ".join(parts)


def saved_already(place: Place, states: RowStates) -> Iterator[Path]:
    """Yield the paths of the images that are saved, and still there, in the order of the plan."""
    for planned in place.rows():
        history = states.get(planned.key)
        if history.state is RowState.SAVED and not missing_files(history, place.run):
            yield from saved_paths(history, place.run)


def row_label(planned: PlannedRow) -> str:
    """Return what people call a row: its number, its id, the beginning of its prompt.

    A row of a comparison has what tells it from the others in the place of an id.
    """
    known = planned.row.id or planned.row.fields.get(CELL_FIELD, "")
    name = f" ({excerpt(known, 60)})" if known else ""
    return f"row {planned.number}{name}, {excerpt(planned.request.prompt, _MAX_LABEL)!r}"


def _brief(usd: float) -> str:
    """Return an amount that changes all the time, in as few digits as tell anything."""
    return f"{usd:.3f}" if usd >= _LEAST_IN_THREE_DECIMALS else dollars(usd)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"

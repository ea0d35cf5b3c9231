"""What a run has come to: how many rows are where, what it cost, and its exit code."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nscale_cli.errors import Billed, ExitCode
from nscale_cli.runs.ledger import Place
from nscale_cli.runs.plan import PlannedRow, RunDirectory
from nscale_cli.runs.resume import missing_files
from nscale_cli.runs.states import RowHistory, RowState, RowStates
from nscale_cli.values import frozen

# Of several failures without one image, the gravest speaks for the run.
_GRAVEST_FIRST = (
    ExitCode.NOT_SAVED,
    ExitCode.INCOMPLETE,
    ExitCode.UNUSABLE_REPLY,
    ExitCode.SERVICE_FAILED,
    ExitCode.DISCONNECTED,
    ExitCode.TIMEOUT,
    ExitCode.CREDIT,
    ExitCode.KEY,
    ExitCode.CONFIGURATION,
    ExitCode.REFUSED,
    ExitCode.RATE_LIMITED,
    ExitCode.UNREACHABLE,
)
_CODES = {code.label: code for code in ExitCode}


@frozen
class RowOutcome:
    """Where one row is. `code` is None where nothing failed: it is saved, or was never sent."""

    planned: PlannedRow
    history: RowHistory
    saved: bool = False
    code: ExitCode | None = None
    billed: Billed = Billed.NO

    @property
    def elsewhere(self) -> bool:
        """Whether an image of it had to be saved outside the run's directory."""
        return any(Path(str(image["path"])).is_absolute() for image in self.history.images)


def outcomes(place: Place, states: RowStates) -> Iterator[RowOutcome]:
    """Yield where each row is, in the order of the plan."""
    for planned in place.rows():
        yield outcome_of(planned, states.get(planned.key), place.run)


def outcome_of(planned: PlannedRow, history: RowHistory, run: RunDirectory) -> RowOutcome:
    """Return where a row with this history is."""
    outcome = RowOutcome(planned=planned, history=history)
    state = history.state
    if state is RowState.SAVED:
        if not missing_files(history, run):
            return replace(outcome, saved=True, billed=Billed.YES)
        return replace(outcome, code=ExitCode.INCOMPLETE, billed=Billed.YES)
    said = _CODES.get(history.code, ExitCode.DISCONNECTED)
    if state is RowState.PAID:
        return replace(outcome, code=said, billed=Billed.YES)
    if state is RowState.MAYBE_BILLED:
        # What came later and was free says nothing of the request that may not have been.
        known = not history.open and said.billed == Billed.MAYBE
        code = said if known else ExitCode.DISCONNECTED
        return replace(outcome, code=code, billed=Billed.MAYBE)
    return outcome if state is RowState.NOT_SENT else replace(outcome, code=said)


@dataclass(slots=True, kw_only=True)
class Totals:
    """How many rows of a run are where. `codes` are those of the rows that failed.

    Those that the service `refused` are among those that were not billed.
    """

    total: int = 0
    saved: int = 0
    saved_elsewhere: int = 0
    failed_billed: int = 0
    failed_maybe_billed: int = 0
    failed_not_billed: int = 0
    refused: int = 0
    not_sent: int = 0
    codes: set[ExitCode] = field(default_factory=set)

    def add(self, outcome: RowOutcome) -> None:
        """Count one more row."""
        self.total += 1
        if outcome.code is not None:
            self.codes.add(outcome.code)
        if outcome.saved:
            self.saved += 1
            self.saved_elsewhere += outcome.elsewhere
        elif outcome.code is None:
            self.not_sent += 1
        elif outcome.billed is Billed.NO:
            self.failed_not_billed += 1
            self.refused += outcome.history.state is RowState.REFUSED
        elif outcome.billed is Billed.MAYBE:
            self.failed_maybe_billed += 1
        else:
            self.failed_billed += 1

    def exit_code(self, stopped_with: ExitCode | None = None) -> ExitCode:
        """Return the run's exit code; `stopped_with` is that of what stopped it, if anything."""
        if self.saved == self.total:
            return ExitCode.SAVED_ELSEWHERE if self.saved_elsewhere else ExitCode.OK
        if self.saved:
            return ExitCode.PARTIAL_MAYBE if self.failed_maybe_billed else ExitCode.PARTIAL
        for code in _GRAVEST_FIRST:
            if code in self.codes:
                return code
        return stopped_with or min(self.codes, default=ExitCode.PARTIAL)

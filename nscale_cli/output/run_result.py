"""What a run of many images came to: a few lines on stderr, or one document on stdout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nscale_cli.errors import Billed, ExitCode, NscaleError, StdoutFailed, Stopped
from nscale_cli.output.result import Result, bill_of
from nscale_cli.output.run_progress import row_label
from nscale_cli.runs.buying import RunEnd
from nscale_cli.runs.ledger import Place
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.runs.policy import StopReason
from nscale_cli.runs.resume import ResumeOptions, decide
from nscale_cli.runs.states import Money, RowStates
from nscale_cli.runs.survey import Survey
from nscale_cli.runs.totals import RowOutcome, Totals, outcomes
from nscale_cli.service.prices import dollars, rounded
from nscale_cli.storage.names import text_of
from nscale_cli.values import frozen

# These are of no row: nothing had been sent for it.
_OF_THE_RUN = (StopReason.MAX_COST, StopReason.DISK)


@dataclass(slots=True, kw_only=True)
class RowData:
    """What a script is told of each row, in the order of the plan."""

    images: list[dict[str, object]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    errors: list[NscaleError] = field(default_factory=list)
    facts: dict[int, Mapping[str, object]] = field(default_factory=dict)

    def add(self, outcome: RowOutcome, run: RunDirectory) -> None:
        """Take the images of one more row, what else is kept of it, and its error."""
        planned, history = outcome.planned, outcome.history
        kept = [text_of(run.path / path) for path in history.kept]
        self.kept += kept
        about = {"row": planned.key, "id": planned.row.id or None}
        for image in history.images:
            path = text_of(run.path / str(image.get("path")))
            self.images.append(
                {
                    **image,
                    "path": path,
                    **about,
                    "model": planned.request.model,
                    "size": str(planned.request.size),
                    "prompt": planned.request.prompt,
                    "seconds": history.seconds,
                }
            )
        if outcome.code is not None:
            left = decide(planned, history, ResumeOptions(), run)
            error = NscaleError(
                left.why or history.message,
                hint=left.hint or None,
                billed=outcome.billed,
                http_status=history.http_status,
                request_id=history.request_id,
            )
            error.code = outcome.code
            self.errors.append(error)
            self.facts[id(error)] = {**about, "kept": kept}


@frozen
class RunReport(Result):
    """What a run came to. `rows` is None where only a person is told.

    `then` is what else may be done with it.
    """

    command: str  # type: ignore[misc]  # more than one command runs a plan
    directory: Path
    survey: Survey
    totals: Totals
    money: Money
    estimate_usd: float | None
    end: RunEnd
    rows: RowData | None = None
    stdout_failed: StdoutFailed | None = None
    then: str = ""

    @property
    def errors(self) -> Sequence[NscaleError]:
        """What went wrong with rows, and with the run as a whole."""
        of_rows = self.rows.errors if self.rows else []
        return [*self._of_the_run(), *of_rows]

    @property
    def untold(self) -> Sequence[NscaleError]:
        """What stopped the run; of each row the user has heard when it failed."""
        return list(self._of_the_run()) or ([self.end.error] if self.end.error else [])

    @property
    def only_noted(self) -> Sequence[NscaleError]:
        """That rows are left alone, of which an earlier run has told."""
        if not self.survey.left_alone or self._stopped is not None:
            return []
        hint = "without --quiet, each row that is left alone is named, and what can be done"
        error = NscaleError(self._counts(), hint=hint)
        error.code = self.exit_code
        return [error]

    def _of_the_run(self) -> Iterator[NscaleError]:
        if self._stopped is not None:
            yield self._stopped
        elif self.end.error is not None and self.end.stopped_by in _OF_THE_RUN:
            yield self.end.error
        if self.stdout_failed is not None:
            yield self.stdout_failed

    @property
    def _stopped(self) -> Stopped | None:
        number, totals = self.end.signal_number, self.totals
        if number is None:
            return None
        paid = Billed.YES if totals.saved + totals.failed_billed else Billed.NO
        billed = Billed.MAYBE if totals.failed_maybe_billed else paid
        return Stopped(number, f"stopped; {self._counts()}", billed=billed)

    def bill(self, error: NscaleError) -> str:
        """Say it of single failures; the counts of a run say it better of the whole."""
        return "" if error.message.endswith(self._counts()) else bill_of(error)

    @property
    def exit_code(self) -> ExitCode:
        """That of a signal, else what the rows came to."""
        if self._stopped is not None:
            return self._stopped.code
        code = self.totals.exit_code(self.end.error.code if self.end.error else None)
        return self.stdout_failed.code if self.stdout_failed and not code else code

    @property
    def partial(self) -> bool:
        """Whether some images are saved."""
        return self.totals.saved > 0

    def facts(self, error: NscaleError) -> Mapping[str, object]:
        """Return which row an error is about."""
        return self.rows.facts.get(id(error), {}) if self.rows else {}

    def notes(self) -> Iterator[str]:
        """Say what came of the rows, which ones were left alone, and how to go on."""
        for planned, why in self.survey.left:
            yield f"{row_label(planned)}: {why}"
        if more := self.survey.left_alone - len(self.survey.left):
            yield f"and {more} more rows are left alone; results.csv has them all"
        if self.totals.saved == self.totals.total and not self.survey.to_send:
            yield f"all {self.totals.total} rows are saved already; nothing was sent"
        elif self._stopped is None:
            yield self._counts()

    def _counts(self) -> str:
        totals, earlier = self.totals, self.survey.saved
        parts = [f"{totals.saved} of {totals.total} rows saved"]
        parts[0] += f" ({earlier} of them earlier)" if earlier else ""
        for count, what in (
            (totals.failed_billed, "were paid for without all of their images"),
            (totals.failed_maybe_billed, "may have been billed"),
            (totals.failed_not_billed, "failed, not billed"),
            (totals.not_sent, "not sent"),
        ):
            if count:
                parts.append(f"{count} {what}")
        return "; ".join(parts) + self._cost()

    def _cost(self) -> str:
        money = self.money
        if money.unpriced:
            return ""
        usd = rounded(money.maybe_usd)
        maybe = f", and perhaps ${dollars(usd)}" if usd else ""
        return f"; about ${dollars(rounded(money.spent_usd))}{maybe} in all"

    def remarks(self) -> Iterator[str]:
        """Say how to go on."""
        totals = self.totals
        goes_on = totals.not_sent + totals.failed_not_billed - totals.refused
        if goes_on:
            yield f"to go on: the same command again, or nscale images resume {self.directory}"
        if self.then:
            yield self.then

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        totals, money = self.totals, self.money
        stopped_by = self.end.stopped_by
        return {
            "run": text_of(self.directory),
            "rows": {
                "total": totals.total,
                "saved": totals.saved,
                "earlier": self.survey.saved,
                "failed_billed": totals.failed_billed,
                "failed_maybe_billed": totals.failed_maybe_billed,
                "failed_not_billed": totals.failed_not_billed,
                "not_sent": totals.not_sent,
            },
            "cost_usd": None if money.unpriced else rounded(money.spent_usd),
            "estimate_usd": self.estimate_usd,
            "stopped_by": stopped_by.value if stopped_by else None,
            "images": self.rows.images if self.rows else [],
            "kept": self.rows.kept if self.rows else [],
            "sheet": None,
            "page": None,
        }


def count_rows(
    place: Place, states: RowStates, *, in_detail: bool
) -> tuple[Totals, RowData | None]:
    """Return where all rows are; `in_detail` also what a script is told of each."""
    totals, rows = Totals(), RowData() if in_detail else None
    for outcome in outcomes(place, states):
        totals.add(outcome)
        if rows is not None:
            rows.add(outcome, place.run)
    return totals, rows

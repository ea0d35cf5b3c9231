"""What is told of a run of which nothing is sent: tried out only, or refused for its rows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nscale_cli.errors import NscaleError, UsageError
from nscale_cli.output.result import NO_RUN, Result
from nscale_cli.redact import excerpt
from nscale_cli.runs.plan import PlannedRow
from nscale_cli.runs.row_names import shown_path
from nscale_cli.runs.rows import RowsRefused
from nscale_cli.runs.survey import Survey
from nscale_cli.service.prices import dollars
from nscale_cli.storage.names import text_of
from nscale_cli.values import frozen


@frozen
class RunPlanned(Result):
    """What a dry run found out."""

    command = "images batch"
    directory: Path
    survey: Survey
    rows: Sequence[PlannedRow]
    estimate_usd: float | None
    price_unknown_because: str

    def lines(self) -> Iterator[str]:
        """Return each row's names and request in one line, then the price."""
        for planned in self.rows:
            request = planned.request
            count = f"  {request.count} images" if request.count > 1 else ""
            prompt = excerpt(request.prompt, 60)
            name = text_of(self.directory / shown_path(planned.path))
            what = f"{excerpt(request.model, 60)}  {request.size}{count}"
            yield f"would save {name}  {what}  {prompt}"
        look = self.survey
        yield f"rows: {look.to_send} to send, {look.saved} saved, {look.left_alone} left alone"
        yield self.price

    @property
    def price(self) -> str:
        """What it would cost, or why that is not known."""
        if self.estimate_usd is None:
            return f"price: unknown ({self.price_unknown_because})"
        return f"price: about ${dollars(self.estimate_usd)}"

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        survey = self.survey
        return {
            **NO_RUN,
            "dry_run": True,
            "run": text_of(self.directory),
            "rows": {
                "total": survey.rows,
                "saved": survey.saved,
                "earlier": survey.saved,
                "left_alone": survey.left_alone,
                "to_send": survey.to_send,
            },
            "estimate_usd": self.estimate_usd,
            "plan": [
                {
                    "row": planned.key,
                    "id": planned.row.id or None,
                    "path": text_of(self.directory / shown_path(planned.path)),
                    "body": planned.request.body,
                }
                for planned in self.rows
            ],
        }


@frozen
class RowsRejected(Result):
    """A file of rows with mistakes in it."""

    command: str  # type: ignore[misc]  # the one that was given the file
    refused: RowsRefused

    @property
    def errors(self) -> Sequence[NscaleError]:
        """Each of the mistakes, then what to do."""
        return [*map(UsageError, self.refused.mistakes), self.refused]

    def data(self) -> Mapping[str, object]:
        """Return the fields that a script may rely on, each empty."""
        return NO_RUN

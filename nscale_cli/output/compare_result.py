"""What a comparison came to: a table on stderr, a page and a sheet, or one document."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.output.report import summary
from nscale_cli.output.report.cells import Run
from nscale_cli.output.report.page import name_of
from nscale_cli.output.report.votes import Outcome
from nscale_cli.output.report.write import Report, drift_sentence
from nscale_cli.output.result import Result
from nscale_cli.output.run_planned import RunPlanned
from nscale_cli.output.run_result import RunReport
from nscale_cli.output.tables import format_table
from nscale_cli.redact import excerpt
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from nscale_cli.preview.show import Preview

_MAX_CELL = 60  # characters of the table


@frozen
class Drawn(Result):
    """What was drawn of a run; `blind` is the page that hides who made what.

    `preview`, `open_viewer`: whether a person is to see it.
    """

    command = "images report"
    directory: Path
    run: Run
    report: Report
    blind: Path | None = None
    preview: "Preview | None" = None
    open_viewer: bool = False

    @property
    def page(self) -> Path | None:
        """The page that is to be looked at first."""
        return self.blind or self.report.page

    def notes(self) -> Iterator[str]:
        """Say what came of each model, and what the settings did; nothing of it where blind."""
        if self.blind is None:
            rows = summary.rows(self.run)
            yield from format_table([[excerpt(text, _MAX_CELL) for text in row] for row in rows])
            yield from self.report.notes
            yield from (drift_sentence(self.run, drift) for drift in self.report.drifts)
        if self.report.without_font:
            count = len(self.report.without_font)
            labels = "1 label" if count == 1 else f"{count} labels"
            yield (
                f"{labels} of the sheet could not be set: no font here has the letters "
                "(NSCALE_FONT names one); the page has the text"
            )

    def lines(self) -> Iterator[str]:
        """Return the paths of the page and the sheets."""
        for path in (self.page, *self.report.sheets):
            if path is not None:
                yield str(path)

    def remarks(self) -> Iterator[str]:
        """Say what to do with a blind page."""
        if self.blind is not None:
            folder = self.blind.parent
            yield f"vote in {self.blind}, save the votes, then: nscale images votes {folder} FILE"

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        report = self.report
        header, *lines = summary.rows(self.run)
        return {
            "run": text_of(self.directory),
            "sheet": text_of(report.sheets[0]) if report.sheets else None,
            "sheets": [text_of(path) for path in report.sheets],
            "page": text_of(self.page) if self.page else None,
            "table": [dict(zip(header, line, strict=True)) for line in lines],
            "effects": list(report.notes),
            "drift": [
                {
                    "image": name_of(self.run, drift.now),
                    "row": drift.now.row,
                    "bits": drift.bits,
                    "identical": drift.identical,
                }
                for drift in report.drifts
            ],
        }

    def show(self, environment: Environment) -> None:
        """Draw the sheet in the terminal, and open the page."""
        from nscale_cli.preview.show import open_images

        if self.preview is not None and self.report.sheets:
            self.preview.show(self.report.sheets)
        if self.open_viewer and self.page is not None:
            open_images([self.page], environment.terminal)


@frozen
class Compared(RunReport):
    """A comparison that was bought; `drawn` is None where a signal left no time for it."""

    drawn: Drawn | None = None

    def notes(self) -> Iterator[str]:
        """Say what came of the rows, then what it looks like."""
        yield from RunReport.notes(self)
        yield from self.drawn.notes() if self.drawn else ()

    def lines(self) -> Iterator[str]:
        """Return the paths of the page and the sheets."""
        yield from self.drawn.lines() if self.drawn else ()

    def remarks(self) -> Iterator[str]:
        """Say how to go on."""
        yield from RunReport.remarks(self)
        if self.drawn is not None:
            yield from self.drawn.remarks()
        elif self.totals.saved:
            yield f"to see what is there: nscale images report {self.directory}"

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {**RunReport.data(self), **(self.drawn.data() if self.drawn else {})}

    def show(self, environment: Environment) -> None:
        """Show what was drawn."""
        if self.drawn is not None:
            self.drawn.show(environment)


@frozen
class ComparisonPlanned(RunPlanned):
    """What a dry run of a comparison found out."""

    command = "images compare"
    product: str
    run: Run

    def lines(self) -> Iterator[str]:
        """Return the axes, then what would be bought, and its price."""
        for axis in self.run.axes:
            if axis.varies or axis.name != "sample":
                values = ", ".join(excerpt(axis.label(n), 80) for n in range(len(axis.values)))
                yield f"{excerpt(axis.name, 40)}: {values}"
        yield self.product
        look = self.survey
        yield f"images: {look.to_send} to buy, {look.saved} saved, {look.left_alone} left alone"
        yield self.price

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        axes = {axis.name: list(axis.values) for axis in self.run.axes}
        return {**RunPlanned.data(self), "axes": axes, "product": self.product}


@frozen
class VotesCounted(Result):
    """What the votes of a blind page say."""

    command = "images votes"
    outcome: Outcome

    def notes(self) -> Sequence[str]:
        """Say how many there are."""
        votes = "1 vote" if self.outcome.votes == 1 else f"{self.outcome.votes} votes"
        voters = "1 voter" if self.outcome.voters == 1 else f"{self.outcome.voters} voters"
        return [f"{votes} of {voters}"]

    def lines(self) -> Iterator[str]:
        """Return the standings, the best first, and the verdict."""
        ranked = any(standing.strength is not None for standing in self.outcome.standings)
        head = ("", "wins", "losses", "both", "neither", "share of wins (95 %)")
        rows: list[tuple[str, ...]] = [(*head, "strength") if ranked else head]
        for standing in self.outcome.standings:
            interval = standing.interval
            share = (
                f"{interval.share:.0%} ({interval.low:.0%} to {interval.high:.0%})"
                if interval
                else "no decision"
            )
            counts = (standing.wins, standing.losses, standing.both, standing.neither)
            row = (excerpt(standing.name, _MAX_CELL), *map(str, counts), share)
            strength = "" if standing.strength is None else f"{standing.strength:.2f}"
            rows.append((*row, strength) if ranked else row)
        yield from format_table(rows)
        yield self.outcome.verdict

    def data(self) -> Mapping[str, object]:
        """Return the same for a script."""
        return {
            "votes": self.outcome.votes,
            "voters": self.outcome.voters,
            "verdict": self.outcome.verdict,
            "standings": [
                {
                    "name": standing.name,
                    "wins": standing.wins,
                    "losses": standing.losses,
                    "both": standing.both,
                    "neither": standing.neither,
                    "share": standing.interval.share if standing.interval else None,
                    "low": standing.interval.low if standing.interval else None,
                    "high": standing.interval.high if standing.interval else None,
                    "strength": standing.strength,
                }
                for standing in self.outcome.standings
            ],
        }

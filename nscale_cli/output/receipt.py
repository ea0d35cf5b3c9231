"""The receipt of a run, as lines, as CSV, or as data."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from nscale_cli.errors import Billed
from nscale_cli.output.result import Result
from nscale_cli.redact import clean
from nscale_cli.runs.files import harmless
from nscale_cli.runs.receipt import ReceiptEntry, ReceiptTotals
from nscale_cli.service.prices import dollars, rounded
from nscale_cli.storage.names import text_of
from nscale_cli.values import frozen

_COLUMNS = tuple(each.name for each in fields(ReceiptEntry))


@frozen
class Receipt(Result):
    """Each request of a run. `service` is where they were sent."""

    command = "images receipt"
    directory: Path
    service: str
    entries: Sequence[ReceiptEntry]
    totals: ReceiptTotals
    as_csv: bool = False

    def lines(self) -> Iterator[str]:
        """Return a line for each request, then the totals; or CSV without them."""
        if self.as_csv:
            yield from self._csv_lines()
            return
        yield f"service: {self.service}"
        yield from map(_line, self.entries)
        yield from self._total_lines()

    def _csv_lines(self) -> Iterator[str]:
        for values in (_COLUMNS, *(_values(entry) for entry in self.entries)):
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(map(harmless, values))
            yield line.getvalue()

    def _total_lines(self) -> Iterator[str]:
        totals = self.totals
        yield (
            f"billed: {totals.requests[Billed.YES]} requests, about "
            f"${dollars(rounded(totals.spent_usd))}"
        )
        yield (
            f"perhaps billed: {totals.requests[Billed.MAYBE]} requests, about "
            f"${dollars(rounded(totals.maybe_usd))}"
        )
        yield f"not billed: {totals.requests[Billed.NO]} requests"
        if totals.unpriced:
            yield f"of unknown price: {totals.unpriced} of them"

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        totals = self.totals
        return {
            "run": text_of(self.directory),
            "service": self.service,
            "requests": [entry.data() for entry in self.entries],
            "totals": {
                **{f"billed_{billed.value}": totals.requests[billed] for billed in Billed},
                "spent_usd": rounded(totals.spent_usd),
                "maybe_usd": rounded(totals.maybe_usd),
                "unpriced": totals.unpriced,
            },
        }


def _line(entry: ReceiptEntry) -> str:
    usd = entry.estimate_usd if entry.cost_usd is None else entry.cost_usd
    parts = [
        entry.sent_at,
        entry.id or entry.row,
        entry.outcome,
        f"billed {entry.billed.value}",
        "price unknown" if usd is None else f"${dollars(usd)}",
        f"key {entry.idempotency_key}",
        f"request {entry.request_id}" if entry.request_id else "no request id",
    ]
    return clean("  ".join(parts))


def _values(entry: ReceiptEntry) -> list[object]:
    data = entry.data()
    return [data[name] for name in _COLUMNS]

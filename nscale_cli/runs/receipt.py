"""Each request that a run has sent: what one needs to ask a service for money back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nscale_cli.errors import Billed
from nscale_cli.runs.journal import Event, EventKind
from nscale_cli.values import frozen

CUT_OFF = "cut_off"  # nothing is known of how the request ended


@frozen
class ReceiptEntry:
    """One request: when it was sent, how it ended, and what it cost or may have cost, in USD."""

    sent_at: str
    row: str
    id: str
    attempt: int
    idempotency_key: str
    request_id: str | None
    http_status: int | None
    outcome: str
    billed: Billed
    estimate_usd: float | None
    cost_usd: float | None

    def data(self) -> dict[str, object]:
        """Return the entry for a script."""
        return asdict(self) | {"billed": self.billed.value, "id": self.id or None}


def entries(events: Iterable[Event]) -> Iterator[ReceiptEntry]:
    """Yield each request as its end is told, and in the end those of which no end is."""
    under_way: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.kind is EventKind.SENT:
            before = under_way.pop((event.row, event.journal), None)
            if before is not None:
                yield _entry(before, None)
            under_way[event.row, event.journal] = event
            continue
        sent = under_way.pop((event.row, event.journal), None) or _of_row(under_way, event.row)
        if sent is not None:
            yield _entry(sent, event)
    for sent in under_way.values():
        yield _entry(sent, None)


def _of_row(under_way: dict[tuple[str, str], Event], row: str) -> Event | None:
    """Return the request of a row whose end another journal tells, as one does that adopts it."""
    key = next((key for key in under_way if key[0] == row), None)
    return under_way.pop(key) if key is not None else None


def _entry(sent: Event, end: Event | None) -> ReceiptEntry:
    data: Mapping[str, Any] = end.data if end is not None else {}
    estimate = sent.data.get("estimate_usd")
    outcome = EventKind.SAVED.value if end and end.kind is EventKind.SAVED else data.get("code")
    billed = Billed.YES if outcome == EventKind.SAVED else Billed(data.get("billed", Billed.MAYBE))
    cost = {Billed.YES: data.get("cost_usd") or estimate, Billed.NO: 0.0, Billed.MAYBE: None}
    return ReceiptEntry(
        sent_at=sent.time,
        row=sent.row,
        id=str(sent.data.get("id", "")),
        attempt=int(sent.data.get("try", 1)),
        idempotency_key=str(sent.data.get("idempotency_key", "")),
        request_id=data.get("request_id"),
        http_status=data.get("http_status"),
        outcome=str(outcome or CUT_OFF),
        billed=billed,
        estimate_usd=estimate,
        cost_usd=cost[billed],
    )


@dataclass(slots=True, kw_only=True)
class ReceiptTotals:
    """How many requests were sent, by whether they were billed, and what they cost in USD.

    `unpriced` requests were or may have been billed, and no price of theirs is known.
    """

    requests: dict[Billed, int] = field(default_factory=lambda: dict.fromkeys(Billed, 0))
    spent_usd: float = 0.0
    maybe_usd: float = 0.0
    unpriced: int = 0

    def add(self, entry: ReceiptEntry) -> None:
        """Count one more request."""
        self.requests[entry.billed] += 1
        if entry.billed is Billed.YES:
            self.spent_usd += entry.cost_usd or 0.0
            self.unpriced += entry.cost_usd is None
        elif entry.billed is Billed.MAYBE:
            self.maybe_usd += entry.estimate_usd or 0.0
            self.unpriced += entry.estimate_usd is None

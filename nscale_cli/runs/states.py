"""Where each row of a run stands, by what its journals say; and what the whole run has cost."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from nscale_cli.errors import Billed, ExitCode
from nscale_cli.runs.journal import Event, EventKind
from nscale_cli.storage.spill import SpilledMap

_MAX_OPEN = 4096  # of rows whose history is held ready


class RowState(StrEnum):
    """What is known of a row."""

    NOT_SENT = "not_sent"
    SAVED = "saved"
    PAID = "paid"  # but short, or without an image
    MAYBE_BILLED = "maybe_billed"  # sent, and whether it ran is not known
    REFUSED = "refused"
    NOT_BILLED = "not_billed"  # failed in a way that may pass


@dataclass(slots=True, kw_only=True)
class RowHistory:
    """What all journals together say of one row.

    `path` is the name that its latest request reserved, `open` whether nothing is said of how
    that request ended. `kept` are files that hold what was paid for and is no image. Amounts are
    US dollars; a request that may have been billed counts with its estimate, and `unpriced` counts
    those that have none.
    """

    tries: int = 0
    open: bool = False
    maybe: bool = False
    paid: bool = False
    saved: bool = False
    path: str = ""
    idempotency_key: str = ""
    estimate_usd: float | None = None
    sent_at: str = ""
    images: list[dict[str, Any]] = field(default_factory=list)
    seconds: float | None = None
    cost_usd: float | None = None
    request_id: str | None = None
    code: str = ""
    http_status: int | None = None
    message: str = ""
    journal: str = ""
    kept: list[str] = field(default_factory=list)

    @property
    def state(self) -> RowState:
        """Where the row stands; what may have cost money goes before what certainly did not."""
        if self.saved:
            return RowState.SAVED
        if self.paid:
            return RowState.PAID
        if self.maybe or self.open:
            return RowState.MAYBE_BILLED
        if not self.code:
            return RowState.NOT_SENT
        return RowState.REFUSED if self.code == ExitCode.REFUSED.label else RowState.NOT_BILLED


_NAMES = tuple(each.name for each in fields(RowHistory))


@dataclass(slots=True, kw_only=True)
class Money:
    """What a run has cost so far, in US dollars: surely, and perhaps besides.

    `unpriced` requests may have been billed, and nobody knows how much.
    """

    spent_usd: float = 0.0
    maybe_usd: float = 0.0
    unpriced: int = 0


class RowStates:
    """The histories of all rows, folded from events; a few MiB of memory, however many they are.

    Events of one row may come in any order of journals: what may have cost money is never
    forgotten for what did not.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Fold the events."""
        self.money = Money()
        self._money_of: dict[str, Money] = {}
        self._map = SpilledMap()
        self._open: dict[str, RowHistory] = {}  # the rows under way, which change again soon
        for event in events:
            self.add(event)

    def __enter__(self) -> Self:
        """Use them until the context is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget them."""
        self._map.close()

    def get(self, key: str) -> RowHistory:
        """Return the history of a row; an empty one where the journals do not name it."""
        history = self._open.get(key)
        if history is not None:
            return history
        text = self._map.get(key)
        if text is None:
            return RowHistory()
        return RowHistory(**dict(zip(_NAMES, json.loads(text), strict=True)))

    def money_of(self, journal: str) -> Money:
        """Return what the requests have cost that this journal says were sent."""
        return self._money_of.setdefault(journal, Money())

    def add(self, event: Event) -> None:
        """Fold one more event in."""
        history = self.get(event.row)
        if event.kind is EventKind.SENT:
            self._note_sent(history, event)
            self._open[event.row] = history
            if len(self._open) > _MAX_OPEN:
                while self._open:
                    self._keep(*self._open.popitem())
            return
        if event.kind is EventKind.SAVED:
            self._note_saved(history, event.data)
        else:
            self._note_failed(history, event.data)
        history.kept += map(str, event.data.get("kept", ()))
        history.open = False
        self._open.pop(event.row, None)
        self._keep(event.row, history)

    def _keep(self, key: str, history: RowHistory) -> None:
        self._map[key] = json.dumps([getattr(history, name) for name in _NAMES])

    def _note_sent(self, history: RowHistory, event: Event) -> None:
        data = event.data
        history.maybe = history.maybe or history.open  # of the one before nothing is known
        history.tries += 1
        history.open = True
        history.sent_at = event.time
        history.path = str(data.get("path", ""))
        history.idempotency_key = str(data.get("idempotency_key", ""))
        history.estimate_usd = data.get("estimate_usd")
        # Until it is known how the request ended, it may have cost what it was to cost.
        history.journal = event.journal
        for money in (self.money, self.money_of(event.journal)):
            money.maybe_usd += history.estimate_usd or 0.0
            money.unpriced += history.estimate_usd is None

    def _note_saved(self, history: RowHistory, data: Mapping[str, Any]) -> None:
        history.saved = True
        history.images = list(data.get("images", ()))
        history.seconds, history.cost_usd = data.get("seconds"), data.get("cost_usd")
        history.request_id = data.get("request_id")
        history.code = history.message = ""
        self._close(history, spent_usd=history.cost_usd)

    def _note_failed(self, history: RowHistory, data: Mapping[str, Any]) -> None:
        billed = str(data.get("billed", ""))
        history.code, history.message = str(data.get("code", "")), str(data.get("message", ""))
        history.http_status, history.request_id = data.get("http_status"), data.get("request_id")
        if billed == Billed.YES:
            history.paid = True
            history.images = history.images or list(data.get("images", ()))
            self._close(history, spent_usd=history.estimate_usd)
        elif billed == Billed.NO:
            self._close(history, spent_usd=0.0)
        else:
            history.maybe = True

    def _close(self, history: RowHistory, *, spent_usd: float | None) -> None:
        """Move what the open request may have cost to what it did cost."""
        known = history.estimate_usd if spent_usd is None else spent_usd
        for money in (self.money, self.money_of(history.journal)):
            if history.open:
                money.maybe_usd -= history.estimate_usd or 0.0
                money.unpriced -= history.estimate_usd is None
            money.spent_usd += known or 0.0
            money.unpriced += known is None

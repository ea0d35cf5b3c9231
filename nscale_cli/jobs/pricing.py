"""The price of a run: asked for while the images are made, and never in their way."""

import threading
from dataclasses import replace

from nscale_cli.connection import Connection
from nscale_cli.errors import NscaleError, UsageError
from nscale_cli.request import ImageRequest
from nscale_cli.service import model_cache
from nscale_cli.service.catalog import fetch, is_fresh
from nscale_cli.service.client import Client
from nscale_cli.service.models import ModelList, nearest
from nscale_cli.service.prices import dollars, estimate_usd
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock

MAX_WAIT_SECONDS = 1.0
_MAX_QUERY_SECONDS = 10.0


class PriceQuery:
    """One model's price at one service: from a list of the last 24 hours, else asked for once.

    `usd_per_megapixel` is None where it is unknown, `unknown_because` says why. No failure of the
    query is raised.
    """

    def __init__(
        self, model: str, connection: Connection, terminal: Terminal, clock: Clock
    ) -> None:
        """Ask nothing yet."""
        seconds = min(connection.timeout_seconds, _MAX_QUERY_SECONDS)
        self.usd_per_megapixel: float | None = None
        self.unknown_because = "it was not asked for"
        self._model, self._terminal, self._clock = model, terminal, clock
        self._connection = replace(connection, timeout_seconds=seconds)
        self._listed: ModelList | None = None
        self._begun, self._done = False, threading.Event()

    def begin(self, client: Client) -> None:
        """Find the price out in a thread of its own; only the first call does anything."""
        if self._begun:
            return
        self._begun = True
        self.unknown_because = "the service did not answer in time"
        try:
            # A daemon, so that a question without an answer cannot keep the program alive.
            threading.Thread(target=self.ask, args=(client,), daemon=True).start()
        except Exception as error:  # no more threads, no memory: the images come first
            self._fail(error)

    def ask(self, client: Client | None = None) -> None:
        """Find the price out now, unless it was; with a client of its own where none is given."""
        self._begun = True
        if self._done.is_set():
            return
        try:
            self._take(self._kept_or_fetched(client))
        except Exception as error:  # whatever it is, the cost is unknown, and nothing else
            self._fail(error)
        self._done.set()

    def wait(self) -> None:
        """Give a query that has begun a little time to end."""
        if self._begun:
            self._done.wait(MAX_WAIT_SECONDS)

    def suggestions(self) -> list[str]:
        """Return ids like the one that was asked for, from the list that is at hand."""
        return nearest(self._model, self._listed.ids if self._listed else ())

    def _kept_or_fetched(self, client: Client | None) -> ModelList:
        now = self._clock.now()
        if not self._connection.ephemeral:
            self._listed = model_cache.kept(self._connection.base_url, self._terminal.env)
        kept = self._listed
        if kept is not None and is_fresh(kept, now) and kept.find(self._model) is not None:
            return kept
        if client is not None:
            return fetch(client, self._connection, self._terminal, now)
        with Client(self._connection) as own:
            return fetch(own, self._connection, self._terminal, now)

    def _take(self, listed: ModelList) -> None:
        self._listed = listed
        model = listed.find(self._model)
        if model is None:
            self.unknown_because = "the service does not list this model"
        elif model.usd_per_megapixel is None:
            self.unknown_because = "the service gives none for this model"
        else:
            self.usd_per_megapixel = model.usd_per_megapixel

    def _fail(self, error: Exception) -> None:
        self.unknown_because = (
            error.message if isinstance(error, NscaleError) else type(error).__name__
        )
        self._done.set()


def require_affordable(request: ImageRequest, query: PriceQuery, most_usd: float) -> None:
    """Raise UsageError where the estimate is more than `most_usd` dollars, or unknown."""
    query.ask()
    price = query.usd_per_megapixel
    if price is None:
        raise UsageError(
            f"the price is unknown ({query.unknown_because}), and --max-cost was given; "
            "no image was asked for",
            hint="leave --max-cost out to go without an estimate",
        )
    estimate = estimate_usd(price, request)
    if estimate > most_usd:
        raise UsageError(
            f"the estimate is about ${dollars(estimate)}, more than --max-cost "
            f"{dollars(most_usd)}; no image was asked for",
            hint="make fewer or smaller images, use another model, or raise --max-cost",
        )

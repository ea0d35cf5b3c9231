"""The prices of a service: asked for once a run, while images are made, never in their way."""

import threading
from collections.abc import Collection

from nscale_cli.connection import Connection
from nscale_cli.errors import NscaleError
from nscale_cli.service.catalog import fetch, is_fresh, load
from nscale_cli.service.client import Client
from nscale_cli.service.models import ModelList, nearest
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock

MAX_WAIT_SECONDS = 1.0


class PriceList:
    """What `models` cost at one service: from a list of the last 24 hours, else asked for once.

    No failure of the question is raised: then the prices are unknown, and it is known why.
    """

    def __init__(
        self, models: Collection[str], connection: Connection, terminal: Terminal, clock: Clock
    ) -> None:
        self._models, self._connection = models, connection
        self._terminal, self._clock = terminal, clock
        self._listed: ModelList | None = None
        self._silence = "it was not asked for"
        self._begun, self._done = False, threading.Event()

    def usd_per_megapixel(self, model: str) -> float | None:
        """Return the model's price, or None where it is unknown."""
        found = self._listed.find(model) if self._listed and self._done.is_set() else None
        return found.usd_per_megapixel if found and not self._silence else None

    def unknown_because(self, model: str) -> str:
        """Return why the model's price is unknown."""
        if self._silence or self._listed is None:
            return self._silence
        if self._listed.find(model) is None:
            return "the service does not list this model"
        return "the service gives none for this model"

    def begin(self, client: Client) -> None:
        """Find the prices out in a thread of its own; only the first call does anything."""
        if self._begun:
            return
        self._begun = True
        self._silence = "the service did not answer in time"
        try:
            # A daemon, so that a question without an answer cannot keep the program alive.
            threading.Thread(target=self.ask, args=(client,), daemon=True).start()
        except Exception as error:  # no more threads, no memory: the images come first
            self._fail(error)

    def ask(self, client: Client | None = None) -> None:
        """Find the prices out now, unless that was done; without a client, by one of its own."""
        self._begun = True
        if self._done.is_set():
            return
        try:
            self._listed = self._stored_or_fetched(client)
            self._silence = ""
        except Exception as error:  # whatever it is, the cost is unknown, and nothing else
            self._fail(error)
        self._done.set()

    def wait(self) -> None:
        """Give a question that has begun a little time to be answered."""
        if self._begun:
            self._done.wait(MAX_WAIT_SECONDS)

    def suggestions(self, model: str) -> list[str]:
        """Return ids like this one, from the list that is at hand."""
        return nearest(model, self._listed.ids if self._listed else ())

    def _stored_or_fetched(self, client: Client | None) -> ModelList:
        now = self._clock.now()
        if not self._connection.ephemeral:
            self._listed = load(self._connection.base_url, self._terminal.env)
        stored = self._listed
        if stored is not None and is_fresh(stored, now) and self._names_all(stored):
            return stored
        if client is not None:
            return fetch(client, self._connection, self._terminal, now)
        with Client(self._connection) as own:
            return fetch(own, self._connection, self._terminal, now)

    def _names_all(self, listed: ModelList) -> bool:
        return all(listed.find(model) is not None for model in self._models)

    def _fail(self, error: Exception) -> None:
        self._silence = error.message if isinstance(error, NscaleError) else type(error).__name__
        self._done.set()

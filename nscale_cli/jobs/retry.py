"""Buying images: tries again only what certainly did not run, all within one time limit."""

import uuid
from collections.abc import Callable

from nscale_cli.connection import Connection
from nscale_cli.errors import Billed, NscaleError, RateLimited, ServiceUnreachable
from nscale_cli.request import ImageRequest
from nscale_cli.service.client import Client
from nscale_cli.service.replies import Reply, error_in
from nscale_cli.service.request_state import RequestState
from nscale_cli.terminal.time import Clock

MAX_WAIT_SECONDS = 60.0


class Purchase:
    """One request for images, with its attempts. `state` is of the latest of them."""

    def __init__(
        self,
        request: ImageRequest,
        connection: Connection,
        *,
        clock: Clock,
        announce: Callable[[str], None],
        on_sent: Callable[[Client], None],
        on_reply: Callable[[], None],
    ) -> None:
        """Prepare the request; nothing is sent yet."""
        self.state = RequestState()
        self._on_sent = on_sent
        self._request, self._connection = request, connection
        self._clock, self._announce, self._on_reply = clock, announce, on_reply
        self._idempotency_key = str(uuid.uuid4())

    @property
    def may_be_billed(self) -> bool:
        """Whether the latest attempt got as far as the service and was not turned down."""
        refused = self.state.reply is not None and self.state.reply.status == 429
        return self.state.sent and not refused

    def make(self, client: Client) -> Reply:
        """Return a reply of success; raise the last attempt's error where there is none."""
        deadline = self._clock.monotonic() + self._connection.timeout_seconds
        attempt = 0
        while True:
            try:
                return self._attempt(client, deadline - self._clock.monotonic())
            except NscaleError as error:
                attempt += 1
                wait = self._wait_before_retry(error, attempt)
                if wait is None or self._clock.monotonic() + wait >= deadline:
                    raise
                charged = "; it may be charged again" if error.billed is Billed.MAYBE else ""
                self._announce(
                    f"{error.message}; trying again in {wait:.0f} s "
                    f"({attempt} of {self._connection.retries}){charged}"
                )
            self._clock.sleep(wait)

    def _attempt(self, client: Client, seconds: float) -> Reply:
        self.state = RequestState(on_sent=lambda: self._on_sent(client), on_reply=self._on_reply)
        reply = client.generate(
            self._request,
            self.state,
            idempotency_key=self._idempotency_key,
            timeout_seconds=seconds,
        )
        error = error_in(reply, self._connection, model=self._request.model, now=self._clock.now())
        if error is not None:
            raise error
        return reply

    def _wait_before_retry(self, error: NscaleError, attempt: int) -> float | None:
        """Return the seconds to wait before the next attempt, or None where there is to be none."""
        backoff = float(min(2 ** (attempt - 1), MAX_WAIT_SECONDS))
        if attempt > self._connection.retries:
            return None
        if isinstance(error, ServiceUnreachable):
            return backoff if error.temporary else None
        if isinstance(error, RateLimited):
            wait = error.retry_after_seconds or backoff
            return wait if wait <= MAX_WAIT_SECONDS and not error.retry_forbidden else None
        again = self._connection.retry_billed and error.billed is Billed.MAYBE
        return backoff if again else None

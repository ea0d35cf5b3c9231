"""The service over HTTP: the only owner of openai. One call here is one request, never more.

The SDK's own retries, redirects and environment variables are switched off: each of them could
pay twice, or send the key somewhere else.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from nscale_cli.connection import Connection
from nscale_cli.errors import ServiceFailed
from nscale_cli.images import ImageRequest
from nscale_cli.replies import Reply
from nscale_cli.transport_errors import construction_error, too_late, transport_error

if TYPE_CHECKING:
    import httpx2
    import openai

CONNECT_TIMEOUT_SECONDS = 10.0
LARGEST_REPLY_BYTES = 128 * 1024 * 1024
_LARGEST_ERROR_BYTES = 1024 * 1024


@dataclass(slots=True)
class Exchange:
    """One request as it happens: written by the thread that makes it, read by the one that waits.

    `sent`: a byte of the request may have reached the service. `arriving`: a
    successful reply has begun, which `on_reply` is told, from that other thread. `body`: what has
    arrived of it so far.
    """

    on_reply: Callable[[], None] = lambda: None
    sent: bool = False
    arriving: bool = False
    body: bytearray = field(default_factory=bytearray)
    reply: Reply | None = None
    failure: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class _Declined(Exception):
    """A reply without success has been read, out of the SDK's hands, into the exchange."""


class Client:
    """Sends requests to one service. Every method makes exactly one HTTP request."""

    def __init__(self, connection: Connection) -> None:
        """Load the SDK and build its client; a bad proxy or CA file is a ConfigurationError."""
        self._connection = connection
        self._current = threading.local()
        self._given_up = False
        self._sdk = _build_sdk(
            connection, {"request": [self._watch_request], "response": [self._take_refusal]}
        )

    def __enter__(self) -> Self:
        """Use the client; it keeps its connection from call to call."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the connection, unless a request was given up in the middle: it ends with us."""
        if not self._given_up:
            self._sdk.close()

    def generate(
        self,
        request: ImageRequest,
        exchange: Exchange,
        *,
        idempotency_key: str,
        timeout_seconds: float,
    ) -> Reply:
        """Ask for images and return the answer, whatever its status.

        `timeout_seconds` bounds the whole exchange. Raises ServiceUnreachable where nothing was
        sent; AnswerTimeout, Disconnected or ServiceFailed where something was.
        """

        def call() -> None:
            stream = self._sdk.images.with_streaming_response.generate(
                model=request.model,
                prompt=request.prompt,
                size=str(request.size),
                n=request.count,
                extra_body=dict(request.params),
                extra_headers={"Idempotency-Key": idempotency_key, "Accept-Encoding": "identity"},
            )
            with stream as response:
                exchange.arriving = True
                exchange.on_reply()
                _take(exchange, response.status_code, response.headers, response.iter_bytes())

        return self._wait_for(call, exchange, timeout_seconds)

    def list_models(self, exchange: Exchange, *, timeout_seconds: float) -> Reply:
        """Ask for the list of models and return the answer, whatever its status."""

        def call() -> None:
            with self._sdk.models.with_streaming_response.list() as response:
                _take(exchange, response.status_code, response.headers, response.iter_bytes())

        return self._wait_for(call, exchange, timeout_seconds)

    def _wait_for(
        self, call: Callable[[], None], exchange: Exchange, timeout_seconds: float
    ) -> Reply:
        # A socket's own timeout starts anew with every byte and does not cover DNS; waiting for
        # a thread does. It is a daemon, so that one left behind cannot keep the program alive.
        def work() -> None:
            self._current.exchange = exchange
            try:
                call()
            except _Declined:
                pass
            except BaseException as failure:
                exchange.failure = failure
            exchange.done.set()

        threading.Thread(target=work, daemon=True).start()
        self._given_up = True
        finished = exchange.done.wait(timeout_seconds)
        self._given_up = not finished
        if not finished:
            raise too_late(self._connection, sent=exchange.sent)
        if exchange.reply is not None:
            return exchange.reply
        assert exchange.failure is not None
        raise transport_error(exchange.failure, self._connection, sent=exchange.sent) from None

    def _watch_request(self, request: "httpx2.Request") -> None:
        exchange: Exchange = self._current.exchange

        def trace(event: str, info: Mapping[str, Any]) -> None:
            # A proxy's CONNECT carries nothing of the request.
            started = event.endswith("send_request_headers.started")
            if started and info["request"].method != b"CONNECT":
                exchange.sent = True

        request.extensions["trace"] = trace

    def _take_refusal(self, response: "httpx2.Response") -> None:
        if response.is_success:
            return
        exchange: Exchange = self._current.exchange
        beginning = _beginning(response.iter_bytes(), _LARGEST_ERROR_BYTES)
        _take(exchange, response.status_code, response.headers, beginning)
        raise _Declined


def _build_sdk(
    connection: Connection, hooks: Mapping[str, list[Callable[..., Any]]]
) -> "openai.OpenAI":
    # OPENAI_* would replace the key, the host and the headers, and log the request.
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]
    import httpx2
    import openai

    local = connection.on_this_machine
    try:
        http_client = openai.DefaultHttpxClient(
            follow_redirects=False,
            event_hooks=hooks,
            trust_env=not local,  # no proxy between this machine and itself
            verify=not local,  # plain http: loading the certificate store would be wasted
        )
    except Exception as error:
        raise construction_error(error, os.environ) from None
    return openai.OpenAI(
        api_key=connection.api_key.value,
        base_url=connection.base_url,
        max_retries=0,
        timeout=httpx2.Timeout(connection.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
        http_client=http_client,
    )


def _beginning(chunks: Iterable[bytes], limit: int) -> Iterable[bytes]:
    count = 0
    for chunk in chunks:
        yield chunk[: limit - count]
        count += len(chunk)
        if count >= limit:
            return


def _take(
    exchange: Exchange, status: int, headers: Mapping[str, str], chunks: Iterable[bytes]
) -> None:
    for chunk in chunks:
        exchange.body += chunk
        if len(exchange.body) > LARGEST_REPLY_BYTES:
            raise ServiceFailed(
                f"the reply is larger than {LARGEST_REPLY_BYTES >> 20} MiB; reading stopped",
                hint="ask for fewer or smaller images at once",
            )
    names = {name.lower(): value for name, value in headers.items()}
    exchange.reply = Reply(status=status, body=bytes(exchange.body), headers=names)

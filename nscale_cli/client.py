"""The service over HTTP: the only owner of openai. One call here is one request, never more.

The SDK's own retries, redirects and environment variables are switched off: each of them could
pay twice, or send the key somewhere else.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from nscale_cli import lazy_types
from nscale_cli.connection import Connection
from nscale_cli.decode import unpacked
from nscale_cli.errors import ServiceFailed
from nscale_cli.exchange import LARGEST_REPLY_BYTES, Exchange
from nscale_cli.images import ImageRequest
from nscale_cli.replies import Reply
from nscale_cli.time_limit import wait_for
from nscale_cli.transport_errors import construction_error, too_late, transport_error

if TYPE_CHECKING:
    import httpx2
    import openai

CONNECT_TIMEOUT_SECONDS = 10.0
_LARGEST_ERROR_BYTES = 1024 * 1024
_PLAIN = {"Accept-Encoding": "identity"}


class _Declined(Exception):
    """A reply without success has been read, out of the SDK's hands, into the exchange."""


class Client:
    """Sends requests to one service. Every method makes exactly one HTTP request."""

    def __init__(self, connection: Connection) -> None:
        """Load the SDK and build its client; a bad proxy or CA file is a ConfigurationError."""
        self._connection = connection
        self._current = threading.local()
        self._calls: list[threading.Event] = []
        self._left = False
        self._sdk = _build_sdk(
            connection, {"request": [self._watch_request], "response": [self._take_refusal]}
        )

    def __enter__(self) -> Self:
        """Use the client; it keeps its connection from call to call."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the connection, or leave that to the request that is still in the middle."""
        self._left = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._left and all(call.is_set() for call in self._calls):
            with suppress(Exception):  # how the connection ends says nothing about the image
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
        import openai

        def call() -> None:
            stream = self._sdk.images.with_streaming_response.generate(
                model=request.model,
                prompt=request.prompt,
                size=str(request.size) if request.send_size else openai.omit,
                n=request.count,
                extra_body=dict(request.params),
                extra_headers={"Idempotency-Key": idempotency_key, **_PLAIN},
            )
            with stream as response:
                exchange.arriving = True
                exchange.on_reply()
                _take(exchange, response.http_response)

        return self._wait_for(call, exchange, timeout_seconds)

    def list_models(self, exchange: Exchange, *, timeout_seconds: float) -> Reply:
        """Ask for the list of models and return the answer, whatever its status."""

        def call() -> None:
            with self._sdk.models.with_streaming_response.list(extra_headers=_PLAIN) as response:
                _take(exchange, response.http_response)

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
            self._close_if_idle()

        self._calls.append(exchange.done)
        threading.Thread(target=work, daemon=True).start()
        if not wait_for(exchange.done, timeout_seconds):
            # The thread may still be adding to the body; what is here is ours alone.
            exchange.body = bytearray(exchange.body)
            raise too_late(self._connection, sent=exchange.sent)
        if exchange.reply is not None:
            return exchange.reply
        assert exchange.failure is not None
        raise transport_error(
            exchange.failure, self._connection, sent=exchange.sent, proxy=exchange.proxy
        ) from None

    def _watch_request(self, request: "httpx2.Request") -> None:
        exchange: Exchange = self._current.exchange

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.started":
                peer = (info["host"], info["port"])
                exchange.proxy = "{}:{}".format(*peer) if peer != self._connection.address else None
            elif event == "proxy.start_tls.started":
                exchange.proxy = None
            elif event.endswith("send_request_headers.started"):
                # A proxy's CONNECT carries nothing of the request.
                exchange.sent = exchange.sent or info["request"].method != b"CONNECT"
            elif exchange.sent and event.endswith("send_request_body.complete"):
                exchange.on_sent()

        request.extensions["trace"] = trace

    def _take_refusal(self, response: "httpx2.Response") -> None:
        if response.is_success:
            return
        import httpx2

        beginning = bytearray()
        # The status has said what happened, whether or not its explanation arrives.
        with suppress(httpx2.TransportError):
            for chunk in response.iter_raw():
                beginning += chunk
                if len(beginning) >= _LARGEST_ERROR_BYTES:
                    break
        codings = response.headers.get("content-encoding", "")
        body = unpacked(beginning, codings, limit=_LARGEST_ERROR_BYTES)
        self._current.exchange.reply = _reply(response, body)
        raise _Declined


def _build_sdk(
    connection: Connection, hooks: Mapping[str, list[Callable[..., Any]]]
) -> "openai.OpenAI":
    # OPENAI_* would replace the key, the host and the headers, and log the request.
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]
    if os.environ.get(lazy_types.SWITCH) != "0":
        lazy_types.install()
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
        # Later than our own limit, so that it is always that one which ends a silence.
        timeout=httpx2.Timeout(
            connection.timeout_seconds + CONNECT_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS
        ),
        http_client=http_client,
    )


def _take(exchange: Exchange, response: "httpx2.Response") -> None:
    # Raw, so that a reply that cannot be unpacked is kept, and a small one cannot become huge.
    exchange.codings = response.headers.get("content-encoding", "")
    raw = exchange.body
    for chunk in response.iter_raw():
        raw += chunk
        if len(raw) > LARGEST_REPLY_BYTES:
            raise _too_large()
    exchange.body = unpacked(raw, exchange.codings, limit=LARGEST_REPLY_BYTES + 1)
    exchange.codings = ""
    if len(exchange.body) > LARGEST_REPLY_BYTES:
        raise _too_large()
    exchange.reply = _reply(response, exchange.body)


def _too_large() -> ServiceFailed:
    return ServiceFailed(
        f"the reply is larger than {LARGEST_REPLY_BYTES >> 20} MiB; reading stopped",
        hint="ask for fewer or smaller images at once",
    )


def _reply(response: "httpx2.Response", body: bytearray) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, body=bytes(body), headers=headers)

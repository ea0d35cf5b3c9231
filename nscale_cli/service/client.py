"""The service over HTTP: the only owner of openai. One call here is one request, never more.

The SDK's own retries, redirects and environment variables are switched off: each of them could
pay twice, or send the key somewhere else.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from nscale_cli.connection import Connection
from nscale_cli.request import ImageRequest
from nscale_cli.service import lazy_types
from nscale_cli.service.content_encodings import decompress
from nscale_cli.service.replies import Reply
from nscale_cli.service.reply_stream import MAX_TEXT_BYTES, too_large
from nscale_cli.service.request_state import RequestState
from nscale_cli.service.transport_errors import construction_error, timeout_error, transport_error
from nscale_cli.terminal.time import run_with_timeout

if TYPE_CHECKING:
    import httpx2
    import openai

CONNECT_TIMEOUT_SECONDS = 10.0
_MAX_ERROR_BYTES = 1024 * 1024
_PLAIN = {"Accept-Encoding": "identity"}


class _Declined(Exception):
    """A reply without success has been read, out of the SDK's hands, into the request's state."""


class Client:
    """Sends requests to one service. Every method makes exactly one HTTP request."""

    def __init__(self, connection: Connection) -> None:
        """Load the SDK and build its client; a bad proxy or CA file is a ConfigurationError."""
        self._connection = connection
        self._current = threading.local()
        self._lock = threading.Lock()
        self._calls_under_way = 0
        self._left = False
        self._sdk = _build_sdk(
            connection, {"request": [self._watch_request], "response": [self._take_refusal]}
        )

    def __enter__(self) -> Self:
        """Use the client; it keeps its connections from call to call."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the connections, or leave that to the last request that is still in the middle."""
        with self._lock:
            self._left = True
            idle = not self._calls_under_way
        if idle:
            self._close()

    def _close(self) -> None:
        with suppress(Exception):  # how a connection ends says nothing about the image
            self._sdk.close()

    def prepare(self) -> None:
        """Load what asking for images needs: threads that all begin at once would wait for it."""
        _ = self._sdk.images

    def generate(
        self, request: ImageRequest, state: RequestState, *, idempotency_key: str
    ) -> Reply:
        """Ask for images and return the answer, whatever its status; any thread may call.

        It has no limit in time but those of the sockets: whoever waits for it gives it up. Raises
        ServiceUnreachable where nothing was sent; AnswerTimeout, Disconnected or ServiceFailed
        where something was.
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
                state.receiving = True
                state.on_reply()
                _take(state, response.http_response)

        return self._run(call, state)

    def list_models(self, *, timeout_seconds: float) -> Reply:
        """Ask for the list of models and return the answer, whatever its status.

        `timeout_seconds` bounds the whole request, in a thread that is left behind after that.
        """
        state = RequestState()

        def call() -> None:
            with self._sdk.models.with_streaming_response.list(extra_headers=_PLAIN) as response:
                state.reply = _read_whole(response.http_response)

        try:
            return run_with_timeout(timeout_seconds, lambda: self._run(call, state))
        except TimeoutError:
            raise timeout_error(self._connection, sent=state.sent) from None

    def _run(self, call: Callable[[], None], state: RequestState) -> Reply:
        self._current.state = state
        with self._lock:
            self._calls_under_way += 1
        try:
            call()
        except _Declined:
            pass
        except Exception as failure:
            if state.reply is None:  # else it broke only when it was closed
                raise transport_error(
                    failure,
                    self._connection,
                    sent=state.sent,
                    proxy=state.proxy,
                    env=os.environ,
                ) from None
        finally:
            with self._lock:
                self._calls_under_way -= 1
                last = self._left and not self._calls_under_way
            if last:
                self._close()
        assert state.reply is not None
        return state.reply

    def _watch_request(self, request: "httpx2.Request") -> None:
        state: RequestState = self._current.state

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event in ("connection.connect_tcp.started", "socks.connect_tcp.started"):
                peer = (info["host"], info["port"])
                state.proxy = "{}:{}".format(*peer) if peer != self._connection.address else None
            elif event in ("proxy.start_tls.started", "socks.start_tls.started"):
                state.proxy = None
            elif event.endswith("send_request_headers.started"):
                if info["request"].method == b"CONNECT":
                    return  # for a proxy: it carries nothing of the request
                if not state.may_send():
                    raise timeout_error(self._connection, sent=False)
                state.sent = True
            elif state.sent and event.endswith("send_request_body.complete"):
                state.on_sent()

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
                if len(beginning) >= _MAX_ERROR_BYTES:
                    break
        content_encodings = response.headers.get("content-encoding", "")
        body = decompress(beginning, content_encodings, limit=_MAX_ERROR_BYTES)
        self._current.state.reply = _reply(response, body)
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

    local = connection.uses_plain_http
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


def _take(state: RequestState, response: "httpx2.Response") -> None:
    # Raw, so that a reply that cannot be unpacked is kept, and a small one cannot become huge.
    reply, sink = _reply(response, b""), state.sink
    assert sink is not None
    sink.begin(reply, response.headers.get("content-encoding", ""))
    for chunk in response.iter_raw():
        sink.feed(chunk)
    state.reply = replace(reply, body=sink.finish())


def _read_whole(response: "httpx2.Response") -> Reply:
    """Return a reply that is small, unpacked; raise ServiceFailed where it is not."""
    packed = bytearray()
    for chunk in response.iter_raw():
        packed += chunk
        if len(packed) > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)
    content_encodings = response.headers.get("content-encoding", "")
    body = decompress(packed, content_encodings, limit=MAX_TEXT_BYTES + 1)
    if len(body) > MAX_TEXT_BYTES:
        raise too_large(MAX_TEXT_BYTES)
    return _reply(response, body)


def _reply(response: "httpx2.Response", body: bytes | bytearray) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, body=bytes(body), headers=headers)

"""The sandbox's HTTP server, on a loopback port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from nscale_cli.redact import excerpt
from nscale_cli.sandbox.scenarios import (
    Account,
    Answer,
    error,
    generate,
    list_models,
    refusal,
    too_many,
)
from nscale_cli.terminal.time import SLICE_SECONDS

HOST = "127.0.0.1"
_MAX_REQUEST_BYTES = 16 * 1024 * 1024
_MAX_REMEMBERED = 10_000
_ANY_NUMBER = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request as it came: header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Sandbox:
    """A server that answers as the API does, from entering its context until leaving it."""

    def __init__(
        self,
        *,
        port: int = 0,
        log: Callable[[str], object] = str,
        latency_seconds: float = 0.0,
        max_concurrent: int | None = None,
    ) -> None:
        """Take the port (0: a free one); raise OSError where it is taken.

        Images take `latency_seconds` longer; of more than `max_concurrent` requests for them at
        once, the others are answered with 429.
        """
        self.requests: list[ReceivedRequest] = []  # the latest, however long it serves
        self.count = 0
        self.stopping = threading.Event()
        self._log, self._latency_seconds = log, latency_seconds
        self._account = Account()
        self._free = threading.Semaphore(max_concurrent or _ANY_NUMBER)
        self._http = _HttpServer((HOST, port), _Handler)
        self._http.sandbox = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """The address to give to --base-url."""
        return f"http://{HOST}:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop answering; requests that hang are let go."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def wait(self) -> None:
        """Return when the server has been stopped, which only a signal does."""
        while self._thread.is_alive():
            self._thread.join(SLICE_SECONDS)  # so that a signal is heeded, whichever thread it hit

    def note(self, request: ReceivedRequest) -> None:
        """Remember a request."""
        self.count += 1
        self.requests.append(request)
        if len(self.requests) > 2 * _MAX_REMEMBERED:
            del self.requests[:_MAX_REMEMBERED]

    @contextmanager
    def serving(self, request: ReceivedRequest) -> Iterator[Answer]:
        """Yield the answer to a request, which is being made until the context is left."""
        images = request.method == "POST"
        if images and not self._free.acquire(blocking=False):
            self.note(request)
            self._log(f"{request.method} {excerpt(request.path, 80)} 429")
            yield too_many()
            return
        try:
            answer = self.answer(request)
            if images and answer.delay_seconds is not None:
                answer = replace(answer, delay_seconds=answer.delay_seconds + self._latency_seconds)
            yield answer
        finally:
            if images:
                self._free.release()

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return what the API would answer."""
        self.note(request)
        routes = {
            ("GET", "/v1/models"): lambda: list_models(),
            ("POST", "/v1/images/generations"): lambda: generate(request.body, self._account),
        }
        route = routes.get((request.method, request.path))
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        answer = refusal(key, request.method)
        if answer is None:
            answer = route() if route else error(404, "NOT_FOUND", "NOT_FOUND", "No such path")
        self._log(f"{request.method} {excerpt(request.path, 80)} {answer.status}")
        return answer


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    sandbox: Sandbox

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
        """Stay silent; the sandbox logs for itself."""

    def do_GET(self) -> None:
        """Answer a GET."""
        self._respond()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._respond()

    def _respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        count = min(int(length), _MAX_REQUEST_BYTES) if length.isdigit() else 0
        received = ReceivedRequest(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(count),
        )
        with self.server.sandbox.serving(received) as answer:
            stopped = self.server.sandbox.stopping.wait(answer.delay_seconds)
        # Only now: who has the whole reply may send the next request at once.
        if stopped:
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = answer.body if answer.sent_bytes is None else answer.body[: answer.sent_bytes]
        if answer.sent_bytes is not None:
            self.close_connection = True
        if answer.sent_bytes == 0:
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Request-Id", f"sandbox-{self.server.sandbox.count}")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

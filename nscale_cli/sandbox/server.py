"""The sandbox's HTTP server, on a loopback port."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from nscale_cli.connection import is_loopback
from nscale_cli.redact import clean, excerpt
from nscale_cli.sandbox.scenarios import (
    Account,
    Answer,
    Picture,
    error,
    generate,
    list_models,
    not_allowed,
    picture_file,
    refusal,
    show_model,
    too_many,
)
from nscale_cli.terminal.time import SLICE_SECONDS
from nscale_cli.values import frozen

HOST = "127.0.0.1"
_MAX_REQUEST_BYTES = 16 * 1024 * 1024
_MAX_REMEMBERED = 10_000
_ANY_NUMBER = 1 << 30
_MAX_LINE = 8192
_MAX_PICTURES = 1000
_MODELS = "/v1/models"
_PICTURES = "/pictures/"
_METHODS = "GET, HEAD, POST, OPTIONS"
_BAD_LENGTH = error(400, "BAD_REQUEST", "INVALID_REQUEST", "The length of the request is not clear")
_TOO_LARGE = error(413, "TOO_LARGE", "INVALID_REQUEST", "The request is larger than 16 MiB")


@frozen
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
        self.numbers = count(1)
        self.stopping = threading.Event()
        self._log, self._latency_seconds = log, latency_seconds
        self._account = Account()
        self._free = threading.Semaphore(max_concurrent or _ANY_NUMBER)
        self._pictures: dict[str, Picture] = {}
        self._http = _HttpServer((HOST, port), _Handler)
        self._http.sandbox = self
        self._thread = threading.Thread(target=self._serve, daemon=True)

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
        address = (HOST, self._http.server_port)
        with suppress(OSError), socket.create_connection(address, SLICE_SECONDS):
            pass  # who waits for a request sees with this one that there are no more
        self._thread.join()
        self._http.server_close()

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self._http.handle_request()

    def wait(self) -> None:
        """Return when the server has been stopped, which only a signal does."""
        while self._thread.is_alive():
            self._thread.join(SLICE_SECONDS)  # so that a signal is heeded, whichever thread it hit

    def note(self, request: ReceivedRequest) -> None:
        """Remember a request."""
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
        answer = self._answer(request)
        self._log(f"{request.method} {excerpt(request.path, 80)} {answer.status}")
        return answer

    def _answer(self, request: ReceivedRequest) -> Answer:
        path = unquote(request.path.partition("?")[0])
        if picture := self._pictures.get(path.removeprefix(_PICTURES)):
            return picture_file(picture)  # as from a server of files, which asks for no key
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        method = "GET" if request.method == "HEAD" else request.method
        if refused := refusal(key, method):
            return refused
        if path == "/v1/images/generations":
            if method != "POST":
                return not_allowed("POST")
            return generate(request.body, self._account, self._keep)
        if path == _MODELS or path.startswith(f"{_MODELS}/"):
            answer = list_models() if path == _MODELS else show_model(path[len(_MODELS) + 1 :])
            return answer if method == "GET" else not_allowed("GET, HEAD")
        return error(404, "NOT_FOUND", "NOT_FOUND", "No such path")

    def _keep(self, picture: Picture) -> str:
        """Return the address at which `picture` is had as long as it is one of the last."""
        name = picture.file_name
        self._pictures[name] = picture
        while len(self._pictures) > _MAX_PICTURES:
            del self._pictures[next(iter(self._pictures))]
        return f"http://{HOST}:{self._http.server_port}{_PICTURES}{name}"


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    timeout = SLICE_SECONDS
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
        """Answer a GET, and any other method."""
        body = self._body()
        if isinstance(body, Answer):  # of which nobody knows where it ends
            self.close_connection = True
            self._send(body, next(self.server.sandbox.numbers))
            return
        received = ReceivedRequest(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        number = next(self.server.sandbox.numbers)
        with self.server.sandbox.serving(received) as answer:
            stopped = self.server.sandbox.stopping.wait(answer.delay_seconds)
        # Only now: who has the whole reply may send the next request at once.
        if stopped:
            self.close_connection = True
            return
        self._send(answer, number)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base's names
    do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base's names

    def do_OPTIONS(self) -> None:
        """Say which methods there are: what a browser asks before it lets a page send a key."""
        self.send_response(204)
        self.send_header("Allow", _METHODS)
        self._send_cross_origin_headers()
        self.end_headers()

    def _body(self) -> bytes | Answer:
        """Return the request's body, or the answer to one that cannot be read."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0").strip()
        if not (length.isascii() and length.isdigit()):
            return _BAD_LENGTH
        return _TOO_LARGE if int(length) > _MAX_REQUEST_BYTES else self.rfile.read(int(length))

    def _chunks(self) -> bytes | Answer:
        body = bytearray()
        while True:
            line = self.rfile.readline(_MAX_LINE)
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                return _BAD_LENGTH
            if size < 0 or len(body) + size > _MAX_REQUEST_BYTES:
                return _TOO_LARGE
            if size == 0:
                break
            body += self.rfile.read(size)
            self.rfile.readline(_MAX_LINE)
        while self.rfile.readline(_MAX_LINE).strip():
            pass  # a trailer, of which nothing is needed
        return bytes(body)

    def _send_cross_origin_headers(self) -> None:
        """Let pages of this machine read the answer; others would only spend what is not theirs."""
        origin = self.headers.get("Origin", "")
        if not is_loopback(urlsplit(origin).hostname or ""):
            return
        asked = self.headers.get("Access-Control-Request-Headers", "")
        self.send_header("Access-Control-Allow-Origin", clean(origin))
        self.send_header("Vary", "Origin")
        self.send_header("Access-Control-Allow-Methods", _METHODS)
        self.send_header("Access-Control-Allow-Headers", clean(asked) or "Authorization")
        self.send_header("Access-Control-Expose-Headers", "X-Request-Id")

    def _send(self, answer: Answer, number: int) -> None:
        body = answer.body if answer.sent_bytes is None else answer.body[: answer.sent_bytes]
        if answer.sent_bytes is not None:
            self.close_connection = True
        if answer.sent_bytes == 0:
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        # Shorter than what could be a piece of a key, and be hidden for it.
        self.send_header("X-Request-Id", f"req-{number}")
        self._send_cross_origin_headers()
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

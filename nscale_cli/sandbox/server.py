"""The sandbox's HTTP server, on a loopback port."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from nscale_cli.redact import excerpt
from nscale_cli.sandbox.scenarios import Answer, error, generate, list_models, refusal
from nscale_cli.terminal.time import SLICE_SECONDS

HOST = "127.0.0.1"
_MAX_REQUEST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request as it came: header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Sandbox:
    """A server that answers as the API does, from entering its context until leaving it."""

    def __init__(self, *, port: int = 0, log: Callable[[str], object] = str) -> None:
        """Take the port (0: a free one); raise OSError where it is taken."""
        self.requests: list[ReceivedRequest] = []
        self.stopping = threading.Event()
        self._log = log
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

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return what the API would answer."""
        self.requests.append(request)
        routes = {
            ("GET", "/v1/models"): lambda: list_models(),
            ("POST", "/v1/images/generations"): lambda: generate(request.body),
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
        answer = self.server.sandbox.answer(received)
        if self.server.sandbox.stopping.wait(answer.delay_seconds):
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
        self.send_header("X-Request-Id", f"sandbox-{len(self.server.sandbox.requests)}")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

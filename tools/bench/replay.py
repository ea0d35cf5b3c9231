"""A server in a process of its own that repeats stored replies: never what is measured.

Usage: python -m tools.bench.replay CERTIFICATE   (prints one address for each of SERVERS; ends
with stdin)
"""

import base64
import io
import json
import random
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from PIL import Image

from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import ReceivedRequest, Sandbox

SERVERS = (PLAIN, SLOW, SECURE) = range(3)
_SLOW_SECONDS = 0.5
# Noise in three bits of each colour makes a file as large as a photograph's.
_NOISE = bytes(value & 7 for value in range(256))


class Replay(Sandbox):
    """Draws each size once, then only repeats itself."""

    def __init__(
        self,
        replies: dict[tuple[str, int], bytes],
        *,
        latency_seconds: float = 0.0,
        certificate: str | None = None,
    ) -> None:
        """Answer after `latency_seconds`, with what is in `replies` or comes to be."""
        super().__init__()
        self._latency, self._replies, self._lock = latency_seconds, replies, threading.Lock()
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return the stored reply of that size and number."""
        if request.method != "POST":
            return super().answer(request)
        asked = json.loads(request.body)
        wanted = asked.get("input") or asked.get("parameters") or asked  # of replicate, of the hub
        size = wanted.get("size") or f"{wanted['width']}x{wanted['height']}"
        key = (size, wanted.get("n", 1))
        with self._lock:
            if key not in self._replies:
                self._replies[key] = reply(*key)
        body = self._replies[key]
        if "parameters" in asked:
            return Answer(body=_pictures(body)[0], content_type="image/png")
        if "input" in asked:
            body = _prediction(_pictures(body))
        return Answer(body=body, delay_seconds=self._latency)


def reply(size: str, count: int) -> bytes:
    """Return a reply with `count` pictures of that size."""
    width, height = map(int, size.split("x"))
    noise = random.Random(1).randbytes(width * height * 3).translate(_NOISE)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(file, "PNG", compress_level=1)
    item = {"b64_json": base64.b64encode(file.getvalue()).decode()}
    return json.dumps({"created": 1, "data": [item] * count}).encode()


def _pictures(body: bytes) -> list[bytes]:
    return [base64.b64decode(item["b64_json"]) for item in json.loads(body)["data"]]


def _prediction(pictures: list[bytes]) -> bytes:
    """Return the same pictures in the form of Replicate."""
    urls = ["data:image/png;base64," + base64.b64encode(each).decode() for each in pictures]
    unused = ("logs", "error", "metrics", "created_at", "started_at", "completed_at", "urls")
    prediction = dict.fromkeys(unused)
    return json.dumps(
        prediction
        | {"id": "1", "model": "m", "version": "1", "status": "succeeded", "input": {}}
        | {"output": urls}
    ).encode()


@dataclass(frozen=True, slots=True)
class Served:
    """A server process: the base URL of each of SERVERS, and whom to trust for the last."""

    base_urls: list[str]
    authorities: Path

    def variables(self, server: int) -> dict[str, str]:
        """Return what a client of that server needs in its environment."""
        trust = {"SSL_CERT_FILE": str(self.authorities)} if server == SECURE else {}
        return {"NSCALE_BASE_URL": self.base_urls[server], **trust}


@contextmanager
def serving() -> Iterator[Served]:
    """Start a server process, and stop it in the end."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, authorities = Path(folder, "server.pem"), Path(folder, "authorities.pem")
        authority = trustme.CA()
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        _write_all_authorities(authority, authorities)
        command = [sys.executable, "-m", "tools.bench.replay", str(certificate)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdin is not None and server.stdout is not None
            yield Served([server.stdout.readline().strip() for _ in SERVERS], authorities)
            server.stdin.close()


def _write_all_authorities(own: trustme.CA, path: Path) -> None:
    """Write all that this machine trusts, which takes a client a while to read, and our own."""
    known = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    all_of_them = Path(known).read_bytes() if Path(known).exists() else b""
    path.write_bytes(all_of_them + own.cert_pem.bytes())


def main() -> None:
    """Serve until standard input ends."""
    replies: dict[tuple[str, int], bytes] = {}
    servers = [
        Replay(replies),
        Replay(replies, latency_seconds=_SLOW_SECONDS),
        Replay(replies, certificate=sys.argv[1]),
    ]
    with ExitStack() as stack:
        for number, server in enumerate(servers):
            url = stack.enter_context(server).base_url
            print(url.replace("http:", "https:") if number == SECURE else url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()

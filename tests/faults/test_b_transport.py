"""Below HTTP: names, connections, drips and floods. Nothing hangs, and nothing is paid twice."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nscale_cli.service import client
from tests.conftest import KEY, Cli, FakeClock, Outcome, Program, require_command
from tests.faults import name_server
from tests.faults.conftest import require_failure
from tests.faults.raw_server import Connection, CountedPieces, RawServer, answers, pouring

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]

_SECONDS = "1.5"  # a time limit that a loopback connection always starts within


def in_namespaces() -> list[str]:
    """Return the command that gives another command a network and mounts of its own."""
    unshare = require_command("unshare", shutil.which("unshare"))
    words = [unshare, "-n", "-m"] if os.geteuid() == 0 else [unshare, "-r", "-n", "-m"]
    allowed = subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    require_command("the right to make namespaces", unshare if allowed else None)
    return words


@pytest.mark.parametrize(
    ("behaviour", "options", "message"),
    [
        ("unknown", (), "its name was not found"),
        ("silent", ("--retry", "0"), "the name server did not answer"),
        ("silent", ("--timeout", "0.5"), "within 0.5 s"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux namespaces")
def test_a_name_that_cannot_be_looked_up_has_cost_nothing(
    program: Program,
    tmp_path: Path,
    injected: Injected,
    behaviour: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    """Also where the name server says nothing at all, which no socket timeout covers."""
    count = tmp_path / "count"
    server = [*in_namespaces(), sys.executable, name_server.__file__, behaviour, str(count)]
    url = "https://images.example.com/v1"

    with subprocess.Popen(
        [*server, *program.command, "images", "generate", "cat", "--base-url", url, *options],
        cwd=tmp_path,
        env=program.env | {"NSCALE_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdout, stderr = process.communicate(timeout=60)

    outcome = Outcome(exit_code=process.returncode, stdout_bytes=stdout, stderr=stderr.decode())
    assert message in require_failure(outcome, 7, "no")
    assert outcome.stderr.startswith("error: images.example.com was not reached")
    assert KEY not in outcome.stderr
    injected(int(count.read_text()) > 0, f"name server: {behaviour}, {options}")


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port that takes no further connection: nobody accepts, and its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(64):
            try:
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=0.2))
            except TimeoutError:
                break
        yield port


@pytest.mark.skipif(sys.platform != "linux", reason="how a full queue answers is the system's")
@pytest.mark.parametrize(
    ("options", "message", "waits"),
    [
        (("--timeout", "60"), "it did not accept the connection in time", [1.0, 2.0]),
        (("--timeout", "0.2"), "within 0.2 s", []),
    ],
)
def test_a_connection_that_is_never_accepted_has_cost_nothing(
    cli: Cli,
    injected: Injected,
    full_port: int,
    sleeps: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
    waits: list[float],
) -> None:
    """Whichever limit ends it, the connection's own or the one of the whole request."""
    monkeypatch.setattr(client, "CONNECT_TIMEOUT_SECONDS", 0.5)
    url = f"http://127.0.0.1:{full_port}/v1"

    outcome = cli("images", "generate", "cat", "--base-url", url, "-a", KEY, *options)

    assert message in require_failure(outcome, 7, "no")
    assert sleeps.sleeps == waits
    injected(is_full(full_port), f"connect timeout {options}")


def is_full(port: int) -> bool:
    """Return whether a port still takes no connection."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except TimeoutError:
        return True
    return False


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "body": (_HEAD + b"Content-Length: 999999\r\n\r\n", b'{"data": "', b"x"),
    "whitespace": (_HEAD + b"Content-Length: 999999\r\n\r\n", b"", b" "),
    "chunks": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"", b"1\r\n \r\n"),
    "informational": (b"", b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"", b"x"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_a_drip_cannot_outlive_the_time_limit(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, name: str
) -> None:
    """Each byte would start a socket's own timeout anew; the limit is for the whole request."""
    head, body, drop = DRIPS[name]
    drops = CountedPieces(drop)

    def script(connection: Connection) -> None:
        connection.send(head + body)
        connection.drip(drops, 0.05)

    raw.scripts = [script]

    message = require_failure(buy(raw, "--timeout", _SECONDS), 10, "maybe")

    kept = list(tmp_path.glob("*.json"))
    assert message.startswith(f"no answer within {_SECONDS} s")
    assert len(kept) == (name in ("body", "whitespace", "chunks"))
    assert all(f"it is kept at {path}" in message for path in kept)
    assert all(path.read_bytes().startswith(body or b" ") for path in kept)
    assert raw.posts == 1
    injected(drops.sent > 5, f"drip of {name}")


def test_what_has_arrived_is_kept_while_more_still_arrives(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """The thread that reads cannot be stopped; it must not change what is being written."""
    script = pouring(_HEAD + b"Content-Length: 99999999999\r\n\r\n", itertools.repeat(b"x" * 16))
    raw.scripts = [script]

    message = require_failure(buy(raw, "--timeout", _SECONDS), 10, "maybe")

    kept = tmp_path / "cat-incomplete-reply.json"
    assert message.endswith(f"; it is kept at {kept}")
    assert set(kept.read_bytes()) == {ord("x")}
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    injected(raw.posts == 1, "a reply that goes on beyond the time limit")


_MEASURED = """
import atexit, re, runpy
from pathlib import Path
status = Path("/proc/self/status")
peak = lambda: re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]
atexit.register(lambda: Path("peak").write_text(peak()))
runpy.run_module("nscale_cli", run_name="__main__")
"""


def bomb(layers: int) -> bytes:
    """Return 512 MiB of spaces in gzip, once or twice packed."""
    packer = zlib.compressobj(9, wbits=31)
    piece = b" " * (1 << 24)
    data = b"".join([packer.compress(piece) for _ in range(32)] + [packer.flush()])
    for _ in range(layers - 1):
        data = zlib.compress(data, 9, wbits=31)
    return data


@pytest.mark.parametrize("flood", ["gzip", "gzip, gzip", "endless", "endless chunks"])
@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's peak memory as Linux does")
def test_a_flood_fills_neither_memory_nor_time(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path, flood: str
) -> None:
    """Reading stops at a limit, and what came until then is kept."""
    megabyte = b" " * (1 << 20)
    scripts = {
        "endless": pouring(_HEAD + b"\r\n", itertools.repeat(megabyte)),
        "endless chunks": pouring(
            _HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            itertools.repeat(b"100000\r\n" + megabyte + b"\r\n"),
        ),
    }
    if flood.startswith("gzip"):
        data = bomb(layers=flood.count("gzip"))
        scripts[flood] = answers(data, 200, f"Content-Encoding: {flood}")
    raw.scripts = [scripts[flood]]

    words = ["images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY]
    with subprocess.Popen(
        [sys.executable, "-c", _MEASURED, *words],
        cwd=tmp_path,
        env=program.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdout, stderr = process.communicate(timeout=120)
    ended = Outcome(exit_code=process.returncode, stdout_bytes=stdout, stderr=stderr.decode())

    message = require_failure(ended, 12, "maybe")
    kept = tmp_path / "cat-incomplete-reply.json"
    assert message == f"the reply is larger than 128 MiB; reading stopped; it is kept at {kept}"
    assert kept.stat().st_size >= 128 << 20
    assert int((tmp_path / "peak").read_text()) < 400 * 1024
    assert raw.posts == 1
    injected(raw.played == 1, f"flood: {flood}")

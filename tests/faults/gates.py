"""Places in a run of the real program at which it waits until the test has done something."""

import os
import select
import subprocess
import threading
import time
from pathlib import Path

from tests.conftest import KEY, Program, looking_first_in
from tests.faults.conftest import good_reply
from tests.faults.raw_server import Connection, RawServer, response

_MAX_WAIT_SECONDS = 120
# The gate: at an import, or at the n-th sync of a file, the program says that it is there and
# waits, as a slow disk would make it wait. Signals reach it as they always do.
_SITECUSTOMIZE = """
import os, sys, time

folder, place, times = os.environ["GATE"].split("|")

def wait():
    open(os.path.join(folder, "reached"), "w").close()
    while not os.path.exists(os.path.join(folder, "open")):
        time.sleep(0.01)

class ImportGate:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == place:
            sys.meta_path.remove(ImportGate)
            wait()

count, fsync = 0, os.fsync

def slow_fsync(descriptor):
    global count
    count += 1
    if count == int(times):
        wait()
    fsync(descriptor)

if place == "fsync":
    os.fsync = slow_fsync
else:
    sys.meta_path.insert(0, ImportGate)
"""


class Gate:
    """One place in a run: `import NAME`, or the n-th `fsync`."""

    def __init__(self, folder: Path, place: str, times: int = 1) -> None:
        """Set the gate up, closed."""
        self.folder = folder / "gate"
        self.folder.mkdir()
        (self.folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        self.env = looking_first_in(self.folder) | {"GATE": f"{self.folder}|{place}|{times}"}

    def wait(self, run: "subprocess.Popen[bytes]") -> None:
        """Return when the program has reached the gate."""
        until(lambda: (self.folder / "reached").exists(), run)

    def open(self) -> None:
        """Let the program go on."""
        (self.folder / "open").touch()


class HalfReply:
    """A server's script that stops in the middle of an image until it is told to go on."""

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.half_sent, self.go_on = threading.Event(), threading.Event()

    def __call__(self, connection: Connection) -> None:
        """Send half a reply, wait, send the rest."""
        data = response(good_reply())
        middle = len(data) - len(good_reply()) // 2
        connection.send(data[: middle - 10])
        connection.wait_until_read()
        connection.send(data[middle - 10 : middle])  # read only once the head has been understood
        connection.wait_until_read()
        self.half_sent.set()
        self.go_on.wait(60)
        connection.send(data[middle:])


def until(condition: object, run: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait for `condition`; fail if the program ends before, or after a very long time."""
    end = time.monotonic() + _MAX_WAIT_SECONDS
    while not condition():  # type: ignore[operator]
        assert run is None or run.poll() is None, run.communicate()
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.01)


def start(
    program: Program, raw: RawServer, *arguments: str, **options: object
) -> "subprocess.Popen[bytes]":
    """Start the program against `raw`."""
    address = ("--base-url", raw.base_url, "-a", KEY)
    return program.start("images", "generate", "cat", *address, *arguments, **options)


def read_until(run: "subprocess.Popen[bytes]", text: str) -> str:
    """Read the program's stderr until `text` has come, and return what was read."""
    assert run.stderr is not None
    said = b""
    while text.encode() not in said:
        ready, _, _ = select.select([run.stderr], [], [], _MAX_WAIT_SECONDS)
        piece = os.read(run.stderr.fileno(), 65536) if ready else b""
        assert piece, f"{text!r} did not come, but {said!r}"
        said += piece
    return said.decode()

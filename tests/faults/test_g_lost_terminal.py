"""A terminal that goes away or stands still: it harms no image, and is left as it was found."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import KEY, Program, require_command
from tests.faults.conftest import good_reply, png
from tests.faults.gates import Gate, HalfReply, until
from tests.faults.raw_server import Connection, RawServer, answers

pexpect = pytest.importorskip("pexpect", reason="pseudo-terminals are POSIX's")
pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(sys.platform != "linux", reason="the ways of Linux's terminals"),
]

Injected = Callable[[bool, str], None]


class Pty:
    """A pseudo-terminal whose far end nobody reads."""

    def __init__(self) -> None:
        """Open it."""
        self.master, self.slave = os.openpty()

    def fill(self) -> int:
        """Write until nothing more fits, so that the next writer waits; return how much did."""
        # A description of its own, so that the program's stays one that blocks.
        filler = os.open(os.ttyname(self.slave), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        written = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                written += os.write(filler, b"." * 64)
        os.close(filler)
        return written

    def drain(self) -> bytes:
        """Read all there is, to the end."""
        data = b""
        with contextlib.suppress(OSError):  # EIO says that the program has gone
            while piece := os.read(self.master, 65536):
                data += piece
        return data

    def hang_up(self) -> None:
        """Let the far end go."""
        os.close(self.master)
        self.master = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    """A pseudo-terminal to be the program's stderr."""
    terminal = Pty()
    yield terminal
    for descriptor in (terminal.master, terminal.slave):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def start_at(
    pty: Pty, program: Program, raw: RawServer, *arguments: str
) -> "subprocess.Popen[bytes]":
    """Start the program with its stderr at the terminal, and its stdout in a pipe."""
    address = ("--base-url", raw.base_url, "-a", KEY)
    env = program.env | {"TERM": "xterm"}
    words = ("images", "generate", "cat", *address, *arguments)
    return program.start(*words, stderr=pty.slave, env=env)


@pytest.mark.parametrize("flags", [(), ("-q",), ("--debug",)], ids=["plain", "quiet", "debug"])
def test_a_terminal_that_goes_away_does_not_lose_the_image(
    program: Program, raw: RawServer, pty: Pty, injected: Injected, flags: tuple[str, ...]
) -> None:
    """The window is closed while a job that outlives it waits for its image."""

    def script(connection: Connection) -> None:
        pty.hang_up()
        connection.pause(0.3)  # the spinner turns, and finds nobody there
        answers(good_reply())(connection)

    raw.scripts = [script]
    with start_at(pty, program, raw, *flags) as run:
        stdout, _ = run.communicate(timeout=120)

    assert run.returncode == 0
    assert stdout.decode() == f"{program.cwd}/cat.png\n"
    assert (program.cwd / "cat.png").read_bytes() == png()
    injected(pty.master == -1 and raw.posts == 1, "the terminal goes away")


def test_a_limit_that_passes_while_the_terminal_stands_still_takes_no_image_along(
    program: Program, raw: RawServer, pty: Pty, injected: Injected
) -> None:
    """The reply came in time; that it could not be told in time is no reason to drop it."""
    filled: list[int] = []

    def script(connection: Connection) -> None:
        filled.append(pty.fill())
        connection.pause(0.3)  # the spinner turns, and waits
        filled.append(pty.fill())
        answers(good_reply())(connection)

    raw.scripts = [script]
    with start_at(pty, program, raw, "--timeout", "3") as run:
        until((program.cwd / "cat.png").exists, run)
        time.sleep(3.5)  # the limit passes
        os.close(pty.slave)
        pty.drain()
        stdout, _ = run.communicate(timeout=120)

    assert run.returncode == 0
    assert stdout.decode() == f"{program.cwd}/cat.png\n"
    assert (program.cwd / "cat.png").read_bytes() == png()
    injected(filled[0] > 0, "a terminal stands still until the limit has passed")


def test_a_terminal_that_stands_still_does_not_keep_the_image_from_the_disk(
    program: Program, raw: RawServer, pty: Pty, injected: Injected
) -> None:
    """Ctrl-S, or a connection that stalls: the image is saved all the same, and at once."""
    filled = []

    def script(connection: Connection) -> None:
        filled.append(pty.fill())
        connection.pause(0.3)  # the spinner turns, and waits
        filled.append(pty.fill())
        answers(good_reply())(connection)

    raw.scripts = [script]
    with start_at(pty, program, raw) as run:
        until((program.cwd / "cat.png").exists, run)
        assert (program.cwd / "cat.png").read_bytes() == png()
        os.close(pty.slave)
        seen = pty.drain()
        stdout, _ = run.communicate(timeout=120)

    assert run.returncode == 0
    assert stdout.decode() == f"{program.cwd}/cat.png\n"
    assert seen.rstrip().endswith(b"s") and b"saved cat.png" in seen
    injected(filled[0] > 0, "the terminal stands still")


def test_a_closed_window_does_not_lose_the_image(
    program: Program, raw: RawServer, injected: Injected
) -> None:
    """The shell and the kernel each send SIGHUP then; nobody has asked twice."""
    bash = require_command("bash", shutil.which("bash"))
    script = HalfReply()
    raw.scripts = [script]
    address = ("--base-url", raw.base_url, "-a", KEY)
    window = pexpect.spawn(
        bash, ["--norc", "--noprofile", "-i"], cwd=str(program.cwd), env=program.env, timeout=60
    )
    words = [*program.command, "images", "generate", "cat", *address]
    window.sendline(" ".join(words) + f"; echo $? > {program.cwd}/code")
    until(script.half_sent.is_set)

    os.close(window.child_fd)  # the window goes, and with it the shell
    until(lambda: not window.isalive())
    script.go_on.set()

    until((program.cwd / "cat.png").exists)
    assert (program.cwd / "cat.png").read_bytes() == png()
    until(lambda: not list(program.cwd.glob(".*.part")))
    injected(raw.posts == 1, "the window is closed in the middle of a reply")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("phase", ["half", "fsync"])
def test_the_cursor_is_there_after_a_signal(
    program: Program, raw: RawServer, pty: Pty, injected: Injected, number: int, phase: str
) -> None:
    """Twice: the second one gives the image up, and still nothing is left hidden."""
    half = HalfReply()
    raw.scripts = [half if phase == "half" else answers(good_reply())]
    gate = Gate(program.cwd, phase, times=2)
    env = program.env | {"TERM": "xterm"} | gate.env
    address = ("--base-url", raw.base_url, "-a", KEY)
    words = ("images", "generate", "cat", *address)
    with program.start(*words, stderr=pty.slave, env=env) as run:
        if phase == "half":
            until(half.half_sent.is_set, run)
        else:
            gate.wait(run)
        os.close(pty.slave)
        run.send_signal(number)
        seen = b""
        while b"finishing" not in seen:
            seen += os.read(pty.master, 65536)
        time.sleep(1.1)  # sooner, the same signal would be the same press
        run.send_signal(signal.SIGTERM)
        seen += pty.drain()
        run.communicate(timeout=120)
        half.go_on.set()

    assert run.returncode == 143
    assert b"\x1b[?25l" in seen
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"Traceback" not in seen
    left = "cat-incomplete-reply.json" if phase == "half" else ".*.part"  # the image is whole
    (path,) = program.cwd.glob(left)
    assert phase == "half" or path.read_bytes() == png()
    injected(b"finishing" in seen, f"signals {number} and SIGTERM at a terminal, {phase}")

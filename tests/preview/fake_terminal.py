"""A terminal that a test plays by script, on the other side of a real pseudo-terminal.

The program runs in a session of its own with the pseudo-terminal as its controlling terminal, so
that /dev/tty, job control, echo and line editing are the kernel's own.
"""

import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyte

from nscale_cli.preview.query import QUESTION
from tests.conftest import Program

COLUMNS, LINES = 100, 40
CELL = b"\x1b[6;20;10t"
DA1, DA1_SIXEL = b"\x1b[?62;22c", b"\x1b[?62;4;22c"
KITTY_OK = b"\x1b_Gi=31;OK\x1b\\"
NAME = b"\x1bP>|Fake(1.0)\x1b\\"
STOPPED = 199
_PATIENT_SECONDS = 30.0
_MAX_RUN_SECONDS = 120.0

# Takes the terminal, then becomes the program. With a job, it stays as the shell that has started
# the program: "background" as `program &`; "moved" as one that Ctrl-Z and bg move there, on USR1.
# Patient: so slow a machine that an answer in time comes too late is not what is tested.
_LAUNCHER = """
import fcntl, json, os, signal, sys, termios
arguments, terminal, patience, job = json.loads(sys.argv[1])
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
if job:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    take = lambda *_: os.tcsetpgrp(terminal, os.getpgrp())
    signal.signal(signal.SIGUSR1, take)
    child = os.fork()
    os.setpgid(child, child)
    if job == "moved":
        os.tcsetpgrp(terminal, child or os.getpgrp())
    if child:
        state = os.waitpid(child, os.WUNTRACED)[1]
        if os.WIFSTOPPED(state):
            os.kill(child, signal.SIGKILL)
            os._exit(199)
        os._exit(os.waitstatus_to_exitcode(state))
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
os.close(terminal)
from nscale_cli.preview import query
query.MAX_WAIT_SECONDS = patience or query.MAX_WAIT_SECONDS
query.MAX_LISTENING_SECONDS = max(patience, query.MAX_LISTENING_SECONDS)
from nscale_cli.__main__ import run
sys.argv[1:] = arguments
run()
"""


@dataclass(kw_only=True)
class Script:
    """How the terminal behaves.

    `answers`: what it says to the question, piece by piece, each after so many seconds.
    `typed_before`: keys pressed before the program starts. `then`: done after the last answer.
    """

    answers: Sequence[tuple[float, bytes]] = ()
    typed_before: bytes = b""
    then: Callable[["FakeTerminal"], None] = lambda _: None


def at_once(*answers: bytes) -> Script:
    """Return the script of a terminal that says all of this, immediately."""
    return Script(answers=[(0.0, b"".join(answers))])


class FakeTerminal:
    """The master side, with what the program wrote, and what it left behind."""

    def __init__(self, script: Script, *, cell_pixels: tuple[int, int] = (0, 0)) -> None:
        """Open the pair, and type ahead."""
        self.script = script
        self.master, self.slave = os.openpty()
        width, height = cell_pixels
        size = struct.pack("HHHH", LINES, COLUMNS, COLUMNS * width, LINES * height)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)
        self.modes_before = termios.tcgetattr(self.slave)
        self.written = b""
        self.exit_code = -1
        self.stdout = b""
        self.process: subprocess.Popen[bytes]
        os.write(self.master, script.typed_before)
        while script.typed_before and self._read(_MAX_RUN_SECONDS) == b"":
            pass  # the kernel's echo comes when the keys are in its queue

    def run(
        self,
        program: Program,
        *arguments: str,
        stdin: bytes | None = None,
        stderr: int | None = None,
        patient: bool = True,
        job: str = "",
        **env: str,
    ) -> int:
        """Play until the program has ended, and return its exit code."""
        patience = _PATIENT_SECONDS if patient else 0
        words = json.dumps([arguments, self.slave, patience, job])
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER, words],
            cwd=program.cwd,
            env=program.env | {"TERM": "xterm-256color"} | env,
            stdin=self.slave if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.slave if stderr is None else stderr,
            pass_fds=[self.slave],
            start_new_session=True,
        )
        if stdin is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()
        self._play()
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            self.stdout = stdout.read()
        self.exit_code = self.process.returncode
        return self.exit_code

    def _play(self) -> None:
        asked = False
        end = time.monotonic() + _MAX_RUN_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, self.written
            self._read(0.02)
            if not asked and QUESTION in self.written:
                asked = True
                self._answer()
        while self._read(0):
            pass

    def _answer(self) -> None:
        for pause, answer in self.script.answers:
            self._read_for(pause)
            self.send(answer)
        self.script.then(self)

    def _read_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> bytes:
        data = b""
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # Linux's way to say that nobody is left
                data = os.read(self.master, 65536)
        self.written += data
        return data

    def send(self, data: bytes) -> None:
        """Send what a terminal sends: answers, or keys."""
        os.write(self.master, data)

    @property
    def questions(self) -> int:
        """How often the program asked."""
        return self.written.count(QUESTION)

    @property
    def modes(self) -> list[object]:
        """The line's modes as they are now; equal to `modes_before` where all was put back."""
        return termios.tcgetattr(self.slave)

    def left_behind(self) -> bytes:
        """Return what the next program would read from the terminal."""
        raw = termios.tcgetattr(self.slave)
        raw[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(self.slave, termios.TCSANOW, raw)
        os.set_blocking(self.slave, False)
        data = b""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self.slave, 1024):
                data += more
        return data

    def screen(self) -> list[str]:
        """Return the lines that a person sees."""
        screen = pyte.Screen(COLUMNS, LINES)
        shown = self.written.replace(QUESTION, b"").decode()
        pyte.Stream(screen).feed(shown)
        return [line.rstrip() for line in screen.display if line.strip()]

    def close(self) -> None:
        """Hang up."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        os.close(self.master)
        os.close(self.slave)

"""One question to the terminal itself, about what it is and what it can draw."""

import atexit
import contextlib
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

from nscale_cli.preview.styles import TerminalCapabilities

MAX_WAIT_SECONDS = 0.25
# Over a slow link an answer comes too late to be used. Until then it is still kept from the
# screen, and from the prompt of the shell.
MAX_LISTENING_SECONDS = 2.0
# XTVERSION; kitty graphics, a query with one pixel; the cell's size; DA1, which all answer, last.
QUESTION = b"\x1b[>q\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"
_LAST_ANSWER = re.compile(rb"\x1b\[\?([0-9;]*)c")
_MAX_ANSWER_BYTES = 4096
_MAX_NAME = 60


def begin() -> "Query | None":
    """Return a question on its way to the terminal, or None where none can be asked."""
    if sys.platform == "win32":  # whose console is asked in another way, if at all
        return None
    try:
        return Query()
    except (OSError, RuntimeError):  # no descriptor or no thread left: the style is a guess then
        return None


class Query:
    """The question on its way: a thread asks and listens, while others work.

    Nothing is asked where keys are waiting to be read (they belong to the next program) or where
    this process is in the background (it would be stopped). At the end of the program at the
    latest, the terminal is as it was.
    """

    def __init__(
        self, device: str = "/dev/tty", *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._device, self._monotonic = device, monotonic
        self._start = monotonic()
        self._answers = TerminalCapabilities()
        self._over = threading.Event()
        self._waking, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        atexit.register(self._close_at_exit)
        self._thread.start()

    def answers(self) -> TerminalCapabilities:
        """Return what the terminal says of itself within MAX_WAIT_SECONDS, or nothing."""
        self._over.wait(self._seconds_left(MAX_WAIT_SECONDS))
        return self._answers

    def close(self) -> None:
        """Leave the terminal as it was; an answer that may still come in time is waited for."""
        self._over.wait(self._seconds_left(MAX_WAIT_SECONDS))
        os.write(self._wake, b"!")
        self._thread.join()
        os.close(self._wake)
        os.close(self._waking)
        atexit.unregister(self._close_at_exit)

    def _close_at_exit(self) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        # Impatience in this last moment must not leave the terminal without an echo.
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        self.close()

    def _seconds_left(self, limit: float) -> float:
        return max(0.0, self._start + limit - self._monotonic())

    def _run(self) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        import termios

        # Someone may send this process to the background meanwhile. Blocked, these signals turn
        # into errors of this thread; otherwise they would stop the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTIN, signal.SIGTTOU))
        with contextlib.suppress(OSError, termios.error), _opened(self._device) as terminal:
            self._converse(terminal)
        self._over.set()

    def _converse(self, terminal: int) -> None:
        # Whole lines that are waiting show already now, a started one only in `_quiet`.
        if not _in_foreground(terminal) or _readable([terminal], 0):
            return
        with _quiet(terminal):
            if _readable([terminal], 0):
                return
            os.write(terminal, QUESTION)
            data = self._listen(terminal)
        self._answers = parse_reply(data)

    def _listen(self, terminal: int) -> bytes:
        """Return what comes until the last answer, or until nobody waits for it any more."""
        data = b""
        while not _LAST_ANSWER.search(data) and len(data) < _MAX_ANSWER_BYTES:
            seconds = self._seconds_left(MAX_LISTENING_SECONDS)
            if terminal not in _readable([terminal, self._waking], seconds):
                break
            try:
                arrived = os.read(terminal, 1024)
            except OSError:  # gone, or this process is in the background now
                break
            if not arrived:
                break
            data += arrived
        return data


@contextlib.contextmanager
def _opened(device: str) -> Iterator[int]:
    if sys.platform == "win32":
        raise NotImplementedError
    # Without O_NONBLOCK, a terminal that was told to pause (Ctrl-S) would hold the thread up.
    flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(device, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _in_foreground(terminal: int) -> bool:
    if sys.platform == "win32":
        raise NotImplementedError
    return os.tcgetpgrp(terminal) == os.getpgrp()


@contextlib.contextmanager
def _quiet(terminal: int) -> Iterator[None]:
    """Let answers be read at once and unseen, and put everything back afterwards."""
    if sys.platform == "win32":
        raise NotImplementedError
    import termios

    before = termios.tcgetattr(terminal)
    now = termios.tcgetattr(terminal)
    now[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal, termios.TCSANOW, now)
    try:
        yield
    finally:
        # In the background, the terminal is already what the shell made of it.
        if _in_foreground(terminal):
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def _readable(descriptors: list[int], seconds: float) -> list[int]:
    return select.select(descriptors, [], [], seconds)[0]


def parse_reply(data: bytes) -> TerminalCapabilities:
    """Return what the bytes that a terminal sent mean."""
    version = re.search(rb"\x1bP>\|([^\x1b]*)\x1b\\", data)
    cell = re.search(rb"\x1b\[6;([0-9]{1,4});([0-9]{1,4})t", data)
    attributes = _LAST_ANSWER.search(data)
    height, width = (int(cell[1]), int(cell[2])) if cell else (0, 0)
    return TerminalCapabilities(
        name=version[1].decode("ascii", "replace")[:_MAX_NAME] if version else "",
        kitty=b"\x1b_Gi=31;OK" in data,
        sixel=attributes is not None and b"4" in attributes[1].split(b";"),
        cell_pixels=(width, height) if width and height else None,
    )

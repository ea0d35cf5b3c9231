"""Ctrl-C, SIGTERM and SIGHUP: at once while nothing is at stake, later while an image is saved."""

import _thread
import math
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

# Whoever leans on Ctrl-C means one stop. Not for ever: a library might swallow the first.
_SAME_STOP_SECONDS = 1.0
_IN_A_MOMENT_SECONDS = 0.001


class Interrupted(BaseException):
    """A signal asks the program to end. Not an Exception, so that no library swallows it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def _send_again(number: signal.Signals) -> None:
    time.sleep(_IN_A_MOMENT_SECONDS)
    _thread.interrupt_main(number)


def _would_disguise(frame: FrameType | None) -> bool:
    """Whether Python would make a RuntimeError of what is raised now, while it makes a class."""
    while frame is not None and sys.version_info < (3, 12):
        if frame.f_code.co_name == "__set_name__":
            return True
        frame = frame.f_back
    return False


class Interrupts:
    """The signals of one run: raised as `Interrupted`, or kept until the paid image is safe."""

    def __init__(self) -> None:
        self._on_hold: Callable[[int], None] | None = None
        self._firmly = False
        self._pending: int | None = None
        self._receiving: int | None = None
        self._came_at = -math.inf
        self._stopping = False
        self._routed: list[int] = []
        self._over = False

    def install(self) -> None:
        """Route the signals here."""
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # A signal that the parent ignores (nohup, a background job) stays ignored.
        self._routed = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]
        for number in self._routed:
            signal.signal(number, self._receive)

    def ignore(self) -> None:
        """Ignore the signals from now on: the outcome stands, and the process is about to end."""
        self._over = True
        if sys.platform != "win32":  # which has but Ctrl-C, and ends with the process
            # SIG_IGN would make Python complain of a signal that is on its way already.
            signal.pthread_sigmask(signal.SIG_BLOCK, self._routed)

    def hold(self, tell: Callable[[int], None] = lambda _: None, *, firmly: bool = False) -> None:
        """Keep the next signal until `release`, and call `tell` with its number when it comes.

        `tell` is called between any two steps of the main thread, so it may take no lock. A second
        signal is raised, unless it is held `firmly`: only for what is short, and waits for nobody.
        """
        self._on_hold, self._firmly = tell, firmly
        if self._pending is not None:
            tell(self._pending)

    def ask(self, number: int) -> None:
        """Ask for an end as the first signal does that is on hold, from any thread."""
        if self._pending is None:
            self._pending = number
            if self._on_hold is not None:
                self._on_hold(number)

    def take(self) -> int | None:
        """Return the signal that was kept, if any, and keep the next one instead."""
        number, self._pending = self._pending, None
        return number

    def release(self) -> None:
        """Let signals act again; raise the one that was kept."""
        self._on_hold = None
        number = self.take()
        if number is not None:
            self._raise(number)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._over or self._receiving == number:
            return  # in the middle of its own handler: nested without end, that is an error
        self._receiving = number
        try:
            self._heed(number, frame)
        finally:
            self._receiving = None

    def _heed(self, number: int, frame: FrameType | None) -> None:
        if self._is_same_stop(number):
            return
        if _would_disguise(frame):
            _thread.start_new_thread(_send_again, (signal.Signals(number),))
            return
        if self._on_hold is None:
            self._raise(number)
        if self._pending is None:
            self._pending = number
            with suppress(Exception):
                self._on_hold(number)
        elif not (self._firmly or number == self._pending == getattr(signal, "SIGHUP", None)):
            # A terminal that closes hangs up twice, by its shell and by the kernel. Nobody asked
            # twice then.
            self._raise(number)

    def _is_same_stop(self, number: int) -> bool:
        """Whether it is still the last one: somebody leans on the key, or a wrapper sends it on."""
        now = time.monotonic()
        raised = self._pending is None and self._stopping
        same = now - self._came_at < _SAME_STOP_SECONDS and (raised or number == self._pending)
        self._came_at = now  # for as long as it takes: a busy machine is slow to stop
        return same

    def _raise(self, number: int) -> NoReturn:
        self._pending, self._stopping = None, True
        raise Interrupted(number)

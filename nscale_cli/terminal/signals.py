"""Ctrl-C, SIGTERM and SIGHUP: at once while nothing is at stake, later while an image is saved."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from nscale_cli.errors import Stopped

# Whoever leans on Ctrl-C means one stop. Not for ever: a library might swallow the first.
_SAME_STOP_SECONDS = 1.0


class Interrupted(BaseException):
    """A signal asks the program to end. Not an Exception, so that no library swallows it."""

    def __init__(self, signal_number: int) -> None:
        """Remember which signal it was."""
        super().__init__(signal_number)
        self.signal_number = signal_number


def _nothing_sent(signal_number: int) -> Stopped:
    return Stopped(signal_number, "stopped before anything was sent")


class Interrupts:
    """The signals of one run: raised as `Interrupted`, or kept until the paid image is safe.

    `explain` turns a signal's number into what the user is told, which changes as the run goes on.
    """

    def __init__(self) -> None:
        """Start with signals that act at once."""
        self.explain: Callable[[int], Stopped] = _nothing_sent
        self._on_hold: Callable[[], None] | None = None
        self._pending: int | None = None
        self._raised_at = -math.inf
        self._routed: list[int] = []
        self._over = False

    def install(self) -> dict[int, Any]:
        """Route the signals here and return the handlers that they had."""
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # A signal that the parent ignores (nohup, a background job) stays ignored.
        self._routed = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]
        return {number: signal.signal(number, self._receive) for number in self._routed}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Route the signals here, and give them back at the end."""
        before = self.install()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ignore(self) -> None:
        """Ignore the signals from now on: the outcome stands, and the process is about to end."""
        self._over = True
        if hasattr(signal, "pthread_sigmask"):
            # SIG_IGN would make Python complain of a signal that is on its way already.
            signal.pthread_sigmask(signal.SIG_BLOCK, self._routed)

    def hold(self, announce: Callable[[], None] = lambda: None) -> None:
        """Keep the next signal until `release`, and call `announce` when it comes."""
        self._on_hold = announce

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

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._over or self._is_same_stop():
            return
        if self._on_hold is None:
            self._raise(number)
        if self._pending is None:
            self._pending = number
            with suppress(Exception):  # the terminal may be gone, or in the middle of a write
                self._on_hold()
        elif not number == self._pending == getattr(signal, "SIGHUP", None):
            # A terminal that closes hangs up twice, by its shell and by the kernel. Nobody asked
            # twice then.
            self._raise(number)

    def _is_same_stop(self) -> bool:
        """Whether somebody still leans on the key since the last signal that was raised."""
        now = time.monotonic()
        same = now - self._raised_at < _SAME_STOP_SECONDS
        if same:
            self._raised_at = now  # for as long as it takes: a busy machine is slow to stop
        return same

    def _raise(self, number: int) -> NoReturn:
        self._pending, self._raised_at = None, time.monotonic()
        raise Interrupted(number)

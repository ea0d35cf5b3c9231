"""Ctrl-C, SIGTERM and SIGHUP: at once while nothing is at stake, later while an image is saved."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Signalled(BaseException):
    """A signal asks the program to end. Not an Exception, so that no library swallows it."""

    def __init__(self, signal_number: int) -> None:
        """Remember which signal it was."""
        super().__init__(signal_number)
        self.signal_number = signal_number


class Interrupts:
    """The signals of one run: raised as `Signalled`, or kept until the paid image is safe."""

    def __init__(self) -> None:
        """Start with signals that act at once."""
        self._on_hold: Callable[[], None] | None = None
        self._pending: int | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Route the signals here, and give them back at the end."""
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # A signal that the parent ignores (nohup, a background job) stays ignored.
        routed = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._receive) for number in routed}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def hold(self, announce: Callable[[], None]) -> None:
        """Keep the next signal until `release`, and call `announce` when it comes."""
        self._on_hold = announce

    def release(self) -> None:
        """Let signals act again; raise the one that was kept."""
        self._on_hold = None
        if self._pending is not None:
            number, self._pending = self._pending, None
            raise Signalled(number)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._on_hold is None or self._pending is not None:
            raise Signalled(number)
        self._pending = number
        self._on_hold()

"""Limits in time."""

import threading

import pytest

from nscale_cli.terminal.time import SLICE_SECONDS, run_with_timeout, wait_for


class Watched(threading.Event):
    """An event that happens after so many waits, and notes how long each was to be."""

    def __init__(self, waits: int) -> None:
        """Start without a wait."""
        super().__init__()
        self.waits, self.seconds = waits, []

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for no time at all."""
        self.seconds.append(timeout)
        if len(self.seconds) == self.waits:
            self.set()
        return self.is_set()


def test_a_long_wait_is_many_short_ones() -> None:
    """Python heeds a signal between two of them, also one that came before the first blocked."""
    event = Watched(5)

    assert wait_for(event, 3600)
    assert event.seconds == [SLICE_SECONDS] * 5


def test_a_wait_ends_with_its_limit() -> None:
    """And looks once more then."""
    event = threading.Event()
    assert not wait_for(event, 0.01)
    assert not wait_for(event, -1)
    event.set()
    assert wait_for(event, -1)


def test_a_call_within_its_limit_returns_or_raises_what_it_does() -> None:
    """As if it had been called."""
    assert run_with_timeout(60, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(60, lambda: 1 / 0)


def test_a_call_that_takes_longer_is_left_behind() -> None:
    """It ends by itself, later."""
    release = threading.Event()
    with pytest.raises(TimeoutError, match=r"not within 0\.01 seconds"):
        run_with_timeout(0.01, release.wait)
    release.set()

"""Time, as the program sees it, and limits in time, also for calls that have none of their own."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from nscale_cli.values import frozen

Result = TypeVar("Result")
SLICE_SECONDS = 0.25


def wait_for(event: threading.Event, seconds: float) -> bool:
    """Return whether `event` happened within `seconds`. Signals are heeded meanwhile.

    One long wait would not do: a signal that comes an instant before the thread blocks is only
    noticed when that wait ends.
    """
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if event.wait(min(left, SLICE_SECONDS)):
            return True
    return event.is_set()


def run_with_timeout(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what `call` returns, or raise what it raises; raise TimeoutError if that takes longer.

    The thread that is left behind then ends with the process.
    """
    results: list[Result] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            results.append(call())
        except BaseException as failure:
            failures.append(failure)
        done.set()

    threading.Thread(target=work, daemon=True).start()
    if not wait_for(done, seconds):
        raise TimeoutError(f"not within {seconds:g} seconds")
    if failures:
        raise failures[0]
    return results[0]


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


@frozen
class Clock:
    """What tells the time and waits: seconds since some moment, a wait, the local date.

    `wait` returns early, and True, where the event happens within these seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    now: Callable[[], datetime] = _now

"""Time, as the program sees it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from nscale_cli.time_limit import wait_for


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


def _sleep(seconds: float) -> None:
    wait_for(threading.Event(), seconds)  # which heeds signals, whichever thread they reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What tells the time and waits: seconds since some moment, a wait, the local date."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = _sleep
    now: Callable[[], datetime] = _now

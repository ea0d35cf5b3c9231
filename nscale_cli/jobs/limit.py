"""How many requests a service takes at once: found out from its 429s, and kept to.

A 429 says that what was under way when it came is what the service takes. One more is tried after
a while; nobody else waits. A service that counts requests by the minute says so by Retry-After, or
by refusing everything: then all wait together.
"""

import time
from collections.abc import Callable

MAX_PAUSE_SECONDS = 60.0
# One more is tried after the first of these; sooner where that went well, later where it did not.
_PROBE_SECONDS, _SOONEST_PROBE_SECONDS, _LATEST_PROBE_SECONDS = 1.0, 0.2, 30.0
_STRIKES_BEFORE_PAUSE = 3


class AdaptiveLimit:
    """The number of requests that may be under way, at most `workers`."""

    def __init__(self, workers: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.limit = self._workers = workers
        self._monotonic = monotonic
        self._probe_seconds = _PROBE_SECONDS
        self._next_probe = 0.0
        self._paused_until = 0.0
        self._strikes = 0
        self._struck_at = -1.0

    @property
    def pause_seconds(self) -> float:
        """How long all of them still wait together; 0 where they do not."""
        return max(0.0, self._paused_until - self._monotonic())

    def may_start(self, under_way: int) -> bool:
        """Return whether one more request may leave now."""
        now = self._monotonic()
        if now < self._paused_until:
            return False
        if under_way < self.limit:
            return True
        if self.limit == self._workers or now < self._next_probe:
            return False
        self.limit += 1
        self._probe_seconds = max(self._probe_seconds / 2, _SOONEST_PROBE_SECONDS)
        self._next_probe = now + self._probe_seconds
        return True

    def succeeded(self) -> None:
        """Take note that the service did what it was asked."""
        self._strikes = 0

    def refused(
        self, under_way: int, *, elapsed_seconds: float, retry_after_seconds: float | None
    ) -> None:
        """Take note of a 429: of what else was under way, and how long ago its request left."""
        now = self._monotonic()
        self.limit = max(1, min(self.limit, under_way))
        # Those that left together are refused together, and say it once.
        if now - elapsed_seconds >= self._struck_at:
            self._strikes += 1
            self._struck_at = now
            self._probe_seconds = min(
                max(self._probe_seconds * 2, _PROBE_SECONDS), _LATEST_PROBE_SECONDS
            )
        self._next_probe = now + self._probe_seconds
        if retry_after_seconds is not None:
            self.pause(retry_after_seconds)
        elif self._strikes >= _STRIKES_BEFORE_PAUSE:
            self.pause(float(2 ** min(self._strikes - _STRIKES_BEFORE_PAUSE, 10)))

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so long, at most a minute."""
        until = self._monotonic() + min(seconds, MAX_PAUSE_SECONDS)
        self._paused_until = max(self._paused_until, until)

"""Let many shards share one account's limit, and see whether they settle, and at what cost.

Each shard is a process of its own that knows nothing of the others. Here each has the program's own
rule (`nscale_cli.jobs.limit.AdaptiveLimit`) on a simulated clock, and so many rows. The service
answers at once with 429 where the account's limit is reached, else with an image after a while. The
ideal is that the account's limit is used up all the time until the last image.

Usage: python -m tools.simulate_shards [--shards N] [--workers N] [--rows N] [--limit N]
       [--by-minute] [--retry-after SECONDS] [--image-seconds SECONDS] [--start-within SECONDS]
"""

import argparse
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from nscale_cli.jobs.limit import AdaptiveLimit
from nscale_cli.runs.policy import MAX_SECONDS_WITHOUT_SUCCESS
from nscale_cli.terminal.time import SLICE_SECONDS

_REFUSED_AFTER = 0.02  # seconds until a 429 has come
_SPREAD = 0.3  # an image takes its time, more or less


@dataclass(slots=True)
class Account:
    """What the service allows: so many at once, or so many in any minute."""

    limit: int
    by_minute: bool = False
    retry_after: float | None = None
    under_way: int = 0
    recent: deque[float] = field(default_factory=deque)

    def takes(self, now: float) -> bool:
        """Take a request if the account may have one more."""
        if not self.by_minute:
            allowed = self.under_way < self.limit
        else:
            while self.recent and self.recent[0] <= now - 60:
                self.recent.popleft()
            allowed = len(self.recent) < self.limit
            if allowed:
                self.recent.append(now)
        self.under_way += allowed
        return allowed


@dataclass(slots=True, kw_only=True)
class Shard:
    """One process: its limit, the rows that it has still to send, and when it was last lucky."""

    limit: AdaptiveLimit
    rows: int
    under_way: int = 0
    looks: bool = False
    succeeded_at: float = 0.0
    ended_at: float | None = None
    stopped: bool = False


@dataclass(slots=True)
class Simulation:
    """Shards, an account, a clock, and the events to come; `saved` is by the second."""

    account: Account
    image_seconds: float
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    now: float = 0.0
    shards: list[Shard] = field(default_factory=list)
    saved: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def add(self, *, rows: int, workers: int, start: float) -> None:
        """Let a shard begin after so many seconds."""
        limit = AdaptiveLimit(workers, monotonic=lambda: self.now)
        shard = Shard(limit=limit, rows=rows, succeeded_at=start)
        self.shards.append(shard)
        self._later(start, lambda: self._go(shard))

    def run(self) -> None:
        """Run until all have ended."""
        while self._events:
            self.now, _, event = heappop(self._events)
            event()

    def _later(self, seconds: float, event: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (self.now + seconds, self._count, event))

    def _go(self, shard: Shard) -> None:
        """Send as much as the shard's own limit allows, and look again as the engine does."""
        while shard.rows and not shard.stopped and shard.limit.may_start(shard.under_way):
            shard.rows -= 1
            shard.under_way += 1
            self._send(shard)
        if shard.under_way == 0 and (shard.stopped or shard.rows == 0):
            shard.ended_at = self.now if shard.ended_at is None else shard.ended_at
        elif not shard.looks:
            shard.looks = True
            self._later(SLICE_SECONDS, lambda: self._look(shard))

    def _look(self, shard: Shard) -> None:
        shard.looks = False
        if shard.ended_at is None:
            self._go(shard)

    def _send(self, shard: Shard) -> None:
        sent_at = self.now
        if self.account.takes(self.now):
            spread = self.chance.uniform(1 - _SPREAD, 1 + _SPREAD)
            self._later(self.image_seconds * spread, lambda: self._heed_image(shard))
        else:
            self._later(_REFUSED_AFTER, lambda: self._heed_refusal(shard, sent_at))

    def _heed_image(self, shard: Shard) -> None:
        self.account.under_way -= 1
        shard.under_way -= 1
        shard.succeeded_at = self.now
        shard.limit.succeeded()
        self.saved[int(self.now)] += 1
        self._go(shard)

    def _heed_refusal(self, shard: Shard, sent_at: float) -> None:
        shard.under_way -= 1
        shard.rows += 1
        self.refused[int(self.now)] += 1
        shard.limit.refused(
            shard.under_way,
            elapsed_seconds=self.now - sent_at,
            retry_after_seconds=self.account.retry_after,
        )
        if self.now - shard.succeeded_at > MAX_SECONDS_WITHOUT_SUCCESS:
            shard.stopped = True
        self._go(shard)


def described(simulation: Simulation, workers: int) -> str:
    """Return what there is to know of a simulation that has run, in a few lines."""
    account, shards = simulation.account, simulation.shards
    most = len(shards) * workers / simulation.image_seconds
    allowed = account.limit / 60 if account.by_minute else account.limit / simulation.image_seconds
    rate, images = min(allowed, most), sum(simulation.saved.values())
    last = max(simulation.saved)
    tenths = [0.0] * 10
    for second, count in simulation.saved.items():
        tenths[min(9, second * 10 // (last + 1))] += count / (rate * (last + 1) / 10)
    by_tenth = ", ".join(f"{part:.2f}" for part in tenths)
    ends = sorted(shard.ended_at or 0.0 for shard in shards if not shard.stopped)
    left = sum(shard.rows for shard in shards)
    return (
        f"{images} images in {last:.0f} s; the ideal is {images / rate:.0f} s: "
        f"{last / (images / rate):.2f} of it\n"
        f"of the ideal rate, by tenths of that time: {by_tenth}\n"
        f"429s for each image: {sum(simulation.refused.values()) / images:.2f}\n"
        f"shards that saved all: {len(ends)}, the first after {ends[0]:.0f} s\n"
        f"shards that stopped after ten minutes without an image: {len(shards) - len(ends)}, "
        f"with {left} rows not sent"
    )


def main() -> None:
    """Simulate what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4, help="of each shard")
    parser.add_argument("--rows", type=int, default=1000, help="of each shard")
    parser.add_argument("--limit", type=int, default=4000, help="of the account")
    parser.add_argument("--by-minute", action="store_true", help="the limit is of any minute")
    parser.add_argument("--retry-after", type=float, help="seconds that a 429 asks to wait")
    parser.add_argument("--image-seconds", type=float, default=2.0)
    parser.add_argument("--start-within", type=float, default=30.0, help="seconds")
    options = parser.parse_args()
    account = Account(options.limit, options.by_minute, options.retry_after)
    simulation = Simulation(account, options.image_seconds)
    for _ in range(options.shards):
        start = simulation.chance.uniform(0, options.start_within)
        simulation.add(rows=options.rows, workers=options.workers, start=start)
    simulation.run()
    print(described(simulation, options.workers))


if __name__ == "__main__":
    main()

"""Measure many orders at once, beside the ideal and beside a client that only fetches.

The ideal is what the service's own time takes, if nothing else took any. A run's start-up (the
interpreter, its modules, the client) is not counted.

Usage: python -m tools.bench.many [--rounds N] [--only WORD]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.bench.buyers import Taken
from tools.bench.counting import environment
from tools.bench.waiting import waiting

SECONDS = 0.5
_ROOT = Path(__file__).parent.parent.parent
_BUYERS = {"batch": "`images batch`", "engine": "the engine", "fetch": "fetches and drops"}
_FEW_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """So many orders of `count` pictures on so many threads, by each of `buyers`.

    The service refuses more than `at_once` with 429, if that is not 0.
    """

    jobs: int
    workers: int
    size: str = "1024x1024"
    count: int = 1
    at_once: int = 0
    buyers: tuple[str, ...] = tuple(_BUYERS)

    @property
    def ideal_seconds(self) -> float:
        """What the service's own time takes."""
        return -(-self.jobs // min(self.workers, self.at_once or self.workers)) * SECONDS

    @property
    def name(self) -> str:
        """What is bought, in words."""
        pictures = f"{self.count} x {self.size}" if self.count > 1 else self.size
        limit = f", 429 above {self.at_once}" if self.at_once else ""
        return f"{self.jobs} orders of {pictures}, {self.workers} threads{limit}"


CASES = (
    Case(jobs=64, workers=16),
    Case(jobs=512, workers=16),
    Case(jobs=4096, workers=64, size="128x128"),
    Case(jobs=32, workers=16, size="2048x2048", count=4),
    Case(jobs=160, workers=16, at_once=8, buyers=("batch",)),  # the others do not wait
)


def taken(how: str, base_url: str, case: Case) -> Taken:
    """Return what one run took, in a process and a folder of its own."""
    command = [sys.executable, "-m", "tools.bench.buyers", how, base_url]
    numbers = (case.jobs, case.workers, case.size, case.count)
    with tempfile.TemporaryDirectory(dir=_ROOT) as folder:  # on a disk, which /tmp may not be
        done = subprocess.run(
            [*command, *map(str, numbers)],
            env=environment(PYTHONPATH=str(_ROOT)),
            cwd=folder,
            capture_output=True,
            check=True,
        )
    return Taken(**json.loads(done.stdout))


def row(how: str, runs: list[Taken], case: Case) -> str:
    """Return a line of the table: medians, and of the wall time also the ends."""
    walls = sorted(run.wall_seconds / case.ideal_seconds for run in runs)
    cpu = statistics.median(run.cpu_seconds for run in runs) / case.jobs * 1000
    peak = statistics.median(run.peak_mib for run in runs)
    wall = f"{statistics.median(walls):.2f} ({walls[0]:.2f}-{walls[-1]:.2f})"
    return f"| {case.name} | {_BUYERS[how]} | {wall} | {cpu:.1f} | {peak:.0f} |"


def measure(case: Case, rounds: int) -> None:
    """Print the lines of one case, of runs that take turns."""
    runs: dict[str, list[Taken]] = {how: [] for how in case.buyers}
    with waiting(SECONDS, case.size, case.count, case.at_once) as base_url:
        for _ in range(rounds):
            for how, found in runs.items():
                found.append(taken(how, base_url, case))
    for how, found in runs.items():
        print(row(how, found, case), flush=True)


def print_table(rounds: int, only: str = "") -> None:
    """Print the table as Markdown; the longer cases take fewer rounds."""
    print(f"After {SECONDS * 1000:.0f} ms; median (range) of up to {rounds} rounds\n")
    print("| run | by | wall / ideal | CPU ms an order | peak MiB |\n|---|---|---|---|---|")
    for case in CASES:
        if only in case.name:
            short = case.ideal_seconds <= CASES[0].ideal_seconds
            measure(case, rounds if short else min(rounds, _FEW_ROUNDS))


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", metavar="WORD", help="the cases with it in the name")
    options = parser.parse_args()
    print_table(options.rounds, options.only)


if __name__ == "__main__":
    main()

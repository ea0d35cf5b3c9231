"""Measure many orders at once, beside the ideal and beside a client that only fetches.

The ideal is what the service's own time takes, if nothing else took any. A run's start-up (the
interpreter, its modules, the client) is not counted.

Usage: python -m tools.bench.many [--rounds N] [--jobs N] [--workers N]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.bench.buyers import Taken
from tools.bench.counting import environment
from tools.bench.waiting import waiting

SECONDS, SIZE = 0.5, "1024x1024"
JOBS, WORKERS = 64, 16
_ROOT = Path(__file__).parent.parent.parent
_BUYERS = {"batch": "`images batch`", "engine": "the engine", "fetch": "fetches and drops"}


def taken(how: str, base_url: str, jobs: int, workers: int) -> Taken:
    """Return what one run took, in a process and a folder of its own."""
    command = [sys.executable, "-m", "tools.bench.buyers", how, base_url]
    with tempfile.TemporaryDirectory(dir=_ROOT) as folder:  # on a disk, which /tmp may not be
        done = subprocess.run(
            [*command, str(jobs), str(workers), SIZE],
            env=environment(base_url, PYTHONPATH=str(_ROOT)),
            cwd=folder,
            capture_output=True,
            check=True,
        )
    return Taken(**json.loads(done.stdout))


def row(how: str, runs: list[Taken], jobs: int, workers: int) -> str:
    """Return a line of the table: medians, and of the wall time also the ends."""
    ideal = -(-jobs // workers) * SECONDS
    walls = sorted(run.wall_seconds / ideal for run in runs)
    cpu = statistics.median(run.cpu_seconds for run in runs) / jobs * 1000
    peak = statistics.median(run.peak_mib for run in runs)
    wall = f"{statistics.median(walls):.2f} ({walls[0]:.2f}-{walls[-1]:.2f})"
    return (
        f"| {jobs} orders, {workers} threads | {_BUYERS[how]} | {wall} | {cpu:.0f} | {peak:.0f} |"
    )


def print_table(rounds: int, jobs: int = JOBS, workers: int = WORKERS) -> None:
    """Print the table as Markdown, of runs that take turns."""
    runs: dict[str, list[Taken]] = {how: [] for how in _BUYERS}
    with waiting(SECONDS, SIZE) as base_url:
        for _ in range(rounds):
            for how, found in runs.items():
                found.append(taken(how, base_url, jobs, workers))
    print(f"One {SIZE} an order after {SECONDS * 1000:.0f} ms; {rounds} rounds: median (range)\n")
    print("| run | by | wall / ideal | CPU ms an image | peak MiB |\n|---|---|---|---|---|")
    print(*(row(how, found, jobs, workers) for how, found in runs.items()), sep="\n")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--workers", type=int, default=WORKERS)
    options = parser.parse_args()
    print_table(options.rounds, options.jobs, options.workers)


if __name__ == "__main__":
    main()

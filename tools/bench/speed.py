"""Measure how long the program takes, beside what it is measured by.

Usage: python -m tools.bench.speed [--rounds N] [--quick] [--no-counts]
"""

import argparse
import os
import platform
import pty
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.bench.counting import VALGRIND, environment, instructions
from tools.bench.many import print_table
from tools.bench.replay import SLOW, serving
from tools.bench.rows import EMPTY, Row, all_generate, peers, questions, start_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one run took: wall and processor seconds, and the peak of memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


@contextmanager
def _output(*, terminal: bool) -> Iterator[int]:
    """Yield where a command's output goes: to a pseudo-terminal that is read, or nowhere."""
    if not terminal:
        with Path(os.devnull).open("wb") as nowhere:
            yield nowhere.fileno()
        return
    screen, line = pty.openpty()
    reader = threading.Thread(target=_read_all, args=(screen,))
    reader.start()
    try:
        yield line
    finally:
        os.close(line)
        reader.join()
        os.close(screen)


def _read_all(descriptor: int) -> None:
    with suppress(OSError):  # nobody writes any more
        while os.read(descriptor, 65536):
            pass


def taken(command: Sequence[str], row: Row, env: Mapping[str, str], code: int) -> Taken:
    """Run the command in a fresh folder; raise AssertionError where its exit code is not `code`."""
    with tempfile.TemporaryDirectory() as folder, _output(terminal=row.terminal) as output:
        own = {"TERM": "xterm-256color"} if row.terminal else {}
        home = {"HOME": folder} if row.cold else {}
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**env, **own, **home},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == code, (command, process.returncode)
    return Taken(
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
    )


def counted(row: Row, env: Mapping[str, str]) -> str:
    """Return the ratio of instructions as text; a shell's pipeline is many programs."""
    if VALGRIND is None or row.server == SLOW or row.terminal or row.against[0] == "bash":
        return ""
    own = instructions(row.command, env, code=row.code)
    return f"{own / instructions(row.against, env, code=row.against_code):.2f}"


def line(row: Row, env: Mapping[str, str], rounds: int, *, counts: bool) -> str:
    """Return a line of the table, of pairs run in turn; the first pair warms the caches."""
    pairs = [
        (taken(row.command, row, env, row.code), taken(row.against, row, env, row.against_code))
        for _ in range(rounds + 1)
    ][1:]
    walls = [own.wall_seconds / other.wall_seconds for own, other in pairs]
    low, wall, high = statistics.quantiles(walls, n=4)
    cpu = statistics.median(own.cpu_seconds / other.cpu_seconds for own, other in pairs)
    own_peak, other_peak = (
        statistics.median(run.peak_mib for run in runs) for runs in zip(*pairs, strict=True)
    )
    cells = [
        row.name,
        row.by,
        f"{wall:.2f} ({low:.2f}-{high:.2f})",
        f"{cpu:.2f}",
        counted(row, env) if counts else "",
        f"{own_peak:.0f} / {other_peak:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def above_nothing(rows: Sequence[Row], env: Mapping[str, str], rounds: int) -> Iterator[str]:
    """Yield what each row takes more than an empty Python, in milliseconds of the processor."""
    for row in rows:
        pairs = [
            (
                taken(row.command, row, env | row.variables, row.code),
                taken(row.against, row, env, 0),
            )
            for _ in range(rounds)
        ]
        more = statistics.median(own.cpu_seconds - other.cpu_seconds for own, other in pairs)
        yield f"| {row.name} | {more * 1000:.0f} |"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="three rounds, and no counts")
    parser.add_argument("--no-counts", action="store_true", help="leave cachegrind out")
    options = parser.parse_args()
    rounds = 3 if options.quick else max(2, options.rounds)
    print(f"Python {platform.python_version()}, {rounds} rounds; wall: median (quartiles)\n")
    counts = not (options.quick or options.no_counts)
    print("| run | against | wall | CPU | instructions | peak MiB |\n|---|---|---|---|---|---|")
    with serving() as served:
        for row in [*start_up(), *questions(), *all_generate(), *peers()]:
            env = environment(**served.variables(row.server), **row.variables)
            print(line(row, env, rounds, counts=counts), flush=True)
    print("\n| run | CPU ms above an empty Python |\n|---|---|")
    rows = [row for row in start_up() if row.by == EMPTY]
    print(*above_nothing(rows, environment(), rounds), sep="\n")
    print()
    print_table(rounds)


if __name__ == "__main__":
    main()

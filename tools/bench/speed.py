"""Measure how long the program takes, beside what it is measured by.

Usage: python -m tools.bench.speed [--rounds N] [--quick] [--no-counts]
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence

from tools.bench.counting import VALGRIND, environment, instructions, run
from tools.bench.many import print_table
from tools.bench.replay import serving
from tools.bench.rows import Row, all_generate, questions, start_up


def seconds(command: Sequence[str], env: Mapping[str, str], code: int) -> float:
    """Return the wall time of one run in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run(command, env, folder, code=code)
        return time.perf_counter() - start


def ratios(row: Row, env: Mapping[str, str], rounds: int) -> tuple[float, float, float]:
    """Return the median ratio of pairs run in turn, and its quartiles."""
    found = []
    for _ in range(rounds + 1):  # the first warms the caches
        own = seconds(row.command, env, row.code)
        found.append(own / seconds(row.against, env, row.against_code))
    low, middle, high = statistics.quantiles(found[1:], n=4)
    return middle, low, high


def peak_mib(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Return the most memory that the command had, by wait4."""
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            os.execvpe(command[0], list(command), dict(env))
        _, _, usage = os.wait4(child, 0)
    return usage.ru_maxrss / 1024


def counted(row: Row, env: Mapping[str, str]) -> str:
    """Return the ratio of instructions as text; a shell's pipeline is many programs."""
    if VALGRIND is None or row.latency or row.against[0] == "bash":
        return ""
    own = instructions(row.command, env, code=row.code)
    return f"{own / instructions(row.against, env, code=row.against_code):.2f}"


def memory(row: Row, env: Mapping[str, str]) -> str:
    """Return the peak of both as text, where a picture is made by one process."""
    if not row.name.startswith("generate") or row.latency or row.against[0] == "bash":
        return ""
    return f"{peak_mib(row.command, env):.0f} / {peak_mib(row.against, env):.0f}"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="three rounds, and no counts")
    parser.add_argument("--no-counts", action="store_true", help="leave callgrind out")
    options = parser.parse_args()
    rounds = 3 if options.quick else max(2, options.rounds)
    print(f"Python {platform.python_version()}, {rounds} rounds; wall: median (quartiles)\n")
    print("| run | against | wall | instructions | peak MiB |\n|---|---|---|---|---|")
    with serving() as addresses:
        for row in [*start_up(), *questions(), *all_generate()]:
            env = environment(addresses[row.latency], **row.variables)
            middle, low, high = ratios(row, env, rounds)
            count = "" if options.quick or options.no_counts else counted(row, env)
            wall = f"{middle:.2f} ({low:.2f}-{high:.2f})"
            print(f"| {row.name} | {row.by} | {wall} | {count} | {memory(row, env)} |", flush=True)
    print()
    print_table(rounds)


if __name__ == "__main__":
    main()

"""Hold the speed: instructions counted as ratios to what is counted beside them.

Usage: python -m tools.bench.guard [--write]   (needs valgrind)
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.bench.counting import VALGRIND, environment, instructions
from tools.bench.replay import SECURE, Served, serving
from tools.bench.rows import Row, generate, remembered, start_up

RATIOS = Path(__file__).with_name("ratios.json")
TOLERANCE = 1.05
_HELD = ("--help", "completion")
# What may not be exceeded at all, whatever was measured before.
_LIMITS = {remembered().name: 1.03}


def held_rows() -> list[Row]:
    """Return what is held; the reply of the last is so large that a second look at it shows."""
    rows = [row for row in start_up() if row.name in _HELD and row.by == "bare Typer"]
    return [*rows, generate(), generate(server=SECURE), remembered(), generate(4, "2048x2048")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One command that is counted, though several rows may have it."""

    command: tuple[str, ...]
    code: int
    server: int
    variables: tuple[tuple[str, str], ...]

    def instructions(self, served: Served) -> int:
        """Count them."""
        env = environment(**served.variables(self.server), **dict(self.variables))
        return instructions(self.command, env, code=self.code)


def sides(row: Row) -> tuple[Counted, Counted]:
    """Return what a row compares: this program, and what it is compared with."""
    own, other = (
        Counted(
            command=tuple(command),
            code=code,
            server=row.server,
            variables=tuple(row.variables.items()),
        )
        for command, code in ((row.command, row.code), (row.against, row.against_code))
    )
    return own, other


def measured() -> dict[str, float]:
    """Return the ratio of each row's instructions; that two run at once changes no count."""
    compared = {row.name: sides(row) for row in held_rows()}
    counted = list({each: None for pair in reversed(compared.values()) for each in pair})
    with serving() as served, ThreadPoolExecutor(2) as pool:
        counts = pool.map(lambda each: each.instructions(served), counted)
        found = dict(zip(counted, counts, strict=True))
    return {name: found[own] / found[other] for name, (own, other) in compared.items()}


def complaints(found: dict[str, float], held: dict[str, float]) -> list[str]:
    """Return a line for each ratio that is larger than what is held, and for what is missing."""
    lines = [f"{name}: not in {RATIOS.name}" for name in found if name not in held]
    lines += [
        f"{name}: {found[name]:.3f} is more than {limit:.3f}"
        for name, limit in _LIMITS.items()
        if found.get(name, limit) > limit
    ]
    return lines + [
        f"{name}: {found[name]:.3f} is more than {limit:.3f} by over 5 %"
        for name, limit in held.items()
        if found.get(name, limit) > limit * TOLERANCE
    ]


def main() -> int:
    """Print the ratios, and return 1 where one is too large."""
    if VALGRIND is None:
        print("valgrind is not installed", file=sys.stderr)
        return 1
    found = measured()
    for name, value in found.items():
        print(f"{value:6.3f}  {name}")
    if "--write" in sys.argv:
        rounded = {name: round(value, 3) for name, value in found.items()}
        RATIOS.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")
        return 0
    wrong = complaints(found, json.loads(RATIOS.read_text(encoding="utf-8")))
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

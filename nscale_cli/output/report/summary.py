"""The run in figures: a line for each model and size."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from nscale_cli.output.images import amount
from nscale_cli.output.report import words
from nscale_cli.output.report.cells import Cell, Kind, Run, State, readable

_HEADER = ("saved", "median", "worst", "true size", "bytes", "cost", "failed")
_BY = (Kind.SERVICE, Kind.MODEL, Kind.SIZE)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#!|~@&$^])")


def named_columns(run: Run) -> int:
    """Return how many columns name a line, before those of its figures."""
    return sum(axis.kind in _BY for axis in run.axes)


def rows(run: Run) -> list[tuple[str, ...]]:
    """Return the table as text: the headings, then a line for each service, model and size."""
    places = [n for n, axis in enumerate(run.axes) if axis.kind in _BY]
    groups: dict[tuple[int, ...], list[Cell]] = defaultdict(list)
    for cell in run.cells:
        groups[tuple(cell.at[n] for n in places)].append(cell)
    table = [(*(run.axes[n].name for n in places), *_HEADER)]
    for values, cells in sorted(groups.items()):
        names = (run.axes[n].label(value) for n, value in zip(places, values, strict=True))
        table.append((*names, *_figures(cells)))
    return table


def _figures(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return saved of asked, median and worst seconds, true size, bytes, cost, failures by code."""
    saved = [cell for cell in cells if cell.state is State.SAVED]
    seconds = [cell.seconds for cell in saved if cell.seconds is not None]
    sizes = dict.fromkeys(str(cell.true_size) for cell in saved if cell.true_size)
    sent = [cell.image.byte_count for cell in saved if cell.image]
    cost = words.known_cost(saved)
    codes = Counter(cell.failure.code for cell in cells if cell.failure)
    return (
        f"{len(saved)} of {len(cells)}",
        f"{median(seconds):.1f} s" if seconds else "",
        f"{max(seconds):.1f} s" if seconds else "",
        ", ".join(sizes),
        amount(round(median(sent))) if sent else "",
        words.money(cost) if cost is not None else "unknown" if saved else "",
        ", ".join(f"{number} {code}" for code, number in codes.items()),
    )


def markdown(run: Run, notes: Iterable[str] = ()) -> str:
    """Return the table, and notes below it, as GitHub Markdown; no text can be markup."""
    table = [[_escaped(text) for text in row] for row in rows(run)]
    table.insert(1, ["---"] * len(table[0]))
    parts = [
        f"## {_escaped(words.title(run))}",
        _escaped(words.SEPARATOR.join(words.facts(run))),
        "\n".join(f"| {' | '.join(row)} |" for row in table),
        "\n".join(f"- {_escaped(note)}" for note in notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", readable(" ".join(text.split())))

"""The run in figures: a line for each model and size."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import median

from nscale_cli.output.images import amount
from nscale_cli.output.report import words
from nscale_cli.output.report.cells import Cell, Kind, Run, State, readable
from nscale_cli.values import frozen

_HEADER = ("saved", "median", "worst", "true size", "bytes", "cost", "failed")
_BY = (Kind.SERVICE, Kind.MODEL, Kind.SIZE)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#!|~@&$^])")


@frozen
class Line:
    """What came of one model at one size: `names` are the values that the line is for."""

    names: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def figures(self) -> tuple[str, ...]:
        """Saved of asked, median and worst seconds, true size, bytes, cost, failures by code."""
        saved = [cell for cell in self.cells if cell.state is State.SAVED]
        seconds = [cell.seconds for cell in saved if cell.seconds is not None]
        sizes = Counter(str(cell.true_size) for cell in saved if cell.true_size)
        sent = [cell.image.byte_count for cell in saved if cell.image]
        cost = words.known_cost(saved)
        codes = Counter(cell.failure.code for cell in self.cells if cell.failure)
        return (
            f"{len(saved)} of {len(self.cells)}",
            f"{median(seconds):.1f} s" if seconds else "",
            f"{max(seconds):.1f} s" if seconds else "",
            ", ".join(sizes),
            amount(round(median(sent))) if sent else "",
            words.money(cost) if cost is not None else "unknown" if saved else "",
            ", ".join(f"{number} {code}" for code, number in codes.items()),
        )


def lines(run: Run) -> list[Line]:
    """Return a line for each service, model and size."""
    places = [n for n, axis in enumerate(run.axes) if axis.kind in _BY]
    groups: dict[tuple[int, ...], list[Cell]] = defaultdict(list)
    for cell in run.cells:
        groups[tuple(cell.at[n] for n in places)].append(cell)
    return [
        Line(
            names=tuple(run.axes[n].label(v) for n, v in zip(places, values, strict=True)),
            cells=tuple(cells),
        )
        for values, cells in sorted(groups.items())
    ]


def header(run: Run) -> tuple[str, ...]:
    """Return the headings over the lines."""
    return (*(axis.name for axis in run.axes if axis.kind in _BY), *_HEADER)


def named_columns(run: Run) -> int:
    """Return how many columns name a line, before those of its figures."""
    return len(header(run)) - len(_HEADER)


def rows(run: Run) -> list[tuple[str, ...]]:
    """Return the table as text: the headings, then the lines."""
    return [header(run), *((*line.names, *line.figures) for line in lines(run))]


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

"""The run in figures: a line for each model and size, and a line for each image."""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from nscale_cli.output.images import amount
from nscale_cli.output.report import words
from nscale_cli.output.report.cells import Cell, Kind, Run, State, readable
from nscale_cli.storage.names import text_of

_HEADER = ("saved", "median", "worst", "true size", "bytes", "cost", "failed")
_BY = (Kind.SERVICE, Kind.MODEL, Kind.SIZE)
_COLUMNS = (
    "state", "path", "format", "width", "height", "bytes", "sha256", "seconds", "cost_usd",
    "code", "billed", "http_status", "message",
)  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#!|~@&$^])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
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


def results_csv(run: Run, directory: Path) -> str:
    """Return a line for each image, its path relative to `directory`, as CSV.

    A value that a spreadsheet would take for a formula stands behind an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(_harmless(axis.name) for axis in run.axes), *_COLUMNS])
    for cell in run.cells:
        values = [axis.values[at] for axis, at in zip(run.axes, cell.at, strict=True)]
        writer.writerow([_harmless(text) for text in (*values, *_details(cell, directory))])
    return out.getvalue()


def _details(cell: Cell, directory: Path) -> Iterator[str]:
    """Yield what is known of an image, for the columns after the axes."""
    image, failure = cell.image, cell.failure
    yield str(cell.state)
    if image is None:
        yield from [""] * 6
    else:
        size = (image.size.width, image.size.height) if image.size else ("", "")
        path = text_of(relative(image.path, directory)) if image.path else ""
        yield from (path, image.format, *map(str, size), str(image.byte_count), image.sha256)
    yield "" if cell.seconds is None else f"{cell.seconds:.3f}"
    yield "" if cell.cost_usd is None else f"{cell.cost_usd:.9g}"
    if failure is None:
        yield from [""] * 4
    else:
        status = "" if failure.http_status is None else str(failure.http_status)
        yield from (failure.code, str(failure.billed), status, failure.message)


def relative(path: Path, directory: Path) -> Path:
    """Return `path` as seen from `directory`, or as it is where it lies elsewhere."""
    return path.relative_to(directory) if path.is_relative_to(directory) else path


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", readable(" ".join(text.split())))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

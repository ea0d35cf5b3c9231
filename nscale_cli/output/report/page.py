"""Pages: HTML files that need no network, and are tables before they are anything else."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from os import fsencode
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nscale_cli.output.report import summary, words
from nscale_cli.output.report.album import MAX_ON_PAGE, Shown
from nscale_cli.output.report.audit import Drift
from nscale_cli.output.report.blind import Ballot, Key
from nscale_cli.output.report.cells import Cell, Run, State, readable, readable_lines
from nscale_cli.output.report.grid import Grid, Span
from nscale_cli.output.report.pictures import HASH_BITS
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from jinja2 import Environment

_ASSETS = Path(__file__).with_name("assets")
_POLICY = (
    "default-src 'none'; img-src data: 'self'; style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'"
)
_LONG_TEXT = 280  # characters; what is longer can be unfolded
_MAX_TEXT = 20_000
_MAX_NAME = 300
_GALLERY_COLUMNS, _MAX_COLUMNS = 4, 8  # which the style knows how to fit into a window

BLIND_NAME = "blind.html"

Values = dict[str, object]  # of a template


@frozen
class Content:
    """What a page shows beside the cells: their pictures, and what was found out about them.

    `shown_then` gives the pictures of the older run that `drifts` are from. `link` says where the
    original of a picture is, if that is not to be said as it is.
    """

    directory: Path
    shown: Callable[[Cell], Shown | None]
    notes: Sequence[str] = ()
    drifts: Sequence[Drift] = ()
    shown_then: Callable[[Cell], Shown | None] = lambda _: None
    link: Callable[[Path], str] | None = None


def pages(grid: Grid, content: Content) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page; more than MAX_ON_PAGE pictures need several."""
    parts = _parts(grid)
    names = ["index.html", *(f"index-{number}.html" for number in range(2, len(parts) + 1))]
    whole = _whole(grid, content) | {"pages": names}
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        values = whole | _cells(part, content) | {"page": number}
        yield name, render("page", values)


def render(name: str, values: Values) -> str:
    """Return a page with its style and script inside, which no other may join (CSP)."""
    style, script = _asset("page.css"), _asset(f"{name}.js")
    policy = _POLICY.format(style=_source_hash(style), script=_source_hash(script))
    template = _templates().get_template(f"{name}.html")
    return template.render(values | {"policy": policy, "style": style, "script": script})


def text_of_page(text: str) -> str:
    """Return untrusted text as a page may hold it, still to be escaped."""
    return readable_lines(text[:_MAX_TEXT])


@lru_cache(maxsize=1)
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_ASSETS),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["own"] = Markup  # the style and the script, which are the program's own
    return environment


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _source_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _parts(grid: Grid) -> list[Grid]:
    """Return what each page shows: whole rows, and at most MAX_ON_PAGE pictures if it can be."""
    if grid.is_gallery:
        cells = grid.run.cells
        starts = range(0, max(1, len(cells)), MAX_ON_PAGE)
        runs = [replace(grid.run, cells=cells[n : n + MAX_ON_PAGE]) for n in starts]
        return [replace(grid, run=run) for run in runs]
    step = max(1, MAX_ON_PAGE // len(grid.columns))
    return [grid.part(rows=slice(n, n + step)) for n in range(0, len(grid.rows), step)]


def _whole(grid: Grid, content: Content) -> Values:
    """Return what is the same on every page."""
    run = grid.run
    title = words.title(run)
    columns = _GALLERY_COLUMNS if grid.is_gallery else len(grid.columns)
    return {
        "title": readable(title[:_MAX_NAME]),
        "heading": text_of_page(title),
        "facts": words.facts(run),
        "notes": content.notes,
        "drifts": [_drift(run, drift, content) for drift in content.drifts],
        "figures": summary.rows(run),
        "named": summary.named_columns(run),
        "long_text": _LONG_TEXT,
        "width": f"c{min(columns, _MAX_COLUMNS)}",
    }


def _cells(grid: Grid, content: Content) -> Values:
    """Return the cells of one page, and the headings over and beside them."""
    if grid.is_gallery:
        cells = [_cell(grid, cell, content) for cell in grid.run.cells]
        return {"groups": [], "head": [], "gallery": cells, "has_labels": False, "columns": 0}
    levels = range(len(grid.column_axes))
    return {
        "head": [_headings(grid.column_spans(level), last=level == levels[-1]) for level in levels],
        "groups": list(_groups(grid, content)),
        "gallery": [],
        "has_labels": bool(grid.row_axes),
        "columns": len(grid.columns) + bool(grid.row_axes),
    }


def _headings(spans: Sequence[Span], *, last: bool) -> list[Values]:
    scope = "col" if last else "colgroup"
    return [
        {"label": text_of_page(span.label), "length": span.length, "scope": scope} for span in spans
    ]


def _groups(grid: Grid, content: Content) -> Iterator[list[Values]]:
    """Yield the rows of each group: its headings, which nest, then its lines of cells."""
    levels = range(len(grid.row_axes))
    spans = [{span.start: span for span in grid.row_spans(level)} for level in levels]
    group: list[Values] = []
    for number, cells in enumerate(grid.cells):
        bands = [spans[level][number] for level in levels[:-1] if number in spans[level]]
        if bands and group:
            yield group
            group = []
        group += [{"band": text_of_page(span.label)} for span in bands]
        label = text_of_page(spans[-1][number].label) if levels else ""
        line = [_cell(grid, cell, content) for cell in cells]
        group.append({"band": "", "label": label, "cells": line})
    yield group


def _cell(grid: Grid, cell: Cell | None, content: Content) -> Values:
    labels = list(grid.run.labels(cell)) if grid.is_gallery and cell else []
    labels = [text_of_page(label)[:_LONG_TEXT] for label in labels]
    shown = content.shown(cell) if cell else None
    if cell is None or shown is None or cell.image is None or cell.image.path is None:
        return _absent(cell, labels)
    return {
        "src": shown.src,
        "width": shown.width,
        "height": shown.height,
        "href": (content.link or partial(_address, directory=content.directory))(cell.image.path),
        "name": name_of(grid.run, cell),
        "labels": labels,
        "facts": words.caption(cell),
    }


def _absent(cell: Cell | None, labels: Sequence[str]) -> Values:
    """Return what stands in place of a picture."""
    saved = cell is not None and cell.state is State.SAVED
    failure = cell.failure if cell else None
    status = failure.http_status if failure else None
    return {
        "src": "",
        "state": "failed" if saved or failure else "unsent",
        "labels": labels,
        "facts": [
            *(["cannot be read"] if saved else words.absence(cell)),
            *([f"HTTP {status}"] if status else []),
        ],
        "message": text_of_page(failure.message) if failure else "",
    }


def name_of(run: Run, cell: Cell) -> str:
    """Return what a picture is called where it cannot be seen: its prompt, then what varies."""
    prompt = readable(run.prompt(cell)[:_MAX_NAME])
    others = [label[:_MAX_NAME] for label in run.labels(cell)]
    return ", ".join(dict.fromkeys([prompt, *others]))


def _address(path: Path, directory: Path) -> str:
    """Return the link to a file: relative where it lies in the page's own directory."""
    if not path.is_relative_to(directory):
        return path.as_uri()
    return quote(fsencode(path.relative_to(directory).as_posix()))


def _drift(run: Run, drift: Drift, content: Content) -> Values:
    then, now = content.shown_then(drift.then), content.shown(drift.now)
    name = name_of(run, drift.now)
    return {
        "name": name,
        "alt": name[:_MAX_NAME],
        "then": then.src if then else "",
        "now": now.src if now else "",
        "figures": [distance_text(drift), *then_and_now(drift)],
    }


def distance_text(drift: Drift) -> str:
    """Return how far two pictures lie apart."""
    if drift.identical:
        return "identical"
    return "unknown" if drift.bits is None else f"{drift.bits} of {HASH_BITS}"


def then_and_now(drift: Drift) -> list[str]:
    """Return seconds, true size and cost, then and now."""
    both = (drift.then, drift.now)
    seconds = ["?" if cell.seconds is None else f"{cell.seconds:.1f} s" for cell in both]
    sizes = [str(cell.true_size or "?") for cell in both]
    costs = ["?" if cell.cost_usd is None else words.money(cell.cost_usd) for cell in both]
    return [" → ".join(dict.fromkeys(pair)) for pair in (seconds, sizes, costs)]


def blind_page(key: Key, shown: Callable[[str], Shown | None]) -> str:
    """Return the page; `shown` gives a picture, encoded anew, by the key of its row.

    Nobody is asked about a picture that is gone.
    """
    ballots = [_ballot(n, ballot, shown) for n, ballot in enumerate(key.ballots)]
    there = [{each["letter"] for each in ballot["pictures"]} for ballot in ballots]
    pairs = [pair for pair in key.pairs if {pair.left, pair.right} <= there[pair.ballot]]
    return render(
        "blind",
        {
            "title": "Which is better?",
            "seal": key.seal,
            "pairs": " ".join(f"{pair.ballot}:{pair.left}:{pair.right}" for pair in pairs),
            "pair_count": len(pairs),
            "width": f"c{min(max(map(len, there)), _MAX_COLUMNS)}",
            "prompt_count": len({ballot.prompt for ballot in key.ballots}),
            "ballots": ballots,
        },
    )


def _ballot(number: int, ballot: Ballot, shown: Callable[[str], Shown | None]) -> dict[str, Any]:
    pictures = [(letter, shown(row)) for letter, row in ballot.rows.items()]
    return {
        "number": number,
        "prompt": text_of_page(ballot.prompt),
        "pictures": [
            {"letter": letter, "src": it.src} for letter, it in pictures if it is not None
        ],
    }

"""A report on disk: sheet, page and tables, drawn from what is in the run's directory."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

from nscale_cli.output.report import blind, summary
from nscale_cli.output.report.album import Album
from nscale_cli.output.report.audit import Drift, drifts, effects, other_sizes
from nscale_cli.output.report.cells import Run
from nscale_cli.output.report.fonts import Fonts
from nscale_cli.output.report.grid import Grid, arrange
from nscale_cli.output.report.page import (
    BLIND_NAME,
    Content,
    blind_page,
    distance_text,
    name_of,
    pages,
    then_and_now,
)
from nscale_cli.output.report.sheet import draw
from nscale_cli.output.report.sheet_layout import DEFAULT_CELL, lay_out
from nscale_cli.storage.files import remove_quietly
from nscale_cli.storage.private_files import replace_file
from nscale_cli.storage.replace import replace_whole
from nscale_cli.values import frozen

TABLE_NAME, KEY_NAME = "table.md", "key.json"
_NUMBERED = re.compile(r"(sheet-[0-9]+\.png|index-[0-9]+\.html)")
_FIRST = ("sheet.png", "index.html", TABLE_NAME)


@frozen
class ReportOptions:
    """What is drawn, and how: `rows` and `columns` name axes, `cell` is a side in pixels."""

    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cell: int = DEFAULT_CELL
    sheet: bool = True
    page: bool = True
    embed: bool = False


@frozen
class Report:
    """What was written. `without_font` are labels that the sheet could not have."""

    sheets: tuple[Path, ...]
    notes: tuple[str, ...]
    drifts: tuple[Drift, ...] = ()
    without_font: tuple[str, ...] = ()
    pages: tuple[Path, ...] = ()
    table: Path | None = None

    @property
    def page(self) -> Path | None:
        """The first page."""
        return self.pages[0] if self.pages else None


def write_report(
    run: Run,
    directory: Path,
    options: ReportOptions,
    *,
    env: Mapping[str, str],
    before: Run | None = None,
) -> Report:
    """Write what `options` ask for into `directory`, in place of what an earlier report left.

    `before` is an older run to be laid beside this one. Raises UsageError for an axis that is not
    there, and OSError where a file cannot be written.
    """
    grid, fonts = arrange(run, rows=options.rows, columns=options.columns), Fonts(env)
    with ExitStack() as stack:
        side, embed, page = options.cell, options.embed, options.page
        now = stack.enter_context(Album(run.cells, side=side, embed=embed, thumbnails=page))
        then = stack.enter_context(Album(before.cells if before else (), thumbnails=page))
        sheets = list(_write_sheets(grid, directory, options, fonts, now))
        now.read_all()
        then.read_all()
        report = Report(
            sheets=tuple(sheets),
            notes=(*map(str, effects(run, now.hashes)), *other_sizes(run)),
            drifts=tuple(drifts(before, run, then.hashes, now.hashes)) if before else (),
            without_font=tuple(fonts.missing),
        )
        content = Content(
            directory=directory,
            shown=now.shown,
            notes=report.notes,
            drifts=report.drifts,
            shown_then=then.shown,
        )
        texts = pages(grid, content) if page else ()
        written = [_put(directory / name, text) for name, text in texts]
    said = [*report.notes, *(drift_sentence(run, drift) for drift in report.drifts)]
    table = _put(directory / TABLE_NAME, summary.markdown(run, said))
    _remove_older(directory, {*sheets, *written})
    return replace(report, pages=tuple(written), table=table)


def drift_sentence(run: Run, drift: Drift) -> str:
    """Return how one picture differs from the older run's."""
    return f"{name_of(run, drift.now)}: {', '.join([distance_text(drift), *then_and_now(drift)])}"


def write_blind(run: Run, directory: Path, key: blind.Key) -> Path:
    """Write the page whose letters `key` explains; return its path."""
    cells = {cell.row: cell for cell in run.cells}
    with Album(run.cells) as album:
        album.read_alike()
        return _put(directory / BLIND_NAME, blind_page(key, lambda row: album.shown(cells[row])))


def _write_sheets(
    grid: Grid, directory: Path, options: ReportOptions, fonts: Fonts, album: Album
) -> Iterator[Path]:
    if not options.sheet:
        return
    for number, sheet in enumerate(lay_out(grid, fonts, cell=options.cell), start=1):
        name = f"sheet-{number}.png" if number > 1 else "sheet.png"
        yield _put(directory / name, draw(sheet, album.read))


def _put(path: Path, data: bytes | str) -> Path:
    """Write a file of the report at once, in place of an older one; raise OSError."""
    return replace_whole(path, data if isinstance(data, bytes) else data.encode())


def is_of_report(path: Path) -> bool:
    """Return whether a report writes a file of this name."""
    return path.name in _FIRST or bool(_NUMBERED.fullmatch(path.name))


def _remove_older(directory: Path, written: set[Path]) -> None:
    """Remove the further sheets and pages of an earlier report that had more of them."""
    for path in directory.iterdir():
        if _NUMBERED.fullmatch(path.name) and path not in written:
            remove_quietly(path)


def blind_key(run: Run, bookkeeping: Path, chance: Random) -> blind.Key:
    """Return the key of a run's blind page: the one that is there, or a new one, for its owner.

    A key of before the run grew is kept beside it, since votes may name it. Raises UsageError
    where there is nothing to judge, and OSError where the key cannot be kept.
    """
    path = bookkeeping / KEY_NAME
    for key in read_keys(bookkeeping).values():
        if key.is_of(run):
            return key
    made = blind.make_key(run, chance)
    if path.exists():
        old = blind.read_key(path.read_bytes())
        replace_file(bookkeeping / f"key-{old.seal[:12]}.json", old.data)
    replace_file(path, made.data)
    return made


def read_keys(bookkeeping: Path) -> dict[str, blind.Key]:
    """Return all keys of a run, by their seals; raise UsageError where one is damaged."""
    keys = [blind.read_key(path.read_bytes()) for path in sorted(bookkeeping.glob("key*.json"))]
    return {key.seal: key for key in keys}

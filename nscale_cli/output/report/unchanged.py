"""Whether a report that is on disk is what would be drawn again: it is then left as it is."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from nscale_cli import __version__
from nscale_cli.output.report.cells import Run
from nscale_cli.output.report.write import TABLE_NAME, Report, ReportOptions, is_of_report
from nscale_cli.storage.replace import replace_whole

NAME = "report.json"
_ASSETS = Path(__file__).with_name("assets")

State = tuple[str, int, int]  # of a file: its name, its size, and when it was written


def digest(run: Run, options: ReportOptions, env: Mapping[str, str]) -> str:
    """Return a hash of all that a report shows: cells, options, pictures, and how they are drawn.

    It has to be taken before anything is drawn. A picture that changes meanwhile is then another
    one when the next report is wanted.
    """
    pictures = [cell.image.path for cell in run.cells if cell.image and cell.image.path]
    own = (__version__, env.get("NSCALE_FONT"), _states(sorted(_ASSETS.iterdir())))
    told = repr((own, run, options, _states(pictures)))
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def remember(report: Report, bookkeeping: Path, drawn_from: str) -> None:
    """Keep what `recall` needs; where that cannot be, the report is simply drawn again.

    Fonts come and go: of a report that lacked one, nothing is kept.
    """
    if report.without_font:
        return
    files = (*report.sheets, *report.pages, *([report.table] if report.table else []))
    document = {"drawn_from": drawn_from, "files": _states(files), "notes": report.notes}
    with suppress(OSError):
        replace_whole(bookkeeping / NAME, json.dumps(document).encode())


def recall(bookkeeping: Path, directory: Path, drawn_from: str) -> Report | None:
    """Return the report that is there; None where it is not all there, or not as it would be."""
    try:
        document = json.loads((bookkeeping / NAME).read_bytes())
        found = [(str(name), size, time) for name, size, time in document["files"]]
        notes = tuple(map(str, document["notes"]))
        same = document["drawn_from"] == drawn_from
    except (OSError, ValueError, TypeError, KeyError):
        return None  # none was kept, or somebody wrote into it
    paths = [directory / name for name, _, _ in found]
    if not same or found != _states(paths) or not all(map(is_of_report, paths)):
        return None
    return Report(
        sheets=tuple(path for path in paths if path.suffix == ".png"),
        pages=tuple(path for path in paths if path.suffix == ".html"),
        notes=notes,
        table=directory / TABLE_NAME,
    )


def _states(paths: Iterable[Path]) -> list[State]:
    return [_state(path) for path in paths]


def _state(path: Path) -> State:
    try:
        found = path.stat()
    except OSError:
        return path.name, -1, -1  # which it shares with no file
    return path.name, found.st_size, found.st_mtime_ns

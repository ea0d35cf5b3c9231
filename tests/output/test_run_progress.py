"""How a run goes on, as the user hears of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nscale_cli.errors import AnswerTimeout
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.output.run_progress import RunProgress
from nscale_cli.request import SavedImage, Size
from nscale_cli.runs.ledger import Place, open_ledger
from nscale_cli.runs.plan import PlannedRow, RunDirectory
from nscale_cli.runs.survey import Survey
from nscale_cli.terminal.streams import Terminal
from tests.conftest import Stream
from tests.runs.rows import row


class Screen:
    """A terminal, or none, and a clock; `shown` is what stood in the line that changes."""

    def __init__(self, folder: Path, *, tty: bool) -> None:
        """Start at noon."""
        self.folder, self.now = folder, 0.0
        self.stderr, self.stdout = Stream(tty=tty), Stream()
        self.terminal = Terminal(
            stdin=Stream(), stdout=self.stdout, stderr=self.stderr, env={"TERM": "xterm"}
        )
        self.shown: list[str] = []

    @contextmanager
    def progress(self) -> Iterator[RunProgress]:
        """Yield the progress of a run of ten rows, two of which are saved already."""
        survey = Survey(rows=10, saved=2, to_send=8)
        with open_ledger(Place(run=RunDirectory(path=self.folder))) as ledger:
            ledger.states.money.spent_usd = 0.5
            yield RunProgress(
                self.terminal,
                ledger,
                survey,
                self.shown.append,
                estimate_usd=2.0,
                paths=True,
                lines=False,
                monotonic=lambda: self.now,
            )

    @property
    def said(self) -> list[str]:
        """The lines on stderr."""
        return self.stderr.content.decode().splitlines()


@pytest.fixture
def planned() -> PlannedRow:
    """The third row."""
    return PlannedRow(key="a#1", number=3, path="a.png", row=row(id="hero"))


def saved(folder: Path, planned: PlannedRow) -> JobResult:
    """Return a success."""
    size = Size(width=64, height=64)
    image = SavedImage(
        path=folder / "sub/a.png", format="png", size=size, byte_count=999, sha256="00"
    )
    job = Job(id=planned.key, request=planned.request, target=None)
    return JobResult(job=job, images=(image,), elapsed_seconds=2.0)


def failed(planned: PlannedRow) -> JobResult:
    """Return a failure."""
    job = Job(id=planned.key, request=planned.request, target=None)
    return JobResult(job=job, errors=(AnswerTimeout("no answer within 1 s"),))


def test_on_a_terminal_one_line_tells_how_far_the_run_is(
    tmp_path: Path, planned: PlannedRow
) -> None:
    """Problems stand above it; the time that is left is by what the run has done so far."""
    screen = Screen(tmp_path, tty=True)
    with screen.progress() as progress:
        progress.tick(0)
        assert screen.shown == []  # nothing is out yet
        progress.tick(4)
        screen.now = 4.0
        progress.finished(planned, saved(tmp_path, planned), 0.1)
        progress.finished(planned, failed(planned), None)
        progress.tick(4)
    assert screen.shown == [
        "2/10 saved  4 under way  about $0.500 of $2.000",
        "3/10 saved  1 failed  4 under way  about $0.500 of $2.000  0.5/s  0:12 left",
    ]
    assert len(screen.said) == 1
    assert screen.said[0].endswith(
        "row 3 (hero), 'A red fox': no answer within 1 s; it may have been billed"
    )
    assert screen.stdout.content.decode() == f"{tmp_path}{os.sep}sub/a.png\n"


def test_off_a_terminal_each_row_is_a_line_with_a_summary_now_and_then(
    tmp_path: Path, planned: PlannedRow
) -> None:
    """Never an animation."""
    screen = Screen(tmp_path, tty=False)
    with screen.progress() as progress:
        progress.finished(planned, saved(tmp_path, planned), 0.1)
        for now in (1.0, 29.0, 30.0, 31.0, 59.0, 60.0):
            screen.now = now
            progress.tick(4)
    assert screen.said == [
        "saved sub/a.png  64x64  PNG  999 B  2.0 s  about $0.100000",
        "3/10 saved  4 under way  about $0.500 of $2.000  0.0/s  3:30 left",
        "3/10 saved  4 under way  about $0.500 of $2.000  0.0/s  7:00 left",
    ]
    assert screen.shown == []


def test_the_line_fits_a_narrow_terminal(
    tmp_path: Path, planned: PlannedRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is broken could not be drawn over."""
    monkeypatch.setattr(
        "nscale_cli.terminal.streams.size_of_window",
        lambda: type("Size", (), {"columns": 30, "lines": 5})(),
    )
    screen = Screen(tmp_path, tty=True)
    with screen.progress() as progress:
        progress.tick(4)
    assert screen.shown == ["2/10 saved  4 under way"]

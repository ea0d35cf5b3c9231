"""What a run has come to."""

from pathlib import Path

import pytest

from nscale_cli.errors import Billed, ExitCode
from nscale_cli.runs.plan import PlannedRow, RunDirectory
from nscale_cli.runs.states import RowHistory
from nscale_cli.runs.totals import Totals, outcome_of
from tests.runs.rows import row

PLANNED = PlannedRow(key="a#1", number=1, path="a.png", row=row())
SAVED = RowHistory(saved=True, images=[{"path": "a.png"}])
ELSEWHERE = RowHistory(saved=True, images=[{"path": "/dev/null"}])
GONE = RowHistory(saved=True, images=[{"path": "gone.png"}])
NOT_SENT = RowHistory()
NO_CREDIT = RowHistory(code="credit")
NO_KEY = RowHistory(code="key")
REFUSED = RowHistory(code="refused")
LATE = RowHistory(maybe=True, code="timeout")
BROKEN = RowHistory(maybe=True, code="service_failed")
CUT_OFF = RowHistory(open=True)
MAYBE_THEN_NO_CREDIT = RowHistory(maybe=True, code="credit")
SHORT = RowHistory(paid=True, code="incomplete")
LOST = RowHistory(paid=True, code="not_saved")


def totals(folder: Path, *histories: RowHistory) -> Totals:
    """Return what these rows come to."""
    (folder / "a.png").write_bytes(b"")
    found = Totals()
    for history in histories:
        found.add(outcome_of(PLANNED, history, RunDirectory(path=folder)))
    return found


@pytest.mark.parametrize(
    ("histories", "code"),
    [
        ([SAVED, SAVED], ExitCode.OK),
        ([], ExitCode.OK),
        ([SAVED, ELSEWHERE], ExitCode.SAVED_ELSEWHERE),
        ([SAVED, NOT_SENT], ExitCode.PARTIAL),
        ([SAVED, NO_CREDIT, REFUSED], ExitCode.PARTIAL),
        ([SAVED, SHORT], ExitCode.PARTIAL),
        ([SAVED, GONE], ExitCode.PARTIAL),
        ([SAVED, LATE], ExitCode.PARTIAL_MAYBE),
        ([SAVED, CUT_OFF, NO_CREDIT], ExitCode.PARTIAL_MAYBE),
        ([LATE, BROKEN, NO_CREDIT], ExitCode.SERVICE_FAILED),
        ([LATE, CUT_OFF], ExitCode.DISCONNECTED),
        ([LATE, NO_CREDIT], ExitCode.TIMEOUT),
        ([MAYBE_THEN_NO_CREDIT], ExitCode.DISCONNECTED),
        ([SHORT, LATE], ExitCode.INCOMPLETE),
        ([LOST, SHORT], ExitCode.NOT_SAVED),
        ([NO_CREDIT, NO_KEY], ExitCode.CREDIT),
        ([NO_KEY, REFUSED], ExitCode.KEY),
        ([REFUSED, NOT_SENT], ExitCode.REFUSED),
        ([GONE], ExitCode.INCOMPLETE),
    ],
)
def test_the_exit_code_tells_whether_a_run_may_be_repeated(
    tmp_path: Path, histories: list[RowHistory], code: ExitCode
) -> None:
    """Without one image it is that of the gravest row."""
    assert totals(tmp_path, *histories).exit_code() is code


def test_a_run_that_sent_nothing_has_the_code_of_what_stopped_it(tmp_path: Path) -> None:
    """Such as a limit on the cost."""
    assert totals(tmp_path, NOT_SENT).exit_code(ExitCode.USAGE) is ExitCode.USAGE


def test_each_row_is_counted_once(tmp_path: Path) -> None:
    """The parts are the whole."""
    found = totals(tmp_path, SAVED, GONE, SHORT, LATE, CUT_OFF, NO_CREDIT, REFUSED, NOT_SENT)
    assert (found.total, found.saved, found.not_sent) == (8, 1, 1)
    assert (found.failed_billed, found.failed_maybe_billed, found.failed_not_billed) == (2, 2, 2)
    assert found.refused == 1


@pytest.mark.parametrize(
    ("history", "billed"),
    [(SAVED, "yes"), (GONE, "yes"), (LATE, "maybe"), (REFUSED, "no"), (NOT_SENT, "no")],
)
def test_a_row_says_whether_it_was_billed(tmp_path: Path, history: RowHistory, billed: str) -> None:
    """As far as this program can know."""
    (tmp_path / "a.png").write_bytes(b"")
    outcome = outcome_of(PLANNED, history, RunDirectory(path=tmp_path))
    assert outcome.billed is Billed(billed)

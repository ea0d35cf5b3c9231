"""Making a plan: keys that stay, files that are whole, mistakes that come all at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nscale_cli.errors import ConfigurationError, UsageError
from nscale_cli.runs.plan import PlanHeader, RunDirectory, read_header
from nscale_cli.runs.planning import digest_of
from nscale_cli.runs.rows import RowsRefused
from tests.conftest import without_coverage
from tests.runs.rows import SERVICE, plan, planned, request, row


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Requests, names, fields: nothing is lost between the two directions."""
    rows = [
        row("fox\nÉ\u2028x", line=2, id="a", out="x/hero.png", fields={"mood": "dark"}),
        row("cat", line=3, count=2, service="https://other.example/v1"),
        row("cat", line=4),
    ]
    rows[1] = rows[1].__class__(request=request("cat", params={"seed": [1]}, send_size=False))
    summary = plan(tmp_path, rows)
    back = planned(tmp_path)
    assert [each.row for each in back] == rows
    assert [each.number for each in back] == [1, 2, 3]
    assert [each.path for each in back] == ["x/hero.png", "0002-cat.{ext}", "0003-cat.{ext}"]
    assert [bool(each.row.out) for each in back] == [True, False, False]
    assert (summary.rows, sum(each.request.count for each in back)) == (3, 3)
    assert {each.request.model for each in back} == {"a/model"}
    assert read_header(RunDirectory(path=tmp_path)) == PlanHeader(base_url=SERVICE)


def test_a_plan_is_one_json_document_with_one_row_a_line(tmp_path: Path) -> None:
    """For people, for other programs, and so that it can be streamed."""
    plan(tmp_path, [row("a"), row("b")])
    text = (tmp_path / "run/plan.json").read_text(encoding="utf-8")
    assert [each["prompt"] for each in json.loads(text)["rows"]] == ["a", "b"]
    assert len(text.splitlines()) == 4


def test_equal_rows_are_counted_and_no_insertion_moves_a_key(tmp_path: Path) -> None:
    """Intended repeats stay repeats; what was bought is found again."""
    plan(tmp_path, [row("a"), row("b"), row("a")])
    before = {each.key for each in planned(tmp_path)}
    summary = plan(tmp_path, [row("new"), row("a"), row("a"), row("b")])
    after = [each.key for each in planned(tmp_path)]
    assert [key[16:] for key in after] == ["#1", "#1", "#2", "#1"]
    assert before < set(after)
    assert summary.equal_rows == 1


def test_a_key_tells_what_is_bought_and_where() -> None:
    """Another service, or another field of the request, is another purchase; an id is none."""
    one = digest_of(SERVICE, request("fox"))
    others = {
        digest_of("https://other.example/v1", request("fox")),
        digest_of(SERVICE, request("fox", params={"seed": 1})),
        digest_of(SERVICE, request("fox", model="b")),
        digest_of(SERVICE, request("fox", count=2)),
    }
    assert len({one, *others}) == 5
    assert len(one) == 16
    params = [{"a": 1, "b": 2}, {"b": 2, "a": 1}]
    assert len({digest_of(SERVICE, request("fox", params=each)) for each in params}) == 1


def test_unique_leaves_repeats_out_and_limit_the_rest(tmp_path: Path) -> None:
    """Both are checked all the same."""
    rows = [row("a"), row("a", line=2), row("b"), row("c")]
    assert plan(tmp_path, rows, unique=True, limit=2).rows == 2
    assert [each.request.prompt for each in planned(tmp_path)] == ["a", "b"]
    with pytest.raises(RowsRefused):
        plan(tmp_path, [row("a"), row("b", out="../x")], limit=1)


def test_mistakes_in_names_and_ids_come_together_and_the_old_plan_stays(tmp_path: Path) -> None:
    """Half a plan is none."""
    plan(tmp_path, [row("a", id="one")])
    before = (tmp_path / "run/plan.json").read_bytes()
    with pytest.raises(RowsRefused) as caught:
        plan(
            tmp_path,
            [
                row("b", line=2, id="one"),
                row("a", line=3, id="two", out="x.png"),
                row("c", line=4, id="two", out="x.png"),
                row("d", line=5, out="../d.png"),
            ],
        )
    assert list(caught.value.mistakes) == [
        "rows, line 2, column id: 'one' names another request in this folder's plan; "
        "give the row a new id",
        "rows, line 4, column out: x.png is the file of line 3, too",
        "rows, line 5, column out: the name '../d.png' leaves the run's folder",
    ]
    assert (tmp_path / "run/plan.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["plan.json"]


def test_an_id_is_given_once(tmp_path: Path) -> None:
    """It names one row to people."""
    with pytest.raises(RowsRefused) as caught:
        plan(tmp_path, [row("a", id="x", line=2), row("a", id="x", line=7)])
    assert list(caught.value.mistakes) == ["rows, line 7, column id: 'x' is the id of line 2, too"]


def test_an_id_may_name_the_same_request_at_another_service(tmp_path: Path) -> None:
    """Whoever names the service on the command line buys new rows."""
    plan(tmp_path, [row("a", id="x")])
    plan(tmp_path, [row("a", id="x")], base_url="https://other.example/v1")


def test_an_equal_plan_is_not_written_again(tmp_path: Path) -> None:
    """So that shards that start at once do not take it from under each other."""
    plan(tmp_path, [row("a")])
    before = (tmp_path / "run/plan.json").stat().st_ino
    plan(tmp_path, [row("a")])
    assert (tmp_path / "run/plan.json").stat().st_ino == before
    plan(tmp_path, [row("b")])
    assert (tmp_path / "run/plan.json").stat().st_ino != before


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UsageError, match=r"cannot be written to: .*; nothing was sent"):
        plan(tmp_path, [row("a")])


def test_a_folder_without_a_plan_holds_no_run(tmp_path: Path) -> None:
    """It is told from a run that has no rows."""
    assert read_header(RunDirectory(path=tmp_path)) is None
    with pytest.raises(UsageError, match="holds no run"):
        planned(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 1', '"version": 2', "is of version 2; this nscale knows up to 1"),
        ('"version": 1', '"version": x', "line 1, is damaged"),
        ('"base_url"', '"base"', "line 1, is damaged"),
        ('"n": 1', '"n": 0', "line 2, is damaged"),
        ('"0001-a', '"../a', "line 2, is damaged"),
        ('"0001-a.{ext}"', '"{x}"', "line 2, is damaged"),
        ('"0001-a.{ext}"', "7", "line 2, is damaged"),
        ('"prompt": "b"', '"prompt": 7', "line 3, is damaged"),
        ("]}", "", "line 4, is damaged"),
    ],
)
def test_a_damaged_plan_is_named_and_never_guessed_at(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """It may have come from somebody else, too, and leads nowhere else."""
    plan(tmp_path, [row("a"), row("b")])
    path = tmp_path / "run/plan.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        planned(tmp_path)
    assert message in caught.value.message


def test_a_plan_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    """Rows that are missing would be rows that nobody buys."""
    plan(tmp_path, [row("a"), row("b")])
    path = tmp_path / "run/plan.json"
    text = path.read_bytes()
    for length in range(len(text) - 1):
        path.write_bytes(text[:length])
        with pytest.raises(ConfigurationError):
            planned(tmp_path)


PLAN_MANY = """
import sys
from pathlib import Path
from nscale_cli.runs.plan import RunDirectory, read_plan
from tests.runs.rows import plan, row

def peak_kib(count):
    folder = Path(sys.argv[1]) / str(count)
    plan(folder, (row(f"prompt {n}", id=str(n), line=n) for n in range(count)))
    assert sum(1 for _ in read_plan(RunDirectory(path=folder))) == count
    # Not ru_maxrss, which begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])

few = peak_kib(20_000)
print(peak_kib(50_000) - few)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process its own peak")
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path) -> None:
    """A set of the keys, names and ids of 30,000 more rows would take three times as much."""
    result = subprocess.run(
        [sys.executable, "-c", PLAN_MANY, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env=without_coverage(os.environ),
    )
    assert int(result.stdout) < 8_000

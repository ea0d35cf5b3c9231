"""A run's books become axes and cells."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from nscale_cli.errors import Billed, InsufficientCredit, NscaleError, RequestRefused
from nscale_cli.output.report import from_run
from nscale_cli.output.report.cells import Kind, Run, State
from nscale_cli.output.report.from_run import read_run
from nscale_cli.request import Size
from nscale_cli.runs.comparison import NAME_TEMPLATE, ComparedService, Comparison
from nscale_cli.runs.journal import Journal
from nscale_cli.runs.plan import PlanHeader, RunDirectory, read_plan
from nscale_cli.runs.planning import write_plan
from nscale_cli.runs.row_names import RowNames
from nscale_cli.runs.rows import MistakeList
from tests.runs.rows import NOW, plan, row

ONE, TWO = "https://one.example/v1", "https://two.example/v1"
SIZE = Size(width=4, height=2)
IMAGE = {
    "path": "x.png", "format": "png", "width": 4, "height": 2, "bytes": 9, "sha256": "ab" * 32,
}  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    """A directory with one image in it."""
    (tmp_path / "x.png").write_bytes(b"x")
    return RunDirectory(path=tmp_path)


def compared(directory: RunDirectory, *services: ComparedService, **changes: object) -> Run:
    """Plan a comparison, and return the run as it is then."""
    values = {"services": services or (service(ONE, "a"),), "prompts": ("fox",), "fields": {}}
    comparison = Comparison(**(values | changes))  # type: ignore[arg-type]
    header = PlanHeader(base_url=ONE, axes=comparison.header)
    names = RowNames(NAME_TEMPLATE, now=NOW, rows_at_most=9)
    write_plan(directory, header, comparison.rows(), names=names, mistakes=MistakeList("here"))
    return read_run(directory)


def service(url: str, *models: str, name: str = "", **changes: object) -> ComparedService:
    """Return a service with its models."""
    values = {"base_url": url, "models": models, "sizes": (SIZE,), "name": name}
    return ComparedService(**(values | changes))  # type: ignore[arg-type]


def axes(run: Run) -> dict[str, tuple[str, ...]]:
    """Return the values of each axis by its name."""
    return {axis.name: axis.values for axis in run.axes}


def keys(directory: RunDirectory) -> list[str]:
    """Return the keys of the plan's rows."""
    return [planned.key for planned in read_plan(directory)]


def end(directory: RunDirectory, key: str, how: NscaleError | Mapping[str, object] | None) -> None:
    """Have a row sent, and end: with an error, an image, or without a word (None)."""
    with Journal(directory.bookkeeping / "journal.jsonl") as journal:
        journal.sent(key, attempt=1, idempotency_key="k", path="y.png", estimate_usd=0.5)
        if isinstance(how, NscaleError):
            journal.failed(key, how)
        elif how is not None:
            journal.saved(key, [how], seconds=1.5, cost_usd=0.25, request_id=None)


def test_axes_are_what_the_plan_asks_for(directory: RunDirectory) -> None:
    """In the order in which they were named; repeats are samples."""
    run = compared(
        directory,
        service(ONE, "b", "a", params={"quality": "high"}),
        prompts=("owl", "fox"),
        fields={"seed": (2, 1)},
        samples=2,
    )

    assert axes(run) == {
        "model": ("b", "a"),
        "size": ("4x2",),
        "seed": ("2", "1"),
        "quality": ("high",),
        "prompt": ("owl", "fox"),
        "sample": ("1", "2"),
    }
    assert len({cell.at for cell in run.cells}) == len(run.cells) == 16
    assert {cell.state for cell in run.cells} == {State.NOT_SENT}


def test_how_an_image_travels_is_no_axis(directory: RunDirectory) -> None:
    """Base64 or an address: it is the same image."""
    run = compared(directory, service(ONE, "a", params={"response_format": "url"}))

    assert "response_format" not in axes(run)


def test_services_are_an_axis_where_all_have_the_same_models(directory: RunDirectory) -> None:
    """By the names of their profiles."""
    run = compared(directory, service(ONE, "a", name="x"), service(TWO, "a", name="y"))

    assert axes(run)["service"] == ("x", "y") and axes(run)["model"] == ("a",)
    assert [run.value(cell, Kind.SERVICE) for cell in run.cells] == ["x", "y"]


def test_services_with_models_of_their_own_are_told_with_them(directory: RunDirectory) -> None:
    """A table of all services by all models would be half empty."""
    run = compared(directory, service(ONE, "a", name="x"), service(TWO, "b", name="y"))

    assert axes(run)["model"] == ("a, x", "b, y") and "service" not in axes(run)


def test_a_field_that_some_rows_lack_is_not_set_there(directory: RunDirectory) -> None:
    """Such as those of before the comparison grew."""
    run = compared(
        directory,
        service(ONE, "a", name="x", params={"steps": 4}),
        service(TWO, "a", name="y"),
    )

    assert axes(run)["steps"] == ("4", "not set")


def test_a_saved_row_has_its_image_time_and_cost(directory: RunDirectory) -> None:
    """As the journal says."""
    compared(directory)
    end(directory, keys(directory)[0], IMAGE)
    (cell,) = read_run(directory).cells

    assert (cell.state, cell.seconds, cell.cost_usd) == (State.SAVED, 1.5, 0.25)
    assert cell.image is not None and cell.image.path == directory.path / "x.png"
    assert cell.true_size == cell.asked == SIZE
    assert read_run(directory).made is not None


@pytest.mark.parametrize(
    ("how", "code", "bill", "message"),
    [
        (
            RequestRefused("no such thing", http_status=400),
            "refused",
            "not billed",
            "no such thing",
        ),
        (InsufficientCredit("nothing left"), "credit", "not billed", "nothing left"),
        (NscaleError("it broke", billed=Billed.MAYBE), "disconnected", "may be billed", "it broke"),
        (None, "disconnected", "may be billed", "the run was cut off before the answer"),
    ],
)
def test_a_failed_row_says_why_and_what_it_cost(
    directory: RunDirectory, how: NscaleError | None, code: str, bill: str, message: str
) -> None:
    """Also one that a crash left open."""
    compared(directory)
    end(directory, keys(directory)[0], how)
    (cell,) = read_run(directory).cells

    assert cell.state is State.FAILED and cell.failure is not None
    assert (cell.failure.code, cell.failure.bill, cell.failure.message) == (code, bill, message)


def test_a_row_of_several_images_is_several_cells(directory: RunDirectory) -> None:
    """One that is missing failed, and each has its share of the cost."""
    plan(directory.path, [row("fox", count=3), row("owl", line=2)])
    key = keys(directory)[0]
    with Journal(directory.bookkeeping / "journal.jsonl") as journal:
        journal.sent(key, attempt=1, idempotency_key="k", path="y.png", estimate_usd=0.5)
        short = NscaleError("two of three came", billed=Billed.YES)
        journal.failed(key, short, images=[IMAGE, IMAGE])
    run = read_run(directory)

    assert [cell.state for cell in run.cells] == [State.SAVED] * 2 + [State.FAILED, State.NOT_SENT]
    assert [run.prompt(cell) for cell in run.cells] == ["fox"] * 3 + ["owl"]
    assert len({cell.row for cell in run.cells}) == 4


def test_rows_of_a_batch_are_told_by_id_and_prompt(directory: RunDirectory) -> None:
    """Two may be alike, and remain two."""
    plan(directory.path, [row("fox", id="hero"), row("owl", line=2), row("owl", line=3)])

    assert axes(read_run(directory))["row"] == ("hero: fox", "owl", "owl")


def test_more_rows_than_can_be_looked_at_are_counted(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the report says so."""
    monkeypatch.setattr(from_run, "MAX_ROWS", 2)
    plan(directory.path, [row(f"fox {number}", line=number) for number in range(5)])
    run = read_run(directory)

    assert (len(run.cells), run.left_out) == (2, 3)

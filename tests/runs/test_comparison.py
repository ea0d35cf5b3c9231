"""Axes become rows; a comparison that is there grows."""

from pathlib import Path

import pytest

from nscale_cli.errors import Billed, NscaleError, UsageError
from nscale_cli.request import Size
from nscale_cli.runs.comparison import (
    NAME_TEMPLATE,
    ComparedService,
    Comparison,
    grown,
    read_fields,
    shown,
)
from nscale_cli.runs.journal import Journal
from nscale_cli.runs.plan import PlanHeader, RunDirectory, read_plan
from nscale_cli.runs.planning import write_plan
from nscale_cli.runs.row_names import RowNames
from nscale_cli.runs.rows import MistakeList
from tests.runs.rows import NOW

HOME = "https://one.example/v1"


def comparison(
    *models: str,
    prompts: tuple[str, ...] = ("fox",),
    fields: dict[str, tuple[object, ...]] | None = None,
    samples: int = 1,
    **changes: object,
) -> Comparison:
    """Return a comparison at one service."""
    service = ComparedService(
        base_url=HOME, models=models or ("a",), sizes=(Size(width=1, height=2),)
    )
    values = {"services": (service,), "prompts": prompts, "fields": fields or {}}
    return Comparison(**(values | {"samples": samples} | changes))  # type: ignore[arg-type]


def plan(run: RunDirectory, compared: Comparison) -> list[str]:
    """Write the plan of a comparison beside what is there; return the keys of its rows."""
    made = grown(run, PlanHeader(base_url=HOME, axes=compared.header), compared)
    names = RowNames(NAME_TEMPLATE, now=NOW, rows_at_most=len(made.rows))
    write_plan(run, made.header, made.rows, names=names, mistakes=MistakeList("here"))
    return [planned.key for planned in read_plan(run)]


def models_of(run: RunDirectory) -> list[str]:
    """Return the model of each row of the plan."""
    return [planned.request.model for planned in read_plan(run)]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A directory where no run is yet."""
    return RunDirectory(path=tmp_path)


def save(run: RunDirectory, *keys: str) -> None:
    """Have rows saved, with a file for each."""
    with Journal(run.bookkeeping / "journal.jsonl") as journal:
        for key in keys:
            name = f"{key.replace('#', '-')}.png"
            (run.path / name).write_bytes(b"x")
            journal.sent(key, attempt=1, idempotency_key="k", path=name, estimate_usd=None)
            journal.saved(key, [{"path": name}], seconds=1.0, cost_usd=None, request_id=None)


def test_a_row_for_each_combination_prompt_by_prompt() -> None:
    """Whatever is stopped early leaves whole rows of the table."""
    rows = list(
        comparison("a", "b", prompts=("fox", "owl"), fields={"seed": (1, 2)}, samples=2).rows()
    )

    assert len(rows) == 16
    assert [row.request.prompt for row in rows] == ["fox"] * 8 + ["owl"] * 8
    assert rows[0] == rows[1] and rows[0].request.params == {"seed": 1}
    assert [row.request.model for row in rows[:8]] == ["a"] * 4 + ["b"] * 4


def test_a_file_name_tells_what_it_is_of(run: RunDirectory) -> None:
    """Prompt, model, size, and what varies; the blind ones tell the prompt alone."""
    plan(run, comparison("Org/Model-1.5", fields={"seed": (7,)}))
    assert [p.path for p in read_plan(run)] == ["fox-org-model-1.5-1x2-seed-7.{ext}"]
    plan(run, comparison("Org/Model-1.5", blind=True, prompts=("owl",)))
    assert "odel" not in [p.path for p in read_plan(run)][-1]


@pytest.mark.parametrize(
    ("compared", "product"),
    [
        (comparison(), "1 image"),
        (comparison("a", "b"), "2 images"),
        (comparison("a", "b", prompts=("x", "y", "z")), "2 models x 3 prompts = 6"),
        (
            comparison("a", "b", fields={"seed": (1, 2, 3)}, samples=2),
            "2 models x 3 seed values x 2 samples = 12",
        ),
    ],
)
def test_the_product_is_spelled_out(compared: Comparison, product: str) -> None:
    """As factors, where there is more than one."""
    assert compared.product == product


def test_several_services_have_rows_of_their_own() -> None:
    """Named by their addresses, where they are not the plan's own."""
    services = (
        ComparedService(base_url=HOME, name="one", models=("a",), sizes=(Size(width=1, height=1),)),
        ComparedService(
            base_url="https://two.example/v1",
            name="two",
            models=("b",),
            sizes=(Size(width=1, height=1),),
            params={"quality": "high"},
            send_size=False,
        ),
    )
    compared = comparison(services=services)
    rows = list(compared.rows())

    assert [row.service for row in rows] == ["", "https://two.example/v1"]
    assert rows[1].request.body == {"model": "b", "prompt": "fox", "n": 1, "quality": "high"}
    assert compared.header["services"] == {"one": HOME, "two": "https://two.example/v1"}
    assert compared.product == "2 images"


@pytest.mark.parametrize("pair", ["seed", "=1", "seed=[]", "seed=1,1", 'seed=[1, {"a": 1}, 1]'])
def test_a_field_without_different_values_is_refused(pair: str) -> None:
    """In one line."""
    with pytest.raises(UsageError):
        read_fields([pair], {})


def test_values_are_shown_as_they_are_written() -> None:
    """Texts as they are, all else as JSON."""
    assert [shown(value) for value in ("a b", 1, 1.5, True, None, ["ö"])] == [
        "a b", "1", "1.5", "true", "null", '["ö"]',
    ]  # fmt: skip


def test_the_same_comparison_gives_the_same_plan(run: RunDirectory) -> None:
    """To the byte."""
    plan(run, comparison("a", "b"))
    before = run.plan.read_bytes()
    plan(run, comparison("a", "b"))

    assert run.plan.read_bytes() == before


def test_what_is_saved_stays_beside_what_is_new(run: RunDirectory) -> None:
    """In the order in which it came."""
    first = plan(run, comparison("b", "a"))
    save(run, *first)
    keys = plan(run, comparison("c", "a"))

    assert keys[:2] == first and models_of(run) == ["b", "a", "c"]


def test_what_is_not_done_and_not_asked_for_leaves_the_plan(run: RunDirectory) -> None:
    """It would be bought by a command that does not name it."""
    keys = plan(run, comparison("a", "b"))
    save(run, keys[0])
    plan(run, comparison("c"))

    assert models_of(run) == ["a", "c"]


def test_what_may_have_been_billed_stays(run: RunDirectory) -> None:
    """It is listed, and left alone."""
    (key,) = plan(run, comparison("a"))
    with Journal(run.bookkeeping / "journal.jsonl") as journal:
        journal.sent(key, attempt=1, idempotency_key="k", path="a.png", estimate_usd=None)
        journal.failed(key, NscaleError("no answer", billed=Billed.MAYBE))
    plan(run, comparison("b"))

    assert models_of(run) == ["a", "b"]


def test_samples_of_before_keep_their_numbers(run: RunDirectory) -> None:
    """The second of three is saved: the first stays too, so that it remains the second."""
    keys = plan(run, comparison("a", samples=3))
    save(run, keys[1])
    again = plan(run, comparison("b"))

    assert again[:2] == keys[:2] and models_of(run) == ["a", "a", "b"]
    assert plan(run, comparison("a", samples=3))[:2] == keys[:2]


def test_fields_and_services_of_before_are_remembered(run: RunDirectory) -> None:
    """For the axes of the report; a title stays until another is given."""
    save(run, *plan(run, comparison(fields={"seed": (1,)}, title="One")))
    made = grown(
        run,
        PlanHeader(base_url=HOME, axes=comparison(fields={"steps": (2,)}).header),
        comparison(fields={"steps": (2,)}),
    )

    assert made.header.axes["fields"] == ["seed", "steps"]
    assert made.header.axes["title"] == "One"


def test_only_what_is_not_done_is_to_be_sent(run: RunDirectory) -> None:
    """That is what --max-images counts."""
    keys = plan(run, comparison("a", "b"))
    save(run, keys[0])
    compared = comparison("a", "b", "c")
    made = grown(run, PlanHeader(base_url=HOME, axes=compared.header), compared)

    assert (len(made.rows), made.to_send) == (3, 2)

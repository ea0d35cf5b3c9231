"""Which axes become columns and rows."""

from dataclasses import replace

import pytest

from nscale_cli.errors import UsageError
from nscale_cli.output.report.cells import Axis, Kind
from nscale_cli.output.report.grid import Grid, arrange
from tests.output.report.runs import MODELS, make_run

PROMPTS = ("A red fox", "A blue bird")


def names(grid: Grid) -> tuple[list[str], list[str]]:
    """Return the names of the axes that are columns, and of those that are rows."""
    return [axis.name for axis in grid.column_axes], [axis.name for axis in grid.row_axes]


def test_columns_are_models_and_rows_are_prompts() -> None:
    """The usual comparison."""
    grid = arrange(make_run(models=MODELS, prompts=PROMPTS))

    assert names(grid) == (["model"], ["prompt"])
    assert [span.label for span in grid.column_spans(0)] == list(MODELS)
    assert [span.label for span in grid.row_spans(0)] == list(PROMPTS)


def test_sizes_and_fields_nest_in_the_models_as_long_as_eight_columns_hold_them() -> None:
    """Then they nest in the prompts."""
    run = make_run(sizes=("8x8", "9x9"), fields={"seed": "12", "steps": "123"}, prompts=PROMPTS)

    assert names(arrange(run)) == (["model", "size", "seed"], ["prompt", "steps"])


def test_one_axis_may_have_more_columns_than_eight() -> None:
    """Twenty models stand side by side."""
    run = make_run(models=[f"m/{n}" for n in range(20)], prompts=PROMPTS, samples=2)

    assert names(arrange(run)) == (["model"], ["prompt", "sample"])


def test_every_cell_stands_where_its_values_say() -> None:
    """For each row and column, whatever the axes are."""
    run = make_run(models=MODELS, prompts=PROMPTS, fields={"seed": "12345"}, samples=2)
    grid = arrange(run)
    kinds = [run.axes.index(axis) for axis in (*grid.column_axes, *grid.row_axes)]

    for row, cells in zip(grid.rows, grid.cells, strict=True):
        for column, cell in zip(grid.columns, cells, strict=True):
            assert cell is not None
            assert tuple(cell.at[place] for place in kinds) == column + row
    assert sum(map(len, grid.cells)) == len(run.cells) == 3 * 2 * 5 * 2


def test_the_user_chooses_columns_and_rows() -> None:
    """What is not named nests in the rows."""
    run = make_run(sizes=("8x8", "9x9"), fields={"seed": "12"}, prompts=PROMPTS)

    assert names(arrange(run, columns=["size"])) == (["size"], ["prompt", "model", "seed"])
    assert names(arrange(run, rows=["model"])) == (["size", "seed"], ["model", "prompt"])
    assert names(arrange(run, rows=["seed"], columns=["prompt", "size"])) == (
        ["prompt", "size"],
        ["seed", "model"],
    )


def test_an_axis_that_is_not_there_is_refused_with_those_that_are() -> None:
    """A misspelt --cols says what there is."""
    with pytest.raises(UsageError, match="no axis 'modle'") as caught:
        arrange(make_run(), columns=["modle"])

    assert caught.value.hint == "it has: model, size, prompt, sample"


def test_headings_span_what_nests_in_them() -> None:
    """A model's heading stands over its sizes."""
    grid = arrange(make_run(sizes=("8x8", "9x9"), prompts=PROMPTS))

    assert [(s.start, s.length) for s in grid.column_spans(0)] == [(0, 2), (2, 2)]
    assert [s.label for s in grid.column_spans(1)] == ["8x8", "9x9", "8x8", "9x9"]


@pytest.mark.parametrize(
    ("changes", "gallery"),
    [
        ({"models": ["a"], "prompts": "abc"}, False),
        ({"models": ["a"], "prompts": "abcd"}, True),
        ({"models": [f"m/{n}" for n in range(8)]}, False),
        ({"models": [f"m/{n}" for n in range(9)]}, True),
    ],
)
def test_a_long_line_of_pictures_becomes_a_gallery(changes: dict, gallery: bool) -> None:
    """What would be one long row, or one long column, is broken into many."""
    assert arrange(make_run(**changes)).is_gallery is gallery


def test_a_batch_is_a_gallery() -> None:
    """Its rows have nothing that stands in columns."""
    run = make_run()
    batch = replace(run, axes=(*run.axes[:2], Axis(kind=Kind.ROW, name="row", values=("x",))))

    assert arrange(batch).is_gallery


def test_a_cell_that_was_never_asked_for_leaves_its_place_empty() -> None:
    """A directory that grew by parts has gaps, which stay where they are."""
    run = make_run(models=MODELS, prompts=PROMPTS)
    grid = arrange(replace(run, cells=run.cells[1:]))

    assert grid.cells[0][0] is None and grid.cells[0][1] is run.cells[2]


def test_a_part_keeps_headings_and_cells_together() -> None:
    """A sheet or a page shows some rows and columns of the whole."""
    grid = arrange(make_run(models=MODELS, prompts=PROMPTS))
    part = grid.part(rows=slice(1, 2), columns=slice(1, 3))

    assert part.cells == ((grid.cells[1][1], grid.cells[1][2]),)
    assert [span.label for span in part.column_spans(0)] == list(MODELS[1:])
    assert [span.label for span in part.row_spans(0)] == [PROMPTS[1]]

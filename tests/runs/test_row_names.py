"""The names of a run's images: all different, all inside the folder, all known beforehand."""

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.errors import UsageError
from nscale_cli.runs.row_names import require_inside, shown_path, target_of
from tests.runs.rows import names, row


def path_of(each: object, template: str | None = None, number: int = 2) -> str:
    """Return the path of one row."""
    with closing(names(template)) as given_names:
        return given_names.path_for(each, number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (None, "0002-a-red-fox.{ext}"),
        ("{model}/{row}.{ext}", "a-model-4d6a6839/0002.{ext}"),
        ("sub/", "sub/0002-a-red-fox.{ext}"),
        ("{id}", "h-1.{ext}"),
        ("{mood}-{size}.jpg", "dark-night-64x64.jpg"),
        ("{date}_{time}_{index}.png", "2026-11-24_120000_{index}.png"),
        ("{hash}.{ext}", "{hash}.{ext}"),
        ("{{{row}}}.png", "{{0002}}.png"),
        ("{slug}.v2", "a-red-fox.v2.{ext}"),
    ],
)
def test_a_template_has_the_fields_of_the_row(template: str | None, path: str) -> None:
    """Those of `images generate`, the row's own, and further columns, all fit for a file name."""
    each = row(id="h/1", fields={"mood": "Dark night"})
    assert path_of(each, template) == path


def test_a_column_may_stand_in_for_what_is_made_of_the_prompt() -> None:
    """Whoever writes a column `slug` means it; `{row}` and `{ext}` stay what they are."""
    each = row(fields={"slug": "Hero", "row": "7", "ext": "exe"})
    assert path_of(each, "{slug}-{row}.{ext}") == "hero-0002.{ext}"


def test_numbers_of_rows_are_as_wide_as_the_last() -> None:
    """So that a list of files is in the order of the rows."""
    with closing(names(rows_at_most=123_456)) as given_names:
        assert given_names.path_for(row(), 7) == "000007-a-red-fox.{ext}"


@pytest.mark.parametrize(
    ("out", "path"),
    [
        ("hero.png", "hero.png"),
        ("a/b/hero.WEBP", "a/b/hero.WEBP"),
        ("hero", "hero.{ext}"),
        ("hero.v2", "hero.v2.{ext}"),
        ("{row}.png", "{{row}}.png"),
    ],
)
def test_a_row_may_name_its_file(out: str, path: str) -> None:
    """`out` is taken as it is; without an ending it takes that of the image."""
    assert path_of(row(out=out)) == path


def test_several_images_of_a_row_are_numbered() -> None:
    """Also where the row names its file."""
    assert path_of(row(count=3)) == "0002-a-red-fox-{index}.{ext}"
    assert path_of(row(count=3, out="hero.png")) == "hero-{index}.png"
    assert path_of(row(count=3), "{index}-{row}.png") == "{index}-0002.png"


@pytest.mark.parametrize(
    "out",
    [
        "../x.png", "/x.png", "a/../../x.png", "a\\x.png", "a//x.png", "./x.png", "x\n.png",
        "x.png ", "a./x.png", "run/x.png", "RUN/x.png", "Index.html", "sheet.png", "sheet-2.PNG",
        "results.csv", "table.md", "x" * 252, "x.gif", "y/" * 1600 + "x.png", "\x9bx.png",
    ],
)  # fmt: skip
def test_a_name_that_leaves_the_folder_or_is_reserved_is_refused(out: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError):
        path_of(row(out=out))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{row", "--name has an unmatched brace"),
        ("{row:x}", "unknown field {row}"),
        ("{}", "unknown field {}"),
        ("{row}.gif", "asks for .gif, which nscale cannot write"),
        ("{mood}.png", "--name asks for {mood}, which this row lacks"),
        ("{id}.png", "--name asks for {id}, which this row lacks"),
        ("../{row}.png", "leaves the run's folder"),
        ("run/{row}.png", "is reserved for what the run itself writes"),
    ],
)
def test_a_template_that_can_be_no_name_is_refused(template: str, message: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(UsageError) as caught:
        path_of(row(), template)
    assert message in caught.value.message


def test_names_from_a_template_are_numbered_where_they_meet() -> None:
    """Nothing that was paid for replaces another image."""
    with closing(names("{slug}.png")) as given_names:
        paths = [given_names.path_for(row(line=n), n) for n in (1, 2, 3)]
    assert paths == ["a-red-fox.png", "a-red-fox-2.png", "a-red-fox-3.png"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"out": "hero.png"}, {"out": "hero.png"}),
        ({"out": "hero.png"}, {"out": "HERO.PNG"}),
        ({"out": "hero"}, {"out": "hero.jpg"}),
        ({"out": "hero.jpg"}, {"out": "hero"}),
        ({"out": "é.png"}, {"out": "e\u0301.png"}),
        ({"out": "hero", "count": 2}, {"out": "hero-2.png"}),
        ({"prompt": "fox"}, {"out": "0001-fox.png"}),
    ],
)
def test_two_rows_with_one_file_are_a_mistake(first: dict, second: dict) -> None:
    """Also where only some systems would take the two names for one."""
    with closing(names()) as given_names:
        given_names.path_for(row(line=3, **first), 1)
        with pytest.raises(UsageError, match="is the file of line 3, too"):
            given_names.path_for(row(line=8, **second), 2)


def test_two_formats_of_one_name_are_two_files() -> None:
    """A row for each is what somebody may want."""
    with closing(names()) as given_names:
        assert given_names.path_for(row(out="hero.png"), 1) == "hero.png"
        assert given_names.path_for(row(out="hero.jpg"), 2) == "hero.jpg"


def test_a_path_becomes_a_target_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """Braces in the folder's own name are not fields."""
    target = target_of(tmp_path / "{row}", "{{a}}-{index}-{hash}.{ext}")
    path = target.path(index=2, image_format="jpeg", sha256="abcdefgh" * 8)
    assert path == tmp_path / "{row}" / "{a}-2-abcdefgh.jpg"


@pytest.mark.slow
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_row_leads_out_of_the_folder(out: str, mood: str) -> None:
    """Whatever a row says, its file is inside, under a name that was checked."""
    each = row(out=out, fields={"mood": mood})
    try:
        path = path_of(each, "{mood}/{row}.{ext}")
    except UsageError:
        return
    require_inside(shown_path(path))
    resolved = (Path("/run") / shown_path(path)).resolve()
    assert resolved.is_relative_to("/run") and resolved != Path("/run")

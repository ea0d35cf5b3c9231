"""Several pictures in one preview, and their names."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nscale_cli.preview import draw as draw_module
from nscale_cli.preview.canvas import Canvas
from nscale_cli.preview.draw import Drawing, NamedImage, draw
from tests.preview.conftest import picture
from tests.preview.sixels import decode_sixel

PLAIN = Canvas(columns=80, lines=20)
PIXELS = Canvas(columns=80, lines=20, colours=256, cell_pixels=(10, 20))
Files = Callable[..., list[NamedImage]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Save pictures under names, and return them as images to draw."""

    def save(*names: str, size: tuple[int, int] = (200, 100)) -> list[NamedImage]:
        path = tmp_path / "picture.png"
        picture(*size).save(path)
        return [NamedImage(name=name, path=path) for name in names]

    return save


def all_of(drawings: object) -> list[Drawing]:
    """Return the rows."""
    return list(drawings)  # type: ignore[call-overload]


def test_one_picture_has_no_name_under_it(files: Files) -> None:
    """The line above says what it is."""
    (row,) = all_of(draw(files("cat.png"), PLAIN, "ascii"))

    assert "cat.png" not in row.text
    assert len(row.text.split("\n")) == 20
    assert row.failures == ()


@pytest.mark.parametrize(
    ("columns", "count", "rows"),
    [(80, 2, [2]), (80, 3, [2, 1]), (88, 3, [3]), (57, 2, [1, 1]), (58, 2, [2]), (1, 2, [1, 1])],
)
def test_pictures_stand_side_by_side_while_each_has_28_columns(
    files: Files, columns: int, count: int, rows: list[int]
) -> None:
    """And below each other where they would be narrower."""
    names = [f"{number}.png" for number in range(count)]

    drawn = all_of(draw(files(*names), Canvas(columns=columns, lines=20), "ascii"))

    labels = [row.text.split("\n")[-1].split() for row in drawn]
    assert [len(row) for row in labels] == rows
    assert columns == 1 or [name for row in labels for name in row] == names
    for row in drawn:
        assert max(map(len, row.text.split("\n"))) <= columns


@pytest.mark.parametrize("style", ["ascii", "blocks", "kitty", "iterm2", "sixel"])
def test_names_are_cleaned_and_cut(files: Files, style: str) -> None:
    """A name must not act on the terminal, nor break the line."""
    images = files("\x1b]0;title\x07\u202eevil\n.png", "long" * 30 + ".png")

    (row,) = all_of(draw(images, PIXELS, style))

    label = row.text.split("\n")[-1]
    assert "\x1b" not in label and "\x07" not in label and "\u202e" not in label
    assert label.startswith(r"\x1b]0;title\x07\u202eevil .png")
    assert label.endswith("long...")
    assert len(label) <= 80


@pytest.mark.parametrize("style", ["ascii", "kitty"])
def test_wide_characters_count_as_two(files: Files, style: str) -> None:
    """Otherwise the names of the next pictures would not stand under them."""
    (row,) = all_of(draw(files("猫" * 9 + ".png", "e\u0301" * 30), PIXELS, style))
    (cut,) = all_of(draw(files("a", "猫" * 50), PIXELS, style))

    assert row.text.split("\n")[-1] == "猫" * 9 + ".png" + " " * 17 + "  " + "e\u0301" * 30
    assert cut.text.split("\n")[-1] == "a" + " " * 38 + "  " + "猫" * 18 + "..."


def test_pixels_of_several_pictures_are_one_strip_a_row(files: Files) -> None:
    """Placing a picture at the right of another is something no protocol does simply."""
    drawn = all_of(draw(files("a", "b", "c", size=(100, 60)), PIXELS, "sixel"))

    assert [row.text.count("\x1bP0;1q") for row in drawn] == [1, 1]
    strips = [decode_sixel(row.text.split("\n")[0]) for row in drawn]
    assert [strip.size for strip in strips] == [(800, 60), (390, 60)]
    assert [row.text.split("\n")[-1] for row in drawn] == ["a" + " " * 38 + "  b", "c"]


def test_pictures_of_different_heights_keep_their_names_in_line(
    files: Files, tmp_path: Path
) -> None:
    """The lower one is filled up."""
    tall = tmp_path / "tall.png"
    picture(20, 200).save(tall)
    images = [*files("wide"), NamedImage(name="tall", path=tall)]

    (row,) = all_of(draw(images, PIXELS, "blocks"))

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in row.text.split("\n")]
    assert len(lines) == 21
    assert lines[-1] == "wide" + " " * 35 + "  tall"


def test_what_cannot_be_drawn_does_not_keep_the_others_away(files: Files, tmp_path: Path) -> None:
    """Each failure has its name and its reason."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    images = [
        *files("good"),
        NamedImage(name="broken", path=broken),
        NamedImage(name="gone", path=tmp_path / "gone"),
    ]

    drawn = all_of(draw(images, PLAIN, "ascii"))

    assert drawn[0].text.split("\n")[-1] == "good"
    assert drawn[1].text == ""
    assert [failure for row in drawn for failure in row.failures] == [
        ("broken", "it cannot be decoded (UnidentifiedImageError)"),
        ("gone", "it cannot be read (No such file or directory)"),
    ]


@pytest.mark.parametrize("style", ["ascii", "kitty"])
def test_a_renderer_that_fails_is_one_reason_a_picture(
    files: Files, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    """The images are saved already; a preview is no reason to fail."""

    def fail(*_: object) -> list[str]:
        raise MemoryError

    for table in (draw_module._CELL_STYLES, draw_module._PIXEL_STYLES):
        monkeypatch.setitem(table, style, fail) if style in table else None

    (row,) = all_of(draw(files("a", "b"), PLAIN, style))

    assert row.text == ""
    assert row.failures == (
        ("a", "drawing failed (MemoryError)"),
        ("b", "drawing failed (MemoryError)"),
    )


def test_rows_are_drawn_one_after_the_other(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of pictures is never in the memory as a whole."""
    loaded = []
    load = draw_module.load

    def count(path: Path, canvas: Canvas) -> object:
        loaded.append(path)
        return load(path, canvas)

    monkeypatch.setattr(draw_module, "load", count)
    rows = draw(files(*map(str, range(100))), PLAIN, "ascii")

    next(rows)

    assert len(loaded) == 2

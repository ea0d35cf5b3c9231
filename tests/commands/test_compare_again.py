"""`images compare` again: what would be drawn as it is is left alone, all else is drawn."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.output.report import write
from tests.conftest import Cli

WORDS = (
    "images",
    "compare",
    "cat",
    "-m",
    "a/b",
    "-m",
    "c/d",
    "-z",
    "64x64",
    "--sandbox",
    "-o",
    "d",
)
FILES = ("index.html", "sheet.png", "table.md")


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that a report was drawn in, as often as it was."""
    made: list[Path] = []
    whole = write._write_sheets

    def noting(grid: object, directory: Path, *rest: object) -> object:
        made.append(directory)
        return whole(grid, directory, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(write, "_write_sheets", noting)
    return made


@pytest.fixture
def folder(cli: Cli, tmp_path: Path) -> Path:
    """A comparison that was bought and drawn."""
    cli(*WORDS)
    return tmp_path / "d"


def states(folder: Path) -> list[tuple[int, int]]:
    """Return what tells whether a file was written anew."""
    return [((folder / name).stat().st_ino, (folder / name).stat().st_mtime_ns) for name in FILES]


def test_the_same_command_leaves_an_unchanged_report_as_it_is(
    cli: Cli, folder: Path, drawings: list[Path]
) -> None:
    """And says of it what it said before."""
    before = states(folder)
    outcome = cli(*WORDS, "--json")
    data = outcome.document["data"]

    assert outcome.exit_code == 0 and drawings == [] and states(folder) == before
    assert (data["page"], data["sheets"]) == (
        str(folder / "index.html"), [str(folder / "sheet.png")],
    )  # fmt: skip
    assert [line["saved"] for line in data["table"]] == ["1 of 1", "1 of 1"]


def test_what_a_setting_did_is_still_said(cli: Cli, tmp_path: Path, drawings: list[Path]) -> None:
    """It is kept, since no picture is looked at; and it is the same with metadata in the files."""
    words = ("cat", "-m", "sandbox/ignores-seed", "--vary", "seed=1,2", "-z", "64x64", "-o", "e")
    said = [
        cli("images", "compare", *words, "--sandbox", "--metadata", "full", "--json")
        for _ in range(2)
    ]

    sentence = "seed: no visible effect at sandbox/ignores-seed (identical bytes)"
    assert [each.document["data"]["effects"] for each in said] == [[sentence], [sentence]]
    assert len(drawings) == 1
    first, second = said[0].document["data"]["images"]
    assert first["sha256"] != second["sha256"]
    assert first["original_sha256"] == second["original_sha256"]


def remove_the_page(folder: Path) -> None:
    """A user who wants it again."""
    (folder / "index.html").unlink()


def change_the_sheet(folder: Path) -> None:
    """Another program wrote there."""
    (folder / "sheet.png").write_bytes(b"no sheet")


def change_a_picture(folder: Path) -> None:
    """A retouched image."""
    Image.new("RGB", (64, 64), "red").save(next(folder.glob("cat-a-b*.png")))


def remove_a_picture(folder: Path) -> None:
    """An image that nobody wants any more."""
    next(folder.glob("cat-c-d*.png")).unlink()


def damage_what_was_kept(folder: Path) -> None:
    """A disk that forgets."""
    (folder / "run" / "report.json").write_text("[1, 2]")


def say_that_it_is_another_file(folder: Path) -> None:
    """A folder from somebody else does not choose what is opened."""
    (folder / "page.html").write_text("<h1>mine</h1>")
    stat, path = (folder / "page.html").stat(), folder / "run" / "report.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["files"].append(["page.html", stat.st_size, stat.st_mtime_ns])
    path.write_text(json.dumps(document))


CHANGES = (
    remove_the_page,
    change_the_sheet,
    change_a_picture,
    remove_a_picture,
    damage_what_was_kept,
    say_that_it_is_another_file,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_changed_the_report_is_drawn_again(
    cli: Cli, folder: Path, drawings: list[Path], change: Callable[[Path], None]
) -> None:
    """And then no more."""
    change(folder)
    for _ in range(2):
        cli(*WORDS)

    assert drawings == [folder]
    assert (folder / "sheet.png").stat().st_size > 1000
    assert "cat" in (folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "more",
    [("-m", "e/f"), ("--cell", "96"), ("--title", "Cats"), ("--embed",), ("--no-page",)],
    ids=lambda more: more[0],
)
def test_other_words_are_another_report(
    cli: Cli, folder: Path, drawings: list[Path], more: tuple[str, ...]
) -> None:
    """Bought or only shown in another way."""
    cli(*WORDS, *more)
    assert drawings == [folder]


def test_another_font_is_another_report(cli: Cli, folder: Path, drawings: list[Path]) -> None:
    """The sheet is set with it."""
    cli(*WORDS, env={"NSCALE_FONT": "/nowhere.ttf"})
    assert drawings == [folder]


def test_a_report_that_is_asked_for_is_drawn(cli: Cli, folder: Path, drawings: list[Path]) -> None:
    """`images report` promises to draw; and an older run beside it is looked at each time."""
    cli("images", "report", "d")
    for _ in range(2):
        cli(*WORDS, "--baseline", "d")

    assert drawings == [folder] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_x_opens_the_page_whether_it_is_drawn_or_not(cli: Cli, tmp_path: Path) -> None:
    """It, and nothing else: not each image."""
    folder, told = tmp_path / "bin", tmp_path / "told"
    folder.mkdir()
    viewer = folder / "xdg-open"
    viewer.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{told}.part"\n/bin/mv "{told}.part" "{told}"\n'
    )
    viewer.chmod(0o755)
    env = {"DISPLAY": ":0", "PATH": f"{folder}:/usr/bin:/bin"}
    for more in ((), (), ("--blind",)):
        assert cli(*WORDS, "-x", *more, env=env).exit_code == 0
        while not told.exists():
            os.sched_yield()
        name = "blind.html" if more else "index.html"
        assert told.read_text() == f"{tmp_path / 'd' / name}\n"
        told.unlink()

"""Pages on paper, without scripts, and in a Firefox whose system is light."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from nscale_cli.output.report.blind import make_key
from nscale_cli.output.report.cells import State
from nscale_cli.output.report.write import ReportOptions, write_blind, write_report
from tests.browser.driven import PROGRAMS, Browser, driven
from tests.output.report.runs import MODELS, TIMEOUT, changed, drawn, make_run

pytestmark = pytest.mark.slow
PROMPTS = ("A red fox", "A blue bird", "A green frog")
# Of Firefox; Chromium is told for each page.
LIGHT = {"layout.css.prefers-color-scheme.content-override": 1}
NO_SCRIPT = {"javascript.enabled": False}
A4_WIDE, A4_HIGH = (842, 596), (596, 842)
BEYOND = """
[...document.querySelectorAll(".grid img, .absent, .grid th > *, .figures, figcaption span")]
  .map(each => each.getBoundingClientRect())
  .filter(box => box.left < 0 || box.right > innerWidth + 1).length
"""
BOXES = """
[...document.querySelectorAll(".grid img")]
  .map(each => each.getBoundingClientRect()).map(box => [box.left, box.right])
"""
SEEN = "[...document.querySelectorAll({!r})].filter(each => each.checkVisibility()).length"


@pytest.fixture(scope="module", params=PROGRAMS)
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Chromium, and a Firefox that is light and knows no script."""
    downloads = tmp_path_factory.mktemp("downloads")
    with driven(request.param, downloads, LIGHT | NO_SCRIPT) as started:
        yield started


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser that can show how a page looks on paper."""
    with driven("chromium", tmp_path_factory.mktemp("downloads")) as started:
        yield started


def written(directory: Path, models: int, prompts: tuple[str, ...] = PROMPTS) -> Path:
    """Return the page of a run; one image failed and one was not sent."""
    names = [*MODELS, *(f"vendor/a-model-with-a-long-name-{n}" for n in range(3, models))]
    run = make_run(models=names[:models], prompts=prompts, sizes=("240x160",))
    run = drawn(changed(run, {1: TIMEOUT, len(run.cells) - 1: State.NOT_SENT}), directory)
    report = write_report(run, directory, ReportOptions(sheet=False), env={})
    assert report.page is not None
    return report.page


def test_without_javascript_the_page_is_a_readable_table(browser: Browser, tmp_path: Path) -> None:
    """Headings with a scope, every image with its caption, a link to every original."""
    browser.open(written(tmp_path, 2), script=False)

    assert browser.texts(".grid thead th[scope=col]") == list(MODELS[:2])
    assert browser.texts(".grid tbody th[scope=row]") == list(PROMPTS)
    assert browser.evaluate("getComputedStyle(document.querySelector('#bar')).display") == "none"
    assert browser.texts(".pin") == []
    assert browser.evaluate(
        "[...document.querySelectorAll('.picture')].map(a => a.getAttribute('href'))"
    ) == ["0.png", "3.png", "4.png", "2.png"]
    assert browser.evaluate("[...document.images].filter(i => i.src && !i.complete).length") == 0
    assert browser.texts("figcaption")[0].split() == ["1.0", "s240x160$0.001"]


def test_a_light_system_has_a_light_page(browser: Browser, tmp_path: Path) -> None:
    """White, with letters that are nearly black."""
    browser.open(written(tmp_path, 2))
    colours = "(style => [style.backgroundColor, style.color])(getComputedStyle({}))"

    assert browser.evaluate(colours.format("document.documentElement")) == [
        "rgb(255, 255, 255)",
        "rgb(27, 31, 36)",
    ]


@pytest.mark.parametrize("models", [1, 2, 8, 20])
def test_nothing_is_cut_off_on_paper(chromium: Browser, tmp_path: Path, models: int) -> None:
    """As wide as a sheet of A4, lying if columns are many; and nothing to press is on it."""
    width = 1016 if models > 4 else 687  # within the margins of 14 mm, in CSS pixels
    chromium.open(written(tmp_path, models, (*PROMPTS, "a long prompt " * 40)), width=width)
    chromium.press("ArrowDown", "c")
    assert chromium.evaluate(SEEN.format("#bar, .pin"))
    chromium.ask("paper")

    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    assert chromium.evaluate(BEYOND) == 0
    assert chromium.evaluate(SEEN.format("#bar, .pin, nav, dialog")) == 0
    assert chromium.evaluate(SEEN.format(".grid img, .absent")) == 4 * models


@pytest.mark.parametrize("models", [2, 3, 12])
def test_pictures_of_a_blind_page_stand_beside_each_other(
    chromium: Browser, tmp_path: Path, models: int
) -> None:
    """None over another, on the screen and on paper, where it begins on the first page."""
    run = make_run(models=[f"m/{n}" for n in range(models)], sizes=("768x768",))
    page = write_blind(drawn(run, tmp_path), tmp_path, make_key(run, Random(1)))
    width = 1016 if models > 4 else 687
    for paper in (False, True):
        chromium.open(page, width=width)
        if paper:
            chromium.ask("paper")
            assert chromium.evaluate(BEYOND) == 0
        boxes = chromium.evaluate(BOXES)
        assert len(boxes) == models
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(boxes)), boxes


def test_a_slider_that_was_moved_does_not_change_the_paper(
    chromium: Browser, tmp_path: Path
) -> None:
    """Pictures that are large on the screen have to fit all the same."""
    chromium.open(written(tmp_path, 20), width=1016)
    chromium.evaluate("document.querySelector('#size').focus()")
    chromium.press("End")
    chromium.ask("paper")

    assert chromium.evaluate(BEYOND) == 0


def test_a_dark_system_prints_on_white(chromium: Browser, tmp_path: Path) -> None:
    """Black letters."""
    chromium.open(written(tmp_path, 2), dark=True)
    chromium.ask("paper")

    assert chromium.evaluate("getComputedStyle(document.documentElement).color") == "rgb(0, 0, 0)"


@pytest.mark.parametrize(("models", "size"), [(2, A4_HIGH), (8, A4_WIDE)])
def test_paper_lies_where_columns_are_many(
    chromium: Browser, tmp_path: Path, models: int, size: tuple[int, int]
) -> None:
    """From the first page to the last."""
    chromium.open(written(tmp_path, models))
    chromium.ask("print", path=str(tmp_path / "page.pdf"))
    boxes = re.findall(
        rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", (tmp_path / "page.pdf").read_bytes()
    )

    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {size}


def test_what_can_be_pressed_is_within_a_narrow_window(chromium: Browser, tmp_path: Path) -> None:
    """The table is as wide as it has to be; the buttons above it are not."""
    chromium.open(written(tmp_path, 8), width=420)

    assert chromium.evaluate(
        "[...document.querySelectorAll('#bar > *')]"
        ".every(each => each.getBoundingClientRect().right <= innerWidth)"
    )

"""Pages in real browsers: opened from disk, by keyboard and mouse, in light and dark."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from nscale_cli.errors import Billed
from nscale_cli.output.report.blind import make_key, read_key
from nscale_cli.output.report.cells import Failure, Run, State
from nscale_cli.output.report.votes import read_votes
from nscale_cli.output.report.write import ReportOptions, write_blind, write_report
from tests.browser.driven import Browser
from tests.output.report.runs import MODELS, REFUSED, TIMEOUT, changed, drawn, make_run

pytestmark = pytest.mark.slow
PROMPTS = ("A red fox", "A blue bird", "A green frog")
OPTIONS = ReportOptions(sheet=False)
OPEN_DIALOG = "document.querySelector('dialog[open]')?.id ?? null"
NO_DIALOG = "!document.querySelector('dialog[open]')"
WIPE = "Number(document.querySelector('#wipe').value)"
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "\u202etxet \x1b[31m\x00\x7f",
    "' onmouseover='document.title=1' {{ 7 * 7 }} {% raw %}",
    "x" * 10_000,
    "</table></main></body><h1>mine</h1>",
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two models, three prompts; one image failed and one was not sent."""
    run = make_run(models=MODELS[:2], prompts=PROMPTS, sizes=("240x160",))
    return drawn(changed(run, {1: TIMEOUT, 5: State.NOT_SENT}), tmp_path)


@pytest.fixture
def page(run: Run, tmp_path: Path) -> Path:
    """The page of that run."""
    report = write_report(run, tmp_path, OPTIONS, env={})
    assert report.page is not None
    return report.page


def name(prompt: int, model: int) -> str:
    """Return what an image is called."""
    return f"{PROMPTS[prompt]}, {MODELS[model]}"


def test_arrow_keys_move_from_cell_to_cell(browser: Browser, page: Path, tmp_path: Path) -> None:
    """In all four directions, over failed ones, and not out of the table."""
    browser.open(page)
    browser.press("ArrowDown")
    assert browser.focused() == name(0, 0)
    browser.press("ArrowRight")
    assert browser.focused() == name(0, 1)
    browser.press("ArrowDown")
    assert browser.focused() == name(1, 1)
    browser.press("ArrowLeft")
    assert browser.focused().startswith("timeout\nmay be billed\nno answer")
    browser.press("ArrowDown", "ArrowRight")
    assert browser.focused() == "not sent"
    browser.press("ArrowRight", "ArrowDown", "ArrowUp", "ArrowUp")
    assert browser.focused() == name(0, 1)
    browser.require_silence(tmp_path)


def test_enter_zooms_into_the_original(browser: Browser, page: Path, tmp_path: Path) -> None:
    """The file beside the page is what is shown; arrows go on, Escape closes where one is."""
    browser.open(page)
    browser.press("ArrowDown", "Enter")
    assert browser.evaluate(OPEN_DIALOG) == "zoom"
    browser.until("document.querySelector('#zoom-image').src.endsWith('/0.png')")
    assert browser.evaluate("document.querySelector('#zoom-image').naturalWidth") == 240
    browser.press("ArrowRight")
    assert browser.texts("#zoom-name") == [name(0, 1)]
    assert browser.texts("#zoom-facts") == ["4.0 s · 240x160 · $0.001"]
    browser.press("Escape")
    browser.until(NO_DIALOG)
    where = json.dumps(name(0, 1))
    browser.until(f"document.activeElement.querySelector('img')?.alt === {where}")
    browser.require_silence(tmp_path)


def test_a_page_whose_originals_are_gone_shows_what_is_in_it(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    """One file was sent to a colleague."""
    alone = tmp_path / "alone"
    alone.mkdir()
    browser.open(page.rename(alone / "page.html"))
    browser.press("ArrowDown", "Enter")

    assert (
        browser.evaluate("document.querySelector('#zoom-image').src.slice(0, 16)")
        == "data:image/jpeg;"
    )
    assert browser.evaluate("document.querySelector('#zoom-image').naturalWidth") == 240


def test_two_pinned_images_are_wiped_between_by_keyboard_and_mouse(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    """The slider moves the border, and so does the mouse on the image."""
    browser.open(page)
    browser.press("ArrowDown", "c", "ArrowRight", "c")
    assert browser.evaluate(OPEN_DIALOG) == "pair"
    assert browser.texts("#pair .side") == [f"1: {name(0, 0)}", f"2: {name(0, 1)}"]
    assert browser.evaluate(WIPE) == 50
    browser.press("ArrowRight", "ArrowRight", "ArrowRight")
    assert browser.evaluate(WIPE) == 53
    assert browser.evaluate("getComputedStyle(document.querySelector('#pair-after')).clipPath") in (
        "inset(0px 0px 0px 53%)",
        "inset(0px 0px 0px 53%)".replace("0px", "0"),
    )
    box = browser.evaluate(
        "(b => [b.left, b.top, b.width, b.height])"
        "(document.querySelector('#pair-stage').getBoundingClientRect())"
    )
    middle = box[1] + box[3] / 2
    ends = [[box[0] + box[2] * share, middle] for share in (0.5, 0.2)]
    browser.ask("drag", start=ends[0], end=ends[1])
    assert browser.evaluate(WIPE) == pytest.approx(20, abs=1)
    browser.press("d")
    assert (
        browser.evaluate("getComputedStyle(document.querySelector('#pair-after')).mixBlendMode")
        == "difference"
    )
    browser.press("d", "Escape")
    browser.until(NO_DIALOG)
    assert browser.texts(".pin[aria-pressed=true]") == ["Pinned 1", "Pinned 2"]
    browser.press("c")
    assert browser.texts(".pin[aria-pressed=true]") == ["Pinned 1"]
    browser.require_silence(tmp_path)


def test_everything_can_be_done_with_the_mouse(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    """Pin by button, compare by button, zoom by a click, close by a button."""
    browser.open(page)
    browser.ask("click", selector="tbody tr:nth-child(1) td:nth-child(2) .pin")
    browser.ask("click", selector="tbody tr:nth-child(1) td:nth-child(3) .pin")
    assert browser.evaluate(OPEN_DIALOG) == "pair"
    browser.ask("click", selector="#difference")
    assert browser.evaluate("document.querySelector('#difference').ariaPressed") == "true"
    browser.ask("click", selector="#pair [data-close]")
    browser.until(NO_DIALOG)
    browser.ask("click", selector="#compare")
    assert browser.evaluate(OPEN_DIALOG) == "pair"
    browser.ask("click", selector="#pair [data-close]")
    browser.ask("click", selector=".picture img")
    assert browser.evaluate(OPEN_DIALOG) == "zoom"
    browser.ask("click", selector="#zoom-image")
    assert browser.evaluate("document.querySelector('#zoom').className") == "actual"
    browser.ask("click", selector="#zoom [data-close]")
    browser.ask("click", selector="#help")
    assert browser.evaluate(OPEN_DIALOG) == "keys"
    browser.require_silence(tmp_path)


def test_the_size_of_the_cells_can_be_changed(browser: Browser, page: Path, tmp_path: Path) -> None:
    """The slider knows where it stands, and all images follow."""
    browser.open(page, width=1000)
    wide = "document.querySelector('.picture img').getBoundingClientRect().width"
    before = browser.evaluate(wide)
    assert browser.evaluate("document.querySelector('#size').value") != "120"
    browser.evaluate("document.querySelector('#size').focus()")
    browser.press(*["Home"])
    assert browser.evaluate(wide) == 120 < before
    browser.require_silence(tmp_path)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation(browser: Browser, page: Path, tmp_path: Path, dark: bool) -> None:
    """On the page, and with each of its dialogs open, in light and dark."""
    browser.open(page, dark=dark)
    assert browser.violations() == []
    browser.press("ArrowDown", "Enter")
    assert browser.violations() == []
    browser.press("Escape", "?")
    assert browser.violations() == []
    browser.press("Escape")
    browser.evaluate("document.querySelector('.picture').focus()")
    browser.press("c", "ArrowRight", "c")
    assert browser.evaluate(OPEN_DIALOG) == "pair" and browser.violations() == []


def test_light_and_dark_follow_the_system(browser: Browser, page: Path) -> None:
    """By the colours of the page itself."""
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    browser.open(page, dark=True)
    assert browser.evaluate(paper) == "rgb(20, 23, 27)"
    if browser.name == "chromium":  # Firefox has to be started for it: test_page_elsewhere.py
        browser.open(page)
        assert browser.evaluate(paper) == "rgb(255, 255, 255)"


def test_hostile_text_stays_text(browser: Browser, tmp_path: Path) -> None:
    """Prompts, ids, and messages of the service: each is shown as it was written."""
    message = replace(REFUSED, message=HOSTILE[0] * 20)
    code = Failure(code="<b>x</b>", billed=Billed.NO, message=HOSTILE[1])
    run = make_run(
        models=(HOSTILE[0], HOSTILE[5]), prompts=HOSTILE, sizes=("64x64",), title=HOSTILE[1]
    )
    run = drawn(changed(run, {0: message, 3: code}), tmp_path)
    report = write_report(run, tmp_path, OPTIONS, env={}, before=run)
    assert report.page is not None
    browser.open(report.page)

    assert browser.evaluate("document.title") == HOSTILE[1]
    assert browser.texts("h1 .text") == [HOSTILE[1]]
    assert browser.texts("thead th .text")[:2] == [HOSTILE[0], HOSTILE[5]]
    shown = browser.texts(".grid tbody th .text")
    assert shown[0] == HOSTILE[0] and shown[1] == HOSTILE[1] and shown[3] == HOSTILE[3]
    assert shown[2] == r"\u202etxet \x1b[31m\x00\x7f" and shown[4] == HOSTILE[4]
    assert browser.texts(".message")[0] == HOSTILE[0] * 20
    assert browser.evaluate("document.querySelectorAll('h1, script, body > *').length") == 8
    assert browser.evaluate("document.querySelectorAll('img[src=x], b').length") == 0
    browser.press("ArrowDown", "ArrowDown", "ArrowRight", "Enter")
    browser.require_silence(tmp_path)


def test_a_gallery_and_its_further_pages_work_alike(browser: Browser, tmp_path: Path) -> None:
    """Four hundred images a page; the pages are linked."""
    run = make_run(models=MODELS[:1], prompts=[f"prompt {n}" for n in range(405)], sizes=("8x8",))
    write_report(drawn(run, tmp_path), tmp_path, OPTIONS, env={})
    browser.open(tmp_path / "index.html")
    assert browser.evaluate("document.querySelectorAll('.gallery .picture').length") == 400
    browser.press("ArrowDown", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp")
    assert browser.focused() == "prompt 0"
    browser.ask("click", selector="nav a:last-child")
    browser.until("document.querySelectorAll('.gallery .picture').length === 5")
    assert browser.evaluate("location.pathname.endsWith('/index-2.html')")
    assert browser.violations() == []


def test_a_page_of_64_images_is_loaded_whole(browser: Browser, tmp_path: Path) -> None:
    """Every image that it has inside is there when the page says that it is loaded."""
    run = make_run(models=[f"m/{n}" for n in range(8)], prompts=[f"p {n}" for n in range(8)])
    report = write_report(drawn(run, tmp_path), tmp_path, OPTIONS, env={})
    assert report.page is not None

    browser.open(report.page)
    assert (
        browser.evaluate("[...document.images].filter(i => i.src && !i.naturalWidth).length") == 0
    )


@pytest.fixture
def blind(run: Run, tmp_path: Path) -> Path:
    """A blind page, and its key beside it."""
    key = make_key(run, Random(1))
    (tmp_path / "key.json").write_bytes(key.data)
    return write_blind(run, tmp_path, key)


def test_votes_are_saved_and_read_back(
    browser: Browser, blind: Path, run: Run, tmp_path: Path
) -> None:
    """By keys; the file names the page by its seal, and each vote by its letters."""
    key = read_key((tmp_path / "key.json").read_bytes())
    browser.open(blind)
    browser.evaluate("localStorage.clear()")
    browser.open(blind)
    assert browser.texts("#duel-name") == ["Pair 1 of 1"]
    browser.press("2", "u", "1")
    assert browser.texts("#tally") == ["1 of 1 pairs judged."]
    copied = browser.evaluate("document.querySelector('#copy').value")
    browser.ask("click", selector="#save")
    name = f"votes-{json.loads(copied)['voter']}.json"
    for _ in range(200):
        if (browser.downloads / name).exists() and (browser.downloads / name).stat().st_size:
            break
        browser.evaluate("new Promise(done => setTimeout(done, 50))")
    data = (browser.downloads / name).read_bytes()

    assert data.decode() == copied
    _, (vote,) = read_votes(data, name, {key.seal: key})
    assert (vote.ballot, vote.left, vote.right, vote.choice) == (
        key.pairs[0].ballot,
        key.pairs[0].left,
        key.pairs[0].right,
        "left",
    )
    browser.require_silence(tmp_path)


def test_the_key_reveals_only_if_it_is_the_sealed_one(
    browser: Browser, blind: Path, tmp_path: Path
) -> None:
    """A key that was changed after the vote is refused."""
    browser.open(blind)
    browser.press("=")
    key = (tmp_path / "key.json").read_bytes()
    (tmp_path / "other.json").write_bytes(key + b" ")
    browser.ask("upload", selector="#key", path=str(tmp_path / "other.json"))
    browser.until("document.querySelector('#tally').textContent.includes('not the key')")
    assert set(browser.texts(".name")) == {""}
    browser.ask("upload", selector="#key", path=str(tmp_path / "key.json"))
    browser.until("document.querySelector('#tally').textContent.includes('sealed')")

    read = read_key(key)
    (ballot,) = read.ballots
    assert browser.texts(".name") == [read.contestants[who] for who in ballot.contestants.values()]
    browser.require_silence(tmp_path)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation_on_a_blind_page(browser: Browser, blind: Path, dark: bool) -> None:
    """Before a vote, and after."""
    browser.open(blind, dark=dark)
    assert browser.violations() == []
    browser.press("0")
    assert browser.violations() == []

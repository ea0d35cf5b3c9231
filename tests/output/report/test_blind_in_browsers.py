"""Blind pages in real browsers, where a picture is gone or a prompt is hostile."""

from pathlib import Path
from random import Random

import pytest

from nscale_cli.output.report.blind import make_key
from nscale_cli.output.report.write import write_blind
from tests.browser.driven import Browser
from tests.output.report.runs import MODELS, drawn, make_run

pytestmark = pytest.mark.slow
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "\u202etxet \x1b[31m\x00",
    "x" * 10_000,
)


def test_a_picture_that_is_gone_is_not_asked_about(browser: Browser, tmp_path: Path) -> None:
    """All that can be judged can be, and nothing stops the page."""
    run = drawn(make_run(models=MODELS, prompts=("a", "b"), sizes=("96x64",)), tmp_path)
    (tmp_path / "1.png").unlink()
    browser.open(write_blind(run, tmp_path, make_key(run, Random(1))))

    assert browser.texts("#duel-name") == ["Pair 1 of 4"]
    browser.press("1", "2", "1", "=")
    assert browser.texts("#tally") == ["4 of 4 pairs judged."]
    assert browser.texts(".facts")[0].startswith("2 prompts, 4 pairs.")
    browser.require_silence(tmp_path)


def test_a_page_whose_pictures_are_all_gone_is_a_page(browser: Browser, tmp_path: Path) -> None:
    """There is nothing to judge, and it says so."""
    run = make_run()
    browser.open(write_blind(run, tmp_path, make_key(run, Random(1))))

    assert browser.texts(".facts")[0].startswith("1 prompt, 0 pairs.")
    assert browser.evaluate("document.querySelector('#voting').hidden")
    browser.require_silence(tmp_path)


def test_hostile_prompts_stay_text(browser: Browser, tmp_path: Path) -> None:
    """In the table, and above the pair that is asked about."""
    run = drawn(make_run(models=("a", "b"), prompts=HOSTILE, sizes=("64x64",)), tmp_path)
    browser.open(write_blind(run, tmp_path, make_key(run, Random(1))))
    told = []
    for _ in HOSTILE:
        told += browser.texts("#duel-prompt")
        browser.press("1")

    shown = browser.texts(".grid th")
    assert shown == [HOSTILE[0], HOSTILE[1], r"\u202etxet \x1b[31m\x00", HOSTILE[3]]
    assert sorted(told) == sorted(shown)
    assert browser.evaluate("document.title") == "Which is better?"
    assert browser.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0
    browser.require_silence(tmp_path)

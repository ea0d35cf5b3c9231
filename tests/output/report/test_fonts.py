"""Which font a text is drawn with."""

import shutil
import string
from pathlib import Path

import pytest

from nscale_cli.output.report import fonts
from nscale_cli.output.report.fonts import OWN_FONT, Fonts, font, width
from tests.conftest import require_command

CHINESE, ARABIC, DEVANAGARI = "一只红狐狸在雪地里", "ثعلب أحمر في الثلج", "बर्फ में एक लाल लोमड़ी"
SYSTEM = Path("/usr/share/fonts")


def system_font(name: str) -> Path:
    """Return a font of the system."""
    found = next(SYSTEM.glob(f"**/{name}"), None)
    return Path(require_command(name, str(found) if found else None))


@pytest.fixture
def alone() -> Fonts:
    """A machine with no font but ours."""
    return Fonts({}, directories=())


@pytest.mark.parametrize(
    "text",
    [
        string.printable.strip(),
        "éàüñçßøåœŒŠžÆ £€¥ ×÷±≤≥ … · – — “”‘’«»",
        "Ελλάδα, Ωμέγα; Καλημέρα ϊϋΰ",
        "Съешь же ещё этих мягких французских булок, Їжак, Љубав",
        "Tiếng Việt: một con cáo đỏ trong tuyết",
        "Łódź, İstanbul, Ğ, Şerif, ș ț, Þ ð",
        "→ ← ↑ ↓ ✓ ✗ ★ ♥ ■ ● ∞ √ № ™",
    ],
)
def test_our_own_font_has_the_scripts_that_most_prompts_are_in(alone: Fonts, text: str) -> None:
    """Latin, Greek and Cyrillic with their signs, without any font of the system."""
    assert alone.fit(text, otherwise="-") == (text, OWN_FONT)
    assert alone.missing == []


@pytest.mark.parametrize("text", [CHINESE, ARABIC, DEVANAGARI, "🐱", "\U000f0000"])
def test_a_script_that_no_font_has_gives_way_to_another_text(alone: Fonts, text: str) -> None:
    """Never an empty box; and it is remembered, so that one line can say why."""
    assert alone.fit(text, otherwise="prompt 3") == ("prompt 3", OWN_FONT)
    assert alone.missing == [text]


def test_emoji_that_no_font_has_are_left_out(alone: Fonts) -> None:
    """The words around them are what is read."""
    assert alone.fit("A cat 🐱 playing 🎹\ufe0f", otherwise="-")[0] == "A cat playing"


def test_an_accent_of_its_own_becomes_part_of_its_letter(alone: Fonts) -> None:
    """Text from macOS comes in pieces."""
    assert alone.fit("cafe\u0301", otherwise="-")[0] == "café"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (CHINESE, "wqy-zenhei.ttc"),
        (ARABIC, "DejaVuSans.ttf"),
        (DEVANAGARI, "Lohit-Devanagari.ttf"),
    ],
)
def test_a_font_of_the_system_is_found_by_its_glyphs(text: str, name: str) -> None:
    """For a script that ours lacks, the first of the usual fonts that has all of it."""
    directory = str(system_font(name).parent)

    assert Fonts({}, directories=[directory]).fit(text, otherwise="-") == (
        text,
        Path(directory, name),
    )


def test_the_users_font_comes_before_those_of_the_system(tmp_path: Path) -> None:
    """NSCALE_FONT names a file, whatever it is called."""
    mine = shutil.copy(system_font("wqy-zenhei.ttc"), tmp_path / "mine.ttc")

    assert Fonts({"NSCALE_FONT": str(mine)}).fit(CHINESE, otherwise="-")[1] == mine


@pytest.mark.parametrize("content", [b"", b"no font at all", None])
def test_a_users_font_that_cannot_be_read_is_passed_over(
    tmp_path: Path, content: bytes | None
) -> None:
    """A damaged file, or none, is as good as no font."""
    mine = tmp_path / "mine.ttf"
    if content is not None:
        mine.write_bytes(content)

    assert Fonts({"NSCALE_FONT": str(mine)}, directories=()).fit(CHINESE, otherwise="x")[0] == "x"


def test_letters_that_must_be_joined_are_not_drawn_where_they_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without FriBiDi, Arabic would come out reversed and in pieces; Chinese would not."""
    directories = [str(system_font(name).parent) for name in ("DejaVuSans.ttf", "wqy-zenhei.ttc")]
    monkeypatch.setattr(fonts, "_can_shape", lambda: False)

    assert Fonts({}, directories).fit(ARABIC, otherwise="prompt 1")[0] == "prompt 1"
    assert Fonts({}, directories).fit(CHINESE, otherwise="-")[0] == CHINESE


def test_a_glyph_is_drawn_and_no_box() -> None:
    """The width is the text's own, and grows with the size."""
    assert 0 < width("A red fox", OWN_FONT, 14) < width("A red fox", OWN_FONT, 28)
    assert font(OWN_FONT, 20).getmask("é").getbbox() is not None


@pytest.mark.slow
def test_the_font_in_the_package_is_what_the_tool_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is renamed, as its licence asks, and made from Debian's by a committed tool."""
    from fontTools.ttLib import TTFont

    from tools import sheet_font

    system_font("DejaVuSansCondensed.ttf")
    monkeypatch.setattr(sheet_font, "TARGET", tmp_path / "sheet.ttf")
    monkeypatch.setattr(sheet_font, "LICENCE", tmp_path / "licence.txt")
    sheet_font.main()

    licence = OWN_FONT.with_name("sheet-font-LICENSE.txt").read_text(encoding="utf-8")
    assert (tmp_path / "licence.txt").read_text(encoding="utf-8") == licence
    assert "Bitstream Vera Fonts Copyright" in licence and "Arev Fonts Copyright" in licence
    made, ours = TTFont(tmp_path / "sheet.ttf"), TTFont(OWN_FONT)
    assert made.getBestCmap() == ours.getBestCmap()
    assert made.getTableData("glyf") == ours.getTableData("glyf")
    assert ours["name"].getDebugName(4) == "Nscale Sheet"


def test_the_font_is_small() -> None:
    """It comes with every installation."""
    assert OWN_FONT.stat().st_size < 100_000

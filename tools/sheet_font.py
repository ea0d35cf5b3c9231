"""Cut the font of comparison sheets out of DejaVu Sans Condensed: scripts that words are set in.

Usage: python tools/sheet_font.py   (needs the `dev` extra and Debian's fonts-dejavu-extra)
"""

from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

SOURCE = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansCondensed.ttf")
ASSETS = Path(__file__).parent.parent / "nscale_cli" / "output" / "report" / "assets"
TARGET = ASSETS / "sheet.ttf"
LICENCE = ASSETS / "sheet-font-LICENSE.txt"
NAME = "Nscale Sheet"  # the licence asks for a name of its own, without "Bitstream" and "Vera"
RANGES = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x18F, 0x192), (0x1A0, 0x1A1), (0x1AF, 0x1B0), (0x1CD, 0x1DC),
    (0x1E6, 0x1E7), (0x218, 0x21B), (0x2C6, 0x2DD), (0x1E80, 0x1E85), (0x1EA0, 0x1EF9),  # Latin
    (0x300, 0x30C), (0x323, 0x328),  # marks
    (0x384, 0x3CE),  # Greek
    (0x400, 0x45F), (0x490, 0x4FF),  # Cyrillic
    (0x2010, 0x2027), (0x2030, 0x203A), (0x2070, 0x208E), (0x20A6, 0x20BF),  # punctuation, money
    (0x2116, 0x2122), (0x2153, 0x215E), (0x2190, 0x2199),  # letterlike, fractions, arrows
    (0x2200, 0x2212), (0x221A, 0x221E), (0x2248, 0x2265),  # of mathematics
    (0x25A0, 0x25CF), (0x2605, 0x2606), (0x2660, 0x266F), (0x2713, 0x2718), (0xFFFD, 0xFFFD),
)  # fmt: skip
_NAMES = {1: NAME, 2: "Regular", 3: f"{NAME} 1", 4: NAME, 6: NAME.replace(" ", "")}


def main() -> None:
    """Write the font and its licence into the package."""
    font = TTFont(SOURCE, recalcTimestamp=False)
    licence = str(font["name"].getName(13, 3, 1))
    options = Options(layout_features=[], hinting=False, notdef_outline=True)
    options.drop_tables += ["FFTM", "MATH", "GDEF", "GPOS", "GSUB"]
    options.name_IDs = [0, 14]  # copyright, and where the licence is; the names are given below
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    for number, text in _NAMES.items():
        font["name"].setName(text, number, 3, 1, 0x409)
    font.save(TARGET)
    head = f"{NAME} is a subset of DejaVu Sans Condensed (https://dejavu-fonts.github.io/).\n\n"
    LICENCE.write_text(head + licence.replace("\r", "").rstrip() + "\n", encoding="utf-8")
    print(f"{TARGET.name} has {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()

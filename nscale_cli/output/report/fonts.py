"""Fonts of the sheet: the one that comes along, and the system's where that lacks a script."""

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.output.report.labels import wrap

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

OWN_FONT = Path(__file__).with_name("assets") / "sheet.ttf"
SYSTEM_DIRECTORIES = (
    "~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts",
    "~/Library/Fonts", "/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts",
)  # fmt: skip
# The usual fonts for scripts that ours lacks, the better ones first.
_SYSTEM_FONTS = (
    "NotoSansCJK*-Regular.tt?", "NotoSans*-Regular.?tf", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "Hiragino Sans GB*.ttc", "ヒラギノ角ゴシック W3.ttc", "PingFang.ttc", "AppleSDGothicNeo.ttc",
    "GeezaPro.ttc", "Kohinoor.ttc", "Arial Unicode.ttf", "msyh.ttc", "YuGothR.ttc", "malgun.ttf",
    "segoeui.ttf", "Nirmala.tt?", "LeelawUI.ttf", "DejaVuSans.ttf", "FreeSans.?tf",
    "Lohit-*.ttf", "unifont.?tf",
)  # fmt: skip
_MAX_FILES = 400  # system fonts that are tried for one text
_TESTED_SIZE = 40  # pixels, at which two glyphs are told apart
_NO_CHARACTER = "\U0010fffe"  # which no font has
# From Devanagari to Sinhala, Tibetan, Myanmar, Khmer, Mongolian: letters that change by neighbours.
_SHAPED = ((0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x18AF))


class Fonts:
    """Chooses a font for a text by whether it has the text's characters."""

    def __init__(
        self, env: Mapping[str, str], directories: Sequence[str] = SYSTEM_DIRECTORIES
    ) -> None:
        """Take NSCALE_FONT from `env`, and where the system keeps its fonts."""
        wanted = env.get("NSCALE_FONT")
        self._first = [OWN_FONT, *([Path(wanted)] if wanted else [])]
        self._directories = directories
        self._system: list[Path] | None = None
        self._fitted: dict[str, tuple[str, Path] | None] = {}

    @property
    def missing(self) -> list[str]:
        """The texts for which no font was found."""
        return [text for text, found in self._fitted.items() if found is None]

    def fit(self, text: str, *, otherwise: str) -> tuple[str, Path]:
        """Return `text` and a font that has all of it.

        Symbols that no font has, such as emoji, are left out. Where that is not enough, it is
        `otherwise` that is written, and the text counts as `missing`.
        """
        if text not in self._fitted:
            self._fitted[text] = self._fit(unicodedata.normalize("NFC", text))
        return self._fitted[text] or (otherwise, OWN_FONT)

    def _fit(self, text: str) -> tuple[str, Path] | None:
        if not text.strip():
            return text, OWN_FONT
        for candidate in (text, _without_symbols(text)):
            font = self._font_for(candidate) if candidate else None
            if font is not None:
                return candidate, font
        return None

    def _font_for(self, text: str) -> Path | None:
        if _needs_shaping(text) and not _can_shape():
            return None
        characters = frozenset(text)
        for path in self._first:
            if _covers(path, characters):
                return path
        found = next((path for path in self._system_fonts() if _covers(path, characters)), None)
        if found is not None and found not in self._first:
            self._first.append(found)  # the next text is likely to be of the same script
        return found

    def _system_fonts(self) -> list[Path]:
        if self._system is None:
            roots = [Path(name).expanduser() for name in self._directories]
            found = [path for root in roots for path in _files(root)]
            ranked = sorted((rank, path) for path in found if (rank := _rank(path)) is not None)
            self._system = [path for _, path in ranked][:_MAX_FILES]
        return self._system


def _files(root: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(root):
        yield from (Path(directory, name) for name in names)


def _rank(path: Path) -> int | None:
    matches = (rank for rank, pattern in enumerate(_SYSTEM_FONTS) if path.match(pattern))
    return next(matches, None)


@lru_cache(maxsize=256)
def font(path: Path, size: int, *, shaped: bool = True) -> "FreeTypeFont":
    """Return the font in a file at a size in pixels; raise OSError where it is none."""
    from PIL import ImageFont

    # Our own font needs no shaping, and its letters stand more evenly without.
    basic = path == OWN_FONT or not shaped
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC if basic else None)


@lru_cache(maxsize=20_000)
def width(text: str, path: Path, size: int) -> float:
    """Return how wide `text` is, in pixels."""
    return font(path, size).getlength(text)


@lru_cache(maxsize=10_000)
def wrapped(
    text: str, room: float, path: Path, size: int, *, middle: bool = False
) -> tuple[str, ...]:
    """Return `text` in lines of at most `room` pixels, as `labels.wrap` does."""
    return wrap(text, room, lambda part: width(part, path, size), middle=middle)


def _covers(path: Path, characters: frozenset[str]) -> bool:
    return not any(_lacks(path, character) for character in characters)


@lru_cache(maxsize=20_000)
def _lacks(path: Path, character: str) -> bool:
    """Return whether a font draws `character` as it draws all that it does not know."""
    if character.isspace() or unicodedata.category(character) == "Cf":
        return False
    with suppress(OSError, ValueError):
        return _drawn(path, character) == _drawn(path, _NO_CHARACTER)
    return True


def _drawn(path: Path, character: str) -> tuple[object, bytes]:
    mask = font(path, _TESTED_SIZE, shaped=False).getmask(character)
    return mask.size, bytes(mask)


def _without_symbols(text: str) -> str:
    """Return `text` without emoji and their modifiers, for which no plain font has a glyph."""
    kept = (c for c in text if unicodedata.category(c) not in ("So", "Sk", "Cf") and c != "\ufe0f")
    return " ".join("".join(kept).split())


def _needs_shaping(text: str) -> bool:
    return any(
        unicodedata.bidirectional(c) in ("R", "AL")
        or any(first <= ord(c) <= last for first, last in _SHAPED)
        for c in text
    )


@lru_cache(maxsize=1)
def _can_shape() -> bool:
    """Return whether Pillow joins and orders letters: it does where the system has FriBiDi."""
    from PIL import features

    return bool(features.check_feature("raqm"))

"""What files are called: from `-o`, or from the prompt."""

import hashlib
import os
import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count
from pathlib import Path

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest
from nscale_cli.values import frozen

EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_FORMAT_OF_SUFFIX = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
OTHER_FORMATS = (".avif", ".bmp", ".gif", ".heic", ".jxl", ".pdf", ".svg", ".tif", ".tiff")
_OWN_NAME = "{slug}.{ext}"
_FIELDS = ("slug", "model", "size", "index", "date", "time", "hash", "ext")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"  # Hangul fillers: letters that show as nothing
_LOOKS_HASHED = re.compile(r"-[0-9a-f]{8}$")
_UNKNOWN = "\x00"  # stands for what only the image tells: no path holds a NUL
_MAX_SLUG_BYTES = 80
_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 4000  # Linux takes 4095; a temporary file's name must fit as well


def disk_path(text: str) -> Path:
    """Return the path whose bytes on disk are `text` in UTF-8, whatever the locale says."""
    return Path(os.fsdecode(text.encode("utf-8", "surrogateescape")))


def text_of(path: Path) -> str:
    """Return `path` as a person reads it: the reverse of `disk_path`."""
    return os.fsencode(path).decode(errors="surrogateescape")


def slug(text: str) -> str:
    """Return a file name's stem made from any text.

    Letters, digits, `_`, `.` and `-` stay; all else becomes `-`. At most 80 bytes of UTF-8, in
    NFC, never empty, hidden, an option, or a name that Windows reserves.
    """
    normal = unicodedata.normalize("NFC", text.lower())
    kept = re.sub(r"-{2,}", "-", "".join(_kept(normal))).lstrip("-._")
    stem = kept.encode()[:_MAX_SLUG_BYTES].decode(errors="ignore").rstrip("-._")
    stem = unicodedata.normalize("NFC", stem) or "image"
    return f"_{stem}" if _RESERVED.match(stem) else stem


def model_name(model_id: str) -> str:
    """Return a name for a model that no other model gets, whatever its id.

    Where the slug says less than the id, as it mostly does, the beginning of the id's SHA-256
    follows.
    """
    stem = slug(model_id)
    if stem == model_id and not _LOOKS_HASHED.search(stem):
        return stem
    return f"{stem}-{hashlib.sha256(model_id.encode()).hexdigest()[:8]}"


def _kept(text: str) -> Iterator[str]:
    """Yield each character of `text` that may stand in a name, and `-` for each that may not."""
    in_word = False
    for character in text:
        # Marks (M) carry the vowels of many scripts; isalnum() alone would tear words apart. A
        # mark without its letter, such as an emoji leaves behind, would show as nothing.
        mark = in_word and unicodedata.category(character).startswith("M")
        in_word = mark or (character.isalnum() and character not in _BLANK_LETTERS)
        yield character if in_word or character in "_.-" else "-"


@frozen
class Target:
    """Where the images of one run go: a path with fields to be filled in for each of them.

    `exact`: the user named this very file, so no other may stand in for it.
    """

    template: str
    values: dict[str, str]
    exact: bool
    several: bool

    @property
    def directory(self) -> Path:
        """The folder that the first image goes to, as far as it is known before the image is."""
        return self.known_directory(1)

    @property
    def is_one_name(self) -> bool:
        """Whether there is one file only, whose name the user gave."""
        return self.exact and not self.several

    def known_directory(self, index: int) -> Path:
        """Return the directory of image `index`, as far as it is known before the image is."""
        directory = self.path(index=index, image_format="png", sha256=_UNKNOWN).parent
        while _UNKNOWN in str(directory):
            directory = directory.parent
        return directory

    @property
    def format(self) -> str | None:
        """The format that the name asks for, or None where the service's own is to be kept."""
        return _FORMAT_OF_SUFFIX.get(Path(self.template).suffix.lower())

    def path(self, *, index: int, image_format: str, sha256: str) -> Path:
        """Return the path of image `index` (from 1), before any numbering."""
        late = {"index": str(index), "ext": EXTENSIONS.get(image_format, "bin"), "hash": sha256[:8]}
        filled = disk_path(fill(self.template, self.values | late))
        if not (self.exact and self.several):
            return filled
        return filled.with_name(f"{filled.stem}-{index}{filled.suffix}")

    def expected(self, count: int) -> list[str]:
        """Return the paths as far as they are known before the images are, for --dry-run."""
        paths = [
            str(self.path(index=index, image_format="png", sha256=_UNKNOWN))
            for index in range(1, count + 1)
        ]
        return [path.replace(_UNKNOWN, "{hash}") for path in paths]


def plan(output: str | None, request: ImageRequest, *, cwd: Path, now: datetime) -> Target:
    """Turn `-o` into a target; raise UsageError for a name that could not be written as asked."""
    values = {
        "slug": slug(request.prompt),
        "model": model_name(request.model),
        "size": str(request.size),
        "date": now.strftime("%Y-%m-%d"),
        "time": now.strftime("%H%M%S"),
    }
    exact = False
    if output is None:
        name = _OWN_NAME
    elif os.path.isdir(cwd / disk_path(output)):  # noqa: PTH112 - is_dir() may raise
        name = os.path.join(literal(output), _OWN_NAME)  # noqa: PTH118 - text with fields
    elif "{" in output:
        name = output + (_OWN_NAME if _ends_as_directory(output) else "")
    elif _ends_as_directory(output):
        name = literal(output) + _OWN_NAME
    else:
        name, exact = literal(output), True
    template = os.path.join(literal(str(cwd)), name)  # noqa: PTH118 - text with fields
    target = Target(template=template, values=values, exact=exact, several=request.count > 1)
    _require_writable_name(target)
    return target


def candidates(path: Path) -> Iterator[Path]:
    """Yield `path`, then `stem-2`, `stem-3` and so on, without end."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def literal(text: str) -> str:
    """Return the template that stands for `text` itself, whatever braces it holds."""
    return text.replace("{", "{{").replace("}", "}}")


def _ends_as_directory(output: str) -> bool:
    return output.endswith(("/", os.sep))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with its fields filled in."""
    parts = []
    for literal, field, _, _ in string.Formatter().parse(template):
        parts.append(literal)
        if field is not None:
            parts.append(values[field])
    return "".join(parts)


def _require_writable_name(target: Target) -> None:
    _require_known_fields(target.template)
    suffix = Path(target.template).suffix.lower()
    if suffix in OTHER_FORMATS:
        raise UsageError(
            f"-o asks for {suffix}, which nscale cannot write", hint="use .png, .jpg or .webp"
        )
    path = target.path(index=1, image_format="png", sha256="0" * 64)
    too_long = any(len(os.fsencode(part)) > _MAX_NAME_BYTES for part in path.parts)
    if too_long or len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise UsageError("the file name is too long", hint="choose a shorter one with -o")


def _require_known_fields(template: str) -> None:
    hint = "the fields are " + " ".join(f"{{{name}}}" for name in _FIELDS)
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError:
        raise UsageError("-o has an unmatched brace", hint=hint) from None
    for _, name, spec, conversion in fields:
        if name is not None and (name not in _FIELDS or spec or conversion):
            raise UsageError(f"-o has an unknown field {{{excerpt(name, 40)}}}", hint=hint)

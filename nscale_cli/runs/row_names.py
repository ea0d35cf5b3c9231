"""What the images of a run are called: names for all rows, known before anything is sent."""

import os
import re
import string
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.runs.rows import Row
from nscale_cli.storage.names import (
    EXTENSIONS,
    OTHER_FORMATS,
    Target,
    fill,
    literal,
    model_name,
    slug,
    text_of,
)
from nscale_cli.storage.spill import SpilledMap

DEFAULT_TEMPLATE = "{row}-{slug}.{ext}"
BOOKKEEPING = "run"
_RESERVED_NAMES = re.compile(
    rf"{BOOKKEEPING}|(index[^/]*|blind)\.html|sheet[^/]*\.png|results\.csv|table\.md", re.IGNORECASE
)
_HINT = (
    "the fields are {id} {row} {slug} {model} {size} {index} {date} {time} {hash} {ext}, "
    "and the names of further columns"
)
# What the service's answer tells; `index` too, since a row may ask for several images.
_LATE_FIELDS = ("index", "ext", "hash")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_ANY_SUFFIX = ".{ext}"
_MAX_PART_BYTES, _MAX_PATH_BYTES = 255, 3000  # of a path within the run's directory
_LEAST_WIDTH = 4
_ROOM_BYTES = 8  # that a further number in a name may take
_ODD_ON_WINDOWS = frozenset('<>:"|?*')


class RowNames:
    """Gives each row its path, and no two rows the same.

    It is a template relative to the run's directory, with `{index}`, `{ext}` and `{hash}` left to
    be filled in, and literal braces doubled. `rows_at_most` tells how wide `{row}` is written.
    """

    def __init__(self, template: str | None, *, now: datetime, rows_at_most: int) -> None:
        """Take `--name`; raise UsageError where it could never be a name."""
        self._template = _complete(template or DEFAULT_TEMPLATE)
        self._parts = _parse(self._template)
        self._dates = {"date": now.strftime("%Y-%m-%d"), "time": now.strftime("%H%M%S")}
        self._width = max(_LEAST_WIDTH, len(str(rows_at_most)))
        self._taken = TakenPaths()

    def close(self) -> None:
        """Forget which paths are taken."""
        self._taken.close()

    def path_for(self, row: Row, number: int) -> str:
        """Return the path of row `number` (from 1); raise UsageError where there can be none."""
        if row.out:
            path = _with_index(_path_of_out(row.out), row.request.count)
            self._taken.take(path, row)
            return path
        path = _with_index(self._filled(row, number), row.request.count)
        return self._taken.take_free(path, row)

    def _filled(self, row: Row, number: int) -> str:
        values = self._values(row, number)
        parts = []
        for text, name in self._parts:
            parts.append(literal(text))
            if name in _LATE_FIELDS:
                parts.append(f"{{{name}}}")
            elif name is not None and name not in values:
                raise UsageError(f"--name asks for {{{excerpt(name, 40)}}}, which this row lacks")
            elif name is not None:
                parts.append(literal(values[name]))
        path = "".join(parts)
        require_inside(shown_path(path))
        return path

    def _values(self, row: Row, number: int) -> Mapping[str, str]:
        request = row.request
        return {
            "slug": slug(request.prompt),
            **self._dates,
            **{name: slug(value) for name, value in row.fields.items()},
            **({"id": slug(row.id)} if row.id else {}),
            "row": f"{number:0{self._width}}",
            "model": model_name(request.model),
            "size": str(request.size),
        }


class TakenPaths:
    """Which paths rows have been given, as the least careful file system would tell them apart."""

    def __init__(self) -> None:
        """Start with all paths free."""
        self._map = SpilledMap()

    def close(self) -> None:
        """Forget them."""
        self._map.close()

    def take(self, path: str, row: Row) -> None:
        """Take the path for this row; raise UsageError where another row has it."""
        line = self._line_of_holder(path, row)
        if line:
            raise UsageError(f"{excerpt(row.out, 120)} is the file of line {line}, too")
        self._note(path, row)

    def take_free(self, path: str, row: Row) -> str:
        """Take the first of `path`, `path-2`, `path-3` that no other row has, and return it."""
        if "{hash}" in path:  # which tells each image from all others
            return path
        stem, suffix = split_path(path)
        number = 1
        while self._line_of_holder(path, row):
            number += 1
            path = f"{stem}-{number}{suffix}"
        self._note(path, row)
        return path

    def _line_of_holder(self, path: str, row: Row) -> str:
        for stem, suffix in _as_saved(path, row):
            line, *suffixes = (self._map.get(stem) or "").split() or [""]
            # Which ending `{ext}` becomes is not known yet, so it could be any.
            if line and (suffix in suffixes or _ANY_SUFFIX in (suffix, *suffixes)):
                return line
        return ""

    def _note(self, path: str, row: Row) -> None:
        for stem, suffix in _as_saved(path, row):
            self._map[stem] = f"{self._map.get(stem) or row.line} {suffix}"


def _as_saved(path: str, row: Row) -> Iterator[tuple[str, str]]:
    """Yield stem and suffix of each image of the row, in one spelling for all that look alike."""
    stem, suffix = split_path(path)
    for index in range(1, row.request.count + 1):
        filled = fill(stem, {"index": str(index), "hash": "{hash}", "ext": "{ext}"})
        yield unicodedata.normalize("NFC", filled.casefold()), suffix.lower()


def target_of(directory: Path, path: str) -> Target:
    """Return where the images of a row go: its `path`, within the run's `directory`."""
    template = os.path.join(literal(text_of(directory)), path)  # noqa: PTH118 - text with fields
    return Target(template=template, values={}, exact=False, several=False)


def require_inside(path: str) -> None:
    """Raise UsageError for a path that is not one of a file in the run's directory.

    Nor may it be one that the run writes itself, or one that some systems cannot have.
    """
    shown = excerpt(path, 120)
    parts = path.split("/")
    if PurePosixPath(path).is_absolute() or ".." in parts or "\\" in path:
        raise UsageError(f"the name {shown!r} leaves the run's folder")
    if not all(_is_good_part(part) for part in parts):
        raise UsageError(f"the name {shown!r} is not one that a file can have")
    if _RESERVED_NAMES.fullmatch(parts[0]):
        raise UsageError(f"the name {shown!r} is reserved for what the run itself writes")
    longest = max(len(os.fsencode(part)) for part in parts)
    if longest + _ROOM_BYTES > _MAX_PART_BYTES or len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise UsageError("the file name is too long")


def _is_good_part(part: str) -> bool:
    odd = sys.platform == "win32" and _ODD_ON_WINDOWS & set(part)
    control = any(unicodedata.category(character) == "Cc" for character in part)
    return part not in ("", ".") and part[-1] not in ". " and not control and not odd


def _path_of_out(out: str) -> str:
    require_inside(out)
    suffix = PurePosixPath(out).suffix.lower()
    _require_writable(suffix, out)
    path = literal(out) if suffix in _SUFFIXES else literal(out) + _ANY_SUFFIX
    require_inside(shown_path(path))
    return path


def _complete(template: str) -> str:
    """Return `--name` with a file's name and an ending, where it leaves these out."""
    if template.endswith("/"):
        template += DEFAULT_TEMPLATE
    suffix = PurePosixPath(template).suffix.lower()
    if suffix in (*_SUFFIXES, _ANY_SUFFIX):
        return template
    _require_writable(suffix, template)
    return template + _ANY_SUFFIX


def _require_writable(suffix: str, name: str) -> None:
    if suffix in OTHER_FORMATS:
        raise UsageError(
            f"{excerpt(name, 60)} asks for {suffix}, which nscale cannot write",
            hint="use .png, .jpg or .webp",
        )


def _parse(template: str) -> list[tuple[str, str | None]]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise UsageError("--name has an unmatched brace") from None
    for _, name, spec, conversion in parts:
        if name is not None and (not name or spec or conversion):
            raise UsageError(f"--name has an unknown field {{{excerpt(name, 40)}}}", hint=_HINT)
    return [(text, name) for text, name, _, _ in parts]


def _with_index(path: str, count: int) -> str:
    """Return the path with `{index}` in it, where several images would else have one name."""
    if count == 1 or "{index}" in path:
        return path
    stem, suffix = split_path(path)
    return f"{stem}-{{index}}{suffix}"


def split_path(path: str) -> tuple[str, str]:
    """Return a row's path without its ending, and its ending."""
    if path.endswith(_ANY_SUFFIX):
        return path.removesuffix(_ANY_SUFFIX), _ANY_SUFFIX
    return os.path.splitext(path)  # noqa: PTH122 - text with fields


def shown_path(path: str) -> str:
    """Return a row's path with its fields filled in as for a first image, a PNG."""
    return fill(path, {"index": "1", "ext": EXTENSIONS["png"], "hash": "0" * 8})

"""Rows: what a file, or a set of axes, asks for; each one checked, with every mistake named."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TypeVar

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest, Size
from nscale_cli.values import frozen

MAX_MISTAKES = 20  # that are shown; the others are counted
COLUMNS = ("prompt", "id", "model", "size", "n", "out")
PARAM_PREFIX = "param."
_MAX_DIGITS = 6  # of the number of images
_SHORTEST_TELLING = 3  # letters; of shorter names, half of all others are one letter off
_Value = TypeVar("_Value")


@frozen
class RowDefaults:
    """What a row asks for where it does not say so itself."""

    model: str
    size: Size
    count: int = 1
    params: Mapping[str, object] = field(default_factory=dict)
    send_size: bool = True


@frozen
class RawRow:
    """A row as it is written: `values` by column; `line` (from 1) is where it begins."""

    line: int
    values: Mapping[str, object]


@frozen
class Row:
    """A request, and what the row says about the file that it becomes.

    `id` names it to people, `out` is the file name it asks for; both may be empty. `fields` are
    further columns, for names. `service` is a base URL other than the plan's, or empty.
    """

    request: ImageRequest
    line: int = 0
    id: str = ""
    out: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    service: str = ""


class RowsRefused(UsageError):
    """A file with mistakes; `mistakes` are the first of them, each a sentence with its place."""

    def __init__(self, message: str, mistakes: Sequence[str]) -> None:
        """Hold the mistakes."""
        super().__init__(message, hint="fix these lines, then give the same command again")
        self.mistakes = mistakes


class MistakeList:
    """The mistakes found in one file: the first few, and how many there are."""

    def __init__(self, source: str) -> None:
        """Start without a mistake in the file that people know as `source`."""
        self.source = source
        self.count = 0
        self._first: list[str] = []

    def add(self, line: int, column: str, text: str) -> None:
        """Note what is wrong in a line (from 1), and in which column where one is to blame."""
        self.count += 1
        if len(self._first) < MAX_MISTAKES:
            where = f", column {excerpt(column, 60)}" if column else ""
            self._first.append(f"{self.source}, line {line}{where}: {text}")

    def require_none(self) -> None:
        """Raise RowsRefused where a mistake was found."""
        if not self.count:
            return
        what = "1 mistake" if self.count == 1 else f"{self.count} mistakes"
        first = f" (the first {MAX_MISTAKES} are shown)" if self.count > MAX_MISTAKES else ""
        raise RowsRefused(f"{self.source} has {what}{first}; nothing was sent", self._first)


def check_columns(names: Iterable[str], *, known: Iterable[str] = COLUMNS) -> Iterator[str]:
    """Yield what is wrong with these names of columns: two alike, or one that is misspelled.

    A column that is nearly a known one would be taken for a field of file names, and its values
    would be left out of what is asked for.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"the column {excerpt(name, 60)!r} is there twice"
        seen.add(name)
        meant = _meant(name, known)
        if meant:
            yield f"unknown column {excerpt(name, 60)!r}: did you mean {meant!r}?"


def _meant(name: str, known: Iterable[str]) -> str | None:
    prefix = PARAM_PREFIX.rstrip(".")
    first, dot, rest = name.partition(".")
    if dot and first != prefix and _is_one_off(first.lower(), prefix):
        return PARAM_PREFIX + rest
    if name in known:
        return None
    for other in known:
        telling = len(other) >= _SHORTEST_TELLING and _is_one_off(name.lower(), other)
        if telling or name.lower() == other:
            return other
    return None


def _is_one_off(name: str, other: str) -> bool:
    """Return whether one letter changed, added, left out, or swapped with its neighbour differs."""
    if abs(len(name) - len(other)) > 1 or name == other:
        return False
    same = next(
        (i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b),
        min(len(name), len(other)),
    )
    left, right = name[same:], other[same:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def row_from(raw: RawRow, defaults: RowDefaults, mistakes: MistakeList) -> Row | None:
    """Return the checked row, or None after noting what is wrong with it."""
    before = mistakes.count

    def read(column: str, parse: Callable[[object], _Value], default: _Value) -> _Value:
        value = raw.values.get(column)
        if value is None or value == "":
            return default
        try:
            return parse(value)
        except UsageError as error:
            mistakes.add(raw.line, column, error.message)
            return default

    prompt = read("prompt", _text, "")
    model = read("model", _text, defaults.model)
    size = read("size", lambda value: Size.parse(_text(value)), defaults.size)
    count = read("n", _count, defaults.count)
    row_id, out = read("id", _label, ""), read("out", _label, "")
    params = {**defaults.params, **read("params", _mapping, {}), **_params_in(raw.values)}
    known = (*COLUMNS, "params")
    others = (name for name in raw.values if not name.startswith(PARAM_PREFIX))
    fields = {name: read(name, _label, "") for name in others if name not in known}
    if mistakes.count > before:
        return None
    try:
        require_sendable(params)
        request = ImageRequest(
            prompt=prompt,
            model=model,
            size=size,
            count=count,
            params=params,
            send_size=defaults.send_size,
        )
    except UsageError as error:
        mistakes.add(raw.line, "", error.message)
        return None
    return Row(request=request, line=raw.line, id=row_id, out=out, fields=fields)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{_shown(value)} is not text")
    return value


def _label(value: object) -> str:
    """Return a number or a text as text that can stand in a file."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{_shown(value)} is neither text nor a number")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("it holds half a character (a lone surrogate)") from None
    return text


def _count(value: object) -> int:
    text = str(value).strip()
    good = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) > 0
    if isinstance(value, bool) or not good:
        raise UsageError(f"{_shown(value)} is not a number of images, 1 or more")
    return int(text)


def _mapping(value: object) -> Mapping[str, object]:
    value = json_or_text(value)
    if not isinstance(value, dict):
        raise UsageError(f"{_shown(value)} is not an object")
    return value


def _params_in(values: Mapping[str, object]) -> dict[str, object]:
    """Return the extra fields of the request that stand in columns of their own."""
    return {
        name.removeprefix(PARAM_PREFIX): json_or_text(value)
        for name, value in values.items()
        if name.startswith(PARAM_PREFIX) and value not in (None, "")
    }


def require_sendable(params: Mapping[str, object]) -> None:
    """Raise UsageError for extra fields that no request could carry."""
    try:
        json.dumps(params, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise UsageError("its extra fields hold a value that JSON cannot carry") from None


def json_or_text(value: object) -> object:
    """Return the JSON value that a text spells, or the text itself where it spells none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=lambda constant: constant)
    except (ValueError, RecursionError):
        return value


def _shown(value: object) -> str:
    return excerpt(json.dumps(value, ensure_ascii=False), 60)

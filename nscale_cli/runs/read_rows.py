"""The readers: a file of prompts (TXT, CSV, JSONL, OpenAI Batch lines) becomes rows, one by one."""

import csv
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import IO, BinaryIO

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.runs.rows import (
    COLUMNS,
    PARAM_PREFIX,
    MistakeList,
    RawRow,
    Row,
    RowDefaults,
    check_columns,
    row_from,
)
from nscale_cli.storage.names import disk_path

MAX_LINE_BYTES = 4 * 1024 * 1024
_DELIMITERS = (",", ";", "\t")
_BYTE_ORDER_MARK = "\ufeff"
_JSON_COLUMNS = (*COLUMNS, "params", "error")
_IMAGES_PATH = "/images/generations"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
_PIECE_BYTES = 1024 * 1024


class RowFormat(StrEnum):
    """How a file of rows is written."""

    TXT = "txt"
    CSV = "csv"
    JSONL = "jsonl"


_FORMAT_OF_SUFFIX = {
    ".txt": RowFormat.TXT,
    ".csv": RowFormat.CSV,
    ".tsv": RowFormat.CSV,
    ".jsonl": RowFormat.JSONL,
    ".ndjson": RowFormat.JSONL,
}


def format_of(name: str, wanted: str | None) -> RowFormat:
    """Return how the file `name` is written: as `wanted` says, else by its ending."""
    if wanted is not None:
        try:
            return RowFormat(wanted)
        except ValueError:
            raise UsageError(
                f"{excerpt(wanted, 40)!r} is not a format of rows", hint="give txt, csv or jsonl"
            ) from None
    found = _FORMAT_OF_SUFFIX.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - text
    if found is None:
        what = "standard input" if name == "-" else excerpt(name)
        raise UsageError(
            f"what {what} holds cannot be told from its name", hint="say --format txt, csv or jsonl"
        )
    return found


@contextmanager
def open_rows(name: str, standard_input: BinaryIO | None) -> Iterator[IO[bytes]]:
    """Open the file `name` (`-`: standard input) so that it can be read more than once.

    Raises UsageError where it cannot be read. A pipe is copied to a temporary file first.
    """
    try:
        file = _open(name, standard_input)
    except OSError as error:
        what = "standard input" if name == "-" else excerpt(name)
        raise UsageError(f"{what} cannot be read: {error.strerror}; nothing was sent") from None
    with file:
        yield file


def count_lines(file: IO[bytes]) -> int:
    """Return how many lines `file` has, which is at least the number of its rows; rewind it."""
    count = 1
    while piece := file.read(_PIECE_BYTES):
        count += piece.count(b"\n")
    file.seek(0)
    return count


def read_rows(
    file: IO[bytes], row_format: RowFormat, defaults: RowDefaults, mistakes: MistakeList
) -> Iterator[Row]:
    """Yield the rows of `file` that are good, and note in `mistakes` what is wrong with others.

    One row is in memory at a time. What is yielded counts only once `mistakes.require_none()`
    has been asked at the end.
    """
    raw_rows = {RowFormat.TXT: _txt, RowFormat.CSV: _csv, RowFormat.JSONL: _jsonl}[row_format]
    any_row = False
    for raw in raw_rows(file, mistakes):
        any_row = True
        row = row_from(raw, defaults, mistakes)
        if row is not None:
            yield row
    if not any_row and not mistakes.count:
        mistakes.add(1, "", "there is no row in it")


def _lines(file: IO[bytes], mistakes: MistakeList) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; one that is not UTF-8 text is noted, and yielded mended."""
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1 and data.startswith(_OTHER_ENCODINGS):
            mistakes.add(1, "", "it is written in UTF-16; save it as UTF-8")
            return
        if len(data) > MAX_LINE_BYTES:
            mistakes.add(number, "", "the line is longer than 4 MiB")
            return
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            mistakes.add(number, str(error.start + 1), "it is not UTF-8 text")
            text = data.decode(errors="replace")
        yield number, text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text


def _txt(file: IO[bytes], mistakes: MistakeList) -> Iterator[RawRow]:
    for number, line in _lines(file, mistakes):
        if line.strip():
            yield RawRow(line=number, values={"prompt": line.rstrip("\r\n")})


def _csv(file: IO[bytes], mistakes: MistakeList) -> Iterator[RawRow]:
    lines = (line for _, line in _lines(file, mistakes))
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=lambda each: _knows(_header(first, each)))
    header = _header(first, delimiter)
    if not _is_good_header(header, mistakes):
        return
    csv.field_size_limit(MAX_LINE_BYTES)
    table = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = table.line_num + 2  # behind the header, and behind the last row
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            mistakes.add(line, "", f"it is not CSV: {error}")
            return
        if not any(cells):
            continue
        if len(cells) > len(header):
            mistakes.add(
                line,
                str(len(header) + 1),
                f"{len(cells)} cells, but the header has {len(header)}; "
                f"put a cell that holds {delimiter!r} in double quotes",
            )
            continue
        yield RawRow(line=line, values=dict(zip(header, cells, strict=False)))


def _header(line: str, delimiter: str = ",") -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _knows(header: Sequence[str]) -> int:
    """Return how much of a header makes sense."""
    return sum(name in COLUMNS or name.startswith(PARAM_PREFIX) for name in header)


def _is_good_header(header: Sequence[str], mistakes: MistakeList) -> bool:
    before = mistakes.count
    for complaint in check_columns(header):
        mistakes.add(1, "", complaint)
    if "" in header:
        mistakes.add(1, str(header.index("") + 1), "the column has no name")
    if "prompt" not in header and mistakes.count == before:
        columns = ", ".join(excerpt(name, 40) for name in header[:10]) or "none"
        mistakes.add(1, "", f"no column is called prompt; the columns are: {columns}")
    return mistakes.count == before


def _jsonl(file: IO[bytes], mistakes: MistakeList) -> Iterator[RawRow]:
    for number, line in _lines(file, mistakes):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse)
        except json.JSONDecodeError as error:
            mistakes.add(number, str(error.colno), f"it is not JSON: {error.msg}")
            continue
        except (ValueError, RecursionError):
            mistakes.add(number, "", "it is not JSON that can be read")
            continue
        if not isinstance(value, dict):
            mistakes.add(number, "", "it is not a JSON object")
            continue
        values = _batch_line(value, number, mistakes) if "body" in value else value
        complaints = list(check_columns(values, known=_JSON_COLUMNS))
        for complaint in complaints:
            mistakes.add(number, "", complaint)
        if not complaints:
            # `error` is what failed.jsonl says about a row: the file is input again.
            yield RawRow(
                line=number, values={name: each for name, each in values.items() if name != "error"}
            )


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _batch_line(value: dict[str, object], number: int, mistakes: MistakeList) -> dict[str, object]:
    """Return the row that a line of OpenAI's Batch API stands for."""
    body, url = value["body"], value.get("url")
    if not isinstance(body, dict):
        mistakes.add(number, "body", "it is not an object")
        return {}
    if url is not None and not str(url).endswith(_IMAGES_PATH):
        mistakes.add(number, "url", f"it is not .../v1{_IMAGES_PATH}: {excerpt(str(url), 60)}")
    own = {name: body[name] for name in ("prompt", "model", "size", "n") if name in body}
    params = {name: each for name, each in body.items() if name not in own}
    return {**own, "params": params, "id": value.get("custom_id")}


def _open(name: str, standard_input: BinaryIO | None) -> IO[bytes]:
    if name != "-":
        file: IO[bytes] = disk_path(name).open("rb")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        with file:
            return _copy_of(file)
    if standard_input is None:
        raise OSError(None, "it is closed")
    return _copy_of(standard_input)


def _copy_of(stream: IO[bytes]) -> IO[bytes]:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
    shutil.copyfileobj(stream, copy, _PIECE_BYTES)
    copy.seek(0)
    return copy

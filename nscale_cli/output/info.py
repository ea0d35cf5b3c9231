"""What is known of a file: what it is, how it was made, and what is written in it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nscale_cli.output.history import entry_data, fields_of, file_data
from nscale_cli.output.result import Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean, excerpt
from nscale_cli.request import Size
from nscale_cli.storage.history import HistoryEntry
from nscale_cli.storage.metadata.readers import Finding, Metadata
from nscale_cli.storage.names import text_of
from nscale_cli.values import frozen

_MAX_TEXT = 4000  # characters of one field; a workflow has more, and --json has it all
_OF_THE_FILE = ("id", "made", "file", "format", "sha256", "without metadata")


@frozen
class FileInfo:
    """One file. `entries` are the history's, by what the file holds; `sidecar` lies beside it."""

    path: Path
    format: str | None
    size: Size | None
    byte_count: int
    sha256: str
    metadata: Metadata
    sidecar: Finding | None
    entries: Sequence[HistoryEntry]

    @property
    def findings(self) -> Sequence[Finding]:
        """What is written in it, and beside it."""
        beside = () if self.sidecar is None else (self.sidecar,)
        return (*self.metadata.findings, *beside)


@frozen
class FilesDescribed(Result):
    """What is known of each file."""

    command = "images info"
    files: Sequence[FileInfo]

    def lines(self) -> list[str]:
        """Return a table for each file, with an empty line between two."""
        tables = [format_table(list(_rows(each))) for each in self.files]
        return [line for table in tables for line in ("", *table)][1:]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {"files": [_data(each) for each in self.files]}


@frozen
class StrippedCopy(Result):
    """A copy without metadata of ours. `is_original` is None where none were in it."""

    command = "images info"
    file: FileInfo
    copy: Path
    sha256: str
    is_original: bool | None

    def notes(self) -> Sequence[str]:
        """Say what the copy is."""
        if self.is_original is None:
            return ["nothing of nscale's is written in it; the copy is the same"]
        return ["the copy is what the service sent, byte for byte"] if self.is_original else []

    def warnings(self) -> Sequence[str]:
        """Warn where it is not what the service sent."""
        if self.is_original is not False:
            return []
        return ["the copy is not what the service sent: the file was changed since"]

    def lines(self) -> Sequence[str]:
        """Return the copy's path."""
        return [str(self.copy)]

    def data(self) -> dict[str, object]:
        """Return the file, and its copy, for a script."""
        copy, sha256, is_original = text_of(self.copy), self.sha256, self.is_original
        stripped = {"path": copy, "sha256": sha256, "is_original": is_original}
        return {"files": [_data(self.file)], "stripped": stripped}


def _rows(file: FileInfo) -> Iterator[tuple[str, str]]:
    yield "file", clean(text_of(file.path))
    kind = file.format.upper() if file.format else "no PNG, JPEG or WebP"
    size = str(file.size) if file.size else "size unknown"
    yield "format", f"{kind}, {size}, {file.byte_count} bytes"
    yield "sha256", file.sha256
    for entry in file.entries:
        known = dict(fields_of(entry))
        yield "history", f"image {entry.id}, made {known['made']}"
        for name, text in known.items():
            if name not in _OF_THE_FILE:
                yield f"history: {name}", text
    for finding in file.findings:
        for name, value in finding.fields.items():
            yield f"{finding.source}: {name}", excerpt(_text(value), _MAX_TEXT)
    if file.metadata.credentials:
        yield "content credentials", "present, not verified"
    if not file.metadata.whole and file.format:
        yield "damage", "its parts do not add up; there may be more in it"
    if not (file.entries or file.findings or file.metadata.credentials):
        yield "made by", "unknown: not in the history, and nothing that nscale reads is in it"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(file: FileInfo) -> dict[str, object]:
    return {
        **file_data(file.path, file.format, file.size, file.byte_count, file.sha256),
        "whole": file.metadata.whole,
        "content_credentials": file.metadata.credentials,
        "history": [entry_data(entry) for entry in file.entries],
        "metadata": [_finding_data(finding) for finding in file.metadata.findings],
        "sidecar": None if file.sidecar is None else _finding_data(file.sidecar),
    }


def _finding_data(finding: Finding) -> Mapping[str, object]:
    return {"source": finding.source, "fields": dict(finding.fields)}

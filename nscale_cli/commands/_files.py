"""Files that a command is given: which are meant, and what is known of each."""

import hashlib
import os
from pathlib import Path

from nscale_cli.commands._context import open_history
from nscale_cli.commands._history import LAST, existing_path, find_entry
from nscale_cli.errors import NscaleError, UsageError
from nscale_cli.output.info import FileInfo
from nscale_cli.redact import excerpt
from nscale_cli.service.decode import sniff
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.history import HistoryEntry
from nscale_cli.storage.metadata.marks import SIDECAR_SUFFIX
from nscale_cli.storage.metadata.readers import Finding, read_metadata, read_sidecar
from nscale_cli.storage.names import disk_path
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

_MAX_FILE_BYTES = 512 * 1024 * 1024
_MAX_SIDECAR_BYTES = 8 * 1024 * 1024


def file_named(name: str, environment: Environment) -> Path:
    """Return the file of that name, or the last image for `last`; raise UsageError for neither."""
    path = environment.path(disk_path(name))
    if os.path.isfile(path):  # noqa: PTH113 - is_file() may raise
        return path
    if name == LAST:
        return existing_path(find_entry(LAST, environment))
    raise UsageError(f"{name} is not a file", hint="name PNG, JPEG or WebP files")


def read_whole(path: Path) -> bytes:
    """Return what is in a file; raise UsageError where it cannot be read."""
    try:
        data = read_bounded(path, _MAX_FILE_BYTES)
    except OSError as error:
        raise UsageError(f"{excerpt(str(path))} cannot be read: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise UsageError(f"{excerpt(str(path))} is larger than {_MAX_FILE_BYTES >> 20} MiB")
    return data


def describe(path: Path, data: bytes, terminal: Terminal) -> FileInfo:
    """Return what is known of a file that holds `data`."""
    image_format, size = sniff(data)
    digest = hashlib.sha256(data).hexdigest()
    return FileInfo(
        path=path,
        format=image_format,
        size=size,
        byte_count=len(data),
        sha256=digest,
        metadata=read_metadata(data),
        sidecar=_sidecar(path, digest),
        entries=_entries(digest, terminal),
    )


def _sidecar(path: Path, digest: str) -> Finding | None:
    """Return what lies beside the image, unless it is another image's."""
    try:
        text = read_bounded(path.with_name(path.name + SIDECAR_SUFFIX), _MAX_SIDECAR_BYTES)
    except (OSError, ValueError):
        return None
    found = read_sidecar(text)
    return found if found is not None and found.fields.get("sha256") == digest else None


def _entries(digest: str, terminal: Terminal) -> list[HistoryEntry]:
    try:
        with open_history(terminal) as history:
            return history.of_file(digest)
    except NscaleError as error:
        terminal.warn(error.message)
        return []

"""A file that can be made again takes the place of an older one, whole, at one instant."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path
from typing import IO

from nscale_cli.storage.files import PartFile, remove_quietly
from nscale_cli.storage.private_files import sync_directory


def replace_whole(path: Path, data: bytes) -> Path:
    """Put `data` at `path` at once, in place of an older file; raise OSError if it is not there.

    Of a failure nothing stays.
    """
    part = PartFile(path.parent)
    try:
        part.write(data)
        part.complete()
        return part.publish(path, replace=True, numbered=False, warn=lambda _: None)
    finally:
        part.discard()


@contextmanager
def replacing(path: Path, *, by_way_of: Path) -> Iterator[IO[str]]:
    """Yield a text file that takes the place of `path` in the end, whole; raise OSError.

    Until then it is in the directory `by_way_of`, of the same file system. An equal file stays.
    """
    temporary = by_way_of / f".{path.name}.{os.urandom(6).hex()}.part"
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not (path.exists() and cmp(temporary, path, shallow=False)):
            temporary.replace(path)
            sync_directory(path.parent)
    finally:
        remove_quietly(temporary)

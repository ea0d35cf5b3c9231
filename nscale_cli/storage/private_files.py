"""Small files of the program's own: replaced whole or not at all, for no other user to read."""

import contextlib
import os
import secrets
from pathlib import Path

OWNER_ONLY = 0o600
_OWNER_ONLY_DIRECTORY = 0o700
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path`, at once; raise OSError where it cannot be done, with the old in place.

    A new file is its owner's alone, an old one keeps its mode. A symbolic link to a file stays
    one; a link to anything else (a device, nothing at all) is itself replaced.
    """
    target = Path(os.path.realpath(path)) if path.is_file() else path
    target.parent.mkdir(mode=_OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, _CREATE, OWNER_ONLY)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, which is closed here
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

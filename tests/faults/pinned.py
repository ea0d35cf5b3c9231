"""The program, with a name for its temporary files that strace can be told: pinned.py TOKEN WORD...

A temporary file is then `.` TOKEN `.part`. Everything else is as in the real program.
"""

import os
import sys


class PinnedNames:
    """The module `os`, but for the random part of a temporary file's name."""

    def __init__(self, token: str) -> None:
        """Pin the names to `token`, in hexadecimal digits."""
        self.urandom = lambda count: bytes.fromhex(token)

    def __getattr__(self, name: str) -> object:
        """Return what the real module has."""
        return getattr(os, name)


if __name__ == "__main__":
    from nscale_cli import __main__
    from nscale_cli.storage import files

    files.os = PinnedNames(sys.argv.pop(1))  # type: ignore[assignment]
    __main__.run()

"""Small disks, which only root can make."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require_command


def _as_root(*command: str) -> list[str]:
    return [*command] if os.geteuid() == 0 else ["sudo", "-n", *command]


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a disk in memory at `folder`; skip where a contributor may not, fail in CI."""
    if sys.platform != "linux":
        pytest.skip("only Linux has such a disk")
    if os.geteuid() != 0:
        require_command("sudo", shutil.which("sudo"))
    folder.mkdir()
    mount = _as_root("mount", "-t", "tmpfs", "-o", options, "none", str(folder))
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        require_command(f"mount as root ({made.stderr.strip()})", None)
    try:
        yield folder
    finally:
        subprocess.run(_as_root("umount", str(folder)), check=True)

"""A folder of wheels: what an installation needs, so that none asks a registry twice."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import require_command
from tests.documentation.blocks import ROOT

SECONDS = 300  # a limit for a registry that hangs


def everybody_s_python() -> str:
    """Return the interpreter that every account of this machine finds; to be asked by root."""
    su = require_command("su", shutil.which("su"))
    command = [su, "--login", "nobody", "--shell", "/bin/sh", "--command", "command -v python3"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    path = require_command("python3, for other users", found or None)
    recent = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    fits = subprocess.run([path, "-c", recent], capture_output=True, check=False).returncode == 0
    return require_command("python3 (3.11 or newer) with venv", path if fits else None)


@contextmanager
def wheels_for(python: str, *packages: str) -> Iterator[Path]:
    """Yield a folder that everybody may read, with wheels for the interpreter `python`.

    They are this project's, what it and its building need, and those of `packages`. Skips where a
    contributor has no registry, and fails in CI.
    """
    with tempfile.TemporaryDirectory(prefix="wheels-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        run(python, "-m", "venv", folder / "venv")
        words = [folder / "venv/bin/pip", "wheel", "--quiet", "-w", folder, ROOT]
        made = subprocess.run(
            [*words, "hatchling", "pip", *packages], capture_output=True, text=True, check=False
        )
        if made.returncode and not os.environ.get("CI"):
            pytest.skip(f"no wheels could be had: {made.stderr.strip().splitlines()[-1]}")
        assert made.returncode == 0, made.stderr
        yield folder


def offline(folder: Path) -> dict[str, str]:
    """Return the variables with which pip takes wheels from `folder`, and from nowhere else."""
    return {
        "PIP_NO_COMPILE": "0",  # so does pip spell it: what is never run is not compiled
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def run(*command: "str | Path", env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run `command` to its end; return what it wrote, and fail with it."""
    result = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == 0, f"exit code {result.returncode} of {command}\n{result.stdout}"
    return result.stdout

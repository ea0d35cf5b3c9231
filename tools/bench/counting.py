"""How many instructions a command takes, by valgrind's cachegrind: a figure that repeats."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

VALGRIND = shutil.which("valgrind")
_HOME = tempfile.TemporaryDirectory(prefix="nscale-bench-")  # for settings and caches, till the end
# SHA-256 by the same instructions on every processor: many more than it takes in truth, so that a
# run that is timed does without.
_PORTABLE = {"OPENSSL_ia32cap": "0:0"}
# It counts what callgrind counts, in little more than half the time; the caches are of no interest.
_COUNTING = ("--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_INSTRUCTIONS = re.compile(r"\bI +refs: +([0-9,]+)")


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a counted or timed run: nothing of the user's own."""
    inherited = ("PATH", "SYSTEMROOT", "PYTHONPATH")  # the last: a copy of the package
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    return kept | {
        "HOME": _HOME.name,
        "NSCALE_API_KEY": "sk-bench-0123456789abcdef",
        "PYTHONHASHSEED": "0",
        **more,
    }


def run(command: Sequence[str], env: Mapping[str, str], folder: str, *, code: int = 0) -> None:
    """Run the command quietly; raise AssertionError where its exit code is not `code`."""
    done = subprocess.run(
        command, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == code, (command, done.returncode, done.stderr[-500:])


def instructions(command: Sequence[str], env: Mapping[str, str], *, code: int = 0) -> int:
    """Return how many instructions the command takes once its bytecode is cached."""
    assert VALGRIND is not None
    with tempfile.TemporaryDirectory() as folder:
        run(command, env, folder, code=code)
        for image in Path(folder).glob("*.png"):
            image.unlink()
        log = Path(folder, "cachegrind.log")
        run(
            [VALGRIND, *_COUNTING, f"--log-file={log}", *command],
            {**env, **_PORTABLE},
            folder,
            code=code,
        )
        found = _INSTRUCTIONS.search(log.read_text())
    assert found is not None
    return int(found[1].replace(",", ""))

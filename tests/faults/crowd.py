"""The program many times at once, each in a process of its own: crowd.py COUNT FOLDER SEED WORD...

Run N writes to FOLDER/N.stdout and FOLDER/N.stderr, and its exit code to FOLDER/N.code. What every
run needs is loaded once, by a run before the processes part. With a SEED that is not 0, and with
libfiu loaded, one call on a file in ten then fails.
"""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

from nscale_cli import __main__

CHANCE = 0.1
CALLS = (b"posix/io/rw/*", b"posix/io/oc/*", b"posix/io/sync/*", b"posix/io/dir/*")


def let_calls_fail(seed: int) -> None:
    """Make the system unreliable for this process."""
    fiu = ctypes.CDLL("libfiu.so.0")
    fiu.fiu_set_prng_seed(seed)
    for name in CALLS:
        fiu.fiu_enable_random(name, 1, None, 0, ctypes.c_float(CHANCE))


def run_as(number: int, folder: Path, seed: int) -> None:
    """Run the program as run `number`, with streams of its own, and leave as it does."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        with (folder / f"{number}.{name}").open("wb") as stream:
            os.dup2(stream.fileno(), descriptor)
    if seed:
        let_calls_fail(seed + number)
    os._exit(__main__.outcome())  # coverage would write its file through the same failing calls


def start(number: int, folder: Path, seed: int) -> int:
    """Start run `number` and return its process."""
    process = os.fork()
    if not process:
        run_as(number, folder, seed)
    return process


if __name__ == "__main__":
    count, place, seed = (sys.argv.pop(1) for _ in range(3))
    with contextlib.redirect_stdout(None):
        words = sys.argv
        sys.argv = [*words, "--retry", "0", "-q", "-o", "loading.png"]
        assert __main__.outcome() == 0
        sys.argv = words
    processes = [start(number, Path(place), int(seed)) for number in range(int(count))]
    for number, process in enumerate(processes):
        _, status = os.waitpid(process, 0)
        Path(place, f"{number}.code").write_text(str(os.waitstatus_to_exitcode(status)))

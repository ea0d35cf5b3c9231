"""How the process ends: at once, but never before what was to be done at the end."""

import subprocess
import sys

import pytest

from tests.conftest import Program

LEAVE = "import sys\nfrom nscale_cli.__main__ import _leave\n"


def left_by(program: Program, code: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Return what a process did that ran `code` and then left."""
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", LEAVE + code],
        env=program.env,
        text=True,
        timeout=60,
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
    )


def test_what_is_registered_is_done_and_what_is_written_arrives(program: Program) -> None:
    """A terminal gets its modes back by atexit, and a pipe all of its bytes."""
    code = "import atexit\natexit.register(lambda: print('last'))\nprint('x' * 9)\n_leave(7)"
    process = left_by(program, code)

    assert (process.returncode, process.stdout, process.stderr) == (7, "xxxxxxxxx\nlast\n", "")


def test_a_thread_that_is_at_work_is_waited_for(program: Program) -> None:
    """Unless it is a daemon, which may be left behind."""
    code = (
        "import threading, time\n"
        "def work():\n    time.sleep(0.3); print('done', flush=True)\n"
        "threading.Thread(target=work, daemon={daemon}).start()\n_leave(7)"
    )
    waited = left_by(program, code.format(daemon=False))
    left = left_by(program, code.format(daemon=True))

    assert (waited.returncode, waited.stdout) == (7, "done\n")
    assert (left.returncode, left.stdout) == (7, "")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full")
def test_output_that_cannot_be_flushed_ends_as_in_any_python_program(program: Program) -> None:
    """Its exit code is 120."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        process = left_by(program, "sys.stdout.write('x')\n_leave(0)", stdout=full)

    assert process.returncode == 120

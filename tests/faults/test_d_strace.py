"""Saving while the system's own calls fail, or the program is killed in the middle of one."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import files_in, photo, require_failure
from tests.faults.raw_server import RawServer
from tests.faults.strace import TracedProgram

Injected = Callable[[bool, str], None]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has strace")


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """The folder that the program runs in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


FORCED = ("-o", "cat.png", "--force")
RESCUED = "home/.local/state/nscale/rescued/cat.png"
SHORT = f"write:retval={len(photo())}:when=1"  # it claims all bytes and stores none


def test_without_a_fault_the_image_is_where_it_was_asked_for(
    served: RawServer, cwd: Path, injected: Injected
) -> None:
    """The control of all that follows."""
    program = TracedProgram(cwd=cwd, faults=(), folders=(cwd,))

    outcome = program.buy(served)

    assert outcome.exit_code == 0
    assert files_in(cwd) == {"cat.png": photo()}
    assert served.posts == 1
    assert program.injected == 0
    assert f'linkat(AT_FDCWD, "{cwd / program.temporary}"' in program.log.read_text()


@pytest.mark.parametrize(
    ("fault", "reason", "options"),
    [
        ("openat:error=EACCES:when=1+", "Permission denied", ()),
        ("openat:error=EMFILE:when=1+", "Too many open files", ()),
        ("openat:error=EROFS:when=1+", "Read-only file system", ()),
        ("write:error=ENOSPC:when=1+", "No space left on device", FORCED),
        ("write:error=EIO:when=1+", "Input/output error", ()),
        ("write:error=EDQUOT:when=1+", "Disk quota exceeded", ()),
        (SHORT, "the file is shorter than what was written", FORCED),
        ("write:retval=0:when=1+", "it takes no more bytes", ()),
        ("fsync:error=EIO:when=1+", "Input/output error", FORCED),
        ("close:error=EIO:when=1+", "Input/output error", ()),
    ],
)
def test_a_folder_that_fails_after_paying_is_left_and_the_image_is_rescued(
    served: RawServer,
    cwd: Path,
    injected: Injected,
    fault: str,
    reason: str,
    options: tuple[str, ...],
) -> None:
    """The old file, if there is one, is untouched; nothing half-made stays."""
    old = {"cat.png": b"old"} if options else {}
    for name, data in old.items():
        (cwd / name).write_bytes(data)
    program = TracedProgram(cwd=cwd, faults=(fault,), folders=(cwd,))

    outcome = program.buy(served, *options)

    message = require_failure(outcome, 20, "yes")
    assert message == f"{cwd / 'cat.png'}: {reason}; the image is at {cwd / RESCUED}"
    assert outcome.stdout == f"{cwd / RESCUED}\n"
    assert files_in(cwd) == old | {RESCUED: photo()}
    assert served.posts == 1
    injected(program.injected > 0, fault)


@pytest.mark.parametrize(
    "faults",
    [
        ("write:error=EINTR:when=1..3",),
        ("fsync:error=EINTR:when=1..3",),
        ("linkat:error=EPERM:when=1+",),
        ("linkat:error=EIO:when=1+",),
        ("linkat:error=EOPNOTSUPP:when=1+",),
        ("linkat:error=EPERM:when=1+", "renameat2:error=EINVAL:when=1+"),
    ],
)
def test_a_fault_that_can_be_got_around_is_not_noticed(
    served: RawServer, cwd: Path, injected: Injected, faults: tuple[str, ...]
) -> None:
    """An interrupted call is made again; a disk without hard links has other ways."""
    program = TracedProgram(cwd=cwd, faults=faults, folders=(cwd,))

    outcome = program.buy(served)

    assert outcome.exit_code == 0
    assert outcome.stdout == f"{cwd / 'cat.png'}\n"
    assert files_in(cwd) == {"cat.png": photo()}
    assert served.posts == 1
    injected(program.injected > 0, " and ".join(faults))


def test_a_disk_that_gives_no_name_at_all_is_left(
    served: RawServer, cwd: Path, injected: Injected
) -> None:
    """Neither a link nor a rename of either kind; nothing is left under the name."""
    faults = (
        "linkat:error=EPERM:when=1+",
        "renameat2:error=EINVAL:when=1+",
        "rename:error=EIO:when=1+",
    )
    program = TracedProgram(cwd=cwd, faults=faults, folders=(cwd,))

    outcome = program.buy(served)

    message = require_failure(outcome, 20, "yes")
    assert message == f"{cwd / 'cat.png'}: Input/output error; the image is at {cwd / RESCUED}"
    assert files_in(cwd) == {RESCUED: photo()}
    injected(program.injected == 3, "linkat EPERM, renameat2 EINVAL, rename EIO")


def test_where_no_disk_can_be_synced_the_whole_copy_stays(
    served: RawServer, cwd: Path, injected: Injected
) -> None:
    """A copy that a power cut could take is better than none, and its path is told."""
    fault = "fsync:error=EIO:when=1+"
    folders = (cwd, (cwd / RESCUED).parent, Path("/var/tmp"), Path("/tmp"))
    program = TracedProgram(cwd=cwd, faults=(fault,), folders=folders)

    outcome = program.buy(served)

    copy = cwd / program.temporary
    message = require_failure(outcome, 20, "yes")
    assert message == f"{cwd / 'cat.png'}: Input/output error; the image is at {copy}"
    assert outcome.stdout == f"{copy}\n"
    assert files_in(cwd) == {program.temporary: photo()}
    assert not Path("/tmp", program.temporary).exists()
    injected(program.injected > 2, "fsync EIO everywhere")


def test_a_copy_that_cannot_be_removed_is_named(
    served: RawServer, cwd: Path, injected: Injected
) -> None:
    """The image is where it was asked for, and nothing is left without a word."""
    program = TracedProgram(cwd=cwd, faults=("unlink:error=EIO:when=1+",), folders=(cwd,))

    outcome = program.buy(served)

    copy = cwd / program.temporary
    assert outcome.exit_code == 0
    warning = f"warning: {copy}, a second copy of cat.png, could not be removed"
    assert warning in outcome.stderr.splitlines()
    assert files_in(cwd) == {"cat.png": photo(), program.temporary: photo()}
    injected(program.injected == 1, "unlink EIO")


def test_where_every_disk_is_full_the_exit_code_says_that_the_image_is_lost(
    served: RawServer, cwd: Path, injected: Injected
) -> None:
    """No stub is left anywhere."""
    rescue_folder = (cwd / RESCUED).parent
    folders = (cwd, rescue_folder, Path("/var/tmp"), Path("/tmp"))
    program = TracedProgram(cwd=cwd, faults=("write:error=ENOSPC:when=1+",), folders=folders)

    outcome = program.buy(served)

    message = require_failure(outcome, 21, "yes")
    assert message == "cat.png was received and paid for, but could not be saved anywhere"
    assert outcome.stdout == ""
    assert files_in(cwd) == {}
    assert not any((folder / program.temporary).exists() for folder in folders)
    injected(program.injected == 5, "every disk full")


@pytest.mark.parametrize("call", ["linkat", "renameat2", "rename"])
def test_a_program_that_is_killed_without_hard_links_leaves_nothing_under_the_name(
    served: RawServer, cwd: Path, injected: Injected, call: str
) -> None:
    """A name that is claimed before the image is there would be an empty file."""
    refused = {"linkat": "EPERM", "renameat2": "EINVAL"}
    faults = [f"{each}:error={error}:when=1+" for each, error in refused.items() if each != call]
    faults = [*faults, f"{call}:signal=KILL:when=1"]
    program = TracedProgram(cwd=cwd, faults=tuple(faults), folders=(cwd,))

    outcome = program.buy(served)

    assert outcome.exit_code == -signal.SIGKILL
    left = files_in(cwd)
    assert left[program.temporary] == photo()
    assert left.get("cat.png", photo()) == photo()
    injected("+++ killed by SIGKILL +++" in program.log.read_text(), f"SIGKILL at {call}")


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ((), ("write", "fsync", "linkat", "unlink")),
        (FORCED, ("write", "fsync", "rename")),
    ],
    ids=["new", "force"],
)
def test_a_killed_program_leaves_no_part_of_an_image_under_a_name(
    served: RawServer,
    cwd: Path,
    injected: Injected,
    options: tuple[str, ...],
    faults: tuple[str, ...],
) -> None:
    """The old image or the new one, whole; from the first sync on, a whole copy is there."""
    for call in faults:
        for path in cwd.glob("cat*"):
            path.unlink()
        if options:
            (cwd / "cat.png").write_bytes(b"old")
        fault = f"{call}:signal=KILL:when=1"
        program = TracedProgram(cwd=cwd, faults=(fault,), folders=(cwd,))

        outcome = program.buy(served, *options)

        assert outcome.exit_code == -signal.SIGKILL
        left = files_in(cwd)
        before = {b"old"} if options else set()
        named = {left["cat.png"]} if "cat.png" in left else set()
        assert named <= before | {photo()}
        assert call == "write" or left[program.temporary] == photo()
        assert left.keys() <= {"cat.png", program.temporary}
        os.unlink(cwd / program.temporary)  # noqa: PTH108 - it must be there
        injected(program.injected == 1, f"SIGKILL at {call}")
    assert served.posts == len(faults)

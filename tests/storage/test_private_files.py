"""Small files of the program's own: replaced whole, and nothing else is."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nscale_cli.storage import private_files
from nscale_cli.storage.private_files import locked, replace_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX modes and links")


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """And so is the folder that is made for it."""
    path = tmp_path / "new" / "file"

    replace_file(path, b"secret")

    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("keep_mode", "mode"), [(True, 0o644), (False, 0o600)])
def test_a_file_behind_a_link_is_replaced_and_the_link_stays(
    tmp_path: Path, keep_mode: bool, mode: int
) -> None:
    """With the mode that it had, where that is the user's business."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o644)
    link.symlink_to(real)

    replace_file(link, b"new", keep_mode=keep_mode)

    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == mode


@pytest.mark.parametrize("target", ["a fifo", "nothing", "link"])
def test_a_link_to_what_is_no_file_is_itself_replaced(tmp_path: Path, target: str) -> None:
    """Root could replace a device: what the link leads to must not be touched."""
    os.mkfifo(tmp_path / "a fifo")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)

    replace_file(link, b"new")

    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert stat.S_ISFIFO((tmp_path / "a fifo").lstat().st_mode)
    assert not (tmp_path / "nothing").exists()


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a full disk would."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# Adds one to the number in the file: what it read is what it adds to, or a number is lost.
COUNT = """
import sys
from pathlib import Path
from nscale_cli.storage.private_files import locked, replace_file
path = Path(sys.argv[1])
for _ in range(10):
    with locked(path):
        replace_file(path, b"%d" % (int(path.read_bytes()) + 1))
"""


def test_of_writers_at_the_same_time_no_one_is_lost(tmp_path: Path) -> None:
    """Eight processes that each read, add and write ten times; also by way of a link."""
    path, link = tmp_path / "number", tmp_path / "link"
    path.write_bytes(b"0")
    link.symlink_to(path)

    running = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(name)]) for name in (path, link) * 4
    ]

    assert [process.wait(timeout=120) for process in running] == [0] * 8
    assert path.read_bytes() == b"80"
    assert sorted(each.name for each in tmp_path.iterdir()) == [".number.lock", "link", "number"]


def test_a_lock_that_is_never_given_back_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that was stopped (Ctrl-Z) may hold it."""
    monkeypatch.setattr(private_files, "_MAX_LOCK_SECONDS", 0.05)
    path = tmp_path / "file"

    with (
        locked(path),
        pytest.raises(OSError, match="another program has it locked"),
        locked(path),
    ):
        pass
    with locked(path):
        pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    """It could make a file anywhere."""
    (tmp_path / ".file.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path / "file"):
        pass

    assert not (tmp_path / "elsewhere").exists()


def test_a_fifo_in_place_of_the_lock_is_not_waited_for(tmp_path: Path) -> None:
    """It locks as well as any other file."""
    os.mkfifo(tmp_path / ".file.lock")

    with locked(tmp_path / "file"):
        replace_file(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_file_that_comes_and_goes_is_no_device(tmp_path: Path) -> None:
    """Another process may set it aside while this one waits for its turn to do so."""
    path, done = tmp_path / "history", threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            path.touch()
            path.rename(tmp_path / "aside")

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(1000):
            with locked(path):
                pass
    finally:
        done.set()
        other.join()

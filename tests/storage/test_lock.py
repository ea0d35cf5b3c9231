"""A lock between processes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nscale_cli.storage.lock import Locked, directory_locked, locked, owner_of

HOLD = """
import sys
from pathlib import Path
from nscale_cli.storage.lock import locked
with locked(Path(sys.argv[1]), owner="somebody"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    """At once, and with the words of the first."""
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(Locked) as caught, locked(path, owner="me"):
            pass
        assert caught.value.owner == owner_of(path) == "somebody"
        other.kill()
        other.wait()
        with locked(path, owner="me"):
            assert owner_of(path) == "me"
    assert owner_of(path) is None


def test_nobody_holds_a_lock_that_was_never_taken(tmp_path: Path) -> None:
    """And asking does not make the file."""
    assert owner_of(tmp_path / "lock") is None
    assert not (tmp_path / "lock").exists()


def test_a_longer_owner_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file holds the words of one owner only."""
    for owner in ("a long name of a process", "short"):
        with locked(tmp_path / "lock", owner=owner):
            assert owner_of(tmp_path / "lock") == owner


@pytest.mark.skipif(sys.platform == "win32", reason="there, no directory can be locked")
def test_a_directory_is_shared_or_held_alone(tmp_path: Path) -> None:
    """Two share it; who wants it alone gets it once both have gone, and no file is left."""
    held: list[str] = []

    def hold_alone() -> None:
        with directory_locked(tmp_path, 60, shared=False):
            held.append("alone")

    alone = threading.Thread(target=hold_alone)
    with directory_locked(tmp_path, 60, shared=True), directory_locked(tmp_path, 60, shared=True):
        held.append("shared")
        alone.start()
        alone.join(0.3)
        held.append("given back")
    alone.join(60)

    assert held == ["shared", "given back", "alone"]
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_held_is_used_all_the_same(tmp_path: Path) -> None:
    """One that is not there, and one that another program does not give back in time."""
    used = []
    with directory_locked(tmp_path / "none", 60, shared=True):
        used.append("none")
    with directory_locked(tmp_path, 60, shared=False), directory_locked(tmp_path, 0, shared=True):
        used.append("held by another")
    assert used == ["none", "held by another"]

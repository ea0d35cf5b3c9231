"""A lock between processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from nscale_cli.storage.lock import Locked, locked, owner_of

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

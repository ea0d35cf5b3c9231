"""Small files of the program's own: replaced whole, and nothing else is."""

import os
import stat
from pathlib import Path

import pytest

from nscale_cli.storage.private_files import replace_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX modes and links")


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """And so is the folder that is made for it."""
    path = tmp_path / "new" / "file"

    replace_file(path, b"secret")

    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    """With the mode that it had."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o644)
    link.symlink_to(real)

    replace_file(link, b"new")

    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o644


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

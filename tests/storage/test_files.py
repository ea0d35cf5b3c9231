"""Saves that never replace, never tear, and end somewhere."""

import errno
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nscale_cli.storage import files

DATA = os.urandom(200_000)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def save(path: Path, *, replace: bool = False, numbered: bool = False, data: bytes = DATA) -> Path:
    """Save an image at `path`."""
    return files.save(data, path, replace=replace, numbered=numbered)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their names."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def failing(error_number: int) -> Callable[..., None]:
    """Return a call of the system that fails as it would on a bad day."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(error_number, os.strerror(error_number))

    return fail


def test_image_is_saved_whole_under_its_name(tmp_path: Path) -> None:
    """Nothing but the image is left in the folder."""
    assert save(tmp_path / "fox.png") == tmp_path / "fox.png"
    assert contents(tmp_path) == {"fox.png": DATA}


def test_empty_data_is_a_file_too(tmp_path: Path) -> None:
    """A reply of no bytes can be kept."""
    save(tmp_path / "reply.json", data=b"")
    assert contents(tmp_path) == {"reply.json": b""}


@posix_only
@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o664), (0o077, 0o600)])
def test_umask_is_respected(tmp_path: Path, mask: int, mode: int) -> None:
    """Who may read the image is the user's choice."""
    before = os.umask(mask)
    try:
        path = save(tmp_path / "fox.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_taken_names_are_counted_past(tmp_path: Path) -> None:
    """Each run with the same prompt gets a file of its own."""
    names = [save(tmp_path / "fox.png", numbered=True).name for _ in range(3)]
    assert names == ["fox.png", "fox-2.png", "fox-3.png"]


def test_parallel_saves_get_different_names(tmp_path: Path) -> None:
    """Twelve runs at once make twelve files."""
    images = [bytes([number]) * 1000 for number in range(12)]
    threads = [
        threading.Thread(
            target=save, args=[tmp_path / "fox.png"], kwargs={"numbered": True, "data": data}
        )
        for data in images
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(contents(tmp_path).values()) == images


def test_existing_file_is_never_replaced(tmp_path: Path) -> None:
    """Not even one that appeared since it was checked."""
    (tmp_path / "fox.png").write_bytes(b"precious")
    with pytest.raises(files.SaveFailed, match="a file of that name appeared meanwhile") as caught:
        save(tmp_path / "fox.png")
    assert contents(tmp_path) == {"fox.png": b"precious", caught.value.copy.name: DATA}


def test_existing_file_is_replaced_where_asked(tmp_path: Path) -> None:
    """The old image gives way to the whole new one."""
    (tmp_path / "fox.png").write_bytes(b"old")
    assert save(tmp_path / "fox.png", replace=True) == tmp_path / "fox.png"
    assert contents(tmp_path) == {"fox.png": DATA}


@posix_only
@pytest.mark.parametrize("there", [True, False], ids=["to-a-file", "dangling"])
@pytest.mark.parametrize("replace", [True, False])
def test_symbolic_link_is_not_followed(tmp_path: Path, there: bool, replace: bool) -> None:
    """It is replaced itself or left alone; what it points to is never written."""
    victim, link = tmp_path / "victim", tmp_path / "fox.png"
    if there:
        victim.write_bytes(b"precious")
    link.symlink_to(victim)
    if replace:
        save(link, replace=True)
        assert not link.is_symlink()
    else:
        assert save(link, numbered=True) == tmp_path / "fox-2.png"
        assert link.is_symlink()
    assert victim.exists() is there
    assert not there or victim.read_bytes() == b"precious"


@posix_only
def test_pipe_that_nobody_reads_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    """The image can then be saved elsewhere."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
        save(tmp_path / "pipe")


@posix_only
def test_pipe_with_a_reader_gets_the_whole_image(tmp_path: Path) -> None:
    """Also where the image is larger than the pipe."""
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    # Open in both directions, so that opening does not wait for a writer.
    reader = os.fdopen(os.open(pipe, os.O_RDWR), "rb")
    thread = threading.Thread(target=lambda: received.append(reader.read(len(DATA))), daemon=True)
    thread.start()
    assert save(pipe) == pipe
    thread.join()
    reader.close()
    assert received == [DATA]


@posix_only
def test_null_device_takes_the_image(tmp_path: Path) -> None:
    """A device is written to, never replaced."""
    assert save(Path(os.devnull), replace=True) == Path(os.devnull)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_full_device_is_an_error() -> None:
    """What could not be written is not said to be saved."""
    with pytest.raises(OSError, match="No space left on device"):
        save(Path("/dev/full"))


@pytest.mark.parametrize(
    ("call", "error_number"),
    [
        ("write", errno.ENOSPC),
        ("write", errno.EIO),
        ("open", errno.EMFILE),
    ],
)
def test_failed_save_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error_number: int
) -> None:
    """No stub under the final name, no temporary file, and the old image as it was."""
    (tmp_path / "fox.png").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(error_number))
        with pytest.raises(OSError, match=os.strerror(error_number)):
            save(tmp_path / "fox.png", replace=True)
    assert contents(tmp_path) == {"fox.png": b"old"}


@pytest.mark.parametrize(
    ("call", "error_number"), [("fsync", errno.EIO), ("replace", errno.EACCES)]
)
def test_failed_save_never_removes_a_whole_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error_number: int
) -> None:
    """It may be the last one; only who has a better one may remove it."""
    (tmp_path / "fox.png").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(error_number))
        with pytest.raises(files.SaveFailed, match=os.strerror(error_number)) as caught:
            save(tmp_path / "fox.png", replace=True)
    assert contents(tmp_path) == {"fox.png": b"old", caught.value.copy.name: DATA}


def test_copy_that_cannot_be_cleared_away_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is saved all the same."""
    warnings: list[str] = []
    monkeypatch.setattr(os, "unlink", failing(errno.EIO))
    files.save(DATA, tmp_path / "fox.png", replace=False, numbered=False, warn=warnings.append)
    (copy,) = set(contents(tmp_path)) - {"fox.png"}
    assert warnings == [f"{tmp_path / copy}, a second copy of fox.png, could not be removed"]
    assert contents(tmp_path) == {"fox.png": DATA, copy: DATA}


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less at once than it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:70_001]))
    save(tmp_path / "fox.png")
    assert contents(tmp_path) == {"fox.png": DATA}


def test_file_shorter_than_what_was_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that claims more than it did is found out."""
    monkeypatch.setattr(os, "write", lambda file, data: len(data))
    with pytest.raises(OSError, match="the file is shorter than what was written"):
        save(tmp_path / "fox.png")
    assert contents(tmp_path) == {}


@posix_only
@pytest.mark.parametrize("error_number", [errno.EPERM, errno.EOPNOTSUPP, errno.EIO])
def test_disk_without_hard_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_number: int
) -> None:
    """The names of others are respected there as well."""
    monkeypatch.setattr(os, "link", failing(error_number))
    (tmp_path / "fox.png").write_bytes(b"precious")
    assert save(tmp_path / "fox.png", numbered=True) == tmp_path / "fox-2.png"
    assert contents(tmp_path) == {"fox.png": b"precious", "fox-2.png": DATA}


@posix_only
def test_failure_without_hard_links_leaves_no_stub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name that was claimed is given back."""
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(os, "replace", failing(errno.EIO))
    with pytest.raises(files.SaveFailed, match=os.strerror(errno.EIO)) as caught:
        save(tmp_path / "fox.png")
    assert contents(tmp_path) == {caught.value.copy.name: DATA}

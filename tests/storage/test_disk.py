"""Whole files: reading that ends, and writing that is whole."""

import os
import threading
from pathlib import Path

import pytest

from nscale_cli.storage.disk import CREATE, read_bounded, write_all, write_whole


def test_a_file_is_read_to_its_end_or_to_one_byte_more_than_the_limit(tmp_path: Path) -> None:
    """So that the caller can tell which."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    assert read_bounded(path, 10) == b"0123456789"
    assert read_bounded(path, 9) == b"0123456789"
    assert read_bounded(path, 8) == b"012345678"


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("kind", ["folder", "fifo", "device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """A FIFO that nobody writes to would be waited for, a device has no end."""
    path = tmp_path / kind
    {
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()

    with pytest.raises(OSError, match="it is no regular file"):
        read_bounded(path, 10)


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_a_pipe_is_read_to_its_end_where_there_is_time(tmp_path: Path) -> None:
    """As a shell's <(...) makes them; also where the writer comes late, and in pieces."""
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            file.write(b"one ")
            file.write(b"two")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_bounded(path, 100, wait_seconds=60) == b"one two"
    finally:
        writer.join(timeout=60)
    assert not writer.is_alive()


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("silent", [False, True])
def test_a_pipe_that_does_not_end_is_given_up(tmp_path: Path, silent: bool) -> None:
    """Without a writer, and with one that says nothing."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR) if silent else None
    try:
        with pytest.raises(OSError, match="nothing more came through it"):
            read_bounded(path, 100, wait_seconds=0.05)
    finally:
        if writer is not None:
            os.close(writer)


@pytest.mark.skipif(os.name == "nt", reason="POSIX devices")
def test_a_device_without_end_is_read_to_the_limit(tmp_path: Path) -> None:
    """And one without a beginning is an empty file."""
    assert len(read_bounded(Path("/dev/zero"), 3_000_000, wait_seconds=60)) == 3_000_001
    assert read_bounded(Path("/dev/null"), 10, wait_seconds=60) == b""


def test_writing_in_pieces_is_writing_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it is given."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    descriptor = os.open(tmp_path / "file", CREATE, 0o600)

    write_whole(descriptor, b"0123456789")
    os.close(descriptor)

    assert (tmp_path / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    ("lie", "message"),
    [(lambda _, data: len(data), "shorter than what was written"), (lambda *_: 0, "no more bytes")],
)
def test_a_write_that_stores_less_than_it_says_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: object, message: str
) -> None:
    """Before anybody relies on the file."""
    monkeypatch.setattr(os, "write", lie)
    descriptor = os.open(tmp_path / "file", CREATE, 0o600)

    with pytest.raises(OSError, match=message):
        write_whole(descriptor, b"0123456789")
    os.close(descriptor)


def test_a_file_that_is_there_is_not_created(tmp_path: Path) -> None:
    """Nor is what a link leads to."""
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        os.open(tmp_path / "file", CREATE, 0o600)


def test_nothing_is_written_without_an_error(tmp_path: Path) -> None:
    """An empty file is whole, too."""
    descriptor = os.open(tmp_path / "file", CREATE, 0o600)
    write_all(descriptor, b"")
    write_whole(descriptor, bytearray())
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b""

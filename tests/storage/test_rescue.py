"""What was paid for ends somewhere, whole, whatever its own place does."""

import errno
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from nscale_cli.errors import NotSaved
from nscale_cli.storage import files, rescue
from nscale_cli.storage.files import PartFile
from nscale_cli.storage.rescue import PaidFile, Saved

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
PIECES = [bytes([number]) * 1000 for number in range(100)]
DATA = b"".join(PIECES)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(params=[0, 5000, 10**9], ids=["on disk", "on disk from 5 kB on", "in memory"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much of a file is in memory as well as on the disk."""
    monkeypatch.setattr(rescue, "MAX_HELD_BYTES", request.param)
    size: int = request.param
    return size


def rescued(env: dict[str, str], name: str = "fox.png") -> Path:
    """Save an image that has no place of its own."""
    file = PaidFile(None, env)
    file.write(b"image")
    return file.publish(Path(name)).path


def paid(folder: Path, env: dict[str, str], pieces: Iterable[bytes] = PIECES) -> PaidFile:
    """Return a file that came in pieces, on its way to `folder`."""
    file = PaidFile(folder, env)
    for piece in pieces:
        file.write(piece)
    return file


def files_below(folder: Path) -> dict[str, bytes]:
    """Return all files below `folder`, the hidden ones too."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def error_of(number: int) -> OSError:
    """Return an error of the system."""
    return OSError(number, os.strerror(number))


def test_a_file_is_put_where_it_belongs(tmp_path: Path, cwd: Path, held: int) -> None:
    """In pieces, and with its digest."""
    file = paid(tmp_path, {})
    assert bytes(file.view()[:]) == b"".join(file.pieces()) == DATA
    assert (file.byte_count, file.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert file.publish(tmp_path / "fox.png") == Saved(path=tmp_path / "fox.png")
    assert files_below(tmp_path) == {"fox.png": DATA}


def test_nothing_is_a_file_too(tmp_path: Path, cwd: Path) -> None:
    """A reply of no bytes can be kept."""
    assert paid(tmp_path, {}, []).publish(tmp_path / "reply.json").path.read_bytes() == b""


def test_a_directory_that_is_known_late_is_made(tmp_path: Path, cwd: Path) -> None:
    """`{hash}/fox.png`: the file is written above it, and moved."""
    file = paid(tmp_path, {})
    assert file.publish(tmp_path / "a1/b2/fox.png").path.read_bytes() == DATA
    assert files_below(tmp_path) == {"a1/b2/fox.png": DATA}


def test_a_file_that_is_not_wanted_any_more_leaves_nothing(tmp_path: Path, cwd: Path) -> None:
    """Half an image is none."""
    paid(tmp_path, {}).discard()
    assert files_below(tmp_path) == {}
    assert files.leave_whole_copies() == []


def test_rescue_prefers_the_folder_for_state(tmp_path: Path, cwd: Path) -> None:
    """Where programs keep what must not be lost."""
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert rescued(home | state) == tmp_path / "state/nscale/rescued/fox.png"
    assert rescued(home) == tmp_path / "home/.local/state/nscale/rescued/fox.png"


def test_rescue_never_replaces(tmp_path: Path, cwd: Path) -> None:
    """Two images of one name are both kept."""
    env = {"HOME": str(tmp_path)}
    assert [rescued(env).name for _ in range(2)] == ["fox.png", "fox-2.png"]


@pytest.mark.parametrize(
    "env", [{}, {"HOME": ""}, {"HOME": "relative"}, {"XDG_STATE_HOME": "x"}, {"HOME": os.devnull}]
)
def test_rescue_without_a_home_uses_the_current_folder(cwd: Path, env: dict[str, str]) -> None:
    """A home that is missing, odd or unusable is passed over."""
    assert rescued(env) == cwd / "fox.png"


@posix_only
def test_rescue_goes_on_to_the_temporary_folders(
    tmp_path: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither home nor the current folder takes the image."""
    cwd.rmdir()
    (tmp_path / "temporary").mkdir()
    env = {"HOME": os.devnull, "TMPDIR": str(tmp_path / "temporary")}
    assert rescued(env) == tmp_path / "temporary/fox.png"
    monkeypatch.chdir(tmp_path)


@posix_only
def test_a_pipe_in_a_rescue_folder_is_a_name_that_is_taken(tmp_path: Path, cwd: Path) -> None:
    """Whoever reads there would get the image."""
    os.mkfifo(cwd / "fox.png")
    assert rescued({}) == cwd / "fox-2.png"


class Broken:
    """Makes the files in one directory fail, at the call of a given number, or from it on."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Break nothing yet."""
        self.directory, self.patch, self.failures = directory, monkeypatch, 0

    def at(self, method: str, number: int, error: Exception) -> None:
        """Break a method of PartFile."""
        work, calls = getattr(PartFile, method), 0

        def attempt(part: PartFile, *words: object, **options: object) -> object:
            nonlocal calls
            if part.path.parent == self.directory:
                calls += 1
                if calls >= number:
                    self.failures += 1
                    raise error
            return work(part, *words, **options)

        self.patch.setattr(PartFile, method, attempt)


@pytest.mark.parametrize("number", [1, 2, 50, 100])
@pytest.mark.parametrize("error", [error_of(errno.ENOSPC), error_of(errno.EIO), MemoryError()])
def test_a_disk_that_fails_in_the_middle_costs_no_byte(
    tmp_path: Path,
    cwd: Path,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: Exception,
) -> None:
    """What it has taken so far is read back, or still in memory; and it keeps nothing."""
    own, home = tmp_path / "own", tmp_path / "home"
    own.mkdir()
    broken = Broken(own, monkeypatch)
    broken.at("write", number, error)

    file = paid(own, {"XDG_STATE_HOME": str(home)})
    saved = file.publish(own / "fox.png")

    assert saved == Saved(path=home / "nscale/rescued/fox.png", failure=error)
    assert files_below(tmp_path) == {"home/nscale/rescued/fox.png": DATA}
    assert file.sha256 == hashlib.sha256(DATA).hexdigest()
    assert broken.failures == 1


def test_a_disk_that_gives_other_bytes_back_is_found_out(
    tmp_path: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image is whole and true, or it is said to be lost."""
    monkeypatch.setattr(rescue, "MAX_HELD_BYTES", 0)
    own, reads = tmp_path / "own", list[int]()
    own.mkdir()
    Broken(own, monkeypatch).at("write", 50, error_of(errno.EIO))

    def forget(part: PartFile) -> Iterable[bytes]:
        reads.append(part.byte_count)
        yield bytes(part.byte_count)

    monkeypatch.setattr(PartFile, "read", forget)
    file = paid(own, {"XDG_STATE_HOME": str(tmp_path / "home")})
    with pytest.raises(NotSaved):
        file.publish(own / "fox.png")
    assert files_below(tmp_path) == {}
    assert set(reads) == {49_000}


@pytest.mark.parametrize("method", ["complete", "publish"])
def test_a_whole_copy_gives_way_to_a_better_one(
    tmp_path: Path, cwd: Path, held: int, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """One image is one file."""
    own, home = tmp_path / "own", tmp_path / "home"
    own.mkdir()
    error = error_of(errno.EIO)
    Broken(own, monkeypatch).at(method, 1, error)
    saved = paid(own, {"XDG_STATE_HOME": str(home)}).publish(own / "fox.png")
    assert saved == Saved(path=home / "nscale/rescued/fox.png", failure=error)
    assert files_below(tmp_path) == {"home/nscale/rescued/fox.png": DATA}


def test_a_whole_copy_is_the_last_resort(
    tmp_path: Path, cwd: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no disk will sync, the first copy stays and the others go."""
    own = tmp_path / "own"
    own.mkdir()

    def fail(descriptor: int) -> None:
        raise error_of(errno.EIO)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        saved = paid(own, {"HOME": str(tmp_path), "TMPDIR": str(cwd)}).publish(own / "fox.png")

    assert saved.path.parent == own
    assert isinstance(saved.failure, OSError) and saved.failure.errno == errno.EIO
    assert files_below(tmp_path) == {str(saved.path.relative_to(tmp_path)): DATA}
    assert files.leave_whole_copies() == []


def test_an_image_that_no_place_takes_is_said_to_be_lost(
    tmp_path: Path, cwd: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is full everywhere; no stub is left, and nothing is raised before the end."""

    def full(*arguments: object, **options: object) -> int:
        raise error_of(errno.ENOSPC)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        file = paid(tmp_path, {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
        with pytest.raises(NotSaved) as caught:
            file.publish(tmp_path / "fox.png")
    assert caught.value.message == (
        "fox.png was received and paid for, but could not be saved anywhere"
    )
    assert caught.value.hint == (
        "free some disk space; ask the service whether the image can be fetched again"
    )
    assert files_below(tmp_path) == {}


def test_what_waits_in_memory_touches_no_disk_until_it_cannot_be_delivered(
    tmp_path: Path, cwd: Path
) -> None:
    """Standard output and devices get it whole; a failure sends it to a rescue folder."""
    env, taken = {"HOME": str(tmp_path)}, list[bytes]()
    file = PaidFile(None, env, in_memory=True)
    for piece in PIECES:
        file.write(piece)
    assert files_below(tmp_path) == {}

    def refuse(pieces: Iterable[bytes]) -> None:
        taken.extend(pieces)
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert file.deliver(lambda pieces: taken.extend(pieces))
    assert b"".join(taken) == DATA
    assert not file.deliver(refuse)
    saved = file.publish(Path("fox.png"))
    assert saved.path == tmp_path / ".local/state/nscale/rescued/fox.png"
    assert isinstance(saved.failure, BrokenPipeError)
    assert saved.path.read_bytes() == DATA

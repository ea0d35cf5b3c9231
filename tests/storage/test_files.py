"""Files that are whole before they get a name, and never replace or tear anything."""

import ctypes
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nscale_cli.storage import devices, files
from nscale_cli.storage.files import PartFile

DATA = os.urandom(200_000)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own call or files")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """Each test ends what it began: no temporary file is still counted as under way."""
    before = set(files._unfinished)
    yield
    assert files._unfinished <= before


def save(
    path: Path,
    *,
    replace: bool = False,
    numbered: bool = False,
    data: bytes = DATA,
    warn: Callable[[str], None] = lambda text: None,
) -> Path:
    """Save an image at `path`; a failure leaves nothing behind."""
    part = PartFile(path.parent)
    try:
        for start in range(0, len(data), 70_000):
            part.write(data[start : start + 70_000])
        part.complete()
        return part.publish(path, replace=replace, numbered=numbered, warn=warn)
    except OSError:
        part.discard()
        raise


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


def test_what_was_written_can_be_read_back_before_and_after_it_is_whole(tmp_path: Path) -> None:
    """Where another place is needed, the bytes come from here."""
    part = PartFile(tmp_path)
    part.write(DATA)
    assert b"".join(part.read()) == DATA
    with part.mapped() as view:
        assert view[:] == DATA
    part.complete()
    assert b"".join(part.read()) == DATA
    part.discard()
    assert contents(tmp_path) == {}


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


WAYS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "hard links": lambda patch: None,
    "renameat2": lambda patch: patch.setattr(os, "link", failing(errno.EPERM)),
    "neither": lambda patch: without_links(patch),
}


def without_links(patch: pytest.MonkeyPatch) -> None:
    """Take hard links away, and the system's own way to rename without replacing."""
    patch.setattr(os, "link", failing(errno.EOPNOTSUPP))
    patch.setattr(ctypes, "CDLL", lambda *names, **options: object())


each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
Way = Callable[[pytest.MonkeyPatch], None]


@each_way
def test_parallel_saves_get_different_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """Twelve runs at once make twelve files, on whatever file system."""
    way(monkeypatch)
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


@each_way
def test_existing_file_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """Not even one that appeared since it was checked."""
    way(monkeypatch)
    (tmp_path / "fox.png").write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="a file of that name appeared meanwhile"):
        save(tmp_path / "fox.png")
    assert contents(tmp_path) == {"fox.png": b"precious"}


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
@each_way
def test_a_pipe_is_a_name_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """Its reader would get the image, and nobody would have a file."""
    way(monkeypatch)
    os.mkfifo(tmp_path / "fox.png")
    assert save(tmp_path / "fox.png", numbered=True) == tmp_path / "fox-2.png"
    with pytest.raises(FileExistsError):
        save(tmp_path / "fox.png")
    with pytest.raises(FileExistsError, match="it is no file that could be replaced"):
        save(tmp_path / "fox.png", replace=True)
    assert stat.S_ISFIFO((tmp_path / "fox.png").lstat().st_mode)


@posix_only
@pytest.mark.parametrize("device", ["/dev/stdout", "/dev/fd/1", os.devnull])
def test_what_the_system_keeps_is_never_replaced(device: str) -> None:
    """Root could, and every other program would miss it."""
    part = PartFile(Path("/tmp"))
    part.complete()
    with pytest.raises(FileExistsError, match="it is no file that could be replaced"):
        part.publish(Path(device), replace=True, numbered=False, warn=lambda text: None)
    part.discard()
    assert Path(device).exists()


@posix_only
def test_pipe_that_nobody_reads_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    """The image can then be saved elsewhere."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
        devices.write_device([DATA], tmp_path / "pipe")


@posix_only
def test_pipe_whose_reader_stands_still_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not hold the only copy for ever; and the pipe stays."""
    monkeypatch.setattr(devices, "MAX_STANDSTILL_SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match=r"it took nothing for 0\.2 s"):
        devices.write_device([DATA], tmp_path / "pipe")
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").lstat().st_mode)


@posix_only
def test_pipe_with_a_slow_reader_gets_the_whole_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the image is larger than the pipe: only a standstill ends it."""
    monkeypatch.setattr(devices, "MAX_STANDSTILL_SECONDS", 5.0)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    received = bytearray()

    def read() -> None:
        while len(received) < len(DATA):
            received.extend(os.read(reader, 30_000))
            time.sleep(0.01)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    devices.write_device([DATA[:1], DATA[1:]], tmp_path / "pipe")
    thread.join(60)
    os.close(reader)
    assert received == DATA


@linux_only
def test_full_device_is_an_error() -> None:
    """What could not be written is not said to be saved."""
    with pytest.raises(OSError, match="No space left on device"):
        devices.write_device([DATA], Path("/dev/full"))


@pytest.mark.parametrize(
    ("call", "error_number"),
    [
        ("write", errno.ENOSPC),
        ("write", errno.EIO),
        ("open", errno.EMFILE),
        ("fsync", errno.EIO),
        ("replace", errno.EACCES),
    ],
)
def test_failed_save_leaves_the_old_image_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error_number: int
) -> None:
    """No stub under the final name."""
    (tmp_path / "fox.png").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(error_number))
        with pytest.raises(OSError, match=os.strerror(error_number)):
            save(tmp_path / "fox.png", replace=True)
    assert contents(tmp_path) == {"fox.png": b"old"}


def test_copy_that_cannot_be_cleared_away_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is saved all the same."""
    warnings: list[str] = []
    monkeypatch.setattr(os, "unlink", failing(errno.EIO))
    save(tmp_path / "fox.png", warn=warnings.append)
    (copy,) = set(contents(tmp_path)) - {"fox.png"}
    assert warnings == [f"{tmp_path / copy}, a second copy of fox.png, could not be removed"]
    assert contents(tmp_path) == {"fox.png": DATA, copy: DATA}


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less at once than it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7001]))
    save(tmp_path / "fox.png")
    assert contents(tmp_path) == {"fox.png": DATA}


def test_file_shorter_than_what_was_written_is_an_error_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that claims more than it did is found out while there is still something to do."""
    part = PartFile(tmp_path)
    part.write(DATA)
    monkeypatch.setattr(os, "write", lambda file, data: len(data))
    with pytest.raises(OSError, match="the file is shorter than what was written"):
        part.write(DATA)
    part.discard()


@posix_only
@each_way
@pytest.mark.parametrize("error_number", [errno.EPERM, errno.EOPNOTSUPP, errno.EIO])
def test_disk_without_hard_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error_number: int, way: Way
) -> None:
    """The names of others are respected there as well."""
    way(monkeypatch)
    if way is not WAYS["hard links"]:
        monkeypatch.setattr(os, "link", failing(error_number))
    (tmp_path / "fox.png").write_bytes(b"precious")
    assert save(tmp_path / "fox.png", numbered=True) == tmp_path / "fox-2.png"
    assert contents(tmp_path) == {"fox.png": b"precious", "fox-2.png": DATA}


@linux_only
def test_without_hard_links_the_name_is_taken_by_one_call_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can come between, and nothing is under the name before the image is."""
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(files, "_rename_while_nobody_else_does", failing(errno.EIO))
    save(tmp_path / "fox.png")
    assert contents(tmp_path) == {"fox.png": DATA}


_KILLED = """
import os, signal, sys
from pathlib import Path
from nscale_cli.storage import devices, files

def fail(*names, **options):
    raise OSError(95, "Operation not supported")

def kill(*names, **options):
    os.kill(os.getpid(), signal.SIGKILL)

os.link = fail
files._rename_without_replacing = lambda temporary, name: False
setattr(*{"replace": (os, "replace", kill), "lock": (files.os.path, "lexists", kill)}[sys.argv[1]])
part = files.PartFile(Path("."))
part.write(b"image")
part.complete()
part.publish(Path("fox.png"), replace=False, numbered=False, warn=print)
"""


@posix_only
@pytest.mark.parametrize("place", ["lock", "replace"])
def test_a_kill_leaves_nothing_empty_under_the_name(tmp_path: Path, place: str) -> None:
    """Also where there is no way but to look first and rename then."""
    killed = subprocess.run([sys.executable, "-c", _KILLED, place], cwd=tmp_path, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert list(contents(tmp_path).values()) == [b"image"]
    assert not (tmp_path / "fox.png").exists()


@posix_only
def test_failure_without_hard_links_leaves_nothing_under_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole copy stays where it is, for who can use it."""
    without_links(monkeypatch)
    part = PartFile(tmp_path)
    part.write(DATA)
    part.complete()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing(errno.EIO))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            part.publish(tmp_path / "fox.png", replace=False, numbered=False, warn=print)
    assert contents(tmp_path) == {part.path.name: DATA}
    part.discard()


@posix_only
def test_the_name_is_safe_from_a_power_cut_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the bytes are synced, then the directory that holds their name."""
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append(f"{kind} {(tmp_path / 'fox.png').exists()}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    save(tmp_path / "fox.png")
    assert synced == ["file False", "directory True"]


def test_a_directory_that_cannot_be_synced_costs_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems know no such thing."""
    opened = os.open

    def refuse(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if os.path.isdir(path):  # noqa: PTH112 - whatever it is
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    assert save(tmp_path / "fox.png") == tmp_path / "fox.png"


def test_whole_copies_stay_when_the_program_ends(tmp_path: Path) -> None:
    """What is half written goes; the path of the other is there to be said."""
    half, whole = PartFile(tmp_path), PartFile(tmp_path)
    half.write(DATA)
    whole.write(DATA)
    whole.complete()

    assert files.leave_whole_copies() == [whole.path]
    assert contents(tmp_path) == {whole.path.name: DATA}


def test_a_trial_never_stays(tmp_path: Path) -> None:
    """There is nothing in it."""
    trial = PartFile(tmp_path, is_trial=True)
    trial.write(b"trial")
    trial.complete()

    assert files.leave_whole_copies() == []
    assert contents(tmp_path) == {}


def test_a_copy_whose_path_has_been_said_is_not_removed_any_more(tmp_path: Path) -> None:
    """A save that goes on meanwhile gives it a name as well."""
    part, warnings = PartFile(tmp_path), list[str]()
    part.write(DATA)
    part.complete()
    assert files.leave_whole_copies() == [part.path]

    part.publish(tmp_path / "fox.png", replace=False, numbered=False, warn=warnings.append)

    assert contents(tmp_path) == {part.path.name: DATA, "fox.png": DATA}
    assert warnings == []

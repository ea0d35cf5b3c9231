"""Where images go: places checked before paying, and places of rescue after."""

import errno
import os
import sys
from datetime import datetime
from pathlib import Path

import pytest

from nscale_cli.errors import NotSaved, UsageError
from nscale_cli.request import ImageRequest, Size
from nscale_cli.storage import files
from nscale_cli.storage.names import plan
from nscale_cli.storage.rescue import rescue as rescue_bytes

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def check(
    output: str | None,
    cwd: Path,
    *,
    count: int = 1,
    force: bool = False,
    make_directories: bool = True,
) -> None:
    """Ask whether images could be saved at `-o OUTPUT`."""
    size = Size(width=1, height=1)
    request = ImageRequest(prompt="A red fox", model="m", size=size, count=count)
    target = plan(output, request, cwd=cwd, now=datetime(2025, 3, 9))
    files.require_saveable(target, count=count, force=force, make_directories=make_directories)


def refusal(output: str | None, cwd: Path, **options: bool) -> tuple[str, str | None]:
    """Return the message and the hint with which `-o OUTPUT` is refused."""
    with pytest.raises(UsageError) as caught:
        check(output, cwd, **options)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("output", [None, "fox.png", "a/b/fox.png", "a/", "{date}/{slug}.png"])
def test_folders_are_made_and_left_empty(tmp_path: Path, output: str | None) -> None:
    """The trial of a folder leaves nothing in it."""
    check(output, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]
    parent = plan(
        output,
        ImageRequest(prompt="A red fox", model="m", size=Size(width=1, height=1)),
        cwd=tmp_path,
        now=datetime(2025, 3, 9),
    ).directory
    assert parent.is_dir()


def test_dry_run_makes_no_folder(tmp_path: Path) -> None:
    """It only looks."""
    check("a/b/fox.png", tmp_path, make_directories=False)
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_refused_unless_forced(tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "fox.png").touch()
    assert refusal("fox.png", tmp_path) == (
        f"{tmp_path / 'fox.png'} exists; nothing was sent",
        "choose another name, or replace it with --force",
    )
    check("fox.png", tmp_path, force=True)


def test_each_of_several_names_is_checked(tmp_path: Path) -> None:
    """The last one may be the one that is taken."""
    (tmp_path / "fox-3.png").touch()
    check("fox.png", tmp_path, count=2)
    with pytest.raises(UsageError, match=r"fox-3\.png exists; nothing was sent$"):
        check("fox.png", tmp_path, count=3)


def test_taken_name_of_our_own_is_no_obstacle(tmp_path: Path) -> None:
    """It will be counted past."""
    (tmp_path / "a-red-fox.png").touch()
    check(None, tmp_path)
    check("{slug}.png", tmp_path)


@posix_only
def test_dangling_link_is_refused(tmp_path: Path) -> None:
    """The name is taken, though nothing is behind it."""
    (tmp_path / "fox.png").symlink_to(tmp_path / "nothing")
    assert refusal("fox.png", tmp_path)[0] == f"{tmp_path / 'fox.png'} exists; nothing was sent"


@posix_only
def test_devices_and_pipes_are_no_existing_files(tmp_path: Path) -> None:
    """They are there to be written to."""
    os.mkfifo(tmp_path / "pipe")
    check("pipe", tmp_path)
    check(os.devnull, tmp_path)


@pytest.mark.parametrize("output", ["file/fox.png", "file/a/b/fox.png"])
@pytest.mark.parametrize("make_directories", [True, False])
def test_file_in_place_of_a_folder_is_refused(
    tmp_path: Path, output: str, make_directories: bool
) -> None:
    """No folder can be made below a file."""
    (tmp_path / "file").touch()
    expected = f"{tmp_path / 'file'} is not a folder; nothing was sent"
    assert refusal(output, tmp_path, make_directories=make_directories) == (expected, None)


def test_folder_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The administrator may write anywhere, so the system's answer is put in its mouth."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert refusal("new/fox.png", tmp_path) == (
        f"the folder {tmp_path} is not writable; nothing was sent",
        "choose another with -o FOLDER/",
    )


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has such a folder")
def test_folder_that_takes_no_file_is_refused(tmp_path: Path) -> None:
    """Permissions alone do not tell, so the folder is tried out."""
    if not os.access("/proc", os.W_OK):
        pytest.skip("its permissions tell, unless one is the administrator")
    message, hint = refusal("/proc/fox.png", tmp_path)
    assert message.startswith("the folder /proc cannot be written to: ")
    assert message.endswith("; nothing was sent")
    assert hint == "choose another with -o FOLDER/"


def rescue(env: dict[str, str]) -> Path:
    """Rescue an image."""
    return rescue_bytes(b"image", "fox.png", env)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_rescue_prefers_the_folder_for_state(tmp_path: Path, cwd: Path) -> None:
    """Where programs keep what must not be lost."""
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert rescue(home | state) == tmp_path / "state/nscale/rescued/fox.png"
    assert rescue(home) == tmp_path / "home/.local/state/nscale/rescued/fox.png"


def test_rescue_never_replaces(tmp_path: Path, cwd: Path) -> None:
    """Two images of one name are both kept."""
    env = {"HOME": str(tmp_path)}
    assert [rescue(env).name for _ in range(2)] == ["fox.png", "fox-2.png"]


@pytest.mark.parametrize(
    "env", [{}, {"HOME": ""}, {"HOME": "relative"}, {"XDG_STATE_HOME": "x"}, {"HOME": os.devnull}]
)
def test_rescue_without_a_home_uses_the_current_folder(cwd: Path, env: dict[str, str]) -> None:
    """A home that is missing, odd or unusable is passed over."""
    assert rescue(env) == cwd / "fox.png"


@posix_only
def test_rescue_goes_on_to_the_temporary_folders(
    tmp_path: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither home nor the current folder takes the image."""
    cwd.rmdir()
    (tmp_path / "temporary").mkdir()
    env = {"HOME": os.devnull, "TMPDIR": str(tmp_path / "temporary")}
    assert rescue(env) == tmp_path / "temporary/fox.png"
    monkeypatch.chdir(tmp_path)


def test_image_that_no_place_takes_is_said_to_be_lost(
    tmp_path: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is full everywhere."""

    def full(*arguments: object, **options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        patch.setattr("tempfile.tempdir", None)
        with pytest.raises(NotSaved) as caught:
            rescue({"HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    assert caught.value.message == (
        "fox.png was received and paid for, but could not be saved anywhere"
    )
    assert caught.value.hint == (
        "free some disk space; ask the service whether the image can be fetched again"
    )


def stranded(folder: Path) -> files.SaveFailed:
    """Return the failure of a save that left a whole copy in `folder`."""
    copy = folder / ".stranded.part"
    copy.write_bytes(b"image")
    return files.SaveFailed(OSError(errno.EIO, os.strerror(errno.EIO)), copy)


def test_stranded_copy_gives_way_to_a_rescued_one(tmp_path: Path, cwd: Path) -> None:
    """One image is one file."""
    failure = stranded(tmp_path)
    path = rescue_bytes(b"image", "fox.png", {"HOME": str(tmp_path)}, after=failure)
    assert path.read_bytes() == b"image"
    assert not failure.copy.exists()


def test_stranded_copy_is_the_last_resort(
    tmp_path: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no disk will sync, the first copy stays and the others go."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    failure = stranded(tmp_path)
    env = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    assert rescue_bytes(b"image", "fox.png", env, after=failure) == failure.copy
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [failure.copy]


def test_folder_that_gives_nothing_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image would leave a second copy there that nobody can remove."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail)
        message, _ = refusal(None, tmp_path)
    (trial,) = tmp_path.iterdir()
    assert message == (
        f"the folder {tmp_path} cannot be written to: {trial.name} is in it and cannot be removed; "
        "nothing was sent"
    )


@posix_only
def test_link_to_a_device_is_a_taken_name(tmp_path: Path) -> None:
    """Whoever put it there would get, or destroy, what was paid for."""
    (tmp_path / "fox.png").symlink_to(os.devnull)
    assert refusal("fox.png", tmp_path)[0] == f"{tmp_path / 'fox.png'} exists; nothing was sent"

"""Where images go: looked at early, made and tried out just before paying."""

import errno
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from nscale_cli.errors import UsageError
from nscale_cli.request import ImageRequest, Size
from nscale_cli.storage import places
from nscale_cli.storage.names import Target, plan

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def target_of(output: str | None, cwd: Path, count: int = 1) -> Target:
    """Return what `-o OUTPUT` means."""
    size = Size(width=1, height=1)
    request = ImageRequest(prompt="A red fox", model="m", size=size, count=count)
    return plan(output, request, cwd=cwd, now=datetime(2025, 3, 9))


def check(
    output: str | None, cwd: Path, *, count: int = 1, force: bool = False, makes: bool = True
) -> Sequence[Path]:
    """Ask whether images could be saved at `-o OUTPUT`, and `makes` directories for them."""
    target = target_of(output, cwd, count)
    places.check(target, count=count, force=force)
    return places.prepare(target, count=count) if makes else ()


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
    assert target_of(output, tmp_path).directory.is_dir()


def test_a_look_makes_no_folder(tmp_path: Path) -> None:
    """A run that is refused for another reason leaves nothing behind."""
    check("a/b/fox.png", tmp_path, makes=False)
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
    """They are there to be written to, where the user names them."""
    os.mkfifo(tmp_path / "pipe")
    check("pipe", tmp_path)
    check(os.devnull, tmp_path)


@posix_only
@pytest.mark.parametrize("name", ["fox-1.png", "fox-2.png"])
def test_a_pipe_under_one_of_several_names_is_an_existing_file(tmp_path: Path, name: str) -> None:
    """Nobody named it, so nobody is reading there."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match=rf"{name} exists; nothing was sent$"):
        check("fox.png", tmp_path, count=3)
    with pytest.raises(UsageError, match=rf"{name}: it is no file that could be replaced; "):
        check("fox.png", tmp_path, count=3, force=True)


@posix_only
def test_what_the_system_keeps_is_not_replaced_by_force(tmp_path: Path) -> None:
    """Standard output may be a file; its name in /dev is a link that others need."""
    (tmp_path / "stdout").touch()
    before = os.dup(1)
    try:
        os.dup2(os.open(tmp_path / "stdout", os.O_WRONLY), 1)
        message, _ = refusal("/dev/stdout", tmp_path, force=True)
    finally:
        os.dup2(before, 1)
    assert message == "/dev/stdout: it is no file that could be replaced; nothing was sent"


def test_directories_that_were_made_can_be_taken_away_again(tmp_path: Path) -> None:
    """Those only, and only where nothing is in them."""
    (tmp_path / "a").mkdir()
    made = check("a/b/c/fox.png", tmp_path)
    assert list(made) == [tmp_path / "a/b", tmp_path / "a/b/c"]
    (tmp_path / "a/b/other.png").touch()

    places.remove_directories(made)

    assert sorted(tmp_path.rglob("*")) == [
        tmp_path / "a",
        tmp_path / "a/b",
        tmp_path / "a/b/other.png",
    ]


def test_directories_are_taken_away_again_where_one_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal leaves nothing behind."""

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        message, _ = refusal("{index}/a/fox.png", tmp_path)
    assert message.startswith(f"the folder {tmp_path}/1/a cannot be written to: No space left")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_only_the_image_names_is_not_made_up(tmp_path: Path) -> None:
    """What is above it is tried out."""
    check("new/{hash}/fox.png", tmp_path)
    assert list(tmp_path.rglob("*")) == [tmp_path / "new"]


@pytest.mark.parametrize("output", ["file/fox.png", "file/a/b/fox.png"])
@pytest.mark.parametrize("makes", [True, False])
def test_file_in_place_of_a_folder_is_refused(tmp_path: Path, output: str, makes: bool) -> None:
    """No folder can be made below a file."""
    (tmp_path / "file").touch()
    expected = f"{tmp_path / 'file'} is not a folder; nothing was sent"
    assert refusal(output, tmp_path, makes=makes) == (expected, None)


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

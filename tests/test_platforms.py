"""What is done where a system is not POSIX, or not Linux: its rules are simulated at the edge."""

import base64
import ctypes
import fcntl
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from nscale_cli.commands import config_edit
from nscale_cli.config import directories
from nscale_cli.errors import UsageError
from nscale_cli.preview import query, viewer
from nscale_cli.runs import row_names
from nscale_cli.storage import devices, files, lock, private_files
from nscale_cli.terminal import signals, size, streams
from nscale_cli.terminal.signals import Interrupted, Interrupts
from tests import windows as rules
from tests.conftest import Cli, ScriptedServer, images_reply

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is simulated on Linux")
PACKAGE = Path(__file__).parent.parent / "nscale_cli"
# Each module that asks for the system's name: all are tried below.
ASKING = {
    "commands/config_edit.py",
    "config/directories.py",
    "preview/query.py",
    "preview/viewer.py",
    "runs/journal.py",
    "runs/row_names.py",
    "storage/devices.py",
    "storage/files.py",
    "storage/lock.py",
    "storage/private_files.py",
    "terminal/signals.py",
    "terminal/size.py",
    "terminal/streams.py",
}


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> rules.OpenFiles:
    """Let Windows' rules hold."""
    return rules.apply(monkeypatch)


@pytest.fixture
def own_folders(tmp_path: Path) -> Mapping[str, str]:
    """Variables for folders that Windows would otherwise name itself."""
    return {
        f"XDG_{name}_HOME": str(tmp_path.with_name(f"{tmp_path.name}-{name}"))
        for name in ("CONFIG", "STATE", "CACHE")
    }


def test_every_module_that_asks_for_the_system_is_known_here() -> None:
    """By one name: what else tells the system would not be simulated."""
    sources = {
        path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")
    }

    assert {name for name, text in sources.items() if "sys.platform" in text} == ASKING
    others = re.compile(r"\bos\.name\b|platform\.system\(\) [=!]=|from sys import")
    assert [name for name, text in sources.items() if others.search(text)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "images generate fox -n 2",
        "images generate fox -o fox.webp --metadata full",
        "images batch rows.txt -j 2",
        "images compare fox cat -m x/y -m z/w",
        "history list",
        "models list",
        "config set size 64x64",
        "doctor",
    ],
)
def test_a_command_works_by_the_rules_of_windows(
    cli: Cli,
    windows: rules.OpenFiles,
    tmp_path: Path,
    own_folders: Mapping[str, str],
    words: str,
) -> None:
    """It asks for nothing that is lacking, moves no open file, and leaves nothing open."""
    (tmp_path / "rows.txt").write_text("a fox\na cat\n")
    env = {**own_folders, "NSCALE_SANDBOX": "1", "NSCALE_HISTORY": "1"}

    outcome = cli(*words.split(), env=env)

    assert (outcome.exit_code, "bug" in outcome.stderr) == (0, False), outcome.stderr
    left = [path for path in windows.paths.values() if Path(path).is_relative_to(tmp_path)]
    assert left == []
    assert not list(tmp_path.rglob("*.part"))


def test_a_name_that_is_taken_is_not_replaced_on_windows(
    cli: Cli, windows: rules.OpenFiles, tmp_path: Path, own_folders: Mapping[str, str]
) -> None:
    """A rename refuses that there; --force asks for it."""
    words = ("images", "generate", "fox", "--sandbox", "-z", "64x64")
    names = [Path(cli(*words, env=own_folders).stdout.strip()).name for _ in range(2)]
    (tmp_path / "mine.png").write_text("mine")

    assert names == ["fox.png", "fox-2.png"]
    assert cli(*words, "-o", "mine.png", env=own_folders).exit_code == 2
    assert cli(*words, "-o", "mine.png", "--force", env=own_folders).exit_code == 0
    assert (tmp_path / "mine.png").stat().st_size > 100


def test_what_is_large_and_no_image_is_kept_on_windows(
    against: Cli,
    server: ScriptedServer,
    windows: rules.OpenFiles,
    tmp_path: Path,
    own_folders: Mapping[str, str],
) -> None:
    """It is read while it is open, which needs another call there."""
    data = os.urandom(3_000_001)
    server.answers = [images_reply({"b64_json": base64.b64encode(data).decode()})]

    outcome = against(server, "fox", "--json", env=own_folders)

    assert outcome.exit_code == 22
    (path,) = outcome.document["data"]["kept"]  # type: ignore[index]
    assert Path(path).read_bytes() == data


def test_reading_an_open_file_does_not_move_where_it_is_written(
    windows: rules.OpenFiles, tmp_path: Path
) -> None:
    """Windows has one place in a file for both."""
    part = files.PartFile(tmp_path)
    part.write(b"first")
    assert b"".join(part.read()) == b"first"
    part.write(b" second")
    assert b"".join(part.read()) == b"first second"
    part.discard()


def test_a_lock_of_windows_has_one_owner_whose_words_can_be_read(
    windows: rules.OpenFiles, tmp_path: Path
) -> None:
    """Its byte is far behind them, as Windows locks bytes against being read."""
    path = tmp_path / "lock"
    with lock.locked(path, owner="the first"):
        with pytest.raises(lock.Locked, match="the first"), lock.locked(path, owner="a second"):
            pass
        assert lock.owner_of(path) == "the first"

    assert lock.owner_of(path) is None


def test_small_files_of_windows_have_no_modes(windows: rules.OpenFiles, tmp_path: Path) -> None:
    """They are replaced whole, also behind a link, and called private: the folder is."""
    path, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(path)
    path.write_text("old")
    path.chmod(0o644)
    with private_files.locked(link):
        private_files.replace_file(link, b"new", keep_mode=True)
    private_files.sync_directory(tmp_path)

    assert path.read_text() == "new"
    assert link.is_symlink()
    assert private_files.is_private(path)


@pytest.mark.usefixtures("windows")
def test_no_terminal_of_windows_is_asked_for_what_it_can_draw() -> None:
    """There is no /dev/tty; nor does a console tell a cell's pixels."""
    assert query.begin() is None
    assert size._cell_pixels() is None


@pytest.mark.usefixtures("windows")
def test_a_console_is_written_to_as_text() -> None:
    """Through Python's own stream, which knows how; not to its descriptor."""

    class Console(io.BytesIO):
        def fileno(self) -> int:
            return -1

    console = Console()
    streams._write_all(console, b"fox")

    assert console.getvalue() == b"fox"


@pytest.mark.usefixtures("windows")
def test_writing_to_a_device_of_windows_is_not_waited_for() -> None:
    """Nothing was opened without waiting: there is no such descriptor, and none is looked at."""
    devices._wait_until_writable(-1)


@pytest.mark.usefixtures("windows")
def test_signals_of_windows_are_two_and_have_no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C is meant; none is heeded once the process is about to end."""
    routed: dict[int, object] = {}
    monkeypatch.setattr(signals.signal, "signal", routed.__setitem__)
    interrupts = Interrupts()
    interrupts.install()
    assert list(routed) == [signal.SIGINT, signal.SIGTERM]

    interrupts.hold()
    interrupts.ask(signal.SIGINT)
    with pytest.raises(Interrupted):
        interrupts._receive(signal.SIGINT, sys._getframe())
    interrupts.ignore()
    interrupts._receive(signal.SIGINT, None)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_folders_are_those_of_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    """HOME says where they are on Linux alone; a variable of XDG counts everywhere."""
    import platformdirs

    monkeypatch.setattr(directories, "sys", rules.Named(platform))
    monkeypatch.setattr(platformdirs, "user_state_path", lambda *_, appauthor: tmp_path / "own")

    assert directories.state_directory({"HOME": str(tmp_path)}) == tmp_path / "own"
    named = directories.state_directory({"HOME": "/", "XDG_STATE_HOME": str(tmp_path)})
    assert named == tmp_path / "nscale"


def test_a_row_s_name_holds_no_sign_that_windows_forbids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is sent, and only there."""
    row_names.require_inside("what is this?.png")
    monkeypatch.setattr(row_names, "sys", rules.Named("win32"))

    with pytest.raises(UsageError, match="not one that a file can have"):
        row_names.require_inside("what is this?.png")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (r"C:\Tools\edit.exe", [r"C:\Tools\edit.exe"]),
        (r'"C:\Program Files\ed\ed.exe" --wait', [r"C:\Program Files\ed\ed.exe", "--wait"]),
        ("", ["/notepad"]),
    ],
)
def test_an_editor_of_windows_has_backslashes(
    monkeypatch: pytest.MonkeyPatch, wanted: str, words: list[str]
) -> None:
    """Where none is named, it is the one that Windows brings along."""
    monkeypatch.setattr(config_edit, "sys", rules.Named("win32"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/{name}")

    assert config_edit._editor(wanted) == words


def test_a_viewer_that_windows_does_not_start_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the system says, and no traceback."""

    def refuse(_: Path) -> None:
        raise OSError(None, "no program is set for it")

    monkeypatch.setattr(viewer, "sys", rules.Named("win32"))
    monkeypatch.setattr(os, "startfile", refuse, raising=False)

    with pytest.raises(viewer.ViewerUnavailable, match="no program is set for it"):
        viewer.open_image(tmp_path / "fox.png", {})


def test_macos_opens_images_by_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is on the path, and without DISPLAY."""
    started: list[list[str]] = []
    monkeypatch.setattr(viewer, "sys", rules.Named("darwin"))
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))

    viewer.open_image(Path("/fox.png"), {"PATH": "/nowhere"})

    assert started == [["/usr/bin/open", "/fox.png"]]


def test_a_journal_is_synced_as_far_as_the_system_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """macOS: to the drive's own memory and further. Windows: the call that it has."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda *words: asked.append(words))
    rules.as_on("darwin", "nscale_cli.runs.journal")._sync(7)
    assert asked == [(7, 51)]

    monkeypatch.delattr(os, "fdatasync")
    assert rules.as_on("win32", "nscale_cli.runs.journal")._sync is os.fsync


@pytest.mark.parametrize("number", [0, 17])
def test_macos_renames_without_replacing_by_its_own_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    """Where a file system has no hard links: 17 is its word for a name that is taken."""
    asked: list[tuple[object, ...]] = []
    library = SimpleNamespace(renameatx_np=lambda *words: asked.append(words) or -bool(number))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    monkeypatch.setattr(ctypes, "get_errno", lambda: number)
    source, name = tmp_path / "part", tmp_path / "fox.png"

    if number:
        with pytest.raises(FileExistsError):
            files._rename_without_replacing(source, name)
    else:
        assert files._rename_without_replacing(source, name)
    assert asked == [(-2, os.fsencode(source), -2, os.fsencode(name), 4)]

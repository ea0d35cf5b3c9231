"""The place of an image: refused before paying, or changed by somebody while it is being made."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome
from tests.faults.conftest import as_base64, files_in, photo, reply_of, require_failure
from tests.faults.raw_server import Connection, RawServer, response

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and devices")
RESCUED = "home/.local/state/nscale/rescued"


def lay_obstacles(folder: Path) -> None:
    """Fill `folder` with what stands in the way of an image."""
    (folder / "file").write_bytes(b"precious")
    (folder / "existing.png").write_bytes(b"precious")
    if os.name == "posix":
        (folder / "link.png").symlink_to(folder / "file")
        (folder / "dangling.png").symlink_to(folder / "nothing")
        (folder / "loop.png").symlink_to(folder / "loop.png")
        (folder / "device.png").symlink_to("/dev/null")


@posix_only
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("file/x.png", "{cwd}/file is not a folder; nothing was sent"),
        ("file/", "{cwd}/file is not a folder; nothing was sent"),
        ("a" * 256 + ".png", "the file name is too long"),
        ("é" * 128 + ".png", "the file name is too long"),
        ("b" * 256 + "/x.png", "the file name is too long"),
        ("existing.png", "{cwd}/existing.png exists; nothing was sent"),
        ("link.png", "{cwd}/link.png exists; nothing was sent"),
        ("dangling.png", "{cwd}/dangling.png exists; nothing was sent"),
        ("loop.png", "{cwd}/loop.png exists; nothing was sent"),
        ("device.png", "{cwd}/device.png exists; nothing was sent"),
        ("/proc/x.png", "the folder /proc cannot be written to: "),
        ("x/" * 2100 + "x.png", "the file name is too long"),
    ],
)
def test_a_place_that_cannot_take_the_image_is_refused_before_paying(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path, output: str, message: str
) -> None:
    """And what is there stays as it was."""
    if output.startswith("/proc") and (sys.platform != "linux" or os.geteuid()):
        pytest.skip("only root on Linux may try")
    lay_obstacles(tmp_path)
    before = files_in(tmp_path)

    outcome = buy(served, "-o", output)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: " + message.format(cwd=tmp_path))
    assert files_in(tmp_path) == before
    assert (tmp_path / "dangling.png").is_symlink()
    injected(served.connections == 0, f"-o {output[:20]}")


def test_a_missing_parent_is_made(buy: Buy, served: RawServer, tmp_path: Path) -> None:
    """The control of the refusals."""
    outcome = buy(served, "-o", "a/b/c/x.png")

    assert outcome.exit_code == 0
    assert files_in(tmp_path) == {"a/b/c/x.png": photo()}


@posix_only
@pytest.mark.parametrize("name", ["link.png", "dangling.png", "loop.png", "device.png"])
def test_force_replaces_a_link_and_not_what_it_points_to(
    buy: Buy, served: RawServer, tmp_path: Path, name: str
) -> None:
    """A device behind a link is not written to either."""
    lay_obstacles(tmp_path)

    outcome = buy(served, "-o", name, "--force")

    assert outcome.exit_code == 0
    assert not (tmp_path / name).is_symlink()
    assert files_in(tmp_path)[name] == photo()
    assert (tmp_path / "file").read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()


def swaps(folder: Path) -> dict[str, Callable[[], object]]:
    """Return what may happen to `x.png` while the image is being made."""
    target = folder / "x.png"
    return {
        "file": lambda: target.write_bytes(b"other"),
        "link": lambda: target.symlink_to(folder / "victim"),
        "dangling link": lambda: target.symlink_to(folder / "nothing"),
        "link to a device": lambda: target.symlink_to("/dev/null"),
        "pipe": lambda: os.mkfifo(target),
        "folder": target.mkdir,
    }


@posix_only
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("swap", swaps(Path()))
def test_a_target_that_appears_while_the_image_is_made_is_not_followed(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path, swap: str, force: bool
) -> None:
    """Without --force it stays; with it a name gives way, but never what is behind the name."""
    (tmp_path / "victim").write_bytes(b"precious")
    made: list[object] = []

    def script(connection: Connection) -> None:
        made.append(swaps(tmp_path)[swap]())
        connection.send(response(reply_of({"b64_json": as_base64(photo())})))

    served.scripts = [script]
    outcome = buy(served, "-o", "x.png", *(["--force"] if force else []))

    replaced = force and swap not in ("pipe", "folder")
    assert outcome.exit_code == (0 if replaced else 20)
    saved = Path(outcome.stdout.strip())
    assert saved == tmp_path / ("x.png" if replaced else f"{RESCUED}/x.png")
    assert not saved.is_symlink() and saved.read_bytes() == photo()
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()
    assert swap != "file" or force or (tmp_path / "x.png").read_bytes() == b"other"
    assert not [name for name in files_in(tmp_path) if name.endswith(".part")]
    injected(len(made) == served.posts == 1, f"the target became a {swap}, force {force}")


@posix_only
def test_a_folder_that_goes_away_while_the_image_is_made_does_not_take_it_along(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """The image is saved elsewhere."""
    made: list[None] = []

    def script(connection: Connection) -> None:
        made.append((tmp_path / "new").rmdir())
        connection.send(response(reply_of({"b64_json": as_base64(photo())})))

    served.scripts = [script]
    outcome = buy(served, "-o", "new/x.png")

    message = require_failure(outcome, 20, "yes")
    assert message.startswith(f"{tmp_path / 'new' / 'x.png'}: No such file or directory; ")
    assert files_in(tmp_path) == {f"{RESCUED}/x.png": photo()}
    injected(len(made) == 1, "the folder was removed")

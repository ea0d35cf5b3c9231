"""Saving: what cannot be saved is refused before paying, and what was paid for is never lost."""

import io
import json
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Outcome, Stream
from tests.faults.conftest import as_base64, files_in, photo, reply_of, require_failure
from tests.faults.mounts import mounted
from tests.faults.raw_server import RawServer, answers

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and devices")
RESCUED = "home/.local/state/nscale/rescued"


def jpeg() -> bytes:
    """Return the photo as a JPEG, which is smaller than the PNG."""
    data = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(data, "jpeg", quality=60)
    return data.getvalue()


def test_a_full_disk_is_left_empty_and_the_image_is_rescued(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """The path of the rescued image is the answer."""
    with mounted(tmp_path / "disk", "size=200k") as disk:
        outcome = buy(served, "-o", "disk/x.png")
        left = list(disk.iterdir())

    rescued = tmp_path / RESCUED / "x.png"
    message = require_failure(outcome, 20, "yes")
    assert message == f"{disk / 'x.png'}: No space left on device; the image is at {rescued}"
    assert outcome.stdout == f"{rescued}\n"
    assert files_in(tmp_path) == {f"{RESCUED}/x.png": photo()}
    assert left == []
    injected(served.posts == 1, "a disk of 200 kB")


def test_a_disk_that_is_full_from_the_start_costs_nothing(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """The trial before paying finds it out."""
    with mounted(tmp_path / "disk", "size=4k") as disk:
        (disk / "big").write_bytes(b"x" * 4096)
        outcome = buy(served, "-o", "disk/x.png")
        left = [path.name for path in disk.iterdir()]

    assert outcome.exit_code == 2
    assert "cannot be written to: No space left on device; nothing was sent" in outcome.stderr
    assert left == ["big"]
    injected(served.connections == 0, "a full disk")


def test_a_read_only_disk_costs_nothing(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """Root is not stopped by permissions, but by this."""
    with mounted(tmp_path / "disk", "ro"):
        outcome = buy(served, "-o", "disk/x.png")

    assert outcome.exit_code == 2
    assert f"the folder {tmp_path / 'disk'} is not writable; nothing was sent" in outcome.stderr
    injected(served.connections == 0, "a read-only disk")


def test_a_conversion_on_a_full_disk_tells_only_of_the_file_that_stays(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """The original is rescued first, and removed when the converted image is safe."""
    raw.scripts = [answers(reply_of({"b64_json": as_base64(jpeg())}))]
    with mounted(tmp_path / "disk", "size=4k"):
        outcome = buy(raw, "-o", "disk/x.png")

    rescued = tmp_path / RESCUED / "x.png"
    message = require_failure(outcome, 20, "yes")
    assert message.endswith(f"/x.png: No space left on device; the image is at {rescued}")
    assert outcome.stderr.count("error: ") == 1
    assert set(files_in(tmp_path)) == {f"{RESCUED}/x.png"}
    injected(raw.posts == 1, "a disk too small for the image before its conversion")


@posix_only
@pytest.mark.parametrize("device", ["/dev/full", "pipe"])
def test_a_device_that_takes_no_image_does_not_lose_it(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path, device: str
) -> None:
    """A pipe without a reader does not hang the program either."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    os.mkfifo(tmp_path / "pipe")

    outcome = buy(served, "-o", device)

    reason = {"/dev/full": "No space left on device", "pipe": "No such device or address"}[device]
    rescued = tmp_path / RESCUED / Path(device).name
    message = require_failure(outcome, 20, "yes")
    assert message == f"{tmp_path / device}: {reason}; the image is at {rescued}"
    assert rescued.read_bytes() == photo()
    injected(served.posts == 1, f"-o {device}")


@posix_only
def test_the_null_device_and_a_pipe_with_a_reader_take_the_image(
    buy: Buy, served: RawServer, tmp_path: Path
) -> None:
    """They were asked for; the device is still one afterwards."""
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    descriptor = os.open(tmp_path / "pipe", os.O_WRONLY)  # waits for the reader

    codes = [buy(served, "-o", name).exit_code for name in ("/dev/null", "pipe")]

    os.close(descriptor)
    reader.join()
    assert codes == [0, 0]
    assert received == [photo()]
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert files_in(tmp_path) == {}


@posix_only
@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_decides_who_may_read_the_image(
    buy: Buy, served: RawServer, tmp_path: Path, mask: int, mode: int
) -> None:
    """As for any other file of the user."""
    before = os.umask(mask)
    try:
        outcome = buy(served)
    finally:
        os.umask(before)

    assert stat.S_IMODE(Path(outcome.stdout.strip()).stat().st_mode) == mode


def test_raw_bytes_are_the_image_and_nothing_else(
    buy: Buy, served: RawServer, tmp_path: Path
) -> None:
    """-o - into a pipe."""
    outcome = buy(served, "-o", "-")

    assert outcome.exit_code == 0
    assert outcome.stdout_bytes == photo()
    assert files_in(tmp_path) == {}


def test_raw_bytes_at_a_terminal_are_refused_before_paying(
    buy: Buy, served: RawServer, injected: Injected
) -> None:
    """They would garble it."""
    outcome = buy(served, "-o", "-", stdout_is_tty=True)

    assert outcome.exit_code == 2
    injected(served.connections == 0, "-o - at a terminal")


class ClosedPipe(Stream):
    """A standard output whose reader has gone."""

    class Buffer(io.BytesIO):
        """The bytes that nobody takes."""

        def write(self, data: object) -> int:
            """Fail as a pipe does."""
            raise BrokenPipeError(32, "Broken pipe")

    buffer = Buffer()  # type: ignore[assignment]
    content = b""  # type: ignore[assignment]


def test_raw_bytes_that_nobody_reads_are_rescued(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """Standard error tells where the image is."""
    outcome = buy(served, "-o", "-", stdout=ClosedPipe())

    rescued = tmp_path / RESCUED / "cat.png"
    message = require_failure(outcome, 20, "yes")
    assert message == f"standard output: Broken pipe; the image is at {rescued}"
    assert files_in(tmp_path) == {f"{RESCUED}/cat.png": photo()}
    injected(served.posts == 1, "-o - without a reader")


def test_a_rescued_image_is_in_the_document_too(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """A script needs no words to find it."""
    with mounted(tmp_path / "disk", "size=200k"):
        outcome = buy(served, "-o", "disk/x.png", "--json")

    document = json.loads(outcome.stdout)
    assert outcome.exit_code == 20
    assert document["status"] == "partial"
    assert document["data"]["images"][0]["path"] == str(tmp_path / RESCUED / "x.png")
    assert [error["code"] for error in document["errors"]] == ["saved_elsewhere"]
    injected(served.posts == 1, "a disk of 200 kB, for a script")

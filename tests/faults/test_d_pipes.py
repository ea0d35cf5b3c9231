"""FIFOs and names that are no files: only the very name that the user gave is written to."""

import io
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.storage import devices
from tests.conftest import Outcome
from tests.faults.conftest import as_base64, files_in, photo, reply_of, require_failure
from tests.faults.raw_server import RawServer, answers

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and devices")
RESCUED = "home/.local/state/nscale/rescued"


class Reader:
    """Reads from a FIFO, or only holds it open; remembers what it got."""

    def __init__(self, path: Path, *, reads: bool) -> None:
        """Make the FIFO and open it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        self.path, self.got = path, bytearray()
        self._descriptor = os.open(path, os.O_RDWR if reads else os.O_RDONLY | os.O_NONBLOCK)
        if reads:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while piece := os.read(self._descriptor, 65536):
            self.got += piece

    @property
    def is_there(self) -> bool:
        """Whether the FIFO is where it was."""
        return stat.S_ISFIFO(self.path.lstat().st_mode)


@pytest.fixture
def fifo() -> Iterator[Callable[..., Reader]]:
    """Make FIFOs with somebody at their other end."""
    made: list[Reader] = []

    def make(path: Path, *, reads: bool = True) -> Reader:
        made.append(Reader(path, reads=reads))
        return made[-1]

    yield make
    assert all(reader.is_there for reader in made)


def jpeg() -> bytes:
    """Return the photo as a JPEG."""
    data = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(data, "jpeg", quality=60)
    return data.getvalue()


Fifo = Callable[..., Reader]


@pytest.mark.parametrize("reads", [True, False])
def test_a_pipe_under_our_own_name_is_a_name_that_is_taken(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path, fifo: Fifo, reads: bool
) -> None:
    """Whoever waits there does not get the image in the place of the user."""
    pipes = [fifo(tmp_path / name, reads=reads) for name in ("cat.png", "cat-2.png")]

    outcome = buy(served)

    assert outcome.exit_code == 0
    assert outcome.stdout == f"{tmp_path / 'cat-3.png'}\n"
    assert (tmp_path / "cat-3.png").read_bytes() == photo()
    assert [bytes(pipe.got) for pipe in pipes] == [b"", b""]
    injected(served.posts == 1, f"pipes under our names, reads {reads}")


def test_a_pipe_under_a_rescue_name_is_a_name_that_is_taken(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path, fifo: Fifo
) -> None:
    """The last place is no place to lose it."""
    pipe = fifo(tmp_path / RESCUED / "full")

    outcome = buy(served, "-o", "/dev/full")

    rescued = tmp_path / RESCUED / "full-2"
    message = require_failure(outcome, 20, "yes")
    assert message == f"/dev/full: No space left on device; the image is at {rescued}"
    assert rescued.read_bytes() == photo()
    assert pipe.got == b""
    injected(served.posts == 1, "a pipe in the rescue folder")


def test_a_pipe_under_the_name_of_the_original_is_a_name_that_is_taken(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, fifo: Fifo
) -> None:
    """-o x.png, and a JPEG comes: it waits on the disk until the PNG is safe."""
    pipe = fifo(tmp_path / "x.jpg")
    raw.scripts = [answers(reply_of({"b64_json": as_base64(jpeg())}))]

    outcome = buy(raw, "-o", "x.png")

    assert outcome.exit_code == 0
    with Image.open(tmp_path / "x.png") as saved:
        assert saved.format == "PNG"
    assert {path.name for path in tmp_path.iterdir()} == {"x.png", "x.jpg"}
    assert pipe.got == b""
    injected(raw.posts == 1, "a pipe beside the converted file")


def test_a_pipe_under_one_of_several_names_is_refused_before_paying(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path, fifo: Fifo
) -> None:
    """-o x.png -n 3 names x-2.png for the user, and no reader."""
    fifo(tmp_path / "x-2.png")

    for force in ([], ["--force"]):
        assert buy(served, "-o", "x.png", "-n", "3", *force).exit_code == 2

    injected(served.connections == 0, "a pipe under a numbered name")


def test_the_pipe_that_the_user_named_gets_the_image(
    buy: Buy, served: RawServer, tmp_path: Path, fifo: Fifo
) -> None:
    """The control: all of it, and nothing else."""
    pipe = fifo(tmp_path / "x.png")

    assert buy(served, "-o", "x.png", "--force").exit_code == 0

    assert pipe.got == photo()
    assert files_in(tmp_path) == {}


def test_a_reader_that_never_reads_does_not_hold_the_only_copy(
    buy: Buy,
    served: RawServer,
    injected: Injected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fifo: Fifo,
) -> None:
    """After a while the image is saved elsewhere; the pipe is left to its owner."""
    monkeypatch.setattr(devices, "MAX_STANDSTILL_SECONDS", 0.3)
    fifo(tmp_path / "x.png", reads=False)

    outcome = buy(served, "-o", "x.png")

    rescued = tmp_path / RESCUED / "x.png"
    message = require_failure(outcome, 20, "yes")
    assert message == f"{tmp_path / 'x.png'}: it took nothing for 0.3 s; the image is at {rescued}"
    assert rescued.read_bytes() == photo()
    injected(served.posts == 1, "a reader that stands still")


def test_one_image_too_many_does_not_go_into_the_pipe_behind_the_first(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, fifo: Fifo
) -> None:
    """Two images in a row are none."""
    pipe = fifo(tmp_path / "x.png")
    item = {"b64_json": as_base64(photo())}
    raw.scripts = [answers(reply_of(item, item))]

    outcome = buy(raw, "-o", "x.png")

    rescued = tmp_path / RESCUED / "x.png"
    message = require_failure(outcome, 20, "yes")
    assert message.endswith(f"more images came than were asked for; the image is at {rescued}")
    assert pipe.got == rescued.read_bytes() == photo()
    injected(raw.posts == 1, "two images for one pipe")


def test_one_image_too_many_does_not_go_to_standard_output_behind_the_first(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """-o - is the bytes of one image."""
    item = {"b64_json": as_base64(photo())}
    raw.scripts = [answers(reply_of(item, item))]

    outcome = buy(raw, "-o", "-")

    rescued = tmp_path / RESCUED / "cat.png"
    require_failure(outcome, 20, "yes")
    assert outcome.stdout_bytes == photo()
    assert rescued.read_bytes() == photo()
    injected(raw.posts == 1, "two images for standard output")


@pytest.mark.parametrize("refused", ["no key", "refused key", "a mistake"])
def test_a_run_that_is_refused_leaves_no_directory_behind(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, refused: str
) -> None:
    """Nothing is made until all that can be checked has been."""
    raw.scripts = [answers(b"{}", 401)]
    words = {"no key": ["-a", ""], "refused key": [], "a mistake": ["--param", "n=2"]}[refused]

    outcome = buy(raw, "-o", "foxes/sub/", *words)

    assert outcome.exit_code in (2, 4)
    assert not (tmp_path / "foxes").exists()
    injected(raw.posts == (refused == "refused key"), refused)

"""Raw bytes on standard output, under each of its names: all of them, and nothing behind them."""

import errno
import io
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import KEY, Outcome, Program, Stream
from tests.faults.conftest import files_in, photo, require_failure
from tests.faults.raw_server import RawServer

Injected = Callable[[bool, str], None]
Buy = Callable[..., Outcome]
RESCUED = "home/.local/state/nscale/rescued"
NAMES = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/../dev/stdout", "mine"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the names are Linux's")


@pytest.fixture
def words(served: RawServer, tmp_path: Path) -> list[str]:
    """The words that buy a photo; `mine` is a link to standard output."""
    (tmp_path / "mine").symlink_to("/dev/stdout")
    return ["images", "generate", "cat", "--base-url", served.base_url, "-a", KEY, "-o"]


# Only one's own link is forced: where it were replaced, /dev/stdout would be, too.
@pytest.mark.parametrize(
    ("name", "forced"), [*((name, []) for name in NAMES), ("mine", ["--force"])]
)
def test_each_name_of_stdout_is_stdout(
    program: Program, words: list[str], name: str, forced: list[str], tmp_path: Path
) -> None:
    """Into a pipe and into a file: the image, and no path behind it. No name is replaced."""
    outcome = program.run(*words, name, *forced)
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, photo())

    with (tmp_path / "out").open("wb") as out:
        assert program.run(*words, name, *forced, stdout=out).exit_code == 0

    assert (tmp_path / "out").read_bytes() == photo()
    assert (tmp_path / "mine").is_symlink()
    assert set(os.listdir(tmp_path)) == {"mine", "out"}  # noqa: PTH208 - links, too


@pytest.mark.terminal
@pytest.mark.parametrize("name", [*NAMES, "-", "/dev/tty"])
def test_no_name_of_a_terminal_gets_image_bytes(
    program: Program, words: list[str], served: RawServer, injected: Injected, name: str
) -> None:
    """Refused before paying."""
    pexpect = pytest.importorskip("pexpect")
    words = [*program.command[1:], *words, name]
    output, code = pexpect.run(
        subprocess.list2cmdline([sys.executable, *words]),
        cwd=str(program.cwd),
        env=program.env | {"TERM": "dumb"},
        withexitstatus=True,
        timeout=60,
    )

    assert code == 2
    assert b"would write image bytes to" in output
    assert b"IHDR" not in output
    injected(served.connections == 0, f"-o {name} at a terminal")


def test_a_file_behind_another_descriptor_is_not_replaced(
    program: Program, words: list[str], served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """--force replaces a file that was named, and no name that the system keeps."""
    (tmp_path / "errors").symlink_to("/dev/stderr")

    with (tmp_path / "log").open("wb") as log:
        outcome = program.run(*words, "errors", "--force", stderr=log)

    assert outcome.exit_code == 2
    assert (tmp_path / "errors").is_symlink()
    assert b"error: -o errors is no name of the file behind it" in (tmp_path / "log").read_bytes()
    injected(served.connections == 0, "--force -o /dev/stderr")


def test_a_pipe_that_does_not_wait_gets_the_whole_image(
    program: Program, words: list[str], injected: Injected, tmp_path: Path
) -> None:
    """Some parents set their pipes so; the reader may be slow all the same."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = program.start(*words, "-", stdout=writer)
    received = b""
    while b"\x89PNG" not in received:
        received += os.read(reader, 10_000)
    while process.poll() is None and select.select([], [writer], [], 0.01)[1]:
        pass  # until it is full
    full = process.poll() is None
    os.close(writer)
    while piece := os.read(reader, 10_000):
        received += piece
    os.close(reader)

    assert process.wait(60) == 0
    assert received == photo()
    assert process.stderr is not None
    process.stderr.close()
    assert set(files_in(tmp_path)) == set()
    injected(full, "a pipe that does not wait for its reader")


class TakesSome(Stream):
    """A standard output that takes a thousand bytes, fails once, and then takes more."""

    class Buffer(io.BytesIO):
        """The bytes."""

        failed = False

        def write(self, data: bytes) -> int:
            """Fail in the middle of an image."""
            if self.failed:
                return super().write(data)
            self.failed = True
            super().write(bytes(data[:1000]))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.taken = self.Buffer()

    @property
    def buffer(self) -> io.BytesIO:  # type: ignore[override]
        """The bytes that were taken."""
        return self.taken

    @property
    def content(self) -> bytes:
        """The same."""
        return self.taken.getvalue()


def test_no_path_stands_behind_part_of_an_image(
    buy: Buy, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """A script would take the two for one image. Standard error tells where the image is."""
    stdout = TakesSome()

    outcome = buy(served, "-o", "-", stdout=stdout)

    message = require_failure(outcome, 20, "yes")
    rescued = tmp_path / RESCUED / "cat.png"
    assert message == f"standard output: No space left on device; the image is at {rescued}"
    assert outcome.stdout_bytes == photo()[:1000]
    assert files_in(tmp_path) == {f"{RESCUED}/cat.png": photo()}
    injected(stdout.taken.failed, "a disk that is full in the middle of an image on stdout")

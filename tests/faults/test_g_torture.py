"""A signal at every kind of moment: none of them loses a paid image or tells a lie about money."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

import nscale_cli
from nscale_cli.main import run
from nscale_cli.terminal import signals
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted, Interrupts
from nscale_cli.terminal.streams import Terminal
from tests.conftest import KEY, Stream, installed
from tests.faults.conftest import good_reply, png
from tests.faults.raw_server import RawServer, answers

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="POSIX signals"),
    # A request that is given up in the middle keeps its socket until the process ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Injected = Callable[[bool, str], None]
PACKAGE = str(Path(nscale_cli.__file__).parent)
PARTS = 30


class Moments:
    """Counts the lines of the package that the main thread runs, and acts at some of them."""

    def __init__(self, at: frozenset[int] = frozenset()) -> None:
        """Send SIGINT at the lines whose numbers are in `at`."""
        self.at, self.count, self.sent = at, 0, 0
        self.places: list[str] = []

    def _trace(self, frame: FrameType, event: str, _argument: object) -> object:
        # The handler itself is not interrupted here: another test sends signals one upon another.
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE) or file == signals.__file__:
            return None
        if event == "line":
            self.count += 1
            if self.count in self.at:
                self.sent += 1
                self.places.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
                signal.raise_signal(signal.SIGINT)
        return self._trace

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the lines that run inside."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)


def key_of(folder: Path) -> str:
    """Return the key of the run in `folder`: by it a run's requests are told from others'."""
    return f"{KEY}-{folder.name}"


def generate(folder: Path, raw: RawServer, moments: Moments) -> tuple[int, str, str]:
    """Run the program in this process and return its exit code, stdout and stderr."""
    stdout, stderr = Stream(), Stream()
    env = {"HOME": str(folder / "home")}
    terminal = Terminal(stdin=None, stdout=stdout, stderr=stderr, env=env)
    interrupts = Interrupts()
    environment = Environment(terminal=terminal, interrupts=interrupts, cwd=folder)
    key = key_of(folder)
    words = ["images", "generate", "cat", "--base-url", raw.base_url, "-a", key, "-n", "2"]
    with installed(interrupts):
        try:
            with moments.counted():
                code = run(words, environment)
        except Interrupted as stop:  # before the first line, as __main__ does
            code = 128 + stop.signal_number
            stderr.write("error: stopped before anything was sent\n")
    return int(code), stdout.content.decode(), stderr.content.decode()


def lines_of_a_run(folder: Path, raw: RawServer) -> int:
    """Return how many moments an undisturbed run has, which is the control.

    The first run also runs the lines of the modules that it imports.
    """
    for number in (1, 2):
        moments = Moments()
        place = folder / str(number)
        place.mkdir(parents=True)
        code, stdout, _ = generate(place, raw, moments)
        assert code == 0
        assert stdout == f"{place}/cat.png\n{place}/cat-2.png\n"
    return moments.count


@pytest.mark.parametrize("second", [0, 1, 7, 60], ids=lambda later: f"again after {later}")
def test_a_signal_at_any_moment_loses_nothing_and_tells_no_lie(
    tmp_path: Path, raw: RawServer, injected: Injected, second: int
) -> None:
    """One signal, or two of them shortly after one another, through all of a run."""
    image = good_reply()[len(b'{"created": 1, "data": [') : -len(b"]}")]
    raw.scripts = [answers(b'{"created": 1, "data": [' + image + b", " + image + b"]}")]
    count = lines_of_a_run(tmp_path / "control", raw)

    step = max(1, count // PARTS)
    for number, at in enumerate(range(1 + second, count, step)):
        folder = tmp_path / f"stopped-{number}"
        folder.mkdir()
        moments = Moments(frozenset({at, at + second} if second else {at}))
        code, stdout, stderr = generate(folder, raw, moments)

        if not moments.sent:
            break  # not every run takes the same number of lines
        injected(moments.sent >= 1, "SIGINT at a line of the package")
        told = f"{moments.places}: {code} {stdout!r} {stderr!r}"
        assert code in (0, 130), told
        assert "bug" not in stderr, told
        assert not list(folder.glob(".*")), told
        keys = {request.header("Authorization") for request in raw.requests}
        if f"Bearer {key_of(folder)}" in keys:
            assert "Nothing was billed" not in stderr, told
            assert "before anything was sent" not in stderr, told
        for path in folder.glob("cat*.png"):
            assert path.read_bytes() == png(), told
            gave_up = moments.sent == 2 and "it is kept at" in stderr
            assert str(path) in stdout + stderr or gave_up, told
        if "finishing" in stderr and moments.sent == 1:
            assert stdout == f"{folder}/cat.png\n{folder}/cat-2.png\n", told
            assert code == 130, told
        if code == 0:
            assert stdout.count("\n") == 2, told
        else:
            assert "error: stopped" in stderr, told
    assert number >= PARTS // 2

"""The terminal: the only owner of the standard streams."""

import errno
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from nscale_cli.errors import StdoutFailed
from nscale_cli.redact import Redactor, clean
from nscale_cli.terminal.size import TerminalSize, size_by_variable, size_of_window
from nscale_cli.terminal.time import SLICE_SECONDS

_STDOUT = 1
_MAX_LINKS = 40
CLEAR_LINE = b"\r\x1b[2K"
_DUMB_TERMINALS = ("dumb", "unknown")
_STYLES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}


class Stream(Protocol):
    """What the terminal needs of a standard stream: its bytes, and whether a person is there."""

    @property
    def buffer(self) -> BinaryIO: ...  # noqa: D102 - the standard library's own names
    def isatty(self) -> bool: ...  # noqa: D102


class Terminal:
    """The three streams and the environment of one run.

    stdout is the answer, stderr the conversation. All text for stderr is cleaned here; secrets
    are hidden here. A stream is None where the parent process closed it.
    """

    def __init__(
        self,
        *,
        stdin: Stream | None,
        stdout: Stream | None,
        stderr: Stream | None,
        env: Mapping[str, str],
    ) -> None:
        self.env = env
        self.quiet = False
        self.debugging = False
        self.answered = False
        self.redactor = Redactor()
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._print_above: Callable[[str], None] | None = None
        self._redraw: Callable[[], None] = lambda: None

    @classmethod
    def standard(cls) -> "Terminal":
        """Return the terminal of this process."""
        return cls(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr, env=os.environ)

    @property
    def stdin_is_tty(self) -> bool:
        """Whether a person could type at standard input. True also where there is no input."""
        return self._stdin is None or self._stdin.isatty()

    @property
    def stdout_is_tty(self) -> bool:
        """Whether the answer goes to a person."""
        return self._stdout is not None and self._stdout.isatty()

    @property
    def stderr_is_tty(self) -> bool:
        """Whether the conversation is with a person, at a terminal that understands escapes."""
        return (
            self._stderr is not None
            and self._stderr.isatty()
            and self.env.get("TERM", "") not in _DUMB_TERMINALS
        )

    @property
    def coloured(self) -> bool:
        """Whether stderr is to be coloured (NO_COLOR, then FORCE_COLOR, then the terminal)."""
        if self.env.get("NO_COLOR"):
            return False
        return bool(self.env.get("FORCE_COLOR")) or self.stderr_is_tty

    def size(self) -> TerminalSize:
        """Return how large the terminal is; off a terminal COLUMNS or 80, and lines enough."""
        size = size_of_window() if self.stderr_is_tty else None
        return size or size_by_variable(self.env)

    def read_input(self, limit: int) -> bytes:
        """Return all of standard input, but no more than `limit` bytes and one, which shows it."""
        data = bytearray()
        while self._stdin is not None and len(data) <= limit:
            piece = self._stdin.buffer.read(limit + 1 - len(data))
            if piece is None:  # it was set not to wait for its writer
                select.select([self._stdin.buffer], [], [], SLICE_SECONDS)
            elif not piece:
                break
            else:
                data += piece
        return bytes(data)

    @property
    def input_file(self) -> BinaryIO | None:
        """Standard input as a file of bytes, or None where it is closed."""
        return self._stdin.buffer if self._stdin is not None else None

    def answer(self, text: str) -> None:
        """Write `text` and a line end to stdout; raise StdoutFailed where it cannot be written.

        A reader that has gone is no failure. A path may hold any byte: a script gets it as it is,
        and a terminal, which would act on some, gets it spelled out.
        """
        if self._stdout is None:
            return
        self.answered = True
        data = text.encode("utf-8", "surrogateescape")
        if self.stdout_is_tty:
            lines = data.decode("utf-8", "backslashreplace").split("\n")
            data = "\n".join(clean(line) for line in lines).encode()
            if self._print_above is not None:  # in the place of the line that moves
                data = CLEAR_LINE + data
        try:
            self.write_answer(data + b"\n")
        except OSError as error:
            self._abandon_stdout()
            if error.errno not in (errno.EPIPE, errno.EINVAL):  # Windows reports EINVAL
                raise StdoutFailed(
                    f"standard output could not be written: {error.strerror}"
                ) from None
        if self.stdout_is_tty:
            self._redraw()

    def write_answer(self, data: bytes) -> None:
        """Write `data` to stdout, whole; raise OSError where that fails."""
        if self._stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        _write_all(self._stdout.buffer, data)

    def is_stdout(self, path: Path) -> bool:
        """Return whether `path` leads to standard output: by a name of it, or to the same pipe."""
        if descriptor_named(path) == _STDOUT:
            return True
        try:
            there, own = path.stat(), os.fstat(self._stdout.buffer.fileno() if self._stdout else -1)
        except (OSError, ValueError):
            return False
        return not stat.S_ISREG(own.st_mode) and os.path.samestat(there, own)

    def _abandon_stdout(self) -> None:
        _divert(sys.__stdout__, from_stream=self._stdout)
        self._stdout = None

    def note(self, text: str) -> None:
        """Say something on stderr, unless the user asked for quiet."""
        if not self.quiet:
            self.say(text)

    def warn(self, text: str) -> None:
        """Warn on stderr, unless the user asked for quiet."""
        if not self.quiet:
            self.say(text, label="warning", style="yellow")

    def debug(self, text: str) -> None:
        """Say on stderr what happens, where --debug asks for it."""
        if self.debugging:
            self.say(text, label="debug", style="dim")

    def say(self, text: str, *, label: str = "", style: str = "") -> None:
        """Write one cleaned line to stderr, behind a coloured label."""
        line = clean(self.redactor.redact(text))
        start = f"{self._styled(label + ':', style)} " if label else ""
        self._write_error(start + line)

    def draw(self, text: str) -> None:
        """Write a picture to stderr as it is: the one text that may hold escapes."""
        self._write_error(text)

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.coloured and style else text

    def _write_error(self, text: str) -> None:
        if self._print_above is not None:
            self._print_above(text)
        else:
            self._put(f"{text}\n")

    def _put(self, text: str) -> None:
        if self._stderr is None:
            return
        encoding = getattr(self._stderr, "encoding", None) or "utf-8"
        try:
            _write_all(self._stderr.buffer, text.encode(encoding, "backslashreplace"))
        except OSError:
            # Nobody listens any more; the exit code still speaks.
            _divert(sys.__stderr__, from_stream=self._stderr)
            self._stderr = None

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show a spinner with `text` and the time elapsed, where a person is watching."""
        with self.live(elapsed=True) as show:
            show(text)
            yield

    @contextmanager
    def live(self, *, elapsed: bool = False) -> Iterator[Callable[[str], None]]:
        """Yield what shows a text in one changing line, where a person is watching.

        What is said meanwhile stands above it. `elapsed`: behind it is how long it has been there.
        """
        if self.quiet or not self.stderr_is_tty:
            yield lambda _: None
            return
        from nscale_cli.terminal.live import LiveLine

        line = LiveLine(self._put, coloured=self.coloured, elapsed=elapsed)

        def show(text: str) -> None:
            line.show(clean(self.redactor.redact(text)))
            self._print_above, self._redraw = line.print_above, line.redraw

        try:
            yield show
        finally:
            self._print_above, self._redraw = None, lambda: None
            line.stop()


def descriptor_named(path: Path) -> int | None:
    """Return the open file of this process that `path` is a name of (/dev/stdout, /dev/fd/63)."""
    directories = {os.path.realpath(name) for name in ("/dev/fd", "/proc/self/fd")}
    try:
        for _ in range(_MAX_LINKS):
            directory = os.path.realpath(path.parent)
            if directory in directories and path.name.isdecimal():
                return int(path.name)
            path = Path(directory, path.readlink())
    except (OSError, ValueError):
        pass  # it is no link
    return None


def is_terminal(path: Path) -> bool:
    """Return whether a person would see what is written to `path`."""
    flags = os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not stat.S_ISCHR(path.stat().st_mode):
            return False
        descriptor = os.open(path, flags)
    except (OSError, ValueError):
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _write_all(buffer: BinaryIO, data: bytes) -> None:
    """Write `data` to the last byte, also into what was set not to wait for its reader."""
    try:
        descriptor = buffer.fileno()
    except (OSError, ValueError):
        descriptor = None
    if descriptor is None or sys.platform == "win32":  # where a console takes text of its own kind
        buffer.write(data)
        buffer.flush()
        return
    buffer.flush()
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [], SLICE_SECONDS)  # in which signals are heeded


def _divert(standard: TextIO | None, *, from_stream: Stream | None) -> None:
    """Send what is left in a broken standard stream nowhere.

    The interpreter flushes it at exit, and would end with an exit code of its own.
    """
    if standard is None or standard is not from_stream:
        return
    with suppress(OSError):  # the exit code is all that is lost then
        os.dup2(os.open(os.devnull, os.O_WRONLY), standard.fileno())

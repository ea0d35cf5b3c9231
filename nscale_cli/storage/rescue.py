"""What was paid for, on its way to the disk: at its own place, or at the next that takes it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from mmap import mmap
from pathlib import Path

from nscale_cli.errors import NotSaved
from nscale_cli.storage.files import PartFile
from nscale_cli.values import frozen

# Of one file: its bytes are on a disk as well, which may fail before the last of them came.
MAX_HELD_BYTES = 2 * 1024 * 1024


@frozen
class Saved:
    """Where a file is; `failure` is why that is not the place it was meant for."""

    path: Path
    failure: Exception | None = None


class PaidFile:
    """Bytes that were paid for: taken in pieces, and put where they stay, whatever fails.

    They are written as they come, into `directory`, or where there is none, or it fails, into the
    first of the rescue directories that takes them. With `in_memory` they wait for `deliver`. A
    whole copy is removed only once a better one is safe.
    """

    def __init__(
        self,
        directory: Path | None,
        env: Mapping[str, str],
        *,
        in_memory: bool = False,
        label: str = "",
    ) -> None:
        """Begin; nothing is on the disk yet. `label` tells whose it is if the program is killed."""
        self.byte_count = 0
        self._digest = hashlib.sha256()
        self._own, self._in_memory, self._label = directory, in_memory, label
        self._places = _places(directory, env)
        self._part: PartFile | None = None
        self._held: list[bytes | bytearray] | None = []
        self._failures: list[Exception] = []
        self._whole_copies: list[PartFile] = []

    @property
    def sha256(self) -> str:
        """The digest of all that has come, in hexadecimal digits."""
        return self._digest.hexdigest()

    def write(self, piece: bytes | bytearray) -> None:
        """Take one more piece. Where no place takes it, that is said in the end."""
        if not self._in_memory and (self._part is not None or not self.byte_count):
            try:
                self._current().write(piece)
            except (OSError, MemoryError) as failure:
                self._move(failure, piece)
        self._digest.update(piece)
        self.byte_count += len(piece)
        if self._held is not None:
            self._held.append(piece)
        if self.byte_count > MAX_HELD_BYTES and self._part is not None:
            self._held = None

    @property
    def is_lost(self) -> bool:
        """Whether no place took it, and it is too large to be in memory; `publish` will say so."""
        return self._part is None and self._held is None

    def view(self) -> bytes | bytearray | mmap:
        """Return all that has come, without a copy of it where that can be had."""
        if self._held is not None:
            return self._held[0] if len(self._held) == 1 else b"".join(self._held)
        assert self._part is not None
        with suppress(OSError, ValueError):
            return self._part.mapped()
        return b"".join(self._part.read())

    def pieces(self) -> Iterator[bytes | bytearray]:
        """Yield all that has come."""
        if self._held is not None:
            yield from self._held
        elif self._part is not None:
            yield from self._part.read()

    def deliver(self, write: Callable[[Iterable[bytes | bytearray]], None]) -> bool:
        """Hand over what waits in memory; return whether that went well. If not, `publish` it."""
        try:
            write(self.pieces())
        except (OSError, MemoryError) as failure:
            self._failures.append(failure)
            return False
        return True

    def publish(
        self,
        wanted: Path,
        *,
        replace: bool = False,
        numbered: bool = True,
        warn: Callable[[str], None] = lambda _: None,
    ) -> Saved:
        """Give the file its name; raise NotSaved where no place took it.

        In a rescue directory it never replaces anything. Where nothing but an unsynced or unnamed
        copy is left, that is the answer.
        """
        while self._part is not None or self._in_memory or not self._failures:
            self._in_memory = False
            rescued = self._own is None or bool(self._failures)
            try:
                part = self._current()
                part.complete()
                path = part.path.with_name(wanted.name) if rescued else self._made(wanted)
                path = part.publish(
                    path,
                    replace=replace and not rescued,
                    numbered=numbered or rescued,
                    warn=warn,
                )
            except (OSError, MemoryError) as failure:
                self._move(failure)
                continue
            for copy in self._whole_copies:
                copy.discard()
            self._held = None  # from now on it is read from where it is
            return Saved(path=path, failure=self._failures[0] if self._failures else None)
        return self._last_resort(wanted.name)

    def _made(self, path: Path) -> Path:
        """Return `path` with its directory, where that is only known now.

        One that was there and is gone was taken away; it is not made again behind its owner's back.
        """
        if path.parent != self._own:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def leave(self) -> Path | None:
        """Return where it is if it is whole and has no name yet: there it stays. Any thread may.

        For who cannot wait until it has its name; it may still get that, too.
        """
        part = self._part
        return part.leave() if part is not None and part.is_whole else None

    def discard(self) -> None:
        """Remove it: it is of no use any more."""
        for part in (*self._whole_copies, self._part):
            if part is not None:
                part.discard()
        self._part, self._held = None, []

    def _current(self) -> PartFile:
        if self._part is None:
            self._part = self._begun_in(next(self._places), self.pieces())
        return self._part

    def _move(self, failure: Exception, piece: bytes | bytearray = b"") -> None:
        """Go on in the next place that takes what has come so far, and `piece`."""
        self._failures.append(failure)
        if self._part is not None and not self._part.is_whole and self._held is not None:
            self._part.discard()  # all of it is in memory, and the disk may be full of it
            self._part = None
        old = self._part
        for place in self._places:
            try:
                self._part = self._begun_in(place, self.pieces())
                self._part.write(piece)
                break
            except (OSError, MemoryError) as further:
                self._failures.append(further)
                if self._part is not old and self._part is not None:
                    self._part.discard()
                self._part = old
        else:
            self._part = None
        if old is not None and old.is_whole:
            self._whole_copies.append(old)
        elif old is not None:
            old.discard()

    def _begun_in(self, place: Path, pieces: Iterable[bytes | bytearray]) -> PartFile:
        """Return a file in `place` that holds `pieces`; raise OSError if they are not what came."""
        if place != self._own:
            place.mkdir(parents=True, exist_ok=True)
        copied = hashlib.sha256()
        part = PartFile(place, label=self._label)
        try:
            for piece in pieces:
                part.write(piece)
                copied.update(piece)
            if copied.digest() != self._digest.digest():
                raise OSError(None, "the disk gave other bytes back than it took")
        except BaseException:
            part.discard()
            raise
        return part

    def _last_resort(self, name: str) -> Saved:
        if not self._whole_copies:
            raise NotSaved(
                f"{name} was received and paid for, but could not be saved anywhere",
                hint="free some disk space; ask the service whether the image can be fetched again",
            )
        first, *others = self._whole_copies
        path = first.leave()
        for copy in others:
            copy.discard()
        return Saved(path=path, failure=self._failures[0])


def _places(directory: Path | None, env: Mapping[str, str]) -> Iterator[Path]:
    if directory is not None:
        yield directory
    yield from _rescue_directories(env)


def _rescue_directories(env: Mapping[str, str]) -> Iterator[Path]:
    state = env.get("XDG_STATE_HOME") or env.get("LOCALAPPDATA")
    home = env.get("HOME") or env.get("USERPROFILE")
    if state and Path(state).is_absolute():
        yield Path(state) / "nscale" / "rescued"
    elif home and Path(home).is_absolute():
        yield Path(home) / ".local" / "state" / "nscale" / "rescued"
    with suppress(OSError):
        yield Path.cwd()
    # Not tempfile.gettempdir(): on a full disk it finds no folder, and raises.
    for text in (*(env.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")), "/var/tmp", "/tmp"):
        if Path(text).is_absolute():
            yield Path(text)

"""One image of a reply from its first byte to its file; and whatever else is kept."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from mmap import mmap
from pathlib import Path

from nscale_cli.errors import Incomplete, NotSaved, NscaleError, SavedElsewhere
from nscale_cli.jobs.job import Job
from nscale_cli.redact import Redactor
from nscale_cli.request import SavedImage, Size
from nscale_cli.service.decode import flaw_of, sniff
from nscale_cli.storage.devices import goes_to_device, write_device
from nscale_cli.storage.files import remove_quietly
from nscale_cli.storage.imaging import convert
from nscale_cli.storage.names import EXTENSIONS, slug
from nscale_cli.storage.rescue import PaidFile
from nscale_cli.values import frozen

MAX_IMAGE_BYTES = 256 * 1024 * 1024
_SEAM_BYTES = 64 * 1024  # longer than any form of a key
_REDACTED_BYTES = 1024 * 1024  # at a time

NOT_KEPT = "it could not be kept anywhere"

Pieces = Iterable[bytes | bytearray]


@frozen
class Store:
    """Where the images of a run go besides their own places, and who is told.

    `write_answer` writes to standard output, and raises OSError. `fetch_urls`: images that came as
    addresses are fetched. `kept` has for each job the files that are no image.
    """

    env: Mapping[str, str]
    redactor: Redactor
    write_answer: Callable[[bytes], None]
    warn: Callable[[str], None] = lambda _: None
    fetch_urls: bool = False
    kept: dict[str, list[Path]] = field(default_factory=dict)

    def take_kept(self, job: Job) -> tuple[Path, ...]:
        """Return what was kept of a job since this was asked last."""
        return tuple(dict.fromkeys(self.kept.pop(job.id, ())))


@frozen
class Outcome:
    """What came of one item: an image on disk or on its way there, or the reason why there is none.

    `errors` are failures of the place it was meant for. `hint` is what to do about the reason.
    """

    image: SavedImage | None = None
    errors: tuple[NscaleError, ...] = ()
    flaw: str | None = None
    hint: str | None = None


class IncomingImage:
    """The image of item `index`, counted from 1, of a job: written as it comes, and then named.

    `again`: an earlier attempt at the job may have left images under its names.
    """

    def __init__(self, index: int, job: Job, store: Store, *, again: bool = False) -> None:
        self.index = index
        self._job, self._store, self._target = job, store, job.target
        self._is_surplus = index > job.request.count
        target = None if job.target is None or goes_to_device(job.target) else job.target
        self._direct = target is None
        self._numbered = (
            self._is_surplus or target is None or not target.exact or (again and target.several)
        )
        self._directory = target.known_directory(index) if target else None
        label = f"{job.label}.{index}" if job.label else ""
        self._file = PaidFile(self._directory, store.env, in_memory=self._direct, label=label)
        self._place: Path | None = None  # where the bytes are under a name, as they came
        self._format: str | None = None  # once it is known
        self._size: Size | None = None

    def write(self, piece: bytes) -> None:
        """Take some of its bytes."""
        self._file.write(piece)

    def pieces(self) -> Pieces | None:
        """Return the bytes as they came; None where they are not on the disk as they came."""
        if self._place is None:
            return self._file.pieces()
        if _digest_of(self._place) != self._file.sha256:
            return None
        return _read(self._place)

    def discard(self) -> None:
        """Forget it."""
        self._file.discard()

    def save(self) -> Outcome:
        """Give it its name, now that all of it is here."""
        try:
            if self._file.is_lost:
                self._file.publish(Path(f"image {self.index}"))
            image_format, size, flaw = self._looked_at()
            if image_format is None or flaw is not None:
                return self._kept(flaw or "")
            self._format, self._size = image_format, size
            if self._target is None or self._direct:
                return self._delivered(image_format, size)
            wanted = self._target.path(
                index=self.index, image_format=image_format, sha256=self._file.sha256
            )
            if self._target.format in (None, image_format):
                return self._named(self._file, wanted, image_format, size, numbered=self._numbered)
            return self._converted(self._target.format, wanted, image_format, size)
        except NotSaved as error:
            return Outcome(errors=(error,))

    def leave(self) -> SavedImage | None:
        """Return the image where it is whole and has no name yet; any thread may ask."""
        path = self._file.leave() if self._format is not None else None
        if path is None or self._format is None:
            return None
        return _saved(self._file, path, self._format, self._size)

    def _looked_at(self) -> tuple[str | None, Size | None, str | None]:
        """Return the format, the size, and what is wrong with it."""
        if self._file.byte_count > MAX_IMAGE_BYTES:
            return None, None, f"it is larger than {MAX_IMAGE_BYTES >> 20} MiB"
        view = self._file.view()
        try:
            image_format, size = sniff(view)
            return image_format, size, flaw_of(view, image_format)
        finally:
            if isinstance(view, mmap):
                view.close()

    def _kept(self, flaw: str) -> Outcome:
        try:
            self._place = keep(self._file.pieces(), ".bin", self._job, self._store)
        except NotSaved:
            return Outcome(flaw=f"{flaw}; {NOT_KEPT}")
        self._file.discard()
        return Outcome(flaw=f"{flaw}; it is kept at {self._place}")

    def _named(
        self, file: PaidFile, wanted: Path, image_format: str, size: Size | None, *, numbered: bool
    ) -> Outcome:
        """Publish a file, and say in an error where it had to go elsewhere."""
        saved = file.publish(
            wanted,
            replace=self._job.force and not numbered,
            numbered=numbered,
            warn=self._store.warn,
        )
        if file is self._file:
            self._place = saved.path
        image = _saved(file, saved.path, image_format, size)
        if saved.failure is None:
            return Outcome(image=image)
        place = "standard output" if self._target is None else str(wanted)
        return Outcome(image=image, errors=(_elsewhere(place, saved.failure, saved.path),))

    def _delivered(self, image_format: str, size: Size | None) -> Outcome:
        """Write to standard output, or to the device that the user named."""
        if self._target is None:
            name = Path(f"{slug(self._job.request.prompt)}.{EXTENSIONS[image_format]}")
        else:
            name = self._target.path(index=1, image_format=image_format, sha256="")
        if not self._file.deliver(lambda pieces: self._hand_over(pieces, name)):
            return self._named(self._file, name, image_format, size, numbered=True)
        place = name if self._target else None
        return Outcome(image=_saved(self._file, place, image_format, size))

    def _hand_over(self, pieces: Pieces, device: Path) -> None:
        if self._is_surplus:
            raise OSError(None, "more images came than were asked for")
        if self._target is None:
            self._store.write_answer(b"".join(pieces))
        else:
            write_device(pieces, device)

    def _converted(
        self, wanted_format: str, wanted: Path, image_format: str, size: Size | None
    ) -> Outcome:
        # What was paid for is on disk before anything tries to understand it.
        data = b"".join(self._file.pieces())
        original = self._original(wanted, image_format, size)
        place = original.image.path if original.image else None
        as_it_came = f"; saved as it came: {place}" if place else ""
        try:
            converted = PaidFile(self._directory, self._store.env)
            converted.write(convert(data, wanted_format))
        except Incomplete as error:
            said = Incomplete(f"image {self.index}: {error.message}{as_it_came}")
            return Outcome(image=original.image, errors=(*original.errors, said))
        try:
            outcome = self._named(converted, wanted, wanted_format, size, numbered=self._numbered)
        except NotSaved as error:
            if place is None:
                return Outcome(errors=(*original.errors, error))
            lost = SavedElsewhere(f"{wanted}: it could not be saved anywhere{as_it_came}")
            return Outcome(image=original.image, errors=(*original.errors, lost))
        if place is not None:
            self._remove(place)
        return outcome

    def _original(self, wanted: Path, image_format: str, size: Size | None) -> Outcome:
        """Save the image as it came, under a name beside the one that was asked for."""
        beside = wanted.with_suffix("." + EXTENSIONS[image_format])
        try:
            return self._named(self._file, beside, image_format, size, numbered=True)
        except NotSaved as error:
            return Outcome(errors=(error,))

    def _remove(self, original: Path) -> None:
        remove_quietly(original)
        if original.exists():
            self._store.warn(f"{original}, the image before its conversion, could not be removed")


def _saved(file: PaidFile, path: Path | None, image_format: str, size: Size | None) -> SavedImage:
    return SavedImage(
        path=path,
        format=image_format,
        size=size,
        byte_count=file.byte_count,
        sha256=file.sha256,
    )


class KeptFile:
    """What is no image: kept beside the images, as it came but for the key."""

    def __init__(self, job: Job, store: Store) -> None:
        self._job, self._store = job, store
        self._directory = job.target.directory if job.target else None
        self._file = PaidFile(self._directory, store.env)
        self._waiting = bytearray()  # in which a secret may lie that has not ended

    def write(self, piece: bytes | bytearray) -> None:
        """Take a piece."""
        for start in range(0, len(piece), _REDACTED_BYTES):
            self._waiting += piece[start : start + _REDACTED_BYTES]
            if len(self._waiting) >= _REDACTED_BYTES:
                seam = self._seam()
                self._file.write(self._store.redactor.redact_bytes(self._waiting[:seam]))
                del self._waiting[:seam]

    def publish(self, ending: str) -> Path:
        """Return where it is kept; raise NotSaved where no place takes it."""
        self._file.write(self._store.redactor.redact_bytes(self._waiting))
        name = slug(self._job.request.prompt) + ending
        path = (self._directory or Path()) / name
        published = self._file.publish(path, warn=self._store.warn).path
        self._store.kept.setdefault(self._job.id, []).append(published)
        return published

    def _seam(self) -> int:
        """Return the last place at which no secret is cut in two; 0 where there is none."""
        for seam in range(len(self._waiting) - _SEAM_BYTES, 0, -_SEAM_BYTES):
            around = self._waiting[max(0, seam - _SEAM_BYTES) : seam + _SEAM_BYTES]
            if self._store.redactor.redact_bytes(around) == around:
                return seam
        return 0


def keep(pieces: Pieces, ending: str, job: Job, store: Store) -> Path:
    """Keep what is no image and return where it is; raise NotSaved where no place takes it."""
    file = KeptFile(job, store)
    for piece in pieces:
        file.write(piece)
    return file.publish(ending)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_REDACTED_BYTES), b"")


def _digest_of(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        for piece in _read(path):
            digest.update(piece)
    except OSError:  # somebody has moved it meanwhile
        return None
    return digest.hexdigest()


def _elsewhere(place: str, failure: Exception, path: Path) -> SavedElsewhere:
    reason = getattr(failure, "strerror", None) or "it could not be written"
    return SavedElsewhere(f"{place}: {reason}; the image is at {path}")

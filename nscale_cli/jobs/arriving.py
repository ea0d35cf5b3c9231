"""The images of a reply, saved one after the other while it arrives."""

from nscale_cli.jobs.job import Job
from nscale_cli.jobs.save import IncomingImage, KeptFile, Outcome, Pieces, Store
from nscale_cli.request import SavedImage


class ArrivingImages:
    """The images of a reply, saved one after the other while it arrives."""

    def __init__(self, job: Job, store: Store, *, again: bool) -> None:
        """Begin with none. `again`: an earlier attempt may have left images under their names."""
        self.outcomes: list[tuple[int, Outcome]] = []
        self._job, self._store, self._again = job, store, again
        self._images: list[IncomingImage] = []
        self._arriving = False
        self.aside: KeptFile | None = None

    @property
    def saved(self) -> tuple[SavedImage, ...]:
        """Those that are on disk, in their order."""
        ordered = sorted(self.outcomes, key=lambda entry: entry[0])
        return tuple(outcome.image for _, outcome in ordered if outcome.image is not None)

    @property
    def are_enough(self) -> bool:
        """Whether all that was asked for is saved, and nothing else begun."""
        return len(self.saved) >= self._job.request.count and not self._arriving

    def begin(self, index: int) -> None:
        """Begin the image that is the reply's `index`th item, from 1."""
        self._images.append(self._image(index))
        self._arriving = True

    def add(self, piece: bytes) -> None:
        """Write the next bytes of the image that is arriving."""
        self._images[-1].write(piece)

    def end(self) -> None:
        """Save the image, which is whole."""
        image = self._images[-1]
        self.outcomes.append((image.index, image.save()))
        self._arriving = False

    def take_back(self) -> bytes:
        """Forget the image that is arriving, and return what came of it."""
        image = self._images.pop()
        self._arriving = False
        data = b"".join(image.pieces() or ())
        image.discard()
        return data

    def set_aside(self, text: bytes) -> None:
        """Keep some of the reply that is no image."""
        if self.aside is None:
            self.aside = KeptFile(self._job, self._store)
        self.aside.write(text)

    def pieces_of(self, number: int) -> Pieces | None:
        """Return the bytes of the image that began as the `number`th, from 0, as they came."""
        return self._images[number].pieces()

    def save_late(self, index: int, data: bytes) -> None:
        """Save an image that did not arrive as plain base64."""
        image = self._image(index)
        image.write(data)
        self.outcomes.append((index, image.save()))

    def without_name(self) -> tuple[SavedImage, ...]:
        """Return an image that is whole on a disk that stands still; any thread may ask."""
        image = self._images[-1].leave() if self._images and self._arriving else None
        return () if image is None else (image,)

    def drop_arriving(self) -> None:
        """Forget an image that will not be whole any more."""
        if self._arriving:
            self._arriving = False
            self._images.pop().discard()

    def _image(self, index: int) -> IncomingImage:
        return IncomingImage(index, self._job, self._store, again=self._again)

"""`--metadata`: marks for images that are safe on the disk already, or a file beside them."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from nscale_cli.connection import Connection
from nscale_cli.redact import Redactor, excerpt
from nscale_cli.request import ImageRequest, SavedImage
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.metadata.blocks import CannotHold
from nscale_cli.storage.metadata.marks import SIDECAR_SUFFIX, Origin, embedded, sidecar
from nscale_cli.storage.metadata.readers import read_sidecar
from nscale_cli.storage.names import text_of
from nscale_cli.storage.replace import replace_whole
from nscale_cli.values import frozen

MAX_IMAGE_BYTES = 256 * 1024 * 1024
_MAX_SIDECAR_BYTES = 8 * 1024 * 1024


@frozen
class Marker:
    """Marks what one service made, as `mode` says; `warn` is told what could not be done.

    An image is never lost to it: its file is replaced by the marked one at one instant, or stays.
    """

    mode: str
    connection: Connection
    redactor: Redactor
    warn: Callable[[str], None]

    def mark(self, image: SavedImage, request: ImageRequest, now: datetime) -> SavedImage:
        """Return the image as it is on the disk afterwards."""
        if image.path is None:
            return image
        try:
            return self._marked(image, image.path, self._origin(request, now))
        except Exception as error:  # a full disk, or a bug: the image is there all the same
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            self.warn(f"{_name(image.path)} carries no metadata: {excerpt(reason)}")
            return image

    def _origin(self, request: ImageRequest, now: datetime) -> Origin:
        body = json.loads(self.redactor.redact(json.dumps(request.body)))
        return Origin(body=body, host=self.connection.host, created_at=now)

    def _marked(self, image: SavedImage, path: Path, origin: Origin) -> SavedImage:
        data = read_bounded(path, MAX_IMAGE_BYTES)
        if len(data) > MAX_IMAGE_BYTES:
            raise OSError(None, "it is too large")
        if self.mode == "sidecar":
            self._put_beside(path, data, origin)
            return image
        try:
            marked = embedded(data, origin, self.mode)
        except CannotHold as reason:
            written = self._put_beside(path, data, origin)
            if written:
                self.warn(f"{_name(path)} is left as it came: {reason}; see {_name(written)}")
            return image
        replace_whole(path, marked)
        return replace(
            image,
            byte_count=len(marked),
            sha256=sha256(marked).hexdigest(),
            original_sha256=image.sha256,
        )

    def _put_beside(self, path: Path, data: bytes, origin: Origin) -> Path | None:
        """Write the file that goes beside the image, unless somebody else's has its name."""
        place = path.with_name(path.name + SIDECAR_SUFFIX)
        with suppress(FileNotFoundError):
            if read_sidecar(read_bounded(place, _MAX_SIDECAR_BYTES)) is None:
                self.warn(f"{_name(place)} is not nscale's: the metadata were not written")
                return None
        replace_whole(place, sidecar(data, origin, with_request=self.mode != "mark"))
        return place


def _name(path: Path) -> str:
    return text_of(Path(path.name))

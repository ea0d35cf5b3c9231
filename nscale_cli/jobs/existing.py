"""`--skip-existing`: the images that a run would make, where they are there already."""

import hashlib
import os
import string
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import SavedImage
from nscale_cli.service.decode import sniff
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.names import EXTENSIONS, Target, candidates, text_of

# What differs from one run to the next of the same command, or is known only afterwards.
_FLEETING = ("hash", "time")
_MAX_IMAGE_BYTES = 1024 * 1024 * 1024


def existing_images(target: Target, count: int) -> tuple[SavedImage, ...]:
    """Return the images under the names that `count` new ones would get, or none at all.

    Raises UsageError where only some are there, and for names by which nobody could tell.
    """
    _require_lasting(target)
    found = [next(filter(os.path.lexists, names), None) for names in _names(target, count)]
    paths = [path for path in found if path is not None]
    if paths and len(paths) < count:
        missing = count - len(paths)
        raise UsageError(
            f"{len(paths)} of {count} images are there already: "
            f"{', '.join(excerpt(text_of(path), 200) for path in paths)}; nothing was sent",
            hint=f"make the rest under other names: leave --skip-existing out, with -n {missing}",
        )
    return tuple(_image_at(path) for path in paths)


def _require_lasting(target: Target) -> None:
    fields = {field for _, field, _, _ in string.Formatter().parse(target.template) if field}
    for field in _FLEETING:
        if field in fields:
            raise UsageError(
                f"--skip-existing cannot tell by a name with {{{field}}} whether it is there",
                hint=f"leave {{{field}}} out of -o",
            )


def _names(target: Target, count: int) -> Iterator[list[Path]]:
    """Yield the names that each image may have, in each format that it may come in."""
    times: Counter[Path] = Counter()
    for index in range(1, count + 1):
        wanted = {
            target.path(index=index, image_format=image_format, sha256="")
            for image_format in EXTENSIONS
        }
        yield [next(islice(candidates(path), times[path], None)) for path in wanted]
        times.update(wanted)


def _image_at(path: Path) -> SavedImage:
    """Return what is known of a file; raise UsageError where it cannot be read."""
    try:
        data = read_bounded(path, _MAX_IMAGE_BYTES)
    except OSError as error:
        raise UsageError(
            f"{excerpt(text_of(path))} cannot be read: {error.strerror}; nothing was sent"
        ) from None
    image_format, size = sniff(data)
    return SavedImage(
        path=path,
        format=image_format or "unknown",
        size=size,
        byte_count=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )

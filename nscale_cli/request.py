"""The values that travel through the program: what is asked for, what came, what was saved."""

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType

from nscale_cli.errors import UsageError
from nscale_cli.values import frozen

_SIZE = re.compile(r"([1-9][0-9]{0,4})[xX]([1-9][0-9]{0,4})", re.ASCII)
_OWN_FIELDS = {"model": "-m", "n": "-n", "prompt": "PROMPT", "size": "-z"}


@frozen
class Size:
    """A picture's width and height in pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Read `WIDTHxHEIGHT`; raise UsageError for anything else."""
        match = _SIZE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text[:40]!r} is not a size",
                hint="write WIDTHxHEIGHT in pixels, such as 1024x1024",
            )
        return cls(width=int(match[1]), height=int(match[2]))

    @property
    def megapixels(self) -> float:
        """The area in millions of pixels, the unit in which images are priced."""
        return self.width * self.height / 1_000_000

    def __str__(self) -> str:
        """Write the size as the API does."""
        return f"{self.width}x{self.height}"


@frozen
class ImageRequest:
    """What the service is asked for. `params` are extra fields of the request body.

    `send_size` is False for a server that refuses the field.
    """

    prompt: str
    model: str
    size: Size
    count: int = 1
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    send_size: bool = True

    def __post_init__(self) -> None:
        """Refuse what no server could use, before it costs anything."""
        if not self.prompt.strip():
            raise UsageError(
                "the prompt is empty", hint='say what to draw: nscale images generate "A red fox"'
            )
        if not self.model.strip():
            raise UsageError("the model id is empty", hint="name one with -m")
        for text in (self.prompt, self.model):
            _require_unicode(text)
        if self.count < 1:
            raise UsageError("the number of images must be 1 or more")
        for name in self.params:
            _require_free_field(name)

    @property
    def body(self) -> dict[str, object]:
        """The JSON object of the request."""
        return {
            "model": self.model,
            "prompt": self.prompt,
            **({"size": str(self.size)} if self.send_size else {}),
            "n": self.count,
            **self.params,
        }


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the prompt or the model id is not valid UTF-8 text",
            hint="save the text as UTF-8, or set a UTF-8 locale",
        ) from None


def _require_free_field(name: str) -> None:
    if name in _OWN_FIELDS:
        raise UsageError(f"--param cannot set {name!r}", hint=f"use {_OWN_FIELDS[name]}")
    if name == "stream":
        raise UsageError(
            "--param cannot set 'stream'", hint="leave it out: images are read from a whole reply"
        )


@frozen
class SavedImage:
    """One image on disk. `path` is absolute, or None where the bytes went to standard output.

    `format` is read from the bytes: png, jpeg or webp. `original_sha256` is of the image before
    metadata were added, where they were.
    """

    path: Path | None
    format: str
    size: Size | None
    byte_count: int
    sha256: str
    original_sha256: str | None = None

"""What is kept of a reply whose images were handed on: to be understood, or put together again."""

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nscale_cli.service.decode import items_in, parse_json

MAX_TOKENS = 1_000_000  # of a document: one with more is no list of images
HANDED_ON = object()  # stands for an item whose image has been handed on
_NAME_LETTERS = 24
_YIELDED_BYTES = 1024 * 1024
_NOTE = b"(this image has been saved)"


@dataclass(slots=True)
class Span:
    """Base64 in a reply: from `start` to `end` of the text, or at `start` where it is not kept.

    `tail` are its last letters as they came, of which `tail_bytes` bytes were made.
    """

    start: int
    end: int
    tail: bytes = b""
    tail_bytes: int = 0


class ReplyText:
    """All of a reply but the images that were handed on, and where those were."""

    def __init__(self) -> None:
        self.text = bytearray()
        self.spans: list[Span] = []

    def items(self, stop: int, closers: bytes) -> list[object] | None:
        """Return the items of the document that ends at `stop`, if `closers` follow there.

        HANDED_ON stands for those that were; None where there is no document.
        """
        names = [os.urandom(_NAME_LETTERS // 2).hex() for _ in self.spans]
        text, before = bytearray(), 0
        for span, name in zip(self.spans, names, strict=True):
            text += memoryview(self.text)[before : span.start]
            text += name.encode()
            before = span.end
        text += memoryview(self.text)[before:stop]
        text += closers
        if sum(text.count(sign) for sign in (b"[", b"{", b",")) > MAX_TOKENS:
            return None
        document = parse_json(bytes(text))
        items = items_in(document) if isinstance(document, dict) else None
        return items and [_without(item, set(names)) for item in items]

    def rebuilt(
        self, pieces_of: Callable[[int], Iterable[bytes | bytearray] | None]
    ) -> Iterator[bytes]:
        """Yield the reply as it came; `pieces_of` gives the bytes of each image, if they are there.

        Of one whose bytes are not there any more, a note stands in its place.
        """
        before = 0
        for number, span in enumerate(self.spans):
            yield from self._kept(before, span.start)
            before = span.start
            if span.start < span.end:
                continue
            data = pieces_of(number)
            if data is None:
                yield _NOTE
            else:
                yield from _encoded(data, span.tail_bytes)
                yield span.tail
        yield from self._kept(before, len(self.text))

    def _kept(self, start: int, end: int) -> Iterator[bytes]:
        for begin in range(start, end, _YIELDED_BYTES):
            yield bytes(self.text[begin : min(end, begin + _YIELDED_BYTES)])


def _without(item: object, names: set[str]) -> object:
    text = item.get("b64_json") if isinstance(item, dict) else None
    # A prefix may stand before the name.
    return HANDED_ON if isinstance(text, str) and text[-_NAME_LETTERS:] in names else item


def _encoded(pieces: Iterable[bytes | bytearray], tail_bytes: int) -> Iterator[bytes]:
    """Yield `pieces` in base64, but for the last `tail_bytes`."""
    rest = b""
    for piece in pieces:
        rest += piece
        usable = max(0, len(rest) - tail_bytes) // 3 * 3
        yield base64.b64encode(rest[:usable])
        rest = rest[usable:]

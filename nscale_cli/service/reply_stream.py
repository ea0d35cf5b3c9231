"""A reply with images, taken apart in one pass while it arrives.

The base64 of each `data[*].b64_json` is decoded in pieces and handed on; all else is kept as text.
With both, the reply can be put together again byte for byte, and a reply of any size needs the
memory of a piece. A text that is unusual (line breaks, escapes, another alphabet) waits in memory
until it is whole. Nothing here touches a disk.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from nscale_cli.errors import ServiceFailed
from nscale_cli.service.decode import DATA_PREFIX, decode_base64, decode_plain
from nscale_cli.service.reply_place import Place
from nscale_cli.service.reply_text import MAX_TOKENS, ReplyText, Span

MAX_TEXT_BYTES = 128 * 1024 * 1024  # of what is no image, and waits in memory
MAX_REPLY_BYTES = 2 * 1024 * 1024 * 1024
_SCAN_BYTES = 4096  # of text at a time: most of what follows may be an image
_OPENING_BYTES = 300  # of base64, in which a prefix would show
_UNUSUAL_OPENINGS = b"dD \t\r\n\\"
_TOKEN = re.compile(rb'[ \t\r\n]*+(?:([{}\[\],:"])|[^ \t\r\n{}\[\],:"]++)')
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BLANK = b" \t\r\n\xef\xbb\xbf"  # the last three are a byte order mark
_FIRST_BYTES = 4
_LENIENT = json.JSONDecoder(strict=False)  # line breaks in a string


class Receiver(Protocol):
    """What is told of the images in a reply, in order, as their bytes arrive."""

    def begin(self, index: int) -> None:
        """Expect the bytes of item `index`, counted from 1."""

    def add(self, piece: bytes) -> None:
        """Take some of them."""

    def end(self) -> None:
        """All of them have come."""

    def take_back(self) -> bytes:
        """Forget the image that began last, and return what came of it: it comes again, whole."""

    def pieces_of(self, number: int) -> Iterable[bytes | bytearray] | None:
        """Return the bytes of the image that began as the `number`th, from 0, if they are there."""

    def set_aside(self, text: bytes) -> None:
        """Keep the reply as it comes: there are more items than are read."""


class ReplyStream:
    """One reply. Of its items, `max_items` are read; if there are more, all of it is set aside.

    `ends_well`: the document is whole, and nothing follows it. `is_short`: not all was read.
    """

    def __init__(self, receiver: Receiver, *, max_items: int) -> None:
        self.byte_count = 0
        self.ends_well = self.is_short = False
        self._receiver, self._max_items = receiver, max_items
        self._kept = ReplyText()
        self._text = self._kept.text
        self._read: Callable[[bytes, int], int] = self._read_start
        self._place = Place()
        self._at = self._tokens = 0  # what of the text has been understood; in how many tokens
        self._string: int | None = None  # where a string began that has not ended
        self._is_dressed = False  # it is an image's, in another form than plain base64
        self._letters = b""  # of an image, a few that wait for the next ones
        self._in_image = False  # the last span has not ended

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; raise ServiceFailed where they are more than can be meant."""
        self.byte_count += len(chunk)
        self._take(chunk)
        if len(self._text) > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)
        if self.byte_count > MAX_REPLY_BYTES:
            raise too_large(MAX_REPLY_BYTES)

    def _take(self, chunk: bytes) -> None:
        position = 0
        while position < len(chunk):
            position = self._read(chunk, position)

    # Each way of reading takes some of a chunk, and returns where the rest begins.

    def _read_start(self, chunk: bytes, position: int) -> int:
        """Look for the first signs of a document; they hold no image yet."""
        if self._at == len(self._text):
            blank = chunk[position:].lstrip(_BLANK) if chunk[position] in _BLANK else None
            stop = position if blank is None else len(chunk) - len(blank)
            self._text += chunk[position:stop]
            self._at, position = len(self._text), stop
        stop = position + _FIRST_BYTES - (len(self._text) - self._at)
        self._text += chunk[position:stop]
        first = self._text[self._at :]
        if len(first) == _FIRST_BYTES:
            # UTF-16 and 32 have zeros here. Whatever it is, the whole of it may be understood. What
            # ends here has no image either, and what is behind it would be in an earlier chunk.
            plain = first[:1] == b"{" and not set(b"\0}]") & set(first)
            self._read = self._read_text if plain else self._read_on
        return stop

    def _read_text(self, chunk: bytes, position: int) -> int:
        self._text += chunk[position : position + _SCAN_BYTES]
        return self._understand(position + _SCAN_BYTES, len(chunk))

    def _read_on(self, chunk: bytes, position: int) -> int:
        """Keep what cannot be understood."""
        self._text += memoryview(chunk)[position:]
        return len(chunk)

    def _read_behind(self, chunk: bytes, position: int) -> int:
        """Keep what follows the document."""
        self.ends_well = self.ends_well and not chunk[position:].strip()
        return self._read_on(chunk, position)

    def _read_aside(self, chunk: bytes, position: int) -> int:
        self._receiver.set_aside(chunk[position:])
        return len(chunk)

    def _read_opening(self, chunk: bytes, position: int) -> int:
        """Look whether the first letters of an image are a prefix (`data:image/png;base64,`)."""
        if not self._letters and chunk[position] not in _UNUSUAL_OPENINGS:
            self._read = self._read_image
            return position
        quote = chunk.find(b'"', position, position + _OPENING_BYTES)
        stop = quote if quote >= 0 else min(len(chunk), position + _OPENING_BYTES)
        self._letters += chunk[position:stop]
        if quote >= 0 or len(self._letters) >= _OPENING_BYTES:
            letters, self._letters = self._letters, b""
            prefix = DATA_PREFIX.match(letters[:256].decode("latin-1"))
            length = prefix.end() if prefix else 0
            self._text += letters[:length]
            self._read = self._read_image
            self._take(letters[length:])
        return stop

    def _read_image(self, chunk: bytes, position: int) -> int:
        quote = chunk.find(b'"', position)
        stop = quote if quote >= 0 else len(chunk)
        letters = memoryview(chunk)[position:stop]
        if self._letters:
            letters = memoryview(self._letters + letters)
        # Some always wait: the last four may be padded, and not plain.
        usable = (len(letters) - 1) // 4 * 4 if letters else 0
        try:
            if usable:
                self._hand_on(decode_plain(letters[:usable]))
                letters = letters[usable:]
            self._letters = bytes(letters)
            if quote >= 0:
                self._end_image()
        except ValueError:
            self._read_as_text(bytes(letters))
            return stop
        return stop + 1 if quote >= 0 else stop

    def _hand_on(self, piece: bytes) -> None:
        if not self._in_image:
            self._kept.spans.append(Span(len(self._text), len(self._text)))
            self._in_image = True
            self._receiver.begin(self._place.item)
        self._receiver.add(piece)

    def _end_image(self) -> None:
        """Decode what waits and end the image; raise ValueError where it is none."""
        tail = decode_base64(self._letters.decode("ascii"))
        if tail:
            self._hand_on(tail)
        elif self._letters:
            raise ValueError("there is nothing in it")
        if self._in_image:
            self._kept.spans[-1].tail, self._kept.spans[-1].tail_bytes = self._letters, len(tail)
            self._receiver.end()
        self._letters, self._in_image = b"", False
        self._text += b'"'
        self._at = len(self._text)
        self._read = self._read_text

    def _read_as_text(self, letters: bytes) -> None:
        """Go back to the beginning of an image that is no plain base64, and keep it as text."""
        start, before = len(self._text), b""
        if self._in_image:
            before = base64.b64encode(self._receiver.take_back())
            self._kept.spans.pop()
        self._text += before + letters
        self._letters, self._in_image = b"", False
        self._string = self._at = start
        self._is_dressed = True
        self._read = self._read_text

    # What the text means.

    def _understand(self, position: int, chunk_length: int) -> int:
        """Walk through the text; what is to be read in another way goes back to the chunk."""
        self._walk()
        surplus = len(self._text) - self._at if self._read != self._read_text else 0
        del self._text[len(self._text) - surplus :]
        if self.is_short:
            for piece in self.rebuilt():
                self._receiver.set_aside(piece)
        return min(position, chunk_length) - surplus

    def _walk(self) -> None:
        """Go from token to token, as long as they are the document's text."""
        while self._at < len(self._text) and self._read == self._read_text:
            if self._string is not None:
                if not self._end_string(self._string):
                    return
                continue
            token = _TOKEN.match(self._text, self._at)
            self._at = token.end() if token else len(self._text)
            if token is not None:
                self._take_token(token[1], token.start())

    def _take_token(self, kind: bytes | None, start: int) -> None:
        place = self._place
        place.take(kind)
        self._tokens += 1
        if self._tokens > MAX_TOKENS:
            self._read = self._read_on
        elif place.item > self._max_items:
            self._at, self.is_short = start, True
            self._read = self._read_aside
        elif kind == b'"':
            if place.holds_image:
                self._read = self._read_opening
            else:
                self._string = self._at
        elif not place.depth:
            self.ends_well = True
            self._read = self._read_behind

    def _end_string(self, start: int) -> bool:
        """Go on to the end of a string; return whether it has come."""
        rest = _STRING_REST.match(self._text, self._at)
        assert rest is not None  # it may be empty
        self._at = end = rest.end()
        if self._text[end : end + 1] != b'"':
            return False
        self._at, self._string = end + 1, None
        if self._is_dressed:
            self._is_dressed = False
            self._hand_on_whole(start, end)
        elif self._place.at_key:
            self._place.name(bytes(self._text[start : min(end, start + 16)]))
        return True

    def _hand_on_whole(self, start: int, end: int) -> None:
        """Hand on an image that came in an unusual form; what is none stays text."""
        quoted = self._text[start - 1 : end + 1].decode(errors="replace")
        try:
            data = decode_base64(_LENIENT.decode(quoted))
        except ValueError:
            return
        if data:
            self._kept.spans.append(Span(start, end))
            self._receiver.begin(self._place.item)
            self._receiver.add(data)
            self._receiver.end()

    # What came of it.

    def items(self) -> list[object] | None:
        """Return the items that were read, HANDED_ON for those; None where there is no document.

        Where images were, an end that is missing (`]}`) is made up for, and what follows the end
        does not count.
        """
        found = bool(self._kept.spans)
        stop = self._at if found and not self._place.depth else len(self._text)
        closers = b"null]}" if self.is_short else self._place.closers if found else b""
        items = self._kept.items(stop, closers)
        return items and items[: self._max_items]

    def rebuilt(self) -> Iterator[bytes]:
        """Yield the reply as it came, as far as it was read.

        Of an image whose bytes are not there any more, a note stands in its place.
        """
        yield from self._kept.rebuilt(self._receiver.pieces_of)
        yield self._letters


def too_large(limit: int) -> ServiceFailed:
    """Return the error for a reply of more than `limit` bytes."""
    return ServiceFailed(
        f"the reply is larger than {limit >> 20} MiB; reading stopped",
        hint="ask for fewer or smaller images at once",
    )

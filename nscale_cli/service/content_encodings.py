"""HTTP content codings (RFC 9110, section 8.4), undone as the bytes arrive."""

import zlib
from collections.abc import Iterator
from contextlib import suppress

_MAX_PIECE_BYTES = 1024 * 1024
_KNOWN = ("gzip", "x-gzip", "deflate")
_GZIP_MAGIC = b"\x1f\x8b"


class _Layer:
    """One coding, gzip or zlib, whichever its first bytes say."""

    def __init__(self) -> None:
        self.is_true = True  # unless its first bytes show that nothing is packed
        self.unproven = b""  # what came until something could be unpacked
        self._proven = False
        self._packed = _packed()
        self._behind = b""

    @property
    def ended(self) -> bool:
        """Whether all that came belongs to streams that are whole."""
        return not self.is_true or (self._packed.eof and not self._behind)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to, in pieces of bounded size; raise zlib.error if it does not.

        A gzip file may have several members (RFC 1952, section 2.2), with zeros behind the last.
        """
        if not self._proven:
            self.unproven += data
        while data:
            if self._packed.eof:
                data = self._behind = (self._behind + data).lstrip(b"\0")
                if len(data) < len(_GZIP_MAGIC):
                    return
                if not data.startswith(_GZIP_MAGIC):
                    raise zlib.error("something else follows what was packed")
                self._packed, self._behind = _packed(), b""
            before = self._packed.copy()
            try:
                piece = self._packed.decompress(data, _MAX_PIECE_BYTES)
            except zlib.error:
                yield from self._what_precedes(before, data)
                raise
            data = self._packed.unconsumed_tail or self._packed.unused_data
            if piece:
                self._proven, self.unproven = True, b""
                yield piece

    def _what_precedes(self, packed: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to until it is damaged."""
        with suppress(zlib.error):
            for position in range(len(data)):
                piece = packed.decompress(data[position : position + 1])
                if piece:
                    self._proven, self.unproven = True, b""
                    yield piece

    def is_false(self) -> bool:
        """Give up where nothing has been unpacked yet, and return whether that is so."""
        self.is_true = self._proven
        return not self._proven


def _packed() -> "zlib._Decompress":
    return zlib.decompressobj(32 + zlib.MAX_WBITS)  # 32 more than the largest window: either format


class ContentDecoder:
    """The codings that a `Content-Encoding` header names, undone from the last to the first.

    `damaged`: what came cannot be unpacked to its end, and nothing more comes out. A coding that
    is only claimed, or not known, is left out.
    """

    def __init__(self, content_encodings: str) -> None:
        names = [name.strip() for name in content_encodings.lower().split(",")]
        self._layers = [_Layer() for name in reversed(names) if name in _KNOWN]
        self.damaged = False

    @property
    def packed(self) -> bool:
        """Whether what comes out is another thing than what went in."""
        return any(layer.is_true for layer in self._layers)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to."""
        if self.damaged:
            return
        try:
            yield from self._through(0, data)
        except zlib.error:
            self.damaged = True

    def _through(self, depth: int, data: bytes) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield data
            return
        layer = self._layers[depth]
        try:
            for piece in layer.feed(data) if layer.is_true else [data]:
                yield from self._through(depth + 1, piece)
        except zlib.error:
            if not layer.is_false():
                raise
            yield from self._through(depth + 1, layer.unproven)

    def finish(self) -> None:
        """Note where the end of what was packed is missing."""
        self.damaged = self.damaged or not all(layer.ended for layer in self._layers)


def decompress(body: bytearray, content_encodings: str, *, limit: int) -> bytearray:
    """Return `body` without its content codings, at most `limit` bytes of it.

    What cannot be unpacked (damaged, mislabelled, an unknown coding) is returned as it came.
    """
    decoder, whole = ContentDecoder(content_encodings), bytearray()
    if not decoder.packed:
        return body
    for piece in decoder.feed(bytes(body)):
        whole += piece
        if len(whole) >= limit:
            return whole[:limit]
    return body if decoder.damaged or not whole else whole

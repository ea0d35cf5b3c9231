"""The chunks of a PNG that hold text (PNG 3rd edition, sections 5 and 11.3.3)."""

import struct
import zlib
from collections.abc import Callable, Iterator

from nscale_cli.storage.metadata.blocks import (
    MAX_PARTS,
    MAX_TEXT_BYTES,
    XMP_KEYWORD,
    Blocks,
    CannotHold,
    require_free,
    unpacked,
)

PARAMETERS = "parameters"  # of the AUTOMATIC1111 web UI and the many that write as it does
_KEYWORDS = (XMP_KEYWORD, PARAMETERS, "prompt", "workflow")
_MAX_KEYWORD_BYTES = 80  # with the NUL behind it
_HEADER_END = 33  # the signature and IHDR, which always comes first
_SIGNATURE_BYTES = 8
_FRAME_BYTES = 12  # length, kind and checksum
Chunk = tuple[bytes, int, int]  # its kind, and where it starts and ends


def _chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks up to IEND; the last is another one where they do not add up."""
    position = _SIGNATURE_BYTES
    for _ in range(MAX_PARTS):
        length, kind = _head(data, position)
        end = position + _FRAME_BYTES + length
        if end > len(data):
            return
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end


def _head(data: bytes, position: int) -> tuple[int, bytes]:
    head = data[position : position + 8]
    return (int.from_bytes(head[:4]), head[4:]) if len(head) == 8 else (len(data), b"")


def read(data: bytes) -> Blocks:
    """Return what the chunks say, as far as they make sense. The first of a name counts."""
    texts: dict[str, str] = {}
    exif, credentials, last = None, False, b""
    for kind, start, end in _chunks(data):
        body = data[start + 8 : min(end - 4, start + 8 + MAX_TEXT_BYTES)]
        if kind in _TEXTS and (keyword := _keyword(body)) and keyword not in texts:
            texts[keyword] = _TEXTS[kind](body[len(keyword) + 1 :])
        elif kind == b"eXIf":
            exif = exif or body
        credentials |= kind == b"caBX"
        last = kind
    xmp = texts.pop(XMP_KEYWORD, None)
    return Blocks(
        texts=texts,
        xmp=None if xmp is None else xmp.encode(),
        exif=exif,
        credentials=credentials,
        whole=last == b"IEND",
    )


def _keyword(body: bytes) -> str | None:
    """Return the keyword of a text if it is one of those that matter."""
    name = body[:_MAX_KEYWORD_BYTES].partition(b"\0")[0].decode("latin-1")
    return name if name in _KEYWORDS else None


def _latin(text: bytes) -> str:
    return text.decode("latin-1")


def _packed(text: bytes) -> str:
    return unpacked(text[1:]).decode("latin-1")


def _international(text: bytes) -> str:
    body = text[2:].split(b"\0", 2)[-1]  # behind the language and the translated keyword
    return (unpacked(body) if text[:1] == b"\1" else body).decode(errors="replace")


_TEXTS: dict[bytes, Callable[[bytes], str]] = {
    b"tEXt": _latin,
    b"zTXt": _packed,
    b"iTXt": _international,
}


def insert(data: bytes, packet: bytes, parameters: str | None) -> bytes:
    """Return the file with an XMP packet and the text `parameters`; raise CannotHold if not."""
    blocks = read(data)
    require_free(blocks)
    if next(_chunks(data))[::2] != (b"IHDR", _HEADER_END):
        raise CannotHold("its first part is not the header")
    added = _chunk(b"iTXt", XMP_KEYWORD.encode() + bytes(5) + packet)
    if parameters is not None and "\0" not in parameters and PARAMETERS not in blocks.texts:
        added += _parameters_chunk(parameters)
    return data[:_HEADER_END] + added + data[_HEADER_END:]


def _parameters_chunk(text: str) -> bytes:
    try:
        return _chunk(b"tEXt", PARAMETERS.encode() + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", PARAMETERS.encode() + bytes(5) + text.encode())


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", checksum)


def without(data: bytes, is_ours: Callable[[str, bytes], bool]) -> list[bytes]:
    """Return the file without the texts that are ours, by keyword and text: the only candidate."""
    kept, position = [], 0
    for kind, start, end in _chunks(data):
        if kind not in (b"tEXt", b"iTXt"):  # ours are never packed
            continue
        body = data[start + 8 : end - 4]
        keyword = _keyword(body)
        if keyword and is_ours(keyword, _TEXTS[kind](body[len(keyword) + 1 :]).encode()):
            kept.append(data[position:start])
            position = end
    return [b"".join((*kept, data[position:]))]

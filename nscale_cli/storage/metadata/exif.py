"""The few texts of an Exif block that tell how a picture was made (TIFF 6.0; CIPA DC-008)."""

from collections.abc import Iterator, Mapping
from typing import Literal

from nscale_cli.storage.metadata.blocks import MAX_TEXT_BYTES

DESCRIPTION, MAKE, MODEL, SOFTWARE, USER_COMMENT = 0x010E, 0x010F, 0x0110, 0x0131, 0x9286
_EXIF_POINTER = 0x8769
_WANTED = (DESCRIPTION, MAKE, MODEL, SOFTWARE, USER_COMMENT)
_MAX_ENTRIES = 500  # of a directory; no camera writes a hundred
_ENTRY_BYTES = 12
_SIZES = {1: 1, 2: 1, 4: 4, 7: 1}  # BYTE, ASCII, LONG, UNDEFINED: the kinds that matter here
_CODE_BYTES = 8
Order = Literal["little", "big"]
_ORDERS: Mapping[bytes, Order] = {b"II*\0": "little", b"MM\0*": "big"}


def texts_of(data: bytes) -> dict[int, str]:
    """Return the texts of a block, by their tags; none where it makes no sense."""
    order = _ORDERS.get(data[:4])
    if order is None:
        return {}
    found = dict(_directory(data, _number(data, 4, 4, order), order))
    if len(pointer := found.pop(_EXIF_POINTER, b"")) == 4:
        # One step, and no further: a directory that leads back to itself is read twice at most.
        nested = dict(_directory(data, int.from_bytes(pointer, order), order))
        nested.pop(_EXIF_POINTER, None)
        found = nested | found
    texts = {tag: _text(tag, value, order) for tag, value in found.items()}
    return {tag: text for tag, text in texts.items() if text}


def _number(data: bytes, start: int, size: int, order: Order) -> int:
    """Return an unsigned number; what lies outside of the block is empty."""
    return int.from_bytes(data[start : start + size], order)


def _directory(data: bytes, start: int, order: Order) -> Iterator[tuple[int, bytes]]:
    """Yield the entries that are wanted: the tag, and its value as bytes."""
    for index in range(min(_number(data, start, 2, order), _MAX_ENTRIES)):
        place = start + 2 + index * _ENTRY_BYTES
        tag, kind = _number(data, place, 2, order), _number(data, place + 2, 2, order)
        if tag not in (*_WANTED, _EXIF_POINTER) or kind not in _SIZES:
            continue
        size = _number(data, place + 4, 4, order) * _SIZES[kind]
        if size > 4:
            place = _number(data, place + 8, 4, order) - 8
        yield tag, data[place + 8 : place + 8 + min(size, MAX_TEXT_BYTES)]


def _text(tag: int, value: bytes, order: str) -> str:
    if tag != USER_COMMENT:
        return value.rstrip(b"\0 ").decode(errors="replace")
    code, text = value[:_CODE_BYTES], value[_CODE_BYTES:]
    if code == b"UNICODE\0":
        return _wide(text, order).rstrip("\0 ")
    if code not in (b"ASCII\0\0\0", bytes(_CODE_BYTES)):
        text = value  # written without the code that the standard asks for
    return text.rstrip(b"\0 ").decode(errors="replace")


def _wide(text: bytes, order: str) -> str:
    """Return UTF-16 in the byte order that makes sense: programs disagree about it.

    Most write the block's own order, piexif always big endian.
    """
    orders = ("utf-16-le", "utf-16-be") if order == "little" else ("utf-16-be", "utf-16-le")
    candidates = [text.decode(each, "replace") for each in orders]
    return max(candidates, key=lambda each: sum(character < "\u0250" for character in each))

"""The few texts of an Exif block that tell how a picture was made (TIFF 6.0; CIPA DC-008)."""

from collections.abc import Iterator

from nscale_cli.storage.metadata.blocks import MAX_TEXT_BYTES

DESCRIPTION, MAKE, MODEL, SOFTWARE, USER_COMMENT = 0x010E, 0x010F, 0x0110, 0x0131, 0x9286
_EXIF_POINTER = 0x8769
_WANTED = (DESCRIPTION, MAKE, MODEL, SOFTWARE, USER_COMMENT)
_MAX_ENTRIES = 500  # of a directory; no camera writes a hundred
_ENTRY_BYTES = 12
_SIZES = {1: 1, 2: 1, 4: 4, 7: 1}  # BYTE, ASCII, LONG, UNDEFINED: the kinds that matter here
_CODE_BYTES = 8


def texts_of(data: bytes) -> dict[int, str]:
    """Return the texts of a block, by their tags; none where it makes no sense."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(data[:4])
    if order is None:
        return {}
    reader = _Reader(data, little=order == "little")
    found = dict(reader.directory(reader.number(4, 4)))
    if len(pointer := found.pop(_EXIF_POINTER, b"")) == 4:
        # One step, and no further: a directory that leads back to itself is read twice at most.
        nested = dict(reader.directory(int.from_bytes(pointer, order)))  # type: ignore[arg-type]
        nested.pop(_EXIF_POINTER, None)
        found = nested | found
    texts = {tag: _text(tag, value, order) for tag, value in found.items()}
    return {tag: text for tag, text in texts.items() if text}


class _Reader:
    """Reads numbers and directories; whatever lies outside the block is empty."""

    def __init__(self, data: bytes, *, little: bool) -> None:
        self._data = data
        self._little = little

    def number(self, start: int, size: int) -> int:
        """Return an unsigned number of `size` bytes."""
        data = self._data[start : start + size]
        return int.from_bytes(data, "little" if self._little else "big")

    def directory(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Yield the entries that are wanted: the tag, and its value as bytes."""
        for index in range(min(self.number(start, 2), _MAX_ENTRIES)):
            place = start + 2 + index * _ENTRY_BYTES
            tag, kind = self.number(place, 2), self.number(place + 2, 2)
            if tag not in (*_WANTED, _EXIF_POINTER) or kind not in _SIZES:
                continue
            size = self.number(place + 4, 4) * _SIZES[kind]
            if size > 4:
                place = self.number(place + 8, 4) - 8
            yield tag, self._data[place + 8 : place + 8 + min(size, MAX_TEXT_BYTES)]


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

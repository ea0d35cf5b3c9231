"""Make untrusted text safe to show: prompts, model ids, and whatever a server says."""

import base64
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

MAX_SHOWN = 500
_HIDDEN = b"[key hidden]"
# Shorter strings are no real keys, and hiding them would garble ordinary words.
_SHORTEST_SECRET = 8
_WINDOW_BYTES = 1024 * 1024
_URL_SAFE = str.maketrans("+/", "-_")


def clean(text: str) -> str:
    r"""Return `text` on one line, with every character a terminal could act on spelled out.

    Line breaks and tabs become spaces. Control characters (C0, DEL, C1), surrogates, and format
    characters (bidirectional overrides, zero-width, tags) become `\x1b` or `\u202e` text.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def excerpt(text: str, limit: int = MAX_SHOWN) -> str:
    """Return the first `limit` characters of `text`, cleaned, with an ellipsis if more came."""
    shown = clean(text.strip()[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _shown(character: str) -> str:
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return character.encode("unicode_escape").decode()
    return character


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield what is left of `secret` in base64, also behind other text such as `Bearer `."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode().rstrip("=")
        # The outermost characters may hold bits of what stands around.
        middle = encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        for text in (encoded, middle) if before == 0 else (middle,):
            yield text
            yield text.translate(_URL_SAFE)


def _in_text(secret: str) -> Iterator[str]:
    """Yield `secret` as it stands in plain text, in JSON, and in an address."""
    escaped = json.dumps(secret)[1:-1]
    yield from (secret, escaped, escaped.replace("/", r"\/"), quote(secret, safe=""))


class Redactor:
    """Replaces the secrets it was told of, in each form in which they could surface.

    Letters count in either case. All is done on bytes, whose lower case is as long as they are.
    """

    def __init__(self) -> None:
        self._forms: list[bytes] = []
        self._pieces: dict[int, set[bytes]] = {}  # by their length
        self._quads: set[int] = set()

    def hide(self, secret: str) -> None:
        """Hide `secret` from now on: as it is, reversed, in JSON, addresses, base64 and hex."""
        if len(secret) < _SHORTEST_SECRET:
            return
        data = secret.encode()
        texts = {*_in_text(secret), *_in_text(secret[::-1]), *_in_base64(data)}
        forms = {text.encode().lower() for text in texts}
        self._forms = sorted({*self._forms, *forms, data.hex().encode()}, key=len, reverse=True)
        for form in forms:
            self._add_pieces(form, _SHORTEST_SECRET)
        self._add_pieces(data.hex().encode(), 2 * _SHORTEST_SECRET)

    def _add_pieces(self, form: bytes, size: int) -> None:
        if not form.isascii():
            return  # a cut could fall into a character
        pieces = (form[start : start + size] for start in range(len(form) - size + 1))
        self._pieces.setdefault(size, set()).update(pieces)
        self._quads.update(*(_quads(form[start:]) for start in range(4)))

    def found_in(self, text: str) -> bool:
        """Return whether `text` holds a secret."""
        return self._holds_form(text.encode("utf-8", "surrogatepass"))

    def redact(self, text: str) -> str:
        """Return `text` without the secrets, and without pieces of them (split, or cut off)."""
        data = self._without_forms(text.encode("utf-8", "surrogatepass"))
        return self._without_pieces(data).decode("utf-8", "surrogatepass")

    def redact_bytes(self, data: bytes | bytearray) -> bytes | bytearray:
        """Return `data` without the secrets."""
        return self._without_forms(bytes(data)) if self._holds_form(data) else data

    def _holds_form(self, data: bytes | bytearray) -> bool:
        """Return whether a secret is in `data`, of which a whole copy may be too large."""
        longest = len(self._forms[0]) if self._forms else 0
        for start in range(0, len(data), _WINDOW_BYTES):
            low = data[start : start + _WINDOW_BYTES + longest].lower()
            if any(form in low for form in self._forms):
                return True
        return False

    def _without_forms(self, data: bytes) -> bytes:
        low = data.lower()
        for form in self._forms:
            if form in low:
                found = re.finditer(re.escape(form), low)
                data = _without(data, (match.span() for match in found))
                low = low.replace(form, _HIDDEN)
        return data

    def _without_pieces(self, data: bytes) -> bytes:
        # However a piece stands, the first quad that begins at a fourth byte in it is in it whole.
        # So most of a text is passed over four bytes at a time.
        low = data.lower()
        near = [4 * index for index, quad in enumerate(_quads(low)) if quad in self._quads]
        spans = [
            (start, start + size)
            for at in near
            for start in range(max(0, at - 3), at + 1)
            for size, pieces in self._pieces.items()
            if low[start : start + size] in pieces
        ]
        return _without(data, spans) if spans else data


def _quads(data: bytes) -> memoryview:
    """Return each four bytes of `data` as a number; what is left over is left out."""
    return memoryview(data[: len(data) // 4 * 4]).cast("I")


def _without(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return `data` with a note for each of the spans, which are in order, or meet in one."""
    parts, done = [], 0
    for start, end in spans:
        if start >= done:
            parts += [data[done:start], _HIDDEN]
        done = max(done, end)
    return b"".join([*parts, data[done:]])

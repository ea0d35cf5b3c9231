"""Make untrusted text safe to show: prompts, model ids, and whatever a server says."""

import base64
import json
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import quote

MAX_SHOWN = 500
_HIDDEN = "[key hidden]"
# Shorter strings are no real keys, and hiding them would garble ordinary words.
_SHORTEST_SECRET = 8
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


class Redactor:
    """Replaces the secrets it was told of, in each form in which they could surface."""

    def __init__(self) -> None:
        """Start without a secret."""
        self._forms: list[str] = []
        self._pieces: set[str] = set()

    def hide(self, secret: str) -> None:
        """Hide `secret` from now on: as it is, inside JSON, in an address, and in base64."""
        if len(secret) < _SHORTEST_SECRET:
            return
        escaped = json.dumps(secret)[1:-1]
        forms = {secret, escaped, escaped.replace("/", r"\/"), quote(secret, safe="")}
        forms |= set(_in_base64(secret.encode()))
        self._forms = sorted(forms.union(self._forms), key=len, reverse=True)
        self._pieces |= {
            form[start : start + _SHORTEST_SECRET]
            for form in forms
            for start in range(len(form) - _SHORTEST_SECRET + 1)
        }

    def found_in(self, text: str) -> bool:
        """Return whether `text` holds a secret."""
        return any(form in text for form in self._forms)

    def redact(self, text: str) -> str:
        """Return `text` without the secrets, and without pieces of them (split, or cut off)."""
        for form in self._forms:
            text = text.replace(form, _HIDDEN)
        size = _SHORTEST_SECRET
        starts = [i for i in range(len(text) - size + 1) if text[i : i + size] in self._pieces]
        if not starts:
            return text
        covered = {position for start in starts for position in range(start, start + size)}
        parts = groupby(enumerate(text), key=lambda item: item[0] in covered)
        return "".join(
            _HIDDEN if hidden else "".join(character for _, character in part)
            for hidden, part in parts
        )

    def redact_bytes(self, data: bytes | bytearray) -> bytes | bytearray:
        """Return `data` without the secrets."""
        for form in self._forms:
            if form.encode() in data:  # replace() copies, and a reply may be large
                data = data.replace(form.encode(), _HIDDEN.encode())
        return data

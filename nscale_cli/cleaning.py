"""Make untrusted text safe to show: prompts, model ids, and whatever a server says."""

import base64
import json
import unicodedata

LONGEST_SHOWN = 500
_HIDDEN = "[key hidden]"
# Shorter strings are no real keys, and hiding them would garble ordinary words.
_SHORTEST_SECRET = 8


def clean(text: str) -> str:
    r"""Return `text` on one line, with every character a terminal could act on spelled out.

    Line breaks and tabs become spaces. Control characters (C0, DEL, C1), surrogates, and format
    characters (bidirectional overrides, zero-width, tags) become `\x1b` or `\u202e` text.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def excerpt(text: str, limit: int = LONGEST_SHOWN) -> str:
    """Return the first `limit` characters of `text`, cleaned, with an ellipsis if more came."""
    shown = clean(text.strip()[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _shown(character: str) -> str:
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return character.encode("unicode_escape").decode()
    return character


class Scrubber:
    """Replaces the secrets it was told of, in each form in which they could surface."""

    def __init__(self) -> None:
        """Start without a secret."""
        self._forms: list[str] = []

    def hide(self, secret: str) -> None:
        """Hide `secret` from now on: as it is, inside JSON, and in base64."""
        if len(secret) < _SHORTEST_SECRET:
            return
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        escaped = json.dumps(secret)[1:-1]
        self._forms += [secret, escaped, escaped.replace("/", r"\/"), encoded]
        self._forms.sort(key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """Return `text` without the secrets."""
        for form in self._forms:
            text = text.replace(form, _HIDDEN)
        return text

    def scrub_bytes(self, data: bytes | bytearray) -> bytes | bytearray:
        """Return `data` without the secrets."""
        for form in self._forms:
            if form.encode() in data:  # replace() copies, and a reply may be large
                data = data.replace(form.encode(), _HIDDEN.encode())
        return data

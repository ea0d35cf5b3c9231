"""Where in a reply a token stands: in which item, at a key or a value, in an image."""

_IMAGE_FIELD = b"b64_json"


class Place:
    """Where in a document the tokens have led to. `item` counts those of `data`, from 1."""

    def __init__(self) -> None:
        self.item = 0
        self.at_key = False
        self._nesting = bytearray()
        self._keys = [b"", b"", b""]  # the latest at each of the outermost levels
        self._fresh = False  # whether no value has begun since the last comma

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return len(self._nesting)

    @property
    def _in_data(self) -> bool:
        return self._keys[0] == b"data"

    @property
    def closers(self) -> bytes:
        """What is missing to the end of the document."""
        return bytes(self._nesting[::-1]).translate(bytes.maketrans(b"{[", b"}]"))

    def take(self, kind: bytes | None) -> None:
        """Go on by a token: a sign, the beginning of a string, or None for another value."""
        if kind == b",":
            self.at_key, self._fresh = self._nesting[-1:] == b"{", True
        elif kind == b":":
            self.at_key = False
        elif kind in (b"}", b"]"):
            del self._nesting[-1:]
        else:
            self._count()
            if kind in (b"{", b"["):
                self._open(kind)

    def _count(self) -> None:
        if self._fresh and self._nesting == b"{[" and self._in_data:
            self.item += 1
        self._fresh = False

    def _open(self, kind: bytes) -> None:
        if self._nesting == b"{" and kind == b"{" and self._in_data:
            self.item += 1  # one item need not be in a list
        self._nesting += kind
        self.at_key, self._fresh = kind == b"{", True

    def name(self, key: bytes) -> None:
        """Take the key of the value that comes next."""
        if self.depth <= len(self._keys):
            self._keys[self.depth - 1] = key

    @property
    def holds_image(self) -> bool:
        """Whether a string that begins here is the base64 of an item."""
        in_item = bytes(self._nesting) in (b"{[{", b"{{")
        return (
            in_item
            and not self.at_key
            and self._in_data
            and self._keys[-1 + self.depth] == _IMAGE_FIELD
        )

"""A reply taken apart while it arrives: the same images as from the whole, and nothing lost."""

import base64
import json
import random
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nscale_cli.errors import ServiceFailed
from nscale_cli.service import reply_stream, reply_text
from nscale_cli.service.decode import decode_item, items_in, parse_json
from nscale_cli.service.reply_stream import ReplyStream
from nscale_cli.service.reply_text import HANDED_ON
from tests.faults.reply_shapes import SHAPES


class Taken:
    """Remembers the images that it is told of, as (item, bytes, whether all of it came)."""

    def __init__(self) -> None:
        """Start with none."""
        self.images: list[tuple[int, bytearray, bool]] = []
        self.aside = bytearray()
        self.pieces = 0

    def begin(self, index: int) -> None:
        """Expect an image."""
        assert not self.images or self.images[-1][2]
        self.images.append((index, bytearray(), False))

    def add(self, piece: bytes) -> None:
        """Take a piece of it."""
        self.pieces += 1
        self.images[-1][1].extend(piece)

    def end(self) -> None:
        """Have all of it."""
        index, data, _ = self.images[-1]
        self.images[-1] = (index, data, True)

    def take_back(self) -> bytes:
        """Forget it."""
        return bytes(self.images.pop()[1])

    def set_aside(self, text: bytes) -> None:
        """Keep the rest."""
        self.aside += text

    def pieces_of(self, number: int) -> Iterable[bytes]:
        """Return the bytes of an image, in pieces."""
        data = bytes(self.images[number][1])
        return (data[:1], data[1:50], data[50:])

    @property
    def whole(self) -> list[tuple[int, bytes]]:
        """The images all of which came."""
        return [(index, bytes(data)) for index, data, whole in self.images if whole]


def pieces_of(body: bytes, size: int | None, seed: int = 0) -> Iterator[bytes]:
    """Cut `body` into pieces of `size` bytes, or of random sizes."""
    dice, position = random.Random(seed), 0
    while position < len(body):
        length = size or dice.choice((1, 2, 3, 7, 50, 400, 5000, 100_000))
        yield body[position : position + length]
        position += length


def read(body: bytes, size: int | None = None, seed: int = 0) -> tuple[Taken, ReplyStream]:
    """Return what was taken out of a body, and the stream that did it."""
    taken = Taken()
    stream = ReplyStream(taken, max_items=1000)
    for piece in pieces_of(body, size, seed):
        stream.feed(piece)
    return taken, stream


def found_in(taken: Taken, stream: ReplyStream) -> list[object]:
    """Return all that a reply holds: what was handed on, and what is left to be judged."""
    handed_on = dict(taken.whole)
    items = stream.items() or []
    return [
        handed_on[index] if item is HANDED_ON else decoded(item)
        for index, item in enumerate(items, start=1)
    ]


def decoded(item: object) -> object:
    """Return an item's bytes, or the reason why it has none."""
    found = decode_item(item)
    return found.reason if found.data is None else found.data


def expected_in(body: bytes) -> list[object]:
    """Return all that a reply holds, read as a whole."""
    return [decoded(item) for item in items_in(parse_json(body))]


@pytest.mark.parametrize("size", [1, 7, 4096, None, 10_000_000])
@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_finds_what_the_whole_reply_holds(name: str, size: int | None) -> None:
    """In whatever pieces it comes; and it can be put together again."""
    body = SHAPES[name].body

    taken, stream = read(body, size)

    assert found_in(taken, stream) == expected_in(body)
    assert b"".join(stream.rebuilt()) == body


@pytest.mark.parametrize("body", [b"{]data", b"{ ]data", b"\n{]data", b"{}data", b"{],data"])
@pytest.mark.parametrize("size", [1, 2, 3, None])
def test_what_stands_behind_an_end_in_the_first_bytes_is_kept(
    body: bytes, size: int | None
) -> None:
    """It is no document, but it was paid for."""
    _, stream = read(body, size)

    assert stream.items() is None or body.startswith(b"{}")
    assert b"".join(stream.rebuilt()) == body


KEYS = st.sampled_from(["data", "b64_json", "url", "error", "created"])
ENCODED = st.binary(max_size=80).map(lambda data: base64.b64encode(data).decode())
DRESSED = st.one_of(
    ENCODED,
    ENCODED.map(lambda text: text.rstrip("=")),
    ENCODED.map(lambda text: text.translate(str.maketrans("+/", "-_"))),
    ENCODED.map(lambda text: "\n".join(text[at : at + 5] for at in range(0, len(text), 5))),
    ENCODED.map(lambda text: f"data:image/png;base64,{text}"),
    st.text('ABab01+/=-_ \n\\"d:,', max_size=30),
    st.text(max_size=8),
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | DRESSED,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)
ITEMS = st.fixed_dictionaries({"b64_json": DRESSED}, optional={"url": st.text(), "x": DOCUMENTS})
REPLIES = st.one_of(
    DOCUMENTS,
    st.fixed_dictionaries({"data": st.lists(ITEMS | DOCUMENTS, max_size=5)}),
    st.fixed_dictionaries({"created": DOCUMENTS, "data": ITEMS}),
)


def written(document: object, style: int) -> bytes:
    """Return the document as JSON, as one of several programs would write it."""
    if style == 0:
        return json.dumps(document).encode()
    if style == 1:
        return json.dumps(document, indent=2, ensure_ascii=False).encode(errors="replace")
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("/", r"\/").encode() if style == 2 else b"\xef\xbb\xbf\n" + text.encode()


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(REPLIES, st.integers(0, 3), st.integers(0, 1000))
@example({"data": [{"b64_json": "QQ==QUJD"}]}, 0, 1)
@example({"data": [{"b64_json": "QR=="}]}, 0, 1)
@example({"data": [{"b64_json": ""}, {"b64_json": "====", "url": "x"}]}, 0, 1)
@example({"data": [{"x": {"b64_json": "QUJD"}}, {"b64_json": {"b64_json": "QUJD"}}]}, 0, 1)
def test_any_document_gives_the_same_either_way(document: object, style: int, seed: int) -> None:
    """The whole reply in memory is the judge."""
    body = written(document, style)

    taken, stream = read(body, None, seed)

    assert found_in(taken, stream) == expected_in(body)
    assert b"".join(stream.rebuilt()) == body


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.data(), REPLIES, st.integers(0, 3))
def test_no_byte_is_lost_wherever_a_reply_is_cut_or_damaged(
    data: st.DataObject, document: object, style: int
) -> None:
    """Whatever has come can be put together again, and each image in it is a true one."""
    body = bytearray(written(document, style))
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.sampled_from(b'"\\{}[],:=A \n\xff'))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])

    taken, stream = read(cut, None, data.draw(st.integers(0, 1000)))
    stream.items()

    assert b"".join(stream.rebuilt()) == cut
    for _, image in taken.whole:
        # Six bits for each letter: nothing was skipped on the way.
        assert base64.b64encode(image).rstrip(b"=")[:-1] in letters_in(cut)


def letters_in(body: bytes) -> bytes:
    """Return the body without what may stand between letters, in the plain alphabet."""
    plain = body.replace(rb"\n", b"").replace(b"\\", b"").replace(b"\n", b"").replace(b" ", b"")
    return plain.translate(bytes.maketrans(b"-_", b"+/"))


def reply_with(*images: bytes) -> bytes:
    """Return a reply with these images."""
    items = [{"b64_json": base64.b64encode(image).decode(), "seed": 7} for image in images]
    return json.dumps({"created": 1, "data": items}).encode()


def test_an_image_is_whole_at_the_byte_that_ends_it() -> None:
    """Cut anywhere, a reply gives each image whose last quote has come, and no other."""
    images = [random.Random(number).randbytes(1000 + number) for number in range(5)]
    body = reply_with(*images)
    ends = [
        body.index(base64.b64encode(image)) + len(base64.b64encode(image)) + 1 for image in images
    ]
    for cut in random.Random(1).sample(range(len(body)), 300):
        taken, stream = read(body[:cut], None, cut)
        complete = [image for image, end in zip(images, ends, strict=True) if end <= cut]
        assert [data for _, data in taken.whole] == complete
        assert b"".join(stream.rebuilt()) == body[:cut]
        assert not stream.ends_well


@pytest.mark.parametrize(
    ("ending", "ends_well"),
    [(b"", True), (b" \r\n", True), (b"}", False), (b"<html>", False), (b'{"data": []}', False)],
)
def test_what_follows_a_document_is_noticed_and_costs_no_image(
    ending: bytes, ends_well: bool
) -> None:
    """The images are there all the same."""
    body = reply_with(b"image" * 100) + ending

    taken, stream = read(body)

    assert [data for _, data in taken.whole] == [b"image" * 100]
    assert stream.items() == [HANDED_ON]
    assert stream.ends_well is ends_well
    assert b"".join(stream.rebuilt()) == body


@pytest.mark.parametrize("missing", [b"}", b"]}", b', "seed": 7}]}'])
def test_an_end_that_is_missing_costs_no_image(missing: bytes) -> None:
    """Neither the images nor the count of the items."""
    body = reply_with(b"image" * 100, b"other" * 100).removesuffix(missing)

    taken, stream = read(body)

    assert [data for _, data in taken.whole] == [b"image" * 100, b"other" * 100]
    assert stream.items() == [HANDED_ON] * 2
    assert not stream.ends_well


def test_where_there_are_more_items_than_are_read_all_is_set_aside() -> None:
    """Nobody asked for them, and nobody is to lose them."""
    images = [bytes([number]) * 500 for number in range(50)]
    body, taken = reply_with(*images), Taken()
    stream = ReplyStream(taken, max_items=3)
    for piece in pieces_of(body, 1000):
        stream.feed(piece)

    assert [data for _, data in taken.whole] == images[:3]
    assert stream.items() == [HANDED_ON] * 3
    assert stream.is_short
    assert taken.aside == body


@pytest.mark.parametrize("item", [b"null", b"{}", b"7", b'"x"', b"[]", b'{"b64_json": null}'])
def test_items_without_number_are_not_read(item: bytes) -> None:
    """Work is bounded by what was asked for, not by what comes."""
    taken = Taken()
    stream = ReplyStream(taken, max_items=20)
    body = b'{"data": [' + b", ".join([item] * 200_000) + b"]}"
    stream.feed(body)

    assert stream.items() == [json.loads(item)] * 20
    assert stream.is_short
    assert taken.aside == body


def test_a_document_of_too_many_parts_is_kept_and_not_understood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would take gigabytes to hold as values."""
    for module in (reply_stream, reply_text):
        monkeypatch.setattr(module, "MAX_TOKENS", 1000)
    body = b'{"x": [' + b"[]," * 1000 + b'0], "data": [{"b64_json": "QUJD"}]}'

    taken, stream = read(body)

    assert stream.items() is None
    assert taken.images == []
    assert b"".join(stream.rebuilt()) == body


def feed_without_end(stream: ReplyStream, chunk: bytes) -> None:
    """Feed the same chunk for longer than any reply should be."""
    for _ in range(1000):
        stream.feed(chunk)


@pytest.mark.parametrize(
    "body",
    [b" " * 2000, b'{"a": "' + b"\\\"" * 1000, b"x" * 2000,
     b'{"data": [{"b64_json": "\\n' + b"A" * 2000],
    ids=["blank", "quotes", "letters", "dressed"],
)  # fmt: skip
def test_text_without_end_is_too_large(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no image waits in memory, so there is a limit to it."""
    monkeypatch.setattr(reply_stream, "MAX_TEXT_BYTES", 1 << 20)
    monkeypatch.setattr(reply_stream, "MAX_REPLY_BYTES", 1 << 30)
    stream = ReplyStream(Taken(), max_items=1)
    with pytest.raises(ServiceFailed, match="the reply is larger than 1 MiB; reading stopped"):
        feed_without_end(stream, body)


def test_images_without_end_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit to the whole as well."""
    monkeypatch.setattr(reply_stream, "MAX_REPLY_BYTES", 1 << 20)
    stream = ReplyStream(Taken(), max_items=1)
    stream.feed(b'{"data": [{"b64_json": "')
    with pytest.raises(ServiceFailed, match="the reply is larger than 1 MiB; reading stopped"):
        feed_without_end(stream, b"A" * 2000)


class Dropped(Taken):
    """Drops what it is told, as a disk takes it."""

    def add(self, piece: bytes) -> None:
        """Count the piece only."""
        self.pieces += 1


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_large_reply_needs_the_memory_of_a_piece(prefix: str) -> None:
    """However many images it holds."""
    letters = base64.b64encode(random.Random(1).randbytes(3 << 20))
    item = b'{"b64_json": "' + prefix.encode() + letters + b'"}'
    taken = Dropped()
    stream = ReplyStream(taken, max_items=50)
    body = b'{"data": [' + b",".join([item] * 10) + b"]}"
    chunks = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    tracemalloc.start()
    for chunk in chunks:
        stream.feed(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert stream.items() == [HANDED_ON] * 10
    assert taken.pieces > 10 * 40
    assert peak < 1 << 20

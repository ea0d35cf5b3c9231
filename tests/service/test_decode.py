"""From a reply's body to image bytes and their true format."""

import base64
import io
import json
import struct
from textwrap import wrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from nscale_cli.request import Size
from nscale_cli.service.decode import (
    Item,
    decode_base64,
    decode_item,
    flaw_of,
    items_in,
    parse_json,
    sniff,
)

NO_DATA = Item(reason="it holds no image data")
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def encoded(image_format: str, mode: str = "RGB", *, width: int = 37, height: int = 23) -> bytes:
    """Return a picture of the format as a file; a word after the format is an option."""
    name, *options = image_format.split()
    stream = io.BytesIO()
    Image.new(mode, (width, height)).save(stream, format=name, **dict.fromkeys(options, True))
    return stream.getvalue()


PNG = encoded("png")


@given(st.binary(), st.sampled_from(["", "data:image/png;base64,", " DATA:,"]), st.booleans())
def test_base64_round_trips_in_every_accepted_dress(data: bytes, prefix: str, plain: bool) -> None:
    """A `data:` prefix, line breaks, no padding and the URL-safe alphabet are all understood."""
    text = base64.b64encode(data).decode() if plain else base64.urlsafe_b64encode(data).decode()
    dresses = [text, text.rstrip("="), "\r\n".join(wrap(text, 5)), f" {text}\n"]
    assert [decode_base64(prefix + dress) for dress in dresses] == [data] * 4


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AA=A", "QQ==QQ==", "QUJD*", "QU.JD", "QÜJD", "QUJD\x00", "Ｑ", "data:x"]
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    """A character that does not belong is never skipped."""
    with pytest.raises(ValueError, match=r"."):
        decode_base64(text)


@given(st.text(st.sampled_from("AZaz09+/-_= \n*.,:é")))
def test_base64_is_never_silently_shortened(text: str) -> None:
    """Six bits come out for each character that went in, or nothing does."""
    try:
        data = decode_base64(text)
    except ValueError:
        return
    significant = "".join(text.split()).rstrip("=")
    assert len(data) == len(significant) * 6 // 8


@pytest.mark.parametrize(
    ("image_format", "mode"),
    [
        *(("png", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("jpeg", mode) for mode in ("L", "RGB", "CMYK")),
        ("jpeg progressive", "RGB"),
        *(("webp", mode) for mode in ("L", "RGB", "RGBA")),
        *(("webp lossless", mode) for mode in ("RGB", "RGBA")),
    ],
)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (37, 23), (700, 2), (2, 1000)])
def test_real_images_show_their_format_and_size(
    image_format: str, mode: str, width: int, height: int
) -> None:
    """Every kind of file that Pillow writes is recognised by its first bytes."""
    data = encoded(image_format, mode, width=width, height=height)
    expected = image_format.split()[0], Size(width=width, height=height)
    assert sniff(data) == expected


def test_webp_with_alpha_or_metadata_shows_its_canvas() -> None:
    """The extended form (VP8X) has its own place for the size."""
    picture, stream = Image.new("RGB", (300, 200)), io.BytesIO()
    picture.save(stream, format="webp", icc_profile=b"profile", exif=b"Exif\0\0")
    assert stream.getvalue()[12:16] == b"VP8X"
    assert sniff(stream.getvalue()) == ("webp", Size(width=300, height=200))


def test_jpeg_with_large_metadata_shows_its_size() -> None:
    """Segments before the size are walked through, not searched."""
    picture, stream = Image.new("RGB", (300, 200)), io.BytesIO()
    picture.save(stream, format="jpeg", icc_profile=b"\xff\xc0" * 100_000, comment=b"\xff\xc0" * 9)
    assert sniff(stream.getvalue()) == ("jpeg", Size(width=300, height=200))


@pytest.mark.parametrize("before", [b"\xff\xff\xff", b"\xff\xc4\0\x09" + bytes(range(7))])
def test_jpeg_shows_its_size_behind_whatever_may_stand_before(before: bytes) -> None:
    """Padding, and a table whose marker looks like that of the size."""
    data = encoded("jpeg")
    assert sniff(data[:2] + before + data[2:]) == ("jpeg", Size(width=37, height=23))


@pytest.mark.parametrize(
    "image_format", ["png", "jpeg", "jpeg progressive", "webp", "webp lossless"]
)
def test_cut_off_image_shows_the_whole_size_or_none(image_format: str) -> None:
    """A header that ends early gives no number made of what is left."""
    data, size = encoded(image_format), Size(width=37, height=23)
    for length in range(len(data)):
        name, shown = sniff(data[:length])
        assert name in (None, image_format.split()[0])
        assert shown in (None, size)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (None, None)),
        (b"GIF89a\x01\x00\x01\x00", (None, None)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (None, None)),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", (None, None)),
        (b"\x89PNG\r\n\x1a\n", ("png", None)),
        (PNG[:16] + struct.pack(">II", 0, 5), ("png", None)),
        (b"\xff\xd8\xff", ("jpeg", None)),
        (b"\xff\xd8" + b"\xff\xe0\x00\x00" * 50_000, ("jpeg", None)),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 50_000, ("jpeg", None)),
        (b"\xff\xd8" + b"\xff" * 100_000, ("jpeg", None)),
        (b"\xff\xd8\xff\xe0\xff\xff" + b"\x00" * 9, ("jpeg", None)),
        (b"\xff\xd8\xff\xc0\x00\x0b\x08" + bytes(8), ("jpeg", None)),
        (b"RIFF\x00\x00\x00\x00WEBP", ("webp", None)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(30), ("webp", None)),
    ],
)
def test_size_that_the_bytes_do_not_tell_is_unknown(
    data: bytes, expected: tuple[str | None, Size | None]
) -> None:
    """Other formats are no images here; broken headers have no size, and cost no time."""
    assert sniff(data) == expected


STARTS = [b"", PNG[:8], b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00", b"RIFF....WEBPVP8"]


@given(st.sampled_from(STARTS), st.binary(max_size=64))
def test_sniffing_never_fails(start: bytes, rest: bytes) -> None:
    """Whatever a server sends, there is an answer."""
    name, size = sniff(start + rest)
    assert name in (None, "png", "jpeg", "webp")
    assert size is None or (size.width > 0 and size.height > 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_is_read_in_each_unicode_encoding(encoding: str) -> None:
    """A byte order mark does no harm."""
    assert parse_json('{"é": [1]}'.encode(encoding)) == {"é": [1]}


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a": ', b"\xff", b"[" * 200_000, b"9" * 10_000, b"data: {}\n\n"],
    ids=["empty", "html", "cut", "not-utf-8", "deep", "huge-number", "events"],
)
def test_body_that_is_no_json_is_none(body: bytes) -> None:
    """Every way in which the parser can fail ends the same."""
    assert parse_json(body) is None


@pytest.mark.slow
@given(st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_parsing_never_fails(body: bytes) -> None:
    """Neither for bytes that are no JSON nor for any JSON."""
    parse_json(body)


def item(data: bytes) -> dict[str, str]:
    """Return the item of a reply that holds `data`."""
    return {"b64_json": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (item(PNG), Item(data=PNG)),
        (item(b"GIF89a"), Item(data=b"GIF89a")),
        ({"b64_json": "*"}, Item(reason="its image data is not valid base64")),
        ({"b64_json": ""}, NO_DATA),
        ({"b64_json": " \n"}, NO_DATA),
        ({"b64_json": "data:image/png;base64,"}, NO_DATA),
        ({"b64_json": "===="}, NO_DATA),
        ({"b64_json": 7}, NO_DATA),
        ({"b64_json": None}, NO_DATA),
        ({"url": 7}, NO_DATA),
        *((found, NO_DATA) for found in ({}, None, "text", 7, [])),
        (
            {"b64_json": None, "url": "http://x/\x1b[2J"},
            Item(
                reason=r"it came as an address, which nscale does not fetch: http://x/\x1b[2J",
                url="http://x/\x1b[2J",
            ),
        ),
        (
            {"url": "http://" + "x" * 5_000_000},
            Item(
                reason="it came as an address, which nscale does not fetch: http://"
                + "x" * 490
                + "...",
                url="http://" + "x" * 5_000_000,
            ),
        ),
    ],
)
def test_item_of_a_reply_becomes_bytes_or_a_reason(found: object, expected: Item) -> None:
    """What holds no bytes says why."""
    assert decode_item(found) == expected


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (PNG, None),
        (PNG[:9], "its PNG is cut off"),
        (b"GIF89a", "its bytes are not PNG, JPEG or WebP"),
    ],
)
def test_what_is_no_whole_image_says_why(data: bytes, flaw: str | None) -> None:
    """Before it gets the name of one."""
    assert flaw_of(data, sniff(data)[0]) == flaw


def test_image_beside_other_fields_wins_over_an_address() -> None:
    """An item may hold both; the bytes are what was paid for."""
    found = item(PNG) | {"url": "http://x/", "revised_prompt": "y"}
    assert decode_item(found) == Item(data=PNG)


def test_every_item_is_returned_in_order() -> None:
    """A bad item hides none of the good ones."""
    items = [item(PNG), None, item(b"x"), item(PNG)]
    assert items_in({"data": items}) == items
    assert [decode_item(each).data for each in items] == [PNG, None, b"x", PNG]


def test_single_item_need_not_be_in_a_list() -> None:
    """Some servers send the object itself."""
    assert items_in({"data": item(PNG)}) == items_in({"data": [item(PNG)]}) == [item(PNG)]


@pytest.mark.parametrize("data", [None, "text", 7, True, [], 1.5])
def test_reply_without_items_holds_no_images(data: object) -> None:
    """Whatever stands in the place of the items."""
    assert items_in({"data": data}) == []


@pytest.mark.slow
@given(ANY_JSON)
@example([])
@example({"data": [[{"b64_json": {}}]]})
def test_looking_for_images_never_fails(document: object) -> None:
    """Whatever JSON a server sends, it is searched to its end."""
    for value in (document, {"data": document}, {"data": [document, {"b64_json": document}]}):
        assert all(isinstance(decode_item(entry), Item) for entry in items_in(value))

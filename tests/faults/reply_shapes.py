"""Bodies that a paid request may get back, and what has to be on disk afterwards."""

import base64
import json
from dataclasses import dataclass

from tests.conftest import KEY
from tests.faults.conftest import as_base64, good_reply, png, reply_of

JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
OTHER = png(width=9, height=7)
GOOD = {"b64_json": as_base64(png())}
TWO = {"b64_json": as_base64(OTHER)}
SCRIPT = b"#!/bin/sh\ntouch owned\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
PAGE = b"<!doctype html><title>Sign in to the hotel's network</title>"
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n"
GIF = b"GIF89a" + bytes(40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A body, the exit code, the images in it, and what of it is kept beside them.

    `kept` is the whole reply, byte for byte; `rejected` are items that are no image.
    """

    body: bytes
    code: int = 0
    images: tuple[bytes, ...] = ()
    kept: bool = False
    rejected: tuple[bytes, ...] = ()
    content_type: str | None = JSON


def good(body: bytes, *images: bytes, content_type: str | None = JSON) -> Shape:
    """Return a shape whose images are all there."""
    return Shape(body=body, images=images or (png(),), content_type=content_type)


def empty(body: bytes, content_type: str | None = JSON) -> Shape:
    """Return a shape that holds nothing to save, so that the reply is."""
    return Shape(body=body, code=13, kept=True, content_type=content_type)


def spoilt(*items: object, images: tuple[bytes, ...] = ()) -> Shape:
    """Return a shape with an item that cannot be decoded."""
    return Shape(body=reply_of(*items), code=22, images=images, kept=True)


def foreign(data: bytes) -> Shape:
    """Return a shape whose item decodes to bytes that are no image."""
    return Shape(body=reply_of({"b64_json": as_base64(data)}), code=22, rejected=(data,))


def encoded(text: str) -> Shape:
    """Return a shape whose one image comes as `text`."""
    return good(reply_of({"b64_json": text}))


def _wrapped(text: str, ending: str) -> str:
    return ending.join(text[start : start + 76] for start in range(0, len(text), 76)) + ending


_TEXT = as_base64(png())
_BARE = _TEXT.rstrip("=")
_ONE_TOO_MANY = _BARE + "A" * ((1 - len(_BARE)) % 4)  # four letters are three bytes
_WITH_LATIN_1 = good_reply().replace(b'"created": 1', b'"note": "caf\xe9"')

SHAPES: dict[str, Shape] = {
    # Good images in unusual clothes.
    "plain": good(good_reply()),
    "as text": good(good_reply(), content_type=TEXT),
    "as HTML": good(good_reply(), content_type=HTML),
    "as UTF-16 of another name": good(good_reply(), content_type="text/json; charset=utf-16"),
    "without a type": good(good_reply(), content_type=None),
    "with a byte order mark": good(b"\xef\xbb\xbf" + good_reply()),
    "UTF-16": good(good_reply().decode().encode("utf-16")),
    "UTF-16 without a mark": good(good_reply().decode().encode("utf-16-le")),
    "UTF-32": good(good_reply().decode().encode("utf-32")),
    "Latin-1 beside the image": good(_WITH_LATIN_1),
    "white space around": good(b"\r\n\t " + good_reply() + b"\n\n"),
    "data as an object": good(json.dumps({"data": GOOD}).encode()),
    "only data": good(json.dumps({"data": [GOOD]}).encode()),
    "NaN beside the image": good(b'{"x": NaN, "data": [%s]}' % json.dumps(GOOD).encode()),
    "error: null": good(json.dumps({"error": None, "data": [GOOD]}).encode()),
    "an error beside the image": good(json.dumps({"error": "no", "data": [GOOD]}).encode()),
    "no credit beside the image": good(
        json.dumps({"error": {"code": "insufficient_credit"}, "data": [GOOD]}).encode()
    ),
    "url: null": good(reply_of({**GOOD, "url": None})),
    "a url beside the image": good(reply_of({**GOOD, "url": "https://x.example/a.png"})),
    "a revised prompt": good(reply_of({**GOOD, "revised_prompt": "\x1b]0;x\x07 [/] \u202e"})),
    "two images": good(reply_of(GOOD, TWO), png(), OTHER),
    "nine images": good(reply_of(*[GOOD] * 9), *[png()] * 9),
    # Base64 in its dialects.
    "data: prefix": encoded(f"data:image/png;base64,{_TEXT}"),
    "data: prefix of another type": encoded(f"DATA:text/html;charset=x;base64,{_TEXT}"),
    "data: prefix in url": good(reply_of({"url": f"data:image/png;base64,{_TEXT}"})),
    "lines of 76": encoded(_wrapped(_TEXT, "\n")),
    "lines of 76, CR LF": encoded(_wrapped(_TEXT, "\r\n")),
    "spaces around": encoded(f"  {_TEXT}\t"),
    "no padding": encoded(_TEXT.rstrip("=")),
    "URL-safe": encoded(base64.urlsafe_b64encode(png()).decode()),
    "URL-safe, no padding": encoded(base64.urlsafe_b64encode(png()).decode().rstrip("=")),
    # No reply of the service at all.
    "nothing": empty(b""),
    "white space only": empty(b" \n"),
    "a sign-in page": empty(PAGE, HTML),
    "a sign-in page as JSON": empty(PAGE),
    "an event stream": empty(b"data: " + good_reply() + b"\n\n", "text/event-stream"),
    "the image itself": empty(b"\x89PNG, but cut", "image/png"),
    "half of it": empty(good_reply()[:-40]),
    "not UTF-8": empty(b"\xff\xfe\xfd\xfc"),
    "zero bytes": empty(bytes(100)),
    "too deep": empty(b"[" * 200_000),
    "too deep inside data": empty(b'{"data": ' + b"[" * 200_000),
    "a number of 10000 digits": empty(b'{"data": ' + b"9" * 10_000 + b"}"),
    "null": empty(b"null"),
    "true": empty(b"true"),
    "a number": empty(b"17"),
    "a string": empty(json.dumps(_TEXT).encode()),
    "a list": empty(json.dumps([GOOD]).encode()),
    "an empty object": empty(b"{}"),
    # A reply without an image.
    "data: []": empty(reply_of()),
    "data: null": empty(b'{"data": null}'),
    "data: a string": empty(json.dumps({"data": _TEXT}).encode()),
    "data: a number": empty(b'{"data": 1}'),
    "an error": empty(b'{"error": {"code": "content_policy", "message": "no"}}'),
    "an error as text": empty(b'{"error": "no"}'),
    "an odd error": empty(b'{"error": {"message": {"a": [1]}, "code": ["x"], "type": {}}}'),
    "an error with a flood": empty(json.dumps({"error": {"message": "x" * 200_000}}).encode()),
    "an error with the key": empty(json.dumps({"error": {"message": f"key {KEY}"}}).encode()),
    "no credit": Shape(body=b'{"error": {"type": "INSUFFICIENT_CREDIT"}}', code=5),
    # Items that are no image.
    "[null]": spoilt(None),
    "[[]]": spoilt([]),
    "a string in the list": spoilt(_TEXT),
    "a number in the list": spoilt(5),
    "an empty item": spoilt({}),
    "b64_json: null": spoilt({"b64_json": None}),
    "b64_json: a number": spoilt({"b64_json": 5}),
    "b64_json: a list": spoilt({"b64_json": [_TEXT]}),
    "b64_json: empty": spoilt({"b64_json": ""}),
    "b64_json: white space": spoilt({"b64_json": " \n"}),
    "b64_json: only a prefix": spoilt({"b64_json": "data:image/png;base64,"}),
    "b64_json: other letters": spoilt({"b64_json": "\u00e4" + _TEXT}),
    "b64_json: a lone surrogate": spoilt({"b64_json": "\ud800" + _TEXT}),
    "b64_json: one letter too many": spoilt({"b64_json": _ONE_TOO_MANY}),
    "b64_json: padding in the middle": spoilt({"b64_json": "QQ==" + _TEXT}),
    "b64_json: an address": spoilt({"b64_json": "https://x.example/a.png"}),
    "only a url": spoilt({"url": "https://x.example/a.png?signature=1"}),
    "good and bad": spoilt(GOOD, {"b64_json": "%%%"}, images=(png(),)),
    "bad and good": spoilt({"b64_json": "%%%"}, GOOD, images=(png(),)),
    "good and a url": spoilt(GOOD, {"url": "https://x.example/a.png"}, images=(png(),)),
    "good and null": spoilt(GOOD, None, images=(png(),)),
    # Bytes that are no image.
    "a script": foreign(SCRIPT),
    "SVG": foreign(SVG),
    "HTML": foreign(PAGE),
    "PostScript": foreign(POSTSCRIPT),
    "GIF": foreign(GIF),
    "one byte": foreign(b"\x89"),
    "half a signature": foreign(b"\x89PNG\r\n"),
    "good and a script": Shape(
        body=reply_of(GOOD, {"b64_json": as_base64(SCRIPT)}),
        code=22,
        images=(png(),),
        rejected=(SCRIPT,),
    ),
    # Images of which only the beginning came.
    "a signature only": foreign(b"\x89PNG\r\n\x1a\n"),
    "half a PNG": foreign(png()[:40]),
    "a PNG but for its end": foreign(png()[:-1]),
    "a JPEG's first bytes": foreign(b"\xff\xd8\xff\xe0"),
    "a WebP of twelve bytes": foreign(b"RIFF\x04\x00\x00\x00WEBP"),
}

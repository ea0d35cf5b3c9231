"""Replies that break HTTP, or its content codings: nothing is paid twice, nothing is lost."""

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome
from tests.faults.conftest import as_base64, good_reply, png, reply_of, require_failure
from tests.faults.raw_server import CountedPieces, RawServer, answers, pouring, response

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]


def test_an_error_without_end_is_read_to_a_limit_only(
    buy: Buy, raw: RawServer, injected: Injected
) -> None:
    """An explanation is not worth more than a megabyte."""
    pieces = CountedPieces(b" " * 65536)
    raw.scripts = [pouring(b"HTTP/1.1 400 Bad\r\n\r\n", pieces)]

    require_failure(buy(raw), 6, "no")

    assert raw.posts == 1
    assert pieces.sent * 65536 < 64 << 20  # what the sockets hold included
    injected(pieces.sent * 65536 >= 1 << 20, "an endless error message")


@pytest.mark.parametrize(("status", "code", "billed"), [(401, 4, "no"), (500, 12, "maybe")])
def test_an_error_that_breaks_off_is_still_that_error(
    buy: Buy, raw: RawServer, injected: Injected, status: int, code: int, billed: str
) -> None:
    """The status came; only its explanation did not."""
    cut = response(b'{"error": {"message": "no"}}', status)[:-5]
    raw.scripts = [pouring(cut)]

    require_failure(buy(raw), code, billed)

    assert raw.posts == 1
    injected(raw.played == 1, f"{status} cut off")


NOT_HTTP = {
    "SSH banner": b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "50000 headers": b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 50_000 + b"\r\n{}",
    "200 kB header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_a_reply_that_is_not_http_may_have_been_billed(
    buy: Buy, raw: RawServer, injected: Injected, name: str
) -> None:
    """It is not asked for again."""
    raw.scripts = [pouring(NOT_HTTP[name])]

    message = require_failure(buy(raw), 11, "maybe")

    assert message.startswith("the connection to 127.0.0.1 broke before the reply was whole")
    assert raw.posts == 1
    injected(raw.played == 1, f"not HTTP: {name}")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "gzip, deflate", "GZIP"])
def test_a_packed_reply_is_unpacked(
    buy: Buy, raw: RawServer, injected: Injected, coding: str
) -> None:
    """It was not asked to be packed, but it was paid for."""
    body = good_reply()
    for name in coding.lower().split(", "):
        body = zlib.compress(body, wbits=31 if "gzip" in name else 15)
    raw.scripts = [answers(body, 200, f"Content-Encoding: {coding}")]

    outcome = buy(raw)

    assert outcome.exit_code == 0
    assert Path(outcome.stdout.strip()).read_bytes() == png()
    injected(raw.played == 1, f"Content-Encoding: {coding}")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense"])
def test_a_reply_that_only_claims_to_be_packed_is_read_as_it_is(
    buy: Buy, raw: RawServer, injected: Injected, coding: str
) -> None:
    """A proxy's wrong header does not cost an image."""
    raw.scripts = [answers(good_reply(), 200, f"Content-Encoding: {coding}")]

    outcome = buy(raw)

    assert outcome.exit_code == 0
    assert Path(outcome.stdout.strip()).read_bytes() == png()
    injected(raw.played == 1, f"Content-Encoding: {coding}, which is not true")


def test_a_reply_whose_packing_is_damaged_is_kept_as_it_came(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """Someone may be able to repair it."""
    packed = bytearray(zlib.compress(reply_of({"b64_json": as_base64(png())}), wbits=31))
    packed[20:40] = b"\xff" * 20
    raw.scripts = [answers(bytes(packed), 200, "Content-Encoding: gzip")]

    require_failure(buy(raw), 13, "maybe")

    assert (tmp_path / "cat-reply.json").read_bytes() == packed
    assert raw.posts == 1
    injected(raw.played == 1, "damaged gzip")

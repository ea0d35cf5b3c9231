"""Replies that are saved while they arrive: large, cut, damaged, packed, too many."""

import base64
import gzip
import io
import json
import random
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.jobs import save
from nscale_cli.service import reply_stream
from tests.conftest import KEY, Outcome, Program
from tests.faults.conftest import (
    as_base64,
    files_in,
    photo,
    png,
    reply_of,
    require_failure,
    require_no_key_bytes,
)
from tests.faults.raw_server import Connection, RawServer, Script, answers, pouring, response

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
RESCUED = "home/.local/state/nscale/rescued"


def noise(number: int, side: int = 90) -> bytes:
    """Return a PNG of its own for each number, of some 24 kB."""
    pixels = random.Random(number).randbytes(side * side * 3)
    data = io.BytesIO()
    Image.frombytes("RGB", (side, side), pixels).save(data, "png")
    return data.getvalue()


def reply_with(*images: bytes) -> bytes:
    """Return the body of a reply with these images."""
    return reply_of(*({"b64_json": as_base64(image), "seed": 7} for image in images))


def ends_in(body: bytes, images: list[bytes]) -> list[int]:
    """Return at which byte of the body the text of each image has ended."""
    return [body.index(as_base64(image).encode()) + len(as_base64(image)) + 1 for image in images]


def cut_at(body: bytes, length: int) -> Script:
    """Return the script that promises the whole body and sends `length` bytes of it."""
    head = response(body).removesuffix(body)
    return pouring(head + body[:length])


def images_below(folder: Path) -> list[bytes]:
    """Return the bytes of each image file below `folder`."""
    return [data for name, data in files_in(folder).items() if name.endswith(".png")]


@pytest.mark.parametrize("seed", range(8))
def test_a_reply_that_is_cut_keeps_every_image_that_was_whole(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, seed: int
) -> None:
    """At each of 25 places, here; the rest is kept as far as it came, byte for byte."""
    images = [noise(number) for number in range(4)]
    body = reply_with(*images)
    ends = ends_in(body, images)
    for cut in random.Random(seed).sample(range(1, len(body)), 25):
        folder = tmp_path / str(cut)
        folder.mkdir()
        raw.scripts = [cut_at(body, cut)]

        outcome = buy(raw, "-n", "4", "-o", f"{folder}/")

        whole = [image for image, end in zip(images, ends, strict=True) if end <= cut]
        message = require_failure(outcome, 11, "yes" if whole else "maybe")
        paths = [Path(line) for line in outcome.stdout.splitlines()]
        assert [path.read_bytes() for path in paths] == whole
        assert sorted(images_below(folder)) == sorted(whole)
        kept = folder / "cat-incomplete-reply.json"
        assert kept.exists() is (len(whole) < 4)
        assert (str(kept) in message) is kept.exists()
        assert not kept.exists() or kept.read_bytes() == body[:cut]
        assert len(list(folder.iterdir())) == len(whole) + kept.exists()
    injected(raw.played == 25, f"a reply cut at 25 places, seed {seed}")


@pytest.mark.parametrize("missing", [b"}", b"]}", b', "seed": 7}]}'])
def test_an_end_of_the_document_that_is_missing_costs_no_image(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, missing: bytes
) -> None:
    """The service believes that it has sent all: 22, and the paths."""
    images = [noise(1), noise(2)]
    body = reply_with(*images).removesuffix(missing)
    raw.scripts = [answers(body)]

    outcome = buy(raw, "-n", "2")

    kept = tmp_path / "cat-reply.json"
    message = require_failure(outcome, 22, "yes")
    assert message == f"the reply is damaged beside its images; it is kept at {kept}"
    assert [Path(line).read_bytes() for line in outcome.stdout.splitlines()] == images
    assert kept.read_bytes() == body
    injected(raw.played == 1, f"without {missing!r}")


@pytest.mark.parametrize("behind", [b"}", b"<html>Sign in</html>", reply_with(png())])
def test_what_stands_behind_the_document_costs_no_image(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, behind: bytes
) -> None:
    """It is kept, too."""
    body = reply_with(noise(1)) + behind
    raw.scripts = [answers(body)]

    outcome = buy(raw)

    require_failure(outcome, 22, "yes")
    assert Path(outcome.stdout.strip()).read_bytes() == noise(1)
    assert (tmp_path / "cat-reply.json").read_bytes() == body
    injected(raw.played == 1, f"behind the document: {behind[:9]!r}")


@pytest.mark.parametrize("small", [False, True], ids=["large", "small"])
def test_a_reply_that_is_whole_but_for_its_last_chunk_is_a_whole_image(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, small: bool
) -> None:
    """It is not bought again, whatever was allowed."""
    image = png() if small else photo()
    body = reply_with(image)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw.scripts = [pouring(head + b"%x\r\n%s\r\n" % (len(body), body))]

    outcome = buy(raw, "--retry-billed")

    message = require_failure(outcome, 11, "yes")
    assert message.endswith("broke before the reply was whole; its image is saved")
    assert outcome.stdout == f"{tmp_path / 'cat.png'}\n"
    assert files_in(tmp_path) == {"cat.png": image}
    assert raw.posts == 1
    injected(raw.played == 1, "no last chunk")


def test_each_attempt_that_was_paid_for_keeps_what_it_brought(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """--retry-billed: whole images are saved, halves are kept, none replaces another."""
    bodies = [reply_with(*(noise(10 * each + n) for n in range(3))) for each in range(3)]
    cuts = [ends_in(bodies[0], [noise(1)])[0] + 50, ends_in(bodies[1], [noise(10)])[0] - 50]
    raw.scripts = [
        *(cut_at(body, cut) for body, cut in zip(bodies[:2], cuts, strict=True)),
        answers(bodies[2]),
    ]

    outcome = buy(raw, "-n", "3", "--retry-billed")

    assert outcome.exit_code == 0
    saved = [Path(line).read_bytes() for line in outcome.stdout.splitlines()]
    assert saved == [noise(0), noise(1), noise(20), noise(21), noise(22)]
    assert (tmp_path / "cat-incomplete-reply.json").read_bytes() == bodies[0][: cuts[0]]
    assert (tmp_path / "cat-incomplete-reply-2.json").read_bytes() == bodies[1][: cuts[1]]
    assert outcome.stderr.count("; it is kept at ") == 2
    assert "2 of 3 images are saved; it is kept at" in outcome.stderr
    injected(raw.posts == 3, "two replies that broke off, then a whole one")


def test_a_second_attempt_does_not_compete_for_the_names_of_the_first(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """-o x.png -n 2: the first brought x-1.png."""
    body = reply_with(noise(1), noise(2))
    raw.scripts = [cut_at(body, ends_in(body, [noise(1)])[0] + 50), answers(body)]

    outcome = buy(raw, "-n", "2", "-o", "x.png", "--retry-billed")

    assert outcome.exit_code == 0
    names = [Path(line).name for line in outcome.stdout.splitlines()]
    assert names == ["x-1.png", "x-1-2.png", "x-2.png"]
    injected(raw.posts == 2, "a reply that broke off, for two names")


_MEASURED = """
import atexit, re, runpy
from pathlib import Path
status = Path("/proc/self/status")
peak = lambda: re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]
atexit.register(lambda: Path("peak").write_text(peak()))
runpy.run_module("nscale_cli", run_name="__main__")
"""


def measured(program: Program, *words: str) -> tuple[Outcome, int]:
    """Run the program in a process of its own; return its outcome, and its peak in MiB."""
    with subprocess.Popen(
        [sys.executable, "-c", _MEASURED, *words],
        cwd=program.cwd,
        env=program.bare_env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdout, stderr = process.communicate(timeout=200)
    outcome = Outcome(exit_code=process.returncode, stdout_bytes=stdout, stderr=stderr.decode())
    require_no_key_bytes(outcome)
    return outcome, int((program.cwd / "peak").read_text()) >> 10


def large_image(number: int) -> bytes:
    """Return a PNG of 2.4 MB of its own for each number; all but the number is the same."""
    row = random.Random(1).randbytes(800_000 * 3)
    chunk = b"tEXt" + b"number\0%d" % number
    text = (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    header = b"IHDR" + (1000).to_bytes(4) + (800).to_bytes(4) + b"\x08\x02\0\0\0"
    pixels = b"IDAT" + row
    chunks = [
        (len(each) - 4).to_bytes(4) + each + zlib.crc32(each).to_bytes(4)
        for each in (header, pixels, b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + chunks[0] + text + b"".join(chunks[1:])


def large_reply(count: int) -> Iterator[bytes]:
    """Yield a reply with large images, in pieces."""
    yield b'{"created": 1, "data": ['
    for number in range(count):
        yield b", " if number else b""
        yield json.dumps({"b64_json": as_base64(large_image(number))}).encode()
    yield b"]}"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's peak memory as Linux does")
def test_fifty_large_images_need_the_memory_of_one(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """A reply of 160 MB, in less than 120 MiB with all that the program itself takes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    raw.scripts = [pouring(head, large_reply(50))]
    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-n", "50")

    outcome, peak = measured(program, *words, "--json")

    assert outcome.exit_code == 0, outcome.stderr
    images = outcome.document["data"]["images"]
    assert len(images) == len({image["path"] for image in images}) == 50
    for number, image in enumerate(images):
        assert Path(image["path"]).read_bytes() == large_image(number)
        Path(image["path"]).unlink()
    assert len(large_image(0)) > 2_400_000
    assert peak < 120
    injected(raw.posts == 1, "a reply of fifty large images")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's peak memory as Linux does")
@pytest.mark.parametrize("kind", ["images", "nulls"])
def test_an_absurd_number_of_items_is_bounded_work_and_bounded_words(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path, kind: str
) -> None:
    """What was asked for is saved, a few more as well; all the rest is one file."""
    count = 1500 if kind == "images" else 200_000
    one = {"b64_json": as_base64(noise(1))}
    body = reply_of(one, *([one] * (count - 1) if kind == "images" else [None] * count))
    raw.scripts = [answers(body)]
    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY)

    outcome, peak = measured(program, *words)

    kept = tmp_path / "cat-reply.json"
    message = require_failure(outcome, 22, "yes")
    errors = re.findall("^error: .*", outcome.stderr, re.MULTILINE)
    assert f"1 images were asked for, more than 17 came; it is kept at {kept}" in errors[-1]
    assert len(outcome.stderr) < 5000, message
    assert kept.read_bytes() == body
    assert len(list(tmp_path.glob("*.json"))) == 1
    saved = outcome.stdout.splitlines()
    assert len(saved) == (17 if kind == "images" else 1)
    assert all(Path(line).read_bytes() == noise(1) for line in saved)
    assert peak < 150
    injected(raw.posts == 1, f"{count} {kind} for one image")


def test_an_image_that_is_too_large_does_not_take_the_others_along(
    buy: Buy,
    raw: RawServer,
    injected: Injected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is kept as it came, and said."""
    monkeypatch.setattr(save, "MAX_IMAGE_BYTES", 1 << 17)
    raw.scripts = [answers(reply_with(noise(1), photo(), noise(2)))]

    outcome = buy(raw, "-n", "3")

    message = require_failure(outcome, 22, "yes")
    kept = tmp_path / "cat.bin"
    assert message == f"image 2 is not usable: it is larger than 0 MiB; it is kept at {kept}"
    assert kept.read_bytes() == photo()
    saved = [Path(line).read_bytes() for line in outcome.stdout.splitlines()]
    assert saved == [noise(1), noise(2)]
    injected(len(photo()) > 1 << 17, "an image that is too large")


def test_a_reply_that_is_too_large_keeps_the_images_that_came_before(
    buy: Buy,
    raw: RawServer,
    injected: Injected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading stops there."""
    monkeypatch.setattr(reply_stream, "MAX_REPLY_BYTES", 1 << 20)
    body = reply_with(*(photo() for _ in range(9)))
    raw.scripts = [answers(body)]

    outcome = buy(raw, "-n", "9")

    message = require_failure(outcome, 12, "yes")
    assert message.startswith(
        "the reply is larger than 1 MiB; reading stopped; 3 of 9 images are saved; it is kept at "
    )
    saved = [Path(line).read_bytes() for line in outcome.stdout.splitlines()]
    assert saved == [photo()] * 3
    kept = (tmp_path / "cat-incomplete-reply.json").read_bytes()
    assert body.startswith(kept) and len(kept) > 1 << 20
    injected(raw.posts == 1, "a reply that is too large")


@pytest.mark.parametrize("members", [2, 5, 40])
def test_all_members_of_a_gzip_reply_are_read(
    buy: Buy, raw: RawServer, injected: Injected, members: int
) -> None:
    """Servers that pack piece by piece send several; the image may lie across them."""
    body = reply_with(photo())
    size = len(body) // members + 1
    packed = b"".join(gzip.compress(body[at : at + size]) for at in range(0, len(body), size))
    raw.scripts = [answers(packed, 200, "Content-Encoding: gzip")]

    outcome = buy(raw)

    assert outcome.exit_code == 0
    assert Path(outcome.stdout.strip()).read_bytes() == photo()
    injected(raw.posts == 1, f"gzip in {members} members")


@pytest.mark.parametrize("damage", ["a later member", "something behind", "no end", "checksum"])
def test_where_unpacking_fails_in_the_middle_nothing_is_lost(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, damage: str
) -> None:
    """The image that was whole by then is saved, and the reply is kept as it came."""
    body = reply_with(noise(1), noise(2))
    end = ends_in(body, [noise(1)])[0] + 5000
    first, second = gzip.compress(body[:end]), bytearray(gzip.compress(body[end:]))
    if damage == "a later member":
        second[200:300] = bytes(100)
    elif damage == "something behind":
        second = bytearray(b"<html>" * 20)
    elif damage == "no end":
        del second[-3000:]
    else:
        second[-8:] = bytes(8)
    raw.scripts = [answers(packed := first + bytes(second), 200, "Content-Encoding: gzip")]

    outcome = buy(raw, "-n", "2")

    require_failure(outcome, 22, "yes")
    whole = 2 if damage == "checksum" else 1
    saved = [Path(line).read_bytes() for line in outcome.stdout.splitlines()]
    assert saved == [noise(1), noise(2)][:whole]
    assert (tmp_path / "cat-reply.json").read_bytes() == packed
    injected(raw.posts == 1, f"gzip with damage: {damage}")


@pytest.mark.parametrize(
    "name", ["8 bytes of PNG", "half a PNG", "12 bytes of WebP", "3 bytes of JPEG", "half a JPEG"]
)
@pytest.mark.parametrize("output", ["", "x.png", "-"])
def test_a_piece_of_an_image_is_none(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, name: str, output: str
) -> None:
    """It is kept under a name that no viewer claims; nothing reaches standard output."""
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(jpeg, "jpeg")
    pieces = {
        "8 bytes of PNG": png()[:8],
        "half a PNG": photo()[: len(photo()) // 2],
        "12 bytes of WebP": b"RIFF\x04\x00\x00\x00WEBP",
        "3 bytes of JPEG": b"\xff\xd8\xff",
        "half a JPEG": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
    }
    raw.scripts = [answers(reply_with(pieces[name]))]

    outcome = buy(raw, *(["-o", output] if output else []))

    message = require_failure(outcome, 22, "yes")
    assert f"its {name.split()[-1]} is cut off; it is kept at " in message
    assert outcome.stdout == ""
    (kept,) = files_in(tmp_path).values()
    assert kept == pieces[name]
    injected(raw.posts == 1, name)


def test_a_disk_that_fills_up_in_the_middle_of_an_image_costs_none(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """What it took of the image is read back; the other images go to the rescue folder as well."""
    from tests.faults.mounts import mounted

    count = 3
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    raw.scripts = [pouring(head, large_reply(count))]
    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-n", "3")
    with mounted(tmp_path / "disk", "size=4500k") as disk:
        outcome = program.run(*words, "-o", "disk/")
        on_disk = [path.read_bytes() for path in disk.iterdir()]

    require_failure(outcome, 20, "yes")
    paths = outcome.stdout.splitlines()
    assert paths == [
        str(tmp_path / "disk/cat.png"),
        str(tmp_path / RESCUED / "cat.png"),
        str(tmp_path / RESCUED / "cat-2.png"),
    ]
    rescued = [Path(path).read_bytes() for path in paths[1:]]
    assert [*on_disk, *rescued] == [large_image(number) for number in range(count)]
    injected(raw.posts == 1, "a disk of 4.5 MB for 7 MB")


def test_an_image_is_on_the_disk_before_the_next_has_come(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """Whatever happens afterwards: here the program is killed."""
    body = reply_with(photo(), photo())
    end = ends_in(body, [photo()])[0]

    def script(connection: Connection) -> None:
        connection.send(response(body)[: len(response(body)) - len(body) + end + 1000])
        connection.hang()

    raw.scripts = [script]
    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-n", "2")
    with program.start(*words) as run:
        while not (tmp_path / "cat.png").exists():
            assert run.poll() is None
        run.kill()
        run.communicate()

    assert (tmp_path / "cat.png").read_bytes() == photo()
    injected(run.returncode == -9 and raw.posts == 1, "SIGKILL between two images")


@pytest.mark.parametrize("dress", ["prefix", "lines", "url-safe", "slashes"])
def test_images_in_another_dress_are_saved_before_a_reply_breaks_off(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, dress: str
) -> None:
    """They are understood once they are whole."""
    text = as_base64(photo())
    dressed = {
        "prefix": f"data:image/png;base64,{text}",
        "lines": "\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
        "url-safe": base64.urlsafe_b64encode(photo()).decode(),
        "slashes": text,
    }[dress]
    body = reply_of({"b64_json": dressed}, {"b64_json": dressed})
    if dress == "slashes":
        body = body.replace(b"/", rb"\/")
    cut = len(body) - 1000
    raw.scripts = [cut_at(body, cut)]

    outcome = buy(raw, "-n", "2")

    require_failure(outcome, 11, "yes")
    assert Path(outcome.stdout.strip()).read_bytes() == photo()
    assert (tmp_path / "cat-incomplete-reply.json").read_bytes() == body[:cut]
    injected(raw.posts == 1, f"a cut reply with images as {dress}")

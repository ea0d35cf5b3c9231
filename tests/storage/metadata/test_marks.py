"""Marks of ours: beside the pixels, read by others, and gone without a trace when taken out."""

import hashlib
import io
import json
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from nscale_cli.storage.metadata.blocks import CannotHold
from nscale_cli.storage.metadata.formats import format_of, read_blocks
from nscale_cli.storage.metadata.marks import Origin, embedded, public_host, sidecar, stripped
from tests.conftest import require_command
from tests.faults.odd_images import IMAGES, encoded, gradient
from tests.storage.metadata.pictures import (
    PICTURES,
    with_chunk,
    with_riff_chunk,
    with_segment,
)

PROMPT = "A red fox, “quoted” & <tagged>\nin snow: 狐"
BODY = {
    "model": "black-forest-labs/FLUX.1-schnell",
    "prompt": PROMPT,
    "size": "1024x1024",
    "n": 1,
    "seed": 7,
    "negative_prompt": "blurry, dark",
}
ORIGIN = Origin(
    body=BODY,
    host="inference.api.nscale.com",
    created_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
)
PNG, JPEG, WEBP = (encoded(gradient(), kind) for kind in ("png", "jpeg", "webp"))
each_mode = pytest.mark.parametrize("mode", ["mark", "full"])
each_picture = pytest.mark.parametrize("name", PICTURES)


def pixels(data: bytes) -> list[tuple[str, bytes]]:
    """Return the pixels of each frame."""
    with Image.open(io.BytesIO(data)) as picture:
        return [(frame.mode, frame.tobytes()) for frame in ImageSequence.Iterator(picture)]


@each_mode
@each_picture
def test_pixels_are_the_same_and_stripping_gives_the_original_back(name: str, mode: str) -> None:
    """Byte for byte, whatever the picture is made of."""
    original = PICTURES[name]()

    marked = embedded(original, ORIGIN, mode)

    assert marked != original
    assert pixels(marked) == pixels(original)
    result = stripped(marked)
    assert result.is_original is True
    assert hashlib.sha256(result.data).digest() == hashlib.sha256(original).digest()


@each_picture
def test_what_else_was_in_the_file_is_still_there(name: str) -> None:
    """Profile, Exif, text, frames and their times, as Pillow sees them."""
    original = PICTURES[name]()

    marked = embedded(original, ORIGIN, "full")

    def described(data: bytes) -> dict[str, object]:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            info = {key: value for key, value in picture.info.items() if key not in ours}
            return info | {"size": picture.size, "mode": picture.mode}

    ours = ("xmp", "XML:com.adobe.xmp", "parameters")
    assert described(marked) == described(original)


def exiftool(path: Path) -> dict[str, object]:
    """Return what exiftool, which knows every format of metadata, reads in a file."""
    tool = require_command("exiftool", shutil.which("exiftool"))
    done = subprocess.run(
        [tool, "-json", "-G1", "-a", "-All", "-Validate", "-Warning", path],
        capture_output=True,
        check=True,
    )
    (found,) = json.loads(done.stdout)
    return found


@pytest.mark.slow
@each_picture
def test_exiftool_reads_our_marks_and_finds_nothing_wrong(name: str, tmp_path: Path) -> None:
    """Neither with the file nor with what is added."""
    path = tmp_path / "image"
    original = PICTURES[name]()
    path.write_bytes(original)
    before = exiftool(path)
    path.write_bytes(embedded(original, ORIGIN, "full"))

    found = exiftool(path)

    def warnings(facts: dict[str, object]) -> int:
        return len([key for key in facts if "Warning" in key])

    assert warnings(found) == warnings(before)
    assert str(found["XMP-iptcExt:DigitalSourceType"]).endswith("/trainedAlgorithmicMedia")
    assert found["XMP-xmp:CreatorTool"].startswith("nscale ")  # type: ignore[attr-defined]
    assert found["XMP-iptcExt:AISystemUsed"] == BODY["model"]
    information = json.loads(str(found["XMP-iptcExt:AIPromptInformation"]))
    assert information == {"request": BODY, "host": "inference.api.nscale.com"}


def test_parameters_in_a_png_are_what_the_web_ui_writes(tmp_path: Path) -> None:
    """In Latin-1 as tEXt, else as iTXt; at least three pairs, or they would be read as prompt."""
    path = tmp_path / "fox.png"
    path.write_bytes(embedded(PNG, ORIGIN, "full"))
    text = Image.open(path).text["parameters"]  # type: ignore[attr-defined]

    assert exiftool(path)["PNG:Parameters"] == text
    lines = text.split("\n")
    assert "\n".join(lines[:2]) == PROMPT
    assert lines[2] == "Negative prompt: blurry, dark"
    assert lines[3].startswith(
        "Seed: 7, Size: 1024x1024, Model: black-forest-labs/FLUX.1-schnell, Version: nscale "
    )
    assert b"iTXtparameters" in path.read_bytes()
    plain = Origin(body=BODY | {"prompt": "café"}, host="h", created_at=ORIGIN.created_at)
    assert b"tEXtparameters\0caf\xe9\n" in embedded(PNG, plain, "full")


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP])
def test_a_mark_says_nothing_of_the_request(data: bytes) -> None:
    """It is safe to publish: only that a model made it, which, and with which tool."""
    marked = embedded(data, ORIGIN, "mark")

    for word in ("fox", "blurry", "inference.api.nscale.com", "1024x1024", "2026"):
        assert word.encode() not in marked
    assert b"trainedAlgorithmicMedia" in marked


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "::1", socket.gethostname(), socket.gethostname().upper() + ".",
     socket.gethostname() + ".local"],
)  # fmt: skip
def test_the_name_of_this_machine_is_not_written(host: str) -> None:
    """A server of one's own may run under it."""
    assert public_host(host) == "localhost"
    origin = Origin(body=BODY, host=host, created_at=ORIGIN.created_at)
    for written in (embedded(PNG, origin, "full"), sidecar(PNG, origin, with_request=True)):
        assert b"localhost" in written
        assert socket.gethostname().lower().encode() not in written.lower()


@pytest.mark.slow
def test_any_prompt_makes_a_packet_that_can_be_read(tmp_path: Path) -> None:
    """Also with characters that XML has no place for."""
    prompt = "".join(map(chr, range(0x20))) + "\x7f\x85\u2028\ufffe\uffff]]><!--&amp;\U0001f98a"
    origin = Origin(body=BODY | {"prompt": prompt}, host="h", created_at=ORIGIN.created_at)

    for data in (PNG, JPEG, WEBP):
        path = tmp_path / "image"
        path.write_bytes(embedded(data, origin, "full"))
        text = str(exiftool(path)["XMP-iptcExt:AIPromptInformation"])
        assert json.loads(text)["request"]["prompt"] == prompt
        assert stripped(path.read_bytes()).data == data


SIGNED = {
    "PNG": with_chunk(PNG, b"caBX", b"jumb"),
    "JPEG": with_segment(JPEG, 0xEB, b"JP\0\1\0\0\0\1jumb"),
    "WebP": with_riff_chunk(WEBP, b"C2PA", b"jumb"),
}


@each_mode
@pytest.mark.parametrize("name", SIGNED)
def test_a_signed_file_is_left_alone(name: str, mode: str) -> None:
    """Content Credentials would no longer hold for it."""
    assert read_blocks(SIGNED[name]).credentials
    with pytest.raises(CannotHold, match=r"^it carries Content Credentials"):
        embedded(SIGNED[name], ORIGIN, mode)


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP])
def test_a_file_with_xmp_is_left_alone(data: bytes) -> None:
    """A second packet would make readers choose; and ours is not added twice."""
    marked = embedded(data, ORIGIN, "mark")
    with pytest.raises(CannotHold, match=r"^it already carries XMP"):
        embedded(marked, ORIGIN, "mark")


def test_parameters_of_somebody_else_are_left_alone() -> None:
    """And stay when ours are taken out."""
    theirs = with_chunk(PNG, b"tEXt", b"parameters\0a cat\nSteps: 1, Seed: 2, Size: 8x8")
    marked = embedded(theirs, ORIGIN, "full")

    assert marked.count(b"parameters\0") == 1
    assert stripped(marked).data == theirs


def test_a_request_too_long_for_a_jpeg_is_refused() -> None:
    """One segment holds 64 kB; the two others hold it all."""
    origin = Origin(body=BODY | {"prompt": "fox " * 20_000}, host="h", created_at=ORIGIN.created_at)

    with pytest.raises(CannotHold, match=r"^a JPEG holds 64 kB"):
        embedded(JPEG, origin, "full")
    for data in (PNG, WEBP):
        assert stripped(embedded(data, origin, "full")).data == data


@pytest.mark.parametrize("name", IMAGES)
def test_an_odd_file_is_marked_and_restored_or_refused(name: str) -> None:
    """Never torn: what cannot be marked is left as it is."""
    data = IMAGES[name]()
    try:
        marked = embedded(data, ORIGIN, "full")
    except CannotHold:
        return
    assert stripped(marked).data == data
    assert format_of(marked) == format_of(data)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"RIFF\x04\0\0\0WAVE"])
def test_other_formats_are_refused(data: bytes) -> None:
    """And have nothing to take out."""
    with pytest.raises(CannotHold, match=r"^it is neither PNG, JPEG nor WebP$"):
        embedded(data, ORIGIN, "mark")
    assert stripped(data).data == data


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP])
def test_stripping_what_has_no_marks_changes_nothing(data: bytes) -> None:
    """And does not claim that it is an original."""
    assert (stripped(data).data, stripped(data).is_original) == (data, None)


def test_stripping_a_file_that_was_changed_since_says_so() -> None:
    """The marks go, but what is left is not what the service sent."""
    marked = bytearray(embedded(PNG, ORIGIN, "full"))
    marked[-30] ^= 1

    result = stripped(bytes(marked))

    assert result.is_original is False
    assert b"nscale" not in result.data


def test_a_sidecar_tells_as_much_as_was_asked_for() -> None:
    """The image that it belongs to, by what it holds, and never a path."""
    short = json.loads(sidecar(PNG, ORIGIN, with_request=False))
    whole = json.loads(sidecar(PNG, ORIGIN, with_request=True))

    assert short == {
        "version": 1,
        "tool": short["tool"],
        "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/"
        "trainedAlgorithmicMedia",
        "model": "black-forest-labs/FLUX.1-schnell",
        "sha256": hashlib.sha256(PNG).hexdigest(),
    }
    assert whole == short | {
        "created_at": "2026-11-24T12:00:00+00:00",
        "request": BODY,
        "host": "inference.api.nscale.com",
    }

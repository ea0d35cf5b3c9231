"""Pictures as a report reads, hashes and encodes them."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from nscale_cli.output.report.pictures import (
    HASH_BITS,
    PictureUnreadable,
    distance,
    encode,
    perceptual_hash,
    read,
)
from nscale_cli.sandbox.pictures import draw


def scene(prompt: str, index: int = 0) -> Image.Image:
    """Return one of the sandbox's pictures."""
    return draw(prompt=prompt, model="m", width=256, height=256, index=index)


def test_a_picture_is_read_no_larger_than_asked_for(tmp_path: Path) -> None:
    """And no larger than it is."""
    Image.new("RGB", (900, 300)).save(tmp_path / "a.png")

    assert read(tmp_path / "a.png", 300).size == (300, 100)
    assert read(tmp_path / "a.png", 4000).size == (900, 300)


@pytest.mark.parametrize("name", ["gone.png", "a.gif", "broken.png"])
def test_what_is_no_picture_is_named(tmp_path: Path, name: str) -> None:
    """Only PNG, JPEG and WebP are ever opened, and a file that is gone says so."""
    Image.new("RGB", (9, 9)).save(tmp_path / "a.gif")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    with pytest.raises(PictureUnreadable, match="gone" if "gone" in name else "decoded"):
        read(tmp_path / name, 100)


def test_the_hash_of_a_picture_stays_when_it_is_encoded_or_scaled() -> None:
    """Its distance to itself is small, to another scene it is large."""
    one = scene("the sea")
    again = Image.open(io.BytesIO(encode(one, 128)))
    nearly = one.filter(ImageFilter.GaussianBlur(1))

    assert distance(perceptual_hash(one), perceptual_hash(again)) <= 2
    assert distance(perceptual_hash(one), perceptual_hash(nearly)) <= 2
    assert distance(perceptual_hash(one), perceptual_hash(scene("a cat"))) > 8
    assert 0 <= perceptual_hash(one) < 2**HASH_BITS


def test_the_hash_says_where_a_picture_grows_lighter() -> None:
    """All bits of a ramp to the right, none of a ramp to the left."""
    ramp = Image.linear_gradient("L").rotate(90)

    hashes = perceptual_hash(ramp), perceptual_hash(ramp.rotate(180))
    assert sorted(hashes) == [0, 2**HASH_BITS - 1]
    assert distance(*hashes) == HASH_BITS


def test_a_thumbnail_carries_nothing_but_its_pixels(tmp_path: Path) -> None:
    """No text, date, comment or profile of the original."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("parameters", "model: secret")
    exif = Image.Exif()
    exif[0x0131] = "secret"
    scene("the sea").save(tmp_path / "a.png", pnginfo=info, exif=exif)
    assert (tmp_path / "a.png").read_bytes().count(b"secret") == 2
    data = encode(read(tmp_path / "a.png", 200), 100)

    assert b"secret" not in data and b"Exif" not in data
    assert Image.open(io.BytesIO(data)).size == (100, 100)

"""One image format to another."""

import io

import pytest
from PIL import Image, ImageCms

from nscale_cli.errors import Incomplete
from nscale_cli.storage.imaging import convert

RED, CLEAR_RED, WHITE = (255, 0, 0), (255, 0, 0, 0), (255, 255, 255)
SIZE = (16, 8)


def encoded(picture: Image.Image, image_format: str, **options: object) -> bytes:
    """Return the picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, format=image_format, **options)
    return stream.getvalue()


def decoded(data: bytes, image_format: str) -> Image.Image:
    """Return the picture of a file that must be of the format."""
    picture = Image.open(io.BytesIO(data), formats=[image_format.upper()])
    picture.load()
    return picture


def near(picture: Image.Image, x: int, expected: tuple[int, ...]) -> bool:
    """Return whether a pixel of the first row has the colour, but for what compression changes."""
    pixel = picture.convert("RGBA" if len(expected) == 4 else "RGB").getpixel((x, 0))
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= 4 for a, b in zip(pixel, expected, strict=True))


@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("given", ["png", "jpeg", "webp"])
def test_each_format_becomes_each_other(given: str, wanted: str) -> None:
    """The picture keeps its size and its colour."""
    picture = decoded(convert(encoded(Image.new("RGB", SIZE, RED), given), wanted), wanted)
    assert (picture.size, picture.mode) == (SIZE, "RGB")
    assert near(picture, 0, RED)


@pytest.mark.parametrize(
    ("given", "mode"),
    [("jpeg", "RGB"), ("jpeg", "L"), ("webp", "RGB"), ("webp", "RGBA"), ("png", "RGBA")],
)
def test_png_has_the_same_pixels(given: str, mode: str) -> None:
    """Converting to PNG loses nothing."""
    gradient = Image.linear_gradient("L").convert(mode)
    if mode == "RGBA":
        gradient.putalpha(Image.radial_gradient("L"))
    data = encoded(gradient, given)
    assert decoded(convert(data, "png"), "png").tobytes() == decoded(data, given).tobytes()


@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (16_384, 64), (65_535, 255)])
def test_grey_of_16_bits_is_scaled_and_not_cut_off(value: int, expected: int, wanted: str) -> None:
    """A quarter of the full value stays a quarter."""
    data = encoded(Image.new("I;16", SIZE, value), "png")
    assert near(decoded(convert(data, wanted), wanted), 0, (expected,) * 3)


@pytest.mark.parametrize("mode", ["1", "L"])
@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
def test_black_and_white_stay_so(mode: str, wanted: str) -> None:
    """Pictures without colour are pictures too."""
    picture = Image.new(mode, SIZE, 0)
    picture.paste(255, (0, 0, 8, 8))
    result = decoded(convert(encoded(picture, "png"), wanted), wanted)
    assert near(result, 0, WHITE)
    assert near(result, 15, (0, 0, 0))


@pytest.mark.parametrize("wanted", ["jpeg", "webp"])
def test_palette_becomes_its_colours(wanted: str) -> None:
    """Neither format has palettes."""
    picture = Image.new("RGB", SIZE, RED).convert("P", palette=Image.Palette.ADAPTIVE)
    result = decoded(convert(encoded(picture, "png"), wanted), wanted)
    assert (result.mode, near(result, 0, RED)) == ("RGB", True)


def transparent(mode: str) -> bytes:
    """Return a wholly transparent picture as PNG, in each way in which PNG can say so."""
    if mode == "P":
        picture = Image.new("P", SIZE)
        picture.putpalette(RED)
        return encoded(picture, "png", transparency=0)
    if mode in ("L", "RGB"):
        colour = 76 if mode == "L" else RED
        return encoded(Image.new(mode, SIZE, colour), "png", transparency=colour)
    return encoded(Image.new("RGBA", SIZE, CLEAR_RED).convert(mode), "png")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparency_is_drawn_on_white_for_jpeg(mode: str) -> None:
    """A JPEG has none, and black would be a surprise."""
    result = decoded(convert(transparent(mode), "jpeg"), "jpeg")
    assert (result.mode, near(result, 0, WHITE)) == ("RGB", True)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparency_stays_in_webp(mode: str) -> None:
    """What is transparent in a PNG is so in the WebP."""
    result = decoded(convert(transparent(mode), "webp"), "webp")
    assert result.mode == "RGBA"
    assert result.getchannel("A").getextrema() == (0, 0)


def test_half_transparency_is_mixed_with_white() -> None:
    """Soft edges stay soft."""
    data = encoded(Image.new("RGBA", SIZE, (255, 0, 0, 128)), "png")
    assert near(decoded(convert(data, "jpeg"), "jpeg"), 0, (255, 127, 127))


@pytest.mark.parametrize("wanted", ["png", "webp"])
def test_cmyk_becomes_rgb(wanted: str) -> None:
    """Only JPEG holds the colours of print."""
    data = encoded(Image.new("CMYK", SIZE, (0, 255, 255, 0)), "jpeg")
    result = decoded(convert(data, wanted), wanted)
    assert (result.mode, near(result, 0, RED)) == ("RGB", True)


@pytest.mark.parametrize("wanted", ["png", "webp"])
def test_colour_profile_is_kept(wanted: str) -> None:
    """Without it the same numbers would show as other colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.new("RGB", SIZE, RED), "jpeg", icc_profile=profile)
    assert decoded(convert(data, wanted), wanted).info["icc_profile"] == profile


def test_profile_of_other_colours_is_dropped() -> None:
    """A profile for print means nothing in a picture that is RGB by now."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    data = encoded(Image.new("CMYK", SIZE), "jpeg", icc_profile=profile)
    assert "icc_profile" not in decoded(convert(data, "png"), "png").info


def test_large_image_is_converted_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own warning would reach stderr past the terminal; its limit still holds."""
    data = encoded(Image.new("RGB", SIZE, RED), "png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decoded_size(convert(data, "jpeg")) == SIZE
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(Incomplete, match=r"^it could not be converted: Image size \(128 pixels\)"):
        convert(data, "jpeg")


def decoded_size(data: bytes) -> tuple[int, int]:
    """Return the size that a JPEG's own header gives."""
    start = data.index(b"\xff\xc0")
    height, width = data[start + 5 : start + 7], data[start + 7 : start + 9]
    return int.from_bytes(width), int.from_bytes(height)


PNG = encoded(Image.effect_noise(SIZE, 50), "png")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


GIF, BMP = (encoded(Image.new("L", SIZE), name) for name in ("gif", "bmp"))


@pytest.mark.parametrize("data", [b"", b"no image", PNG[:8], b"\xff\xd8\xff", EPS, GIF, BMP])
def test_what_cannot_be_read_is_said_to_be_damaged(data: bytes) -> None:
    """Other formats are not even tried: reading EPS would start another program."""
    with pytest.raises(Incomplete) as caught:
        convert(data, "png")
    assert caught.value.message == "it could not be converted: it is damaged"


def test_cut_off_image_says_how_it_is_broken() -> None:
    """The reason is Pillow's, in one sentence."""
    with pytest.raises(Incomplete) as caught:
        convert(PNG[: len(PNG) // 2], "jpeg")
    assert caught.value.message.startswith("it could not be converted: image file is truncated")


def test_image_too_large_for_its_new_format_is_said_to_be() -> None:
    """WebP ends at 16383 pixels a side."""
    with pytest.raises(Incomplete, match=r"^it could not be converted: .+"):
        convert(encoded(Image.new("1", (16_384, 1)), "png"), "webp")


def test_a_photo_that_lies_on_its_side_is_converted_upright() -> None:
    """A PNG has no EXIF orientation that viewers heed, so the pixels are turned."""
    picture = Image.new("RGB", (40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees to see it upright
    data = io.BytesIO()
    picture.save(data, "jpeg", exif=exif)

    with Image.open(io.BytesIO(convert(data.getvalue(), "png"))) as converted:
        assert converted.size == (20, 40)

"""Real pixels: what each protocol sends is decoded again, and compared."""

import base64
import io
import re
import shutil
import subprocess

import pytest
from PIL import Image, ImageChops, ImageStat

from nscale_cli.preview import pixels
from nscale_cli.preview.canvas import Canvas
from nscale_cli.preview.draw import Renderer
from tests.conftest import require_command
from tests.preview.conftest import picture
from tests.preview.sixels import UNDRAWN, decode_sixel

CANVAS = Canvas(columns=80, lines=36, colours=2**24, cell_pixels=(10, 20))
SIZES = [(64, 48), (1, 1), (7, 5), (1, 4000), (4000, 1), (1280, 1280), (333, 777)]


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return by how much two pictures differ on average, of 255."""
    assert first.size == second.size
    return max(ImageStat.Stat(ImageChops.difference(first, second.convert("RGB"))).mean)


def placed(lines: list[str]) -> str:
    """Return what is drawn; assert that room is made, and that the cursor ends in the last row."""
    rows = len(lines)
    start, end = "\n" * rows + f"\x1b[{rows}A\x1b7", "\x1b8"
    assert lines[0].startswith(start) and lines[0].endswith(end)
    assert lines[1:] == [""] * (rows - 1)
    return lines[0][len(start) : -len(end)]


def kitty_chunks(text: str) -> list[tuple[dict[str, str], str]]:
    """Return the keys and the payload of each command, and nothing may stand between them."""
    commands = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in commands) == text
    return [(dict(pair.split("=", 1) for pair in keys.split(",")), data) for keys, data in commands]


@pytest.mark.parametrize("size", SIZES)
def test_kitty_gets_the_picture_losslessly(size: tuple[int, int]) -> None:
    """In chunks of 4096, of which each but the last says that there is more."""
    lines = pixels.kitty(picture(*size), CANVAS)

    text = placed(lines)
    chunks = kitty_chunks(text)
    first = chunks[0][0]
    assert all(len(data) == 4096 for _, data in chunks[:-1])
    assert 0 < len(chunks[-1][1]) <= 4096
    assert [keys["m"] for keys, _ in chunks] == ["1"] * (len(chunks) - 1) + ["0"]
    assert all(set(keys) == {"m"} for keys, _ in chunks[1:])
    assert (first["a"], first["f"], first["q"]) == ("T", "100", "2")
    cells = int(first["c"]), int(first["r"])
    assert cells == CANVAS.cells_for(*size, pixels_per_column=10)
    assert len(lines) == cells[1]
    shown = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in chunks))))
    assert shown.format == "PNG"
    expected = pixels._fitted(picture(*size), CANVAS)[0]
    assert shown.tobytes() == expected.tobytes()
    assert shown.width <= min(size[0], 800) and shown.height <= min(size[1], 720)


@pytest.mark.parametrize("size", SIZES)
def test_iterm2_gets_a_jpeg_of_the_stated_size(size: tuple[int, int]) -> None:
    """The size in bytes, and the cells to fill."""
    text = placed(pixels.iterm2(picture(*size), CANVAS))

    found = re.fullmatch(r"\x1b]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07", text)
    assert found is not None
    keys = dict(pair.split("=") for pair in found[1].split(";"))
    data = base64.b64decode(found[2])
    cells = (int(keys["width"]), int(keys["height"]))
    assert int(keys["size"]) == len(data)
    assert keys["inline"] == "1"
    assert cells == CANVAS.cells_for(*size, pixels_per_column=10)
    shown = Image.open(io.BytesIO(data))
    assert shown.format == "JPEG"
    assert difference(pixels._fitted(picture(*size), CANVAS)[0], shown) < 12


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_sixels_show_the_picture(size: tuple[int, int]) -> None:
    """In 255 colours, so nearly; and not too many pixels, which are slow to send and to draw."""
    (text,) = pixels.sixel(picture(*size), CANVAS)

    shown = decode_sixel(text)

    assert shown.width * shown.height <= 640 * 481
    assert shown.width <= min(size[0], 800) and shown.height <= min(size[1], 720)
    assert difference(picture(*size).resize(shown.size, Image.Resampling.BOX), shown) < 12


def test_sixels_of_few_colours_are_exact() -> None:
    """Runs, gaps and bands that are not full are where encoders go wrong."""
    drawn = Image.new("RGB", (19, 13), "white")
    for place, colour in [((0, 0), "red"), ((18, 12), "blue"), ((9, 6), "black"), ((3, 11), "red")]:
        drawn.paste(colour, (*place, place[0] + 1, place[1] + 1))

    (text,) = pixels.sixel(drawn, CANVAS)

    assert difference(drawn, decode_sixel(text)) <= 1


def test_another_decoder_sees_the_same_sixels(tmp_path: object) -> None:
    """libsixel is what many terminals use."""
    decoder = require_command("sixel2png", shutil.which("sixel2png"))
    (text,) = pixels.sixel(picture(120, 90), CANVAS)

    decoded = subprocess.run([decoder], input=text.encode(), capture_output=True, check=True)

    shown = Image.open(io.BytesIO(decoded.stdout)).convert("RGB")
    assert difference(decode_sixel(text), shown) < 2


def test_what_several_pictures_leave_free_is_transparent() -> None:
    """A row of them is drawn as one; the terminal's background shows between them."""
    strip = pixels.strip([picture(100, 60), picture(40, 90)], CANVAS, 12)

    (text,) = pixels.sixel(strip, CANVAS)
    iterm2 = placed(pixels.iterm2(strip, CANVAS)).partition(":")[2]

    assert strip.size == (120 + 20 + 120, 100)
    assert strip.crop((140, 0, 180, 90)).convert("RGB").tobytes() == picture(40, 90).tobytes()
    shown = decode_sixel(text)
    assert shown.getpixel((120, 50)) == shown.getpixel((50, 80)) == UNDRAWN
    assert difference(picture(40, 90), shown.crop((140, 0, 180, 90))) < 12
    clear = Image.open(io.BytesIO(base64.b64decode(iterm2)))
    assert (clear.format, clear.getpixel((120, 50))) == ("PNG", (0, 0, 0, 0))


@pytest.mark.parametrize("protocol", [pixels.kitty, pixels.iterm2, pixels.sixel])
def test_a_protocol_is_plain_text_within_its_escapes(protocol: Renderer) -> None:
    """A line end would scroll, and the terminal's driver would change it."""
    lines = protocol(picture(300, 200), CANVAS)

    text = lines[0] if protocol is pixels.sixel else placed(lines)
    assert text.isascii()
    assert not set(text) & set("\n\r\t\b")

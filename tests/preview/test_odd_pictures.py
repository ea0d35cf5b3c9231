"""Pictures that are hard to show: a preview, or one line that says why there is none."""

import base64
import contextlib
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nscale_cli.preview.canvas import Canvas, PreviewUnavailable, load
from nscale_cli.preview.draw import NamedImage, draw
from tests.conftest import KEY, Cli, Program, ScriptedServer, images_reply
from tests.preview.conftest import picture
from tests.preview.odd_pictures import BROKEN, SHOWN, encoded, header

CANVAS = Canvas(columns=80, lines=36, colours=2**24)
KEPT_AS_IMAGES = ("bomb", "header", "megapixels", "pixels")


@pytest.mark.slow
@pytest.mark.parametrize("style", ["ascii", "blocks", "kitty", "iterm2", "sixel"])
@pytest.mark.parametrize("name", SHOWN)
def test_an_odd_picture_is_drawn_in_every_style(tmp_path: Path, name: str, style: str) -> None:
    """Within the canvas."""
    path = tmp_path / "odd.png"
    path.write_bytes(SHOWN[name]())

    (row,) = draw([NamedImage(name="odd", path=path)], CANVAS, style)

    assert row.failures == ()
    assert 1 <= len(re.sub(r"^\n+", "", row.text).split("\n")) <= 36


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_an_odd_picture_is_shown_and_not_changed(cli: Cli, tmp_path: Path, name: str) -> None:
    """The file is only read."""
    path = tmp_path / "odd.png"
    path.write_bytes(data := SHOWN[name]())

    outcome = cli("images", "show", "odd.png", env={"FORCE_COLOR": "1"})

    assert outcome.exit_code == 0
    assert "no preview" not in outcome.stderr
    assert outcome.stderr.startswith("\x1b[38;5;")
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_one_line_and_exit_code_2(cli: Cli, tmp_path: Path, name: str) -> None:
    """The line says why."""
    make, reason = BROKEN[name]
    path = tmp_path / "odd.png"
    path.write_bytes(make())

    outcome = cli("images", "show", "odd.png")

    assert outcome.exit_code == 2
    assert outcome.stderr == f"warning: no preview of odd.png: {_it(reason)}\n"
    assert outcome.stdout == ""
    assert path.read_bytes() == make()


def _it(reason: str) -> str:
    return f"it {reason}" if reason.startswith("cannot") else reason


@pytest.mark.parametrize("name", ["1x4000", "CMYK JPEG", "16 bits", "animated WebP"])
def test_a_preview_of_an_odd_image_does_not_change_the_run(
    against: Cli, server: ScriptedServer, tmp_path: Path, name: str
) -> None:
    """The bytes are the server's, the exit code is that of a saved image."""
    data = SHOWN[name]()
    server.answers = [images_reply({"b64_json": base64.b64encode(data).decode()})]

    outcome = against(server, "cat", "-p")

    assert outcome.exit_code == 0
    assert "warning" not in outcome.stderr
    assert len(outcome.stderr.splitlines()) > 1
    assert Path(outcome.stdout.rstrip("\n")).read_bytes() == data


@pytest.mark.parametrize(
    "name", [name for name in BROKEN if any(word in name for word in KEPT_AS_IMAGES)]
)
def test_a_preview_that_fails_does_not_change_the_run(
    against: Cli, server: ScriptedServer, tmp_path: Path, name: str
) -> None:
    """The image is saved already: one warning, and the exit code of the same run without -p."""
    make, reason = BROKEN[name]
    data = make()
    server.answers = [images_reply({"b64_json": base64.b64encode(data).decode()})]

    without = against(server, "cat", "-o", "without.png")
    outcome = against(server, "cat", "-o", "with.png", "-p")

    assert outcome.exit_code == without.exit_code == 0
    assert outcome.stderr.splitlines()[1:] == [f"warning: no preview of with.png: {_it(reason)}"]
    assert (tmp_path / "with.png").read_bytes() == data


def test_a_rotated_picture_stands_upright(tmp_path: Path) -> None:
    """As every viewer shows it."""
    path = tmp_path / "rotated.jpg"
    path.write_bytes(SHOWN["rotated"]())

    shown = load(path, CANVAS)

    assert shown.size == (100, 300)
    left, right = (shown.getpixel((x, 150)) for x in (5, 95))
    assert left[1] > 200 > 60 > right[1]  # what was down is at the left now


@pytest.mark.parametrize("name", ["animated PNG", "animated WebP"])
def test_of_an_animation_the_first_frame_is_shown(tmp_path: Path, name: str) -> None:
    """It does not move in a terminal."""
    path = tmp_path / "animated"
    path.write_bytes(SHOWN[name]())

    assert load(path, CANVAS).getpixel((20, 15)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["transparent", "transparent grey"])
def test_what_is_transparent_is_white(tmp_path: Path, name: str) -> None:
    """Black would hide dark drawings."""
    path = tmp_path / "transparent"
    path.write_bytes(SHOWN[name]())

    assert load(path, CANVAS).getcolors() == [(1200, (255, 255, 255))]


def test_16_bits_keep_their_shades(tmp_path: Path) -> None:
    """Cut off instead of divided, nearly all would be white."""
    path = tmp_path / "deep.png"
    levels = Image.linear_gradient("L").convert("I;16").point(lambda value: value * 257)
    levels.save(path)

    shown = load(path, CANVAS)

    assert [shown.getpixel((9, y)) for y in (0, 128, 255)] == [(y,) * 3 for y in (0, 128, 255)]


def test_a_cmyk_picture_keeps_its_colours(tmp_path: Path) -> None:
    """Printers' colours are the other way round."""
    path = tmp_path / "print.jpg"
    path.write_bytes(encoded(Image.new("RGB", (64, 64), (250, 120, 10)).convert("CMYK"), "jpeg"))

    assert load(path, CANVAS).getpixel((30, 30)) == pytest.approx((250, 120, 10), abs=6)


@pytest.mark.slow
@pytest.mark.parametrize(("image_format", "side"), [("webp", 4124), ("png", 5831), ("jpeg", 5831)])
def test_a_picture_that_needs_too_much_memory_is_not_decoded(
    tmp_path: Path, image_format: str, side: int
) -> None:
    """WebP's decoder needs twice as much as the others."""
    path = tmp_path / "large"
    path.write_bytes(encoded(Image.new("L", (side, side)), image_format))

    with pytest.raises(PreviewUnavailable, match=f"{side}x{side} is too large"):
        load(path, CANVAS)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    """It would fill the memory before anything is known of it."""
    path = tmp_path / "huge.png"
    path.write_bytes(header(10, 10))
    os.truncate(path, 50_000_000_000)

    with pytest.raises(PreviewUnavailable, match="it is larger than 100 MB"):
        load(path, CANVAS)


@given(st.data())
def test_no_damage_is_more_than_a_reason(tmp_path_factory: object, data: st.DataObject) -> None:
    """Bytes changed, cut or added anywhere: a picture, or PreviewUnavailable."""
    whole = bytearray(_SMALL[data.draw(st.sampled_from(sorted(_SMALL)))])
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = _scratch(tmp_path_factory)
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])

    with contextlib.suppress(PreviewUnavailable):
        assert load(path, CANVAS).mode == "RGB"


_SMALL = {
    "png": encoded(picture(9, 7)),
    "jpeg": encoded(picture(9, 7), "jpeg"),
    "webp": encoded(picture(9, 7), "webp"),
    "palette": encoded(picture(9, 7).quantize(4), transparency=1),
}


def _scratch(factory: object) -> Path:
    return factory.getbasetemp() / "damaged"  # type: ignore[attr-defined]


# As large as is still decoded, in the modes and formats that need the most for it.
WORST: dict[str, Callable[[], bytes]] = {
    "RGBA": lambda: encoded(Image.new("RGBA", (5830, 5830), (9, 99, 9, 99)), compress_level=1),
    "16 bits": lambda: encoded(Image.new("I;16", (5830, 5830), 999), compress_level=1),
    "CMYK JPEG": lambda: encoded(
        Image.new("CMYK", (5830, 5830), (9, 9, 9, 9)), "jpeg", progressive=True
    ),
    "WebP": lambda: encoded(
        Image.new("RGBA", (4100, 4100), (9, 99, 9, 99)), "webp", lossless=True, quality=0, method=0
    ),
    "bomb": lambda: header(12_000, 10_000),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak of the memory")
@pytest.mark.parametrize("name", WORST)
def test_the_largest_pictures_need_less_than_400_mib(program: Program, name: str) -> None:
    """In a real process, from its start to its end."""
    (program.cwd / "large.png").write_bytes(WORST[name]())
    peak = program.cwd / "peak"
    code = (
        "import atexit, re, sys\n"
        "def tell():\n"
        f"    status = open('/proc/self/status').read(); open({str(peak)!r}, 'w').write(\n"
        "        re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
        "atexit.register(tell)\n"
        "from nscale_cli.__main__ import run; run()\n"
    )
    style = ("--preview-style", "kitty")
    outcome = Command(cwd=program.cwd, code=code).run(
        "images", "show", "large.png", *style, env=program.env | {"FORCE_COLOR": "1"}
    )

    assert outcome.exit_code == (2 if name == "bomb" else 0), outcome.stderr[:500]
    assert 10 < int(peak.read_text()) / 1024 < 400


class Command(Program):
    """The program, started by a few lines of Python."""

    def __init__(self, *, cwd: Path, code: str) -> None:
        """Take the lines."""
        super().__init__(cwd=cwd)
        object.__setattr__(self, "_code", code)

    __slots__ = ("_code",)

    @property
    def command(self) -> list[str]:
        """The words that start it."""
        return [sys.executable, "-c", self._code]


def test_the_key_is_in_no_preview(against: Cli, server: ScriptedServer, tmp_path: Path) -> None:
    """A hostile service may hide in a picture's text what it was sent."""
    data = encoded(picture(), pnginfo=_text_chunk())
    server.answers = [images_reply({"b64_json": base64.b64encode(data).decode()})]

    outcome = against(server, "cat", "-p", env={"FORCE_COLOR": "1", "NSCALE_PREVIEW": "kitty"})

    assert outcome.exit_code == 0
    sent = "".join(
        part.partition(";")[2].partition("\x1b")[0] for part in outcome.stderr.split("\x1b_G")[1:]
    )
    shown = base64.b64decode(sent)
    assert Image.open(io.BytesIO(shown)).format == "PNG"
    assert KEY.encode() in data
    assert KEY.encode() not in shown


def _text_chunk() -> object:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("key", KEY)
    return info

"""What the sandbox's pictures promise: size, sameness, difference and a plain mark."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import combinations

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from nscale_cli.config.table import KNOWN_MODELS
from nscale_cli.sandbox import pictures, scenes

REQUEST = {"prompt": "A quiet harbour", "model": "a/model", "width": 160, "height": 120, "index": 0}
SCENES = ["a cat", "a city", "a forest", "the sea", "a sunset over mountains", "abstract"]
LARGE = [(1, 4000), (4000, 1), (512, 512), (2048, 2048)]
SIZES = [
    (1, 1),
    (16, 16),
    (64, 64),
    *(pytest.param(size, marks=pytest.mark.slow) for size in LARGE),
]
HOSTILE_PROMPTS = {
    "empty": "",
    "control characters": "\x00\x07\x1b[2J\r\n\t\x7f",
    "lone surrogates": "\ud83d and \udc00",
    "right to left and combining": "\u202e\u0645\u0631\u062d\u0628\u0627 " + "z\u0301" * 200,
    "emoji and other planes": "👩‍👩‍👧 猫とピアノ \U0010ffff",
    "very long": "W" * 100_000,
    "many lines": "line\n" * 20_000,
}


def _draw(**changes: str | int) -> Image.Image:
    return pictures.draw(**(REQUEST | changes))  # type: ignore[arg-type]


def _mark_of(picture: Image.Image) -> Image.Image:
    """Return the letters at the bottom of a picture, white on black, cropped to their ink."""
    width, height = picture.size
    band = picture.crop((0, height - min(width, height) // 10, width, height)).convert("L")
    ink = band.point([max(0, 2 * v - 255) for v in range(256)])
    return ink.crop(ink.getbbox())


def _word(text: str, size: tuple[int, int]) -> Image.Image:
    """Return white text on black, drawn large and brought to a size in pixels."""
    ink = Image.new("L", (1200, 200))
    ImageDraw.Draw(ink).text((20, 20), text, fill=255, font=ImageFont.load_default(100))
    return ink.crop(ink.getbbox()).resize(size)


def _distance(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures of one size, 0 to 255."""
    bands = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(bands) / len(bands)


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("prompt", SCENES)
def test_the_same_request_gives_the_same_bytes(prompt: str, image_format: str) -> None:
    """Every scene and every format is the same to the byte when it is asked for again."""
    first, second = (pictures.encode(_draw(prompt=prompt), image_format) for _ in range(2))
    assert first == second


def test_another_process_gives_the_same_bytes() -> None:
    """Nothing depends on the process, such as the salt of hash() or the global random."""
    code = (
        "import sys; from nscale_cli.sandbox import pictures; "
        f"sys.stdout.buffer.write(pictures.encode(pictures.draw(**{REQUEST!r}), 'png'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ran.stdout == pictures.encode(_draw(), "png")


@pytest.mark.slow
@pytest.mark.parametrize("prompt", SCENES)
@pytest.mark.parametrize("part", ["prompt", "model", "index", "width", "seed"])
def test_every_picture_of_a_small_series_is_visibly_different(part: str, prompt: str) -> None:
    """The scene above the mark depends on each part of the request, beyond its palette."""
    series: list[Image.Image] = []
    for n in range(7):
        other: dict[str, str | int] = {"prompt": f"{prompt} {n}", "model": str(n), "index": n}
        other |= {"width": 160 + n, "seed": str(n)}
        picture = _draw(**{"prompt": prompt} | {part: other[part]})
        series.append(picture.crop((0, 0, picture.width, 80)).resize((160, 80)))
    assert min(_distance(*pair) for pair in combinations(series, 2)) > 2


def test_the_known_models_differ_in_style_and_keep_to_it() -> None:
    """A comparison in the sandbox is worth looking at."""
    styles = [pictures._style(model) for model in KNOWN_MODELS]

    assert len(set(styles)) == len(KNOWN_MODELS)
    assert {pictures._style(f"m/{n}") for n in range(60)} == set(pictures.STYLES)


def test_a_model_keeps_to_a_few_palettes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known by its colours, whatever it draws."""
    skies = set()
    monkeypatch.setattr(pictures, "scene_of", lambda _: lambda canvas: skies.add(canvas.top))
    for n in range(30):
        _draw(prompt=f"a forest {n}", width=16, height=16)

    assert len(skies) == pictures.PALETTES_OF_A_MODEL < len(pictures.PALETTES)


@pytest.mark.parametrize("style", pictures.STYLES)
@pytest.mark.parametrize("size", SIZES)
def test_every_style_draws_at_any_size(
    style: object, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However odd."""
    monkeypatch.setattr(pictures, "_style", lambda _: style)
    picture = _draw(prompt="the sea", width=size[0], height=size[1])

    assert (picture.mode, picture.size) == ("RGB", size)
    assert len(pictures.encode(picture, "png")) < 1_500_000


@pytest.mark.parametrize("index", [-1, 0, 3, 5])
def test_neighbouring_pictures_of_a_request_have_different_palettes(index: int) -> None:
    """Pictures side by side differ in their colours and not in their details alone."""
    skies = [_draw(prompt="a forest", index=i).getpixel((0, 0)) for i in (index, index + 1)]
    assert skies[0] != skies[1]


@pytest.mark.parametrize("prompt", SCENES)
@pytest.mark.parametrize("size", SIZES)
def test_a_picture_has_exactly_the_size_asked_for(size: tuple[int, int], prompt: str) -> None:
    """Every scene can be drawn at any size, however odd, and as RGB."""
    picture = _draw(prompt=prompt, width=size[0], height=size[1])
    assert (picture.mode, picture.size) == ("RGB", size)


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS.values(), ids=HOSTILE_PROMPTS.keys())
def test_any_text_can_be_a_prompt(prompt: str) -> None:
    """No text makes drawing fail or keeps the mark from being drawn."""
    picture = _draw(prompt=prompt, width=400, height=400)
    assert picture.size == (400, 400)
    assert picture.crop((0, 320, 400, 400)).convert("L").getextrema()[1] == 255


@pytest.mark.parametrize("prompt", ["the sea\x00\x01", "the\tsea\n", " the\r\n sea", "the sea"])
def test_the_shortened_prompt_is_one_clean_line(prompt: str) -> None:
    """Control characters and line breaks do not reach the line under the mark."""
    assert pictures._shorten(prompt, ImageFont.load_default(20), 300) == "the sea"


@pytest.mark.parametrize("prompt", ["A café by the harbour", "I" * 90, "W" * 90])
def test_a_long_prompt_is_cut_to_the_room_there_is(prompt: str) -> None:
    """A prompt that does not fit ends in an ellipsis near the end of the room."""
    font = ImageFont.load_default(20)
    line = pictures._shorten(prompt, font, 120)
    assert line.startswith(prompt[:3]) and line.endswith("…")
    assert 80 < font.getlength(line) <= 120 + font.getlength("…")


@pytest.mark.slow
@pytest.mark.parametrize("prompt", SCENES)
@pytest.mark.parametrize("size", [(512, 512), (1024, 576), (600, 900)])
def test_the_word_sandbox_can_be_read_at_the_bottom(size: tuple[int, int], prompt: str) -> None:
    """The white letters on the band look like SANDBOX, and less like another word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_shorten", lambda *_: "")
        mark = _mark_of(_draw(prompt=prompt, width=size[0], height=size[1]))
    likeness = {word: _distance(mark, _word(word, mark.size)) for word in ("SANDBOX", "SOAPBOX")}
    assert mark.width > min(size) / 5
    assert likeness["SANDBOX"] < 0.75 * likeness["SOAPBOX"]


@pytest.mark.parametrize(
    "size", [(64, 64), (512, 512), pytest.param((2000, 64), marks=pytest.mark.slow)]
)
def test_the_mark_changes_the_bottom_band_and_nothing_else(size: tuple[int, int]) -> None:
    """The same scene without its mark differs at the bottom over the whole width."""
    width, height = size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_stamp", lambda *_: None)
        bare = _draw(prompt="abstract", width=width, height=height)
    marked = _draw(prompt="abstract", width=width, height=height)
    left, top, right, bottom = ImageChops.difference(bare, marked).getbbox() or (0, 0, 0, 0)
    assert (left, right, bottom) == (0, width, height)
    assert height * 0.7 < top < height


def test_the_prompt_stands_under_the_mark_where_there_is_room() -> None:
    """A large picture shows its prompt, so that two pictures can be told apart by it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_shorten", lambda *_: "")
        without = _draw(width=512, height=512)
    changed = ImageChops.difference(without, _draw(width=512, height=512))
    assert changed.crop((0, 480, 256, 512)).getbbox() is not None


@pytest.mark.slow
@pytest.mark.parametrize("size", [(16, 16), (4000, 20), (40, 4000)])
def test_text_is_left_out_where_there_is_no_room(size: tuple[int, int]) -> None:
    """A picture too small for readable letters is a scene alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_stamp", lambda *_: None)
        bare = _draw(width=size[0], height=size[1])
    assert bare.tobytes() == _draw(width=size[0], height=size[1]).tobytes()


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("A sunset over mountains", "mountains"),
        ("A FUTURISTIC CITY", "city"),
        ("A cat playing piano in the city", "cat"),
        ("A forest landscape", "forest"),
        ("Waves on the ocean", "sea"),
        ("An abstract painting", "abstract"),
        ("a painting of a tree", "forest"),
    ],
)
def test_the_prompt_chooses_the_scene(prompt: str, scene: str) -> None:
    """A word of the prompt that names a scene decides, whatever its case."""
    assert scenes.scene_of(prompt).__name__ == scene


def test_a_word_inside_another_word_chooses_nothing() -> None:
    """The cat in "location" and the sea in "season" do not count."""
    prompts = [f"location season electricity {n}" for n in range(40)]
    assert len({scenes.scene_of(prompt) for prompt in prompts}) == len(scenes.SCENES)


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
def test_encoded_bytes_are_a_file_of_the_format_without_metadata(image_format: str) -> None:
    """The bytes open as the format asked for and carry no date, text or profile."""
    opened = Image.open(io.BytesIO(pictures.encode(_draw(), image_format)))
    assert (opened.format, opened.size) == (image_format.upper(), (160, 120))
    assert not opened.getexif()
    assert not {"icc_profile", "comment", "xmp", "exif", "Software"} & opened.info.keys()


@pytest.mark.slow
def test_a_large_png_stays_moderate() -> None:
    """A 1024 x 1024 picture of any scene is below one and a half megabytes as a PNG."""
    for prompt in SCENES:
        picture = _draw(prompt=prompt, width=1024, height=1024)
        assert len(pictures.encode(picture, "png")) < 1_500_000


def test_importing_the_module_does_not_import_pillow() -> None:
    """A command that draws nothing does not pay for the drawing library."""
    code = "import sys, nscale_cli.sandbox.pictures; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""What files are called."""

import unicodedata
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nscale_cli.errors import UsageError
from nscale_cli.request import ImageRequest, Size
from nscale_cli.storage.names import (
    Target,
    candidates,
    disk_path,
    model_name,
    plan,
    slug,
    text_of,
)

NOW = datetime(2025, 3, 9, 14, 5, 7)
SHA = "0123456789abcdef" * 4
RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in "123"}
FIELDS = "the fields are {slug} {model} {size} {index} {date} {time} {hash} {ext}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A red fox", "a-red-fox"),
        ("A  red, fox!", "a-red-fox"),
        ("snake_case v1.5", "snake_case-v1.5"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows\\x", "c-windows-x"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("_private", "private"),
        ("$(x) `y` [/] [link=z]", "x-y-link-z"),
        ("a\x1b]0;t\x07b\n\u202ec\x7f\x85d", "a-0-t-b-c-d"),
        ("Cafe\u0301", "caf\xe9"),
        ("İstanbul", "i\u0307stanbul"),
        ("ΑΣ", "ας"),
        ("हिन्दी", "हिन्दी"),
        ("日本 語", "日本-語"),
        ("❤\ufe0f", "image"),
        ("❤\ufe0f fox", "fox"),
        ("fox ❤\ufe0f fox", "fox-fox"),
        ("\u3164 \u115f", "image"),
        ("👩\u200d🚀", "image"),
        ("", "image"),
        (".", "image"),
        ("..", "image"),
        ("\ud800", "image"),
        ("CON", "_con"),
        ("nul", "_nul"),
        ("con.png", "_con.png"),
        ("COM1", "_com1"),
        ("com¹", "_com¹"),
        ("_con", "_con"),
    ],
)
def test_slug_turns_any_text_into_a_file_name(text: str, expected: str) -> None:
    """Words stay, everything else becomes one dash, and special names are avoided."""
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 300, "x" * 80),
        ("é" * 300, "é" * 40),
        ("x" + "é" * 300, "x" + "é" * 39),
        ("x" * 79 + " y", "x" * 79),
        ("x" * 79 + ".y", "x" * 79),
        ("x" * 78 + "-_y", "x" * 78),
        ("日" * 300, "日" * 26),
        ("e\u0301" * 300, "é" * 40),
        ("con." + "x" * 300, "_con." + "x" * 76),
    ],
)
def test_slug_is_cut_at_a_whole_character_and_ends_in_a_word(text: str, expected: str) -> None:
    """A cut inside a character or at a dot would leave a name that some systems refuse."""
    assert slug(text) == expected


@given(st.text(st.characters()))
@example("con" + "\u0301")
@example("-" * 80 + "x")
@example("x" * 80 + "\u0301")
def test_slug_of_any_text_is_a_safe_name(text: str) -> None:
    """Whatever the prompt, the name is short, visible, portable and no option."""
    name = slug(text)
    assert 1 <= len(name.encode()) <= 81
    assert not any(unicodedata.category(character)[0] in "CZ" for character in name)
    assert not set(name) & set('/\\:*?"<>|')
    assert name[0].isalnum() or name[0] == "_"
    assert name[-1] not in ".-_"
    assert name.split(".")[0].lower() not in RESERVED
    assert unicodedata.is_normalized("NFC", name)


@given(st.text(st.characters()))
def test_slug_of_a_slug_is_itself(text: str) -> None:
    """A name made from a name does not drift."""
    assert slug(slug(text)) == slug(text)


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("flux", "flux"),
        ("sdxl-1.0_turbo", "sdxl-1.0_turbo"),
        ("black-forest-labs/FLUX.1-schnell", "black-forest-labs-flux.1-schnell-4a26c481"),
    ],
)
def test_a_model_has_a_plain_name_where_its_id_is_one(model_id: str, expected: str) -> None:
    """Else the beginning of a hash follows, always the same."""
    assert model_name(model_id) == expected


@pytest.mark.parametrize(
    "ids",
    [
        ("a/b", "a-b"),
        ("a/b-c", "a-b/c"),
        ("Flux", "flux", "FLUX"),
        ("flux", "flux/"),
        ("x" * 200, "x" * 201, "x" * 80),
        ("caf\xe9", "cafe\u0301"),
        ("/", "\\", " /", "image"),
    ],
)
def test_two_models_never_have_one_name(ids: tuple[str, ...]) -> None:
    """Also where the file system knows no upper case, or a name is made up to look like one."""
    names = [model_name(each).lower() for each in ids]
    assert len(set(names)) == len(names)
    assert all(model_name(name) != name or name in ids for name in names)


@given(st.text(st.characters(codec="utf-8")))
def test_the_name_of_a_model_is_a_safe_part_of_a_path(model_id: str) -> None:
    """Whatever a service calls it."""
    name = model_name(model_id)
    assert slug(name[:-9]) == name[:-9] or name == model_id
    assert not set(name) & set('/\\:*?"<>|')


def request(*, count: int = 1, prompt: str = "A red fox") -> ImageRequest:
    """Return a request for images."""
    size = Size(width=1024, height=512)
    return ImageRequest(prompt=prompt, model="vendor/Model-1", size=size, count=count)


def path_of(output: str | None, cwd: Path, *, count: int = 1, index: int = 1) -> Path:
    """Return where a JPEG goes that `-o` sends to `output`."""
    target = plan(output, request(count=count), cwd=cwd, now=NOW)
    return target.path(index=index, image_format="jpeg", sha256=SHA)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (None, "a-red-fox.jpg"),
        ("", "a-red-fox.jpg"),
        (".", "a-red-fox.jpg"),
        ("folder", "folder/a-red-fox.jpg"),
        ("new/", "new/a-red-fox.jpg"),
        ("{date}/", "2025-03-09/a-red-fox.jpg"),
        ("fox.png", "fox.png"),
        ("new/fox", "new/fox"),
        ("odd}.png", "odd}.png"),
        ("{slug}-{model}-{size}.{ext}", "a-red-fox-vendor-model-1-c021837c-1024x512.jpg"),
        ("{date}/{time}-{index}-{hash}.png", "2025-03-09/140507-1-01234567.png"),
        ("{{{slug}}}.png", "{a-red-fox}.png"),
    ],
)
def test_output_names_a_file_a_folder_or_a_template(
    tmp_path: Path, output: str | None, expected: str
) -> None:
    """Each kind of `-o` becomes the path that the user would expect."""
    (tmp_path / "folder").mkdir()
    assert path_of(output, tmp_path) == tmp_path / expected


def test_absolute_output_does_not_depend_on_the_current_folder(tmp_path: Path) -> None:
    """An absolute path is used as it is."""
    assert path_of(str(tmp_path / "fox.jpg"), Path("/elsewhere")) == tmp_path / "fox.jpg"


def test_braces_in_the_current_folder_are_no_fields(tmp_path: Path) -> None:
    """A folder may be called anything."""
    assert path_of(None, tmp_path / "{slug}{") == tmp_path / "{slug}{" / "a-red-fox.jpg"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("fox.png", "fox-2.png"),
        ("fox", "fox-2"),
        (None, "a-red-fox.jpg"),
        ("fox-{index}.png", "fox-2.png"),
    ],
)
def test_several_images_of_one_exact_name_are_numbered(
    tmp_path: Path, output: str | None, expected: str
) -> None:
    """FILE becomes FILE-1, FILE-2; other names number themselves only where they must."""
    assert path_of(output, tmp_path, count=3, index=2) == tmp_path / expected


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp", "unknown"])
def test_extension_of_our_own_name_follows_the_bytes(tmp_path: Path, image_format: str) -> None:
    """What is no known image is called .bin."""
    target = plan(None, request(), cwd=tmp_path, now=NOW)
    suffixes = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "unknown": ".bin"}
    path = target.path(index=1, image_format=image_format, sha256=SHA)
    assert path.suffix == suffixes[image_format]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("fox.png", "png"),
        ("fox.PNG", "png"),
        ("fox.jpg", "jpeg"),
        ("fox.jpeg", "jpeg"),
        ("fox.webp", "webp"),
        ("{slug}.webp", "webp"),
        ("{slug}.{ext}", None),
        ("fox", None),
        (".png", None),
        ("fox.txt", None),
        (None, None),
    ],
)
def test_format_is_asked_for_by_the_name(
    tmp_path: Path, output: str | None, expected: str | None
) -> None:
    """Only a known extension asks for a format; any other name keeps the service's own."""
    assert plan(output, request(), cwd=tmp_path, now=NOW).format == expected


@pytest.mark.parametrize(
    ("output", "message", "hint"),
    [
        ("fox.gif", "-o asks for .gif, which nscale cannot write", "use .png, .jpg or .webp"),
        ("{slug}.SVG", "-o asks for .svg, which nscale cannot write", "use .png, .jpg or .webp"),
        ("x" * 256, "the file name is too long", "choose a shorter one with -o"),
        ("é" * 126 + ".png", "the file name is too long", "choose a shorter one with -o"),
        ("{name}.png", "-o has an unknown field {name}", FIELDS),
        ("{}.png", "-o has an unknown field {}", FIELDS),
        ("{slug.real}.png", "-o has an unknown field {slug.real}", FIELDS),
        ("{index:03}.png", "-o has an unknown field {index}", FIELDS),
        ("{slug!r}.png", "-o has an unknown field {slug}", FIELDS),
        ("br{ace/", "-o has an unmatched brace", FIELDS),
        ("{slug.png", "-o has an unmatched brace", FIELDS),
        ("{slug}}.png", "-o has an unmatched brace", FIELDS),
    ],
)
def test_name_that_cannot_be_written_is_refused(
    tmp_path: Path, output: str, message: str, hint: str
) -> None:
    """The user hears of it before anything is sent."""
    with pytest.raises(UsageError) as caught:
        plan(output, request(), cwd=tmp_path, now=NOW)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_longest_possible_name_is_accepted(tmp_path: Path) -> None:
    """255 bytes is what file systems hold."""
    assert path_of("x" * 251 + ".png", tmp_path) == tmp_path / ("x" * 251 + ".png")


def test_expected_paths_leave_the_hash_open(tmp_path: Path) -> None:
    """A dry run cannot know the hash of an image that does not exist."""
    target = plan("{index}-{hash}.png", request(count=2), cwd=tmp_path, now=NOW)
    assert target.expected(2) == [str(tmp_path / f"{n}-{{hash}}.png") for n in (1, 2)]


def test_folder_is_where_the_first_image_goes() -> None:
    """Replies that are kept go to the same folder."""
    target = Target(template="/a/{index}/fox.png", values={}, exact=False, several=True)
    assert target.directory == Path("/a/1")


@pytest.mark.parametrize("text", ["/a/fox.png", "/a/café 日本", "/a/caf\udce9"])
def test_path_on_disk_reads_as_the_text_it_was_made_from(text: str) -> None:
    """Also where it holds a byte that is no UTF-8."""
    assert text_of(disk_path(text)) == str(Path(text))


def test_candidates_count_from_two_before_the_extension() -> None:
    """SLUG.png, SLUG-2.png, SLUG-3.png, and so on."""
    names = [path.name for path in islice(candidates(Path("/a/fox.v1.png")), 3)]
    assert names == ["fox.v1.png", "fox.v1-2.png", "fox.v1-3.png"]

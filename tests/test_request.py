"""The values that travel through the program."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.errors import UsageError
from nscale_cli.request import ImageRequest, Size

SIZE = Size(width=1024, height=512)
STREAM_HINT = "leave it out: images are read from a whole reply"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1024x512", SIZE),
        ("1024X512", SIZE),
        ("1x1", Size(width=1, height=1)),
        ("99999x99999", Size(width=99_999, height=99_999)),
    ],
)
def test_size_is_read_as_width_and_height(text: str, expected: Size) -> None:
    """Either letter x stands between the two numbers."""
    assert Size.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "1024", "1024x", "x512", "0x0", "0x512", "012x512", "-1x1", "+1x1", "1.5x2",
        "1e3x2", "1024 x 512", " 1024x512", "1024x512\n", "1024×512", "1024*512", "1024x512x3",
        "1_0x20", "１０２４x５１２", "٣x٣", "9" * 30 + "x1", "100000x1",
    ],
)  # fmt: skip
def test_anything_else_is_no_size(text: str) -> None:
    """The message repeats what was given, and the hint shows what is right."""
    with pytest.raises(UsageError) as caught:
        Size.parse(text)
    assert caught.value.message == f"{text[:40]!r} is not a size"
    assert caught.value.hint == "write WIDTHxHEIGHT in pixels, such as 1024x1024"


def test_long_size_is_not_repeated_whole() -> None:
    """A whole file pasted as a size stays one line."""
    with pytest.raises(UsageError, match=f"^'{'9' * 40}' is not a size$"):
        Size.parse("9" * 100_000)


@given(st.integers(1, 99_999), st.integers(1, 99_999))
def test_size_is_written_as_it_is_read(width: int, height: int) -> None:
    """The text of a size is its command line form."""
    size = Size(width=width, height=height)
    assert Size.parse(str(size)) == size


def test_megapixels_are_millions_of_pixels() -> None:
    """Images are priced by their area."""
    assert Size(width=2000, height=500).megapixels == 1.0


def test_body_holds_the_four_fields_and_nothing_else() -> None:
    """Options that are not set send nothing."""
    request = ImageRequest(prompt="A red fox", model="m", size=SIZE)
    assert request.body == {"model": "m", "prompt": "A red fox", "size": "1024x512", "n": 1}


def test_body_holds_the_further_parameters_as_they_are() -> None:
    """Their types and names reach the service unchanged."""
    params = {"seed": 7, "style": None, "extra": {"a": [1.5]}}
    request = ImageRequest(prompt=" p ", model="m", size=SIZE, count=3, params=params)
    assert request.body == {"model": "m", "prompt": " p ", "size": "1024x512", "n": 3, **params}


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        (
            {"prompt": ""},
            "the prompt is empty",
            'say what to draw: nscale images generate "A red fox"',
        ),
        (
            {"prompt": " \n\u2003"},
            "the prompt is empty",
            'say what to draw: nscale images generate "A red fox"',
        ),
        ({"model": " "}, "the model id is empty", "name one with -m"),
        (
            {"prompt": "caf\udce9"},
            "the prompt or the model id is not valid UTF-8 text",
            "save the text as UTF-8, or set a UTF-8 locale",
        ),
        (
            {"model": "\udcff"},
            "the prompt or the model id is not valid UTF-8 text",
            "save the text as UTF-8, or set a UTF-8 locale",
        ),
        ({"count": 0}, "the number of images must be 1 or more", None),
        ({"count": -1}, "the number of images must be 1 or more", None),
        ({"params": {"model": 1}}, "--param cannot set 'model'", "use -m"),
        ({"params": {"n": 1}}, "--param cannot set 'n'", "use -n"),
        ({"params": {"prompt": 1}}, "--param cannot set 'prompt'", "use PROMPT"),
        ({"params": {"seed": 1, "size": 1}}, "--param cannot set 'size'", "use -z"),
        ({"params": {"stream": True}}, "--param cannot set 'stream'", STREAM_HINT),
    ],
)
def test_request_that_no_server_could_use_is_refused(
    fields: dict[str, object], message: str, hint: str | None
) -> None:
    """It is refused at birth, before it can cost anything."""
    whole = {"prompt": "A red fox", "model": "m", "size": SIZE} | fields
    with pytest.raises(UsageError) as caught:
        ImageRequest(**whole)  # type: ignore[arg-type]
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_values_cannot_be_changed() -> None:
    """What was checked stays what is sent."""
    request = ImageRequest(prompt="A red fox", model="m", size=SIZE)
    with pytest.raises(FrozenInstanceError):
        request.count = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        request.params["n"] = 2  # type: ignore[index]

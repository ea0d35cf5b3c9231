"""Where long labels break."""

import pytest

from nscale_cli.output.report.labels import packed, wrap


def in_letters(width: int, text: str, **options: object) -> tuple[str, ...]:
    """Wrap with letters that are each one wide."""
    return wrap(text, width, len, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A red fox", ("A red fox",)),
        ("A red fox in snow", ("A red fox", "in snow")),
        ("vendor/model-name_1.5", ("vendor/", "model-", "name_1.5")),
        ("abcdefghijklmnop", ("abcdefghij", "klmnop")),
        ("  much \n\n\t white  ", ("much white",)),
        ("", ("",)),
    ],
)
def test_lines_break_at_separators_then_anywhere(text: str, lines: tuple[str, ...]) -> None:
    """A separator stays at the end of its line; a space is swallowed."""
    assert in_letters(10, text) == lines


def test_a_prompt_that_is_too_long_ends_in_an_ellipsis() -> None:
    """Three lines, and the third says that there is more."""
    lines = in_letters(10, "one two three four five six seven eight nine ten")

    assert lines == ("one two", "three four", "five six…")


def test_an_id_is_cut_in_the_middle() -> None:
    """Its vendor and its version tell more than what stands between."""
    lines = in_letters(10, "vendor/" + "x" * 60 + "-v2", middle=True)

    assert len(lines) == 3
    assert "".join(lines).startswith("vendor/xx") and "".join(lines).endswith("x-v2")
    assert "".join(lines).count("…") == 1


@pytest.mark.parametrize("text", ["x" * 200, "word " * 2000, "/-_." * 3000, "狐" * 10_000])
@pytest.mark.parametrize("middle", [False, True])
@pytest.mark.parametrize("width", [1, 7, 40])
def test_nothing_is_ever_wider_or_higher_than_the_room(text: str, middle: bool, width: int) -> None:
    """At most three lines, none wider than asked for, whatever the text."""
    lines = in_letters(width, text, middle=middle)

    assert len(lines) <= 3 and max(map(len, lines)) <= width
    assert "…" in "".join(lines)


def test_a_mark_stays_with_its_letter() -> None:
    """A break never parts an accent, or the vowel of a script, from what it stands on."""
    letter = "a\u0301\u0323"

    assert in_letters(6, letter * 4) == (letter * 2, letter * 2)


def test_a_chinese_full_stop_begins_no_line() -> None:
    """As Chinese is set."""
    assert in_letters(3, "一二三，四")[1].startswith("三，")


def test_facts_share_a_line_as_long_as_they_fit() -> None:
    """They are joined, and never broken inside."""
    assert packed(["1.2 s", "512x512", "$0.01"], 16, len) == ["1.2 s · 512x512", "$0.01"]
    assert packed(["a long fact", "b"], 3, len) == ["a long fact", "b"]
    assert packed([], 3, len) == []

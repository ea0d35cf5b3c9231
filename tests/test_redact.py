"""Untrusted text, made safe to show."""

import base64
import hashlib
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.redact import MAX_SHOWN, Redactor, clean, excerpt

SECRET = "sk-test/0123456789"


@pytest.mark.parametrize(
    "text",
    ["", "A red fox", "[bold]x[/] [/nope] [link=x]", "Café 日本語 हिन्दी 🦊", "back\\slash"],
)
def test_plain_text_is_shown_unchanged(text: str) -> None:
    """Markup and other scripts are ordinary text."""
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\r\nc\td", "a b  c d"),
        ("a\vb\fc\x85d\u2028e\u2029f", "a b c d e f"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x00\x08\x7f", r"\x00\x08\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("a\u200bb\ufeffc", r"a\u200bb\ufeffc"),
        ("\xad", r"\xad"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("\ue000\uffff", r"\ue000\uffff"),
    ],
)
def test_what_a_terminal_could_act_on_is_spelled_out(text: str, expected: str) -> None:
    """Line breaks become spaces; controls, overrides and invisible characters become text."""
    assert clean(text) == expected


@given(st.text(st.characters()))
def test_clean_text_holds_nothing_a_terminal_could_act_on(text: str) -> None:
    """No C0, DEL, C1, bidirectional, zero-width, tag or surrogate character is left."""
    shown = clean(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs"}
    assert not set(shown) & {"\u2028", "\u2029"}
    assert clean(shown) == shown


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" ")))
def test_clean_leaves_letters_digits_and_signs_alone(text: str) -> None:
    """Plain text of any script is not changed."""
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("  short \n", "short"),
        ("0123456789", "0123456789"),
        ("0123456789 ", "0123456789"),
        ("0123456789a", "0123456..."),
        ("0123456789 more", "0123456..."),
        (" " * 100 + "late", "late"),
        ("a\nb", "a b"),
        ("\x1b" * 5, r"\x1b\x1..."),
        ("", ""),
    ],
)
def test_excerpt_is_cut_with_an_ellipsis(text: str, expected: str) -> None:
    """Long text is cut after its outer space is gone, and says that it was cut."""
    assert excerpt(text, 10) == expected


@given(st.text(st.characters()), st.integers(min_value=3, max_value=40))
def test_excerpt_is_clean_and_never_longer_than_its_limit(text: str, limit: int) -> None:
    """Cutting does not undo cleaning, and cleaning does not lengthen the excerpt."""
    shown = excerpt(text, limit)
    assert len(shown) <= limit
    assert clean(shown) == shown


def test_excerpt_of_a_huge_word_is_500_characters() -> None:
    """A server's 5 MB of text becomes one readable line."""
    assert excerpt("x" * 5_000_000) == "x" * 497 + "..."
    assert MAX_SHOWN == 500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Bearer {SECRET}!", "Bearer [key hidden]!"),
        (f"{SECRET}{SECRET}", "[key hidden][key hidden]"),
        (json.dumps({"key": SECRET}), '{"key": "[key hidden]"}'),
        (json.dumps({"key": SECRET}).replace("/", "\\/"), '{"key": "[key hidden]"}'),
        (base64.b64encode(SECRET.encode()).decode(), "[key hidden]"),
        (f"KEY {SECRET.upper()}.", "KEY [key hidden]."),
        (f"{SECRET.swapcase()} É", "[key hidden] É"),
        (f"<{SECRET[::-1]}>", "<[key hidden]>"),
        (json.dumps(SECRET[::-1].upper()).replace("/", "\\/"), '"[key hidden]"'),
        (f"0x{SECRET.encode().hex()}00", "0x[key hidden]00"),
        (SECRET.encode().hex().upper(), "[key hidden]"),
        (b"Bearer ".hex() + SECRET.encode().hex(), f"{b'Bearer '.hex()}[key hidden]"),
        ("nothing secret", "nothing secret"),
        ("", ""),
    ],
)
def test_scrubber_hides_the_secret_in_every_form(text: str, expected: str) -> None:
    """As it is, inside JSON, and in base64; in text and in bytes."""
    redactor = Redactor()
    redactor.hide(SECRET)
    assert redactor.redact(text) == expected
    assert redactor.redact_bytes(text.encode()) == expected.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SECRET[:10]} / {SECRET[10:]}", "[key hidden] / [key hidden]"),
        (f"{SECRET[:10].upper()} / {SECRET[10:].upper()}", "[key hidden] / [key hidden]"),
        (f"x{SECRET[::-1][:9]}", "x[key hidden]"),
        (f"..{SECRET.encode().hex()[4:24]}", "..[key hidden]"),
        (SECRET.encode().hex()[4:18], SECRET.encode().hex()[4:18]),
        (SECRET[:7], SECRET[:7]),
        (f"é{SECRET[1:9]}é", "é[key hidden]é"),
    ],
)
@pytest.mark.parametrize("before", range(4))
def test_a_piece_of_eight_characters_is_hidden(text: str, expected: str, before: int) -> None:
    """In each of the forms, wherever it begins; fewer are no secret."""
    redactor = Redactor()
    redactor.hide(SECRET)
    assert redactor.redact("." * before + text) == "." * before + expected


def test_five_megabytes_of_ordinary_text_stay_as_they_are() -> None:
    """Words, digests and addresses are no keys, however many there are."""
    redactor = Redactor()
    redactor.hide("sk-test-0123456789abcdef")
    page = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256(page.encode()).hexdigest()
    text = f"{page} {digest} {digest.upper()} 日本語\ud800" * (5_000_000 // len(page))

    assert redactor.redact(text) == text
    data = bytearray(text.encode("utf-8", "replace"))
    assert redactor.redact_bytes(data) is data


@pytest.mark.parametrize("place", [0, 1_048_570, 3_000_000])
def test_a_secret_is_found_anywhere_in_a_large_reply(place: int) -> None:
    """Also where it stands across two of the pieces in which one is looked for."""
    redactor = Redactor()
    redactor.hide(SECRET)
    data = bytearray(b"x" * place + SECRET.upper().encode() + b"\xff" * 1_100_000)

    assert redactor.found_in(data.decode("latin-1"))
    assert redactor.redact_bytes(data) == b"x" * place + b"[key hidden]" + b"\xff" * 1_100_000


def test_scrubber_hides_a_secret_that_json_must_escape() -> None:
    """A quote or a backslash in the key does not let it through."""
    redactor = Redactor()
    redactor.hide('quote"back\\slash')
    assert redactor.redact(json.dumps(['quote"back\\slash'])) == '["[key hidden]"]'


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8), st.text())
def test_scrubber_leaves_no_trace_of_any_key(key: str, around: str) -> None:
    """Neither the key nor its JSON form survives, wherever it stands."""
    redactor = Redactor()
    redactor.hide(key)
    for form in (key, json.dumps(key)[1:-1]):
        assert redactor.redact(f"\n{form}\n") == "\n[key hidden]\n"


def test_longer_secret_is_hidden_before_one_inside_it() -> None:
    """A key that begins with another leaves no rest behind."""
    redactor = Redactor()
    redactor.hide("secret-a")
    redactor.hide("secret-a-and-more")
    assert redactor.redact("secret-a-and-more secret-a") == "[key hidden] [key hidden]"


def test_short_words_are_not_taken_for_secrets() -> None:
    """Hiding them would garble ordinary text."""
    redactor = Redactor()
    redactor.hide("fox")
    redactor.hide("")
    assert redactor.redact("A red fox") == "A red fox"


def test_scrubber_without_a_secret_changes_nothing() -> None:
    """Bytes that are no text pass through."""
    assert Redactor().redact_bytes(b"\x89PNG\xff") == b"\x89PNG\xff"

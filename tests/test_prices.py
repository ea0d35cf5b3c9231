"""Prices, read from the service's own list of models."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.images import ImageRequest, Size
from nscale_cli.prices import estimate_usd, usd_per_megapixel


def models(*entries: object) -> bytes:
    """Return a reply to `GET /models`."""
    return json.dumps({"object": "list", "data": entries}).encode()


def priced(output: object) -> dict[str, object]:
    """Return the entry of the model `m` with its price."""
    return {"id": "m", "pricing": {"input": 0, "output": output}}


@pytest.mark.parametrize(
    ("output", "expected"),
    [(0.0013, 0.0013), ("0.0013", 0.0013), (" 2 ", 2.0), (1, 1.0), (0, 0.0), ("0", 0.0)],
)
def test_price_is_a_number_or_a_string_of_one(output: object, expected: float) -> None:
    """Services have been seen to send either; a price of nothing is a price."""
    other = {"id": "M", "pricing": {"output": 7}}
    assert usd_per_megapixel(models(other, priced(output), priced(9)), "m") == expected


@pytest.mark.parametrize(
    "output",
    [None, "", "free", "$1", -1, "-0.1", True, [1], {"usd": 1}, float("nan"), "inf", 10**400],
)
def test_price_that_is_no_amount_is_unknown(output: object) -> None:
    """An unknown price is never taken for zero."""
    assert usd_per_megapixel(models(priced(output)), "m") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"data": null}',
        b'{"data": {"id": "m"}}',
        b'{"data": [null, "m", 7, []]}',
        models(),
        models({"id": "m"}),
        models({"id": "m", "pricing": 1}),
        models({"id": "m", "pricing": {"input": 1}}),
        models({"id": "M", "pricing": {"output": 1}}),
    ],
)
def test_list_without_the_price_gives_none(body: bytes) -> None:
    """Whatever a server sends in place of the list."""
    assert usd_per_megapixel(body, "m") is None


@given(st.binary() | st.floats().map(lambda value: models(priced(value))))
def test_reading_a_price_never_fails(body: bytes) -> None:
    """A price that is found can be multiplied."""
    price = usd_per_megapixel(body, "m")
    assert price is None or price >= 0


def test_estimate_is_price_by_area_by_count() -> None:
    """Three images of half a megapixel cost one and a half times the price."""
    size = Size(width=1000, height=500)
    request = ImageRequest(prompt="A red fox", model="m", size=size, count=3)
    assert estimate_usd(0.002, request) == pytest.approx(0.003)

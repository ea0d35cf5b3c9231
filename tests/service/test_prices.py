"""Prices and costs: amounts, sums and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.request import ImageRequest, Size
from nscale_cli.service.prices import amount, cost_usd, dollars, estimate_usd

SIZE = Size(width=1000, height=500)


@pytest.mark.parametrize(
    ("output", "expected"),
    [(0.0013, 0.0013), ("0.0013", 0.0013), (" 2 ", 2.0), (1, 1.0), (0, 0.0), ("0", 0.0)],
)
def test_price_is_a_number_or_a_string_of_one(output: object, expected: float) -> None:
    """Services have been seen to send either; a price of nothing is a price."""
    assert amount(output) == expected


@pytest.mark.parametrize(
    "output",
    [
        None, "", "free", "$1", -1, "-0.1", True, [1], {"usd": 1}, float("nan"), "inf", 10**400,
        1e300, "1000001",
    ],
)  # fmt: skip
def test_price_that_is_no_amount_is_unknown(output: object) -> None:
    """An unknown price is never taken for zero."""
    assert amount(output) is None


@given(st.floats() | st.text() | st.integers())
def test_a_price_that_is_found_can_be_multiplied(value: object) -> None:
    """Also by the largest size."""
    price = amount(value)
    cost = cost_usd(price, [Size(width=99999, height=99999)] * 3)
    assert price is None or (cost is not None and 0 <= cost < float("inf"))


def test_estimate_is_price_by_area_by_count() -> None:
    """Three images of half a megapixel cost one and a half times the price."""
    request = ImageRequest(prompt="A red fox", model="m", size=SIZE, count=3)
    assert estimate_usd(0.002, request) == 0.003


def test_cost_is_price_by_true_area() -> None:
    """Each image counts by its own size."""
    assert cost_usd(0.002, [SIZE, Size(width=1000, height=1000)]) == 0.003
    assert cost_usd(0.0, [SIZE]) == 0.0


@pytest.mark.parametrize(
    ("price", "sizes"), [(None, [SIZE]), (0.002, [SIZE, None]), (0.002, [None]), (0.002, [])]
)
def test_cost_is_unknown_without_a_price_or_a_size(
    price: float | None, sizes: list[Size | None]
) -> None:
    """A part of the cost is not shown for the whole."""
    assert cost_usd(price, sizes) is None


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "0"),
        (0.00034079, "0.000341"),
        (12.5, "12.500000"),
        (1.2e-7, "0.00000012"),
        (1e-9, "0.000000001"),
    ],
)
def test_dollars_are_written_so_that_something_is_never_nothing(usd: float, text: str) -> None:
    """A tiny amount is not shown as zero."""
    assert dollars(usd) == text

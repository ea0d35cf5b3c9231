"""What images cost: an estimate from the service's own price for a megapixel, never assumed."""

import math
from collections.abc import Sequence

from nscale_cli.request import ImageRequest, Size

# Dollars a megapixel. Beyond it stands no price but a mistake, and sums need not overflow.
_MAX_PRICE = 1e6
_LEAST_IN_FULL, _DECIMALS = 1e-5, 9


def amount(value: object) -> float | None:
    """Return the price that `value`, a number or a string of one, gives; None where it gives none.

    An unknown price is never taken for zero.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and 0 <= price <= _MAX_PRICE else None


def estimate_usd(price: float, request: ImageRequest) -> float:
    """Return what `request` should cost at `price` dollars a megapixel."""
    return rounded(price * request.size.megapixels * request.count)


def cost_usd(price: float | None, sizes: Sequence[Size | None]) -> float | None:
    """Return what images of these true sizes cost; None without a price, a size, or an image."""
    known = [size for size in sizes if size is not None]
    if price is None or not known or len(known) < len(sizes):
        return None
    return rounded(price * math.fsum(size.megapixels for size in known))


def rounded(usd: float) -> float:
    """Return `usd` without the noise of binary fractions."""
    return round(usd, _DECIMALS)


def dollars(usd: float) -> str:
    """Return `usd` in digits, without a sign: six decimals, or three digits where it is tiny."""
    if usd == 0:
        return "0"
    return f"{usd:.6f}" if usd >= _LEAST_IN_FULL else plain_digits(usd, 3)


def plain_digits(number: float, digits: int) -> str:
    """Return `number`, above 0, with so many digits that count, never as a power of ten."""
    decimals = max(0, digits - 1 - math.floor(math.log10(number)))
    text = f"{number:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

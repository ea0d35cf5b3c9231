"""What images cost: read from the service's own list of models, never assumed."""

import math

from nscale_cli.decode import parse_json
from nscale_cli.images import ImageRequest


def usd_per_megapixel(body: bytes, model: str) -> float | None:
    """Return the price of `model` in a `GET /models` reply, or None where it gives none.

    The price is `pricing.output`, a number or a string of one.
    """
    document = parse_json(body)
    entries = document.get("data") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("id") == model:
            pricing = entry.get("pricing")
            return _amount(pricing.get("output")) if isinstance(pricing, dict) else None
    return None


def estimate_usd(price: float, request: ImageRequest) -> float:
    """Return what `request` should cost at `price` dollars a megapixel."""
    return price * request.size.megapixels * request.count


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None

"""What a run would do: the request, the names, and the price, without asking for an image."""

import os
from pathlib import Path

from nscale_cli.connection import Connection
from nscale_cli.jobs.prices import PriceList
from nscale_cli.request import ImageRequest
from nscale_cli.service.prices import estimate_usd
from nscale_cli.storage.names import Target, candidates
from nscale_cli.values import frozen


@frozen
class Plan:
    """What would be sent and saved. `cost_usd` is None where the service gives no price."""

    request: ImageRequest
    base_url: str
    url: str
    host: str
    key_source: str
    paths: tuple[str, ...]
    cost_usd: float | None
    price_unknown_because: str | None


def make_plan(
    request: ImageRequest, connection: Connection, target: Target | None, prices: PriceList
) -> Plan:
    """Ask the service for the price, if it is not known yet, and for nothing else."""
    prices.ask()
    price = prices.usd_per_megapixel(request.model)
    return Plan(
        request=request,
        base_url=connection.base_url,
        url=f"{connection.base_url}/images/generations",
        host=connection.host,
        key_source=connection.api_key.source,
        paths=tuple(_free_names(target, request.count)) if target else ("-",),
        cost_usd=None if price is None else estimate_usd(price, request),
        price_unknown_because=prices.unknown_because(request.model) if price is None else None,
    )


def _free_names(target: Target, count: int) -> list[str]:
    """Return the names that the images would get if they were saved now."""
    names: list[str] = []
    for expected in target.expected(count):
        numbered = candidates(Path(expected))
        taken = (str(path) for path in numbered if str(path) not in names)
        free = (name for name in taken if target.exact or not os.path.lexists(name))
        names.append(next(free))
    return names

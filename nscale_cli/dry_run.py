"""What a run would do: the request, the names, and the price, without asking for an image."""

import os
from dataclasses import dataclass
from pathlib import Path

from nscale_cli.client import Client, Exchange
from nscale_cli.connection import Connection
from nscale_cli.errors import NscaleError
from nscale_cli.images import ImageRequest
from nscale_cli.names import Target, candidates
from nscale_cli.prices import estimate_usd, usd_per_megapixel

_LONGEST_PRICE_QUERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be sent and saved. `cost_usd` is None where the service gives no price."""

    request: ImageRequest
    url: str
    host: str
    key_source: str
    paths: tuple[str, ...]
    cost_usd: float | None
    price_unknown_because: str | None


def make_plan(request: ImageRequest, connection: Connection, target: Target | None) -> Plan:
    """Ask the service for the price, and for nothing else."""
    cost, reason = _cost(request, connection)
    return Plan(
        request=request,
        url=f"{connection.base_url}/images/generations",
        host=connection.host,
        key_source=connection.api_key.source,
        paths=tuple(_free_names(target, request.count)) if target else ("-",),
        cost_usd=cost,
        price_unknown_because=reason,
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


def _cost(request: ImageRequest, connection: Connection) -> tuple[float | None, str | None]:
    seconds = min(connection.timeout_seconds, _LONGEST_PRICE_QUERY_SECONDS)
    try:
        with Client(connection) as client:
            reply = client.list_models(Exchange(), timeout_seconds=seconds)
    except NscaleError as error:
        return None, error.message
    if reply.status != 200:
        return None, f"the service answered {reply.status} to the question"
    price = usd_per_megapixel(reply.body, request.model)
    if price is None:
        return None, "the service gives none for this model"
    return round(estimate_usd(price, request), 9), None

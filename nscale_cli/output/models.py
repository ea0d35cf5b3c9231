"""Models as the user sees them: a plain table, or all fields of one."""

import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from nscale_cli.output.result import Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import excerpt
from nscale_cli.request import Size
from nscale_cli.service.catalog import Listing, age
from nscale_cli.service.models import Model
from nscale_cli.service.prices import cost_usd, dollars, plain_digits
from nscale_cli.values import frozen

_UNKNOWN = "unknown"
_MAX_CELL = 100
_MAX_FIELDS = 100


@frozen
class ModelsListed(Result):
    """All models of a list, or those that look like image models, with prices for one size."""

    command = "models list"
    listing: Listing
    asked_at: datetime
    size: Size
    everything: bool
    by_price: bool
    columns: int | None = None  # of the terminal to which the table goes, if it goes to one

    @property
    def shown(self) -> list[Model]:
        """The models in their order."""
        models = self.listing.listed.models
        return sorted(
            (model for model in models if self.everything or model.is_image_model),
            key=_by_price if self.by_price else _by_name,
        )

    def notes(self) -> Iterator[str]:
        """Say how old the list is, and how much of it is shown."""
        yield from _age(self.listing, self.asked_at)
        if not self.everything:
            yield (
                f"{len(self.shown)} of {len(self.listing.listed.models)} models look like image "
                "models by their names; --all lists all"
            )

    def lines(self) -> list[str]:
        """Return the table; none where it would have no row."""
        rows = [_row(model, self.size) for model in self.shown]
        return _fitting(rows, self.size, self.columns or sys.maxsize) if rows else []

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        models = [_model_data(model, self.size) for model in self.shown]
        return _list_data(self.listing, self.size) | {"models": models}


@frozen
class ModelShown(Result):
    """All that is known of one model of a list, with its price for one size."""

    command = "models show"
    model: Model
    listing: Listing
    asked_at: datetime
    size: Size

    def notes(self) -> Iterator[str]:
        """Say how old the list is."""
        yield from _age(self.listing, self.asked_at)

    def lines(self) -> list[str]:
        """Return a row for each field that the service gave, and for what is made of them."""
        model = self.model
        fields = islice(model.fields.items(), _MAX_FIELDS)
        given = ((excerpt(name, 60), excerpt(_text(value))) for name, value in fields)
        return format_table(
            [
                ("id", excerpt(model.id)),
                *given,
                (f"USD per image of {self.size}", _amount(_usd_per_image(model, self.size))),
                ("looks like an image model", "yes" if model.is_image_model else "no"),
            ]
        )

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        known = _model_data(self.model, self.size) | {"fields": dict(self.model.fields)}
        return _list_data(self.listing, self.size) | {"model": known}


def _age(listing: Listing, now: datetime) -> Iterator[str]:
    if listing.stale_reason is not None:
        yield f"from the list of {age(listing.listed, now)}: {listing.stale_reason}"


def _by_name(model: Model) -> tuple[str, str]:
    return model.id.lower(), model.id


def _by_price(model: Model) -> tuple[float, tuple[str, str]]:
    price = model.usd_per_megapixel
    return (math.inf if price is None else price), _by_name(model)


def _usd_per_image(model: Model, size: Size) -> float | None:
    return cost_usd(model.usd_per_megapixel, [size])


def _row(model: Model, size: Size) -> tuple[str, ...]:
    price = model.usd_per_megapixel
    return (
        excerpt(model.id, _MAX_CELL),
        excerpt(model.owner or _UNKNOWN, _MAX_CELL // 2),
        _UNKNOWN if price is None else plain_digits(price, 6) if price else "0",
        _amount(_usd_per_image(model, size)),
    )


def _fitting(rows: list[tuple[str, ...]], size: Size, columns: int) -> list[str]:
    """Return the table with as much as `columns` hold: the owner goes first, then long headings."""
    long = ("USD PER MEGAPIXEL", f"USD PER IMAGE OF {size}")
    short = ("USD/MP", f"USD/{size}")
    without_owner = [(model_id, *prices) for model_id, _, *prices in rows]
    tables = (
        [("ID", "OWNER", *long), *rows],
        [("ID", *long), *without_owner],
        [("ID", *short), *without_owner],
    )
    for table in tables:
        if (lines := format_table(table)) and len(max(lines, key=len)) <= columns:
            return lines
    # What is left is longer ids than the terminal is wide.
    room = columns - (max(map(len, lines)) - max(len(row[0]) for row in rows))
    cut = [(excerpt(model_id, max(room, 8)), *prices) for model_id, *prices in tables[-1]]
    return format_table(cut)


def _amount(usd: float | None) -> str:
    return _UNKNOWN if usd is None else dollars(usd)


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _list_data(listing: Listing, size: Size) -> dict[str, object]:
    return {
        "base_url": listing.listed.base_url,
        "fetched_at": listing.listed.fetched_at.astimezone(UTC).isoformat(timespec="seconds"),
        "cached": listing.stale_reason is not None,
        "size": str(size),
    }


def _model_data(model: Model, size: Size) -> dict[str, object]:
    return {
        "id": model.id,
        "owned_by": model.owner,
        "image": model.is_image_model,
        "usd_per_megapixel": model.usd_per_megapixel,
        "usd_per_image": _usd_per_image(model, size),
    }

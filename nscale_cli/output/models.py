"""Models as the user sees them: a plain table, all fields of one, or one JSON document."""

import math
from datetime import UTC, datetime
from itertools import islice

from nscale_cli.output.images import write_document
from nscale_cli.output.tables import format_table
from nscale_cli.redact import excerpt
from nscale_cli.request import Size
from nscale_cli.service.catalog import Listing, age
from nscale_cli.service.models import Model
from nscale_cli.service.prices import cost_usd, dollars
from nscale_cli.terminal.streams import Terminal

_UNKNOWN = "unknown"
_MAX_CELL = 100
_MAX_FIELDS = 100


def report_age(listing: Listing, terminal: Terminal, now: datetime) -> None:
    """Say that a list is one of before, and why."""
    if listing.stale_reason is not None:
        terminal.note(f"from the list of {age(listing.listed, now)}: {listing.stale_reason}")


def report_models(
    listing: Listing,
    terminal: Terminal,
    *,
    size: Size,
    everything: bool,
    by_price: bool,
    as_json: bool,
) -> None:
    """Write the table, or the document, of all models or of those that look like image models."""
    models = listing.listed.models
    shown = sorted(
        (model for model in models if everything or model.is_image_model),
        key=_by_price if by_price else _by_name,
    )
    if not everything:
        terminal.note(
            f"{len(shown)} of {len(models)} models look like image models by their names; "
            "--all lists all"
        )
    if as_json:
        data = _list_data(listing, size) | {"models": [_model_data(m, size) for m in shown]}
        write_document("models list", data, [], terminal)
    elif shown:
        header = ("ID", "OWNER", "USD PER MEGAPIXEL", f"USD PER IMAGE OF {size}")
        rows = [_row(model, size) for model in shown]
        terminal.answer("\n".join(format_table([header, *rows])))


def report_model(
    model: Model, listing: Listing, terminal: Terminal, *, size: Size, as_json: bool
) -> None:
    """Write all that is known of one model."""
    if as_json:
        known = _model_data(model, size) | {"fields": dict(model.fields)}
        data = _list_data(listing, size) | {"model": known}
        write_document("models show", data, [], terminal)
        return
    fields = islice(model.fields.items(), _MAX_FIELDS)
    rows = [("id", excerpt(model.id)), *((excerpt(n, 60), excerpt(_text(v))) for n, v in fields)]
    rows.append((f"USD per image of {size}", _amount(_usd_per_image(model, size))))
    rows.append(("looks like an image model", "yes" if model.is_image_model else "no"))
    terminal.answer("\n".join(format_table(rows)))


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
        _UNKNOWN if price is None else f"{price:.6g}",
        _amount(_usd_per_image(model, size)),
    )


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

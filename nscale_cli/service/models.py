"""Models as a service lists them, and which of them make images, by their names."""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from nscale_cli.config.table import KNOWN_MODELS
from nscale_cli.redact import Redactor
from nscale_cli.service.decode import parse_json
from nscale_cli.service.prices import amount
from nscale_cli.values import frozen

Scalar = str | int | float | bool | None

_MAX_LIST_BYTES = 8 * 1024 * 1024
_DEEPEST_FIELD = 3
# An id for a shell's command line: nothing that a shell would act on.
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}", re.ASCII)
_MAX_SUGGESTIONS = 3
# Families of models that make images, as words of their ids.
_FAMILIES = re.compile(
    r"(?<![a-z])(flux|stable-?(diffusion|cascade)|sdxl|sd-?(turbo|[123]([.-]\d)?)|kandinsky|pixart"
    r"|playground-v\d|dall-?e|gpt-image|imagen|ideogram|recraft|hidream|(qwen|z|hunyuan)-?image"
    r"|hunyuandit|seedream|kolors|sana|auraflow|cogview|wuerstchen|omnigen|lumina-image)(?![a-z])",
    re.ASCII,
)


@frozen
class Model:
    """One entry of a list. `fields` are its scalar values; inner ones as `pricing.output`."""

    id: str
    fields: Mapping[str, Scalar]

    @property
    def owner(self) -> str | None:
        """Who the service says has made it."""
        owner = self.fields.get("owned_by")
        return owner if isinstance(owner, str) and owner else None

    @property
    def usd_per_megapixel(self) -> float | None:
        """The price of a megapixel in US dollars, or None where the service gives none."""
        return amount(self.fields.get("pricing.output"))

    @property
    def is_image_model(self) -> bool:
        """Whether the rule of `looks_like_images` takes it for an image model."""
        return looks_like_images(self.id)


@frozen
class ModelList:
    """The models of the service at `base_url`, as it listed them at `fetched_at`."""

    base_url: str
    fetched_at: datetime
    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model | None:
        """Return the first model of this id, or None."""
        return next((model for model in self.models if model.id == model_id), None)

    @property
    def ids(self) -> list[str]:
        """The ids, in the list's order."""
        return [model.id for model in self.models]


def looks_like_images(model_id: str) -> bool:
    """Return whether an id looks like that of an image model.

    The API has no field that says so. The rule is: an id that this program knows, or one that
    holds the name of a family of image models (FLUX, Stable Diffusion, SDXL and others). It can
    be wrong either way, and is never shown as a fact.
    """
    words = model_id.lower().replace("_", "-")
    return model_id in KNOWN_MODELS or _FAMILIES.search(words) is not None


def models_in(body: bytes | bytearray, redactor: Redactor) -> tuple[Model, ...] | None:
    """Return what a reply to `GET /models` lists, without secrets; None where it is no list.

    Entries without an id are left out.
    """
    document = parse_json(bytes(body)) if len(body) <= _MAX_LIST_BYTES else None
    entries = document.get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    return tuple(
        model_of(entry, redactor)
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"].strip()
    )


def model_of(entry: Mapping[str, object], redactor: Redactor) -> Model:
    """Return one entry, which has an id."""
    model_id = redactor.redact(str(entry["id"]))
    fields = {name: value for name, value in _scalars(entry, redactor) if name != "id"}
    return Model(id=model_id, fields=fields)


def _scalars(
    entry: Mapping[str, object], redactor: Redactor, before: str = "", depth: int = 1
) -> Iterator[tuple[str, Scalar]]:
    for key, value in entry.items():
        name = before + redactor.redact(key)
        if isinstance(value, dict) and depth < _DEEPEST_FIELD:
            yield from _scalars(value, redactor, f"{name}.", depth + 1)
        elif isinstance(value, str):
            yield name, redactor.redact(value)
        elif isinstance(value, int | None) or (isinstance(value, float) and math.isfinite(value)):
            yield name, value


def nearest(model_id: str, ids: Iterable[str]) -> list[str]:
    """Return the ids that are most like `model_id`, at most three, whatever their case.

    None where `model_id` is among them, or where nothing is like it.
    """
    plain = {name.lower(): name for name in ids if is_plain(name)}
    if model_id in plain.values() or not is_plain(model_id):
        return []
    wanted = model_id.lower()
    holding = [name for name in plain if wanted in name]  # such as flux, of a longer one
    close = difflib.get_close_matches(wanted, plain, n=_MAX_SUGGESTIONS)
    return [plain[name] for name in dict.fromkeys((*close, *holding))][:_MAX_SUGGESTIONS]


def did_you_mean(ids: Sequence[str]) -> str | None:
    """Return the hint that names these ids, or None where there are none."""
    return f"did you mean {' or '.join(ids)}? Model ids are case-sensitive" if ids else None


def is_plain(model_id: str) -> bool:
    """Return whether an id can be offered at a command line: short, and of harmless characters."""
    return _PLAIN_ID.fullmatch(model_id) is not None

"""Comparisons: axes become the rows of a plan, one row for each image."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import product

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest, Size
from nscale_cli.runs.planning import digest_of
from nscale_cli.runs.rows import Row, json_or_text
from nscale_cli.storage.names import slug
from nscale_cli.values import frozen

KIND = "comparison"  # of a run, in the header of its plan
CELL_FIELD = "cell"  # of file names: what tells a row from the others of its prompt
NAME_TEMPLATE = f"{{slug}}-{{{CELL_FIELD}}}.{{ext}}"
_BLIND_DIGITS = 8


@frozen
class ComparedService:
    """One service with what it is asked for. `name` is its profile's; empty for the only one."""

    base_url: str
    models: tuple[str, ...]
    sizes: tuple[Size, ...]
    name: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    send_size: bool = True


@frozen
class Comparison:
    """What is compared: every prompt with every value of all axes, `samples` times.

    `fields` are extra fields of the request with the values that each takes. `blind`: file names
    tell nothing of who drew what.
    """

    services: tuple[ComparedService, ...]
    prompts: tuple[str, ...]
    fields: Mapping[str, tuple[object, ...]]
    samples: int = 1
    title: str | None = None
    blind: bool = False

    @property
    def header(self) -> dict[str, object]:
        """What the plan keeps of the axes, for reports: names, and the order of values."""
        return {
            "kind": KIND,
            "title": self.title,
            "services": {service.name: service.base_url for service in self.services},
            "fields": list(self.fields),
        }

    @property
    def product(self) -> str:
        """How many images that is, as `3 models x 2 sizes x 4 prompts = 24`."""
        factors = [
            (len(self.services), "service"),
            (max(len(service.models) for service in self.services), "model"),
            (max(len(service.sizes) for service in self.services), "size"),
            *((len(values), f"{excerpt(name, 30)} value") for name, values in self.fields.items()),
            (len(self.prompts), "prompt"),
            (self.samples, "sample"),
        ]
        said = [f"{count} {name}s" for count, name in factors if count > 1]
        total = len(list(self.rows()))
        if len(said) > 1:
            return f"{' x '.join(said)} = {total}"
        return "1 image" if total == 1 else f"{total} images"

    def rows(self) -> Iterator[Row]:
        """Yield a row for each image, prompt by prompt; samples are rows that are equal."""
        for prompt, service in product(self.prompts, self.services):
            for model, size in product(service.models, service.sizes):
                for values in product(*self.fields.values()):
                    varied = dict(zip(self.fields, values, strict=True))
                    row = self._row(service, prompt, model, size, varied)
                    yield from [row] * self.samples

    def _row(
        self,
        service: ComparedService,
        prompt: str,
        model: str,
        size: Size,
        varied: Mapping[str, object],
    ) -> Row:
        request = ImageRequest(
            prompt=prompt,
            model=model,
            size=size,
            params={**service.params, **varied},
            send_size=service.send_size,
        )
        parts = [service.name] if len(self.services) > 1 else []
        parts += [slug(model), str(size), *(f"{n}-{shown(v)}" for n, v in varied.items())]
        if self.blind:
            parts = [digest_of(service.base_url, request)[:_BLIND_DIGITS]]
        home = self.services[0].base_url
        return Row(
            request=request,
            fields={CELL_FIELD: "-".join(parts)},
            service="" if service.base_url == home else service.base_url,
        )


def read_fields(
    pairs: Sequence[str], params: Mapping[str, object]
) -> dict[str, tuple[object, ...]]:
    """Return what `--vary KEY=V1,V2` asks for; a JSON list is read as such.

    Raises UsageError for what is no such pair, names a field twice, or has a value twice.
    """
    fields: dict[str, tuple[object, ...]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise UsageError(
                f"--vary {excerpt(pair, 40)!r} is not KEY=V1,V2", hint="such as --vary seed=1,2,3"
            )
        if name in fields or name in params:
            raise UsageError(
                f"the field {excerpt(name, 40)!r} is given twice", hint="name it once, with --vary"
            )
        fields[name] = _distinct(name, _values(text))
    return fields


def _values(text: str) -> list[object]:
    whole = json_or_text(text)
    return whole if isinstance(whole, list) else [json_or_text(part) for part in text.split(",")]


def _distinct(name: str, values: list[object]) -> tuple[object, ...]:
    spelled = [json.dumps(value, sort_keys=True) for value in values]
    if not values or len(set(spelled)) < len(spelled):
        raise UsageError(
            f"--vary {excerpt(name, 40)} has {'no value' if not values else 'a value twice'}",
            hint="repeats are asked for with -n",
        )
    return tuple(values)


def shown(value: object) -> str:
    """Return the value of an extra field as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

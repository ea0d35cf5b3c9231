"""Comparisons: axes become the rows of a plan, one row for each image; and the plan may grow."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import product

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest, Size
from nscale_cli.runs.journal import read_events
from nscale_cli.runs.plan import PlanHeader, RunDirectory, read_header, read_plan
from nscale_cli.runs.planning import digest_of
from nscale_cli.runs.resume import Action, ResumeOptions, decide
from nscale_cli.runs.rows import Row, json_or_text
from nscale_cli.runs.states import RowStates
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


@frozen
class _Earlier:
    """A row of before: `digest` tells what it asks for, `number` the how-manieth equal one it is.

    `done`: it would not be sent any more.
    """

    row: Row
    digest: str
    number: int
    done: bool


@frozen
class Grown:
    """A plan for what is there and what is asked for now; `to_send` rows of it are not done."""

    header: PlanHeader
    rows: Sequence[Row]
    to_send: int


def grown(run: RunDirectory, header: PlanHeader, comparison: Comparison) -> Grown:
    """Return the plan of a comparison in a directory that may hold some of it already.

    Rows of before come first, so that axes keep their order; those that nobody asks for now stay
    only where they would not be sent any more. Raises UsageError where another kind of run is.
    """
    before = read_header(run)
    if before is None:
        rows = list(comparison.rows())
        return Grown(header=header, rows=rows, to_send=len(rows))
    if before.axes.get("kind") != KIND:
        raise UsageError(
            f"{run.path} holds the run of a file of rows; nothing was sent",
            hint="choose another folder with -o",
        )
    earlier = list(_earlier(run, before.base_url, header.base_url))
    staying, new = _together(earlier, list(comparison.rows()), header.base_url)
    return Grown(
        header=replace(header, axes=_axes(before, header)),
        rows=[*(each.row for each in staying), *new],
        to_send=len(new) + sum(not each.done for each in staying),
    )


def _earlier(run: RunDirectory, then: str, now: str) -> Iterator[_Earlier]:
    """Yield the rows that are there; their service is told as a plan at `now` tells it."""
    with RowStates(read_events(run)) as states:
        for planned in read_plan(run):
            digest, _, number = planned.key.rpartition("#")
            service = planned.row.service or then
            decision = decide(planned, states.get(planned.key), ResumeOptions(), run)
            yield _Earlier(
                row=replace(planned.row, service="" if service == now else service),
                digest=digest,
                number=int(number),
                done=decision.action in (Action.KEEP, Action.LEAVE),
            )


def _together(
    earlier: Sequence[_Earlier], wanted: Sequence[Row], now: str
) -> tuple[list[_Earlier], list[Row]]:
    """Return the rows of before that stay, and the wanted ones beyond them.

    Keys count equal rows: so of these all stay up to the last one that is done or wanted.
    """
    digests = [digest_of(row.service or now, row.request) for row in wanted]
    most = Counter(digests)
    for each in earlier:
        if each.done:
            most[each.digest] = max(most[each.digest], each.number)
    staying = [each for each in earlier if each.number <= most[each.digest]]
    there = Counter(each.digest for each in staying)
    new = []
    for row, digest in zip(wanted, digests, strict=True):
        if there[digest]:
            there[digest] -= 1
        else:
            new.append(row)
    return staying, new


def _axes(before: PlanHeader, header: PlanHeader) -> dict[str, object]:
    """Return what the plan keeps of the axes: services and fields of both, the newer title."""
    old, new = before.axes, header.axes
    services = {**_mapping(old.get("services")), **_mapping(new.get("services"))}
    fields = [*_sequence(old.get("fields")), *_sequence(new.get("fields"))]
    return {
        **new,
        "title": new.get("title") or old.get("title"),
        "services": services,
        "fields": list(dict.fromkeys(fields)),
    }


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _sequence(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []

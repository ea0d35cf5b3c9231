"""A comparison that grows: the rows of a new command beside those that the directory has."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nscale_cli.errors import UsageError
from nscale_cli.runs.comparison import KIND, Comparison
from nscale_cli.runs.journal import read_events
from nscale_cli.runs.plan import PlanHeader, RunDirectory, read_header, read_plan
from nscale_cli.runs.planning import digest_of
from nscale_cli.runs.resume import Action, ResumeOptions, decide
from nscale_cli.runs.rows import Row
from nscale_cli.runs.states import RowStates
from nscale_cli.values import frozen


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

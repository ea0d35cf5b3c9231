"""What a report says of a run and of its cells, in few words."""

from collections import Counter
from collections.abc import Iterable
from math import fsum

from nscale_cli.output.report.cells import Axis, Cell, Kind, Run, State
from nscale_cli.output.report.labels import SEPARATOR as SEPARATOR
from nscale_cli.service.prices import dollars


def title(run: Run) -> str:
    """Return the title that the user gave, the one prompt, or what is compared."""
    if run.title:
        return run.title
    for axis, label in run.fixed:
        if axis.kind is Kind.PROMPT:
            return label
    return ", ".join(_count(axis) for axis in run.axes if axis.varies) or "1 image"


def facts(run: Run) -> list[str]:
    """Return what holds for the whole run: what does not vary, how many came, the cost, the day."""
    said = (Kind.SAMPLE, Kind.ROW, *(() if run.title else (Kind.PROMPT,)))
    cost = known_cost(run.cells)
    return [
        *(label for axis, label in run.fixed if axis.kind not in said),
        *counts(run.cells),
        *([f"{run.left_out} more not shown"] if run.left_out else []),
        *([] if cost is None else [f"about {money(cost)}"]),
        *([f"{run.made.day} {run.made:%B %Y}"] if run.made else []),
    ]


def counts(cells: Iterable[Cell]) -> list[str]:
    """Return how many images there are of each state, as `23 saved`."""
    found = Counter(cell.state for cell in cells)
    return [f"{found[state]} {state}" for state in State if found[state]]


def caption(cell: Cell) -> list[str]:
    """Return what stands under a saved image: seconds, true size, cost."""
    parts = [] if cell.seconds is None else [f"{cell.seconds:.1f} s"]
    true, asked = cell.true_size, cell.asked
    if true is not None:
        parts.append(f"{true} (asked {asked})" if asked not in (None, true) else str(true))
    return parts if cell.cost_usd is None else [*parts, money(cell.cost_usd)]


def absence(cell: Cell | None) -> list[str]:
    """Return what stands in place of an image: the failure's name, then what it cost."""
    if cell is None:
        return ["not asked"]
    if cell.failure is None:
        return [str(cell.state)]
    return [cell.failure.code.replace("_", " "), cell.failure.bill]


def money(usd: float) -> str:
    """Return an estimate in dollars, without digits that say nothing."""
    text = dollars(usd)
    return f"${text if 'e' in text else text.rstrip('0').rstrip('.') or '0'}"


def known_cost(cells: Iterable[Cell]) -> float | None:
    """Return what the saved images cost together, None where that is not known of each."""
    costs = [cell.cost_usd for cell in cells if cell.state is State.SAVED]
    known = [cost for cost in costs if cost is not None]
    return fsum(known) if known and len(known) == len(costs) else None


def _count(axis: Axis) -> str:
    names = {Kind.FIELD: f"values of {axis.name}"}
    return f"{len(axis.values)} {names.get(axis.kind, f'{axis.name}s')}"

"""What a setting did to the pictures, and how they differ from those of an older run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice
from statistics import median

from nscale_cli.output.report.cells import Cell, Kind, Run
from nscale_cli.output.report.pictures import HASH_BITS, distance
from nscale_cli.values import frozen

Hashes = Mapping[str, int]  # of a row's picture, by the row's key

_MAX_PAIRS = 2000  # compared for one sentence
_NEARLY = 2  # bits; encoding alone may change so many
_CHANCE = 4  # bits by which values must differ more than repeats do


@frozen
class Effect:
    """How far the pictures of a model lie apart when one setting changes, and when none does.

    Distances are medians of bits, 0 to 64; `repeats` is None where nothing was asked for twice.
    """

    setting: str
    where: str
    identical: bool
    bits: float
    repeats: float | None

    @property
    def is_visible(self) -> bool:
        """Whether the setting did more than chance does."""
        limit = _NEARLY if self.repeats is None else max(_NEARLY, self.repeats + _CHANCE)
        return not self.identical and self.bits > limit

    def __str__(self) -> str:
        """Say it in a sentence."""
        effect = "changes the picture" if self.is_visible else "no visible effect"
        return f"{self.setting}: {effect}{_at(self.where)} ({self._measured()})"

    def _measured(self) -> str:
        if self.identical:
            return "identical bytes"
        apart = f"{self.bits:g} of {HASH_BITS} bits apart"
        if self.repeats is not None:
            return f"{apart}, repeats {self.repeats:g}"
        return f"{apart}; -n 2 would tell that from chance" if self.is_visible else apart


@frozen
class Drift:
    """One picture of an older run and the same request's picture now."""

    then: Cell
    now: Cell
    bits: int | None
    identical: bool


def effects(run: Run, hashes: Hashes) -> Iterator[Effect]:
    """Yield what each varied field did at each model; and the size, where it did nothing."""
    for place, axis in enumerate(run.axes):
        if axis.kind not in (Kind.FIELD, Kind.SIZE) or not axis.varies:
            continue
        for where, cells in _by_model(run).items():
            effect = _effect(run, place, where, cells, hashes)
            expected = axis.kind is Kind.SIZE and effect is not None and effect.is_visible
            if effect is not None and not expected:
                yield effect


def other_sizes(run: Run) -> Iterator[str]:
    """Yield a sentence for each size that came at a model and was not asked for."""
    for where, cells in _by_model(run).items():
        counts = Counter(
            (str(cell.asked), str(cell.true_size))
            for cell in cells
            if cell.asked and cell.true_size and cell.asked != cell.true_size
        )
        for (asked, came), count in counts.items():
            pictures = "1 picture" if count == 1 else f"{count} pictures"
            yield f"size: asked {asked}, came {came}{_at(where)} ({pictures})"


def drifts(then: Run, now: Run, then_hashes: Hashes, now_hashes: Hashes) -> Iterator[Drift]:
    """Yield each pair of pictures that the same request gave in two runs."""
    before = {_identity(then, cell): cell for cell in then.cells if cell.image}
    for cell in now.cells:
        old = before.get(_identity(now, cell))
        if old is None or cell.image is None:
            continue
        one, other = then_hashes.get(old.row), now_hashes.get(cell.row)
        yield Drift(
            then=old,
            now=cell,
            bits=None if one is None or other is None else distance(one, other),
            identical=_sha256(old) == _sha256(cell),
        )


def _at(where: str) -> str:
    return f" at {where}" if where else ""


def _by_model(run: Run) -> dict[str, list[Cell]]:
    """Return the saved cells of each model of each service, under a name for the two."""
    kinds = [n for n, axis in enumerate(run.axes) if axis.kind in (Kind.SERVICE, Kind.MODEL)]
    named = [n for n in kinds if run.axes[n].kind is Kind.MODEL or run.axes[n].varies]
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if cell.image is not None:
            groups[", ".join(run.axes[n].label(cell.at[n]) for n in reversed(named))].append(cell)
    return groups


def _effect(
    run: Run, place: int, where: str, cells: Sequence[Cell], hashes: Hashes
) -> Effect | None:
    sample = run.position(Kind.SAMPLE)
    across, again = list(_pairs(cells, differ=place)), list(_pairs(cells, differ=sample))
    bits, repeats = _distances(across, hashes), _distances(again, hashes)
    if not bits:
        return None
    return Effect(
        setting=run.axes[place].name,
        where=where,
        identical=all(_sha256(one) == _sha256(other) for one, other in across),
        bits=median(bits),
        repeats=median(repeats) if repeats else None,
    )


def _pairs(cells: Iterable[Cell], *, differ: int) -> Iterator[tuple[Cell, Cell]]:
    """Yield pairs of cells that are alike on every axis but one."""
    groups: dict[tuple[int, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.at[:differ] + cell.at[differ + 1 :]].append(cell)
    pairs = (pair for group in groups.values() for pair in combinations(group, 2))
    return islice(pairs, _MAX_PAIRS)


def _distances(pairs: Iterable[tuple[Cell, Cell]], hashes: Hashes) -> list[int]:
    known = ((hashes.get(one.row), hashes.get(other.row)) for one, other in pairs)
    return [distance(a, b) for a, b in known if a is not None and b is not None]


def _sha256(cell: Cell) -> str:
    """Return the hash of what the service sent, whatever --metadata has put into the file."""
    return (cell.image.original_sha256 or cell.image.sha256) if cell.image else ""


def _identity(run: Run, cell: Cell) -> frozenset[tuple[str, str]]:
    """Return what a cell asks for, in words that hold in another run, too."""
    return frozenset(
        (axis.name, axis.values[index])
        for axis, index in zip(run.axes, cell.at, strict=True)
        if axis.kind is not Kind.SERVICE or axis.varies
    )

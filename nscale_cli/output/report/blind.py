"""Blind judging: pictures under letters, and the key that says which model each letter is."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import combinations
from random import Random
from string import ascii_uppercase

from nscale_cli.errors import UsageError
from nscale_cli.output.report.cells import Cell, Kind, Run
from nscale_cli.values import frozen

VERSION = 1
_CONTESTS = ((Kind.SERVICE, Kind.MODEL), (Kind.FIELD,), (Kind.SIZE,))
_SALT_BYTES = 32


@frozen
class Ballot:
    """Pictures that were asked for alike: `rows` and `contestants` by letter, in its order."""

    prompt: str
    rows: Mapping[str, str]
    contestants: Mapping[str, int]


@frozen
class Pair:
    """Two pictures of a ballot, by their letters, to choose from."""

    ballot: int
    left: str
    right: str


@frozen
class Key:
    """Who stands behind the letters. `data` is the key's file, whose SHA-256 seals it."""

    contestants: tuple[str, ...]
    ballots: tuple[Ballot, ...]
    pairs: tuple[Pair, ...]
    data: bytes

    @property
    def seal(self) -> str:
        """What the page carries, so that nobody can change the key after a vote."""
        return hashlib.sha256(self.data).hexdigest()

    def is_of(self, run: Run) -> bool:
        """Return whether it is about exactly the pictures that the run has."""
        mine = {frozenset(ballot.rows.values()) for ballot in self.ballots}
        return mine == {frozenset(c.row for c in cells) for cells in _ballots(run).values()}


def make_key(run: Run, chance: Random) -> Key:
    """Return a new key: letters shuffled for each ballot, sides and order for each pair.

    Raises UsageError where there is nothing to choose between.
    """
    groups = _ballots(run)
    if not groups:
        raise UsageError(
            "--blind needs two pictures of one prompt to choose between",
            hint="compare two models: -m A -m B",
        )
    contestants = list(dict.fromkeys(_contestant(run, cell) for cell in run.cells))
    ballots = []
    for cells in groups.values():
        shuffled = chance.sample(cells, len(cells))
        lettered = dict(zip(_letters(len(cells)), shuffled, strict=True))
        ballots.append(
            Ballot(
                prompt=run.prompt(cells[0]),
                rows={letter: cell.row for letter, cell in lettered.items()},
                contestants={
                    letter: contestants.index(_contestant(run, cell))
                    for letter, cell in lettered.items()
                },
            )
        )
    pairs = [
        Pair(ballot=number, left=left, right=right)
        for number, ballot in enumerate(ballots)
        for left, right in (chance.sample(pair, 2) for pair in combinations(ballot.rows, 2))
    ]
    chance.shuffle(pairs)
    document = {
        "version": VERSION,
        "salt": chance.randbytes(_SALT_BYTES).hex(),
        "contestants": contestants,
        "ballots": [asdict(ballot) for ballot in ballots],
        "pairs": [asdict(pair) for pair in pairs],
    }
    return read_key(json.dumps(document, indent=1).encode())


def read_key(data: bytes) -> Key:
    """Return the key in a file; raise UsageError for anything else."""
    try:
        document = json.loads(data)
        return Key(
            contestants=tuple(map(str, document["contestants"])),
            ballots=tuple(Ballot(**entry) for entry in document["ballots"]),
            pairs=tuple(Pair(**entry) for entry in document["pairs"]),
            data=data,
        )
    except (ValueError, TypeError, KeyError):
        raise UsageError("the key of the blind page is damaged") from None


def _contest(run: Run) -> tuple[int, ...]:
    """Return the places of the axes whose values are judged: models, else fields, else sizes."""
    for kinds in _CONTESTS:
        places = [n for n, axis in enumerate(run.axes) if axis.kind in kinds and axis.varies]
        if places:
            return tuple(places)
    return ()


def _contestant(run: Run, cell: Cell) -> str:
    """Return the name of what a cell's picture stands for."""
    return ", ".join(run.axes[n].label(cell.at[n]) for n in reversed(_contest(run)))


def _ballots(run: Run) -> dict[tuple[int, ...], list[Cell]]:
    """Return the saved cells that differ in nothing but what is judged; two of them at least."""
    contest = _contest(run)
    groups: dict[tuple[int, ...], list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if cell.image is not None:
            groups[tuple(v for n, v in enumerate(cell.at) if n not in contest)].append(cell)
    return {at: cells for at, cells in groups.items() if len(cells) > 1}


def _letters(count: int) -> Iterator[str]:
    """Yield A to Z, then AA, AB and so on."""
    for number in range(count):
        first, last = divmod(number, len(ascii_uppercase))
        yield (ascii_uppercase[first - 1] if first else "") + ascii_uppercase[last]

"""A run as a report sees it: axes, and one cell for each image that was asked for."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from nscale_cli.errors import Billed
from nscale_cli.redact import clean
from nscale_cli.request import SavedImage, Size
from nscale_cli.values import frozen

_JOINERS = "\u200c\u200d"  # they shape Persian, Hindi and emoji, and can do no harm in a picture
_MAX_LINES = 200


class Kind(StrEnum):
    """What an axis is made of; the order is the one in which axes become columns."""

    SERVICE = "service"
    MODEL = "model"
    SIZE = "size"
    FIELD = "field"  # an extra field of the request, given several values
    PROMPT = "prompt"
    ROW = "row"  # a row of a batch, whatever it says
    SAMPLE = "sample"


class State(StrEnum):
    """What became of one image that was asked for."""

    SAVED = "saved"
    FAILED = "failed"
    NOT_SENT = "not sent"


@frozen
class Axis:
    """One thing that varies over a run, or could: `name` is the kind's, or the field's own."""

    kind: Kind
    name: str
    values: tuple[str, ...]

    @property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        return len(self.values) > 1

    def label(self, index: int) -> str:
        """Return what is written beside the cells of a value."""
        value = readable(self.values[index])
        return f"{readable(self.name)} {value}" if self.kind in (Kind.FIELD, Kind.SAMPLE) else value


@frozen
class Failure:
    """Why there is no image: `code` is the name of an exit code."""

    code: str
    billed: Billed
    message: str
    http_status: int | None = None

    @property
    def bill(self) -> str:
        """What it cost, in a few words."""
        words = {Billed.NO: "not billed", Billed.MAYBE: "may be billed", Billed.YES: "billed"}
        return words[self.billed]


@frozen
class Cell:
    """One image that was asked for. `at` holds the index of its value on each axis of the run."""

    row: str
    at: tuple[int, ...]
    state: State
    asked: Size | None = None
    image: SavedImage | None = None
    failure: Failure | None = None
    seconds: float | None = None
    cost_usd: float | None = None

    @property
    def true_size(self) -> Size | None:
        """The size of the image that came."""
        return self.image.size if self.image else None


@frozen
class Run:
    """All that was asked for in one directory; the cells are in the order of the plan.

    `left_out` rows are not among them, since nobody could look at so many.
    """

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    title: str | None = None
    made: datetime | None = None
    left_out: int = 0

    @property
    def fixed(self) -> Iterator[tuple[Axis, str]]:
        """The axes of a single value, with that value's label."""
        return ((axis, axis.label(0)) for axis in self.axes if len(axis.values) == 1)

    def position(self, kind: Kind) -> int:
        """Return the place of the axis of a kind among all."""
        return next(place for place, axis in enumerate(self.axes) if axis.kind is kind)

    def value(self, cell: Cell, kind: Kind) -> str:
        """Return the text of a cell's value on the axis of a kind."""
        place = self.position(kind)
        return self.axes[place].values[cell.at[place]]

    def prompt(self, cell: Cell) -> str:
        """Return the prompt of a cell, or what a row of a batch is known by."""
        kinds = {axis.kind for axis in self.axes}
        return self.value(cell, Kind.PROMPT if Kind.PROMPT in kinds else Kind.ROW)

    def labels(self, cell: Cell) -> Iterator[str]:
        """Yield what tells a cell from the others: its value on each axis that varies."""
        for axis, index in zip(self.axes, cell.at, strict=True):
            if axis.varies:
                yield axis.label(index)


def readable(text: str) -> str:
    """Return untrusted text as it may be set: no control, no override; lines become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in _JOINERS else clean(c) for c in text)


def readable_lines(text: str) -> str:
    """Return untrusted text as it may be set, with its lines kept."""
    return "\n".join(readable(line) for line in text.strip().split("\n", _MAX_LINES))

"""A look at all rows before anything is sent: what is done, what will be bought, what it costs."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nscale_cli.errors import Incomplete, UsageError
from nscale_cli.redact import excerpt
from nscale_cli.runs.journal import image_data
from nscale_cli.runs.ledger import Ledger, Place
from nscale_cli.runs.plan import PlannedRow
from nscale_cli.runs.resume import (
    Action,
    Decision,
    LeftByCrash,
    ResumeOptions,
    decide,
    is_taken,
    names_of,
)
from nscale_cli.runs.rows import MistakeList
from nscale_cli.runs.states import RowHistory, RowStates
from nscale_cli.service.prices import rounded

_MAX_LEFT_SHOWN = 20
# Service and model: what a price hangs on.
Area = dict[tuple[str, str], float]


@dataclass(slots=True, kw_only=True)
class Survey:
    """What a run is about to do. Areas are megapixels, by service and model.

    `left` are the first of the rows that are left alone, with the reason. `unpriced` rows let the
    service choose their size.
    """

    rows: int = 0
    saved: int = 0
    adopted: int = 0
    left_alone: int = 0
    to_send: int = 0
    images_to_send: int = 0
    unpriced: int = 0
    left: list[tuple[PlannedRow, str]] = field(default_factory=list)
    area: Area = field(default_factory=lambda: defaultdict(float))
    area_to_send: Area = field(default_factory=lambda: defaultdict(float))

    @property
    def models(self) -> list[str]:
        """The models of what is to be sent, in the order in which they come."""
        return list(dict.fromkeys(model for _, model in self.area_to_send))

    def estimate_usd(
        self, area: Area, price_of: Callable[[str, str], float | None]
    ) -> float | None:
        """Return what this area costs, or None where the price of some of it is unknown."""
        prices = [(price_of(*key), megapixels) for key, megapixels in area.items()]
        if self.unpriced or any(price is None for price, _ in prices):
            return None
        return rounded(sum((price or 0.0) * megapixels for price, megapixels in prices))


def survey_rows(
    place: Place,
    states: RowStates,
    options: ResumeOptions,
    *,
    source: str,
    ledger: Ledger | None = None,
) -> Survey:
    """Look at each row once; raise UsageError for what cannot be done as asked.

    `source` is what people call the file of the rows. Images that a crash left behind are written
    into the `ledger`, where there is one, as saved.
    """
    survey, mistakes, left = Survey(), MistakeList(source), LeftByCrash(place.run)
    redone: set[str] = set()
    for planned in place.rows():
        if ledger is not None:
            survey.adopted += _adopt(planned, ledger, left)
        again = names_of(planned) & options.redo
        redone |= again
        history = states.get(planned.key)
        decision = decide(planned, history, options, place.run)
        _count(planned, decision, survey)
        sent = decision.action in (Action.SEND, Action.SEND_AGAIN)
        row, images = planned.row, planned.request.count
        if sent and row.out and not again and is_taken(planned.path, images, place.run):
            what = f"{excerpt(row.out, 120)} exists, and is not of this row"
            mistakes.add(row.line, "out", f"{what}; move it away, or give another name")
    mistakes.require_none()
    unknown = sorted(options.redo - redone)
    if unknown:
        raise UsageError(
            f"--redo {excerpt(unknown[0], 60)}: no row is called so; nothing was sent",
            hint="give the row's id, its number, or its key in run/journal.jsonl",
        )
    return survey


def rows_to_send(
    place: Place, states: RowStates, options: ResumeOptions
) -> Iterator[tuple[PlannedRow, RowHistory, Action]]:
    """Yield the rows that are to be sent, with what is known of them."""
    for planned in place.rows():
        history = states.get(planned.key)
        action = decide(planned, history, options, place.run).action
        if action in (Action.SEND, Action.SEND_AGAIN):
            yield planned, history, action


def _adopt(planned: PlannedRow, ledger: Ledger, left: LeftByCrash) -> int:
    """Write down what a request that was cut off has left; return how many images that is."""
    history = ledger.states.get(planned.key)
    images = left.images_of(planned, history)
    if not images:
        return 0
    data = [image_data(image, ledger.place.run.path) for image in images]
    if len(images) < planned.request.count:
        came = f"{planned.request.count} images were asked for, {len(images)} are there"
        ledger.journal.failed(planned.key, Incomplete(came), images=data)
    else:
        ledger.journal.saved(
            planned.key,
            data,
            seconds=None,
            cost_usd=history.estimate_usd,
            request_id=None,
            adopted=True,
        )
    ledger.take_in()
    return len(images)


def _count(planned: PlannedRow, decision: Decision, survey: Survey) -> None:
    request = planned.request
    what = planned.row.service, request.model
    megapixels = request.size.megapixels * request.count
    survey.rows += 1
    survey.area[what] += megapixels
    survey.unpriced += not request.send_size
    if decision.action is Action.KEEP:
        survey.saved += 1
    elif decision.action is Action.LEAVE:
        survey.left_alone += 1
        if len(survey.left) < _MAX_LEFT_SHOWN:
            survey.left.append((planned, f"{decision.why}; {decision.hint}"))
    else:
        survey.to_send += 1
        survey.images_to_send += request.count
        survey.area_to_send[what] += megapixels

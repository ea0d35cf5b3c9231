"""Where rows stand by what the journals say, and what the run has cost."""

from itertools import permutations

import pytest

from nscale_cli.errors import (
    AnswerTimeout,
    Incomplete,
    InsufficientCredit,
    NscaleError,
    RequestRefused,
)
from nscale_cli.runs.journal import Event, EventKind
from nscale_cli.runs.states import Money, RowHistory, RowState, RowStates

KEY = "9f2c1ab34d5e6f70#1"


def event(kind: EventKind, row: str = KEY, journal: str = "journal.jsonl", **data: object) -> Event:
    """Return one line of a journal."""
    return Event(journal=journal, row=row, kind=kind, time="t", data=data)


def sent(row: str = KEY, *, estimate: float | None = 0.5, key: str = "k", **more: object) -> Event:
    """Return the line before a request."""
    return event(
        EventKind.SENT, row, path="a.{ext}", idempotency_key=key, estimate_usd=estimate, **more
    )


def saved(row: str = KEY, *, cost: float | None = 0.25) -> Event:
    """Return the line after a success."""
    return event(EventKind.SAVED, row, images=[{"path": "a.png"}], cost_usd=cost, seconds=2.0)


def failed(error: NscaleError, row: str = KEY) -> Event:
    """Return the line after a failure."""
    return event(
        EventKind.FAILED,
        row,
        code=error.code.label,
        billed=error.billed.value,
        message=error.message,
    )


NO_CREDIT, TIMEOUT = failed(InsufficientCredit("no credit")), failed(AnswerTimeout("late"))
REFUSED, SHORT = failed(RequestRefused("no")), failed(Incomplete("short"))


@pytest.mark.parametrize(
    ("events", "state", "spent", "maybe"),
    [
        ([], "not_sent", 0, 0),
        ([sent()], "maybe_billed", 0, 0.5),
        ([sent(), saved()], "saved", 0.25, 0),
        ([sent(), saved(cost=None)], "saved", 0.5, 0),
        ([sent(), NO_CREDIT], "not_billed", 0, 0),
        ([sent(), REFUSED], "refused", 0, 0),
        ([sent(), TIMEOUT], "maybe_billed", 0, 0.5),
        ([sent(), SHORT], "paid", 0.5, 0),
        ([sent(), NO_CREDIT, sent(), saved()], "saved", 0.25, 0),
        ([sent(), sent(), saved()], "saved", 0.25, 0.5),
        ([sent(), TIMEOUT, sent(), saved()], "saved", 0.25, 0.5),
        ([sent(), TIMEOUT, sent(), NO_CREDIT], "maybe_billed", 0, 0.5),
        ([sent(), sent(), REFUSED], "maybe_billed", 0, 0.5),
        ([sent(), SHORT, sent(), NO_CREDIT], "paid", 0.5, 0),
        ([sent(), SHORT, sent(), saved()], "saved", 0.75, 0),
        ([sent(), saved(), sent(), TIMEOUT], "saved", 0.25, 0.5),
        ([sent(), saved(), sent()], "saved", 0.25, 0.5),
        ([saved()], "saved", 0.25, 0),
    ],
)
def test_what_may_have_cost_money_is_never_forgotten(
    events: list[Event], state: str, spent: float, maybe: float
) -> None:
    """Each attempt counts; a later failure that was free takes nothing back."""
    with RowStates(events) as states:
        assert states.get(KEY).state == state
        assert states.money == Money(spent_usd=spent, maybe_usd=maybe, unpriced=0)


def test_shards_are_merged_in_any_order() -> None:
    """Clocks of machines differ, so what is known of a row does not hang on who was first."""
    parts = [[sent(), TIMEOUT], [sent(), saved()], [sent(), REFUSED]]
    states = set()
    for order in permutations(parts):
        with RowStates([each for part in order for each in part]) as folded:
            states.add((folded.get(KEY).state, folded.money.spent_usd, folded.money.maybe_usd))
    assert states == {(RowState.SAVED, 0.25, 0.5)}


def test_requests_of_unknown_price_are_counted() -> None:
    """A limit on the cost cannot be kept where they may have been billed."""
    events = [sent("a", estimate=None), sent("b", estimate=None), saved("b", cost=None)]
    with RowStates([*events, sent("c", estimate=None), failed(InsufficientCredit("x"), "c")]) as s:
        assert s.money == Money(spent_usd=0, maybe_usd=0, unpriced=2)


def test_the_history_of_a_row_is_what_a_resume_needs() -> None:
    """The name it reserved, the key of its last request, what came."""
    events = [sent(key="first"), TIMEOUT, sent(key="second"), saved()]
    with RowStates(events) as states:
        history = states.get(KEY)
    assert (history.path, history.idempotency_key, history.tries) == ("a.{ext}", "second", 2)
    assert (history.images, history.open, history.code) == ([{"path": "a.png"}], False, "")


def test_rows_are_remembered_however_many_are_under_way() -> None:
    """A crash of a very wide run leaves many requests without an end."""
    count = 5000
    with RowStates([sent(str(number)) for number in range(count)]) as states:
        assert all(states.get(str(number)).open for number in range(count))
        states.add(saved("7"))
        assert states.get("7").state is RowState.SAVED
        assert states.get("nobody") == RowHistory()

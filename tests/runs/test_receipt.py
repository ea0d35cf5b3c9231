"""The receipt: each request of a run once, with what it cost."""

from nscale_cli.errors import Billed
from nscale_cli.runs.journal import EventKind
from nscale_cli.runs.receipt import ReceiptTotals, entries
from tests.runs.test_states import NO_CREDIT as NO_CREDIT_EVENT
from tests.runs.test_states import SHORT, TIMEOUT, event, saved, sent


def told(*events: object) -> list[tuple[str, str, float | None]]:
    """Return outcome, bill and cost of each request."""
    return [(each.outcome, each.billed.value, each.cost_usd) for each in entries(events)]  # type: ignore[arg-type]


def test_each_request_is_told_once_with_what_became_of_it() -> None:
    """What it cost, or nothing, or nobody knows."""
    assert told(sent(), saved()) == [("saved", "yes", 0.25)]
    assert told(sent(), saved(cost=None)) == [("saved", "yes", 0.5)]
    assert told(sent(), SHORT) == [("incomplete", "yes", 0.5)]
    assert told(sent(), NO_CREDIT_EVENT) == [("credit", "no", 0.0)]
    assert told(sent(), TIMEOUT) == [("timeout", "maybe", None)]
    assert told(sent()) == [("cut_off", "maybe", None)]
    assert told(sent(), sent(), saved()) == [("cut_off", "maybe", None), ("saved", "yes", 0.25)]
    assert told(sent(), TIMEOUT, sent(), saved()) == [
        ("timeout", "maybe", None),
        ("saved", "yes", 0.25),
    ]


def test_an_image_that_another_journal_adopted_ends_its_request() -> None:
    """A shard was killed, and a whole run took its image in."""
    adopted = event(EventKind.SAVED, journal="journal.jsonl", images=[], cost_usd=0.25)
    shard = event(EventKind.SENT, journal="journal-1of2.jsonl", estimate_usd=0.5)
    assert told(shard, adopted) == [("saved", "yes", 0.25)]


def test_requests_are_counted_by_what_they_cost() -> None:
    """Unknown prices are no zeros."""
    totals = ReceiptTotals()
    for entry in entries([sent(), saved(), sent("b"), sent("c", estimate=None)]):
        totals.add(entry)
    assert totals.requests == {Billed.NO: 0, Billed.MAYBE: 2, Billed.YES: 1}
    assert (totals.spent_usd, totals.maybe_usd, totals.unpriced) == (0.25, 0.5, 1)

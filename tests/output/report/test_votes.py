"""Votes: read back, counted, and no more certain than they are."""

import json
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.errors import UsageError
from nscale_cli.output.report.blind import Key, make_key
from nscale_cli.output.report.votes import (
    TOO_FEW,
    Choice,
    Outcome,
    Result,
    bradley_terry,
    count,
    read_votes,
    wilson,
)
from tests.output.report.runs import make_run

PROMPTS = tuple(f"prompt {n}" for n in range(40))


def key_of(*models: str) -> Key:
    """Return the key of a page with forty prompts."""
    return make_key(make_run(models=models, prompts=PROMPTS), Random(1))


def votes_file(key: Key, votes: Sequence[object], voter: str = "v1", seal: str = "") -> bytes:
    """Return the file that the page saves."""
    return json.dumps({"seal": seal or key.seal, "voter": voter, "votes": votes}).encode()


def word(ballot: int, left: str, right: str, choice: str) -> dict[str, object]:
    """Return one vote as the page writes it."""
    return {"ballot": ballot, "left": left, "right": right, "choice": choice}


def judged(key: Key, duels: Sequence[tuple[str, str, str]], voter: str = "v1") -> list[dict]:
    """Return votes in which `winner` beats `loser`, or they tie, each on a prompt of its own."""
    votes = []
    for number, (one, other, choice) in enumerate(duels):
        behind = key.ballots[number].contestants
        letters = {key.contestants[who]: letter for letter, who in behind.items()}
        votes.append(word(number, letters[one], letters[other], choice))
    return votes


def outcome_of(key: Key, duels: Sequence[tuple[str, str, str]]) -> Outcome:
    """Return what such votes say."""
    _, votes = read_votes(votes_file(key, judged(key, duels)), "v.json", {key.seal: key})
    return count((key, vote) for vote in votes)


def test_votes_are_counted_for_those_behind_the_letters() -> None:
    """Wins, losses, and both kinds of tie."""
    key = key_of("a", "b")
    outcome = outcome_of(
        key, [("a", "b", "left"), ("b", "a", "right"), ("a", "b", "both"), ("b", "a", "neither")]
    )
    best, other = outcome.standings

    assert (best.name, best.wins, best.losses, best.both, best.neither) == ("a", 2, 0, 1, 1)
    assert (other.name, other.wins, other.losses, other.both, other.neither) == ("b", 0, 2, 1, 1)
    assert (outcome.votes, outcome.voters, outcome.verdict) == (4, 1, TOO_FEW)


def test_two_contestants_are_told_apart_by_enough_votes() -> None:
    """Nine of ten tell, six of ten do not."""
    key = key_of("a", "b")

    def verdict(wins: int, losses: int) -> str:
        return outcome_of(key, [("a", "b", "left")] * wins + [("a", "b", "right")] * losses).verdict

    assert verdict(9, 1) == "a is preferred to b"
    assert verdict(1, 9) == "b is preferred to a"
    assert verdict(6, 4) == TOO_FEW


def test_three_contestants_are_ranked_where_wins_lead_from_all_to_all() -> None:
    """By strengths that sum to one."""
    key = key_of("a", "b", "c")
    duels = [("a", "b", "left")] * 12 + [("b", "c", "left")] * 12 + [("c", "a", "left")]
    outcome = outcome_of(key, duels)

    assert [standing.name for standing in outcome.standings] == ["a", "b", "c"]
    assert sum(standing.strength or 0 for standing in outcome.standings) == pytest.approx(1)
    assert outcome.verdict == "a is preferred to b; b is preferred to c"


@pytest.mark.parametrize(
    ("duels", "verdict"),
    [
        ([("a", "b", "left")] * 20, f"a is preferred to b; for a ranking of all: {TOO_FEW}"),
        ([("a", "b", "left"), ("b", "c", "left"), ("a", "c", "left")] * 2, TOO_FEW),
    ],
    ids=["c was never seen", "a never lost"],
)
def test_three_contestants_without_a_connected_graph_are_not_ranked(
    duels: list, verdict: str
) -> None:
    """No strengths are most likely then; what a pair tells by itself is told all the same."""
    outcome = outcome_of(key_of("a", "b", "c"), duels)

    assert {standing.strength for standing in outcome.standings} == {None}
    assert outcome.verdict == verdict


def test_a_later_word_of_a_voter_replaces_an_earlier_one() -> None:
    """A file that is given twice counts once; another voter counts beside it."""
    key = key_of("a", "b")
    files = [
        votes_file(key, [word(0, "A", "B", "left")]),
        votes_file(key, [word(0, "B", "A", "left")]),
        votes_file(key, [word(0, "A", "B", "left")], voter="v2"),
    ]
    read = [vote for data in files for vote in read_votes(data, "v", {key.seal: key})[1]]
    outcome = count((key, vote) for vote in read)

    assert (outcome.votes, outcome.voters) == (2, 2)
    assert [(s.wins, s.losses) for s in outcome.standings] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1]", b"\xff", b'{"seal": "x", "voter": "y", "votes": [3]}', b"null"],
)
def test_a_file_without_votes_is_refused(data: bytes) -> None:
    """By its name."""
    with pytest.raises(UsageError, match=r"my\.json holds no votes"):
        read_votes(data, "my.json", {})


def test_votes_on_another_page_are_refused() -> None:
    """The seal binds them to the key that was there when they were given."""
    key = key_of("a", "b")

    with pytest.raises(UsageError, match="another page, or its key was changed"):
        read_votes(votes_file(key, [], seal="0" * 64), "v.json", {key.seal: key})


@pytest.mark.parametrize(
    ("ballot", "left", "right"), [(99, "A", "B"), (-1, "A", "B"), (0, "A", "Z"), (0, "A", "A")]
)
def test_a_vote_on_what_the_page_does_not_have_is_refused(
    ballot: int, left: str, right: str
) -> None:
    """Such a file was written by something else."""
    key, vote = key_of("a", "b"), word(ballot, left, right, "left")

    with pytest.raises(UsageError, match="a pair that the page does not have"):
        read_votes(votes_file(key, [vote]), "v.json", {key.seal: key})


@pytest.mark.parametrize(
    ("wins", "decided", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson_intervals_are_those_of_the_books(
    wins: int, decided: int, low: float, high: float
) -> None:
    """81 of 263 is Newcombe's example (1998)."""
    interval = wilson(wins, decided)

    assert interval is not None
    assert (interval.low, interval.high) == (
        pytest.approx(low, abs=1e-4),
        pytest.approx(high, abs=1e-4),
    )
    assert wilson(0, 0) is None


def test_bradley_terry_finds_the_most_likely_strengths() -> None:
    """For two, the share of wins; for more, expected wins equal those that were counted."""
    two: list[Result] = [("a", "b", Choice.LEFT)] * 3 + [("a", "b", Choice.RIGHT)]
    assert bradley_terry(["a", "b"], two) == {
        "a": pytest.approx(0.75, abs=1e-6),
        "b": pytest.approx(0.25, abs=1e-6),
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")]),
            st.sampled_from(list(Choice)),
        ),
        max_size=40,
    )
)
def test_strengths_explain_the_wins_that_were_counted(duels: list) -> None:
    """At the maximum of likelihood, each one's expected wins are its wins, ties being halves."""
    results: list[Result] = [(*names, choice) for names, choice in duels]
    strengths = bradley_terry(["a", "b", "c", "d"], results)
    if strengths is None:
        return
    for name in strengths:
        won = expected = 0.0
        for left, right, choice in results:
            if name not in (left, right):
                continue
            other = right if name == left else left
            own = Choice.LEFT if name == left else Choice.RIGHT
            won += 1.0 if choice is own else 0.5 if choice in ("both", "neither") else 0.0
            expected += strengths[name] / (strengths[name] + strengths[other])
        assert won == pytest.approx(expected, abs=0.01)

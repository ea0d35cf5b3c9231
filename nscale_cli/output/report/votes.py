"""Votes of a blind page: read back, counted, and said with no more certainty than there is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from math import sqrt

from nscale_cli.errors import UsageError
from nscale_cli.output.report.blind import Key
from nscale_cli.redact import excerpt
from nscale_cli.values import frozen

TOO_FEW = "too few votes to tell"
_Z = 1.959964  # of a normal distribution: 95 % lie within so many deviations
_ROUNDS, _CLOSE = 10_000, 1e-9


class Choice(StrEnum):
    """What was said of a pair."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    NEITHER = "neither"


@frozen
class Vote:
    """One voter's word on one pair of a ballot."""

    voter: str
    ballot: int
    left: str
    right: str
    choice: Choice


@frozen
class Interval:
    """A share of wins, and between what it lies with 95 % confidence (Wilson)."""

    share: float
    low: float
    high: float

    @property
    def tells(self) -> bool:
        """Whether it leaves out that both are as good."""
        return not self.low <= 0.5 <= self.high


@frozen
class Standing:
    """How one contestant did. `strength` (Bradley-Terry) sums to 1 over all, or is not known."""

    name: str
    wins: int
    losses: int
    both: int
    neither: int
    strength: float | None

    @property
    def interval(self) -> Interval | None:
        """The share of wins among what was decided."""
        return wilson(self.wins, self.wins + self.losses)


@frozen
class Outcome:
    """What all votes say: the standings, the best first, and a verdict in a sentence."""

    votes: int
    voters: int
    standings: tuple[Standing, ...]
    verdict: str


def read_votes(data: bytes, name: str, keys: Mapping[str, Key]) -> tuple[Key, list[Vote]]:
    """Return the votes in a file and the key of the page they were given on.

    Raises UsageError where it is no such file, or of no page that `keys` (by seal) knows.
    """
    try:
        document = json.loads(data)
        seal, voter = str(document["seal"]), str(document["voter"])
        votes = [_vote(entry, voter) for entry in document["votes"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            f"{excerpt(name, 80)} holds no votes", hint="give the file that the blind page saved"
        ) from None
    if seal not in keys:
        raise UsageError(
            f"the votes in {excerpt(name, 80)} are for another page, or its key was changed",
            hint=f"their page carries the seal {excerpt(seal, 64)}",
        )
    for vote in votes:
        _require_known(vote, keys[seal], name)
    return keys[seal], votes


def _vote(entry: Mapping[str, object], voter: str) -> Vote:
    ballot = entry["ballot"]
    if not isinstance(ballot, int):
        raise TypeError
    return Vote(
        voter=voter,
        ballot=ballot,
        left=str(entry["left"]),
        right=str(entry["right"]),
        choice=Choice(str(entry["choice"])),
    )


def _require_known(vote: Vote, key: Key, name: str) -> None:
    letters = key.ballots[vote.ballot].rows if 0 <= vote.ballot < len(key.ballots) else {}
    if not {vote.left, vote.right} <= letters.keys() or vote.left == vote.right:
        raise UsageError(f"{excerpt(name, 80)} votes on a pair that the page does not have")


def count(votes: Iterable[tuple[Key, Vote]]) -> Outcome:
    """Return what votes say; a voter's later word on a pair replaces an earlier one."""
    last = {
        (key.seal, vote.voter, vote.ballot, frozenset((vote.left, vote.right))): (key, vote)
        for key, vote in votes
    }
    results = [_result(key, vote) for key, vote in last.values()]
    names = list(dict.fromkeys(name for key, _ in last.values() for name in key.contestants))
    strengths = bradley_terry(names, results) if len(names) > 2 else None
    standings = [_standing(name, results, strengths) for name in names]
    standings.sort(key=_best_first)
    return Outcome(
        votes=len(results),
        voters=len({(seal, voter) for seal, voter, _, _ in last}),
        standings=tuple(standings),
        verdict=_verdict(standings, results),
    )


Result = tuple[str, str, Choice]  # left, right, and which was chosen


def _result(key: Key, vote: Vote) -> Result:
    behind = key.ballots[vote.ballot].contestants
    return key.contestants[behind[vote.left]], key.contestants[behind[vote.right]], vote.choice


def _standing(
    name: str, results: Sequence[Result], strengths: Mapping[str, float] | None
) -> Standing:
    mine = [result for result in results if name in result[:2]]
    return Standing(
        name=name,
        wins=sum(_winner(result) == name for result in mine),
        losses=sum(_winner(result) not in (name, None) for result in mine),
        both=sum(result[2] is Choice.BOTH for result in mine),
        neither=sum(result[2] is Choice.NEITHER for result in mine),
        strength=strengths[name] if strengths else None,
    )


def _winner(result: Result) -> str | None:
    left, right, choice = result
    return {Choice.LEFT: left, Choice.RIGHT: right}.get(choice)


def _best_first(standing: Standing) -> tuple[float, float]:
    interval = standing.interval
    return -(standing.strength or 0), -(interval.share if interval else 0)


def wilson(wins: int, decided: int) -> Interval | None:
    """Return the share of wins with its Wilson score interval; None where nothing was decided."""
    if not decided:
        return None
    share = wins / decided
    scale = 1 + _Z**2 / decided
    middle = (share + _Z**2 / (2 * decided)) / scale
    reach = _Z / scale * sqrt(share * (1 - share) / decided + _Z**2 / (4 * decided**2))
    return Interval(share=share, low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def bradley_terry(names: Sequence[str], results: Sequence[Result]) -> dict[str, float] | None:
    """Return strengths that sum to 1, as most likely gave these results; a tie is half a win each.

    None where no such strengths exist: somebody never lost to, or never met, some of the others
    (Ford 1957). The iteration is Hunter's MM (2004).
    """
    wins = {one: dict.fromkeys(names, 0.0) for one in names}
    for left, right, choice in results:
        wins[left][right] += {Choice.LEFT: 1.0, Choice.RIGHT: 0.0}.get(choice, 0.5)
        wins[right][left] += {Choice.LEFT: 0.0, Choice.RIGHT: 1.0}.get(choice, 0.5)
    if not _all_reach_all(names, wins):
        return None
    strengths = dict.fromkeys(names, 1 / len(names))
    for _ in range(_ROUNDS):
        new = {name: _next_strength(name, wins, strengths) for name in names}
        total = sum(new.values())
        new = {name: value / total for name, value in new.items()}
        if max(abs(new[name] - strengths[name]) for name in names) < _CLOSE:
            return new
        strengths = new
    return strengths


def _next_strength(
    name: str, wins: Mapping[str, Mapping[str, float]], strengths: Mapping[str, float]
) -> float:
    met = sum(
        (won + wins[other][name]) / (strengths[name] + strengths[other])
        for other, won in wins[name].items()
        if other != name
    )
    return sum(wins[name].values()) / met


def _all_reach_all(names: Sequence[str], wins: Mapping[str, Mapping[str, float]]) -> bool:
    """Return whether a chain of wins leads from everybody to everybody."""
    for start in names:
        reached, open_ends = {start}, [start]
        while open_ends:
            beaten = {other for other, won in wins[open_ends.pop()].items() if won} - reached
            reached |= beaten
            open_ends += beaten
        if len(reached) < len(names):
            return False
    return True


def _verdict(standings: Sequence[Standing], results: Sequence[Result]) -> str:
    """Return who is preferred to whom, as far as the votes tell."""
    told = [
        f"{one.name} is preferred to {other.name}"
        for one, other in pairwise(standings)
        if _tells(one.name, other.name, results)
    ]
    if told and len(standings) > 2 and standings[0].strength is None:
        told.append(f"for a ranking of all: {TOO_FEW}")
    return "; ".join(told) or TOO_FEW


def _tells(one: str, other: str, results: Sequence[Result]) -> bool:
    decided = [_winner(result) for result in results if {one, other} == set(result[:2])]
    wins, losses = decided.count(one), decided.count(other)
    interval = wilson(wins, wins + losses)
    return interval is not None and interval.tells and wins > losses

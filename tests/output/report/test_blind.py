"""Letters for models, and the key that seals them."""

import hashlib
import json
from random import Random

import pytest

from nscale_cli.errors import UsageError
from nscale_cli.output.report.blind import make_key, read_key
from tests.output.report.runs import MODELS, TIMEOUT, changed, make_run

PROMPTS = tuple(f"prompt {n}" for n in range(12))
RUN = make_run(models=MODELS, prompts=PROMPTS)


def test_each_prompt_is_a_ballot_with_letters_of_its_own() -> None:
    """Every picture stands under one letter, and the letters tell nothing over the prompts."""
    key = make_key(RUN, Random(1))

    assert [ballot.prompt for ballot in key.ballots] == list(PROMPTS)
    assert all(list(ballot.rows) == ["A", "B", "C"] for ballot in key.ballots)
    assert {row for b in key.ballots for row in b.rows.values()} == {c.row for c in RUN.cells}
    assert len({tuple(ballot.contestants.values()) for ballot in key.ballots}) > 2


def test_the_letters_stand_for_what_drew_the_picture() -> None:
    """For every ballot and letter."""
    key = make_key(RUN, Random(2))
    cells = {cell.row: cell for cell in RUN.cells}

    for ballot in key.ballots:
        for letter, row in ballot.rows.items():
            assert key.contestants[ballot.contestants[letter]] == MODELS[cells[row].at[0]]


def test_every_pair_is_asked_once_in_an_order_that_tells_nothing() -> None:
    """Sides and order are shuffled."""
    key = make_key(RUN, Random(3))

    assert len(key.pairs) == len({(p.ballot, frozenset((p.left, p.right))) for p in key.pairs})
    assert len(key.pairs) == 12 * 3
    assert [pair.ballot for pair in key.pairs] != sorted(pair.ballot for pair in key.pairs)
    assert {pair.left < pair.right for pair in key.pairs} == {True, False}


def test_the_seal_is_of_every_byte_of_the_key() -> None:
    """And the salt keeps anybody from trying out keys until one fits."""
    key = make_key(RUN, Random(4))

    assert key.seal == hashlib.sha256(key.data).hexdigest()
    assert len(json.loads(key.data)["salt"]) == 64
    assert make_key(RUN, Random(5)).seal != key.seal


def test_a_key_is_read_back_as_it_was() -> None:
    """From its file."""
    key = make_key(RUN, Random(6))

    assert read_key(key.data) == key


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"contestants": 3}', b"\xff", b"null"])
def test_a_damaged_key_is_refused(data: bytes) -> None:
    """Never a traceback."""
    with pytest.raises(UsageError, match="the key of the blind page is damaged"):
        read_key(data)


def test_a_key_knows_whether_the_run_has_grown() -> None:
    """Then the page needs a new one."""
    key = make_key(RUN, Random(7))

    assert key.is_of(RUN)
    assert not key.is_of(make_run(models=MODELS, prompts=(*PROMPTS, "more")))
    assert not key.is_of(changed(RUN, {0: TIMEOUT}))


def test_a_failed_picture_has_no_letter() -> None:
    """And a prompt with one picture is no ballot."""
    run = changed(make_run(models=MODELS, prompts=("a", "b")), {0: TIMEOUT, 1: TIMEOUT, 2: TIMEOUT})
    key = make_key(run, Random(8))

    assert [list(ballot.rows) for ballot in key.ballots] == [["A", "B"]]
    assert key.ballots[0].prompt == "b"


def test_one_model_is_judged_by_its_fields_or_sizes() -> None:
    """What is compared is what stands under the letters."""
    fields = make_run(models=MODELS[:1], fields={"steps": "12"}, sizes=("8x8", "9x9"))
    sizes = make_run(models=MODELS[:1], sizes=("8x8", "9x9"))

    assert make_key(fields, Random(9)).contestants == ("steps 1", "steps 2")
    assert make_key(sizes, Random(9)).contestants == ("8x8", "9x9")


def test_a_run_with_nothing_to_choose_between_is_refused() -> None:
    """One model, one size."""
    with pytest.raises(UsageError, match="two pictures of one prompt"):
        make_key(make_run(models=MODELS[:1], prompts=("a", "b")), Random(1))


def test_more_contestants_than_letters_have_two() -> None:
    """A to Z, then AA."""
    key = make_key(make_run(models=[f"m/{n}" for n in range(30)]), Random(1))

    assert list(key.ballots[0].rows)[24:29] == ["Y", "Z", "AA", "AB", "AC"]

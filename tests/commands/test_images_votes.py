"""`images votes`: blind judgements, counted and told."""

import hashlib
import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from tests.conftest import Cli, FakeClock, Outcome, cli_in

MODELS = ("a/one", "b/two", "c/three")
SMALL = ("-z", "64x64")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blind comparison of two models and twelve prompts."""
    folder = tmp_path_factory.mktemp("drawn")
    prompts = [f"cat {number}" for number in range(12)]
    words = (*prompts, "-m", MODELS[0], "-m", MODELS[1], *SMALL, "-o", "d", "--sandbox", "--blind")
    with chdir(folder):
        assert cli_in(folder, FakeClock())("images", "compare", *words).exit_code == 0
    return folder / "d"


@pytest.fixture
def blind(drawn: Path, tmp_path: Path) -> Path:
    """A copy of it that the test may change."""
    return shutil.copytree(drawn, tmp_path / "d")


def vote_for(directory: Path, winner: str, *, name: str = "votes.json", but: int = 0) -> None:
    """Write the votes of somebody who prefers a model, `but` not each time."""
    data = (directory / "run" / "key.json").read_bytes()
    key, votes = json.loads(data), []
    for number, pair in enumerate(key["pairs"]):
        behind = key["ballots"][pair["ballot"]]["contestants"]
        wins = (key["contestants"][behind[pair["left"]]] == winner) is (number >= but)
        votes.append({**pair, "choice": "left" if wins else "right"})
    seal = hashlib.sha256(data).hexdigest()
    document = {"version": 1, "seal": seal, "voter": name, "votes": votes}
    (directory.parent / name).write_text(json.dumps(document))


def count(cli: Cli, *words: str) -> Outcome:
    """Count the votes."""
    return cli("images", "votes", "d", *words)


def test_the_preferred_model_is_told(cli: Cli, blind: Path) -> None:
    """With its share of wins, and between what that lies."""
    vote_for(blind, MODELS[1], but=1)
    outcome = count(cli, "votes.json")

    assert outcome.exit_code == 0
    assert [line.split() for line in outcome.stdout.splitlines()[1:]] == [
        ["b/two", "11", "1", "0", "0", "92%", "(65%", "to", "99%)"],
        ["a/one", "1", "11", "0", "0", "8%", "(1%", "to", "35%)"],
        ["b/two", "is", "preferred", "to", "a/one"],
    ]
    assert outcome.stderr == "12 votes of 1 voter\n"


def test_too_few_votes_are_called_that(cli: Cli, blind: Path) -> None:
    """Seven of twelve say nothing."""
    vote_for(blind, MODELS[1], but=5)

    assert count(cli, "votes.json").stdout.endswith("too few votes to tell\n")


def test_several_voters_add_up_and_a_file_counts_once(cli: Cli, blind: Path) -> None:
    """Also as a document."""
    vote_for(blind, MODELS[0], name="one.json")
    vote_for(blind, MODELS[0], name="two.json")
    data = count(cli, "one.json", "two.json", "one.json", "--json").document["data"]

    assert (data["votes"], data["voters"]) == (24, 2)
    assert data["verdict"] == "a/one is preferred to b/two"
    assert [each["wins"] for each in data["standings"]] == [24, 0]


def test_a_key_that_was_changed_after_the_vote_is_refused(cli: Cli, blind: Path) -> None:
    """One byte is enough."""
    vote_for(blind, MODELS[0])
    key = blind / "run" / "key.json"
    key.write_bytes(key.read_bytes() + b" ")
    outcome = count(cli, "votes.json")

    assert outcome.exit_code == 2 and "or its key was changed" in outcome.stderr


@pytest.mark.slow
def test_votes_outlive_a_comparison_that_grows(cli: Cli, blind: Path) -> None:
    """The key that they were given with is kept beside the new one."""
    vote_for(blind, MODELS[0])
    before = (blind / "run" / "key.json").read_bytes()
    words = ("cat 0", "-m", MODELS[2], *SMALL, "-o", "d", "--sandbox", "--blind")
    cli("images", "compare", *words)

    assert (blind / "run" / "key.json").read_bytes() != before
    assert count(cli, "votes.json").exit_code == 0


def test_a_blind_page_that_is_written_again_keeps_its_letters(cli: Cli, blind: Path) -> None:
    """Votes that are under way still count."""
    before = (blind / "blind.html").read_bytes(), (blind / "run" / "key.json").read_bytes()
    cli("images", "report", "d", "--blind")

    after = (blind / "blind.html").read_bytes(), (blind / "run" / "key.json").read_bytes()
    assert after == before


def test_a_run_without_a_blind_page_says_how_to_write_one(cli: Cli, tmp_path: Path) -> None:
    """Free, from any comparison."""
    cli("images", "compare", "cat", "-m", "a", "-m", "b", *SMALL, "-o", "d", "--sandbox")
    (tmp_path / "v.json").write_text("{}")
    outcome = count(cli, "v.json")

    assert outcome.exit_code == 2
    assert "write one: nscale images report d --blind" in outcome.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("{}", "holds no votes"), ("[", "holds no votes")],
)
def test_a_file_that_holds_no_votes_is_named(
    cli: Cli, blind: Path, content: str | None, message: str
) -> None:
    """In one line."""
    if content is not None:
        (blind.parent / "v.json").write_text(content)
    outcome = count(cli, "v.json")

    assert outcome.exit_code == 2 and f"v.json {message}" in outcome.stderr


def test_votes_without_a_vote_are_refused(cli: Cli, blind: Path) -> None:
    """Nobody has judged yet."""
    vote_for(blind, MODELS[0])
    path = blind.parent / "votes.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "votes": []}))

    assert "there is no vote" in count(cli, "votes.json").stderr

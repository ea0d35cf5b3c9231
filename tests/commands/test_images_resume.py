"""`nscale images resume`: a run goes on where it was, without the file that it came from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KEY, Cli
from tests.runs.serving import FAILED, Service, pictures, write_rows


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that remembers what it was asked for."""
    with Service() as running:
        yield running


@pytest.fixture
def begun(cli: Cli, service: Service, tmp_path: Path) -> Service:
    """A run of five rows whose credit ended after two; its file is gone."""
    path = write_rows(tmp_path, 5)
    service.credit = 2
    outcome = cli("images", "batch", "rows.txt", "-z", "8x8", "-j", "1", *service.options)
    assert outcome.exit_code == 24
    assert (
        f"to go on: the same command again, or nscale images resume {tmp_path}/rows"
        in outcome.stderr
    )
    service.credit = None
    path.unlink()
    return service


def test_a_run_goes_on_from_its_plan(cli: Cli, begun: Service, tmp_path: Path) -> None:
    """With the service named again; the paths of all images are told."""
    outcome = cli("images", "resume", "rows", *begun.options)
    assert outcome.exit_code == 0
    assert len(outcome.stdout.split()) == 5
    assert outcome.stdout.split()[:2] == [
        str(tmp_path / f"rows/000{number}-prompt-{number}.png") for number in (1, 2)
    ]
    assert "5 of 5 rows saved (2 of them earlier)" in outcome.stderr
    assert begun.posts["prompt 3"] == 2  # the first found no credit
    assert len(pictures(tmp_path / "rows")) == 5


def test_a_key_goes_to_no_service_that_only_the_plan_names(
    cli: Cli, begun: Service, tmp_path: Path
) -> None:
    """The folder may have come from somebody else."""
    before = sum(begun.posts.values())
    env = {"NSCALE_API_KEY": KEY, "NSCALE_BASE_URL": "http://127.0.0.1:9/v1"}
    outcome = cli("images", "resume", "rows", env=env)
    assert outcome.exit_code == 2
    assert f"rows is a run at {begun.base_url}, and this would be one at http://127" in (
        outcome.stderr
    )
    assert sum(begun.posts.values()) == before


def test_a_rehearsal_goes_on_in_the_sandbox(cli: Cli, tmp_path: Path) -> None:
    """Without a word, since it costs nothing and needs no key."""
    write_rows(tmp_path, 5)
    rehearsal = ("images", "batch", "rows.txt", "-z", "8x8", "-m", "sandbox/credit-after-3")
    assert cli(*rehearsal, "--sandbox").exit_code == 24
    outcome = cli("images", "resume", "rows-sandbox")
    assert outcome.exit_code == 0
    assert len(pictures(tmp_path / "rows-sandbox")) == 5


def test_a_resumed_run_leaves_what_an_undisturbed_one_leaves(
    cli: Cli, begun: Service, tmp_path: Path
) -> None:
    """Byte for byte, but for times and keys."""
    assert cli("images", "resume", "rows", *begun.options).exit_code == 0
    write_rows(tmp_path, 5)
    other = ("-o", "other", *begun.options)
    assert cli("images", "batch", "rows.txt", "-z", "8x8", *other).exit_code == 0
    for folder in ("rows", "other"):
        names = {path.name for path in (tmp_path / folder).iterdir()}
        assert names == {"run", "results.csv", *pictures(tmp_path / folder)}
        assert {path.name for path in (tmp_path / folder / "run").iterdir()} == {
            "plan.json",
            "journal.jsonl",
            "lock",
        }
    for name in (*pictures(tmp_path / "rows"), "run/plan.json"):
        assert (tmp_path / "rows" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_what_may_have_been_billed_and_what_is_to_be_redone_can_be_named(
    cli: Cli, begun: Service, tmp_path: Path
) -> None:
    """By the options of the run that began it."""
    begun.failures["prompt 4"] = [FAILED]
    assert cli("images", "resume", "rows", *begun.options).exit_code == 25
    (tmp_path / "rows/0001-prompt-1.png").unlink()
    outcome = cli("images", "resume", "rows", "--retry-billed", "--redo", "1", *begun.options)
    assert outcome.exit_code == 0
    assert (begun.posts["prompt 4"], begun.posts["prompt 1"]) == (2, 2)


def test_a_limit_on_the_cost_counts_what_was_spent_before(
    cli: Cli, begun: Service, tmp_path: Path
) -> None:
    """It holds for the folder, not for the command."""
    each = 64 * 0.0013 / 1e6
    limit = ("--max-cost", f"{3.5 * each:.12f}")
    before = begun.posts.total()
    assert cli("images", "resume", "rows", *limit, *begun.options).exit_code == 24
    assert begun.posts.total() == before + 1  # whichever of the three came first
    assert len(pictures(tmp_path / "rows")) == 3


def test_a_folder_without_a_run_is_one_clear_line(cli: Cli, tmp_path: Path) -> None:
    """Nothing is made there."""
    outcome = cli("images", "resume", "nothing", "--json")
    assert outcome.exit_code == 2
    assert outcome.document["data"]["rows"] is None  # type: ignore[index]
    assert "holds no run: there is no run/plan.json in it" in outcome.stderr
    assert not (tmp_path / "nothing").exists()

"""The engine's jobs in the journal."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nscale_cli.errors import (
    AnswerTimeout,
    Billed,
    Incomplete,
    NscaleError,
    RateLimited,
    SavedElsewhere,
    Stopped,
)
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.request import SavedImage, Size
from nscale_cli.runs.job_journal import JobJournal, NotWrittenDown
from nscale_cli.runs.journal import Journal
from nscale_cli.runs.row_names import target_of
from tests.runs.rows import request
from tests.runs.serving import events_of


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal of a run."""
    with Journal(tmp_path / "run/journal.jsonl") as opened:
        yield opened


@pytest.fixture
def jobs(tmp_path: Path, journal: Journal) -> JobJournal:
    """It, as the engine sees it; a megapixel costs a dollar."""
    jobs = JobJournal(journal, tmp_path, lambda _, __: 1.0)
    jobs.expect("a#1", path="sub/a.{ext}", row_id="hero")
    return jobs


def job(folder: Path, *, count: int = 1) -> Job:
    """Return the job of the row."""
    target = target_of(folder, "sub/a.{ext}")
    return Job(id="a#1", request=request(count=count), target=target, idempotency_key="k")


def image(folder: Path, name: str = "sub/a.png") -> SavedImage:
    """Return an image of one tenth of a megapixel."""
    size = Size(width=1000, height=100)
    return SavedImage(path=folder / name, format="png", size=size, byte_count=3, sha256="00")


def outcome(folder: Path, *errors: NscaleError, images: int = 0, count: int = 1) -> JobResult:
    """Return what came of the job."""
    return JobResult(
        job=job(folder, count=count),
        images=(image(folder),) * images,
        errors=errors,
        elapsed_seconds=2.0,
        request_id="r",
    )


def test_an_attempt_is_written_down_with_its_estimate_and_its_folder_is_there(
    jobs: JobJournal, tmp_path: Path
) -> None:
    """Before anything is sent."""
    jobs.begin(job(tmp_path), 1)
    (event,) = events_of(tmp_path)
    assert (event["s"], event["try"], event["id"], event["path"]) == (
        "sent",
        1,
        "hero",
        "sub/a.{ext}",
    )
    assert (event["estimate_usd"], event["idempotency_key"]) == (0.004096, "k")
    assert (tmp_path / "sub").is_dir()
    assert jobs.under_way == 1


def test_a_success_is_written_down_with_its_cost_by_true_size(
    jobs: JobJournal, tmp_path: Path
) -> None:
    """An image that had to be saved elsewhere is saved all the same."""
    for errors in ((), (SavedElsewhere("x"),)):
        jobs.begin(job(tmp_path), 1)
        jobs.end(outcome(tmp_path, *errors, images=1))
        event = events_of(tmp_path)[-1]
        assert (event["s"], event["cost_usd"], event["request_id"]) == ("saved", 0.1, "r")
        assert event["images"][0]["path"] == "sub/a.png"  # type: ignore[index]
    assert jobs.under_way == 0


@pytest.mark.parametrize(
    ("errors", "images", "code", "billed"),
    [
        ([AnswerTimeout("x")], 0, "timeout", "maybe"),
        ([RateLimited("x")], 0, "rate_limited", "no"),
        ([Incomplete("x")], 1, "incomplete", "yes"),
        ([Stopped(2, "x", billed=Billed.MAYBE)], 0, "interrupted", "maybe"),
        ([RateLimited("x"), AnswerTimeout("y")], 0, "timeout", "maybe"),
    ],
)
def test_a_failure_is_written_down_by_what_it_cost(
    jobs: JobJournal, tmp_path: Path, errors: list[NscaleError], images: int, code: str, billed: str
) -> None:
    """The gravest of several counts; images that came are part of it."""
    jobs.begin(job(tmp_path, count=2), 1)
    jobs.end(outcome(tmp_path, *errors, images=images, count=2))
    event = events_of(tmp_path)[-1]
    assert (event["s"], event["code"], event["billed"]) == ("failed", code, billed)
    assert len(event.get("images", ())) == images  # type: ignore[arg-type]


def test_what_is_kept_is_written_down(jobs: JobJournal, tmp_path: Path) -> None:
    """In the run's folder or elsewhere, beside images or in place of them."""
    kept = (tmp_path / "sub/a-reply.json", Path("/elsewhere/b.bin"))
    for came in (
        outcome(tmp_path, Incomplete("x"), images=1, count=2),
        outcome(tmp_path, images=1),
    ):
        jobs.begin(job(tmp_path, count=2), 1)
        jobs.end(replace(came, kept=kept))
        assert events_of(tmp_path)[-1]["kept"] == ["sub/a-reply.json", "/elsewhere/b.bin"]


def test_what_was_never_sent_is_not_written_down(jobs: JobJournal, tmp_path: Path) -> None:
    """The budget said no, or the signal came before."""
    jobs.end(outcome(tmp_path, Stopped(2, "x")))
    assert events_of(tmp_path) == []


def test_tries_of_one_row_are_counted(jobs: JobJournal, tmp_path: Path) -> None:
    """Each begins anew for the engine."""
    for _ in range(3):
        jobs.begin(job(tmp_path), 1)
        jobs.end(outcome(tmp_path, RateLimited("x")))
    assert [event["try"] for event in events_of(tmp_path) if event["s"] == "sent"] == [1, 2, 3]


def test_an_image_that_comes_after_all_is_written_down(jobs: JobJournal, tmp_path: Path) -> None:
    """The row was given up, and its worker went on."""
    jobs.begin(job(tmp_path), 1)
    jobs.end(outcome(tmp_path, AnswerTimeout("x")))
    jobs.end(outcome(tmp_path, images=1))
    assert [event["s"] for event in events_of(tmp_path)] == ["sent", "failed", "saved"]


def test_a_folder_that_is_gone_sends_nothing_and_is_not_made_again(
    jobs: JobJournal, tmp_path: Path
) -> None:
    """Whoever took it away may bring it back."""
    (tmp_path / "run").rename(tmp_path / "gone")
    with pytest.raises(NotWrittenDown, match="cannot be written to any more: No such file"):
        jobs.begin(job(tmp_path), 1)
    assert not (tmp_path / "sub").exists()


def test_an_end_that_cannot_be_written_down_is_remembered_and_not_raised(
    jobs: JobJournal, journal: Journal, tmp_path: Path
) -> None:
    """The image is safe, and the worker goes on."""
    jobs.begin(job(tmp_path), 1)
    journal.close()
    jobs.end(outcome(tmp_path, images=1))
    assert isinstance(jobs.failure, NotWrittenDown)
    with pytest.raises(NotWrittenDown):
        jobs.begin(job(tmp_path), 1)

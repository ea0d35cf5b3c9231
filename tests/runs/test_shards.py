"""Shares of a run: the same rows whatever machine asks, and one owner for each."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.errors import UsageError
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.runs.shards import Shard, owning, parse_shard

OWN = """
import sys
from pathlib import Path
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.runs.shards import owning, parse_shard
with owning(RunDirectory(path=Path(sys.argv[1])), parse_shard(sys.argv[2], {})):
    print("owned", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path, shard: str) -> Iterator[int]:
    """Let another process own a shard; yield its id."""
    command = [sys.executable, "-c", OWN, str(folder), shard]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"owned\n"
        yield other.pid
        other.kill()


@given(st.integers(1, 9), st.lists(st.text(max_size=20), max_size=30))
def test_each_row_is_in_one_shard(count: int, keys: list[str]) -> None:
    """All together are the whole, and none is bought twice."""
    shards = [Shard(number=number, count=count) for number in range(1, count + 1)]
    assert all(sum(shard.holds(key) for shard in shards) == 1 for key in keys)


def test_shares_are_about_equal_and_stay_the_same() -> None:
    """They hang on the key alone."""
    held = [
        sum(Shard(number=n, count=4).holds(f"{k}#1") for k in range(4000)) for n in (1, 2, 3, 4)
    ]
    assert held == [1035, 970, 1007, 988]


SLURM = {
    "SLURM_ARRAY_TASK_ID": "12", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_COUNT": "4",
}  # fmt: skip
GRID = {
    "SGE_TASK_ID": "7", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "10", "SGE_TASK_STEPSIZE": "3",
}  # fmt: skip
BATCH = {"AWS_BATCH_JOB_ARRAY_INDEX": "9", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}


@pytest.mark.parametrize(
    ("text", "env", "shard"),
    [
        (None, {}, (1, 1)),
        ("2/4", {}, (2, 4)),
        ("1/1", {}, (1, 1)),
        ("auto", SLURM, (3, 4)),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_STEP": "2"}, (2, 4)),
        ("auto", {"JOB_COMPLETION_INDEX": "0", "NSCALE_SHARDS": "3"}, (1, 3)),
        ("auto", {"PARALLEL_SEQ": "3", "NSCALE_SHARDS": "3"}, (3, 3)),
        ("auto", GRID, (3, 4)),
        ("auto", SLURM | {"SGE_TASK_ID": "undefined", "SGE_TASK_FIRST": "undefined"}, (3, 4)),
        ("auto", BATCH, (10, 10)),
    ],
)
def test_a_shard_is_named_or_found_in_the_job(
    text: str | None, env: dict[str, str], shard: tuple[int, int]
) -> None:
    """By the variables of Slurm, Kubernetes, AWS Batch, Grid Engine and GNU parallel."""
    found = parse_shard(text, env)
    assert (found.number, found.count) == shard


@pytest.mark.parametrize(
    ("text", "env", "message"),
    [
        ("2", {}, "--shard '2' is not I/N"),
        ("5/4", {}, "--shard: there is no part 5 of 4"),
        ("0/4", {}, "--shard: there is no part 0 of 4"),
        ("a/4", {}, "--shard: 'a' is not a number"),
        ("1/²", {}, "--shard: '²' is not a number"),
        ("auto", {}, "--shard auto finds none of"),
        ("auto", {"SGE_TASK_ID": "undefined"}, "--shard auto finds none of"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, "needs NSCALE_SHARDS, which is not set"),
        ("auto", {"JOB_COMPLETION_INDEX": "0", "NSCALE_SHARDS": ""}, "which is not set"),
        ("auto", {"JOB_COMPLETION_INDEX": "-1", "NSCALE_SHARDS": "2"}, "'-1' is not a number"),
        ("auto", {"JOB_COMPLETION_INDEX": "2", "NSCALE_SHARDS": "2"}, "there is no part 3 of 2"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "1"}, "needs SLURM_ARRAY_TASK_MIN, which is not set"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_ID": "9"}, "there is no part 0 of 4"),
        ("auto", GRID | {"SGE_TASK_LAST": "x"}, "SGE_TASK_LAST: 'x' is not a number"),
        ("auto", {"PARALLEL_SEQ": "4", "NSCALE_SHARDS": "3"}, "there is no part 4 of 3"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_ID": "19"}, "there is no part 10 of 4"),
    ],
)
def test_a_shard_that_is_none_is_refused(text: str, env: dict[str, str], message: str) -> None:
    """Rather than buying what is another machine's."""
    with pytest.raises(UsageError) as caught:
        parse_shard(text, env)
    assert message in caught.value.message


def test_files_of_shards_are_told_apart(tmp_path: Path) -> None:
    """Each has a journal and a lock of its own."""
    run = RunDirectory(path=tmp_path)
    paths = [Shard(number=2, count=4).journal(run), Shard().journal(run), Shard().lock(run)]
    assert [path.name for path in paths] == ["journal-2of4.jsonl", "journal.jsonl", "lock"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("1/1", "1/1"), ("2/4", "2/4"), ("1/1", "2/4"), ("2/4", "1/1"), ("1/2", "1/4")],
)
def test_rows_that_another_process_owns_are_refused_at_once(
    tmp_path: Path, theirs: str, ours: str
) -> None:
    """With its process id; also where the run is cut in another way."""
    run = RunDirectory(path=tmp_path)
    with another_process(tmp_path, theirs) as pid:
        with pytest.raises(UsageError) as caught, owning(run, parse_shard(ours, {})):
            pass
        assert caught.value.message.startswith(f"process {pid} on ")
        assert caught.value.message.endswith(f" is at work in {tmp_path}; nothing was sent")
    with owning(run, parse_shard(ours, {})):
        pass


def test_other_shards_of_the_same_cut_are_let_work(tmp_path: Path) -> None:
    """That is what shards are for."""
    run = RunDirectory(path=tmp_path)
    with another_process(tmp_path, "1/2"), owning(run, Shard(number=2, count=2)):
        assert (run.bookkeeping / "lock-1of2").exists()


def test_a_folder_that_cannot_be_owned_is_one_clear_line(tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "run").write_text("")
    with (
        pytest.raises(UsageError, match=r"cannot be written to: .*; nothing was sent"),
        owning(RunDirectory(path=tmp_path), Shard()),
    ):
        pass

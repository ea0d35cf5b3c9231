"""Shares of a run for several machines: which rows are whose, and who has which share now."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.storage import private_files
from nscale_cli.storage.files import parts_in, remove_quietly
from nscale_cli.storage.lock import Locked, locked, owner_of
from nscale_cli.values import frozen

_MAX_SHARDS = 100_000
_HINT = "such as 2/4, or auto in a job of Slurm, Kubernetes, AWS Batch, Grid Engine, GNU parallel"


@frozen
class Shard:
    """Part `number` (from 1) of `count` of a run; 1 of 1 is all of it."""

    number: int = 1
    count: int = 1

    def holds(self, key: str) -> bool:
        """Return whether the row of this key belongs to the shard, whatever else is planned."""
        if self.count == 1:
            return True
        return int(sha256(key.encode()).hexdigest()[:15], 16) % self.count == self.number - 1

    @property
    def suffix(self) -> str:
        """What tells its files from those of other shards."""
        return "" if self.count == 1 else f"-{self.number}of{self.count}"

    def journal(self, run: RunDirectory) -> Path:
        """Return the file of this shard's journal."""
        return run.bookkeeping / f"journal{self.suffix}.jsonl"

    def lock(self, run: RunDirectory) -> Path:
        """Return the file of this shard's lock."""
        return run.bookkeeping / f"lock{self.suffix}"


def parse_shard(text: str | None, env: Mapping[str, str]) -> Shard:
    """Return the shard that `--shard` names; raise UsageError where it names none."""
    if text is None:
        return Shard()
    if text == "auto":
        return _shard_of_job(env)
    number, slash, count = text.partition("/")
    if not slash:
        raise UsageError(f"--shard {excerpt(text, 40)!r} is not I/N", hint=_HINT)
    return _existing(_number(number, "--shard"), _number(count, "--shard"), "--shard")


@frozen
class _Array:
    """The variables by which a scheduler tells a task which of how many it is.

    `first` and `step` are variables, or numbers as text. The count is in `count`, or follows from
    the number of the `last` task.
    """

    task: str
    first: str = "1"
    step: str = "1"
    count: str = "NSCALE_SHARDS"
    last: str = ""

    def shard(self, env: Mapping[str, str]) -> Shard:
        """Return the task's share; raise UsageError where the variables do not name one."""
        first = _variable(self.first, env)
        step = max(1, _variable(self.step, env))
        number = (_variable(self.task, env) - first) // step + 1
        if self.last:
            count = (_variable(self.last, env) - first) // step + 1
        else:
            count = _variable(self.count, env)
        return _existing(number, count, self.last or self.count)


_ARRAYS = (
    _Array(  # Slurm
        task="SLURM_ARRAY_TASK_ID",
        first="SLURM_ARRAY_TASK_MIN",
        step="SLURM_ARRAY_TASK_STEP",
        count="SLURM_ARRAY_TASK_COUNT",
    ),
    _Array(task="JOB_COMPLETION_INDEX", first="0"),  # Kubernetes
    _Array(task="AWS_BATCH_JOB_ARRAY_INDEX", first="0", count="AWS_BATCH_JOB_ARRAY_SIZE"),
    _Array(  # Grid Engine
        task="SGE_TASK_ID", first="SGE_TASK_FIRST", step="SGE_TASK_STEPSIZE", last="SGE_TASK_LAST"
    ),
    _Array(task="PARALLEL_SEQ"),  # GNU parallel
)


def _shard_of_job(env: Mapping[str, str]) -> Shard:
    """Return the share of this task among those of its job."""
    for array in _ARRAYS:
        if env.get(array.task, "undefined") != "undefined":  # which Grid Engine says of others
            return array.shard(env)
    *most, last = (array.task for array in _ARRAYS)
    raise UsageError(
        f"--shard auto finds none of {', '.join(most)} and {last}",
        hint="say which part this is: --shard I/N",
    )


def _variable(name: str, env: Mapping[str, str]) -> int:
    """Return the number in the variable; a number may stand in its place."""
    if name.isdigit():
        return int(name)
    if name.endswith(("_STEP", "_STEPSIZE")) and not env.get(name):
        return 1
    if not env.get(name):
        raise UsageError(
            f"--shard auto needs {name}, which is not set",
            hint="set it to the number of parts, the same in each of them"
            if name == "NSCALE_SHARDS"
            else "say which part this is: --shard I/N",
        )
    return _number(env[name], name)


def _existing(number: int, count: int, source: str) -> Shard:
    """Return the shard; `source` is what would have to be put right where there is none such."""
    if not 1 <= number <= count <= _MAX_SHARDS:
        raise UsageError(f"{source}: there is no part {number} of {count}", hint=_HINT)
    return Shard(number=number, count=count)


def _number(text: str, source: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise UsageError(f"{source}: {excerpt(text, 40)!r} is not a number", hint=_HINT)
    return int(text)


@contextmanager
def owning(run: RunDirectory, shard: Shard) -> Iterator[None]:
    """Own the shard's rows; raise UsageError at once where another process has some of them."""
    made = [path for path in (run.bookkeeping, run.path) if not path.exists()]
    with ExitStack() as stack:
        try:
            run.bookkeeping.mkdir(parents=True, exist_ok=True)
            lock = locked(shard.lock(run), owner=f"{os.getpid()} on {socket.gethostname()}")
            stack.enter_context(lock)
        except Locked as other:
            raise _taken(run, other.owner) from None
        except OSError as error:
            raise UsageError(
                f"the folder {run.path} cannot be written to: {error.strerror}; nothing was sent",
                hint="choose another with -o FOLDER",
            ) from None
        _require_no_overlap(run, shard)
        if shard.count == 1:
            _remove_half_written(run)
        try:
            yield
        finally:
            if not (run.plan.exists() or run.journals()):
                with suppress(OSError):  # what was made for a run that never was
                    shard.lock(run).unlink()
                    for path in made:
                        path.rmdir()  # unless anything else is in it


def _require_no_overlap(run: RunDirectory, shard: Shard) -> None:
    """Raise UsageError where a run that is cut otherwise is at work on some of the same rows.

    Of two that start at once, each has its own lock before it looks at the other's.
    """
    for path in sorted(run.bookkeeping.glob("lock*")):
        if path == shard.lock(run) or path.name.endswith(f"of{shard.count}"):
            continue
        owner = owner_of(path)
        if owner is not None:
            raise _taken(run, owner)


def _remove_half_written(run: RunDirectory) -> None:
    """Remove the tables and plans that processes were writing when they were killed.

    Only the owner of all rows may; it waits for `images report`, which owns none.
    """
    if parts_in(run.bookkeeping):
        with suppress(OSError), private_files.locked(run.results_lock):
            for part in chain.from_iterable(parts_in(run.bookkeeping).values()):
                remove_quietly(part)


def _taken(run: RunDirectory, owner: str) -> UsageError:
    process = f"process {excerpt(owner, 80)}" if owner else "another process"
    return UsageError(
        f"{process} is at work in {run.path}; nothing was sent",
        hint="wait until it has ended, or choose another folder with -o",
    )

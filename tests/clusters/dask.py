"""A Dask cluster on loopback: a scheduler and workers, each a process of its own."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Run

WORKERS = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where its scheduler is, and its processes; `logs` is where they write what they say."""

    address: str
    scheduler: Run
    workers: list[Run]
    logs: Path

    @property
    def said(self) -> str:
        """All that its processes have written."""
        return "".join(path.read_text() for path in self.logs.glob("*.log"))


@contextmanager
def cluster(folder: Path, env: Mapping[str, str], workers: int = WORKERS) -> Iterator[Cluster]:
    """Yield a cluster whose processes know `env`; they work and write beside each other."""
    folder.mkdir()
    with ExitStack() as stack:

        def start(name: str, module: str, *words: str) -> Run:
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            command = [sys.executable, "-m", f"distributed.cli.{module}", *words]
            process = Run(
                command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        at = ("--host", "127.0.0.1", "--no-dashboard")
        file = folder / "scheduler.json"
        scheduler = start(
            "scheduler", "dask_scheduler", *at, "--port", "0", "--scheduler-file", str(file)
        )
        own = ("--scheduler-file", str(file), "--no-nanny", "--nthreads", "1", *at)
        started = [start(f"worker-{n}", "dask_worker", *own) for n in range(workers)]
        yield Cluster(_address(file, workers), scheduler, started, folder)


def _address(file: Path, workers: int) -> str:
    """Return the scheduler's address, once all workers have found it."""
    import distributed

    with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)
        return str(client.scheduler.address)

"""`--shard auto` in a real Slurm: a task that dies is requeued, and nothing is paid twice."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clusters.slurm import Slurm, is_root, slurm
from tests.clusters.tasks import kill_one_in_the_middle, owner_of_part, require_bought_once
from tests.conftest import KEY, Program
from tests.documentation.blocks import ROOT, blocks_of
from tests.faults.gates import until
from tests.runs.serving import Service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="Slurm runs on Linux"),
    pytest.mark.skipif(not is_root(), reason="slurmd is run as root"),
]
ROWS, WORKERS = 40, 2


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that takes a moment for each image."""
    with Service(latency_seconds=0.2) as running:
        yield running


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a file of rows, and `nscale` on the path of whoever works there."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "prompts.txt").write_text("".join(f"prompt {n}\n" for n in range(1, ROWS + 1)))
    command = tmp_path / "bin/nscale"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m nscale_cli "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture
def cluster(tmp_path: Path, work: Path, service: Service) -> Iterator[Slurm]:
    """A Slurm whose jobs find the service, its key, and `nscale`."""
    names = ("PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    env = inherited | {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "NSCALE_BASE_URL": service.base_url,
        "NSCALE_API_KEY": KEY,
        "NSCALE_SIZE": "8x8",
        "NSCALE_HISTORY": "0",
    }
    with slurm(tmp_path / "slurm", env) as running:
        yield running


def script_of_the_page(work: Path) -> Path:
    """Return the batch script that docs/scale.md shows, for this folder and fewer workers."""
    block = next(b for b in blocks_of(ROOT / "docs/scale.md") if "sbatch <<" in b.text)
    script = re.search(r"(?s)<<'END_OF_JOB'\n(.*)END_OF_JOB", block.text)
    assert script is not None
    text = script[1].replace("-j 16", f"-j {WORKERS} --keep-going")
    path = work / "foxes.sbatch"
    path.write_text(text.replace("#SBATCH --array", f"#SBATCH --chdir={work} --array", 1))
    return path


def ended(cluster: Slurm) -> Callable[[], bool]:
    """Return what tells whether no job is left."""
    return lambda: not cluster.ask("squeue", "-h")


def test_a_task_that_is_killed_and_requeued_pays_nothing_twice(
    cluster: Slurm, service: Service, work: Path, program: Program
) -> None:
    """The same array, given once more, has nothing left to buy."""
    script = script_of_the_page(work)
    job = cluster.ask("sbatch", "--parsable", str(script)).strip()
    part, victim = kill_one_in_the_middle(work / "foxes", service)
    task = f"{job}_{part - 1}"
    until(lambda: task not in cluster.ask("squeue", "-h", "-o", "%i").split())
    cluster.ask("scontrol", "requeue", task)
    # Slurm would let it wait for two minutes; its node refuses it in the second of its end.
    cluster.ask("scontrol", "update", f"JobId={task}", "StartTime=now+2")
    until(ended(cluster))

    assert owner_of_part(work / "foxes", part) != victim
    assert sorted(path.name for path in (work / "foxes/run").glob("journal-*")) == [
        f"journal-{n}of4.jsonl" for n in (1, 2, 3, 4)
    ]
    posts = sum(service.posts.values())
    cluster.ask("sbatch", str(script))
    until(ended(cluster))
    assert sum(service.posts.values()) == posts
    require_bought_once(work / "foxes", service, program, rows=ROWS, under_way=WORKERS)
    assert KEY not in "".join(path.read_text() for path in work.glob("foxes-*.log"))

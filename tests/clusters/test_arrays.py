"""Arrays of GNU parallel, and of Kubernetes by its manifest: a task dies, and is started again."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.clusters.tasks import kill_one_in_the_middle, require_bought_once
from tests.conftest import KEY, Program, Run, require_command
from tests.documentation.blocks import ROOT, blocks_of
from tests.runs.serving import Service, write_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a task is killed by a signal"),
]
ROWS, WORKERS = 40, 2
OPTIONS = ("-z", "8x8", "--keep-going", "-q")


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that takes a moment for each image."""
    with Service(latency_seconds=0.2) as running:
        yield running


@pytest.fixture
def env(program: Program, service: Service, tmp_path: Path) -> dict[str, str]:
    """What each task knows, besides which it is."""
    write_rows(tmp_path, ROWS, "prompts.txt")
    return program.env | {"NSCALE_API_KEY": KEY, "NSCALE_BASE_URL": service.base_url}


def test_gnu_parallel_starts_a_killed_task_again(
    program: Program, service: Service, env: dict[str, str], tmp_path: Path
) -> None:
    """With the same part, by `--retries`."""
    parallel = require_command("parallel", shutil.which("parallel"))
    task = [*program.command, "images", "batch", "prompts.txt", "-o", "foxes", "-j", str(WORKERS)]
    command = [parallel, "--will-cite", "-N0", "-j", "4", "--retries", "2", *task, *OPTIONS]
    with Run(
        [*command, "--shard", "auto", ":::", *"1234"],
        cwd=tmp_path,
        env=env | {"NSCALE_SHARDS": "4"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        kill_one_in_the_middle(tmp_path / "foxes", service)
        stdout, stderr = run.communicate(timeout=120)
    assert KEY.encode() not in stdout + stderr
    require_bought_once(tmp_path / "foxes", service, program, rows=ROWS, under_way=WORKERS)


def manifest() -> dict[str, object]:
    """Return the Job that docs/scale.md shows."""
    blocks = [block for block in blocks_of(ROOT / "docs/scale.md") if block.language == "yaml"]
    assert len(blocks) == 1
    return yaml.safe_load(blocks[0].text)


def container_of(job: dict[str, object]) -> dict[str, object]:
    """Return the one container of the job."""
    (container,) = job["spec"]["template"]["spec"]["containers"]  # type: ignore[index]
    return container


def test_the_manifest_is_one_that_kubernetes_takes() -> None:
    """By the API's own schema, in which no field is unknown."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    version = kubernetes_validate.latest_version()
    job = manifest()
    kubernetes_validate.validate(job, version, strict=True)
    job["spec"]["completionmode"] = "Indexed"  # type: ignore[index]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, version, strict=True)


def test_the_manifest_says_what_nscale_needs_to_know() -> None:
    """How many parts there are, the key from a secret, and which exit codes stay what they are."""
    job = manifest()
    spec = job["spec"]
    variables = {each["name"]: each for each in container_of(job)["env"]}  # type: ignore[attr-defined]
    assert variables["NSCALE_SHARDS"]["value"] == str(spec["completions"])  # type: ignore[index]
    assert "value" not in variables["NSCALE_API_KEY"]
    policy = json.dumps(spec["podFailurePolicy"])  # type: ignore[index]
    assert '"action": "FailIndex"' in policy and spec["backoffLimitPerIndex"]  # type: ignore[index]
    assert not {0, 1, 7, 9, 10, 11, 12, 129, 137, 143} & set(
        spec["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"]  # type: ignore[index]
    )


def test_a_pod_that_is_killed_comes_again_and_goes_on(
    program: Program, service: Service, env: dict[str, str], tmp_path: Path
) -> None:
    """Each index as the manifest's container; the killed one once more, as the Job does it."""
    job = manifest()
    container = container_of(job)
    count = job["spec"]["completions"]  # type: ignore[index]
    words = [str(word) for word in container["args"]]  # type: ignore[attr-defined]
    words[words.index("16")] = str(WORKERS)
    assert words[0] == "nscale" and words[-2:] == ["--shard", "auto"]

    def pod(index: int) -> Run:
        told = {"JOB_COMPLETION_INDEX": str(index), "NSCALE_SHARDS": str(count)}
        return Run([*program.command, *words[1:], *OPTIONS], cwd=tmp_path, env=env | told)

    with ExitStack() as stack:
        pods = [stack.enter_context(pod(index)) for index in range(count)]
        part, pid = kill_one_in_the_middle(tmp_path / "foxes", service)
        assert pods[part - 1].pid == pid and pods[part - 1].wait() == -9
        assert stack.enter_context(pod(part - 1)).wait() in (0, 24, 25)
    require_bought_once(tmp_path / "foxes", service, program, rows=ROWS, under_way=WORKERS)

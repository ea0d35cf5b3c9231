"""`--dask`: the workers of a real cluster fill one folder, and nothing is paid twice."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from nscale_cli.commands._context import load_settings
from nscale_cli.commands._part import order_of
from nscale_cli.commands._run_command import RunCommand
from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.output import RecordOptions
from nscale_cli.commands.options.run import RunOptions
from nscale_cli.commands.options.service import RetryOptions, ServiceOptions
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.terminal.streams import Terminal
from tests.clusters.dask import Cluster, cluster
from tests.clusters.tasks import kill_one_in_the_middle, owner_of_part, require_bought_once
from tests.conftest import KEY, Cli, Outcome, Program
from tests.faults.gates import until
from tests.runs.serving import NO_CREDIT, Service, pictures, write_rows
from tests.test_start_up import loaded_by

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("distributed"), reason="the extra `dask` is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="the processes are told to end by signals"),
]
ROWS = 36
BATCH = ("images", "batch", "rows.txt", "-z", "8x8", "-j", "2", "--keep-going")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that takes a moment for each image."""
    with Service(latency_seconds=0.4) as running:
        yield running


@pytest.fixture
def dask(service: Service, program: Program, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose workers have the key, which nobody else has."""
    service.posts.clear()
    service.keys.clear()
    service.failures.clear()
    write_rows(tmp_path, ROWS)
    env = program.env | {"NSCALE_API_KEY": KEY, "NSCALE_BASE_URL": service.base_url}
    with ExitStack() as stack:
        running = stack.enter_context(cluster(tmp_path / "cluster", env))
        yield running
        assert KEY not in running.said


def words(dask: Cluster, service: Service, *more: str) -> tuple[str, ...]:
    """Return the command; whoever gives it has no key."""
    return (*BATCH, "--dask", dask.address, *more)


def test_a_worker_is_killed_and_nothing_is_paid_twice(
    dask: Cluster, service: Service, program: Program, tmp_path: Path
) -> None:
    """Another goes on with its part; what was under way is left alone until somebody says so."""
    env = program.env | {"NSCALE_BASE_URL": service.base_url}
    with program.start(*words(dask, service), env=env) as coordinator:
        part, victim = kill_one_in_the_middle(tmp_path / "rows", service)
        assert victim in [worker.pid for worker in dask.workers]
        stdout, stderr = coordinator.communicate(timeout=120)
    assert coordinator.returncode in (0, 25), stderr
    assert owner_of_part(tmp_path / "rows", part) != victim
    saved = len(pictures(tmp_path / "rows"))
    assert len(stdout.split()) == saved
    assert (tmp_path / "rows/results.csv").read_text().count(",saved,") == saved
    require_bought_once(tmp_path / "rows", service, program, rows=ROWS, under_way=2)


def test_credit_that_ends_stops_all_parts_and_ctrl_c_does(
    dask: Cluster, service: Service, program: Program, tmp_path: Path
) -> None:
    """Nothing new is sent; with more of it, or another day, the same command goes on."""
    env = program.env | {"NSCALE_BASE_URL": service.base_url}
    service.failures["*"] = [NO_CREDIT]
    stopped = program.run(*words(dask, service, "--json"), env=env)
    assert stopped.exit_code in (5, 24), stopped.stderr
    assert stopped.document["data"]["stopped_by"] == "credit"  # type: ignore[index]
    first = sum(service.posts.values())
    assert first < ROWS

    with program.start(*words(dask, service), env=env) as coordinator:
        until(lambda: sum(service.posts.values()) > first + 3)
        coordinator.send_signal(signal.SIGINT)
        _, stderr = coordinator.communicate(timeout=120)
    assert coordinator.returncode == 130, stderr
    assert b"rows saved" in stderr and b"may have been billed" not in stderr
    assert sum(service.posts.values()) < ROWS

    whole = program.run(*words(dask, service), env=env)
    assert whole.exit_code == 0, whole.stderr
    assert sum(service.posts.values()) == ROWS + 1  # the one without credit
    assert len(pictures(tmp_path / "rows")) == ROWS
    assert not list((tmp_path / "rows/run").glob("dask-*"))


def refused(outcome: Outcome) -> str:
    """Return the first line of a command that is refused."""
    assert outcome.exit_code == 2, outcome.stderr
    return outcome.stderr.splitlines()[0]


def test_a_key_is_never_sent_to_a_cluster(cli: Cli, tmp_path: Path) -> None:
    """It would stand in what everybody on the cluster's network can read."""
    write_rows(tmp_path, 1)
    for option in (("-a", KEY), ("--api-key-file", "key.txt")):
        line = refused(cli("images", "batch", "rows.txt", "--dask", "tcp://127.0.0.1:1", *option))
        assert line == "error: no key is sent to the workers of a cluster; nothing was sent"
    assert not (tmp_path / "rows").exists()


def test_what_is_no_scheduler_is_one_line(cli: Cli, tmp_path: Path) -> None:
    """And so are options that exclude each other."""
    write_rows(tmp_path, 1)
    for address in ("tcp://127.0.0.1:1", "nonsense://x", ""):
        line = refused(cli("images", "batch", "rows.txt", "--dask", address))
        assert line.startswith(f"error: no scheduler of Dask answers at {address}")
    line = refused(cli("images", "batch", "rows.txt", "--dask", "tcp://x:1", "--shard", "1/2"))
    assert line == "error: --dask excludes --shard and --jsonl"
    assert not (tmp_path / "rows").exists()


def test_the_library_is_loaded_by_nothing_else(program: Program, tmp_path: Path) -> None:
    """And where it is missing, that is one line."""
    write_rows(tmp_path, 1)
    _, loaded = loaded_by(program, *BATCH, "--sandbox")
    assert not loaded & {"dask", "distributed", "tornado"}
    barred = (
        "import sys; sys.modules['distributed'] = None; import nscale_cli.__main__ as m; m.run()"
    )
    command = [sys.executable, "-c", barred, *BATCH]
    missing = subprocess.run(
        [*command, "--dask", "tcp://x:1"],
        cwd=tmp_path,
        env=program.env,
        capture_output=True,
        check=False,
        text=True,
    )
    assert missing.returncode == 2
    assert missing.stderr.splitlines() == [
        "error: --dask needs the library of Dask",
        "hint: pip install 'nscale-cli[dask]'",
    ]


def test_an_order_holds_no_key(tmp_path: Path) -> None:
    """Whatever the command line, a variable or the settings say."""
    env = {"NSCALE_API_KEY": KEY, "NSCALE_SERVICE_TOKEN": KEY, "HOME": str(tmp_path)}
    command = RunCommand(
        name="images batch",
        run=RunDirectory(path=tmp_path),
        source="rows.txt",
        buying=BuyingOptions(
            service=ServiceOptions(api_key=KEY, api_key_file="key.txt"),
            retries=RetryOptions(),
            record=RecordOptions(),
        ),
        options=RunOptions(dask="tcp://x:1"),
        settings=load_settings(Terminal(stdin=None, stdout=None, stderr=None, env=env)),
    )
    order = order_of(command, shard="1/3", mark="dask-1")
    assert KEY not in order and "key.txt" not in order
    assert json.loads(order)["options"]["shard"] == "1/3"

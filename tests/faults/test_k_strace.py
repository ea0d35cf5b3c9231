"""A run of one row, killed at each of the system's calls around the request."""

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Outcome, Program, require_command
from tests.runs.serving import Service, events_of, pictures

Injected = Callable[[bool, str], None]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has strace")
MOST_CALLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class StracedProgram(Program):
    """The program under strace: `calls` are traced, on `paths` if there are any."""

    calls: str
    paths: tuple[Path, ...] = ()
    fault: str = ""

    @property
    def log(self) -> Path:
        """What strace saw."""
        return self.cwd.with_name("strace.log")

    @property
    def command(self) -> list[str]:
        """The words that start the program."""
        strace = require_command("strace", shutil.which("strace"))
        paths = [word for path in self.paths for word in ("-P", str(path))]
        fault = ["-e", f"inject={self.fault}"] if self.fault else []
        traced = ["-f", "-qq", "-y", "-s", "500", "-o", str(self.log), "-e", f"trace={self.calls}"]
        return [strace, *traced, *paths, *fault, sys.executable, "-m", "nscale_cli"]


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that remembers what it was asked for."""
    with Service() as running:
        yield running


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """The folder that the program runs in, with a file of one row."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "rows.txt").write_text("fox\n")
    return folder


def buy(program: Program, service: Service, *options: str) -> Outcome:
    """Run the one row."""
    words = ("images", "batch", "rows.txt", "-z", "8x8", "-j", "1", *service.options, *options)
    return program.run(*words, env=program.bare_env)


def test_sent_is_on_disk_before_the_first_byte_of_the_request_leaves(
    service: Service, cwd: Path
) -> None:
    """Written and synced, in that order; and the end is synced, too."""
    program = StracedProgram(cwd=cwd, calls="write,fdatasync,sendto")
    assert buy(program, service).exit_code == 0
    steps = []
    for line in program.log.read_text(errors="replace").splitlines():
        if "journal.jsonl>" in line and "write(" in line:
            steps.append("sent" if '\\"s\\": \\"sent\\"' in line else "saved")
        elif "journal.jsonl>" in line and "fdatasync(" in line:
            steps.append("synced")
        elif "sendto(" in line and "POST /v1/images" in line:
            steps.append("POST")
    assert steps == ["sent", "synced", "POST", "saved", "synced"]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_kill_at_a_call_on_the_journal_pays_nothing_twice(
    service: Service, cwd: Path, injected: Injected, call: str
) -> None:
    """Before or after the line is written, before or after it is synced."""
    for number in (1, 2):
        service.posts.clear()
        shutil.rmtree(cwd / "rows", ignore_errors=True)
        journal = cwd / "rows/run/journal.jsonl"
        fault = f"{call}:signal=SIGKILL:when={number}"
        killed = StracedProgram(cwd=cwd, calls=call, paths=(journal,), fault=fault)
        outcome = buy(killed, service)
        injected(outcome.exit_code == -signal.SIGKILL, f"SIGKILL at {call} {number} of the journal")
        # Whatever was asked for is known to have been asked for.
        assert service.posts["fox"] == number - 1
        require_paid_once(Program(cwd=cwd), service, cwd)


@pytest.mark.parametrize("call", ["sendto", "recvfrom", "linkat"])
def test_a_kill_at_a_call_of_the_request_pays_nothing_twice(
    service: Service, cwd: Path, injected: Injected, call: str
) -> None:
    """From the first question to the service until the image has its name."""
    for number in range(1, MOST_CALLS):
        service.posts.clear()
        shutil.rmtree(cwd / "rows", ignore_errors=True)
        fault = f"{call}:signal=SIGKILL:when={number}"
        outcome = buy(StracedProgram(cwd=cwd, calls=call, fault=fault), service)
        if outcome.exit_code == 0:
            break
        injected(outcome.exit_code == -signal.SIGKILL, f"SIGKILL at {call} {number}")
        if service.posts["fox"]:
            assert events_of(cwd / "rows")[0]["s"] == "sent"
        require_paid_once(Program(cwd=cwd), service, cwd)
    assert 1 < number < MOST_CALLS


@pytest.mark.parametrize("name", ["run/plan.json", "results.csv"])
def test_a_kill_at_the_last_call_for_a_table_leaves_nothing_for_good(
    service: Service, cwd: Path, injected: Injected, name: str
) -> None:
    """What had no name yet is not among the images, and the next run takes it away."""
    run, table, left = cwd / "rows/run", cwd / "rows" / name, []
    for number in range(1, MOST_CALLS):  # other files are renamed, too
        shutil.rmtree(cwd / "rows", ignore_errors=True)
        fault = f"rename:signal=SIGKILL:when={number}"
        killed = buy(StracedProgram(cwd=cwd, calls="rename", fault=fault), service)
        left = list(run.glob(f".{table.name}.*.part"))
        if left or killed.exit_code == 0:
            break
    injected(killed.exit_code == -signal.SIGKILL and len(left) == 1, f"SIGKILL at {name}")
    assert not list(run.parent.glob(".*"))
    service.posts.clear()
    assert buy(Program(cwd=cwd), service).exit_code == 0
    assert service.posts["fox"] == (name != "results.csv")
    assert table.is_file()
    assert not list(run.glob(".*.part"))


def require_paid_once(program: Program, service: Service, cwd: Path) -> None:
    """Assert that a resume posts at most once in all, and that --retry-billed has the image."""
    assert buy(program, service).exit_code in (0, 11)
    assert service.posts["fox"] <= 1
    before = service.posts["fox"]
    outcome = buy(program, service, "--retry-billed")
    assert outcome.exit_code == 0, outcome.stderr
    assert pictures(cwd / "rows") == ["0001-fox.png"]
    assert service.posts["fox"] <= before + 1

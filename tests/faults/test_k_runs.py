"""Runs of many images, killed at any instant, resumed, and run beside each other."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Program
from tests.faults.gates import until
from tests.faults.mounts import mounted
from tests.runs.serving import Service, events_of, pictures, write_rows
from tests.runs.zygote import Zygote, zygote

Injected = Callable[[bool, str], None]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks so, and mounts")
ROWS, LATENCY_SECONDS = 40, 0.03
KILLS = int(os.environ.get("NSCALE_KILLS", "12"))  # of each test run; python -m tools.kills: more
OPTIONS = ("-z", "8x8", "-j", "4", "--keep-going")


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that takes a moment for each image."""
    with Service(latency_seconds=LATENCY_SECONDS) as running:
        yield running


@pytest.fixture
def processes(program: Program) -> Iterator[Zygote]:
    """Processes of the program, started quickly."""
    (program.cwd / "work").mkdir()
    with zygote(program.cwd / "work", program.bare_env) as starter:
        yield starter


@pytest.fixture
def work(tmp_path: Path, processes: Zygote) -> Path:
    """The folder that the processes run in, with a file of forty rows."""
    write_rows(tmp_path / "work", ROWS)
    return tmp_path / "work"


def batch(service: Service, *options: str) -> tuple[str, ...]:
    """Return the words of `nscale images batch` for the forty rows."""
    return ("images", "batch", "rows.txt", *OPTIONS, *service.options, *options)


def require_whole(work: Path, folder: str = "rows") -> None:
    """Assert that each row has its image, and that nothing else is there."""
    names = [f"{number:04}-prompt-{number}.png" for number in range(1, ROWS + 1)]
    assert pictures(work / folder) == names
    assert not list((work / folder).glob(".*"))


def test_a_run_killed_at_any_instant_pays_nothing_twice(
    processes: Zygote, service: Service, work: Path, injected: Injected
) -> None:
    """Each prompt is posted once, however often the run is killed; in the end all are there."""
    chance = random.Random(os.environ.get("NSCALE_KILLS_SEED", "12"))
    for number in range(KILLS):
        folder = f"run-{number}"
        service.posts.clear()
        service.keys.clear()
        child = processes.start(*batch(service, "-o", folder))
        until(lambda: service.posts)
        time.sleep(chance.uniform(0, ROWS / 4 * LATENCY_SECONDS))
        child.kill()
        injected(child.wait() == -signal.SIGKILL, "SIGKILL at a random instant")

        code, said = processes.run(*batch(service, "-o", folder))
        assert code in (0, 25), said
        assert set(service.posts.values()) == {1}
        lost = ROWS - len(pictures(work / folder))
        assert lost <= 4  # what was under way
        assert said.count("may have been billed: sent, and then the run was cut off") == lost
        code, said = processes.run(*batch(service, "-o", folder, "--retry-billed"))
        assert code == 0, said
        require_whole(work, folder)
        assert sum(service.posts.values()) <= ROWS + lost
        assert all(len(set(keys)) == 1 for keys in service.keys.values())
        assert processes.run(*batch(service, "-o", folder))[0] == 0
        assert sum(service.posts.values()) <= ROWS + lost


def test_a_run_killed_again_and_again_comes_to_its_end(
    processes: Zygote, service: Service, work: Path, injected: Injected
) -> None:
    """Each time it goes on where it was."""
    chance, codes = random.Random(7), [-signal.SIGKILL]
    while codes[-1] == -signal.SIGKILL:
        before = sum(service.posts.values())
        child = processes.start(*batch(service))
        until(lambda: child.has_ended or sum(service.posts.values()) > before)  # noqa: B023 - now
        time.sleep(chance.uniform(0, 4 * LATENCY_SECONDS))
        child.kill()
        codes.append(child.wait())
    injected(len(codes) > 3, "SIGKILL, again and again")
    assert codes[-1] in (0, 25)
    assert set(service.posts.values()) == {1}
    assert processes.run(*batch(service, "--retry-billed"))[0] == 0
    require_whole(work)


def test_a_second_process_on_one_folder_is_refused_at_once(
    processes: Zygote, service: Service, work: Path
) -> None:
    """It names the first one, which goes on undisturbed."""
    first = processes.start(*batch(service))
    until(lambda: service.posts)
    for command in (batch(service), ("images", "resume", "rows", *service.options)):
        code, said = processes.run(*command)
        assert code == 2
        assert f"process {first.pid} on " in said
        assert "nothing was sent" in said
    assert first.wait() == 0
    require_whole(work)
    assert set(service.posts.values()) == {1}


def test_many_processes_that_start_at_once_are_one(
    processes: Zygote, service: Service, work: Path
) -> None:
    """One has the folder, the others are refused; nothing is bought twice."""
    children = [processes.start(*batch(service)) for _ in range(8)]
    codes = [child.wait() for child in children]
    assert set(codes) <= {0, 2} and 0 in codes
    assert processes.run(*batch(service))[0] == 0
    require_whole(work)
    assert set(service.posts.values()) == {1}


def test_three_shards_at_once_make_the_whole(
    processes: Zygote, service: Service, work: Path
) -> None:
    """Each has its own journal; together they are one run, and so they resume."""
    children = [processes.start(*batch(service, "--shard", f"{n}/3")) for n in (1, 2, 3)]
    assert [child.wait() for child in children] == [0, 0, 0], [child.text for child in children]
    require_whole(work)
    assert set(service.posts.values()) == {1}
    assert sorted(path.name for path in (work / "rows/run").glob("journal*")) == [
        "journal-1of3.jsonl",
        "journal-2of3.jsonl",
        "journal-3of3.jsonl",
    ]
    assert (work / "rows/results.csv").read_text().count(",saved,") == ROWS
    assert processes.run(*batch(service))[0] == 0
    code, said = processes.run("images", "receipt", "rows")
    assert (code, f"billed: {ROWS} requests" in said) == (0, True)
    assert set(service.posts.values()) == {1}


def test_a_shard_that_was_killed_is_resumed_by_whoever_comes(
    processes: Zygote, service: Service, work: Path, injected: Injected
) -> None:
    """A whole run knows the journals of all shards."""
    child = processes.start(*batch(service, "--shard", "1/2"))
    until(lambda: sum(service.posts.values()) >= 8)
    child.kill()
    injected(child.wait() == -signal.SIGKILL, "SIGKILL of a shard")
    assert processes.run(*batch(service))[0] in (0, 25)
    assert set(service.posts.values()) == {1}


def test_the_first_ctrl_c_finishes_what_is_under_way(
    processes: Zygote, service: Service, work: Path, injected: Injected
) -> None:
    """Nothing new is sent, and nothing is lost."""
    child = processes.start(*batch(service))
    until(lambda: sum(service.posts.values()) >= 8)
    child.kill(signal.SIGINT)
    injected(child.wait() == 130, "SIGINT")
    posted = sum(service.posts.values())
    assert posted < ROWS
    assert len(pictures(work / "rows")) == posted
    assert "finishing: " in child.text and "(press Ctrl-C again to abort)" in child.text
    assert "error: stopped; " in child.text
    assert f"{posted} of {ROWS} rows saved; {ROWS - posted} not sent" in child.text
    assert processes.run(*batch(service))[0] == 0
    assert set(service.posts.values()) == {1}
    require_whole(work)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_gives_up_what_is_under_way(
    processes: Zygote, work: Path, injected: Injected, number: int, code: int
) -> None:
    """It may have been billed, and a resume leaves it alone."""
    with Service(latency_seconds=60) as slow:
        child = processes.start(*batch(slow))
        until(lambda: sum(slow.posts.values()) == 4)
        child.kill(number)
        until(lambda: "finishing: 4 under way" in child.text)
        time.sleep(1.1)  # what comes sooner is the same press of the key
        child.kill(number)
        injected(child.wait() == code, "two signals")
        assert f"4 may have been billed; {ROWS - 4} not sent" in child.text
    states = [event["s"] for event in events_of(work / "rows")]
    assert (states.count("sent"), states.count("failed")) == (4, 4)


def test_a_disk_that_fills_stops_the_run_and_saves_elsewhere(
    processes: Zygote, service: Service, work: Path, injected: Injected
) -> None:
    """What is under way is rescued; with room again the same command goes on."""
    with mounted(work / "small", "size=200k") as small:
        code, said = processes.run(*batch(service, "-o", "small/rows", "-z", "128x128"))
        posted = sum(service.posts.values())
        injected("No space left on device" in said, "a full disk")
        assert code in (24, 25)
        assert posted < ROWS
        rescued = list(work.parent.rglob("rescued/*.png"))
        saved = pictures(small / "rows")
        assert len(saved) + len(rescued) == posted
        # Room again.
        for name in saved[:-1]:
            (work / name).write_bytes((small / "rows" / name).read_bytes())
            (small / "rows" / name).unlink()
        processes.run(*batch(service, "-o", "small/rows", "-z", "128x128"))
        assert set(service.posts.values()) == {1}


def test_a_folder_that_disappears_stops_the_run(
    processes: Zygote, service: Service, work: Path, injected: Injected
) -> None:
    """Before another request is sent; what is under way is saved where there is room."""
    child = processes.start(*batch(service))
    until(lambda: len(pictures(work / "rows")) >= 8)
    (work / "rows").rename(work / "elsewhere")
    code = child.wait()
    posted = sum(service.posts.values())
    injected(posted < ROWS, "a folder that is gone")
    assert code in (2, 20, 24, 25), child.text
    assert "cannot be written to any more: No such file or directory" in child.text or (
        "No such file" in child.text
    )
    (work / "elsewhere").rename(work / "rows")
    processes.run(*batch(service))
    assert set(service.posts.values()) == {1}


def test_a_journal_cut_anywhere_in_its_last_line_pays_nothing_twice(
    processes: Zygote, service: Service, work: Path
) -> None:
    """A power cut may leave any part of what was being written."""
    (work / "rows.txt").write_text("prompt 1\n")
    assert processes.run(*batch(service))[0] == 0
    journal = work / "rows/run/journal.jsonl"
    whole = journal.read_bytes()
    first = whole.index(b"\n") + 1
    for length in [*range(first, len(whole), 37), len(whole) - 1]:
        journal.write_bytes(whole[:length])
        code, said = processes.run(*batch(service))
        assert code == 0, said
        assert "1 images that an earlier run had left are taken in" in said
        assert events_of(work / "rows")[-1]["adopted"] is True
    assert service.posts == {"prompt 1": 1}


def test_credit_that_ends_under_many_workers_burns_no_row(
    processes: Zygote, service: Service, work: Path
) -> None:
    """What was refused is sent again after the top-up, and nothing else."""
    service.credit = 7
    code, said = processes.run(*batch(service))
    assert code == 24
    assert "7 of 40 rows saved" in said
    assert sum(service.posts.values()) <= 7 + 4
    service.credit = None
    assert processes.run(*batch(service))[0] == 0
    require_whole(work)
    assert sum(service.posts.values()) <= 40 + 4

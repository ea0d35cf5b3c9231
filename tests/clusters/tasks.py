"""Tasks of an array, each a process of the program, and what is left when one of them is killed."""

import os
import re
import signal
from pathlib import Path

from tests.conftest import KEY, Program
from tests.faults.gates import until
from tests.runs.serving import Service, pictures


def kill_one_in_the_middle(run: Path, service: Service) -> tuple[int, int]:
    """Kill a process that has saved an image and waits for others; return its part, and its id."""
    found: list[Path] = []

    def is_found() -> bool:
        journals = sorted(run.glob("run/journal-*of*.jsonl"))
        found[:] = [path for path in journals if _is_in_the_middle(path, service)]
        return bool(found)

    until(is_found)
    part = int(re.findall(r"\d+", found[0].name)[0])
    pid = owner_of_part(run, part)
    os.kill(pid, signal.SIGKILL)
    return part, pid


def owner_of_part(run: Path, part: int) -> int:
    """Return the process that has, or was the last to have, a part."""
    (lock,) = run.glob(f"run/lock-{part}of*")
    return int(re.findall(r"\d+", lock.read_text())[0])


def _is_in_the_middle(journal: Path, service: Service) -> bool:
    text = journal.read_text()
    saved, sent = text.count('"s": "saved"'), re.findall(r'"idempotency_key": "([^"]+)"', text)
    received = {key for keys in list(service.keys.values()) for key in keys}
    return saved >= 1 and len(sent) >= saved + 2 and received.issuperset(sent)


def require_bought_once(
    run: Path, service: Service, program: Program, *, rows: int, under_way: int
) -> None:
    """Assert that nothing was paid twice, and that what was cut off can be had, and is all."""
    lost = rows - len(pictures(run))
    assert lost <= under_way  # of the one that was killed
    assert set(service.posts.values()) == {1}
    assert len(service.posts) >= rows - lost  # it may have been killed just before it asked
    options = ("--base-url", service.base_url, "-a", KEY)
    outcome = program.run("images", "resume", str(run), "--retry-billed", *options)
    assert outcome.exit_code == 0, outcome.stderr
    assert len(pictures(run)) == rows
    assert sum(service.posts.values()) <= rows + lost
    assert all(len(set(keys)) == 1 for keys in service.keys.values())
    assert (run / "results.csv").read_text().count(",saved,") == rows
    assert program.run("images", "report", str(run), "--no-sheet").exit_code == 0
    page = (run / "index.html").read_text()
    assert all(f"{number:04}-prompt-{number}.png" in page for number in range(1, rows + 1))

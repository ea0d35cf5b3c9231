"""A model of a folder's whole life: planned, killed, resumed, redone, and its file edited."""

import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import ReceivedRequest
from tests.conftest import KEY, Program
from tests.runs.serving import FAILED, NO_CREDIT, REFUSED, Service, pictures
from tests.runs.zygote import Child, Zygote, zygote

PROMPTS = ("ant", "bee", "cat")
EXAMPLES = int(os.environ.get("NSCALE_MODEL_EXAMPLES", "6"))
STEPS = int(os.environ.get("NSCALE_MODEL_STEPS", "14"))
FREE = (NO_CREDIT, REFUSED)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks so")


class Killing(Service):
    """A service that can end its client in the middle of a request; it knows what it charged."""

    def __init__(self) -> None:
        """Charge nothing yet."""
        super().__init__()
        self.charged: Counter[str] = Counter()  # what was billed, or may have been
        self.key = KEY  # of whom; the requests of runs that were killed may come late
        self.victim: Child | None = None
        self.kill_at = 0
        self.kills_late = False
        self._posts_of_run = 0
        self._lock = threading.Lock()

    def expect(self, child: Child | None, kill_at: int, *, late: bool) -> None:
        """Kill this client at the n-th of its requests: before it is answered, or after."""
        self.victim, self.kill_at, self.kills_late, self._posts_of_run = child, kill_at, late, 0

    @contextmanager
    def serving(self, request: ReceivedRequest) -> Iterator[Answer]:
        """Serve, count what is charged, and kill."""
        with self._lock:
            self._posts_of_run += request.method == "POST"
            kills = request.method == "POST" and self._posts_of_run == self.kill_at
        with super().serving(request) as answer:
            free = any(answer.body == each.body for each in FREE)
            ours = request.headers["authorization"] == f"Bearer {self.key}"
            if request.method == "POST" and ours and not free:
                prompt = next(each for each in PROMPTS if f'"{each}"'.encode() in request.body)
                with self._lock:
                    self.charged[prompt] += 1
            if kills and self.victim and not self.kills_late:
                self.victim.kill()
            yield answer
        if kills and self.victim and self.kills_late:
            self.victim.kill()


ended: Counter[int] = Counter()  # how runs ended, by their exit codes


def model_in(tools: Zygote, service: Killing, work: Path) -> type[RuleBasedStateMachine]:
    """Return the machine, which works in new folders below `work`."""

    class FolderLife(RuleBasedStateMachine):
        """What the user does, and what it may cost."""

        def __init__(self) -> None:
            super().__init__()
            self.folder = Path(tempfile.mkdtemp(dir=work))
            self.edit(list(PROMPTS))
            self.most: Counter[str] = Counter()  # rows of each prompt that there ever were at once
            self.charged: Counter[str] = Counter()  # by runs that were allowed nothing
            service.charged.clear()
            service.failures.clear()
            service.key = f"{KEY}-{self.folder.name}"

        def teardown(self) -> None:
            shutil.rmtree(self.folder)

        @rule(rows=st.lists(st.sampled_from(PROMPTS), min_size=1, max_size=6))
        def edit(self, rows: list[str]) -> None:
            """Write the file anew: rows come, go, are repeated and change places."""
            self.rows = rows
            (self.folder / "rows.txt").write_text("".join(f"{row}\n" for row in rows))

        @rule(prompt=st.sampled_from(PROMPTS), answer=st.sampled_from((FAILED, FAILED, *FREE)))
        def fail(self, prompt: str, answer: Answer) -> None:
            """Let the service fail once for a prompt, while the rows are run."""
            service.failures[prompt] = [answer]
            self._run()

        @rule()
        def run(self) -> None:
            """Run to the end."""
            self._run()

        @rule(kill_at=st.integers(1, 3), late=st.booleans())
        def killed(self, kill_at: int, late: bool) -> None:
            """Run, and be killed at some request."""
            self._run(kill_at=kill_at, late=late)

        @rule()
        def retry_billed(self) -> None:
            """Repeat what may have been billed, which may be charged again."""
            self._run("--retry-billed")

        @rule(number=st.integers(1, 6))
        def redo(self, number: int) -> None:
            """Buy one row once more."""
            self._run("--redo", str(number))

        @rule(number=st.integers(0, 9))
        def lose(self, number: int) -> None:
            """Remove an image."""
            names = pictures(self.folder / "rows")
            if names:
                (self.folder / "rows" / names[number % len(names)]).unlink()

        @rule()
        def come_to_an_end(self) -> None:
            """With a service that works, and all permissions, everything is there in the end."""
            service.failures.clear()
            every = [w for n in range(1, len(self.rows) + 1) for w in ("--redo", str(n))]
            code, said = self._run(*every)
            assert code == 0, said
            assert set(self.rows) <= set(service.charged), said
            before = service.charged.copy()
            code, said = self._run()
            assert (code, service.charged) == (0, before), said
            assert said.count(str(self.folder / "rows")) >= len(self.rows)

        def _run(self, *options: str, kill_at: int = 0, late: bool = False) -> tuple[int, str]:
            self.most |= Counter(self.rows)
            before = service.charged.copy()
            service.expect(None, 0, late=False)
            rows, folder = str(self.folder / "rows.txt"), str(self.folder / "rows")
            words = ("images", "batch", rows, "-o", folder, "-z", "8x8", "-j", "2", "--keep-going")
            address = ("--base-url", service.base_url, "-a", service.key)
            child = tools.start(*words, *address, *options)
            if kill_at:
                service.expect(child, kill_at, late=late)
            code = child.wait()
            ended[code] += 1
            assert code in (-9, 0, 2, 5, 6, 11, 12, 22, 24, 25), child.text
            assert "Traceback" not in child.text and "bug" not in child.text
            new = service.charged - before
            if options:
                assert new <= Counter({row: 3 * self.rows.count(row) for row in self.rows})
            else:
                self.charged += new
                assert self.charged <= self.most, child.text
            return code, child.text

    return FolderLife


def test_nothing_is_charged_that_nobody_allowed(
    program: Program, tmp_path: Path, injected: Callable[[bool, str], None]
) -> None:
    """Each row once, and once more for each time that the user said so."""
    work = tmp_path / "work"
    work.mkdir()
    with ExitStack() as stack:
        service = stack.enter_context(Killing())
        tools = stack.enter_context(zygote(work, program.bare_env))
        run_state_machine_as_test(
            model_in(tools, service, work),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
                # No shrinking: when a process is killed is never quite the same twice.
                phases=[Phase.generate],
            ),
        )
        injected(ended[-9] > 0, f"SIGKILL in the middle of a request: {dict(ended)}")

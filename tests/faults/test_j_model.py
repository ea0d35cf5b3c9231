"""A model of one run: whatever a server does, in whatever order, the model knows the outcome."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from nscale_cli.errors import ExitCode
from nscale_cli.main import run as run_program
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock
from tests.conftest import KEY, Outcome, Stream, require_invariants
from tests.faults.conftest import as_base64, good_reply, reply_of
from tests.faults.raw_server import Connection, RawServer, Script, answers, response

CREDIT = b'{"error": {"error_type": "INSUFFICIENT_CREDIT"}}'
NO_IMAGE = reply_of({"b64_json": as_base64(b"<svg/>")})


def close(connection: Connection) -> None:
    """End the connection without an answer."""
    connection.close()


def cut(connection: Connection) -> None:
    """Send half of a good answer."""
    connection.send(response(good_reply())[:-100])
    connection.close()


# What the server does: its script, the exit code if that is the end, and whether a further try
# is free ("free"), may be charged again ("billed") or is never made ("never").
BEHAVIOURS: dict[str, tuple[Script, ExitCode, str]] = {
    "an image": (answers(good_reply()), ExitCode.OK, "never"),
    "busy": (answers(b"{}", 429), ExitCode.RATE_LIMITED, "free"),
    "no credit": (answers(CREDIT, 429), ExitCode.CREDIT, "never"),
    "refused key": (answers(b"{}", 401), ExitCode.KEY, "never"),
    "refused request": (answers(b"{}", 422), ExitCode.REFUSED, "never"),
    "redirect": (answers(b"", 302, "Location: /x"), ExitCode.CONFIGURATION, "never"),
    "failed": (answers(b"{}", 500), ExitCode.SERVICE_FAILED, "billed"),
    "closed": (close, ExitCode.DISCONNECTED, "billed"),
    "cut": (cut, ExitCode.DISCONNECTED, "billed"),
    "empty": (answers(reply_of()), ExitCode.UNUSABLE_REPLY, "never"),
    "no image": (answers(NO_IMAGE), ExitCode.INCOMPLETE, "never"),
}
KEPT = {"cut": "cat-incomplete-reply.json", "empty": "cat-reply.json", "no image": "cat.bin"}


def kept(met: list[str]) -> set[str]:
    """Return the names under which replies are kept: each attempt's may have been paid for."""
    names: set[str] = set()
    files = [Path(KEPT[behaviour]) for behaviour in met if behaviour in KEPT]
    for place, name in enumerate(files, start=1):
        number = files[:place].count(name)
        names.add(name.name if number == 1 else f"{name.stem}-{number}{name.suffix}")
    return names


def predict(behaviours: list[str], retries: int, retry_billed: bool) -> tuple[ExitCode, list[str]]:
    """Return the exit code, and the behaviours that the run meets, one a request."""
    met: list[str] = []
    while True:
        behaviour = behaviours[min(len(met), len(behaviours) - 1)]
        met.append(behaviour)
        _, code, again = BEHAVIOURS[behaviour]
        free = again == "free" or (again == "billed" and retry_billed)
        if not free or len(met) > retries:
            return code, met


class OneRun(RuleBasedStateMachine):
    """Collects what the server will do; at the end the program meets it."""

    count: Callable[[bool, str], None]

    @initialize(retries=st.integers(0, 3), retry_billed=st.booleans())
    def choose_flags(self, retries: int, retry_billed: bool) -> None:
        """Start a command line."""
        self.retries, self.retry_billed = retries, retry_billed
        self.behaviours: list[str] = []

    @rule(behaviour=st.sampled_from(sorted(BEHAVIOURS)))
    def behave(self, behaviour: str) -> None:
        """Let the server do one thing more."""
        self.behaviours.append(behaviour)

    def teardown(self) -> None:
        """Run the program, and compare what it did with what the model says."""
        if not getattr(self, "behaviours", None):
            return
        code, met = predict(self.behaviours, self.retries, self.retry_billed)
        # A thread that asks for the price may still write the cache, as no process's end stops it.
        place = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with place as folder, RawServer() as server:
            server.scripts = [BEHAVIOURS[name][0] for name in self.behaviours]
            outcome = self.run(Path(folder), server)
            require_invariants(outcome)
            assert outcome.exit_code == code, outcome.stderr
            assert server.posts == len(met)
            self.require_files(Path(folder), met, outcome)
            self.count(server.posts == len(met), f"{', '.join(met)}")

    def run(self, folder: Path, server: RawServer) -> Outcome:
        """Run the program in `folder`, without waiting between its tries."""
        streams = {name: Stream() for name in ("stdin", "stdout", "stderr")}
        environment = Environment(
            terminal=Terminal(
                **streams,
                env={"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")},
            ),
            clock=Clock(wait=lambda stop, seconds: False),
            cwd=folder,
        )
        flags = ["--retry", str(self.retries), *(["--retry-billed"] if self.retry_billed else [])]
        address = ["--base-url", server.base_url, "-a", KEY]
        code = run_program(["images", "generate", "cat", *address, *flags], environment)
        return Outcome(
            exit_code=code,
            stdout_bytes=streams["stdout"].content,
            stderr=streams["stderr"].content.decode(),
        )

    def require_files(self, folder: Path, met: list[str], outcome: Outcome) -> None:
        """Assert that what was paid for is on disk, and nothing else."""
        expected = {"cat.png"} if met[-1] == "an image" else set()
        expected |= kept(met)
        assert {path.name for path in folder.iterdir() if path.is_file()} == expected
        assert outcome.stdout == (f"{folder}/cat.png\n" if "cat.png" in expected else "")


def test_any_order_of_faults_ends_as_the_model_says(
    injected: Callable[[bool, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code, the number of requests that could be billed, and the files."""
    monkeypatch.setattr(OneRun, "count", staticmethod(injected), raising=False)
    run_state_machine_as_test(
        OneRun, settings=settings(max_examples=60, stateful_step_count=5, deadline=None)
    )

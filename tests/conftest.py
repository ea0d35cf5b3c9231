"""Fixtures: the program in this process and in its own, and servers on loopback sockets."""

import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
from hypothesis import settings

from nscale_cli.main import run as run_program
from nscale_cli.output.schema import document_schema
from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import ReceivedRequest, Sandbox
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupts
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock

# A shell's background job ignores Ctrl-C, one under nohup SIGHUP; and so would every program that
# is started here.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    _signal = getattr(signal, _name, None)
    if _signal is not None and signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, _handler)

KEY = "sk-test-0123456789abcdef"
# All that the program itself writes off a terminal: labels, pictures in colour, the cursor shown
# again, and a picture by kitty's protocol in the room made for it.
_OWN_ESCAPES = re.compile(
    r"\x1b\[(?:0|1|2|31|32|33|38;5;\d{1,3};48;5;\d{1,3}|38;2(?:;\d{1,3}){3};48;2(?:;\d{1,3}){3})m"
    r"|\x1b\[\?25h"
    r"|\x1b\[\d{1,3}A\x1b7(?:\x1b_G[a-z]=[A-Za-z0-9+/=,;]*\x1b\\)+\x1b8"
)

_FAULTS = Path(__file__).parent / "faults"

# A slow machine is no failure.
settings.register_profile("patient", parent=settings(), deadline=None)
settings.load_profile("patient")


@contextmanager
def installed(interrupts: Interrupts) -> Iterator[None]:
    """Route the signals as the program does, and give them back at the end."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    interrupts.install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stream(io.TextIOWrapper):
    """A standard stream in memory; `tty` says whether it claims to be a terminal."""

    def __init__(self, data: bytes = b"", *, tty: bool = False) -> None:
        """Start with `data` to read."""
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self._tty = tty

    def isatty(self) -> bool:
        """Return what the test wants the program to believe."""
        return self._tty

    @property
    def content(self) -> bytes:
        """What has been written."""
        self.flush()
        return self.buffer.getvalue()  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run left behind."""

    exit_code: int
    stdout_bytes: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.stdout_bytes.decode()

    @property
    def document(self) -> dict[str, object]:
        """The one JSON document of --json."""
        return json.loads(self.stdout)


@functools.cache
def document_validator() -> jsonschema.Draft202012Validator:
    """Return what holds a document to the published schema."""
    return jsonschema.Draft202012Validator(document_schema())


def require_invariants(outcome: Outcome) -> None:
    """Assert what holds for every run of the program, whatever happened in it."""
    if outcome.stdout_bytes.startswith(b'{"version": '):
        document_validator().validate(json.loads(outcome.stdout_bytes))
    text = outcome.stderr + outcome.stdout_bytes.decode("utf-8", "replace")
    assert "Traceback" not in text
    assert KEY not in text
    plain = _OWN_ESCAPES.sub("", outcome.stderr)
    controls = {c for c in plain if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}
    assert not controls, controls


class FakeClock:
    """A clock that sleeps without waiting, and remembers for how long."""

    def __init__(self) -> None:
        """Start without a sleep."""
        self.sleeps: list[float] = []
        self.sleep: Callable[[float], None] = self.sleeps.append

    @property
    def clock(self) -> Clock:
        """The clock to hand to the program."""
        return Clock(wait=lambda stop, seconds: bool(self.sleep(seconds)))


Cli = Callable[..., Outcome]


def cache_home(folder: Path) -> Path:
    """Return where a run in `folder` keeps its caches: beside it, not among its files."""
    return folder.with_name(f"{folder.name}-cache")


@pytest.fixture
def sleeps() -> FakeClock:
    """The waits of the runs that `cli` makes."""
    return FakeClock()


def cli_in(folder: Path, sleeps: FakeClock) -> Cli:
    """Return what runs the program in this process through `main`, in the current `folder`."""

    def run(
        *arguments: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        stdout: Stream | None = None,
        stdout_is_tty: bool = False,
    ) -> Outcome:
        streams = [Stream(stdin or b"", tty=stdin is None), stdout or Stream(tty=stdout_is_tty)]
        stderr = Stream()
        terminal = Terminal(
            stdin=streams[0],
            stdout=streams[1],
            stderr=stderr,
            env={
                "HOME": str(folder / "home"),
                "XDG_CACHE_HOME": str(cache_home(folder)),
                "NSCALE_HISTORY": "0",  # which is among the files of a run; see with_history
                **(env or {}),
            },
        )
        environment = Environment(terminal=terminal, clock=sleeps.clock, cwd=folder)
        code = run_program(list(arguments), environment)
        outcome = Outcome(
            exit_code=code, stdout_bytes=streams[1].content, stderr=stderr.content.decode()
        )
        require_invariants(outcome)
        return outcome

    return run


@pytest.fixture
def cli(tmp_path: Path, sleeps: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the program in this process through `main`, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return cli_in(tmp_path, sleeps)


def with_history(cli: Cli) -> Cli:
    """Return `cli` with a history, as a user has it."""
    return lambda *arguments, env=None, **options: cli(
        *arguments, env={"NSCALE_HISTORY": "", **(env or {})}, **options
    )


@pytest.fixture
def history_file(tmp_path: Path) -> Path:
    """Where the history of a run in the test's folder is."""
    return tmp_path / "home" / ".local" / "state" / "nscale" / "history.sqlite"


@pytest.fixture
def generate(cli: Cli) -> Cli:
    """Run `nscale images generate` against the sandbox of the command itself."""
    return lambda *arguments, **options: cli(
        "images", "generate", "--sandbox", *arguments, **options
    )


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that the test can ask what it received."""
    with Sandbox() as server:
        yield server


class ScriptedServer(Sandbox):
    """Answers each request for images with the next of its `answers`; the last one stays.

    Questions for the list of models stand in `queries`, and are answered by `models`.
    """

    def __init__(self) -> None:
        """Start without an answer, and without a list of models."""
        super().__init__()
        self.answers: list[Answer] = []
        self.queries: list[ReceivedRequest] = []
        self.models = Answer(status=404)

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return the next answer of the script."""
        if (request.method, request.path) == ("GET", "/v1/models"):
            self.queries.append(request)
            return self.models
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that answers as the test says."""
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def against(cli: Cli) -> Cli:
    """Run `nscale images generate` with a key, against the server given first."""

    def run(server: Sandbox, *arguments: str, **options: object) -> Outcome:
        address = ("--base-url", server.base_url, "-a", KEY)
        return cli("images", "generate", *address, *arguments, **options)

    return run


class Run(subprocess.Popen[bytes]):
    """A run of the program that does not outlive a test which fails: it may wait for that test."""

    def __exit__(self, kind: type[BaseException] | None, *failure: object) -> None:
        """Wait for the end, which a failure brings about."""
        if kind is not None:
            self.kill()
        super().__exit__(kind, *failure)  # type: ignore[arg-type]


def without_coverage(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of processes that coverage is not told of.

    It cannot write, or be loaded, where little is allowed; and loading it takes twice as long as
    the program, which many processes that do the same need not wait for.
    """
    return {name: value for name, value in env.items() if "COVERAGE" not in name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The installed program, run as a process of its own."""

    cwd: Path

    @property
    def command(self) -> list[str]:
        """The words that start the program."""
        return [sys.executable, "-m", "nscale_cli"]

    @property
    def env(self) -> dict[str, str]:
        """A clean environment: nothing of the contributor's own settings."""
        # The last two: a copy of the package that is under test, and where coverage is told of it.
        kept = ("PATH", "SYSTEMROOT", "PYTHONPATH", "COVERAGE_")
        inherited = {name: value for name, value in os.environ.items() if name.startswith(kept)}
        own = {"HOME": self.cwd / "home", "XDG_CACHE_HOME": cache_home(self.cwd)}
        history = {"NSCALE_HISTORY": "0"}  # as in `cli`
        return inherited | history | {name: str(path) for name, path in own.items()}

    @property
    def bare_env(self) -> dict[str, str]:
        """The same without coverage."""
        return without_coverage(self.env)

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[bytes]":
        """Start the program and return at once."""
        settings = {
            "cwd": self.cwd,
            "env": self.env,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return Run([*self.command, *arguments], **(settings | options))  # type: ignore[call-overload]

    def run(self, *arguments: str, **options: object) -> Outcome:
        """Run the program to its end."""
        with self.start(*arguments, **options) as process:
            stdout, stderr = process.communicate(timeout=120)
        outcome = Outcome(
            exit_code=process.returncode,
            stdout_bytes=stdout or b"",
            stderr=(stderr or b"").decode(),
        )
        require_invariants(outcome)
        return outcome


def looking_first_in(folder: Path) -> dict[str, str]:
    """Return the variable by which Python finds modules in `folder` before all others."""
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program as a process, in a folder of its own."""
    return Program(cwd=tmp_path)


def require_command(name: str, path: str | None) -> str:
    """Return where the command `name` is; skip where a contributor lacks it, fail in CI."""
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI installs all it needs")
        pytest.skip(f"{name} is not installed")
    return path


def models_reply(*entries: object) -> Answer:
    """Return the answer to `GET /models` with these entries."""
    return Answer(body=json.dumps({"object": "list", "data": entries}).encode())


def images_reply(*items: object) -> Answer:
    """Return a reply of success whose `data` is `items`."""
    return Answer(body=json.dumps({"created": 1, "data": list(items)}).encode())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the fault tests by their folder; let parallel workers begin with what takes long."""
    for item in items:
        if _FAULTS in item.path.parents:
            item.add_marker(pytest.mark.fault)
    if hasattr(config, "workerinput"):  # else one worker counts instructions while others are idle
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many faults the run injected."""
    faults = [
        fault
        for report in terminalreporter.getreports("passed")
        for name, fault in report.user_properties
        if name == "fault"
    ]
    if faults:
        kinds = len(set(faults))
        terminalreporter.write_line(f"{len(faults)} faults were injected, of {kinds} kinds")

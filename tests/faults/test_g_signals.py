"""Signals, streams and environments: wherever a run is stopped, what is paid for is kept."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import (
    KEY,
    Cli,
    Outcome,
    Program,
    looking_first_in,
    require_invariants,
)
from tests.faults.conftest import as_base64, good_reply, photo, png, reply_of
from tests.faults.gates import Gate, HalfReply, read_until, start, until
from tests.faults.raw_server import Connection, RawServer, answers, response

Injected = Callable[[bool, str], None]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

SIGNALS = [signal.SIGINT, signal.SIGTERM] + ([signal.SIGHUP] if os.name != "nt" else [])
each_signal = pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
NOTHING_SENT = "error: stopped before anything was sent"
FINISHING = "finishing: the image is arriving (press Ctrl-C again to abort)\n"


def ended(run: "subprocess.Popen[bytes]", already_read: str = "") -> Outcome:
    """Wait for the program and return what it left behind."""
    stdout, stderr = run.communicate(timeout=120)
    outcome = Outcome(
        exit_code=run.returncode, stdout_bytes=stdout, stderr=already_read + stderr.decode()
    )
    require_invariants(outcome)
    return outcome


def require_saved(outcome: Outcome, folder: Path, number: int) -> None:
    """Assert that the image is on disk, its path on stdout, and the stop was told."""
    assert outcome.exit_code == 128 + number
    assert outcome.stdout == f"{folder}/cat.png\n"
    assert (folder / "cat.png").read_bytes() == png()
    stopped = f"error: stopped; saved {folder}/cat.png. The request was billed.\n"
    assert outcome.stderr.endswith(stopped), outcome.stderr
    assert not list(folder.glob(".*"))


@each_signal
@pytest.mark.parametrize("module", ["nscale_cli.main", "typer", "openai"])
def test_a_signal_during_start_up_has_cost_nothing(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals, module: str
) -> None:
    """Modules take a second to load; a signal then is one line, and no traceback."""
    gate = Gate(program.cwd, module)
    with start(program, raw, env=program.env | gate.env) as run:
        gate.wait(run)
        run.send_signal(number)
        outcome = ended(run)

    assert outcome.exit_code == 128 + number
    assert outcome.stderr.splitlines()[0].startswith(NOTHING_SENT)
    assert len(outcome.stderr.splitlines()) == 1
    assert raw.connections == 0
    injected(run.returncode == 128 + number, f"{number.name} while {module} is imported")


_IN_A_CLASS = """
import dataclasses, signal
named = dataclasses.Field.__set_name__
def __set_name__(self, owner, name):
    if (owner.__name__, name) == ("CLASS", "FIELD"):
        signal.raise_signal(NUMBER)
    named(self, owner, name)
dataclasses.Field.__set_name__ = __set_name__
"""


@each_signal
@pytest.mark.parametrize(
    "field", ["Environment.interrupts", "ImageRequest.params"], ids=["before main", "after it"]
)
def test_a_signal_while_a_class_is_made_is_no_bug(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals, field: str
) -> None:
    """Python 3.11 raises a RuntimeError of it."""
    owner, _, name = field.partition(".")
    code = _IN_A_CLASS.replace("CLASS", owner).replace("FIELD", name)
    code = code.replace("NUMBER", str(int(number)))
    (program.cwd / "site").mkdir()
    (program.cwd / "site" / "sitecustomize.py").write_text(code)
    with start(program, raw, env=program.env | looking_first_in(program.cwd / "site")) as run:
        outcome = ended(run)

    assert outcome.stderr.startswith(NOTHING_SENT)
    assert len(outcome.stderr.splitlines()) == 1
    assert raw.connections == 0
    injected(outcome.exit_code == 128 + number, f"{number.name} while a class is made")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/net/tcp is Linux's")
@each_signal
def test_a_signal_while_connecting_has_cost_nothing(
    program: Program, injected: Injected, number: signal.Signals
) -> None:
    """The service's queue is full: nobody has accepted the connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
        ours = {filler.getsockname()[1] for filler in fillers}
        address = ("--base-url", f"http://127.0.0.1:{port}/v1", "-a", KEY)
        with program.start("images", "generate", "cat", *address) as run:
            until(lambda: connecting_from(port) - ours, run)
            run.send_signal(number)
            outcome = ended(run)
        for filler in fillers:
            filler.close()

    assert outcome.exit_code == 128 + number
    assert outcome.stderr == f"{NOTHING_SENT}. Nothing was billed.\n"
    injected(len(ours) == 3, f"{number.name} while connecting")


def connecting_from(port: int) -> set[int]:
    """Return the ports from which connections to `port` have been begun and not accepted."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    begun = [line for line in lines if line[2:4] == [f"0100007F:{port:04X}", "02"]]
    return {int(line[1].partition(":")[2], 16) for line in begun}


@each_signal
def test_a_signal_in_the_middle_of_a_reply_waits_for_the_image(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals
) -> None:
    """It is paid for: it is saved, its path is told, and the exit code still tells the signal."""
    script = HalfReply()
    raw.scripts = [script]
    with start(program, raw) as run:
        until(script.half_sent.is_set, run)
        run.send_signal(number)
        said = read_until(run, FINISHING)
        script.go_on.set()
        outcome = ended(run, said)

    require_saved(outcome, program.cwd, number)
    assert raw.posts == 1
    injected(outcome.stderr.startswith(FINISHING), f"{number.name} in the middle of a reply")


@each_signal
def test_a_signal_while_the_image_is_written_waits_for_the_disk(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals
) -> None:
    """A slow disk: the second sync of the run (the first tries out the folder) takes long."""
    raw.scripts = [answers(good_reply())]
    gate = Gate(program.cwd, "fsync", times=2)
    with start(program, raw, env=program.env | gate.env) as run:
        gate.wait(run)
        run.send_signal(number)
        said = read_until(run, FINISHING)
        gate.open()
        outcome = ended(run, said)

    require_saved(outcome, program.cwd, number)
    injected(outcome.stderr.startswith(FINISHING), f"{number.name} while the image is written")


@each_signal
def test_a_signal_during_the_preview_leaves_the_image(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals
) -> None:
    """Image and path are safe before anything is drawn."""
    raw.scripts = [answers(good_reply())]
    gate = Gate(program.cwd, "PIL.PngImagePlugin")  # loaded by opening the image, not before
    with start(program, raw, "-p", env=program.env | gate.env) as run:
        gate.wait(run)
        run.send_signal(number)
        outcome = ended(run)

    require_saved(outcome, program.cwd, number)
    assert outcome.stderr.count("\n") == 2
    injected("saved cat.png" in outcome.stderr, f"{number.name} during the preview")


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["plain", "json"])
def test_a_second_signal_gives_the_image_up_but_keeps_what_came(
    program: Program, raw: RawServer, injected: Injected, flags: tuple[str, ...]
) -> None:
    """The user asked twice; half a reply may still be evidence."""
    script = HalfReply()
    raw.scripts = [script]
    with start(program, raw, *flags) as run:
        until(script.half_sent.is_set, run)
        run.send_signal(signal.SIGINT)
        said = read_until(run, FINISHING)
        run.send_signal(signal.SIGTERM)
        outcome = ended(run, said)
        script.go_on.set()

    kept = program.cwd / "cat-incomplete-reply.json"
    assert outcome.exit_code == 143
    assert outcome.stderr == (
        f"{FINISHING}error: stopped while waiting for the reply; it is kept at {kept}. "
        "The image may have been made, and billed.\n"
    )
    assert good_reply().startswith(kept.read_bytes()) and kept.stat().st_size
    if flags:
        (error,) = outcome.document["errors"]
        assert (error["code"], error["billed"]) == ("terminated", "maybe")
    injected(raw.posts == 1, "a second signal in the middle of a reply")


@pytest.mark.parametrize("ending", ["signals", "the time limit"])
def test_an_image_that_stays_without_metadata_is_told(
    program: Program, raw: RawServer, injected: Injected, ending: str
) -> None:
    """Marks may be the law where it is shown; whoever waits no longer is told that it has none."""
    first, second = as_base64(photo()), as_base64(photo())
    data = response(reply_of({"b64_json": first}, {"b64_json": second}))

    def script(connection: Connection) -> None:
        connection.send(data[: -len(second) // 2])
        connection.hang()

    raw.scripts = [script]
    limit = () if ending == "signals" else ("--timeout", "2")
    with start(program, raw, "-n", "2", "--metadata", "mark", *limit) as run:
        said = ""
        if ending == "signals":
            until((program.cwd / "cat.png").exists, run)
            run.send_signal(signal.SIGINT)
            said = read_until(run, FINISHING)
            run.send_signal(signal.SIGTERM)
        outcome = ended(run, said)

    assert outcome.exit_code == (143 if ending == "signals" else 10)
    assert "metadata was not added any more" in outcome.stderr
    assert outcome.stdout == f"{program.cwd}/cat.png\n"
    assert (program.cwd / "cat.png").read_bytes() == photo()
    injected(raw.posts == 1, f"two images, one whole, then {ending}")


@pytest.mark.parametrize("times", [2, 3], ids=["the image's sync", "the directory's sync"])
def test_two_signals_on_a_slow_disk_leave_the_whole_copy(
    program: Program, raw: RawServer, injected: Injected, times: int
) -> None:
    """It is never removed, under whatever name it is by then; and its path is told."""
    raw.scripts = [answers(good_reply())]
    gate = Gate(program.cwd, "fsync", times=times)
    with start(program, raw, env=program.env | gate.env) as run:
        gate.wait(run)
        run.send_signal(signal.SIGINT)
        said = read_until(run, FINISHING)
        run.send_signal(signal.SIGTERM)
        outcome = ended(run, said)

    assert outcome.exit_code == 143
    (line,) = outcome.stdout.splitlines()
    assert Path(line).read_bytes() == png()
    assert (Path(line).suffix == ".part") is (times == 2)
    assert (Path(line).name == "cat.png") is (times == 3)
    assert f"error: stopped; saved {line}. The request was billed." in outcome.stderr
    assert set(program.cwd.glob("*.part")) <= {Path(line)}
    injected(raw.posts == 1, f"two signals in sync {times}")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signals_without_end_do_not_change_the_outcome(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals
) -> None:
    """Somebody leans on Ctrl-C while the service works."""
    raw.scripts = [Connection.hang]
    with start(program, raw) as run:
        until(lambda: raw.posts == 1, run)
        sent = 0
        while run.poll() is None:
            run.send_signal(number)
            sent += 1
        outcome = ended(run)

    assert outcome.exit_code == 128 + number
    assert "stopped while waiting for the reply" in outcome.stderr
    assert "Nothing was billed" not in outcome.stderr
    injected(sent > 1, f"{number.name}, many times")


_PRESSED_AGAIN = """
import signal, time
import MODULE as module

def after_two_more(*arguments, **options):
    for number in (signal.SIGINT, signal.SIGTERM):
        time.sleep(1.1)  # sooner it would be the same stop
        signal.raise_signal(number)
    open("pressed", "w").close()
    return original(*arguments, **options)

original = OWNER.NAME
OWNER.NAME = after_two_more
"""


@pytest.mark.parametrize(
    ("module", "owner", "name", "sentence"),
    [
        ("jobs.buyer", "module.Buyer", "give_up", "stopped while waiting for the reply"),
        ("output.result", "module", "report", "stopped before it was told what came"),
    ],
    ids=["giving up", "telling"],
)
def test_one_who_presses_on_and_on_is_not_told_that_nothing_was_billed(
    program: Program,
    raw: RawServer,
    injected: Injected,
    module: str,
    owner: str,
    name: str,
    sentence: str,
) -> None:
    """A program slow to stop gets signal after signal, each of them meant; the request was sent."""
    raw.scripts = [Connection.hang]
    code = _PRESSED_AGAIN.replace("MODULE", f"nscale_cli.{module}")
    code = code.replace("OWNER", owner).replace("NAME", name)
    (program.cwd / "site").mkdir()
    (program.cwd / "site" / "sitecustomize.py").write_text(code)
    with start(program, raw, env=program.env | looking_first_in(program.cwd / "site")) as run:
        until(lambda: raw.posts == 1, run)
        run.send_signal(signal.SIGHUP)
        outcome = ended(run)

    assert outcome.exit_code in (130, 143)
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"error: {sentence}")
    assert line.endswith("The image may have been made, and billed.")
    injected((program.cwd / "pressed").exists(), f"signal after signal while {name} is called")


def test_an_ignored_hang_up_stays_ignored(
    program: Program, raw: RawServer, injected: Injected
) -> None:
    """`nohup nscale ...` goes on when its terminal has gone."""
    script = HalfReply()
    raw.scripts = [script]
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with start(program, raw, **ignored) as run:
        until(script.half_sent.is_set, run)
        run.send_signal(signal.SIGHUP)
        script.go_on.set()
        outcome = ended(run)

    assert outcome.exit_code == 0
    assert (program.cwd / "cat.png").read_bytes() == png()
    injected("finishing" not in outcome.stderr, "SIGHUP under nohup")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_stopped_program_goes_on_where_it_was(
    program: Program, raw: RawServer, injected: Injected
) -> None:
    """Ctrl-Z and fg: the reply came meanwhile."""
    script = HalfReply()
    raw.scripts = [script]
    with start(program, raw) as run:
        until(script.half_sent.is_set, run)
        run.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{run.pid}/stat")
        until(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
        script.go_on.set()
        until(lambda: raw.played == 1)
        run.send_signal(signal.SIGCONT)
        outcome = ended(run)

    assert outcome.exit_code == 0
    assert (program.cwd / "cat.png").read_bytes() == png()
    injected(raw.posts == 1, "SIGSTOP, then SIGCONT")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("begun", [True, False], ids=["in the middle", "before the reply"])
def test_time_in_which_the_program_was_asleep_does_not_count(
    program: Program, raw: RawServer, injected: Injected, begun: bool
) -> None:
    """Ctrl-Z, or a laptop's lid, past the limit: the reply waits in the socket, and is read."""
    script = HalfReply()
    came, go_on = threading.Event(), threading.Event()

    def whole(connection: Connection) -> None:
        came.set()
        go_on.wait(60)
        connection.send(response(good_reply()))

    raw.scripts = [script if begun else whole]
    ready, go = (script.half_sent, script.go_on) if begun else (came, go_on)
    with start(program, raw, "--timeout", "4") as run:
        until(ready.is_set, run)
        run.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{run.pid}/stat")
        until(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
        go.set()
        until(lambda: raw.played == 1)
        time.sleep(4.5)  # longer than the limit
        run.send_signal(signal.SIGCONT)
        outcome = ended(run)

    assert outcome.exit_code == 0, outcome.stderr
    assert (program.cwd / "cat.png").read_bytes() == png()
    injected(raw.posts == 1, "asleep for longer than the limit")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@each_signal
def test_a_reply_that_came_before_the_signal_is_read_before_giving_up(
    program: Program, raw: RawServer, injected: Injected, number: signal.Signals
) -> None:
    """It was stopped (Ctrl-Z): the whole reply waits in the socket, and not a byte is read yet."""
    asked, go_on = threading.Event(), threading.Event()
    untaken: list[int] = []

    def whole(connection: Connection) -> None:
        asked.set()
        go_on.wait(60)
        connection.send(response(good_reply()))
        until(lambda: not connection.untaken())
        untaken.append(0)

    raw.scripts = [whole]
    with start(program, raw) as run:
        until(asked.is_set, run)
        run.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{run.pid}/stat")
        until(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
        go_on.set()
        until(lambda: untaken)
        run.send_signal(number)
        run.send_signal(signal.SIGCONT)
        outcome = ended(run)

    require_saved(outcome, program.cwd, number)
    injected(raw.posts == 1, f"{number.name} when the reply waits in the socket")


def test_one_press_that_arrives_twice_does_not_give_the_image_up(
    program: Program, raw: RawServer, injected: Injected
) -> None:
    """The terminal sends it to the whole group, and a wrapper passes it on."""
    script = HalfReply()
    raw.scripts = [script]
    with start(program, raw) as run:
        until(script.half_sent.is_set, run)
        run.send_signal(signal.SIGINT)
        said = read_until(run, FINISHING)
        run.send_signal(signal.SIGINT)
        script.go_on.set()
        outcome = ended(run, said)

    require_saved(outcome, program.cwd, signal.SIGINT)
    injected(outcome.stderr.count("finishing") == 1, "one press that arrives twice")


HOMES = {
    "none": {"HOME": None, "TMPDIR": None},
    "a folder that is none": {"HOME": "{tmp}/file/home", "TMPDIR": "{tmp}/file"},
    "relative": {"HOME": "home", "XDG_STATE_HOME": "state", "TMPDIR": "."},
    "empty": {"HOME": "", "XDG_STATE_HOME": "", "TMPDIR": ""},
}


@pytest.mark.parametrize("variables", HOMES.values(), ids=HOMES)
def test_a_rescue_finds_a_place_without_a_home(
    cli: Cli, tmp_path: Path, injected: Injected, variables: dict[str, str | None]
) -> None:
    """Containers and services often have none."""
    (tmp_path / "file").touch()
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "nobody-reads")
    env = {name: (value or "").format(tmp=tmp_path) for name, value in variables.items()}

    outcome = cli("images", "generate", "cat", "--sandbox", "-o", "pipes/nobody-reads", env=env)

    assert outcome.exit_code == 20
    assert outcome.stdout == f"{tmp_path}/nobody-reads\n"
    injected("No such device or address" in outcome.stderr, f"no home: {variables}")

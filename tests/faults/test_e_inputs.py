"""Prompts and keys that never end or never come, and a current directory that is gone."""

import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nscale_cli.commands import _inputs
from tests.conftest import KEY, Cli, Program
from tests.faults.conftest import good_reply
from tests.faults.raw_server import RawServer, answers

Injected = Callable[[bool, str], None]
posix_only = pytest.mark.skipif(os.name == "nt", reason="the files are POSIX's")
WAYS = {"prompt": ["--prompt-file"], "key": ["cat", "--api-key-file"]}
pytestmark = posix_only


@pytest.fixture
def without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only shortly for what does not come."""
    monkeypatch.setattr(_inputs, "MAX_WAIT_SECONDS", 0.3)


@pytest.mark.parametrize(("what", "code"), [("prompt", 2), ("key", 4)])
def test_a_file_that_never_comes_is_not_waited_for(
    cli: Cli,
    raw: RawServer,
    injected: Injected,
    tmp_path: Path,
    without_patience: None,
    what: str,
    code: int,
) -> None:
    """A FIFO that nobody opens, and one whose writer says nothing."""
    os.mkfifo(tmp_path / "pipe")
    words = ["images", "generate", *WAYS[what], "pipe", "--base-url", raw.base_url]
    nobody = cli(*words)
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)
    silent = cli(*words)
    os.close(descriptor)

    for outcome in (nobody, silent):
        assert outcome.exit_code == code
        assert "pipe cannot be read: nothing more came through it" in outcome.stderr
    injected(raw.connections == 0, f"a FIFO as file of the {what}")


@pytest.mark.parametrize(("what", "code"), [("prompt", 2), ("key", 4)])
def test_a_device_without_end_is_read_to_a_limit(
    cli: Cli, raw: RawServer, injected: Injected, what: str, code: int
) -> None:
    """As /dev/zero is."""
    outcome = cli("images", "generate", *WAYS[what], "/dev/zero", "--base-url", raw.base_url)

    assert outcome.exit_code == code
    assert "/dev/zero is " in outcome.stderr
    injected(raw.connections == 0, f"a file of the {what} without end")


@pytest.mark.parametrize("what", WAYS)
def test_what_comes_through_a_pipe_is_read(
    program: Program, raw: RawServer, tmp_path: Path, what: str
) -> None:
    """As the shell's <(...) gives it, also when it takes its time."""
    raw.scripts = [answers(good_reply())]
    os.mkfifo(tmp_path / "pipe")
    words = ["images", "generate", *WAYS[what], "pipe", "--base-url", raw.base_url]
    words += ["-a", KEY] if what == "prompt" else []
    process = program.start(*words)
    with (tmp_path / "pipe").open("wb") as pipe:  # waits for the reader
        pipe.write(KEY.encode()[:4])
        pipe.flush()
        pipe.write(KEY.encode()[4:])
    process.communicate(timeout=120)

    assert process.returncode == 0
    sent = raw.requests[0]
    assert KEY.encode() in (sent.body if what == "prompt" else sent.head)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["images", "generate"], 2),
        (["images", "generate", "cat", "-a", "-"], 4),
        (["auth", "login", "--with-token"], 4),
    ],
)
def test_standard_input_without_end_is_read_to_a_limit(
    program: Program, raw: RawServer, injected: Injected, words: list[str], code: int
) -> None:
    """Neither memory nor time is filled by `yes | nscale ...`."""
    yes = subprocess.Popen(["yes", KEY], stdout=subprocess.PIPE)
    outcome = program.run(*words, "--base-url", raw.base_url, stdin=yes.stdout)
    endless = yes.poll() is None
    assert yes.stdout is not None
    yes.stdout.close()
    yes.wait()

    assert outcome.exit_code == code
    injected(endless and raw.connections == 0, f"{words[0]} {words[1]} with endless input")


def test_an_input_that_does_not_wait_is_read_whole(
    program: Program, raw: RawServer, injected: Injected
) -> None:
    """Some parents set their pipes so; nothing there is not the end."""
    raw.scripts = [answers(good_reply())]
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    process = program.start(
        "images", "generate", "--base-url", raw.base_url, "-a", KEY, stdin=reader
    )
    os.write(writer, b"first ")
    while process.poll() is None and select.select([reader], [], [], 0)[0]:
        pass  # until it has been read
    running = process.poll() is None
    os.write(writer, b"second")
    os.close(writer)
    os.close(reader)
    process.communicate(timeout=120)

    assert process.returncode == 0
    assert b"first second" in raw.requests[0].body
    injected(running, "standard input that does not wait for its writer")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["models", "list", "--sandbox"], 0),
        (["config", "show"], 0),
        (["doctor", "--sandbox"], 0),
        (["images", "generate", "cat", "--sandbox", "-z", "64x64", "-o", "{}/x.png"], 0),
        (["images", "generate", "cat", "--sandbox", "-z", "64x64", "-o", "-"], 0),
        (["images", "generate", "cat", "--sandbox"], 2),
        (["images", "generate", "cat", "--sandbox", "-o", "x.png"], 2),
        (["images", "show", "x.png"], 2),
        (["images", "resume", "x"], 2),
    ],
)
def test_a_current_directory_that_is_gone_is_no_traceback(
    program: Program, injected: Injected, tmp_path: Path, words: list[str], code: int
) -> None:
    """What needs none works; the rest says why not."""
    gone = tmp_path / "gone"
    gone.mkdir()
    start = (
        "import os, shutil, sys\n"
        f"shutil.rmtree({str(gone)!r})\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'nscale_cli', *sys.argv[1:]])\n"
    )
    words = [word.format(tmp_path) if word.startswith("{}") else word for word in words]
    result = subprocess.run(
        [sys.executable, "-c", start, *words],
        cwd=gone,
        env=program.env | {"NSCALE_CONFIG": "config.toml"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == code, result.stderr
    assert b"Traceback" not in result.stderr
    if code == 2:
        assert result.stderr.startswith(b"error: the current directory does not exist any more")
    injected(not gone.exists(), f"{' '.join(words[:2])} in a directory that is gone")

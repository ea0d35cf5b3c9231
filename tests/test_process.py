"""The program as a process of its own: many at once, signals, broken streams, pipes."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli import __version__
from nscale_cli.sandbox.scenarios import Answer
from tests.conftest import KEY, Program, ScriptedServer, require_command

pytestmark = pytest.mark.slow
posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and devices")


def test_the_module_and_the_command_are_the_same_program(program: Program) -> None:
    """`python -m nscale_cli` and `nscale` print the same version."""
    command = shutil.which("nscale", path=str(Path(sys.executable).parent))
    assert command is not None
    installed = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)

    for words in (["--version"], ["-V"], ["version"]):
        assert program.run(*words).stdout == installed.stdout == f"nscale {__version__}\n"


def test_twenty_runs_at_once_with_one_prompt_leave_twenty_files(program: Program) -> None:
    """No run takes a name from another, and no image is lost."""
    arguments = ("images", "generate", "A sunset", "--sandbox", "-z", "64x64", "-q")

    runs = [program.start(*arguments, env=program.bare_env) for _ in range(20)]
    results = [(run.communicate(timeout=300), run.returncode) for run in runs]

    assert [code for _, code in results] == [0] * 20
    paths = {stdout.decode().strip() for (stdout, _), _ in results}
    assert len(paths) == 20
    assert {path.name for path in program.cwd.iterdir() if path.suffix == ".png"} == (
        {"a-sunset.png"} | {f"a-sunset-{number}.png" for number in range(2, 21)}
    )
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
    assert not list(program.cwd.glob(".*"))


def test_an_image_travels_through_pipes(program: Program) -> None:
    """`nscale ... -o - | file -` says PNG."""
    file = require_command("file", shutil.which("file"))
    outcome = program.run("images", "generate", "cat", "--sandbox", "-o", "-")

    said = subprocess.run([file, "-"], input=outcome.stdout_bytes, capture_output=True, check=True)

    assert b"PNG image data, 512 x 512" in said.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_serves_until_stopped(program: Program, number: signal.Signals) -> None:
    """Its address is the answer; commands can use it; to be stopped is its normal end."""
    with program.start("sandbox", "--port", "0") as serving:
        assert serving.stdout is not None
        address = serving.stdout.readline().decode().strip()
        env = program.env | {"NSCALE_BASE_URL": address, "NSCALE_API_KEY": KEY}

        outcome = program.run("images", "generate", "A cat", "-z", "64x64", env=env)
        serving.send_signal(number)
        _, stderr = serving.communicate(timeout=60)

    assert outcome.exit_code == 0
    assert serving.returncode == (0 if os.name != "nt" else 1)
    assert "POST /v1/images/generations 200" in stderr.decode()
    assert "error" not in stderr.decode()
    assert stderr.decode().endswith("\nstopped\n")


def test_a_taken_port_is_one_clear_line(program: Program, server: ScriptedServer) -> None:
    """The next step is said."""
    port = server.base_url.split(":")[2].split("/")[0]

    outcome = program.run("sandbox", "--port", port)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: port {port} cannot be used: ")
    assert "hint: choose another with --port, 0 for any" in outcome.stderr


def start_and_wait_for_request(
    program: Program, server: ScriptedServer, *arguments: str
) -> "subprocess.Popen[bytes]":
    """Start a run against `server` and return when its request has arrived."""
    address = ("--base-url", server.base_url, "-a", KEY)
    run = program.start("images", "generate", "cat", *address, *arguments)
    while not server.requests:
        assert run.poll() is None, run.communicate()
        server.stopping.wait(0.01)
    return run


@posix_only
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_while_waiting_says_that_the_image_may_be_billed(
    program: Program, server: ScriptedServer, number: signal.Signals, code: int
) -> None:
    """The request is on its way, so the message cannot promise that it is free."""
    server.answers = [Answer(delay_seconds=None)]
    with start_and_wait_for_request(program, server) as run:
        run.send_signal(number)
        stdout, stderr = run.communicate(timeout=60)

    assert run.returncode == code
    assert stdout == b""
    assert stderr.decode() == (
        "error: stopped while waiting for the reply. The image may have been made, and billed.\n"
    )


@posix_only
def test_a_full_disk_behind_stdout_does_not_lose_the_image(program: Program) -> None:
    """The image is saved; the exit code says that its path could not be told."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    with full.open("wb") as stdout:
        outcome = program.run("images", "generate", "cat", "--sandbox", stdout=stdout)

    assert outcome.exit_code == 23
    assert "error: standard output could not be written: No space left on device" in outcome.stderr
    assert "saved cat.png" in outcome.stderr
    assert (program.cwd / "cat.png").stat().st_size > 0


@posix_only
def test_a_reader_that_has_gone_is_no_failure(program: Program) -> None:
    """`nscale ... | true` has made its image."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        outcome = program.run("images", "generate", "cat", "--sandbox", stdout=stdout)

    assert outcome.exit_code == 0
    assert (program.cwd / "cat.png").stat().st_size > 0


@posix_only
@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_stream_does_not_lose_the_image(program: Program, descriptor: int) -> None:
    """Some parents close what they do not need."""
    shell = f'exec "$@" {descriptor}>&-' if descriptor else 'exec "$@" <&-'
    command = ["sh", "-c", shell, "sh", *program.command]

    subprocess.run(
        [*command, "images", "generate", "cat", "--sandbox"],
        cwd=program.cwd,
        env=program.env,
        capture_output=True,
        timeout=120,
        check=True,
    )

    with Image.open(program.cwd / "cat.png") as picture:
        picture.load()


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_an_accented_prompt_survives_any_locale(
    program: Program, server: ScriptedServer, locale: str
) -> None:
    """The request holds the prompt as it was typed, in UTF-8."""
    server.answers = [Answer(status=400)]
    env = program.env | {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    address = ("--base-url", server.base_url, "-a", KEY)

    outcome = program.run("images", "generate", "Élan Ω 猫", *address, env=env)

    assert outcome.exit_code == 6
    assert '"prompt":"Élan Ω 猫"'.encode() in server.requests[0].body.replace(b": ", b":")


def test_variables_of_another_service_do_not_reach_the_wire(
    program: Program, server: ScriptedServer
) -> None:
    """OPENAI_* may hold another service's key, host and headers."""
    server.answers = [Answer(status=400)]
    env = program.env | {
        "NSCALE_API_KEY": KEY,
        "OPENAI_API_KEY": "sk-other-secret",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_ORG_ID": "org-other",
        "OPENAI_PROJECT_ID": "project-other",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer stolen\nX-Other: 1",
        "OPENAI_LOG": "debug",
    }

    outcome = program.run("images", "generate", "x", "--base-url", server.base_url, env=env)

    assert outcome.exit_code == 6
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert not {"openai-organization", "openai-project", "x-other"} & set(request.headers)
    assert "DEBUG" not in outcome.stderr

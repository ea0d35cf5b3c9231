"""Names and prompts: any text makes one harmless file name and arrives exactly as it was given."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import KEY, Cli, Program
from tests.faults.conftest import files_in, photo, require_no_key_bytes
from tests.faults.raw_server import RawServer

Injected = Callable[[bool, str], None]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes")
MAX_ARGUMENT_BYTES = 131_072  # on Linux, with the NUL at its end


def prompts_received(server: RawServer) -> list[str]:
    """Return the prompts of the requests, in order."""
    return [json.loads(request.body)["prompt"] for request in server.requests]


HOSTILE_PROMPTS = {
    "../../x": "x",
    "..": "image",
    "/etc/passwd": "etc-passwd",
    "~/x": "x",
    "C:\\Windows\\x": "c-windows-x",
    "x" * 300: "x" * 80,
    "🦊" * 100: "image",
    "é" * 100: "é" * 40,
    "con": "_con",
    "NUL.png": "_nul.png",
    ".hidden": "hidden",
    "-rf": "rf",
    "--force": "force",
    "a\x1b]0;title\x07b\x1b[2J": "a-0-title-b-2j",
    "\u202egnp.exe": "gnp.exe",
    "a\u200bb\ufeffc": "a-b-c",
    "[/]": "image",
    "[link=http://x]y[/link]": "link-http-x-y-link",
    "$(touch x) `touch y`; touch z": "touch-x-touch-y-touch-z",
    "two\nlines\r\nand\ttabs": "two-lines-and-tabs",
    "{slug}{hash}{0}%s%n": "slug-hash-0-s-n",
    "quotes \"double\" and 'single'": "quotes-double-and-single",
    "猫とピアノ": "猫とピアノ",
    "a\x00b": "a-b",
}


@pytest.mark.parametrize(("prompt", "stem"), HOSTILE_PROMPTS.items())
def test_a_hostile_prompt_is_one_harmless_file_and_one_exact_request(
    cli: Cli, served: RawServer, injected: Injected, tmp_path: Path, prompt: str, stem: str
) -> None:
    """Nothing is written outside of the folder, and nothing is run."""
    words = ("--base-url", served.base_url, "-a", KEY, "--", prompt)

    outcome = cli("images", "generate", *words)

    require_no_key_bytes(outcome)
    assert outcome.exit_code == 0, outcome.stderr
    assert files_in(tmp_path) == {f"{stem}.png": photo()}
    assert prompts_received(served) == [prompt]
    assert "\x1b" not in outcome.stderr
    injected(served.posts == 1, f"prompt {prompt[:20]!r}")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(min_size=1, max_size=120).filter(str.strip))
def test_any_prompt_is_one_file_in_the_folder(
    cli: Cli, served: RawServer, injected: Injected, tmp_path: Path, prompt: str
) -> None:
    """Whatever Unicode holds, and as often as it is asked for."""
    before, posts = set(files_in(tmp_path)), served.posts
    outcome = cli(
        "images", "generate", "--base-url", served.base_url, "-a", KEY, "-q", "--", prompt
    )

    assert outcome.exit_code == 0, outcome.stderr
    (new,) = set(files_in(tmp_path)) - before
    assert os.sep not in new
    assert outcome.stdout == f"{tmp_path / new}\n"
    assert prompts_received(served)[posts:] == [prompt]
    injected(served.posts == posts + 1, "a random prompt")


def test_a_prompt_that_looks_like_an_option_needs_two_dashes(
    cli: Cli, served: RawServer, injected: Injected
) -> None:
    """Without them it is a usage error, and free."""
    outcome = cli("images", "generate", "--base-url", served.base_url, "-a", KEY, "-rf")

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: no such option: -r")
    injected(served.connections == 0, "prompt -rf without --")


@pytest.mark.parametrize("prompt", ["", " ", "\n\t ", "\u3000", "\u00a0\u2003"])
@pytest.mark.parametrize("piped", [True, False])
def test_an_empty_prompt_costs_nothing(
    cli: Cli, served: RawServer, injected: Injected, prompt: str, piped: bool
) -> None:
    """An argument, or what comes through a pipe."""
    words = ("images", "generate", "--base-url", served.base_url, "-a", KEY)

    outcome = cli(*words, stdin=prompt.encode()) if piped else cli(*words, prompt)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: the prompt is empty\n")
    injected(served.connections == 0, f"prompt {prompt!r}")


@pytest.mark.parametrize("again", ["-", None])
def test_a_prompt_of_a_megabyte_goes_through_a_pipe(
    cli: Cli, served: RawServer, tmp_path: Path, again: str | None
) -> None:
    """The request holds all of it, and the file name its beginning."""
    prompt = "a red fox, " * 95_326
    words = ("images", "generate", "--base-url", served.base_url, "-a", KEY)

    outcome = cli(*words, *([again] if again else []), stdin=prompt.encode())

    require_no_key_bytes(outcome)
    assert outcome.exit_code == 0
    assert prompts_received(served) == [prompt]
    (name,) = files_in(tmp_path)
    assert name.startswith("a-red-fox-a-red-fox-") and len(name) <= 84


def test_a_prompt_of_five_megabytes_is_refused(
    cli: Cli, served: RawServer, injected: Injected
) -> None:
    """A wrong file in the pipe is not sent for money."""
    words = ("images", "generate", "--base-url", served.base_url, "-a", KEY)

    outcome = cli(*words, stdin=b"x" * 5_000_000)

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        "error: the prompt in standard input is larger than 4 MiB; nothing was sent\n"
    )
    injected(served.connections == 0, "a prompt of 5 MB")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_an_argument_longer_than_the_system_takes_never_reaches_the_program(
    program: Program, served: RawServer, injected: Injected
) -> None:
    """The shell says so; one byte less is an ordinary prompt."""
    prompt = "x" * (MAX_ARGUMENT_BYTES - 1)
    words = ("images", "generate", "--base-url", served.base_url, "-a", KEY)

    with pytest.raises(OSError, match=os.strerror(errno.E2BIG)):
        program.run(*words, prompt + "x")
    injected(served.connections == 0, "an argument of 131,072 bytes")

    assert program.run(*words, prompt).exit_code == 0
    assert prompts_received(served) == [prompt]


@posix_only
@pytest.mark.parametrize("where", ["argument", "pipe", "file", "model"])
def test_text_that_is_not_utf8_is_refused_before_paying(
    program: Program, served: RawServer, injected: Injected, tmp_path: Path, where: str
) -> None:
    """A word in Latin-1 cannot be sent as it is, and is not guessed at."""
    text = b"caf\xe9"
    (tmp_path / "prompt.txt").write_bytes(text)
    words: dict[str, list[str | bytes]] = {
        "argument": [text],
        "pipe": [],
        "file": ["--prompt-file", "prompt.txt"],
        "model": ["x", "-m", text],
    }
    command = [*program.command, "images", "generate", "--base-url", served.base_url, "-a", KEY]

    outcome = subprocess.run(
        [*command, *words[where]],
        cwd=tmp_path,
        env=program.env,
        input=text,
        capture_output=True,
        check=False,
    )

    said = outcome.stderr.decode()
    assert outcome.returncode == 2
    assert said.startswith("error: the prompt ") and "UTF-8" in said.splitlines()[0]
    assert outcome.stdout == b"" and "Traceback" not in said
    injected(served.connections == 0, f"no UTF-8 in the {where}")


@posix_only
def test_a_file_name_that_is_not_utf8_is_written_and_printed_as_it_is(
    program: Program, served: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """A path is bytes; a script gets back the very name it gave."""
    command = [*program.command, "images", "generate", "cat", "--base-url", served.base_url]

    outcome = subprocess.run(
        [*command, "-a", KEY, "-o", b"caf\xe9.png"],
        cwd=tmp_path,
        env=program.env,
        capture_output=True,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == os.fsencode(tmp_path) + b"/caf\xe9.png\n"
    assert Path(os.fsdecode(outcome.stdout.rstrip(b"\n"))).read_bytes() == photo()
    injected(b"\xe9" not in outcome.stderr, "a file name in Latin-1")


@pytest.mark.parametrize(
    "size",
    ["x", "0x0", "-1x1", "1x-1", "1x", "x1", "512", "", " ", "512x512x512", "1e3x1e3", "+1x1",
     "９x９", "٣x٣", "1_0x1_0", "1.5x2", "512×512", "512 x 512", "512x512\n", "0512x512",
     "9" * 30 + "x1", "\x1b[2Jx1"],
)  # fmt: skip
def test_a_size_that_is_none_costs_nothing(
    cli: Cli, served: RawServer, injected: Injected, size: str
) -> None:
    """It is refused in one line, and never guessed at."""
    words = ("images", "generate", "cat", "--base-url", served.base_url, "-a", KEY)

    outcome = cli(*words, f"--size={size}")

    assert outcome.exit_code == 2
    assert "is not a size" in outcome.stderr.splitlines()[0]
    injected(served.connections == 0, f"-z {size[:20]!r}")

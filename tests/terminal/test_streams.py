"""A real pseudo-terminal: what a person sees while an image is made, and after."""

import os
import signal
import sys
from pathlib import Path

import pytest

from nscale_cli.sandbox.scenarios import Answer
from tests.conftest import KEY, Program, ScriptedServer

pexpect = pytest.importorskip("pexpect", reason="pseudo-terminals are POSIX's")
pyte = pytest.importorskip("pyte")
pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX's"),
]

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
COLUMNS, LINES = 100, 40


class Session:
    """The program at a terminal, and the screen that a person would see."""

    def __init__(self, program: Program, *arguments: str, **env: str) -> None:
        """Start the program."""
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "nscale_cli", *arguments],
            cwd=str(program.cwd),
            env=program.env | {"TERM": "xterm-256color"} | env,
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
            timeout=60,
        )
        self.output = ""

    def expect(self, text: str) -> None:
        """Wait until `text` comes."""
        self.process.expect_exact(text)
        self.output += self.process.before + self.process.after

    def finish(self) -> int:
        """Wait for the end and return the exit code."""
        self.process.expect(pexpect.EOF)
        self.output += self.process.before
        self.process.close()
        return self.process.exitstatus

    def screen(self) -> list[str]:
        """Return the lines that are on the screen now."""
        screen = pyte.Screen(COLUMNS, LINES)
        pyte.Stream(screen).feed(self.output)
        return [line.rstrip() for line in screen.display if line.strip()]


def test_a_spinner_shows_the_time_and_leaves_nothing_behind(
    program: Program, server: ScriptedServer
) -> None:
    """While waiting: what is done and for how long. After: one line an image, and its path."""
    server.answers = [Answer(delay_seconds=None)]
    address = ("--base-url", server.base_url, "-a", KEY)
    session = Session(program, "images", "generate", "A cat", *address, "--timeout", "3")

    session.expect("Generating with black-forest-labs/FLUX.1-schnell")
    session.expect("0:00:01")

    assert session.finish() == 10
    assert session.screen() == [
        "error: no answer within 3 s. The image may have been made, and billed.",
        "hint: look at your usage page before running it again; or raise --timeout",
    ]


def test_a_finished_image_is_one_line_and_its_path(program: Program) -> None:
    """The name, the true size, the format, the bytes and the seconds."""
    session = Session(program, "images", "generate", "A cat", "--sandbox")

    assert session.finish() == 0
    line, path = session.screen()
    assert line.startswith("saved a-cat.png  512x512  PNG  ")
    assert path == f"{program.cwd}/a-cat.png"


def test_retries_are_announced_above_the_spinner(program: Program, server: ScriptedServer) -> None:
    """The announcement stays; the spinner goes."""
    server.answers = [Answer(status=429, headers={"Retry-After": "1"}), Answer(status=400)]
    address = ("--base-url", server.base_url, "-a", KEY)
    session = Session(program, "images", "generate", "A cat", *address)

    assert session.finish() == 6
    assert session.screen()[0] == (
        "too many requests (429); it asks to wait 1 s; trying again in 1 s (1 of 2)"
    )
    assert len(server.requests) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_cursor_comes_back_after_a_signal(
    program: Program, server: ScriptedServer, number: signal.Signals
) -> None:
    """The spinner hides it; nothing may leave it hidden."""
    server.answers = [Answer(delay_seconds=None)]
    address = ("--base-url", server.base_url, "-a", KEY)
    session = Session(program, "images", "generate", "A cat", *address)
    session.expect(HIDE_CURSOR)
    while not server.requests:
        server.stopping.wait(0.01)

    session.process.kill(number)

    assert session.finish() == 128 + number
    assert session.output.rindex(SHOW_CURSOR) > session.output.rindex(HIDE_CURSOR)


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_no_colour_where_none_is_wanted(program: Program, variables: dict[str, str]) -> None:
    """A dumb terminal gets no escape at all."""
    session = Session(program, "images", "generate", "x", "--sandbox", "-z", "1", **variables)

    assert session.finish() == 2
    assert "\x1b" not in session.output


def test_errors_are_coloured_at_a_terminal(program: Program) -> None:
    """The eye finds the word."""
    session = Session(program, "images", "generate", "x", "--sandbox", "-z", "1")

    assert session.finish() == 2
    assert "\x1b[31merror:\x1b[0m '1' is not a size" in session.output


@pytest.mark.parametrize(("colorterm", "escape"), [("truecolor", "\x1b[38;2;"), ("", "\x1b[38;5;")])
def test_a_preview_uses_the_colours_that_the_terminal_has(
    program: Program, colorterm: str, escape: str
) -> None:
    """It fits the terminal, and the saved line and the path are still on the screen."""
    session = Session(
        program, "images", "generate", "A cat", "--sandbox", "-p", COLORTERM=colorterm
    )

    assert session.finish() == 0
    assert escape in session.output
    screen = session.screen()
    assert screen[0].startswith("saved a-cat.png")
    assert screen[1] == f"{program.cwd}/a-cat.png"
    assert len(screen) == 2 + 36
    assert max(map(len, screen[2:])) == 72


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 200)])
def test_an_odd_terminal_does_not_break_the_run(program: Program, size: tuple[int, int]) -> None:
    """Some terminals say that they have no size."""
    session = Session(program, "images", "generate", "A cat", "--sandbox", "-p")
    session.process.setwinsize(*size)

    assert session.finish() == 0


def test_a_prompt_is_not_waited_for_at_a_terminal(program: Program) -> None:
    """Without a prompt there is a usage error, not a program that seems to hang."""
    session = Session(program, "images", "generate", "--sandbox")

    assert session.finish() == 2
    assert session.screen()[0] == "error: there is no prompt"


def test_raw_bytes_never_reach_a_terminal(program: Program, tmp_path: Path) -> None:
    """-o - at a terminal is refused before anything is made."""
    session = Session(program, "images", "generate", "cat", "--sandbox", "-o", "-")

    assert session.finish() == 2
    assert "PNG" not in session.output


def test_an_answer_stands_above_the_line_that_moves(program: Program) -> None:
    """A path is not written behind what is counted."""
    (program.cwd / "prompts.txt").write_text("a fox\na hen\na cat\n")
    words = ("images", "batch", "prompts.txt", "-o", "out", "-j", "1", "--sandbox")
    session = Session(program, *words)

    assert session.finish() == 0
    names = [
        f"000{number}-a-{animal}.png" for number, animal in enumerate(("fox", "hen", "cat"), 1)
    ]
    shown = "".join(session.screen())  # a long path takes two lines of the screen
    assert [f"{program.cwd}/out/{name}" in shown for name in names] == [True] * 3
    assert "under way" not in shown
    before = session.output.split(f"{program.cwd}/out/{names[1]}")[0]
    assert before.endswith("\r\x1b[2K")

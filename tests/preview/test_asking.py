"""The question to the terminal: when it is asked, what is made of the answers, what remains."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from nscale_cli.preview.query import QUESTION
from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import ReceivedRequest, Sandbox
from tests.conftest import KEY, Program

if os.name == "nt":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

import termios

from tests.preview.fake_terminal import (
    CELL,
    DA1,
    DA1_SIXEL,
    KITTY_OK,
    NAME,
    STOPPED,
    FakeTerminal,
    Script,
    at_once,
)

pytestmark = pytest.mark.terminal

Open = Callable[..., FakeTerminal]
SHOW = ("images", "show", "fox.png", "--preview-style", "auto", "--debug")
SILENT = Script()
START = {"kitty": b"\x1b_Ga=T", "iterm2": b"\x1b]1337;File=", "sixel": b"\x1bP0;1q", "blocks": b""}


def require_style(screen: FakeTerminal, style: str) -> None:
    """Assert that --debug names the style, and that its escapes and no other's were written."""
    assert f"preview style {style} ".encode() in screen.written
    for other, start in START.items():
        assert not start or (start in screen.written) is (other == style)


@pytest.mark.usefixtures("fox")
@pytest.mark.parametrize(
    ("answers", "env", "style"),
    [
        pytest.param(DA1, {}, "blocks", id="a plain terminal"),
        pytest.param(CELL + DA1, {}, "blocks", id="one that knows its cells"),
        pytest.param(DA1_SIXEL, {}, "sixel", id="foot, mlterm, xterm"),
        pytest.param(NAME + CELL + DA1_SIXEL, {}, "sixel", id="with all answers"),
        pytest.param(NAME + KITTY_OK + CELL + DA1, {}, "kitty", id="kitty over SSH"),
        pytest.param(KITTY_OK + DA1_SIXEL, {"KONSOLE_VERSION": "221203"}, "kitty", id="Konsole"),
        pytest.param(
            b"\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\" + DA1, {}, "blocks", id="kitty says it cannot"
        ),
        pytest.param(DA1_SIXEL, {"TERM_PROGRAM": "vscode"}, "iterm2", id="VS Code with images"),
        pytest.param(DA1, {"TERM_PROGRAM": "vscode"}, "blocks", id="VS Code without"),
        pytest.param(DA1_SIXEL, {"WT_SESSION": "1"}, "sixel", id="Windows Terminal 1.22"),
        pytest.param(DA1_SIXEL, {"TMUX": "/t,1,0"}, "sixel", id="tmux with sixel"),
        pytest.param(KITTY_OK + DA1, {"TMUX": "/t,1,0"}, "blocks", id="kitty through tmux"),
    ],
)
def test_the_answer_decides_and_nothing_of_it_is_left(
    program: Program, terminal: Open, answers: bytes, env: dict[str, str], style: str
) -> None:
    """The terminal is asked exactly once; its modes are put back; the prompt stays clean."""
    screen = terminal(at_once(answers))

    assert screen.run(program, *SHOW, **env) == 0

    assert screen.questions == 1
    require_style(screen, style)
    assert screen.modes == screen.modes_before
    assert screen.left_behind() == b""
    assert b"^[" not in screen.written  # no answer was echoed


@pytest.mark.usefixtures("fox")
@pytest.mark.parametrize(
    ("env", "style"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM_PROGRAM": "Apple_Terminal"}, "blocks"),
        ({"TERM": "linux"}, "blocks"),
        ({"TERM": "screen", "STY": "1.a", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"ZELLIJ": "0", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"NO_COLOR": "1"}, "ascii"),
        ({"TERM": "dumb"}, "ascii"),
    ],
)
def test_a_terminal_that_is_known_is_not_asked(
    program: Program, terminal: Open, env: dict[str, str], style: str
) -> None:
    """Its variables tell; some would print the question."""
    screen = terminal(SILENT)

    assert screen.run(program, *SHOW, **env) == 0

    assert screen.questions == 0
    require_style(screen, style)
    assert screen.modes == screen.modes_before


@pytest.mark.usefixtures("fox")
@pytest.mark.parametrize("style", ["ascii", "blocks", "kitty", "iterm2", "sixel"])
def test_only_auto_asks(program: Program, terminal: Open, style: str) -> None:
    """Who names a style gets it, also where the terminal is not known for it."""
    screen = terminal(SILENT)

    assert screen.run(program, "images", "show", "fox.png", "--debug", NSCALE_PREVIEW=style) == 0

    assert screen.questions == 0
    require_style(screen, style)


@pytest.mark.usefixtures("fox")
def test_a_file_behind_stderr_is_not_asked_about(program: Program, terminal: Open) -> None:
    """The picture goes to the file, so what the terminal could draw does not matter."""
    screen = terminal(SILENT)
    log = program.cwd / "log"
    with log.open("wb") as stderr:
        code = screen.run(
            program, *SHOW, stderr=stderr.fileno(), FORCE_COLOR="1", KITTY_WINDOW_ID="1"
        )

    assert code == 0
    assert screen.written == b""
    assert b"preview style blocks" in log.read_bytes()
    assert b"\x1b_G" not in log.read_bytes()


@pytest.mark.usefixtures("fox")
def test_a_silent_terminal_gets_blocks_and_its_echo_back(program: Program, terminal: Open) -> None:
    """Nobody has to answer."""
    screen = terminal(SILENT)

    assert screen.run(program, *SHOW, patient=False) == 0

    assert screen.questions == 1
    require_style(screen, "blocks")
    assert screen.modes == screen.modes_before


@pytest.mark.usefixtures("fox")
@pytest.mark.parametrize("keys", [b"ls -l\n", b"ls -l", b"ls\npwd\nec"])
def test_what_was_typed_ahead_is_left_for_the_next_program(
    program: Program, terminal: Open, keys: bytes
) -> None:
    """Where keys wait the terminal is not asked, since its answers would mix with them."""
    screen = terminal(Script(typed_before=keys))

    assert screen.run(program, *SHOW) == 0

    assert screen.questions == 0
    assert screen.modes == screen.modes_before
    assert screen.left_behind() == keys


@pytest.mark.usefixtures("fox")
def test_keys_pressed_while_the_terminal_answers_do_not_hide_the_answers(
    program: Program, terminal: Open
) -> None:
    """Among the answers too: those keys are lost, and nothing of an answer stays."""
    screen = terminal(Script(answers=[(0.0, b"l" + NAME + b"s"), (0.02, b"\x1b[A" + DA1_SIXEL)]))

    assert screen.run(program, *SHOW) == 0

    require_style(screen, "sixel")
    assert screen.modes == screen.modes_before
    assert screen.left_behind() == b""


@pytest.mark.usefixtures("fox")
@pytest.mark.parametrize("size", [1, 7])
def test_answers_may_come_in_pieces(program: Program, terminal: Open, size: int) -> None:
    """A slow link cuts them anywhere."""
    whole = NAME + KITTY_OK + CELL + DA1
    pieces = [(0.005, whole[at : at + size]) for at in range(0, len(whole), size)]
    screen = terminal(Script(answers=pieces))

    assert screen.run(program, *SHOW) == 0

    require_style(screen, "kitty")
    assert b"terminal Fake(1.0)" in screen.written
    assert screen.left_behind() == b""


@pytest.mark.usefixtures("fox")
def test_a_process_in_the_background_neither_asks_nor_stops(
    program: Program, terminal: Open
) -> None:
    """Reading or changing the terminal would stop it."""
    screen = terminal(SILENT)

    assert screen.run(program, *SHOW, job="background") == 0 != STOPPED

    assert screen.questions == 0
    require_style(screen, "blocks")


@pytest.mark.usefixtures("fox")
def test_a_process_that_goes_to_the_background_while_asking_is_not_stopped(
    program: Program, terminal: Open
) -> None:
    """The answers belong to the shell by then; reading them would stop the program."""

    def move(screen: FakeTerminal) -> None:
        assert os.tcgetpgrp(screen.master) != screen.process.pid
        screen.process.send_signal(signal.SIGUSR1)
        while os.tcgetpgrp(screen.master) != screen.process.pid:
            time.sleep(0.01)
        termios.tcsetattr(screen.slave, termios.TCSANOW, shells)
        screen.send(DA1_SIXEL)

    screen = terminal(Script(then=move))
    shells = termios.tcgetattr(screen.slave)
    shells[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)

    assert screen.run(program, *SHOW, job="moved") == 0 != STOPPED

    assert screen.questions == 1
    assert screen.modes[:4] == shells[:4]  # the shell's own, which are not ours to change
    require_style(screen, "blocks")


class Waiting(Sandbox):
    """A service that answers only when the test says so."""

    def __init__(self) -> None:
        """Start closed."""
        super().__init__()
        self.go = threading.Event()

    def answer(self, request: ReceivedRequest) -> Answer:
        """Wait, and fail where nobody said so."""
        return super().answer(request) if self.go.wait(60) else Answer(status=400)


def generate(server: Sandbox, *arguments: str) -> tuple[str, ...]:
    """Return the command line of a run against `server`, with the preview's debug line."""
    address = ("--base-url", server.base_url, "-a", KEY, "-z", "64x64")
    return ("images", "generate", "cat", "-p", *SHOW[-3:], *address, *arguments)


def test_the_terminal_is_asked_while_the_request_is_under_way(
    program: Program, terminal: Open
) -> None:
    """The service waits for the terminal's answer, so asking later would never end."""
    with Waiting() as server:
        script = at_once(KITTY_OK, CELL, DA1)
        script.then = lambda _: server.go.set()
        screen = terminal(script)

        assert screen.run(program, *generate(server)) == 0

    posts = [request for request in server.requests if request.method == "POST"]
    assert (screen.questions, len(posts)) == (1, 1)
    require_style(screen, "kitty")
    assert screen.modes == screen.modes_before
    assert screen.left_behind() == b""


def test_a_late_answer_is_not_echoed_and_not_left_behind(program: Program, terminal: Open) -> None:
    """A second is too long to wait for, but the run lasts longer; the spinner is not disturbed."""
    with Waiting() as server:

        def go(screen: FakeTerminal) -> None:
            while screen.modes != screen.modes_before:  # until the answer has been read
                time.sleep(0.01)
            server.go.set()

        screen = terminal(Script(answers=[(1.0, NAME + CELL + DA1)], then=go))

        assert screen.run(program, *generate(server, "-o", "cat.png"), patient=False) == 0

    assert screen.left_behind() == b""
    assert b"^[" not in screen.written
    drawn = screen.screen()
    assert drawn[-1] and not any("62;22c" in line for line in drawn)
    assert any(line.startswith("saved cat.png") for line in drawn)


def test_a_prompt_may_come_through_a_pipe(program: Program, terminal: Open) -> None:
    """The terminal is asked at /dev/tty, whatever standard input is."""
    screen = terminal(at_once(DA1_SIXEL))

    code = screen.run(
        program, "images", "generate", "--sandbox", "-p", *SHOW[-3:], stdin=b"a cat", TERM="xterm"
    )

    assert code == 0
    assert screen.questions == 1
    require_style(screen, "sixel")
    assert (program.cwd / "a-cat.png").exists()


@pytest.mark.parametrize("answers", [b"", DA1])
def test_a_run_that_fails_puts_the_terminal_back(
    program: Program, terminal: Open, answers: bytes
) -> None:
    """Nothing is drawn then, so nobody asks for the answer."""
    screen = terminal(at_once(answers) if answers else SILENT)

    code = screen.run(
        program, "images", "generate", "cat", "--sandbox", "-p", *SHOW[-3:],
        "-m", "sandbox/refused", patient=False,
    )  # fmt: skip

    assert code == 6
    assert screen.questions == 1
    assert screen.modes == screen.modes_before
    assert screen.left_behind() == b""


@pytest.mark.parametrize(
    ("how", "code"),
    [("Ctrl-C", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_an_interrupted_question_puts_the_terminal_back(
    program: Program, terminal: Open, how: str | signal.Signals, code: int
) -> None:
    """Ctrl-C while the terminal is silent and without echo."""
    with Waiting() as server:

        def interrupt(screen: FakeTerminal) -> None:
            assert screen.modes != screen.modes_before
            if how == "Ctrl-C":
                screen.send(b"\x03")
            else:
                screen.process.send_signal(how)

        screen = terminal(Script(then=interrupt))

        assert screen.run(program, *generate(server), patient=False) == code
        server.go.set()

    assert screen.modes == screen.modes_before
    assert b"Traceback" not in screen.written
    assert screen.written.count(QUESTION) == 1

"""Images before a person's eyes: what is asked for is what is drawn, and when it is stopped."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nscale_cli.preview import show as showing
from nscale_cli.preview.canvas import Canvas
from nscale_cli.preview.draw import Drawing, NamedImage
from nscale_cli.preview.show import Preview, PreviewOptions
from nscale_cli.preview.styles import TerminalCapabilities
from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.terminal.signals import Interrupted
from nscale_cli.terminal.streams import Terminal, TerminalSize
from tests.conftest import KEY, Cli, Program, ScriptedServer, Stream
from tests.preview.conftest import picture


class Asked:
    """A question that has its answers; it counts who began one."""

    def __init__(self, answers: TerminalCapabilities) -> None:
        """Take what the terminal will say."""
        self.begun = 0
        self._answers = answers

    def begin(self) -> "Asked":
        """Begin the question."""
        self.begun += 1
        return self

    def answers(self) -> TerminalCapabilities:
        """Return what the terminal says."""
        return self._answers


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A terminal that draws sixels, in cells of 8 x 17 pixels."""
    question = Asked(TerminalCapabilities(name="xterm(379)", sixel=True, cell_pixels=(8, 17)))
    monkeypatch.setattr(showing, "begin", question.begin)
    return question


@pytest.fixture
def canvases(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Canvas, str]]:
    """The canvases and styles that were drawn on."""
    drawn = []

    def draw(images: Sequence[NamedImage], canvas: Canvas, style: str) -> Iterator[Drawing]:
        drawn.append((canvas, style))
        yield Drawing(text="", failures=())

    monkeypatch.setattr(showing, "draw", draw)
    return drawn


def terminal(*, tty: bool = True, **env: str) -> Terminal:
    """Return a terminal with the variables."""
    return Terminal(stdin=None, stdout=None, stderr=Stream(tty=tty), env=env)


def show(preview_options: PreviewOptions, on: Terminal, size: TerminalSize | None = None) -> None:
    """Show nothing, on a terminal of a size."""
    preview = Preview(preview_options, on)
    if size is not None:
        on.size = lambda: size  # type: ignore[method-assign]
    assert preview.show([])


def test_the_terminal_is_asked_early_and_once(
    asked: Asked, canvases: list[tuple[Canvas, str]]
) -> None:
    """When the preview is made, not when it draws; what it says of its cells counts."""
    preview = Preview(PreviewOptions(style="auto"), terminal(TERM="xterm"))
    assert asked.begun == 1

    assert preview.show([])
    assert preview.show([])

    assert asked.begun == 1
    assert [(canvas.cell_pixels, style) for canvas, style in canvases] == [((8, 17), "sixel")] * 2


@pytest.mark.parametrize(
    ("style", "tty", "env"),
    [
        ("ascii", True, {}),
        ("sixel", True, {}),
        ("auto", False, {}),
        ("auto", False, {"FORCE_COLOR": "1"}),
        ("auto", True, {"NO_COLOR": "1"}),
        ("auto", True, {"TERM": "dumb"}),
        ("auto", True, {"TERM": "dumb", "FORCE_COLOR": "1"}),
        ("auto", True, {"TERM": "xterm-kitty"}),
    ],
)
def test_the_terminal_is_not_asked_without_need(
    asked: Asked, canvases: list[tuple[Canvas, str]], style: str, tty: bool, env: dict[str, str]
) -> None:
    """Only where auto depends on it, and where a person is."""
    show(PreviewOptions(style=style), terminal(tty=tty, **env))

    assert asked.begun == 0


def test_the_systems_word_on_cells_comes_before_the_terminals(
    asked: Asked, canvases: list[tuple[Canvas, str]]
) -> None:
    """It is there without asking."""
    size = TerminalSize(columns=100, lines=40, cell_pixels=(10, 20))

    show(PreviewOptions(style="auto"), terminal(TERM="xterm"), size)

    assert canvases[0][0].cell_pixels == (10, 20)


@pytest.mark.parametrize(
    ("width", "size", "columns", "lines"),
    [
        (None, (200, 50), 80, 46),
        (None, (60, 24), 60, 20),
        (120, (200, 50), 120, 46),
        (10_000, (200, 50), 200, 46),
        (1, (200, 50), 1, 46),
        (None, (3, 3), 3, 1),
        (None, (1, 1), 1, 1),
    ],
)
def test_the_preview_fits_into_the_terminal(
    canvases: list[tuple[Canvas, str]],
    width: int | None,
    size: tuple[int, int],
    columns: int,
    lines: int,
) -> None:
    """80 columns unless asked for more, and four lines for what stands around it."""
    show(
        PreviewOptions(style="ascii", width=width),
        terminal(),
        TerminalSize(columns=size[0], lines=size[1]),
    )

    ((canvas, _),) = canvases
    assert (canvas.columns, canvas.lines) == (columns, lines)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_signal_while_showing_says_that_the_image_is_safe(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """It was paid for and is saved: the message must not say that nothing was billed."""

    def stop(*_: object) -> Iterator[Drawing]:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(showing, "draw", stop)
    arguments = ["--json"] if as_json else []

    outcome = cli("images", "generate", "cat", "--sandbox", "-z", "64x64", "-p", *arguments)

    assert outcome.exit_code == 130
    stopped = f"error: stopped; saved {tmp_path}/cat.png. The request was billed.\n"
    assert outcome.stderr.endswith(stopped)
    assert (tmp_path / "cat.png").exists()
    if as_json:
        assert json.loads(outcome.stdout)["status"] == "ok"
    else:
        assert outcome.stdout == f"{tmp_path}/cat.png\n"


def test_a_signal_while_showing_files_is_a_stop_like_any_other(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent."""
    picture().save(tmp_path / "fox.png")

    def stop(*_: object) -> Iterator[Drawing]:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(showing, "draw", stop)

    assert cli("images", "show", "fox.png").exit_code == 130


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
def test_several_images_of_a_run_are_shown_together(cli: Cli) -> None:
    """Side by side, with the names they were saved under."""
    outcome = cli("images", "generate", "cat", "--sandbox", "-z", "64x64", "-n", "3", "-p")

    assert outcome.exit_code == 0
    lines = outcome.stderr.splitlines()
    assert lines[-1] == "cat-3.png"
    assert "cat.png" + " " * 34 + "cat-2.png" in lines


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process has loaded")
@pytest.mark.parametrize("options", [("-p",), ()])
def test_what_draws_is_loaded_while_the_service_works(
    program: Program, server: ScriptedServer, options: tuple[str, ...]
) -> None:
    """The answer never comes here, and the library is there all the same; without -p it is not."""
    server.answers = [Answer(delay_seconds=None)]
    words = ("images", "generate", "cat", "--base-url", server.base_url, "-a", KEY, *options)

    with program.start(*words) as run:
        maps = Path(f"/proc/{run.pid}/maps")
        while not server.queries:  # asked for once the request is on its way
            server.stopping.wait(0.01)
        if options:
            while "PIL/_imaging" not in maps.read_text():
                assert run.poll() is None
                server.stopping.wait(0.01)
        else:
            server.stopping.wait(1)
            assert "PIL/_imaging" not in maps.read_text()
        run.terminate()
        run.communicate()
    assert run.returncode == 143

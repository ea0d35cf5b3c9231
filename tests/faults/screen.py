"""A terminal in memory: what hostile text does to a person's screen, told by pyte."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyte

from nscale_cli.main import run
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock
from tests.conftest import KEY, Stream

COLUMNS, LINES = 900, 12

# What a terminal could act on, and what rich or Typer could: marks, markup, codes.
PAYLOADS = {
    "nothing": "plain",
    "bell and backspace": "a\x07b\x08c",
    "carriage return": "safe\roverwritten",
    "line feeds": "one\ntwo\r\n\nthree",
    "tab and form feeds": "a\tb\x0bc\x0cd",
    "null": "a\x00b",
    "escape alone": "a\x1bb",
    "delete": "a\x7fb",
    "shift out": "a\x0eb\x0fc",
    "colour": "\x1b[31;5mred",
    "clear the screen": "\x1b[2J\x1b[H",
    "move the cursor": "\x1b[10;10Hx\x1b[5A",
    "reset": "\x1bc",
    "title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;http://example.invalid\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "open string": "\x1b]2;never ended",
    "C1 control": "\x9b2J\x9d0;owned\x9c\x90q\x85\x84",
    "bidi override": "\u202etxt.exe\u202c",
    "bidi isolate": "\u2066a\u2069\u200f",
    "zero width": "a\u200bb\u2060c\ufeffd\u00ade",
    "tags": "\U000e0041\U000e0042",
    "surrogate": "a\udcffb",
    "line separators": "a\u2028b\u2029c\x1cd\x1de",
    "long word": "x" * 5000,
    "rich markup": "[/] [/nope] [bold]b[/bold] [link=http://example.invalid]l[/link] \\[x]",
    "rich codes": ":smile: {task.description} %s {} {0} 'q' 127.0.0.1 True",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The state of a terminal after a run."""

    exit_code: int
    stdout: bytes
    stderr: str
    text: str
    rows: int
    title: str
    cursor_hidden: bool
    mode: frozenset[int]

    def state(self, more_rows: int = 0) -> tuple[object, ...]:
        """Return what a text must not be able to change, but for `more_rows` of its own."""
        return self.exit_code, self.rows - more_rows, self.title, self.cursor_hidden, self.mode


Sleep = Callable[[float], None]


def at_terminal(
    folder: Path, *arguments: str, tty: bool = True, sleep: Sleep = lambda seconds: None, **env: str
) -> Seen:
    """Run the program in this process before a person's eyes (or off them) and look."""
    stdin, stdout, stderr = Stream(tty=True), Stream(tty=tty), Stream(tty=tty)
    variables = {"HOME": str(folder / "home"), "TERM": "xterm-256color", **env}
    terminal = Terminal(stdin=stdin, stdout=stdout, stderr=stderr, env=variables)
    environment = Environment(
        terminal=terminal, clock=Clock(wait=lambda stop, seconds: bool(sleep(seconds))), cwd=folder
    )
    code = run(list(arguments), environment)
    told = stderr.content.decode()
    screen = pyte.Screen(COLUMNS, LINES)
    seen = told + stdout.content.decode() if tty else told
    pyte.Stream(screen).feed(seen.replace("\n", "\r\n"))
    assert "Traceback" not in told
    assert KEY not in told
    return Seen(
        exit_code=code,
        stdout=stdout.content,
        stderr=told,
        text="\n".join(line.rstrip() for line in screen.display),
        rows=screen.cursor.y,
        title=screen.title + screen.icon_name,
        cursor_hidden=screen.cursor.hidden,
        mode=frozenset(screen.mode),
    )


def require_no_controls(text: str) -> None:
    """Assert that a pipe gets nothing that a terminal could act on, were it shown there later."""
    acting = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert acting <= {"\n"}, acting

"""A fresh account of this machine, and a person who pastes blocks into its login shell."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import KEY, require_command
from tests.documentation.blocks import ROOT
from tests.documentation.shell import QUESTION

pexpect = pytest.importorskip("pexpect", reason="there is no pexpect on Windows")

SECONDS = 300  # a limit for a program that hangs, not a measure of speed
# Shells say when they take a line, and when they have taken it, as they take what is pasted whole.
READY, TAKEN = "\x1b\\[\\?2004h", "\x1b\\[\\?2004l"
STATUS = {"fish": "$status"}
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".coverage*"
)
# How zsh and fish mark that what ran ended without a new line; their prompts follow.
_PROMPT = re.compile(r"\x1b\[1m\x1b\[7m%|\x1b\[2m\u23ce")
_ESCAPES = re.compile(
    r"\x1b\][^\x07]*\x07|\x1b_.*?\x1b\\|\x1b\[[0-9;<=>?$]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]"
)
_TURNING = re.compile(r"(?m)^[\u2800-\u28ff] .*\n")  # states of the line that changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One block, what was shown after it, and the exit code of its last command."""

    block: str
    shown: str
    code: int


@dataclass(slots=True, kw_only=True)
class Newcomer:
    """An account whose login shell is `shell`; `steps` is the transcript."""

    name: str
    shell: str
    home: Path
    variables: Mapping[str, str]
    steps: list[Step] = field(default_factory=list)

    @property
    def transcript(self) -> str:
        """All that was pasted and shown."""
        return "\n".join(
            f"$ {step.block.rstrip()}\n{step.shown}[{step.code}]\n" for step in self.steps
        )

    @contextmanager
    def logged_in(self) -> "Iterator[pexpect.spawn[str]]":
        """Yield a terminal at which a login shell of the account waits for a line."""
        terminal = pexpect.spawn(
            require_command("su", shutil.which("su")),
            ["--login", self.name, "--whitelist-environment", ",".join(self.variables)],
            env={**self.variables, "PATH": os.environ["PATH"], "TERM": "xterm-256color"},
            dimensions=(40, 120),
            encoding="utf-8",
            codec_errors="replace",
            timeout=SECONDS,
        )
        if terminal.expect([READY, "for new users.*---.*"]) == 1:  # zsh asks how it is to be set up
            terminal.send("q")
            terminal.expect(READY)
        try:
            yield terminal
        finally:
            terminal.close(force=True)

    def paste(self, terminal: "pexpect.spawn[str]", block: str) -> Step:
        """Paste `block`, press Enter, type the key if it is asked for; note what was shown."""
        shown = self._run(terminal, block)
        code = self._run(terminal, f"echo {STATUS.get(self.shell, '$?')}")
        step = Step(block=block, shown=shown, code=int(code))
        self.steps.append(step)
        return step

    def _run(self, terminal: "pexpect.spawn[str]", text: str) -> str:
        terminal.send(f"\x1b[200~{text.rstrip()}\x1b[201~\r")
        terminal.expect(TAKEN)
        shown = ""
        while terminal.expect([READY, QUESTION]) == 1:
            shown += terminal.before + terminal.after
            terminal.sendline(KEY)
        return plain(shown + terminal.before)


def plain(shown: str) -> str:
    """Return the lines that a terminal keeps, without a shell's prompt, colours and escapes."""
    text = _ESCAPES.sub("", _PROMPT.split(shown)[0])
    return _TURNING.sub("", re.sub(r"\r+\n?", "\n", text)).lstrip("\n")


@contextmanager
def newcomers(
    shells: Mapping[str, Mapping[str, str]], variables: Mapping[str, str]
) -> Iterator[list[Newcomer]]:
    """Make an account for each of `shells`, with its variables; take them away at the end."""
    made: list[Newcomer] = []
    try:
        for shell, own in shells.items():
            path = require_command(shell, shutil.which(shell))
            name = f"nscale-{shell}-{os.getpid()}"
            subprocess.run(["useradd", "--create-home", "--shell", path, name], check=True)
            home = Path(f"~{name}").expanduser()
            made.append(Newcomer(name=name, shell=shell, home=home, variables={**variables, **own}))
        yield made
    finally:
        for each in made:  # by force, as a shell's last child may not have ended yet
            subprocess.run(
                ["userdel", "--remove", "--force", each.name], check=False, capture_output=True
            )


def give_copy(newcomer: Newcomer) -> Path:
    """Put a copy of the repository into the account's home; return its folder."""
    folder = newcomer.home / "nscale"
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    # Where this folder is missing, fish starts by reading every manual page of the machine.
    (newcomer.home / ".local/share/fish/generated_completions").mkdir(parents=True)
    subprocess.run(["chown", "--recursive", f"{newcomer.name}:", newcomer.home], check=True)
    return folder

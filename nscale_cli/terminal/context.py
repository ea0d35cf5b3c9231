"""What a command is given from outside: the terminal, the signals, the clock, the folder."""

from dataclasses import dataclass, field
from pathlib import Path

from nscale_cli.terminal.signals import Interrupts
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock


@dataclass(slots=True, kw_only=True)
class Invocation:
    """Which command the words name, as far as they are understood, and how it is to answer."""

    command: str = ""
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything that a command may use besides its own arguments."""

    terminal: Terminal
    interrupts: Interrupts = field(default_factory=Interrupts)
    invocation: Invocation = field(default_factory=Invocation)
    clock: Clock = field(default_factory=Clock)
    cwd: Path = field(default_factory=Path.cwd)

"""What a command is given from outside: the terminal, the signals, the clock, the directory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nscale_cli.errors import UsageError
from nscale_cli.terminal.signals import Interrupts
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock
from nscale_cli.values import frozen

_PLAIN = ("model", "prompt", "size", "count")  # options and arguments that hold no secret


@dataclass(slots=True, kw_only=True)
class Invocation:
    """Which command the words name, as far as they are understood, and how it is to answer.

    `buying`: from now on a request that costs money may have been sent.
    `given` are the values of its options and arguments, by their names in the code; `meant` is what
    they were found to mean.
    """

    command: str = ""
    as_json: bool = False
    buying: bool = False
    given: Mapping[str, object] = field(default_factory=dict)
    meant: Mapping[str, object] = field(default_factory=dict)

    def tell(self, **meaning: object) -> None:
        """Note what options and arguments mean, for the document of a failure."""
        self.meant = {**self.meant, **meaning}

    @property
    def known(self) -> Mapping[str, object]:
        """What a document may tell of the request: an address only once it is checked.

        As it was typed, it may hold a password.
        """
        typed = {name: self.given[name] for name in _PLAIN if name in self.given}
        return {**typed, **self.meant}


def _current_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:
        return Path()


@frozen
class Environment:
    """Everything that a command may use besides its own arguments.

    `cwd` is an empty path where the current directory does not exist any more.
    """

    terminal: Terminal
    interrupts: Interrupts = field(default_factory=Interrupts)
    invocation: Invocation = field(default_factory=Invocation)
    clock: Clock = field(default_factory=Clock)
    cwd: Path = field(default_factory=_current_directory)

    def path(self, name: Path) -> Path:
        """Return `name` as an absolute path; raise UsageError where nothing leads to it."""
        path = self.cwd / name
        if not path.is_absolute():
            raise UsageError(
                "the current directory does not exist any more; nothing was sent",
                hint="change to another, or name an absolute path",
            )
        return path

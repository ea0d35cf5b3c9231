"""The program under strace, which makes the system's calls fail as a broken disk would."""

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import KEY, Outcome, Program, require_command
from tests.faults.conftest import require_no_key_bytes
from tests.faults.raw_server import RawServer

LAUNCHER = Path(__file__).with_name("pinned.py")
CALLS = "openat,write,fsync,close,linkat,renameat2,rename,unlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedProgram(Program):
    """The program under strace. Of its calls on disk, those on its temporary files are traced.

    `faults` are strace's own words: `fsync:error=EIO:when=1+`. `folders` narrows the faults to
    temporary files in these, and is empty for all folders.
    """

    faults: tuple[str, ...]
    folders: tuple[Path, ...]
    token: str = field(default_factory=lambda: os.urandom(6).hex())

    @property
    def log(self) -> Path:
        """What strace saw; beside the program's folder, not in it."""
        return self.cwd.with_name(f"{self.cwd.name}-{self.token}.strace")

    @property
    def temporary(self) -> str:
        """The name of the program's temporary files."""
        return f".{self.token}.part"

    @property
    def command(self) -> list[str]:
        """The words that start the program."""
        strace = require_command("strace", shutil.which("strace"))
        injections = [word for fault in self.faults for word in ("-e", f"inject={fault}")]
        paths = [word for folder in self.folders for word in ("-P", str(folder / self.temporary))]
        # The filter makes strace fast, but a signal cannot be injected where it stops a call.
        filtering = [] if "signal=" in str(self.faults) else ["--seccomp-bpf"]
        tracing = ["-f", "-qq", *filtering, "-o", str(self.log), "-e", f"trace={CALLS}"]
        return [strace, *tracing, *paths, *injections, sys.executable, str(LAUNCHER), self.token]

    @property
    def injected(self) -> int:
        """How many faults really happened: a failed call, or the signal that ended the program."""
        log = self.log.read_text(errors="replace")
        # Each thread of a program that is killed has a line of its own.
        return log.count("(INJECTED)") + ("+++ killed by SIGKILL +++" in log)

    def buy(self, server: RawServer, *arguments: str) -> Outcome:
        """Buy one image."""
        address = ("--base-url", server.base_url, "-a", KEY)
        outcome = self.run("images", "generate", "cat", *address, *arguments)
        require_no_key_bytes(outcome)
        return outcome

"""Many processes of the program, without the time that each would take to load its libraries.

One process loads them, and then forks: each child is a real process of its own, that runs the
program from its first line and can be killed like any other.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PARENT = """
import json, os, signal, sys
import openai, openai.resources.images, httpx2
import nscale_cli.main, nscale_cli.app, nscale_cli.output.result, nscale_cli.sandbox.server
import nscale_cli.commands._run, nscale_cli.commands.images_batch, nscale_cli.commands.images_resume

def child(order):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    os.chdir(order["cwd"])
    null = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, descriptor in enumerate((null, output, output)):
        os.dup2(descriptor, number)
    sys.argv = ["nscale", *order["arguments"]]
    from nscale_cli.__main__ import run
    run()

signal.signal(signal.SIGINT, signal.SIG_IGN)
# Its own way to speak: a child must not write there.
answers = os.fdopen(os.dup(1), "w")
print("ready", file=answers, flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        _, status = os.waitpid(order["wait"], 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        try:
            child(order)
        finally:
            os._exit(99)
    print(pid, file=answers, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Child:
    """One process of the program; `output` is what it said on stdout and stderr."""

    pid: int
    output: Path
    _zygote: "Zygote"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, though nobody has waited for it yet."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    def wait(self) -> int:
        """Return its exit code; of one that was killed, the signal's number below zero."""
        return self._zygote.ask({"wait": self.pid})

    @property
    def text(self) -> str:
        """What it has said."""
        return self.output.read_text(encoding="utf-8", errors="replace")


class Zygote:
    """Starts processes of the program in `cwd`."""

    def __init__(self, process: "subprocess.Popen[str]", cwd: Path, outputs: Path) -> None:
        """Take the process that forks."""
        self._process, self._cwd, self._outputs, self._count = process, cwd, outputs, 0

    def start(self, *arguments: str) -> Child:
        """Start the program and return at once."""
        self._count += 1
        output = self._outputs / f"{self._count}.txt"
        order = {"arguments": arguments, "cwd": str(self._cwd), "output": str(output)}
        return Child(self.ask(order), output, self)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the program to its end; return its exit code, and what it said."""
        child = self.start(*arguments)
        return child.wait(), child.text

    def ask(self, order: dict[str, object]) -> int:
        """Tell the process that forks what to do, and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def zygote(cwd: Path, env: dict[str, str]) -> Iterator[Zygote]:
    """Yield a starter of processes in `cwd`, whose output goes beside it."""
    outputs = cwd.with_name(f"{cwd.name}-outputs")
    outputs.mkdir()
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=cwd
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield Zygote(process, cwd, outputs)
        process.kill()

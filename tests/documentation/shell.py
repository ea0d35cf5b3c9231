"""A newcomer's account: an empty home, `nscale` on the path, a terminal, and a service.

A sandbox on loopback stands in for the service; the servers that examples name are others, at ports
of this machine's choosing.
"""

import os
import re
import shlex
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import KEY, require_command

pexpect = pytest.importorskip("pexpect", reason="there is no pexpect on Windows")

SECONDS = 120  # a limit for a program that hangs, not a measure of speed
ADDRESS = re.compile(r"127\.0\.0\.1:(?P<port>\d+)|--port[ =](?P<option>\d+)")
_EXIT_CODE = re.compile(r"(?m)^(?P<command>nscale .*?) +# exit code (?P<code>\d+).*$")
QUESTION = "API key for [^:]+://[^ ]+: "
_SERVES = r"serving until Ctrl-C[^\n]*\nhttp://[^\n]*\n"
# Files that examples name: a newcomer has these lying about.
TEXTS = {
    "key.txt": f"{KEY}\n",
    "banner.txt": "A banner\n",
    "prompts.txt": "A red fox\nA blue bird\n",
    "prompts.csv": "prompt,size,id\nA red fox,64x64,hero\n"
    + "".join(f"A blue bird {number},64x64,\n" for number in range(2, 19)),
    "prompts.jsonl": '{"prompt": "A red fox"}\n{"prompt": "A blue bird"}\n',
}
# What the blind page would save, for those who judge no picture.
TEXTS["vote.py"] = """import hashlib, json, pathlib, sys
key = pathlib.Path(sys.argv[1], "run", "key.json").read_bytes()
for name in sys.argv[2:]:
    votes = [{**pair, "choice": "left"} for pair in json.loads(key)["pairs"]]
    document = {"seal": hashlib.sha256(key).hexdigest(), "voter": name, "votes": votes}
    pathlib.Path(name).write_text(json.dumps(document))
"""
SETTINGS = '[profiles.local]\nbase_url = "http://127.0.0.1:8080/v1"\n'
PICTURES = ("a-sunset-over-mountains.png", "a-red-fox.png")


@dataclass(slots=True, kw_only=True)
class Account:
    """A home, a folder to work in, and what runs scripts there, one after another."""

    root: Path
    service: Sandbox
    stack: ExitStack
    servers: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The home directory."""
        return self.root / "home"

    @property
    def work(self) -> Path:
        """Where its shells start."""
        return self.root / "work"

    @property
    def env(self) -> dict[str, str]:
        """What its shells know: the service's address and key, and nothing of the contributor's."""
        inherited = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        return {
            **inherited,
            "HOME": str(self.home),
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            "DISPLAY": ":99",
            "NSCALE_BASE_URL": self.service.base_url,
            "NSCALE_API_KEY": KEY,
            **self.variables,
        }

    def adapted(self, text: str) -> str:
        """Return `text` with the ports of this test in place of those that the page names."""
        started: dict[str, str] = {}

        def replaced(match: "re.Match[str]") -> str:
            port = match["port"] or match["option"]
            if f"nscale sandbox --port {port}" in text:  # its own server, at a free port
                with Sandbox() as gone:
                    return match[0].replace(port, started.setdefault(port, port_of(gone)))
            if port not in self.servers:
                self.servers[port] = port_of(self.stack.enter_context(Sandbox()))
            return match[0].replace(port, self.servers[port])

        return ADDRESS.sub(replaced, text)

    def run(self, script: str, *, name: str = "script") -> None:
        """Run `script` by `bash -e` at the account's terminal; fail with all that was shown.

        A key that is asked for is typed, and a server that serves until Ctrl-C gets it.
        """
        path = self.root / f"{name}.sh"
        path.write_text(checked(self.adapted(script)), encoding="utf-8")
        shell = require_command("bash", shutil.which("bash"))
        terminal = pexpect.spawn(
            shell,
            ["-e", str(path)],
            cwd=self.work,
            env=self.env,
            dimensions=(40, 120),
            encoding="utf-8",
            codec_errors="replace",
            timeout=SECONDS,
        )
        shown = ""
        while seen := terminal.expect([pexpect.EOF, QUESTION, _SERVES]):
            shown += terminal.before + terminal.after
            terminal.sendline(KEY) if seen == 1 else terminal.sendintr()
        shown += terminal.before
        terminal.close()
        status = terminal.exitstatus
        assert status == 0, f"exit code {status} of\n{path.read_text('utf-8')}\n{shown}"


def port_of(server: Sandbox) -> str:
    """Return the port at which `server` listens."""
    return server.base_url.split(":")[2].removesuffix("/v1")


def checked(script: str) -> str:
    """Return `script`; where a line says its exit code, it is held to it."""
    return _EXIT_CODE.sub(r"rc=0; \g<command> || rc=$?; [ $rc -eq \g<code> ]", script)


def new_account(root: Path, stack: ExitStack) -> Account:
    """Make an account under `root`; what it starts ends with `stack`."""
    for name in ("home", "work", "bin"):
        (root / name).mkdir(parents=True)
    _command(root, "nscale", f'exec {shlex.quote(sys.executable)} -m nscale_cli "$@"')
    _command(root, "python", f'exec {shlex.quote(sys.executable)} "$@"')
    for name in ("code", "sensible-editor", "xdg-open"):  # a person would look or type there
        _command(root, name, "exit 0")
    return Account(root=root, service=stack.enter_context(Sandbox()), stack=stack)


def put_files(account: Account) -> None:
    """Put into its folder what examples name."""
    for name, text in TEXTS.items():
        (account.work / name).write_text(text)
    settings = account.home / ".config/nscale/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(account.adapted(SETTINGS))
    for name in PICTURES:
        Image.new("RGB", (64, 64), "red").save(account.work / name)


def _command(root: Path, name: str, line: str) -> None:
    path = root / "bin" / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)

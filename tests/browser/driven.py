"""A real browser, driven by a script of Node's: Debian's Chromium and Firefox."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import require_command

HERE = Path(__file__).parent
PROGRAMS = {"chromium": "chromium", "firefox": "firefox-esr"}


class Browser:
    """One browser with one page at a time; `downloads` is where it saves files."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", downloads: Path) -> None:
        """Take a driver that runs."""
        self.name, self.downloads = name, downloads
        self._process = process

    def ask(self, command: str, **options: object) -> Any:
        """Give the driver a command; return its answer, or fail as it did."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **options}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser's driver ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, path: Path, **options: object) -> int:
        """Open a file in a new page; return the milliseconds until it was loaded."""
        return int(self.ask("open", url=path.as_uri(), **options))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        self.ask("press", keys=keys)

    def evaluate(self, code: str) -> Any:
        """Return what an expression is worth in the page."""
        return self.ask("evaluate", code=code)

    def until(self, code: str) -> None:
        """Wait until an expression is true in the page."""
        self.ask("until", code=code)

    def texts(self, selector: str) -> list[str]:
        """Return the text of each element."""
        code = (
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent.trim())"
        )
        return list(self.evaluate(code))

    def focused(self) -> str:
        """Return what the image that has the focus is called, or the text that stands for one."""
        code = (
            "document.activeElement.querySelector('img')?.alt ?? document.activeElement.innerText"
        )
        return str(self.evaluate(code))

    def violations(self) -> Sequence[str]:
        """Return what axe-core finds wrong with the page."""
        return list(self.ask("axe"))

    def require_silence(self, directory: Path) -> None:
        """Assert that nothing left the page, and that the console is empty."""
        said = self.ask("said")
        allowed = ("data:", "blob:", directory.as_uri())
        assert [url for url in said["requests"] if not url.startswith(allowed)] == []
        assert said["problems"] == []


@contextmanager
def driven(
    name: str, downloads: Path, preferences: Mapping[str, object] | None = None
) -> Iterator[Browser]:
    """Start a browser, and close it in the end; `preferences` are Firefox's own."""
    # What it says of itself comes to this process's stderr, which pytest shows for a failure.
    node = require_command("node", shutil.which("node"))
    program = require_command(PROGRAMS[name], shutil.which(PROGRAMS[name]))
    modules = HERE / "node_modules" / "puppeteer-core"
    require_command("puppeteer-core (npm ci)", str(modules) if modules.exists() else None)
    command = [node, str(HERE / "driver.mjs"), name, program, str(downloads)]
    command.append(json.dumps(preferences or {}))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=HERE, **pipes) as process:  # type: ignore[call-overload]
        yield Browser(name, process, downloads)
        process.stdin.close()

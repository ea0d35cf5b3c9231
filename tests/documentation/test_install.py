"""What docs/install.md says of a wheel: installed by pip, pipx and uv, as it lands."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import require_command
from tests.documentation.blocks import ROOT
from tests.documentation.wheels import offline, run, wheels_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform == "win32", reason="it is told for POSIX systems"),
]
COMPLETIONS = {
    "bash": "bash-completion/completions/nscale",
    "zsh": "zsh/site-functions/_nscale",
    "fish": "fish/vendor_completions.d/nscale.fish",
}
MANUAL = {f"man/man1/{page.name}" for page in (ROOT / "man").iterdir()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """An empty home, and an environment that has pipx and uv, and takes wheels from a folder."""

    home: Path
    wheels: Path

    @property
    def wheel(self) -> Path:
        """The wheel of nscale itself."""
        (found,) = self.wheels.glob("nscale_cli-*.whl")
        return found

    @property
    def bin(self) -> Path:
        """Where pipx and uv are."""
        return self.wheels / "venv/bin"

    @property
    def env(self) -> Mapping[str, str]:
        """Nothing of the contributor's, and no network."""
        return {
            **offline(self.wheels),
            "HOME": str(self.home),
            "PATH": f"{self.home / '.local/bin'}:{self.bin}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "UV_OFFLINE": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.wheels),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def run(self, *command: "str | Path") -> str:
        """Run a command of this home."""
        return run(*command, env=dict(self.env), cwd=self.home)

    def shared(self, place: Path) -> set[str]:
        """Return which of what a wheel brings is below `place`."""
        return {name for name in MANUAL | set(COMPLETIONS.values()) if (place / name).is_file()}


@pytest.fixture(scope="module")
def wheels() -> Iterator[Path]:
    """A folder of wheels, with an environment in it that has pipx and uv."""
    with wheels_for(sys.executable, "pipx", "uv") as folder:
        pip = folder / "venv/bin/pip"
        run(pip, "install", "--quiet", "pipx", "uv", env={**os.environ, **offline(folder)})
        yield folder


@pytest.fixture
def tools(wheels: Path, tmp_path: Path) -> Tools:
    """An empty home to install into."""
    return Tools(home=tmp_path, wheels=wheels)


def test_a_wheel_brings_completion_and_manual_below_share(tools: Tools) -> None:
    """In an environment, where man finds its pages from the path."""
    man = require_command("man", shutil.which("man"))
    tools.run(sys.executable, "-m", "venv", ".venv")
    tools.run(".venv/bin/pip", "install", "--quiet", tools.wheel)

    assert tools.shared(tools.home / ".venv/share") == MANUAL | set(COMPLETIONS.values())
    found = run(
        man, "-w", "nscale", env={"PATH": f"{tools.home / '.venv/bin'}:/usr/bin", "HOME": "/"}
    )
    assert found.strip() == str(tools.home / ".venv/share/man/man1/nscale.1")


def test_pipx_links_completion_and_manual_into_the_home(tools: Tools) -> None:
    """Where man and fish look; what the program installs itself goes well with it."""
    tools.run(tools.bin / "pipx", "install", "--python", sys.executable, tools.wheel)
    share = tools.home / ".local/share"

    assert tools.shared(share) == MANUAL | set(COMPLETIONS.values())
    assert "nscale 0" in tools.run(tools.home / ".local/bin/nscale", "version")
    man = require_command("man", shutil.which("man"))
    assert "nscale-cli/share/man" in tools.run(man, "-w", "nscale")
    fish = require_command("fish", shutil.which("fish"))
    assert tools.run(fish, "-c", 'complete -C "nscale vers"').startswith("version")
    for shell in COMPLETIONS:
        tools.run(tools.home / ".local/bin/nscale", "completion", shell, "--install")
    tools.run(tools.bin / "pipx", "uninstall", "nscale-cli")
    assert not tools.shared(share)


def test_uv_keeps_completion_and_manual_to_itself(tools: Tools) -> None:
    """So the program installs its completion, and nscale help has the pages."""
    tools.run(tools.bin / "uv", "tool", "install", "--python", sys.executable, tools.wheel)
    nscale = tools.home / ".local/bin/nscale"

    assert "nscale 0" in tools.run(nscale, "version")
    assert not tools.shared(tools.home / ".local/share")
    own = tools.home / ".local/share/uv/tools/nscale-cli/share"
    assert tools.shared(own) == MANUAL | set(COMPLETIONS.values())
    tools.run(nscale, "completion", "bash", "--install")
    assert tools.shared(tools.home / ".local/share") == {COMPLETIONS["bash"]}
    assert "Usage: nscale images generate" in tools.run(nscale, "help", "images", "generate")

"""The manual pages: whole, as the tools that show them like them, and installed by the wheel."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import require_command
from tests.documentation.blocks import ROOT
from tests.documentation.test_help_examples import EXAMPLES

PAGES = sorted((ROOT / "man").iterdir())


def test_every_command_has_its_page_and_no_page_is_of_none() -> None:
    """`nscale-images-generate.1`; nscale.1 is about the program."""
    expected = {f"{path.replace(' ', '-')}.1" for path in EXAMPLES}

    assert {page.name for page in PAGES} == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_nothing_to_warn_of(page: Path) -> None:
    """As packagers run it."""
    mandoc = require_command("mandoc", shutil.which("mandoc"))

    result = subprocess.run(
        [mandoc, "-Tlint", "-Wwarning", page], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_shows_the_page(page: Path) -> None:
    """Without a complaint of groff; what is typed has the hyphens that can be copied."""
    man = require_command("man", shutil.which("man"))
    env = {"PATH": os.environ["PATH"], "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}

    result = subprocess.run(
        [man, "--warnings", "-l", page], capture_output=True, text=True, env=env, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")
    shown = result.stdout
    assert all(name in shown for name in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS"))
    assert "\N{HYPHEN}help" not in shown and "\N{MINUS SIGN}" not in shown
    for example in EXAMPLES[page.stem.replace("-", " ")][:1]:
        assert example in shown or page.name == "nscale.1"


def test_a_wheel_brings_the_pages_to_where_man_looks() -> None:
    """Below share/man of the environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]

    assert shared["man"] == "share/man/man1"

"""The shape of the house: what may import what, and what is loaded when."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer

from nscale_cli.app import COMMANDS
from nscale_cli.commands._lazy import Branch, Leaf
from tests.conftest import without_coverage
from tools.mutants import MUTANTS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nscale_cli"
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)

# Short, with a single importer, and a room of their own all the same: the only one that loads a
# library, or a value that others are given.
VALUES_AND_OWNERS = {
    "nscale_cli.preview.characters",  # ascii-magic
    "nscale_cli.terminal.size",  # a value of its own
    "nscale_cli.terminal.context",
}


def path_of(module: str) -> Path:
    """Return the file of a module of the package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def lines_of(module: str) -> int:
    """Return how long a module is; a command and a package's front door may be short."""
    path = path_of(module)
    if path.name in ("__init__.py", "__main__.py") or path.parent.name == "commands":
        return sys.maxsize
    return path.read_text(encoding="utf-8").count("\n")


def importers_of(module: str) -> set[str]:
    """Return the modules of the package that import this one."""
    package, _, name = module.rpartition(".")
    wanted = re.compile(
        rf"from {package} import .*\b{name}\b|from {module} import|import {module}\b"
    )
    return {each for each in MODULES if wanted.search(path_of(each).read_text(encoding="utf-8"))}


def test_imports_point_down_and_heavy_libraries_have_one_owner() -> None:
    """The contracts in .importlinter are kept."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith("__main__")])
def test_a_module_can_be_imported_alone(module: str) -> None:
    """No module relies on another having been imported before it, or loads a heavy library."""
    heavy = ("openai", "PIL", "ascii_magic", "rich", "jinja2")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        env=without_coverage(os.environ),
    )  # fmt: skip

    assert result.stdout.strip() == "[]"


def test_only_the_terminal_touches_the_standard_streams() -> None:
    """print() and sys.std* belong to terminal/streams.py, and to the door before it is open."""
    forbidden = ("print(", "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__")
    # rich writes above its own changing line, to the stream that it was given.
    allowed = {"terminal/live.py": "self._progress.console.print("}

    def text_of(path: Path) -> str:
        return path.read_text().replace(allowed.get(path.relative_to(PACKAGE).as_posix(), "\0"), "")

    offenders = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name not in ("streams.py", "__main__.py")
        and any(name in text_of(path) for name in forbidden)
    ]

    assert offenders == []


def test_a_short_module_with_one_importer_is_a_value_or_an_owner() -> None:
    """Any other belongs into the file that imports it."""
    splinters = {
        module
        for module in MODULES
        if lines_of(module) < 60
        and len(importers_of(module)) == 1
        and module not in VALUES_AND_OWNERS
    }

    assert splinters == set()


def test_the_top_floor_is_seen_at_a_glance() -> None:
    """A newcomer chooses among few names."""
    names = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "__init__.py", "py.typed"}

    assert len(names) <= 20


@pytest.mark.slow
def test_every_exit_code_has_its_one_name() -> None:
    """Outside the enum no literal exit code is used."""
    offenders = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("exit", "_exit", "Exit")
        and any(isinstance(argument, ast.Constant) for argument in node.args)
    ]

    assert offenders == []


def test_every_guard_that_mutants_take_away_is_where_they_look_for_it() -> None:
    """Whoever moves one moves its mutant, too; trying them all takes long."""
    sources = {each.file: (PACKAGE / each.file).read_text(encoding="utf-8") for each in MUTANTS}

    assert [each.name for each in MUTANTS if sources[each.file].count(each.text) != 1] == []


def test_every_command_is_listed_by_the_first_line_of_its_help() -> None:
    """The list is written before a command is loaded."""
    listed, loaded = {}, {}
    for name, entry in leaves(COMMANDS):
        text = typer.main.get_command(entry.load(name)).help or ""
        listed[name], loaded[name] = entry.line, text.partition("\n")[0]

    assert len(listed) > 10
    assert listed == loaded


def leaves(entries: Mapping[str, Leaf | Branch], before: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield each command with its whole name."""
    for name, entry in entries.items():
        if isinstance(entry, Branch):
            yield from leaves(entry.commands, f"{before}{name} ")
        else:
            yield before + name, entry

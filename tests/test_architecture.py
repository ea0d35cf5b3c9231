"""The shape of the house: what may import what, and what is loaded when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nscale_cli"
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


def test_imports_point_down_and_heavy_libraries_have_one_owner() -> None:
    """The contracts in .importlinter are kept."""
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith("__main__")])
def test_a_module_can_be_imported_alone(module: str) -> None:
    """No module relies on another having been imported before it, or loads a heavy library."""
    heavy = ("openai", "PIL", "ascii_magic", "rich")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert result.stdout.strip() == "[]"


def test_only_the_terminal_touches_the_standard_streams() -> None:
    """print() and sys.std* belong to terminal.py, and to the door before it is open."""
    offenders = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name not in ("terminal.py", "__main__.py")
        and any(name in path.read_text() for name in ("print(", "sys.stdout", "sys.stderr"))
    ]

    assert offenders == []


def test_no_file_grows_past_250_lines() -> None:
    """A file that does wants to be two."""
    long = {
        path.name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 250
    }

    assert long == {}


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

"""tools/generate.py: what is generated from the code is as the code says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nscale_cli.commands.completion import FILE_NAMES, SCRIPTS
from nscale_cli.config.table import VARIABLES
from nscale_cli.errors import ExitCode
from tests.conftest import Program

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = ("options", "environment", "settings", "exit-codes", "help")


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the copy of tools/generate.py that stands under `root`."""
    return subprocess.run(
        [sys.executable, root / "tools/generate.py", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def empty_block(name: str) -> str:
    """Return the markers of a block, with nothing between them."""
    return f"<!-- generated: {name} -->\n<!-- end generated -->\n"


def cells(page: str) -> list[list[str]]:
    """Return the rows of the tables in `page`, without the signs that mark code."""
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in row[1:-1].split(" | ")] for row in rows]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with up-to-date generated files and a README with every block."""
    root = tmp_path_factory.mktemp("fresh")
    (root / "tools").mkdir()
    (root / "docs").mkdir()
    for name in ("generate.py", "man_pages.py"):
        shutil.copy(ROOT / "tools" / name, root / "tools")
    blocks = "\nBetween.\n".join(empty_block(name) for name in BLOCKS)
    (root / "README.md").write_text(f"# Title\n\n{blocks}\nThe end.\n")
    (root / "docs/page.md").write_text("A page without a block.\n")
    assert generate(root).returncode == 0
    return root


@pytest.fixture
def tree(fresh: Path, tmp_path: Path) -> Path:
    """A copy of it that the test may change."""
    return shutil.copytree(fresh, tmp_path, dirs_exist_ok=True)


def test_committed_files_are_up_to_date() -> None:
    """`make docs` would change nothing in this repository."""
    outcome = generate(ROOT, "--check")
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_completion_files_hold_the_scripts(tree: Path) -> None:
    """Each file is what `nscale completion SHELL` prints."""
    for shell, name in FILE_NAMES.items():
        assert (tree / "completions" / name).read_text() == f"{SCRIPTS[shell]}\n"


@pytest.mark.slow
def test_written_files_are_up_to_date(tree: Path) -> None:
    """What is written passes the check, and writing again changes nothing."""
    before = (tree / "README.md").read_text()
    assert generate(tree, "--check").returncode == 0
    assert generate(tree).stdout == ""
    assert (tree / "README.md").read_text() == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("completions/_nscale", "#compdef nscale", "#compdef scale"),
        ("README.md", "NSCALE_MODEL", "NSCALE_MODELS"),
    ],
)
def test_stale_file_is_named_and_left_alone_by_the_check(
    tree: Path, name: str, old: str, new: str
) -> None:
    """--check says which file is out of date and what to run; it writes nothing."""
    stale = (tree / name).read_text().replace(old, new)
    (tree / name).write_text(stale)
    outcome = generate(tree, "--check")
    assert outcome.returncode == 1
    assert outcome.stderr == f"{name} is out of date: run make docs\n"
    assert (tree / name).read_text() == stale


def test_missing_file_is_named_by_the_check(tree: Path) -> None:
    """A generated file that is not there is out of date."""
    (tree / "completions/nscale.fish").unlink()
    outcome = generate(tree, "--check")
    assert outcome.returncode == 1
    assert outcome.stderr == "completions/nscale.fish is out of date: run make docs\n"


def test_text_around_the_blocks_is_kept(tree: Path) -> None:
    """Only what stands between two markers is replaced."""
    page = (tree / "README.md").read_text()
    outside = re.sub(r"(?s)(<!-- generated: \S+ -->\n).*?(<!-- end)", r"\1\2", page)
    blocks = "\nBetween.\n".join(empty_block(name) for name in BLOCKS)
    assert outside == f"# Title\n\n{blocks}\nThe end.\n"
    assert (tree / "docs/page.md").read_text() == "A page without a block.\n"


def test_tables_hold_every_option_variable_and_exit_code(tree: Path, program: Program) -> None:
    """Nothing that the program knows is missing from the tables, and each row is whole."""
    rows = cells((tree / "README.md").read_text())
    helped = program.run("images", "generate", "--help", env=program.env | {"COLUMNS": "200"})
    named = re.findall(r"^  (-.*?)(?:  |$)", helped.stdout, re.MULTILINE)
    first_cells = [row[0] for row in rows]
    assert len(named) > 20
    assert {"PROMPT", *named} <= set(first_cells)
    assert {names.replace(", ", "`, `") for names in VARIABLES} <= set(first_cells)
    for code in ExitCode:
        assert [str(code.value), code.label, code.billed, code.meaning] in rows


def test_help_block_is_what_the_program_prints(tree: Path, program: Program) -> None:
    """The block shows `nscale --help` as a terminal of 80 columns does."""
    printed = program.run("--help", env=program.env | {"COLUMNS": "80"}).stdout
    assert f"```text\n{printed.rstrip()}\n```" in (tree / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        (
            empty_block("prices"),
            "no block is called 'prices'; there are options, environment, settings, exit-codes, "
            "help",
        ),
        (
            "<!-- generated: options -->\n",
            "each generated block needs a marker at its start and at its end",
        ),
        (
            f"<!-- generated: options -->\n{empty_block('help')}",
            "each generated block needs a marker at its start and at its end",
        ),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_wrong_markers_are_an_error(
    tree: Path, page: str, complaint: str, arguments: tuple[str, ...]
) -> None:
    """A block that nothing fills, or that does not end, is said and nothing is written."""
    (tree / "docs/page.md").write_text(page)
    outcome = generate(tree, *arguments)
    assert outcome.returncode == 1
    assert outcome.stderr == f"page.md: {complaint}\n"
    assert (tree / "docs/page.md").read_text() == page

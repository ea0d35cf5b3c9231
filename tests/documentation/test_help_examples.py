"""Every example of every help text is run."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer

from nscale_cli.app import build_app
from nscale_cli.commands._reference import examples_in
from nscale_cli.commands._words import paths_below
from tests.documentation.shell import Account, new_account, put_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def examples() -> Iterator[tuple[str, list[str]]]:
    """Yield the examples of each command, groups and the program itself included."""
    program = typer.main.get_command(build_app())
    root = program.make_context("nscale", [], resilient_parsing=True)
    yield "nscale", examples_in(root.get_help())
    for path, context in paths_below(root):
        yield " ".join(("nscale", *path)), examples_in(context.get_help())


# Folders that examples name, and what makes them.
RUNS = {
    "foxes": "nscale images batch prompts.csv -o foxes/",
    "compare-a-red-fox": 'nscale images compare "A red fox" -m a/b -m c/d -z 64x64 -z 9x9 --blind',
    "last-week": "mkdir last-week && cp -R compare-a-red-fox last-week/",
    "votes-": "python vote.py compare-a-red-fox votes-3f2a.json votes-77c1.json",
}
EXAMPLES = dict(examples())


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A new account with the files that examples name."""
    with ExitStack() as stack:
        account = new_account(tmp_path, stack)
        put_files(account)
        yield account


def test_every_help_has_examples() -> None:
    """A newcomer starts from one."""
    assert [path for path, examples in EXAMPLES.items() if not examples] == []
    assert len(EXAMPLES) >= 20


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_runs(account: Account, path: str) -> None:
    """In their order, in one folder; a run that they go on with has been made before."""
    for folder, command in RUNS.items():
        makes_it = command.split(" -")[0].split(" prompts")[0]
        if makes_it != path and any(folder in example for example in EXAMPLES[path]):
            account.run(command, name="before")
    for number, example in enumerate(EXAMPLES[path]):
        account.run(example, name=f"example-{number}")

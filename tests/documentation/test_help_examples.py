"""Every example of every help text is run."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer

from nscale_cli.app import build_app
from tests.documentation.shell import Account, new_account, put_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_EXAMPLES = re.compile(r"(?ms)^ *Examples:\n(?P<lines>.*?)(?:^\s*$|\Z)")


def commands() -> Iterator[tuple[str, typer.Context]]:
    """Yield each command of the program, groups and the program itself included."""
    program = typer.main.get_command(build_app())
    settings = {"resilient_parsing": True}
    yield from below("nscale", program.make_context("nscale", [], **settings))


def below(path: str, context: typer.Context) -> Iterator[tuple[str, typer.Context]]:
    """Yield a command and all that it leads to."""
    yield path, context
    for name in getattr(context.command, "list_commands", lambda _: [])(context):
        _, command, _ = context.command.resolve_command(context, [name])
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield from below(f"{path} {name}", inner)


def examples_of(context: typer.Context) -> list[str]:
    """Return the examples of a help text as a person copies them: each may have several lines."""
    section = _EXAMPLES.search(context.get_help())
    text = re.sub(r"\\\n *", "", section["lines"] if section else "")
    return [line.strip() for line in text.splitlines() if line.strip()]


# Folders that examples name, and what makes them.
RUNS = {"foxes": "nscale images batch prompts.csv -o foxes/"}
EXAMPLES = {path: examples_of(context) for path, context in commands()}


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

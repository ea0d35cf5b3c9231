"""Every example of every help text is run."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from nscale_cli.app import build_app
from nscale_cli.commands._reference import examples_in
from nscale_cli.commands._words import paths_below
from nscale_cli.storage.history import History
from tests.documentation.shell import PICTURES, Account, new_account, put_files
from tests.storage.test_history import entry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def examples() -> Iterator[tuple[str, list[str]]]:
    """Yield the examples of each command, groups and the program itself included."""
    program = typer.main.get_command(build_app())
    root = program.make_context("nscale", [], resilient_parsing=True)
    yield "nscale", examples_in(root.get_help())
    for path, context in paths_below(root):
        yield " ".join(("nscale", *path)), examples_in(context.get_help())


# What must be there for examples that hold these words, and what makes it.
BEFORE = {
    "foxes| last| 12|history": "nscale images batch prompts.csv -o foxes/ -q",
    "rerun a-red-fox": "nscale images generate 'A red fox' -o a-red-fox.png --force -q",
    "compare-a-red-fox": "nscale images compare 'A red fox' -m a/b -m c/d -z 64x64 -z 9x9 "
    "--blind -q",
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


def remember(account: Account) -> None:
    """Write a history with as many images as examples count on."""
    path = account.home / ".local/state/nscale/history.sqlite"
    history = History(path, home=account.home)
    picture = account.work / PICTURES[1]
    base_url = account.service.base_url
    history.record(
        entry(f"A red fox {number}", path=picture, base_url=base_url, created_at=datetime.now(UTC))
        for number in range(12)
    )
    history.close()


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_runs(account: Account, path: str) -> None:
    """In their order, in one folder; what they go on with has been made before."""
    for words, command in BEFORE.items():
        if any(re.search(words, example) for example in EXAMPLES[path]) and path not in command:
            account.run(command, name="before")
    if any(word in example for word in ("history", " last") for example in EXAMPLES[path]):
        remember(account)
    for number, example in enumerate(EXAMPLES[path]):
        account.run(example, name=f"example-{number}")

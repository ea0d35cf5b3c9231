"""Every block of code of every page is run, as a newcomer would run it, from top to bottom."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nscale_cli.config.file import read_config
from tests.conftest import document_validator
from tests.documentation.blocks import PAGES, ROOT, Block, blocks_of
from tests.documentation.shell import Account, new_account

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in BLOCKS if block.language in ("sh", "bash", "console", "zsh", "fish")]


def name_of(page: Path) -> str:
    """Return the page's name, for the list of tests."""
    return str(page.relative_to(ROOT))


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A new account, and what stands in for the service."""
    with ExitStack() as stack:
        yield new_account(tmp_path, stack)


@pytest.mark.parametrize(
    "page", sorted({block.page for block in SHELL if not block.not_run}), ids=name_of
)
def test_every_shell_block_of_the_page_runs(
    account: Account, page: Path, record_property: Callable[[str, object], None]
) -> None:
    """In one home, from top to bottom; a settings file that is shown counts from there on."""
    for block in blocks_of(page):
        if block.language == "toml":
            write_settings(account, block)
        elif block in SHELL and not block.not_run:
            account.run(block.text, name=block.place.replace("/", "-"))
            record_property("block", block.place)


def write_settings(account: Account, block: Block) -> None:
    """Let the settings file be what the page shows."""
    file = account.home / ".config/nscale/config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(account.adapted(block.text), encoding="utf-8")
    assert read_config({"HOME": str(account.home), "NSCALE_CONFIG": str(file)}).path == str(file)


def test_what_is_not_run_says_why() -> None:
    """Few blocks cannot be run here; each has its reason above it, and none is overlooked."""
    reasons = {block.place: block.not_run for block in SHELL if block.not_run}

    assert [place for place, reason in reasons.items() if len(reason or "") < 10] == []
    assert len(reasons) <= 8, reasons
    assert len(SHELL) - len(reasons) >= 12


def test_a_newcomer_pastes_no_comment() -> None:
    """At its prompt zsh takes the words of a comment for arguments, unless it is told otherwise."""
    lines = [line for block in blocks_of(ROOT / "README.md") for line in block.text.splitlines()]

    assert [line for line in lines if "#" in line] == []


def test_every_block_is_of_a_language_that_somebody_checks() -> None:
    """A block without one, or of another, would be checked by nobody."""
    data = {"toml", "json", "yaml", "text", "dockerfile", "python"}
    known = {*data, "sh", "bash", "zsh", "fish"}

    assert [block.place for block in BLOCKS if block.language not in known] == []


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "json"],
    ids=lambda block: block.place,
)
def test_json_that_a_page_shows_is_json(block: Block) -> None:
    """It can be copied; a document of the program is one by its schema."""
    document = json.loads(block.text)
    if "command" in document:
        document_validator().validate(document)

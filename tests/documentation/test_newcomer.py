"""README on fresh accounts: every block, from top to bottom, at a prompt of bash, zsh and fish."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import require_command
from tests.documentation.blocks import ROOT, Block, blocks_of
from tests.documentation.newcomer import Newcomer, give_copy, newcomers
from tests.documentation.shell import Account, new_account
from tests.documentation.wheels import everybody_s_python, offline, wheels_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.terminal,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="root makes accounts"),
]
SHELLS = ("bash", "zsh", "fish")
TESTS = "'.[dev]'"  # which are run by .ci/run
ON_PATH = 'export PATH="$PWD/.venv/bin:$PATH"'


def blocks_for(shell: str) -> Iterator[Block]:
    """Yield the blocks of README that somebody with this shell pastes."""
    for block in blocks_of(ROOT / "README.md"):
        if block.language in ("sh", shell) and TESTS not in block.text:
            yield block


def read_from_top_to_bottom(newcomer: Newcomer, account: Account) -> None:
    """Paste every block; stop at the first that fails. `account` knows which ports are there."""
    folder = give_copy(newcomer)
    with newcomer.logged_in() as terminal:
        assert newcomer.paste(terminal, f"cd {folder.name}").code == 0
        for block in blocks_for(newcomer.shell):
            step = newcomer.paste(terminal, account.adapted(block.text))
            assert step.code == 0, f"{newcomer.shell}, {block.place}\n{newcomer.transcript}"
    with newcomer.logged_in() as terminal:  # which completes from its start
        newcomer.paste(terminal, f"cd {folder.name}\n{ON_PATH}")
        terminal.send("nscale vers\t")
        terminal.expect("version")
        terminal.send("\r")
        terminal.expect(r"nscale \d+\.\d+")


@pytest.fixture
def transcripts(tmp_path: Path) -> Iterator[dict[str, Newcomer]]:
    """Three accounts in which README has been followed at the same time; each kept on the disk."""
    for tool in ("useradd", "userdel", "su", "jq"):
        require_command(tool, shutil.which(tool))
    with ExitStack() as stack:
        wheels = stack.enter_context(wheels_for(everybody_s_python()))
        accounts = {shell: new_account(tmp_path / shell, stack) for shell in SHELLS}
        addresses = {
            shell: {"NSCALE_BASE_URL": account.service.base_url}
            for shell, account in accounts.items()
        }
        variables = {"LC_ALL": "C.UTF-8", **offline(wheels)}
        people = stack.enter_context(newcomers(addresses, variables))
        with ThreadPoolExecutor(len(people)) as pool:
            reading = [
                pool.submit(read_from_top_to_bottom, each, accounts[each.shell]) for each in people
            ]
        for each in people:
            (tmp_path / f"{each.shell}.txt").write_text(each.transcript, encoding="utf-8")
        for each in reading:
            each.result()
        yield {each.shell: each for each in people}


def comparable(newcomer: Newcomer, shown: str) -> list[str]:
    """Return the lines of a transcript without what is another at each run, in a fixed order."""
    own = shown.replace(newcomer.name, "NAME").replace(newcomer.shell, "SHELL")
    lines = (" ".join(line.split()) for line in own.splitlines())
    return sorted(re.sub(r"[0-9a-f-]*\d[0-9a-f.:-]*", "0", line) for line in lines if line)


def test_readme_works_in_every_shell_of_a_fresh_account(transcripts: dict[str, Newcomer]) -> None:
    """Each block succeeds, complains of nothing, and shows the same in all of them."""
    for shell, newcomer in transcripts.items():
        assert len(newcomer.steps) == len(list(blocks_for(shell))) + 2
        for complaint in ("not found", "rror", "no matches", "Traceback", "denied"):
            assert complaint not in newcomer.transcript
    for steps in zip(*(each.steps for each in transcripts.values()), strict=True):
        shown = [
            comparable(newcomer, step.shown)
            for newcomer, step in zip(transcripts.values(), steps, strict=True)
        ]
        for_one_shell = "completion" in steps[0].block
        assert for_one_shell or shown[0] == shown[1] == shown[2]

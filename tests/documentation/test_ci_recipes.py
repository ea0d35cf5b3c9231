"""The recipes of docs/ci.md are run as a CI system runs them; the workflow calls .ci/run."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import KEY, require_command
from tests.documentation.blocks import ROOT, blocks_of
from tests.documentation.shell import Account, new_account, put_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A runner with the files that recipes name; what installs the program does nothing."""
    with ExitStack() as stack:
        account = new_account(tmp_path, stack)
        put_files(account)
        for name in ("pipx", "pip"):
            (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
            (tmp_path / "bin" / name).chmod(0o755)
        yield account


def scripts_of(recipe: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each script of a recipe of GitHub's or GitLab's, with its variables."""
    for job in recipe["jobs"].values() if "jobs" in recipe else recipe.values():
        env = {**recipe.get("env", {}), **job.get("variables", {}), **job.get("env", {})}
        for step in job.get("steps", []):
            if "run" in step:
                yield step["run"], {**env, **step.get("env", {})}
        if "script" in job:
            yield "\n".join(job["script"]), env


def test_every_recipe_of_the_page_runs(account: Account) -> None:
    """From top to bottom, by bash -eo pipefail, without a terminal."""
    bash = require_command("bash", shutil.which("bash"))
    summary = account.root / "summary.md"
    count = 0
    for block in blocks_of(ROOT / "docs/ci.md"):
        scripts = [(block.text, {})] if block.language == "sh" else []
        if block.language == "yaml":
            scripts = list(scripts_of(yaml.safe_load(block.text)))
        for script, env in scripts:
            secret = {k: KEY if "secrets." in v else v for k, v in env.items()}
            result = subprocess.run(
                [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
                cwd=account.work,
                env={**account.env, "GITHUB_STEP_SUMMARY": str(summary), **secret},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert result.returncode == 0, f"{block.place}\n{script}\n{result.stderr}"
            count += 1
    assert count >= 10
    assert summary.read_text().count("| model |") == 2
    assert (account.work / "bought/receipt.csv").stat().st_size > 100


def test_every_check_looks_at_the_types_of_every_system() -> None:
    """Windows' and macOS's branches are read by mypy wherever `make lint` runs."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    lint = makefile.partition("\nlint:\n")[2].partition("\n\n")[0]

    assert all(
        f"mypy{words}\n" in lint for words in ("", " --platform darwin", " --platform win32")
    )
    assert "\nmake lint\n" in (ROOT / ".ci/run").read_text("utf-8")


def test_the_workflow_runs_the_whole_check_under_every_python() -> None:
    """Those that the project says it runs on, and no other."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["check"]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    said = [each.rpartition(" ")[2] for each in classifiers if "Python :: 3." in each]

    assert job["strategy"]["matrix"]["python"] == said
    assert job["steps"][-1]["run"] == "bash .ci/run"
    assert os.access(ROOT / ".ci/run", os.R_OK)

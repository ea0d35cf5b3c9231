"""`--skip-existing`: the same command again buys nothing."""

from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import Cli


def posts(server: Sandbox) -> int:
    """Return how many images were asked for."""
    return sum(request.method == "POST" for request in server.requests)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-n", "3"],
        ["-o", "fox.png"],
        ["-o", "fox.png", "-n", "2"],
        ["-o", "new/"],
        ["-o", "{slug}-{size}.{ext}"],
        ["-o", "{model}/{slug}-{index}.{ext}", "-n", "2"],
        ["-o", "{slug}-{date}.{ext}", "-n", "2"],
        ["-m", "sandbox/jpeg"],
        ["-m", "sandbox/webp", "-n", "2"],
    ],
)
def test_the_same_command_again_buys_nothing(
    against: Cli, sandbox: Sandbox, tmp_path: Path, words: list[str]
) -> None:
    """And answers with the same paths, and the same facts."""
    command = ("A red fox", "-z", "64x64", *words, "--skip-existing")
    first = against(sandbox, *command, "--json")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    again = against(sandbox, *command)
    as_json = against(sandbox, *command, "--json")

    assert first.exit_code == again.exit_code == as_json.exit_code == 0, first.stderr
    assert posts(sandbox) == 1
    images = first.document["data"]["images"]  # type: ignore[index]
    assert again.stdout.splitlines() == [image["path"] for image in images]
    assert as_json.document["data"]["images"] == images  # type: ignore[index]
    assert as_json.document["data"]["skipped"] is True  # type: ignore[index]
    assert "there already; no image was asked for\n" in again.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_no_key_and_no_service_is_needed_for_what_is_there(cli: Cli, tmp_path: Path) -> None:
    """Nothing is asked of anybody."""
    (tmp_path / "fox.png").write_bytes(b"")

    outcome = cli("images", "generate", "fox", "--skip-existing")

    assert outcome.exit_code == 0
    assert outcome.stdout == f"{tmp_path}/fox.png\n"
    assert outcome.stderr == "fox.png is there already; no image was asked for\n"


def test_another_model_or_prompt_is_bought(against: Cli, sandbox: Sandbox) -> None:
    """Where the name tells them apart."""
    for model in ("a/b", "a-b", "A/B"):
        for prompt in ("fox", "cat"):
            words = (prompt, "-m", model, "-o", "{slug}-{model}.{ext}", "-z", "16x16")
            assert against(sandbox, *words, "--skip-existing").exit_code == 0

    assert posts(sandbox) == 6


def test_some_of_several_images_are_never_bought_again_unasked(
    against: Cli, sandbox: Sandbox
) -> None:
    """Which of them are there is said."""
    against(sandbox, "fox", "-n", "2")

    outcome = against(sandbox, "fox", "-n", "3", "--skip-existing")

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: 2 of 3 images are there already: ")
    assert outcome.stderr.endswith("leave --skip-existing out, with -n 1\n")
    assert posts(sandbox) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "{hash}.png"], "cannot tell by a name with {hash} whether it is there"),
        (["-o", "{slug}-{time}.png"], "cannot tell by a name with {time} whether it is there"),
        (["-o", "-"], "-o - saves no file that could be skipped"),
        (["--force"], "--skip-existing and --force exclude each other"),
    ],
)
def test_what_cannot_be_told_is_refused(
    against: Cli, sandbox: Sandbox, words: list[str], message: str
) -> None:
    """Before anything is paid for."""
    outcome = against(sandbox, "fox", *words, "--skip-existing")

    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert posts(sandbox) == 0


def test_what_is_no_file_is_said(against: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    """It stands in the way, but it is no image."""
    (tmp_path / "fox.png").mkdir()

    outcome = against(sandbox, "fox", "--skip-existing")

    assert outcome.exit_code == 2
    assert "fox.png cannot be read" in outcome.stderr
    assert posts(sandbox) == 0


def test_without_the_option_nothing_is_skipped(against: Cli, sandbox: Sandbox) -> None:
    """A second image gets a second name, as ever."""
    against(sandbox, "fox")
    against(sandbox, "fox")
    assert posts(sandbox) == 2

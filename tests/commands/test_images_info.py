"""`nscale images info`: what a file is, and how it was made."""

import hashlib
from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from nscale_cli.storage.metadata.marks import embedded, sidecar
from tests.conftest import Cli, Outcome, with_history
from tests.faults.odd_images import IMAGES, OTHERS
from tests.storage.metadata.test_marks import JPEG, ORIGIN, PNG, SIGNED
from tests.storage.metadata.test_readers import HOSTILE, WRITTEN, with_texts


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """Run the program with a history."""
    return with_history(cli)


def described(outcome: Outcome) -> dict[str, object]:
    """Return what a document says of the one file."""
    (file,) = outcome.document["data"]["files"]  # type: ignore[index]
    return file


def test_a_file_is_described(cli: Cli, tmp_path: Path) -> None:
    """What it is, and that nothing is known of its making."""
    (tmp_path / "fox.png").write_bytes(PNG)

    outcome = cli("images", "info", "fox.png")

    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        f"file     {tmp_path}/fox.png",
        f"format   PNG, 64x48, {len(PNG)} bytes",
        f"sha256   {hashlib.sha256(PNG).hexdigest()}",
        "made by  unknown: not in the history, and nothing that nscale reads is in it",
    ]


def test_what_made_an_image_is_found_by_what_it_holds(
    cli: Cli, against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Whatever it is called now, and with or without metadata of ours."""
    against(sandbox, "A red fox", "--metadata", "full", "--param", "seed=7")
    (tmp_path / "a-red-fox.png").rename(tmp_path / "moved.png")
    cli("images", "info", "moved.png", "--strip", "-o", "plain.png")

    for name in ("moved.png", "plain.png"):
        file = described(cli("images", "info", name, "--json"))
        (entry,) = file["history"]  # type: ignore[misc]
        assert (entry["prompt"], entry["params"]) == ("A red fox", {"seed": 7})
        lines = cli("images", "info", name).stdout.splitlines()
        assert any(line.split() == ["history:", "prompt", "A", "red", "fox"] for line in lines)


def test_the_last_image_can_be_meant(cli: Cli, against: Cli, sandbox: Sandbox) -> None:
    """By the word `last`, unless a file is called so."""
    against(sandbox, "A red fox")

    assert described(cli("images", "info", "last", "--json"))["path"] == str(
        Path.cwd() / "a-red-fox.png"
    )
    Path("last").write_bytes(JPEG)
    assert described(cli("images", "info", "last", "--json"))["format"] == "jpeg"


@pytest.mark.parametrize("name", WRITTEN)
def test_what_others_wrote_is_told(cli: Cli, tmp_path: Path, name: str) -> None:
    """By whom, field by field."""
    data, finding = WRITTEN[name]
    (tmp_path / "image").write_bytes(data)

    file = described(cli("images", "info", "image", "--json"))
    text = cli("images", "info", "image").stdout

    assert file["metadata"] == [{"source": finding.source, "fields": finding.fields}]
    for field in finding.fields:
        assert f"{finding.source}: {field}" in text


def test_our_own_marks_and_a_sidecar_are_told(cli: Cli, tmp_path: Path) -> None:
    """A sidecar only beside the image that it is of."""
    (tmp_path / "full.png").write_bytes(embedded(PNG, ORIGIN, "full"))
    for name in ("fox.png", "other.jpg"):
        (tmp_path / f"{name}.json").write_bytes(sidecar(PNG, ORIGIN, with_request=True))
    (tmp_path / "fox.png").write_bytes(PNG)
    (tmp_path / "other.jpg").write_bytes(JPEG)

    full, fox, other = (
        described(cli("images", "info", name, "--json"))
        for name in ("full.png", "fox.png", "other.jpg")
    )

    assert [each["source"] for each in full["metadata"]] == ["nscale"]  # type: ignore[attr-defined]
    assert fox["metadata"] == []
    assert fox["sidecar"]["source"] == "nscale sidecar"  # type: ignore[index]
    assert fox["sidecar"]["fields"]["request"] == dict(ORIGIN.body)  # type: ignore[index]
    assert other["sidecar"] is None


def test_content_credentials_are_told_of(cli: Cli, tmp_path: Path) -> None:
    """That they are there, and that nobody verified them."""
    (tmp_path / "fox.png").write_bytes(SIGNED["PNG"])

    assert "content credentials  present, not verified" in cli("images", "info", "fox.png").stdout
    assert described(cli("images", "info", "fox.png", "--json"))["content_credentials"] is True


def test_several_files_are_told_apart(cli: Cli, tmp_path: Path) -> None:
    """By an empty line, or as items."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG)

    assert cli("images", "info", "a.png", "b.png").stdout.count("\n\nfile ") == 1
    assert len(cli("images", "info", "a.png", "b.png", "--json").document["data"]["files"]) == 2  # type: ignore[index, arg-type]


def test_hostile_text_reaches_no_terminal(cli: Cli, tmp_path: Path) -> None:
    """Whatever a file claims."""
    (tmp_path / "fox.png").write_bytes(
        with_texts(parameters="\x1b]0;owned\x07\u202e\nSteps: 1, Seed: \x1b[2J, Size: 1x1")
    )

    text = cli("images", "info", "fox.png").stdout

    assert "\\x1b]0;owned\\x07\\u202e" in text
    assert "\x1b" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", [*HOSTILE, *IMAGES, *OTHERS])
def test_any_file_is_described(cli: Cli, tmp_path: Path, name: str) -> None:
    """Hostile, odd, or no image at all."""
    made = {**HOSTILE, **IMAGES, **OTHERS}[name]
    (tmp_path / "file").write_bytes(made if isinstance(made, bytes) else made())

    outcome = cli("images", "info", "file", "--json")

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert described(outcome)["bytes"] == (tmp_path / "file").stat().st_size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no.png"], "no.png is not a file"),
        (["."], ". is not a file"),
        (["last"], "the history is empty"),
        (["fox.png", "--strip"], "--strip and -o COPY go together"),
        (["fox.png", "-o", "x.png"], "--strip and -o COPY go together"),
        (["fox.png", "fox.png", "--strip", "-o", "x.png"], "--strip takes one file"),
        (["fox.png", "--strip", "-o", "fox.png"], "fox.png exists"),
        (["fox.png", "--strip", "-o", "no/x.png"], "no/x.png cannot be written: No such file"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    cli: Cli, tmp_path: Path, words: list[str], message: str
) -> None:
    """In one line; nothing is replaced."""
    (tmp_path / "fox.png").write_bytes(PNG)

    outcome = cli("images", "info", *words)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: ")
    assert message in outcome.stderr
    assert (tmp_path / "fox.png").read_bytes() == PNG


def test_a_copy_without_marks_is_the_original(cli: Cli, tmp_path: Path) -> None:
    """And is compared with what the service sent."""
    (tmp_path / "fox.png").write_bytes(embedded(PNG, ORIGIN, "full"))

    outcome = cli("images", "info", "fox.png", "--strip", "-o", "plain.png")

    assert outcome.stdout == f"{tmp_path}/plain.png\n"
    assert outcome.stderr == "the copy is what the service sent, byte for byte\n"
    assert (tmp_path / "plain.png").read_bytes() == PNG


def test_a_copy_of_a_changed_file_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    """Without marks it is, but not the original."""
    marked = bytearray(embedded(PNG, ORIGIN, "full"))
    marked[-30] ^= 1
    (tmp_path / "fox.png").write_bytes(marked)
    (tmp_path / "copies").mkdir()

    outcome = cli("images", "info", "fox.png", "--strip", "-o", "copies", "--json")

    assert outcome.stderr == (
        "warning: the copy is not what the service sent: the file was changed since\n"
    )
    stripped = outcome.document["data"]["stripped"]  # type: ignore[index]
    copy = tmp_path / "copies" / "fox.png"
    assert stripped == {
        "path": str(copy),
        "sha256": hashlib.sha256(copy.read_bytes()).hexdigest(),
        "is_original": False,
    }
    assert b"nscale" not in copy.read_bytes()


def test_a_copy_of_a_file_without_marks_is_the_same(cli: Cli, tmp_path: Path) -> None:
    """It is said that there was nothing to take out."""
    (tmp_path / "fox.png").write_bytes(PNG)

    outcome = cli("images", "info", "fox.png", "--strip", "-o", "same.png")

    assert outcome.stderr == "nothing of nscale's is written in it; the copy is the same\n"
    assert (tmp_path / "same.png").read_bytes() == PNG

"""`--metadata`: what images say of their making, once they are safe on the disk."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from nscale_cli.jobs import marking
from nscale_cli.sandbox.server import Sandbox
from nscale_cli.storage.metadata.readers import read_metadata
from tests.conftest import Cli, Outcome, ScriptedServer, images_reply
from tests.faults.conftest import as_base64
from tests.storage.metadata.test_marks import JPEG, PNG, SIGNED, WEBP


def saved(outcome: Outcome) -> dict[str, object]:
    """Return what the document says of the one image."""
    assert outcome.exit_code == 0, outcome.stderr
    (image,) = outcome.document["data"]["images"]  # type: ignore[index]
    return image


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP])
@pytest.mark.parametrize("mode", ["none", "mark", "full", "sidecar"])
def test_each_mode_writes_what_it_says(
    against: Cli, server: ScriptedServer, tmp_path: Path, mode: str, data: bytes
) -> None:
    """The document tells the file as it is, and the image as it came."""
    server.answers = [images_reply({"b64_json": as_base64(data)})]

    image = saved(against(server, "A red fox", "--metadata", mode, "--json"))

    path = Path(str(image["path"]))
    written = path.read_bytes()
    assert image["sha256"] == hashlib.sha256(written).hexdigest()
    assert image["original_sha256"] == hashlib.sha256(data).hexdigest()
    assert image["bytes"] == len(written)
    findings = read_metadata(written).findings
    fields = findings[0].fields if findings else {}
    assert (written == data) == (mode in ("none", "sidecar"))
    assert bool(findings) == (mode in ("mark", "full"))
    assert ("request" in fields) == (mode == "full")
    beside = [each.name for each in tmp_path.iterdir() if each != path]
    assert beside == ([f"{path.name}.json"] if mode == "sidecar" else [])


def test_a_variable_and_a_setting_choose_the_mode(
    cli: Cli, against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The option goes before both."""
    cli("config", "set", "metadata", "mark")
    against(sandbox, "one")
    against(sandbox, "two", env={"NSCALE_METADATA": "full"})
    against(sandbox, "three", "--metadata", "none", env={"NSCALE_METADATA": "full"})

    marked = [
        [sorted(found.fields) for found in read_metadata((tmp_path / name).read_bytes()).findings]
        for name in ("one.png", "two.png", "three.png")
    ]
    assert [len(each) for each in marked] == [1, 1, 0]
    assert ("request" in marked[0][0], "request" in marked[1][0]) == (False, True)


@pytest.mark.parametrize("variable", [True, False])
def test_an_unknown_mode_is_refused(against: Cli, sandbox: Sandbox, variable: bool) -> None:
    """Before anything is sent."""
    words = [] if variable else ["--metadata", "all"]
    env = {"NSCALE_METADATA": "all"} if variable else {}

    outcome = against(sandbox, "A red fox", *words, env=env)

    assert outcome.exit_code == 2
    source = "NSCALE_METADATA" if variable else "--metadata"
    assert outcome.stderr.splitlines() == [
        f"error: {source} has an invalid mode, 'all'",
        "hint: choose from none, mark, full, sidecar",
    ]
    assert sandbox.requests == []


@pytest.mark.parametrize("words", [["--metadata", "mark"], []])
def test_bytes_on_standard_output_have_no_metadata(
    against: Cli, sandbox: Sandbox, words: list[str]
) -> None:
    """That is said before they are paid for, and not passed over."""
    env = {} if words else {"NSCALE_METADATA": "mark"}

    outcome = against(sandbox, "A red fox", "-o", "-", *words, env=env)

    assert outcome.exit_code == 2
    assert "-o - writes the bytes as they come, without metadata" in outcome.stderr
    assert against(sandbox, "fox", "-o", "-", "--metadata", "none", env=env).exit_code == 0


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("mode", ["mark", "full"])
def test_a_signed_image_gets_a_sidecar_and_a_warning(
    against: Cli, server: ScriptedServer, tmp_path: Path, name: str, mode: str
) -> None:
    """Its Content Credentials hold on."""
    server.answers = [images_reply({"b64_json": as_base64(SIGNED[name])})]

    outcome = against(server, "A red fox", "--metadata", mode, "--json")

    path = Path(str(saved(outcome)["path"]))
    assert path.read_bytes() == SIGNED[name]
    assert (
        f"warning: {path.name} is left as it came: it carries Content Credentials, which any "
        f"change would break; see {path.name}.json\n" in outcome.stderr
    )
    beside = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert ("request" in beside) == (mode == "full")
    assert beside["sha256"] == hashlib.sha256(SIGNED[name]).hexdigest()


def test_a_sidecar_of_somebody_else_is_not_replaced(
    against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """One of ours is: it was of an image that is gone."""
    (tmp_path / "theirs.png.json").write_text('{"tool": "other"}')
    (tmp_path / "ours.png.json").write_text('{"tool": "nscale 0.0.1"}')

    theirs = against(sandbox, "theirs", "--metadata", "sidecar")
    ours = against(sandbox, "ours", "--metadata", "sidecar")

    assert theirs.exit_code == ours.exit_code == 0
    assert "warning: theirs.png.json is not nscale's" in theirs.stderr
    assert (tmp_path / "theirs.png.json").read_text() == '{"tool": "other"}'
    assert json.loads((tmp_path / "ours.png.json").read_text())["request"]["prompt"] == "ours"
    assert "warning" not in ours.stderr


def test_the_mode_of_the_file_stays_and_a_sidecar_has_the_same(
    against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """As the umask made it."""
    against(sandbox, "plain", "--metadata", "none")
    against(sandbox, "marked", "--metadata", "full")
    against(sandbox, "beside", "--metadata", "sidecar")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(set(modes.values())) == 1
    assert set(modes) == {"plain.png", "marked.png", "beside.png", "beside.png.json"}


def test_an_image_that_cannot_be_marked_is_still_there(
    against: Cli, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it came; a warning says so."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(marking, "replace_whole", full)

    outcome = against(sandbox, "A red fox", "--metadata", "full")

    assert outcome.exit_code == 0
    assert "warning: a-red-fox.png carries no metadata: No space left on device\n" in outcome.stderr
    assert read_metadata((tmp_path / "a-red-fox.png").read_bytes()).findings == ()


def test_a_converted_image_is_marked_as_it_is(
    against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The original is what was converted, since that is what the marks were put into."""
    image = saved(against(sandbox, "fox", "-o", "fox.webp", "--metadata", "full", "--json"))

    assert image["format"] == "webp"
    (found,) = read_metadata((tmp_path / "fox.webp").read_bytes()).findings
    assert found.fields["original_sha256"] == image["original_sha256"]

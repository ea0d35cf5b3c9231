"""`nscale images rerun`: the request that made an image, once more."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from nscale_cli.storage.metadata.marks import Origin, embedded, sidecar
from tests.conftest import KEY, Cli, Outcome, with_history
from tests.storage.metadata.test_marks import ORIGIN, PNG
from tests.storage.metadata.test_readers import WRITTEN


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """Run the program with a history."""
    return with_history(cli)


@pytest.fixture
def rerun(cli: Cli, sandbox: Sandbox) -> Cli:
    """Run `nscale images rerun` where the set up service is the sandbox."""

    def run(*words: str, **options: object) -> Outcome:
        own = {"NSCALE_BASE_URL": sandbox.base_url, "NSCALE_API_KEY": KEY}
        env = own | dict(options.pop("env", {}))  # type: ignore[call-overload]
        return cli("images", "rerun", *words, env=env, **options)

    return run


def bodies(server: Sandbox) -> list[dict[str, object]]:
    """Return the bodies of the requests for images, in order."""
    return [json.loads(each.body) for each in server.requests if each.method == "POST"]


@pytest.mark.parametrize("word", ["last", "1", "a-red-fox.png", "moved.png"])
def test_the_same_request_is_sent_again(
    against: Cli, rerun: Cli, sandbox: Sandbox, tmp_path: Path, word: str
) -> None:
    """For a number, the last image, and a file by what it holds; it is told first."""
    against(sandbox, "A red fox", "-z", "64x32", "-n", "2", "--param", "seed=7")
    if word == "moved.png":
        (tmp_path / "a-red-fox.png").rename(tmp_path / word)

    outcome = rerun(word)

    assert outcome.exit_code == 0
    first, second = bodies(sandbox)
    assert second == first
    number = 2 if word == "last" else 1
    start, _, told = outcome.stderr.splitlines()[0].partition(": ")
    assert start == f"again, from image {number} of the history"
    assert json.loads(told) == first
    assert len(outcome.stdout.splitlines()) == 2


def test_the_images_of_a_rerun_are_remembered_too(
    against: Cli, rerun: Cli, cli: Cli, sandbox: Sandbox
) -> None:
    """As those of any other run."""
    against(sandbox, "A red fox")
    rerun("last")

    images = cli("history", "--json").document["data"]["images"]  # type: ignore[index]
    assert [image["id"] for image in images] == [2, 1]  # type: ignore[index]


def test_options_change_the_request(
    against: Cli, rerun: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each that is given; what is not stays, and so do other fields."""
    (tmp_path / "prompt.txt").write_text("A blue fox")
    against(sandbox, "A red fox", "-z", "64x32", "--param", "seed=7", "--param", "steps=4")

    rerun("last", "-m", "m/2", "-n", "2", "-z", "32x32", "--param", "seed=8")
    rerun("1", "--prompt-file", "prompt.txt")

    _, second, third = bodies(sandbox)
    assert second == {
        "model": "m/2", "prompt": "A red fox", "size": "32x32", "n": 2, "seed": 8, "steps": 4
    }  # fmt: skip
    assert third["prompt"] == "A blue fox"
    assert (third["size"], third["seed"], third["n"]) == ("64x32", 7, 1)


def test_a_dry_run_sends_nothing(against: Cli, rerun: Cli, sandbox: Sandbox) -> None:
    """And is the document of this command."""
    against(sandbox, "A red fox")

    outcome = rerun("last", "--dry-run", "--json")

    assert len(bodies(sandbox)) == 1
    assert outcome.document["command"] == "images rerun"
    assert outcome.document["data"]["body"] == bodies(sandbox)[0]  # type: ignore[index]


@pytest.mark.parametrize("place", ["in it", "beside it"])
def test_a_file_that_tells_its_request_needs_no_history(
    rerun: Cli, sandbox: Sandbox, tmp_path: Path, place: str
) -> None:
    """One image, whatever the file says: it may be anybody's, and each is paid for."""
    origin = Origin(body={**ORIGIN.body, "n": 1000}, host="127.0.0.1", created_at=ORIGIN.created_at)
    if place == "in it":
        (tmp_path / "fox.png").write_bytes(embedded(PNG, origin, "full"))
    else:
        (tmp_path / "fox.png").write_bytes(PNG)
        (tmp_path / "fox.png.json").write_bytes(sidecar(PNG, origin, with_request=True))

    outcome = rerun("fox.png", "-z", "64x64")

    assert outcome.exit_code == 0
    (body,) = bodies(sandbox)
    assert body == {**ORIGIN.body, "n": 1, "size": "64x64"}


@pytest.mark.parametrize("named", [["--base-url"], ["--sandbox"]])
def test_another_service_must_be_named(
    against: Cli, cli: Cli, sandbox: Sandbox, named: list[str]
) -> None:
    """Neither the request nor the key goes where it was not meant to."""
    against(sandbox, "A red fox")
    key = {"NSCALE_API_KEY": KEY}

    refused = cli("images", "rerun", "last", env=key)
    with Sandbox() as other:
        value = [other.base_url] if named == ["--base-url"] else []
        done = cli("images", "rerun", "last", *named, *value, env=key)
        assert len(bodies(other)) == len(value)

    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        f"error: image 1 of the history was made by {sandbox.base_url}, and this would go to "
        "https://inference.api.nscale.com/v1",
        "hint: name the service that is meant: --base-url, --profile or --sandbox",
    ]
    assert done.exit_code == 0
    assert len(bodies(sandbox)) == 1


def test_a_file_cannot_send_a_request_elsewhere(
    rerun: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its host is compared with the one that is set up, and never used."""
    origin = replace(ORIGIN, host="evil.example")
    (tmp_path / "fox.png").write_bytes(embedded(PNG, origin, "full"))

    outcome = rerun("fox.png")

    assert outcome.exit_code == 2
    assert "was made by evil.example, and this would go to" in outcome.stderr
    assert sandbox.requests == []


def test_an_image_of_the_sandbox_is_not_made_for_money(generate: Cli, cli: Cli) -> None:
    """Where it was remembered at all."""
    generate("A red fox", env={"NSCALE_HISTORY": "1"})

    outcome = cli("images", "rerun", "last", env={"NSCALE_API_KEY": KEY})

    assert outcome.exit_code == 2
    assert "was made by the sandbox" in outcome.stderr
    assert cli("images", "rerun", "last", "--sandbox").exit_code == 0


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nothing", "nothing is neither a file nor an id of the history"),
        ("7", "there is no image 7 in the history"),
        ("last", "the history is empty"),
        ("plain.png", "plain.png was made is not known"),
        ("a1111.png", "a1111.png names a prompt, but no request that nscale made"),
        ("damaged.png", "the request in"),
    ],
)
def test_what_has_no_request_is_a_usage_error(
    rerun: Cli, sandbox: Sandbox, tmp_path: Path, word: str, message: str
) -> None:
    """Nothing is sent, and one line says why."""
    (tmp_path / "plain.png").write_bytes(PNG)
    (tmp_path / "a1111.png").write_bytes(WRITTEN["A1111 in PNG"][0])
    damaged = replace(ORIGIN, body={"prompt": ["x"], "model": 7})
    (tmp_path / "damaged.png").write_bytes(embedded(PNG, damaged, "full"))

    outcome = rerun(word)

    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert sandbox.requests == []


def test_a_failure_tells_the_request_to_a_script(
    against: Cli, rerun: Cli, sandbox: Sandbox
) -> None:
    """As far as it is known."""
    against(sandbox, "A red fox")

    outcome = rerun("last", "-z", "large", "--json")

    assert outcome.exit_code == 2
    data = outcome.document["data"]
    assert outcome.document["command"] == "images rerun"
    assert (data["prompt"], data["count"], data["size"]) == ("A red fox", 1, "large")  # type: ignore[index]

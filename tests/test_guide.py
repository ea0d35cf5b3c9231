"""The commands of Nscale's own guide run here as they are written there."""

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import KEY, Cli

MODEL = "black-forest-labs/FLUX.1-schnell"
# The command, the request's size, and the file that it leaves.
COMMANDS = [
    (
        'nscale images generate "A sunset over mountains" -a $NSCALE_API_KEY -m MODEL',
        "512x512",
        "a-sunset-over-mountains.png",
    ),
    (
        'nscale images generate "A futuristic city" -z 1024x1024 -a $NSCALE_API_KEY -m MODEL',
        "1024x1024",
        "a-futuristic-city.png",
    ),
    (
        'nscale images generate "A cat playing piano" -x -a $NSCALE_API_KEY -m MODEL',
        "512x512",
        "a-cat-playing-piano.png",
    ),
    (
        'nscale images generate "An abstract painting" -p -a $NSCALE_API_KEY -m MODEL',
        "512x512",
        "an-abstract-painting.png",
    ),
    (
        'nscale images generate "A forest landscape" -o ./my-image.png -a $NSCALE_API_KEY -m MODEL',
        "512x512",
        "my-image.png",
    ),
    ('nscale images generate "A sunset over mountains" -m MODEL', "512x512", None),
]


def arguments_of(command: str) -> list[str]:
    """Return the words that a shell would hand to the program."""
    words = shlex.split(command.replace("$NSCALE_API_KEY", KEY).replace("MODEL", MODEL))
    return words[1:]


@pytest.mark.parametrize(("command", "size", "file_name"), COMMANDS)
def test_a_command_of_the_guide_sends_what_the_guide_shows_and_saves_the_image(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, command: str, size: str, file_name: str | None
) -> None:
    """The request's body, its headers, the path on stdout and the file are all as promised."""
    env = {"NSCALE_API_KEY": KEY, "NSCALE_BASE_URL": sandbox.base_url}
    arguments = arguments_of(command)

    outcome = cli(*arguments, env=env)

    assert outcome.exit_code == 0, outcome.stderr
    (request,) = [request for request in sandbox.requests if request.path != "/v1/models"]
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    prompt = arguments[2]
    assert json.loads(request.body) == {"model": MODEL, "prompt": prompt, "size": size, "n": 1}
    path = tmp_path / (file_name or "a-sunset-over-mountains.png")
    assert outcome.stdout == f"{path}\n"
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert f"{picture.width}x{picture.height}" == size


@pytest.mark.parametrize(("command", "size", "file_name"), COMMANDS)
def test_a_command_of_the_guide_works_in_the_sandbox_without_a_network(
    cli: Cli, tmp_path: Path, command: str, size: str, file_name: str | None
) -> None:
    """`--sandbox` is all that has to be added."""
    outcome = cli(*arguments_of(command), "--sandbox")

    assert outcome.exit_code == 0, outcome.stderr
    with Image.open(outcome.stdout.strip()) as picture:
        assert f"{picture.width}x{picture.height}" == size

"""The sandbox answers clients that other people wrote, as the service would.

Those that are not on every machine are installed beside this file, as .ci/run does it.
"""

import base64
import io
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import require_command

HERE = Path(__file__).parent
MODEL = "black-forest-labs/FLUX.1-schnell"
ORDER = {"model": MODEL, "prompt": "A red fox", "size": "64x48"}
ORIGIN = "http://localhost:3000"


def installed(path: str, name: str) -> str:
    """Return where a client is that is installed beside the tests; skip, or fail in CI."""
    return require_command(name, str(HERE / path) if (HERE / path).exists() else None)


def output_of(command: Sequence[str | Path], sandbox: Sandbox, stdin: bytes = b"") -> bytes:
    """Return what a client writes to stdout; fail with all it said where it fails.

    It knows the sandbox by the variables of OpenAI's clients, and nothing of the contributor's.
    """
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(HERE / ".home"),
        "OPENAI_BASE_URL": sandbox.base_url,
        "OPENAI_API_KEY": "any",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it looks for one on the internet
    }
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def require_picture(encoded: str) -> None:
    """Assert that base64 is a whole picture of the size that was ordered."""
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (64, 48))


@pytest.mark.slow
def test_openai_s_client_for_node(sandbox: Sandbox) -> None:
    """It lists and retrieves models, makes images both ways, and tells a refusal."""
    node = require_command("node", shutil.which("node"))
    installed("node_modules/openai", "openai for Node")
    seen = json.loads(output_of([node, HERE / "openai.mjs"], sandbox))

    assert {MODEL, "sandbox/slow"} <= set(seen["listed"])
    assert (seen["retrieved"], seen["requestID"]) == (MODEL, "req-2")
    assert seen["refused"]["status"] == 429
    assert "You have insufficient credit" in seen["refused"]["message"]
    for encoded in seen["images"]:
        require_picture(encoded)


@pytest.mark.slow
def test_litellm(sandbox: Sandbox) -> None:
    """It makes images both ways, and tells a refusal."""
    python = installed(".venv/bin/python", "litellm")
    seen = json.loads(output_of([python, HERE / "litellm_client.py"], sandbox))

    assert seen["refused"]["status"] == 429
    assert "You have insufficient credit" in seen["refused"]["message"]
    for encoded in seen["images"]:
        require_picture(encoded)


class Curl:
    """Requests by curl."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Ask `sandbox`."""
        self._sandbox = sandbox
        self._program = require_command("curl", shutil.which("curl"))

    def ask(self, url: str, *, method: str = "GET", body: bytes = b"", origin: str = "") -> bytes:
        """Return the body of the answer, or its head where it has no body."""
        words = ["-sS", "--fail-with-body", "-H", "Authorization: Bearer any"]
        words += {"HEAD": ["--head"], "OPTIONS": ["-i", "-X", "OPTIONS"]}.get(method, [])
        if origin:
            words += ["-H", f"Origin: {origin}"]
        if body:
            words += ["-H", "Transfer-Encoding: chunked", "--data-binary", "@-"]
        return output_of([self._program, *words, url], self._sandbox, body)


class Httpie:
    """Requests by HTTPie."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Ask `sandbox`."""
        self._sandbox = sandbox
        self._program = installed(".venv/bin/http", "HTTPie")

    def ask(self, url: str, *, method: str = "GET", body: bytes = b"", origin: str = "") -> bytes:
        """Return the body of the answer, or its head where it has no body."""
        words = ["--check-status", "--print", "h" if method in ("HEAD", "OPTIONS") else "b"]
        words += ["--chunked"] if body else ["--ignore-stdin"]
        headers = ["Authorization: Bearer any", *([f"Origin: {origin}"] if origin else [])]
        command = [self._program, *words, "POST" if body else method, url, *headers]
        return output_of(command, self._sandbox, body)


@pytest.fixture(params=[Curl, pytest.param(Httpie, marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest, sandbox: Sandbox) -> Curl | Httpie:
    """A program that makes one request."""
    return request.param(sandbox)


def test_models_are_listed_and_retrieved(sandbox: Sandbox, client: Curl | Httpie) -> None:
    """Also one whose id has a slash."""
    listed = json.loads(client.ask(f"{sandbox.base_url}/models"))
    one = json.loads(client.ask(f"{sandbox.base_url}/models/{MODEL}"))

    assert one in listed["data"]
    assert one["id"] == MODEL


def test_an_order_in_chunks_makes_pictures(sandbox: Sandbox, client: Curl | Httpie) -> None:
    """In the reply itself, and at an address that needs no key."""
    address = f"{sandbox.base_url}/images/generations"
    for wanted in ("b64_json", "url"):
        body = json.dumps(ORDER | {"response_format": wanted}).encode()
        picture = json.loads(client.ask(address, body=body))["data"][0][wanted]
        if wanted == "url":
            picture = base64.b64encode(client.ask(picture)).decode()
        require_picture(picture)

    orders = [request for request in sandbox.requests if request.method == "POST"]
    assert [order.headers["transfer-encoding"] for order in orders] == ["chunked"] * 2


def test_a_page_s_browser_is_told_what_it_may(sandbox: Sandbox, client: Curl | Httpie) -> None:
    """By OPTIONS; HEAD has the headers of GET."""
    options = client.ask(f"{sandbox.base_url}/images/generations", method="OPTIONS", origin=ORIGIN)
    head = client.ask(f"{sandbox.base_url}/models", method="HEAD", origin=ORIGIN)

    assert options.startswith(b"HTTP/1.1 204 ") and head.startswith(b"HTTP/1.1 200 ")
    for shown in (options, head):
        assert f"Access-Control-Allow-Origin: {ORIGIN}".encode() in shown
    assert b"Content-Type: application/json" in head

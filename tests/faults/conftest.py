"""Fixtures of the fault tests: the fault server, images, and the count of injected faults."""

import base64
import functools
import io
import json
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from tests.conftest import KEY, Cli, Outcome
from tests.faults.raw_server import RawServer

BILLED_SENTENCES = {
    "no": "Nothing was billed.",
    "maybe": "The image may have been made, and billed.",
    "yes": "The request was billed.",
}
_LONGEST_SERVER_TEXT = 1500


@pytest.fixture
def raw() -> Iterator[RawServer]:
    """A server whose scripts the test writes."""
    with RawServer() as server:
        yield server


@pytest.fixture
def injected(request: pytest.FixtureRequest) -> Callable[[bool, str], None]:
    """Count a fault, and fail unless it really happened: `injected(proof, "what it was")`."""

    def count(happened: bool, fault: str) -> None:
        assert happened, f"the fault did not happen: {fault}"
        request.node.user_properties.append(("fault", fault))

    return count


@pytest.fixture
def buy(cli: Cli) -> Callable[..., Outcome]:
    """Run `nscale images generate cat` with a key, against the server given first."""

    def run(server: RawServer, *arguments: str, **options: object) -> Outcome:
        address = ("--base-url", server.base_url, "-a", KEY)
        outcome = cli("images", "generate", "cat", *address, *arguments, **options)
        require_no_key_bytes(outcome)
        return outcome

    return run


def require_no_key_bytes(outcome: Outcome) -> None:
    """Assert that the key is in no output, not in base64 either, and that no line is a flood."""
    text = outcome.stdout_bytes + outcome.stderr.encode()
    assert KEY.encode() not in text
    assert base64.b64encode(KEY.encode())[:-4] not in text
    assert max(map(len, outcome.stderr.splitlines()), default=0) <= _LONGEST_SERVER_TEXT


def require_failure(outcome: Outcome, code: int, billed: str) -> str:
    """Assert the exit code and the sentence about the bill; return the first error's text."""
    assert outcome.exit_code == code, outcome.stderr
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert errors, outcome.stderr
    assert errors[0].endswith(BILLED_SENTENCES[billed]), errors[0]
    return errors[0].removeprefix("error: ").removesuffix(BILLED_SENTENCES[billed]).rstrip(". ")


@functools.cache
def png(width: int = 24, height: int = 16) -> bytes:
    """Return a small PNG."""
    data = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(data, "png")
    return data.getvalue()


def as_base64(data: bytes) -> str:
    """Return bytes as the API sends them."""
    return base64.b64encode(data).decode()


def reply_of(*items: object) -> bytes:
    """Return the body of a successful reply whose `data` is `items`."""
    return json.dumps({"created": 1, "data": list(items)}).encode()


def good_reply() -> bytes:
    """Return the body of a reply with one image."""
    return reply_of({"b64_json": as_base64(png())})

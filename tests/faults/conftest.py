"""Fixtures of the fault tests: the fault server, images, and the count of injected faults."""

import base64
import functools
import io
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from PIL import Image

from tests.conftest import KEY, Cli, Outcome
from tests.faults.raw_server import RawServer, answers

BILLED_SENTENCES = {
    "no": "Nothing was billed.",
    "maybe": "The image may have been made, and billed.",
    "yes": "The request was billed.",
}
_MAX_SERVER_TEXT = 1500
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _uncovered_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage doubles the time of a process, and there are thousands here.

    What they run is covered by the tests of what is broken here. Lines in this process do count.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def raw() -> Iterator[RawServer]:
    """A server whose scripts the test writes."""
    with RawServer() as server:
        yield server


@pytest.fixture
def served(raw: RawServer) -> RawServer:
    """A server that sells one photo."""
    raw.scripts = [answers(reply_of({"b64_json": as_base64(photo())}))]
    return raw


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
    assert max(map(len, outcome.stderr.splitlines()), default=0) <= _MAX_SERVER_TEXT


def require_failure(outcome: Outcome, code: int, billed: str) -> str:
    """Assert the exit code and the sentence about the bill; return the first error's text."""
    assert outcome.exit_code == code, outcome.stderr
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert errors, outcome.stderr
    assert errors[0].endswith(BILLED_SENTENCES[billed]), errors[0]
    return errors[0].removeprefix("error: ").removesuffix(BILLED_SENTENCES[billed]).rstrip(". ")


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files below `folder`, also hidden ones, by their paths; the key is in none."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    assert not any(KEY.encode() in data for data in contents.values())
    return contents


@functools.cache
def png(width: int = 24, height: int = 16) -> bytes:
    """Return a small PNG."""
    data = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(data, "png")
    return data.getvalue()


@functools.cache
def photo() -> bytes:
    """Return a PNG of some 240 kB, as large as one that is paid for."""
    data = io.BytesIO()
    Image.effect_noise((600, 400), 60).save(data, "png")
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


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts yet."""
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that SSL_CERT_FILE names where the authority is to be trusted."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def no_network_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the contributor's own network settings."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def trusted(
    no_network_settings: None, authority_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return what a server needs to present `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[RawServer]:
    """An https server with a good certificate and an image."""
    context = context_of(authority.issue_cert("localhost", "127.0.0.1"))
    with RawServer(tls=context, scripts=[answers(good_reply())]) as server:
        yield server

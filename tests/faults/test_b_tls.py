"""TLS: nothing is sent to a service that is not who it says it is, or that is too late."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tests.conftest import KEY, Cli, Outcome, Program, require_command
from tests.faults.conftest import context_of, good_reply, png, require_failure
from tests.faults.gates import until
from tests.faults.raw_server import RawServer, answers
from tests.runs.serving import events_of, write_rows

pytestmark = pytest.mark.usefixtures("no_network_settings")
Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
PAST = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.usefixtures("trusted")
def test_a_trusted_certificate_is_accepted(buy: Buy, secure: RawServer) -> None:
    """The control of all that follows."""
    outcome = buy(secure)

    assert outcome.exit_code == 0
    assert Path(outcome.stdout.strip()).read_bytes() == png()
    assert (secure.posts, secure.failed_handshakes) == (1, 0)


CLOCK = "hint: is this computer's clock right? It says "
CHECK = "hint: check the base URL, this computer's clock, and SSL_CERT_FILE or SSL_CERT_DIR"


@pytest.mark.parametrize(
    ("fault", "reason", "hint"),
    [
        ("untrusted", "certificate", CHECK),
        ("wrong name", "certificate is not valid for '127.0.0.1'", CHECK),
        ("expired", "certificate has expired", CLOCK),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_a_bad_certificate_ends_the_run_before_anything_is_sent(
    buy: Buy, injected: Injected, authority: trustme.CA, fault: str, reason: str, hint: str
) -> None:
    """One handshake, no request; turning the check off is never suggested."""
    certificates = {
        "untrusted": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "wrong name": lambda: authority.issue_cert("images.example.com"),
        "expired": lambda: authority.issue_cert("127.0.0.1", not_after=PAST),
    }
    context = context_of(certificates[fault]())
    with RawServer(tls=context) as server:
        outcome = buy(server)

    message = require_failure(outcome, 7, "no")
    assert message.startswith("127.0.0.1 was not reached: its certificate is not trusted (")
    assert reason in message
    assert hint in outcome.stderr
    assert (server.connections, len(server.requests)) == (1, 0)
    injected(server.failed_handshakes == 1, f"certificate: {fault}")


def greet(plain: socket.socket, greeted: list[bytes]) -> None:
    """Answer one connection as a server does that has never heard of TLS."""
    client, _ = plain.accept()
    with client:
        greeted.append(client.recv(65536))
        client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.usefixtures("trusted")
def test_a_service_without_tls_gets_no_request(
    buy: Buy, raw: RawServer, injected: Injected
) -> None:
    """https to a server that speaks plain http."""
    greeted: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=greet, args=(plain, greeted), daemon=True).start()
        outcome = buy(raw, "--base-url", f"https://127.0.0.1:{plain.getsockname()[1]}/v1")

    assert "no TLS connection" in require_failure(outcome, 7, "no")
    injected(len(greeted) == 1, "https to a plain http server")


@pytest.mark.parametrize(
    ("variable", "content", "code", "message"),
    [
        ("SSL_CERT_FILE", None, 3, "the certificates that SSL_CERT_FILE names cannot be loaded"),
        ("SSL_CERT_FILE", "junk", 3, "the certificates that SSL_CERT_FILE names cannot be loaded"),
        ("SSL_CERT_FILE", "", 3, "the certificates that SSL_CERT_FILE names cannot be loaded"),
        ("SSL_CERT_DIR", None, 7, "its certificate is not trusted"),
    ],
)
def test_certificates_that_cannot_be_loaded_are_named(
    buy: Buy,
    secure: RawServer,
    injected: Injected,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    content: str | None,
    code: int,
    message: str,
) -> None:
    """Missing, not certificates, empty: the message says which variable leads there."""
    path = tmp_path_factory.mktemp("certificates") / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))

    outcome = buy(secure)

    assert message in require_failure(outcome, code, "no")
    assert variable in outcome.stderr
    assert secure.connections == (code == 7)
    injected(secure.posts == 0, f"{variable}: {content!r}")


def test_an_empty_certificate_variable_means_the_systems_own(
    buy: Buy, secure: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which does not trust the test's authority."""
    monkeypatch.setenv("SSL_CERT_FILE", "")

    require_failure(buy(secure), 7, "no")

    injected(secure.settled().failed_handshakes == 1, "SSL_CERT_FILE empty")


def test_a_wrong_clock_is_thought_of(
    program: Program, secure: RawServer, injected: Injected, authority_file: Path
) -> None:
    """A certificate of today is not yet valid in 1999."""
    faketime = require_command("faketime", shutil.which("faketime"))
    words = ["images", "generate", "cat", "--base-url", secure.base_url]
    env = program.env | {
        "SSL_CERT_FILE": str(authority_file),
        "NSCALE_API_KEY": KEY,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock on the wall is wrong, not a stopwatch
    }

    ended = subprocess.run(
        [faketime, "-f", "@1999-01-01 12:00:00", *program.command, *words],
        cwd=program.cwd,
        env=env,
        capture_output=True,
        check=False,
    )

    outcome = Outcome(
        exit_code=ended.returncode, stdout_bytes=ended.stdout, stderr=ended.stderr.decode()
    )
    assert "certificate is not yet valid" in require_failure(outcome, 7, "no")
    assert f"{CLOCK}01 January 1999" in outcome.stderr
    injected(secure.settled().failed_handshakes == 1, "the clock says 1999")


class LateAtFirst(RawServer):
    """The first connection after the question for prices is secure only when another has come."""

    def _is_secure(self, client: socket.socket) -> bool:
        before = self.connections
        if before == 2:
            until(lambda: self.connections > before)
        return super()._is_secure(client)


@pytest.mark.usefixtures("trusted")
def test_what_was_given_up_before_it_was_sent_is_never_sent(
    cli: Cli, injected: Injected, authority: trustme.CA, tmp_path: Path
) -> None:
    """The run goes on, and the thread that waits for its connection gets one in the end."""
    context = context_of(authority.issue_cert("localhost", "127.0.0.1"))
    write_rows(tmp_path, 2)
    with LateAtFirst(tls=context, scripts=[answers(good_reply())]) as server:
        run = ("images", "batch", "rows.txt", "--base-url", server.base_url, "-a", KEY)
        outcome = cli(*run, "-j", "1", "--timeout", "1", "--retry", "0", "--keep-going")
        asked = [json.loads(request.body)["prompt"] for request in server.settled().requests]

    injected((server.connections, server.failed_handshakes) == (3, 0), "a handshake too late")
    assert asked == ["prompt 2"]
    assert "127.0.0.1 was not reached within 1 s; nothing was billed" in outcome.stderr
    told = [event.get("billed", event["s"]) for event in events_of(tmp_path / "rows")]
    assert told == ["sent", "no", "sent", "saved"]

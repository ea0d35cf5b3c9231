"""Where requests go: redirects and wrong addresses neither get the key nor make a connection."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import ConfigurationError
from nscale_cli.service.client import Client
from tests.conftest import KEY, Cli, Outcome, Program, require_command
from tests.faults.audit import NETWORK, audited
from tests.faults.conftest import good_reply, require_failure
from tests.faults.raw_server import RawServer, answers

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
PASSWORD = "hunter2-hunter2"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_is_not_followed(
    buy: Buy, raw: RawServer, injected: Injected, status: int, host: str
) -> None:
    """Neither the prompt nor the key goes to an address that the user did not give."""
    with RawServer() as elsewhere:
        elsewhere.scripts = [answers(good_reply())]
        url = f"http://{host}:{elsewhere.port}/v1/images/generations"
        raw.scripts = [answers(b"", status, f"Location: {url}")]

        # 303 says that the POST has been done, and that its result is to be had elsewhere.
        message = require_failure(buy(raw), 3, "maybe" if status == 303 else "no")

        assert elsewhere.connections == 0
    assert message == f"the address redirects to {url} ({status}), which nscale does not follow"
    assert raw.posts == 1
    injected(raw.played == 1, f"{status} to {host}")


@pytest.mark.parametrize(
    "location",
    ["/v1/images/generations", "", "//[", "file:///etc/passwd", f"https://x/?k={KEY}", None],
)
def test_a_redirect_to_anywhere_is_one_request(
    buy: Buy, raw: RawServer, injected: Injected, location: str | None
) -> None:
    """A loop is not walked, and an impossible address is not tried."""
    headers = [] if location is None else [f"Location: {location}"]
    raw.scripts = [answers(b"", 307, *headers)]

    assert require_failure(buy(raw), 3, "no").startswith("the address redirects to")

    assert len(raw.requests) == 1
    injected(raw.played == 1, f"307 to {location!r}")


@pytest.mark.parametrize("status", [301, 307, 308])
@pytest.mark.usefixtures("trusted")
def test_a_redirect_from_https_to_plain_http_is_not_followed(
    buy: Buy, raw: RawServer, secure: RawServer, injected: Injected, status: int
) -> None:
    """The prompt would be readable on the way."""
    secure.scripts = [answers(b"", status, f"Location: {raw.base_url}/images/generations")]

    require_failure(buy(secure), 3, "no")

    assert raw.connections == 0
    injected(secure.posts == 1, f"{status} from https to http")


def test_the_http_client_follows_nothing_by_itself(
    buy: Buy, raw: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two guards stand here; with the first taken away, the second still holds."""
    monkeypatch.setattr(Client, "_take_refusal", lambda client, response: None)
    with RawServer(scripts=[answers(good_reply())]) as elsewhere:
        url = f"{elsewhere.base_url}/images/generations"
        raw.scripts = [answers(b"", 307, f"Location: {url}")]

        assert buy(raw).exit_code != 0

        assert elsewhere.connections == 0
    injected(raw.posts == 1, "307, with the first guard taken away")


BAD_URLS = {
    "empty": "",
    "blank": " ",
    "no scheme": "localhost:1",
    "host only": "inference.api.nscale.com",
    "ftp": "ftp://example.com/v1",
    "file": "file:///etc/passwd",
    "no host": "https:///v1",
    "open bracket": "http://[::1",
    "bad address": "https://[v1.x]/v1",
    "too many numbers": "https://1.2.3.4.5/v1",
    "number too large": "https://256.1.1.1/v1",
    "space in host": "https://exam ple.com/v1",
    "space at the end": "https://example.com/v1 ",
    "line break": "https://example.com/v1\r\nX-Header: 1",
    "escape": "https://example.com/\x1b]0;title\x07",
    "delete": "https://example.com/\x7f",
    "other scripts": "https://ex\u00e4mple.com/v1",
    "port too large": "https://example.com:99999/v1",
    "port of letters": "https://example.com:abc/v1",
    "empty label": "https://example..com/v1",
    "only a dot": "https://./v1",
    "long label": f"https://{'a' * 64}.com/v1",
    "long host": f"https://{'a.' * 127}com/v1",
    "long path": f"https://example.com/{'a' * 70_000}",
    "query": "https://example.com/v1?a=b",
    "fragment": "https://example.com/v1#a",
    "backslash": "https://example.com\\@other.example/v1",
    "password": f"https://user:{PASSWORD}@example.com/v1",
    "odd password": f"https://user:{PASSWORD}/{PASSWORD}@example.com/v1",
    "plain http": "http://example.com/v1",
    "nearly loopback": "http://127.0.0.1.example.com/v1",
    "five numbers": "http://127.0.0.0.1/v1",
    "plain http to the network": "http://192.168.0.1:8000/v1",
    "plain http to anywhere": "http://0.0.0.0:8000/v1",
}


@pytest.mark.parametrize(
    ("name", "source"),
    # An empty variable is an unset one.
    [(name, "option") for name in BAD_URLS] + [(name, "variable") for name in BAD_URLS][1:],
)
def test_a_bad_base_url_is_refused_before_any_connection(
    cli: Cli, injected: Injected, name: str, source: str
) -> None:
    """An address that no key may be sent to never sees one."""
    url = BAD_URLS[name]
    words = ("--base-url", url) if source == "option" else ()
    env = {"NSCALE_BASE_URL": url} if source == "variable" else {}

    with audited(NETWORK) as seen:
        outcome = cli("images", "generate", "cat", "-a", KEY, *words, env=env)

    message = require_failure(outcome, 3, "no")
    assert message.startswith("the base URL ")
    assert PASSWORD not in outcome.stderr
    assert len(outcome.stderr) < 1000
    injected(seen == [], f"base URL: {name}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_plain_http_to_this_machine_works(buy: Buy, raw: RawServer, host: str) -> None:
    """The control: these addresses do make a connection, and nothing leaves the machine."""
    raw.scripts = [answers(good_reply())]
    url = f"http://{host}:{raw.port}/v1"

    with audited(NETWORK) as seen:
        outcome = buy(raw, "--base-url", url)

    assert outcome.exit_code == 0
    assert raw.posts == 1
    assert any(event.startswith("socket.connect") for event in seen)


@pytest.mark.parametrize("plain", [True, False])
def test_no_socket_is_opened_for_plain_http_beyond_this_machine(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path, plain: bool
) -> None:
    """As the kernel sees it, name lookups included; with this machine as the control."""
    strace = require_command("strace", shutil.which("strace"))
    raw.scripts = [answers(good_reply())]
    url = "http://example.com/v1" if plain else raw.base_url
    log = tmp_path / "strace.log"
    words = ["images", "generate", "cat", "--base-url", url, "-a", KEY]
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    traced = [strace, "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", str(log)]

    code = subprocess.run(
        [*traced, *program.command, *words],
        cwd=tmp_path,
        env=program.env,
        capture_output=True,
        check=False,
    ).returncode

    network = re.findall(r"AF_INET6?.*", log.read_text())
    assert code == (3 if plain else 0)
    assert bool(network) is not plain
    if plain:
        injected(not network, "plain http beyond this machine, under strace")


@settings(max_examples=200, deadline=None)
@given(
    url=st.builds(
        "{}://{}{}".format,
        st.sampled_from(["https", "HTTPS", "http", "h", ""]),
        st.text("aZ09v.-_:[]@%", max_size=14) | st.from_regex(r"[0-9.]{1,4}\.[0-9a-f]+(:[0-9]+)?"),
        st.text("/%a:@[]?# \\", max_size=6) | st.text(max_size=6),
    )
)
def test_any_base_url_is_either_refused_or_usable(url: str) -> None:
    """Nothing in between: what is accepted, the HTTP client can be built for."""
    key = ApiKey(value=KEY, source="-a")
    try:
        connection = Connection(base_url=url, api_key=key, timeout_seconds=1, retries=0)
    except ConfigurationError:
        return
    connection.host.encode("idna")  # as a name lookup does
    with Client(connection):
        pass

"""Images that came as addresses: fetched where a profile says so, from public hosts only."""

import http.server
import io
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from PIL import Image

from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import Sandbox
from nscale_cli.service import fetch as fetching
from nscale_cli.service.decode import Item
from nscale_cli.service.fetch import fetch_image
from tests.conftest import KEY, Cli, ScriptedServer, images_reply

HOST = "pictures.example"


def png() -> bytes:
    """Return the bytes of a small picture."""
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(data, "png")
    return data.getvalue()


class Pictures:
    """A host of pictures with https, at a loopback port; it remembers what it was asked."""

    def __init__(self, authority: trustme.CA) -> None:
        """Begin to answer."""
        self.status, self.body, self.headers = 200, png(), {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        pictures = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pictures.requests.append((self.path, dict(self.headers)))
                self.send_response(pictures.status)
                for name, value in pictures.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(pictures.body)

            def log_message(self, *_: object) -> None: ...

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://{HOST}:{self.http.server_port}/a/b.png?c=d"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pictures]:
    """A host that this test's network knows as a public one."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    # The network beyond loopback: a name that leads there, and an address that counts as public.
    lookup = fetching.socket.getaddrinfo
    monkeypatch.setattr(
        fetching.socket,
        "getaddrinfo",
        lambda name, *rest, **more: lookup("127.0.0.1" if name == HOST else name, *rest, **more),
    )
    is_public = fetching._is_public
    monkeypatch.setattr(
        fetching, "_is_public", lambda address: address == "127.0.0.1" or is_public(address)
    )
    pictures = Pictures(authority)
    yield pictures
    pictures.http.shutdown()
    pictures.http.server_close()


def test_an_image_is_fetched_without_a_key(host: Pictures) -> None:
    """The host is another than the one that was paid."""
    image = fetch_image(host.url)

    assert image == Item(data=png())
    ((path, headers),) = host.requests
    assert path == "/a/b.png?c=d"
    assert set(headers) == {"Host", "Accept-Encoding", "Accept", "User-Agent"}


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (302, {"Location": "https://127.0.0.1/"}, "the answer was 302"),
        (404, {}, "the answer was 404"),
    ],
)
def test_a_redirect_is_not_followed(
    host: Pictures, status: int, headers: dict[str, str], reason: str
) -> None:
    """It could lead into this network."""
    host.status, host.headers = status, headers

    assert fetch_image(host.url) == Item(reason=f"{host.url} was not fetched: {reason}")
    assert len(host.requests) == 1


def test_what_is_too_large_is_not_taken(host: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on what is read, whatever a header says."""
    monkeypatch.setattr(fetching, "MAX_BYTES", 50)

    rejected = fetch_image(host.url)

    assert rejected.data is None
    assert "is larger than" in rejected.reason


def test_what_is_no_image_is_kept_as_it_came(host: Pictures) -> None:
    """Such as a page that asks to sign in."""
    host.body = b"<html>"

    assert fetch_image(host.url) == Item(data=b"<html>")


@pytest.mark.parametrize("promised", [False, True])
def test_what_is_no_whole_image_is_kept_as_it_came(host: Pictures, promised: bool) -> None:
    """It broke off, or its host has no more of it."""
    host.body = png()[:-1]
    host.headers = {"Content-Length": str(len(png()))} if promised else {}

    assert fetch_image(host.url) == Item(data=png()[:-1])


def test_a_certificate_of_another_is_refused(
    host: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name must be the one in the address."""
    monkeypatch.setattr(fetching, "_public_address", lambda *_: "127.0.0.1")

    rejected = fetch_image(host.url.replace(HOST, "other.example"))

    assert rejected.data is None
    assert "certificate" in rejected.reason.lower()
    assert host.requests == []


@pytest.mark.parametrize(
    "host_name",
    [
        "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "192.168.1.1",
        "169.254.169.254", "0.0.0.0", "[fe80::1]", "[fd00::1]", "224.0.0.1", "100.64.0.1",
    ],
)  # fmt: skip
def test_no_address_of_this_network_is_ever_asked(host_name: str) -> None:
    """A service that says where to look must not look around in here."""
    with Sandbox() as inside:
        port = inside.base_url.rpartition(":")[2].removesuffix("/v1")
        rejected = fetch_image(f"https://{host_name}:{port}/v1/models")

    assert rejected.data is None
    assert rejected.reason.endswith("is not a public address")
    assert inside.requests == []


# Ways to say 127.0.0.1, 10.0.0.1, 169.254.169.254 and the like in IPv6.
DISGUISED = (
    "64:ff9b::a9fe:a9fe", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::224.0.0.1",
    "64:ff9b:1::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::", "2002:c0a8:101:1:2:3:4:5",
    "::127.0.0.1", "::a9fe:a9fe", "::8.8.8.8", "::", "::1",
    "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:0:7f00:1::", "2001::1",
    "fec0::1", "feff::1", "fe80::1", "fe80::1%1", "fc00::1", "fdff::1", "ff02::1", "ff0e::1",
    "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:169.254.169.254", "2a00::5efe:127.0.0.1",
    "2002:808:808::5efe:10.0.0.1", "fd00::5efe:8.8.8.8", "fe80::200:5efe:8.8.8.8",
    "2001:0:808:808::5efe:8.8.8.8",
    "100::1", "2001:db8::1", "4000::1", "0:1::1", "8000::1",
)  # fmt: skip
PUBLIC = (
    "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8", "2002:808:808::1", "2606:4700::5efe:8.8.8.8", "2606:4700::200:5efe:8.8.8.8",
    "2606:4700::100:5efe:10.0.0.1",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("address", DISGUISED)
def test_a_private_address_in_disguise_is_never_asked(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Translators and tunnels would take such a request into this network."""
    asked: list[object] = []
    monkeypatch.setattr(
        fetching.socket, "create_connection", lambda *place, **_: asked.append(place)
    )
    monkeypatch.setattr(
        fetching.socket, "getaddrinfo", lambda *_, **__: [(10, 1, 6, "", (address, 443, 0, 0))]
    )

    rejected = fetch_image("https://pictures.example/a.png")

    assert rejected.data is None
    assert rejected.reason.endswith("is not a public address")
    assert asked == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control; where a network has IPv6 alone, every host has an address of a translator."""
    asked: list[tuple[str, int]] = []

    def connect(place: tuple[str, int], **_: object) -> None:
        asked.append(place)
        raise OSError(None, "far away")

    monkeypatch.setattr(fetching.socket, "create_connection", connect)
    monkeypatch.setattr(
        fetching.socket, "getaddrinfo", lambda *_, **__: [(10, 1, 6, "", (address, 443, 0, 0))]
    )

    rejected = fetch_image("https://pictures.example/a.png")

    assert rejected.data is None
    assert rejected.reason.endswith("was not fetched: far away")
    assert asked == [(address, 443)]


@pytest.mark.parametrize(
    "url",
    ["http://pictures.example/a", "file:///etc/passwd", "https://me@pictures.example/", "https:",
     "//x", "", "https://[", "ftp://x/", "https://x:99999/", "https://a b/"],
)  # fmt: skip
def test_any_other_address_is_a_reason(url: str) -> None:
    """Only https; nothing is raised."""
    assert fetch_image(url).data is None


def test_a_profile_decides_whether_addresses_are_fetched(
    cli: Cli, server: ScriptedServer, host: Pictures, tmp_path: Path
) -> None:
    """Not without it: the reply is kept then, exit code 22."""
    server.answers = [Answer(body=images_reply({"url": host.url}).body)]
    config = tmp_path / "config.toml"
    config.write_text(
        f'[profiles.a]\nbase_url = "{server.base_url}"\nfetch_urls = true\n'
        f'[profiles.b]\nbase_url = "{server.base_url}"\n'
    )
    env = {"NSCALE_CONFIG": str(config)}

    outcome = cli("images", "generate", "cat", "--profile", "b", "-a", KEY, env=env)
    assert outcome.exit_code == 22
    assert host.requests == []

    outcome = cli("images", "generate", "cat", "--profile", "a", "-a", KEY, env=env)
    assert outcome.exit_code == 0
    assert Path(outcome.stdout.rstrip("\n")).read_bytes() == png()
    assert KEY not in str(host.requests)


@pytest.mark.parametrize("body", [png()[:-20], png()[:8], b"<html>"], ids=["cut", "8 bytes", "web"])
def test_what_is_fetched_and_no_image_is_kept(
    cli: Cli, server: ScriptedServer, host: Pictures, tmp_path: Path, body: bytes
) -> None:
    """It was paid for all the same."""
    host.body = body
    server.answers = [Answer(body=images_reply({"url": host.url}).body)]
    config = tmp_path / "config.toml"
    config.write_text(f'[profiles.a]\nbase_url = "{server.base_url}"\nfetch_urls = true\n')
    words = ("images", "generate", "cat", "--profile", "a", "-a", KEY, "--json")

    outcome = cli(*words, env={"NSCALE_CONFIG": str(config)})

    assert outcome.exit_code == 22
    (error,) = outcome.document["errors"]
    assert error["billed"] == "yes"
    assert error["message"].startswith("image 1 is not usable: its ")
    (kept,) = outcome.document["data"]["kept"]
    assert Path(kept).read_bytes() == body
    assert Path(kept).suffix == ".bin"


def test_a_profile_shapes_the_request(cli: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    """For servers that are not quite like OpenAI's."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[profiles.a]\nbase_url = "{sandbox.base_url}"\nsend_size = false\n'
        'response_format = "b64_json"\n'
    )
    env = {"NSCALE_CONFIG": str(config), "NSCALE_PROFILE": "a"}

    assert cli("images", "generate", "cat", "-m", "m", env=env).exit_code == 0

    (request,) = [each for each in sandbox.requests if each.method == "POST"]
    assert json.loads(request.body) == {
        "model": "m",
        "prompt": "cat",
        "n": 1,
        "response_format": "b64_json",
    }

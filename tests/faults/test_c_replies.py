"""Replies of every shape: each image in them is saved, and whatever else was paid for is kept."""

import base64
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import ExitCode
from nscale_cli.jobs.collect import ReplySink
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.jobs.save import Store
from nscale_cli.output.images import Generated
from nscale_cli.output.result import report
from nscale_cli.request import ImageRequest, Size
from nscale_cli.service.decode import decode_base64
from nscale_cli.service.replies import Reply, error_in
from nscale_cli.storage.names import plan
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import Clock
from tests.conftest import KEY, Outcome, Program, Stream, require_command
from tests.faults.audit import NETWORK, PROCESSES, audited
from tests.faults.conftest import as_base64, good_reply, png, reply_of, require_failure
from tests.faults.raw_server import RawServer, answers, pouring
from tests.faults.reply_shapes import PAGE, POSTSCRIPT, SCRIPT, SHAPES, SVG

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
_IMAGES = ("*.png", "*.jpg", "*.webp")


def bytes_of(folder: Path, *patterns: str) -> list[bytes]:
    """Return the contents of the files that match, in no particular order."""
    return sorted(path.read_bytes() for pattern in patterns for path in folder.glob(pattern))


@pytest.mark.parametrize("name", SHAPES)
def test_a_reply_of_any_shape_is_saved_or_kept(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, name: str
) -> None:
    """The images are on disk, else the reply is, byte for byte but for the key."""
    shape = SHAPES[name]
    head = f"Content-Type: {shape.content_type}\r\n" if shape.content_type else ""
    raw.scripts = [
        pouring(
            f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(shape.body)}\r\n\r\n".encode(),
            [shape.body],
        )
    ]

    outcome = buy(raw)

    assert outcome.exit_code == shape.code, outcome.stderr
    assert bytes_of(tmp_path, *_IMAGES) == sorted(shape.images)
    assert bytes_of(tmp_path, "*.bin") == sorted(shape.rejected)
    scrubbed = shape.body.replace(KEY.encode(), b"[key hidden]")
    assert bytes_of(tmp_path, "*-reply.json") == ([scrubbed] if shape.kept else [])
    assert len(outcome.stdout.splitlines()) == len(shape.images)
    told = outcome.stdout + outcome.stderr
    assert all(str(path) in told for path in tmp_path.iterdir())
    assert as_base64(png())[:40] not in told
    assert raw.posts == 1
    injected(raw.played == 1, f"reply: {name}")


def test_there_is_a_row_for_each_kind_of_reply() -> None:
    """The table covers what it is meant to."""
    assert len(SHAPES) >= 50
    assert {shape.code for shape in SHAPES.values()} == {0, 5, 13, 22}


@given(data=st.binary(min_size=1, max_size=300), cut=st.integers(1, 90))
def test_base64_of_any_dialect_is_decoded_exactly(data: bytes, cut: int) -> None:
    """A prefix, line breaks, no padding, the other alphabet: the bytes are the same."""
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        broken = "\r\n".join(text[start : start + cut] for start in range(0, len(text), cut))
        for dialect in (text, text.rstrip("="), broken, f"data:image/png;base64,{broken}"):
            assert decode_base64(dialect) == data


@given(text=st.text("ABab01-_+/=", max_size=80))
def test_base64_is_never_silently_shortened(text: str) -> None:
    """Every letter counts, or the text is refused; a lenient decoder drops those it dislikes."""
    try:
        data = decode_base64(text)
    except ValueError:
        return
    assert len(data) == len(text.rstrip("=")) * 6 // 8


HOSTILE_URLS = (
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "http://127.0.0.1:{port}/",
    "https://images.example.com/x.png",
    "\x1b]8;;http://x\x07",
    "javascript:alert(1)",
)


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_an_address_is_never_fetched(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path, url: str
) -> None:
    """It could be an address inside the user's own network; it is shown, and the reply kept."""
    with RawServer(scripts=[answers(b"")]) as bait:
        body = reply_of({"url": url.format(port=bait.port)})
        raw.scripts = [answers(body)]
        with audited(NETWORK) as seen:
            outcome = buy(raw, "-x", "-p")

    assert "it came as an address, which nscale does not fetch" in require_failure(
        outcome, 22, "yes"
    )
    assert (tmp_path / "cat-reply.json").read_bytes() == body
    connected = {event for event in seen if event.startswith("socket.connect")}
    assert connected == {f"socket.connect ('127.0.0.1', {raw.port})"}
    injected(raw.posts == 1 and bait.connections == 0, f"url: {url!r}")


@pytest.mark.parametrize("by_address", [True, False])
def test_the_only_connection_is_to_the_service(
    program: Program, raw: RawServer, injected: Injected, tmp_path: Path, by_address: bool
) -> None:
    """As the kernel sees it; with an image in the reply as the control."""
    strace = require_command("strace", shutil.which("strace"))
    item = {"url": "http://169.254.169.254/"} if by_address else {"b64_json": as_base64(png())}
    raw.scripts = [answers(reply_of(item))]
    log = tmp_path / "strace.log"
    words = ["images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY]

    code = subprocess.run(
        [
            strace,
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-e",
            "trace=connect",
            "-o",
            log,
            *program.command,
            *words,
        ],
        cwd=tmp_path,
        env=program.env,
        capture_output=True,
        check=False,
    ).returncode

    network = [line for line in log.read_text().splitlines() if "AF_INET" in line]
    assert code == (22 if by_address else 0)
    assert 1 <= len(network) <= 2  # for the image, and for its price
    assert all(f"htons({raw.port})" in line for line in network)
    injected(raw.posts == 1, f"a reply by address: {by_address}")


@pytest.fixture
def desktop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which -x opens something, if it opens anything."""
    folder = tmp_path_factory.mktemp("desktop")
    (folder / "xdg-open").write_text("#!/bin/sh\n")
    (folder / "xdg-open").chmod(0o755)
    return {"DISPLAY": ":0", "PATH": str(folder)}


@pytest.mark.parametrize("data", [SCRIPT, SVG, PAGE, POSTSCRIPT], ids=["sh", "svg", "html", "eps"])
def test_what_is_no_image_is_neither_shown_nor_opened(
    buy: Buy,
    raw: RawServer,
    injected: Injected,
    tmp_path: Path,
    desktop: dict[str, str],
    data: bytes,
) -> None:
    """It is kept under a name that no viewer claims."""
    raw.scripts = [answers(reply_of({"b64_json": as_base64(data)}))]

    with audited(PROCESSES) as started:
        outcome = buy(raw, "-p", "-x", "-o", "cat.png", env=desktop)

    message = require_failure(outcome, 22, "yes")
    [kept] = tmp_path.glob("*.bin")
    assert message.endswith(f"its bytes are not PNG, JPEG or WebP; it is kept at {kept}")
    assert kept.read_bytes() == data
    assert kept.stat().st_mode & 0o111 == 0
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    injected(started == [], f"no image: {data[:9]!r}")


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_image_is_opened(buy: Buy, raw: RawServer, desktop: dict[str, str]) -> None:
    """The control: here a process is started."""
    raw.scripts = [answers(good_reply())]

    with audited(PROCESSES) as started:
        outcome = buy(raw, "-x", env=desktop)

    assert outcome.exit_code == 0
    assert any(event.startswith("subprocess.Popen") for event in started)


def jpeg() -> bytes:
    """Return a small JPEG."""
    data = io.BytesIO()
    Image.open(io.BytesIO(png())).save(data, "jpeg", quality=90)
    return data.getvalue()


def test_a_jpeg_gets_its_own_ending_where_the_name_is_ours(
    buy: Buy, raw: RawServer, tmp_path: Path
) -> None:
    """The bytes are what they are, whatever was expected."""
    raw.scripts = [answers(reply_of({"b64_json": as_base64(jpeg())}))]

    outcome = buy(raw)

    assert outcome.exit_code == 0
    assert outcome.stdout == f"{tmp_path / 'cat.jpg'}\n"
    assert (tmp_path / "cat.jpg").read_bytes() == jpeg()


def test_a_jpeg_becomes_a_png_where_the_name_says_so(
    buy: Buy, raw: RawServer, tmp_path: Path
) -> None:
    """With the same pixels, and without a second file."""
    raw.scripts = [answers(reply_of({"b64_json": as_base64(jpeg())}))]

    outcome = buy(raw, "-o", "x.png")

    assert outcome.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
    with Image.open(tmp_path / "x.png") as saved, Image.open(io.BytesIO(jpeg())) as sent:
        assert saved.format == "PNG"
        assert saved.convert("RGB").tobytes() == sent.convert("RGB").tobytes()


def test_a_jpeg_that_cannot_become_a_png_is_saved_as_it_came(
    buy: Buy, raw: RawServer, injected: Injected, tmp_path: Path
) -> None:
    """Under its own ending; the exit code says that it is not what was asked for."""
    damaged = jpeg()[:2] + jpeg()[jpeg().index(b"\xff\xda") :]  # no size, no tables
    raw.scripts = [answers(reply_of({"b64_json": as_base64(damaged)}))]

    message = require_failure(buy(raw, "-o", "x.png"), 22, "yes")

    assert [path.name for path in tmp_path.iterdir()] == ["x.jpg"]
    assert (tmp_path / "x.jpg").read_bytes() == damaged
    injected("could not be converted" in message, "a damaged JPEG for a PNG name")


texts = st.text(max_size=20) | st.sampled_from([as_base64(png()), "insufficient_credit", KEY])
keys = st.sampled_from(["data", "b64_json", "url", "error", "code", "type", "message", "detail"])
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | texts, inner, max_size=5),
    max_leaves=12,
)
replies = st.one_of(
    documents,
    st.fixed_dictionaries({"data": st.lists(documents, max_size=4)}),
    st.fixed_dictionaries({"data": st.lists(st.dictionaries(keys, documents), max_size=4)}),
)


@settings(max_examples=250, deadline=None)
@given(document=replies, count=st.integers(1, 3))
def test_no_reply_is_a_bug(document: object, count: int) -> None:
    """Whatever is paid for, nothing is raised, and every reply leaves something on disk."""
    reply = Reply(status=200, body=json.dumps(document).encode())
    request = ImageRequest(prompt="cat", model="m", size=Size(width=1, height=1), count=count)
    key = ApiKey(value=KEY, source="-a")
    connection = Connection(
        base_url="http://127.0.0.1/v1", api_key=key, timeout_seconds=1, retries=0
    )
    if error_in(reply, connection, model="m", now=Clock().now()) is not None:
        return
    streams = {"stdin": Stream(), "stdout": Stream(), "stderr": Stream()}
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(**streams, env={"HOME": folder})
        terminal.redactor.hide(KEY)
        target = plan(None, request, cwd=Path(folder), now=Clock().now())
        store = Store(
            env=terminal.env,
            redactor=terminal.redactor,
            write_answer=terminal.write_answer,
            warn=terminal.warn,
        )
        job = Job(id="1", request=request, target=target)
        sink = ReplySink(job, store)
        sink.begin(reply)
        sink.feed(reply.body)
        assert sink.finish() == reply.body
        collected = sink.collected()
        result = JobResult(job=job, images=collected.images, errors=collected.errors)
        generated = Generated(
            made=result,
            base_url="http://127.0.0.1/v1",
            usd_per_megapixel=None,
            cwd=Path(folder),
        )
        report(generated, terminal, as_json=True)
        files = [path.read_bytes() for path in Path(folder).iterdir()]
    assert result.exit_code in (ExitCode.OK, ExitCode.UNUSABLE_REPLY, ExitCode.INCOMPLETE)
    assert files
    assert not any(KEY.encode() in data for data in files)
    assert KEY not in (streams["stdout"].content + streams["stderr"].content).decode()
    assert json.loads(streams["stdout"].content)["status"] in ("ok", "partial", "error")

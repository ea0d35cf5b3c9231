"""Secrets: the key goes to the service and nowhere else, whatever fails."""

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from nscale_cli.jobs.buyer import Buyer
from tests.conftest import KEY, Cli, Outcome, Program, require_command
from tests.faults.conftest import as_base64, good_reply, png, reply_of
from tests.faults.raw_server import Connection, RawServer, Script, answers, response

Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
HALF = len(KEY) // 2
ENCODED = base64.b64encode(KEY.encode()).decode()


def require_key_nowhere(folder: Path, outcome: Outcome, key: str = KEY) -> None:
    """Assert that the key is in no output and in no file, in none of its forms."""
    forms = [key.encode(), base64.b64encode(key.encode()).rstrip(b"=")]
    forms += [base64.b64encode(b"Bearer " + key.encode())[10:-4], json.dumps(key)[1:-1].encode()]
    forms += [key[::-1].encode(), key.encode().hex().encode()]
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for text in [outcome.stdout_bytes, outcome.stderr.encode(), *files]:
        for form in forms:
            assert form.lower() not in text.lower()


ECHOES = {
    "plain": KEY,
    "bearer": f"Authorization: Bearer {KEY}",
    "quoted": f'the header was {{"Authorization": "Bearer {KEY}"}}',
    "base64": f"got {ENCODED}",
    "base64 of bearer": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 of user and key": base64.b64encode(f"me:{KEY}".encode()).decode(),
    "URL-safe base64": base64.urlsafe_b64encode(f"Bearer {KEY}".encode()).decode(),
    "twice": KEY + KEY,
    "upper case": f"key {KEY.upper()}",
    "reversed": f"the key {KEY[::-1]} backwards",
    "hex": f"bytes {KEY.encode().hex()}",
    "hex in upper case": KEY.encode().hex().upper(),
    "at the cut": "x" * (500 - HALF) + KEY,
    "just cut": "x" * (498 - len(KEY)) + KEY + "yyyyyyy",
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("status", [401, 500, 200])
@pytest.mark.parametrize("flags", [("--debug",), ("--json",)], ids=["debug", "json"])
def test_a_key_that_the_service_echoes_is_hidden(
    buy: Buy,
    raw: RawServer,
    tmp_path: Path,
    injected: Injected,
    echo: str,
    status: int,
    flags: tuple[str, ...],
) -> None:
    """In messages, in the request id, in the document, and in the reply that is kept."""
    body = json.dumps({"error": {"message": echo, "code": echo, "param": echo}}).encode()
    raw.scripts = [answers(body, status, f"x-request-id: {echo}")]

    outcome = buy(raw, *flags)

    assert outcome.exit_code == {401: 4, 500: 12, 200: 13}[status]
    require_key_nowhere(tmp_path, outcome)
    text = outcome.stderr + outcome.stdout
    for start in range(len(KEY) - HALF + 1):
        assert KEY[start : start + HALF] not in text
    injected(raw.posts == 1 and "[key hidden]" in text, f"the key echoed with {status}")


@pytest.mark.parametrize("status", [401, 200])
def test_a_key_that_is_echoed_in_two_halves_is_hidden(
    buy: Buy, raw: RawServer, tmp_path: Path, injected: Injected, status: int
) -> None:
    """Half a key is half a secret."""
    first, second = KEY[:HALF], KEY[HALF:]
    body = json.dumps({"error": {"message": f"{first} / {second}", "param": second}}).encode()
    raw.scripts = [answers(body, status, f"x-request-id: {second}")]

    outcome = buy(raw)

    require_key_nowhere(tmp_path, outcome)
    assert first not in outcome.stderr and second not in outcome.stderr
    injected(outcome.stderr.count("[key hidden]") >= 2, "the key echoed in two halves")


def keeping(data: bytes, status: int = 200) -> Script:
    """Return the script of a reply of which the last bytes never come."""

    def script(connection: Connection) -> None:
        connection.send(response(data, status)[:-20])
        connection.close()

    return script


KEPT = {
    "no JSON": (answers(b"<html>" + KEY.encode()), 13),
    "in another case": (answers(b"<html>" + KEY.upper().encode()), 13),
    "reversed": (answers(b"<html>" + KEY[::-1].encode()), 13),
    "in hex": (answers(b"<html>" + KEY.encode().hex().encode()), 13),
    "in a field": (answers(json.dumps({"key": f"Bearer {KEY}", "b": ENCODED}).encode()), 13),
    "cut off": (keeping(f'{{"key": "{KEY}", "{"x" * 99}": 1}}'.encode()), 11),
    "an address": (answers(reply_of({"url": f"http://x/?key={KEY}"})), 22),
    "no image": (answers(reply_of({"b64_json": as_base64(b"GIF89a" + KEY.encode())})), 22),
    "beside an image": (
        answers(reply_of({"b64_json": as_base64(png())}, {"url": f"https://x/{quote(KEY)}"})),
        22,
    ),
}


@pytest.mark.parametrize(("script", "code"), KEPT.values(), ids=KEPT)
def test_a_reply_is_kept_without_the_key(
    buy: Buy, raw: RawServer, tmp_path: Path, injected: Injected, script: Script, code: int
) -> None:
    """Users attach such files to their questions."""
    raw.scripts = [script]

    outcome = buy(raw, "-n", "2")

    assert outcome.exit_code == code
    require_key_nowhere(tmp_path, outcome)
    kept = [path for path in tmp_path.iterdir() if path.suffix in (".json", ".bin")]
    injected(any(b"[key hidden]" in path.read_bytes() for path in kept), "a reply with the key")


@pytest.mark.parametrize(
    "key", ['quote"slash/back\\slash', "plus+slash/equals==", "percent%25-key"]
)
def test_a_key_with_signs_is_hidden_in_each_spelling(
    cli: Cli, raw: RawServer, tmp_path: Path, injected: Injected, key: str
) -> None:
    """JSON and addresses write some signs in their own way."""
    spellings = {key, json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace("/", r"\/")}
    spellings.add(quote(key, safe=""))
    raw.scripts = [answers(f"[{' '.join(spellings)}".encode())]

    outcome = cli("images", "generate", "cat", "--base-url", raw.base_url, "-a", key)

    assert outcome.exit_code == 13
    kept = (tmp_path / "cat-reply.json").read_text()
    assert not [spelling for spelling in spellings if spelling in kept]
    injected(raw.posts == 1 and "[key hidden]" in kept, "a key with signs, echoed")


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("images", "generate", "--help"),
        ("--version",),
        ("help", "environment"),
        ("completion", "bash"),
        ("images", "generate", "cat", "--bogus"),
        ("images", "generate", "cat", KEY),
        ("images", "generate", "cat", f"--apikey={KEY}"),
        ("images", "generate", "cat", "-z", KEY),
        ("images", "generate", "cat", "-n", KEY),
        ("images", "generate", "cat", "--param", KEY),
        ("images", "generate", "cat", "--base-url", KEY),
        ("images", "generate", "--prompt-file", KEY),
        (KEY,),
        (
            "images",
            "generate",
            "cat",
            "--dry-run",
            "-a",
            KEY,
            "--base-url",
            "http://127.0.0.1:9/v1",
        ),
    ],
)
def test_no_page_and_no_usage_error_shows_the_key(
    cli: Cli, injected: Injected, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a variable was expanded in the wrong place."""
    outcome = cli(*words, env={"NSCALE_API_KEY": KEY, "NSCALE_SERVICE_TOKEN": KEY})

    assert outcome.exit_code in (0, 2, 3)
    page = capsys.readouterr()
    assert KEY not in page.out + page.err
    injected(bool(outcome.stdout + outcome.stderr + page.out), "the key in the environment")


@pytest.mark.parametrize("failure", [ValueError, KeyError, MemoryError, RecursionError])
def test_an_internal_failure_shows_no_key(
    buy: Buy, raw: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch, failure: type
) -> None:
    """The exception holds it, as those of HTTP libraries do; --debug shows lines, no values."""
    raised = []

    def fail(*_arguments: object) -> None:
        raised.append(failure)
        raise failure(f"Illegal header value b'Bearer {KEY}'")

    monkeypatch.setattr(Buyer, "_buy", fail)
    outcome = buy(raw, "--debug")

    assert outcome.exit_code == 1
    assert f"error: this is a bug in nscale: {failure.__name__} at " in outcome.stderr
    injected(raised == [failure] and "[key hidden]" in outcome.stderr, "an internal failure")


NOISY = {
    "OPENAI_LOG": "debug",
    "PYTHONASYNCIODEBUG": "1",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONDEVMODE": "1",
    "HTTPX_LOG_LEVEL": "trace",
    "SSLKEYLOGFILE": "",
}


def test_talkative_settings_show_no_key(
    program: Program, raw: RawServer, injected: Injected
) -> None:
    """Libraries read variables of their own; a failure must not make them talk."""
    raw.scripts = [answers(json.dumps({"error": {"message": KEY}}).encode(), 401)]
    env = program.env | NOISY | {"NSCALE_API_KEY": KEY}
    words = ("images", "generate", "cat", "--base-url", raw.base_url, "--debug")

    outcome = program.run(*words, env=env)

    assert outcome.exit_code == 4
    require_key_nowhere(program.cwd, outcome)
    assert "DEBUG" not in outcome.stderr
    injected(raw.posts == 1, f"{', '.join(NOISY)}")


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_viewer_gets_the_key_under_no_name(
    cli: Cli, raw: RawServer, tmp_path: Path, injected: Injected
) -> None:
    """`-a "$MY_KEY"`: the variable with the user's own name stays here as well."""
    folder = tmp_path / "bin"
    folder.mkdir()
    viewer = folder / "xdg-open"
    viewer.write_text(
        f'#!/bin/sh\n{{ printf "%s\\n" "$@"; /usr/bin/env; }} > "{tmp_path}/told.part"\n'
        f'/bin/mv "{tmp_path}/told.part" "{tmp_path}/told"\n'
    )
    viewer.chmod(0o755)
    raw.scripts = [answers(good_reply())]
    env = {"DISPLAY": ":0", "PATH": f"{folder}:/usr/bin:/bin", "MY_KEY": KEY, "HEADER": f"x {KEY}"}

    outcome = cli("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-x", env=env)

    assert outcome.exit_code == 0
    while not (tmp_path / "told").exists():
        os.sched_yield()
    told = (tmp_path / "told").read_text()
    assert KEY not in told
    injected("DISPLAY=:0" in told, "a viewer that writes its environment down")


def test_a_netrc_file_is_not_read(program: Program, injected: Injected) -> None:
    """A password that it holds for the host would replace the key."""
    openssl = require_command("openssl", shutil.which("openssl"))
    home = program.cwd / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login me password other\n"
                                 "default login me password other\n")  # fmt: skip
    (home / ".netrc").chmod(0o600)
    certificate, private = program.cwd / "cert.pem", program.cwd / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", private, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    with RawServer() as raw:
        raw._listener = context.wrap_socket(raw._listener, server_side=True)
        raw.scripts = [answers(good_reply())]
        env = program.env | {"SSL_CERT_FILE": str(certificate), "NETRC": str(home / ".netrc")}
        url = raw.base_url.replace("http:", "https:")
        outcome = program.run("images", "generate", "cat", "--base-url", url, "-a", KEY, env=env)

    assert outcome.exit_code == 0
    assert raw.requests[0].header("authorization") == f"Bearer {KEY}"
    injected(raw.posts == 1, "a .netrc for the host")

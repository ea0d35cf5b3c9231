"""Terminal safety: no text of a server, a prompt or a name acts on a terminal."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nscale_cli.redact import clean, excerpt
from tests.conftest import KEY, Cli, Outcome, Program, looking_first_in
from tests.faults.conftest import good_reply, reply_of
from tests.faults.raw_server import RawServer, Script, answers

pytest.importorskip("pyte")
from tests.faults.screen import PAYLOADS, Seen, at_terminal, require_no_controls

pytestmark = pytest.mark.skipif(os.name == "nt", reason="file names of Windows hold no controls")

NOT_IN_WORDS = str.maketrans("", "", "\0=")  # no argument can hold the one; the other splits
NOT_IN_NAMES = str.maketrans("/{}.", "____", "\0")  # folders, fields and endings mean something
Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
each_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
each_stream = pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipe"])


def hostile_error(text: str, status: int) -> Script:
    """Return an answer whose message, code and request id are hostile."""
    body = json.dumps({"error": {"message": text, "code": text, "type": text}}).encode()
    # The HTTP library takes all but these in a header.
    header = text.encode("utf-8", "surrogateescape").translate(None, b"\r\n\v\f\0")
    return answers(body, status, f"x-request-id: {header.decode('latin-1')}", "Retry-After: 1")


def refused(raw: RawServer, folder: Path, text: str, *, tty: bool) -> Seen:
    """Run against a server that is busy, then refuses, both in hostile words."""
    raw.scripts = [hostile_error(text, 429), hostile_error(text, 404)]
    raw.requests.clear()
    model = text.replace("\udcff", "")  # text that is not UTF-8 is refused before it is sent
    address = ("--base-url", raw.base_url, "-a", KEY)
    words = ("images", "generate", "cat", f"--model=m{model}", *address, "--retry", "1")
    return at_terminal(folder, *words, tty=tty)


_CONTROLS: dict[tuple[object, bool], Seen] = {}


def of_harmless_text(
    scene: Callable[..., Seen], raw: RawServer, folder: Path, *, tty: bool
) -> Seen:
    """Return the control of `scene`, which is the same for every payload."""
    if (scene, tty) not in _CONTROLS:
        _CONTROLS[scene, tty] = scene(raw, folder, "AAAcontrolZZZ", tty=tty)
    return _CONTROLS[scene, tty]


@each_payload
@each_stream
def test_words_of_a_server_and_a_model_id_are_only_shown(
    raw: RawServer, tmp_path: Path, injected: Injected, payload: str, tty: bool
) -> None:
    """The message, the request id, the announced retry and the spinner's model id."""
    text = f"AAA{payload}ZZZ"
    seen = refused(raw, tmp_path, text, tty=tty)

    injected(raw.posts == 2, f"hostile server text, {'tty' if tty else 'pipe'}: {payload[:20]!r}")
    control = of_harmless_text(refused, raw, tmp_path, tty=tty)
    assert seen.state() == control.state()
    assert seen.exit_code == 6
    announced, error, request_id, *_ = seen.text.splitlines()
    assert announced.endswith(f"{excerpt(text)}; trying again in 1 s (1 of 1)")
    stop = "" if excerpt(text).endswith("...") else "."
    assert error.endswith(f"{excerpt(text)}{stop} Nothing was billed.")
    assert request_id.startswith("request id: AAA")
    assert f"no model {excerpt('m' + text.replace(chr(0xDCFF), ''), 100)!r}" in seen.text
    if not tty:
        require_no_controls(seen.stderr)


def rejected(raw: RawServer, folder: Path, text: str, *, tty: bool) -> Seen:
    """Run against a server that sends one image and one hostile address."""
    image = json.loads(good_reply())["data"][0]
    raw.scripts = [answers(reply_of(image, {"url": text}))]
    raw.requests.clear()
    name = text.translate(NOT_IN_NAMES)[:150]
    words = ("images", "generate", "cat", "-n", "2", f"--output={name}")
    return at_terminal(folder, *words, "--base-url", raw.base_url, "-a", KEY, tty=tty)


@each_payload
@each_stream
def test_a_name_and_an_address_are_only_shown(
    raw: RawServer, tmp_path: Path, injected: Injected, payload: str, tty: bool
) -> None:
    """A script gets the path as it is; a person gets it spelled out."""
    text = f"AAA{payload}ZZZ"
    seen = rejected(raw, tmp_path, text, tty=tty)

    injected(raw.posts == 1, f"hostile name, {'tty' if tty else 'pipe'}: {payload[:20]!r}")
    path = tmp_path / f"{text.translate(NOT_IN_NAMES)[:150]}-1"
    assert path.is_file()
    assert seen.exit_code == 22
    assert excerpt(text) in seen.text
    if tty:
        control = of_harmless_text(rejected, raw, tmp_path, tty=tty)
        assert seen.state(path.name.count("\n")) == control.state()
        shown = clean(os.fsencode(path).decode("utf-8", "backslashreplace"))
        assert " ".join(shown.split()) in " ".join(seen.text.split())
    else:
        require_no_controls(seen.stderr)
        assert seen.stdout == os.fsencode(path) + b"\n"


USAGE = {
    "option": lambda text: ("images", "generate", "cat", f"--{text}"),
    "count": lambda text: ("images", "generate", "cat", f"--count={text}"),
    "timeout": lambda text: ("images", "generate", "cat", f"--timeout={text}"),
    "size": lambda text: ("images", "generate", "cat", "--sandbox", f"--size={text}"),
    "param": lambda text: ("images", "generate", "cat", "--sandbox", f"--param={text}"),
    "field": lambda text: ("images", "generate", "cat", "--sandbox", f"--output={{{text}}}"),
    "base URL": lambda text: ("images", "generate", "cat", f"--base-url={text}", "-a", KEY),
    "prompt file": lambda text: ("images", "generate", f"--prompt-file={text}", "--sandbox"),
    "key file": lambda text: ("images", "generate", "cat", f"--api-key-file={text}"),
    "extra word": lambda text: ("images", "generate", "cat", "--sandbox", "--", text),
    "command": lambda text: (text,),
    "help topic": lambda text: ("help", text),
    "shell": lambda text: ("completion", text),
    "port": lambda text: ("sandbox", f"--port={text}"),
}


@pytest.mark.parametrize("channel", USAGE)
@each_stream
def test_a_usage_error_only_shows_what_was_typed(
    tmp_path: Path, injected: Injected, channel: str, tty: bool
) -> None:
    """Also where Typer wrote the message; and in one line, however much was typed."""
    control = at_terminal(tmp_path, *USAGE[channel]("AAAplainZZZ"), tty=tty)
    assert control.exit_code in (2, 3, 4)
    for payload in PAYLOADS.values():
        text = f"AAA{payload}ZZZ".translate(NOT_IN_WORDS)
        seen = at_terminal(tmp_path, *USAGE[channel](text), tty=tty)
        assert seen.exit_code == control.exit_code
        assert max(map(len, seen.stderr.splitlines())) <= 600
        if tty:
            assert seen.state() == control.state()
        else:
            require_no_controls(seen.stderr)
            assert seen.stdout == b""
    injected("error:" in control.stderr, f"hostile {channel}")


@pytest.mark.parametrize("variable", ["NSCALE_TIMEOUT", "NSCALE_SANDBOX", "NSCALE_SIZE"])
def test_a_wrong_variable_is_only_shown(tmp_path: Path, injected: Injected, variable: str) -> None:
    """The environment is not to be trusted more than the command line."""
    for payload in PAYLOADS.values():
        text = f"AAA{payload}"
        seen = at_terminal(tmp_path, "images", "generate", "x", tty=False, **{variable: text})
        assert seen.exit_code == 2
        injected("'AAA" in seen.stderr, f"hostile {variable}")
        require_no_controls(seen.stderr)


@pytest.mark.parametrize("flags", [("--json",), ("--dry-run",), ("--dry-run", "--json")])
def test_an_answer_to_a_script_holds_no_control_character(
    cli: Cli, raw: RawServer, injected: Injected, flags: tuple[str, ...]
) -> None:
    """JSON spells each of them out, DEL too; the prompt that is sent is still the one given."""
    prompt = "".join(PAYLOADS.values()).replace("\udcff", "")
    raw.scripts = [answers(good_reply())]
    address = ("--base-url", raw.base_url, "--api-key-file", "k\x1b]0;owned\x07\u202ey")
    Path(address[-1]).write_text(KEY)

    outcome = cli("images", "generate", *address, *flags, "-", stdin=prompt.encode())

    assert outcome.exit_code == 0
    require_no_controls(outcome.stdout)
    if "--dry-run" not in flags:
        assert json.loads(raw.requests[0].body)["prompt"] == outcome.document["data"]["prompt"]
    injected("\\u001b" in outcome.stdout, f"hostile prompt and key file with {' '.join(flags)}")


@each_stream
@pytest.mark.parametrize("length", [900_000, 5_000_000])
def test_a_huge_message_is_cut(
    raw: RawServer, tmp_path: Path, injected: Injected, tty: bool, length: int
) -> None:
    """Megabytes in one word become one short line; nothing colours or wraps them for minutes."""
    raw.scripts = [answers(json.dumps({"error": {"message": "x" * length}}).encode(), 400)]
    address = ("--base-url", raw.base_url, "-a", KEY)

    seen = at_terminal(tmp_path, "images", "generate", "cat", *address, tty=tty)

    assert seen.exit_code == 6
    line = next(line for line in seen.text.splitlines() if line.startswith("error: "))
    assert ("xxx..." in line) is (length < 1_000_000)  # a larger body is not read to its end
    assert len(line) <= 600
    assert seen.stderr.count("x") < 600
    injected(raw.posts == 1, f"{length} bytes in one word")


@pytest.mark.parametrize("word", ["x" * 100_000, "wörd " * 20_000], ids=["word", "words"])
def test_a_huge_prompt_and_model_id_never_reach_the_spinner(
    raw: RawServer, tmp_path: Path, injected: Injected, word: str
) -> None:
    """They are sent whole and shown short."""
    raw.scripts = [answers(b"{}", 429), answers(good_reply())]
    address = ("--base-url", raw.base_url, "-a", KEY)

    seen = at_terminal(tmp_path, "images", "generate", word, "-m", word.strip(), *address)

    assert seen.exit_code == 0
    injected(json.loads(raw.requests[0].body)["prompt"] == word, "a prompt of 100 kB")
    assert len(seen.stderr) < 5_000


@pytest.mark.parametrize(
    ("variables", "tty"),
    [({"TERM": "dumb"}, True), ({"TERM": "unknown"}, True), ({}, False)],
    ids=["dumb", "unknown", "pipe"],
)
def test_no_escape_reaches_what_does_not_understand_it(
    raw: RawServer, tmp_path: Path, injected: Injected, variables: dict[str, str], tty: bool
) -> None:
    """Neither a spinner nor a colour nor a preview."""
    raw.scripts = [answers(b"{}", 429), answers(good_reply())]
    address = ("--base-url", raw.base_url, "-a", KEY, "-p")

    seen = at_terminal(tmp_path, "images", "generate", "cat", *address, tty=tty, **variables)
    control = at_terminal(tmp_path, "images", "generate", "cat", *address)

    assert seen.exit_code == 0
    injected(raw.posts == 3 and "\x1b" in control.stderr, f"no escapes: {variables or 'pipe'}")
    assert "\x1b" not in seen.stderr


def test_without_colour_a_terminal_still_gets_its_spinner(
    raw: RawServer, tmp_path: Path, injected: Injected
) -> None:
    """NO_COLOR is about colours: no escape sets one, not even in a preview."""
    raw.scripts = [answers(b"{}", 429), answers(good_reply())]
    address = ("--base-url", raw.base_url, "-a", KEY, "-p")

    seen = at_terminal(tmp_path, "images", "generate", "cat", *address, NO_COLOR="1")

    assert seen.exit_code == 0
    assert "\x1b[?25l" in seen.stderr
    styles = [piece.split("m")[0] for piece in seen.stderr.split("\x1b[")[1:]]
    assert not [style for style in styles if style.replace(";", "").isdigit()]
    injected(raw.posts == 2, "NO_COLOR at a terminal")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict"])
def test_a_stream_that_knows_few_letters_does_not_break_the_run(
    program: Program, injected: Injected, encoding: str
) -> None:
    """PYTHONIOENCODING=ascii: the letters are spelled out, the path is whole."""
    env = program.env | {"PYTHONIOENCODING": encoding}

    outcome = program.run("images", "generate", "Élan 猫", "--sandbox", "-o", "猫.png", env=env)

    assert outcome.exit_code == 0
    assert outcome.stdout_bytes == f"{program.cwd}/猫.png\n".encode()
    injected("saved \\u732b.png" in outcome.stderr, f"PYTHONIOENCODING={encoding}")


@pytest.mark.parametrize("columns", ["1", "0", "99999999999999999999", "x"])
def test_an_odd_width_does_not_break_the_run(
    raw: RawServer, tmp_path: Path, injected: Injected, columns: str
) -> None:
    """COLUMNS may be anything; so may the size that a terminal reports."""
    raw.scripts = [answers(good_reply())]
    for tty in (True, False):
        address = ("--base-url", raw.base_url, "-a", KEY, "-p")
        words = ("images", "generate", "cat", *address)
        assert at_terminal(tmp_path, *words, tty=tty, COLUMNS=columns).exit_code == 0
    injected(raw.posts == 2, f"COLUMNS={columns}")


@pytest.mark.terminal
def test_hostile_words_leave_a_real_terminal_as_it_was(
    raw: RawServer, injected: Injected, program: Program
) -> None:
    """A true pseudo-terminal, with the spinner turning while the words come."""
    from tests.terminal.test_streams import COLUMNS, LINES, Session, pyte

    bad = [text for text in PAYLOADS.values() if len(text) < 100]
    raw.scripts = [hostile_error(f"AAA{text}ZZZ", 429) for text in bad] + [answers(b"{}", 400)]
    env = looking_first_in(no_waiting(program.cwd))
    address = ("--base-url", raw.base_url, "-a", KEY, "--retry", "99", "--timeout", "6000")
    session = Session(program, "images", "generate", "cat", *address, "-m", "m[/]\x1bc", **env)

    assert session.finish() == 6
    injected(raw.posts == len(bad) + 1, "hostile announcements above a real spinner")
    screen = pyte.HistoryScreen(COLUMNS, LINES, history=1000)
    pyte.Stream(screen).feed(session.output)
    assert (screen.title, screen.icon_name, screen.cursor.hidden) == ("", "", False)
    shown = "".join(session.output.split())
    for text in bad:
        assert "".join(clean(f"AAA{text}ZZZ").split()) in shown


def no_waiting(folder: Path) -> Path:
    """Return a folder whose sitecustomize makes the waits between attempts short."""
    code = "import time\nsleep = time.sleep\ntime.sleep = lambda seconds: sleep(0.01)\n"
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(code)
    return folder / "site"

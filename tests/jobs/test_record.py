"""What is remembered of saved images, and that it is never in an image's way."""

import getpass
import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from nscale_cli.storage.history import History, HistoryEntry, HistoryQuery
from nscale_cli.storage.metadata.readers import read_metadata
from tests.conftest import KEY, Cli, Outcome, Program, ScriptedServer, images_reply, with_history
from tests.faults.conftest import as_base64, png


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """Run the program with a history."""
    return with_history(cli)


def remembering(program: Program) -> dict[str, str]:
    """Return the environment of a process with a history."""
    return {name: value for name, value in program.env.items() if name != "NSCALE_HISTORY"}


def remembered(history_file: Path) -> list[HistoryEntry]:
    """Return what the history holds, the oldest first."""
    history = History(history_file, home=history_file.parents[3])
    entries = history.search(HistoryQuery(limit=1000))
    history.close()
    return entries[::-1]


def test_each_saved_image_is_remembered(
    against: Cli, sandbox: Sandbox, history_file: Path, tmp_path: Path
) -> None:
    """With its request, its place, and what it came to."""
    outcome = against(
        sandbox, "A red fox", "-n", "2", "-z", "64x32", "--param", "seed=7", "--json"
    )  # fmt: skip

    data = outcome.document["data"]
    first, second = remembered(history_file)
    assert (first.prompt, first.model) == ("A red fox", "black-forest-labs/FLUX.1-schnell")
    assert (first.requested_size, first.count, dict(first.params)) == ("64x32", 2, {"seed": 7})
    assert (first.base_url, first.sandbox) == (sandbox.base_url, False)
    assert [first.path, second.path] == [tmp_path / f"a-red-fox{n}.png" for n in ("", "-2")]
    images = data["images"]  # type: ignore[index]
    assert [first.sha256, second.sha256] == [image["sha256"] for image in images]
    assert (first.format, str(first.size)) == ("png", "64x32")
    assert first.seconds == data["elapsed_seconds"]  # type: ignore[index]
    assert first.cost_usd == pytest.approx(data["cost_usd"] / 2, rel=1e-3)  # type: ignore[index]
    assert first.request_id == data["request_id"] != None  # type: ignore[index]  # noqa: E711
    assert first.created_at.isoformat(timespec="seconds") == data["created_at"]  # type: ignore[index]


def test_an_image_on_standard_output_is_remembered_without_a_path(
    against: Cli, sandbox: Sandbox, history_file: Path
) -> None:
    """Its prompt is of use all the same."""
    against(sandbox, "A red fox", "-o", "-")

    (entry,) = remembered(history_file)
    assert entry.path is None


def test_what_failed_is_not_remembered(
    against: Cli, server: ScriptedServer, history_file: Path
) -> None:
    """There is no image to look for."""
    server.answers = [images_reply()]
    assert against(server, "A red fox").exit_code == 13
    assert remembered(history_file) == []


def test_of_an_incomplete_reply_what_came_is_remembered(
    against: Cli, server: ScriptedServer, history_file: Path
) -> None:
    """It was paid for."""
    server.answers = [images_reply({"b64_json": as_base64(png())})]
    assert against(server, "A red fox", "-n", "2").exit_code == 22
    assert len(remembered(history_file)) == 1


@pytest.mark.parametrize(
    ("words", "env", "kept"),
    [
        ([], {}, True),
        (["--no-history"], {}, False),
        ([], {"NSCALE_HISTORY": "0"}, False),
        (["--no-history"], {"NSCALE_HISTORY": "1"}, False),
        (["--dry-run"], {}, False),
    ],
)
def test_no_history_is_kept_where_none_is_wanted(
    against: Cli, sandbox: Sandbox, history_file: Path, words: list[str], env: dict[str, str],
    kept: bool,
) -> None:  # fmt: skip
    """By an option, a variable, or because nothing was made; not even the file is there."""
    assert against(sandbox, "A red fox", *words, env=env).exit_code == 0

    assert history_file.exists() == kept


def test_a_setting_turns_it_off(
    cli: Cli, against: Cli, sandbox: Sandbox, history_file: Path
) -> None:
    """Once for all; the variable goes before it."""
    cli("config", "set", "history", "false")

    against(sandbox, "A red fox")
    assert not history_file.exists()
    against(sandbox, "A red fox", env={"NSCALE_HISTORY": "1"})
    assert len(remembered(history_file)) == 1


def test_the_sandbox_is_remembered_only_where_the_variable_says_so(
    cli: Cli, generate: Cli, history_file: Path
) -> None:
    """Its pictures are for trying out; a setting in the file means real ones."""
    cli("config", "set", "history", "true")
    generate("A red fox")
    assert not history_file.exists()

    generate("A red fox", env={"NSCALE_HISTORY": "1"})
    (entry,) = remembered(history_file)
    assert entry.sandbox


def holding(history_file: Path) -> sqlite3.Connection:
    """Return a connection that keeps everybody else from writing."""
    connection = sqlite3.connect(history_file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


@pytest.fixture
def broken(request: pytest.FixtureRequest, history_file: Path) -> Iterator[str]:
    """A history that cannot be written, in one of several ways."""
    kind = str(request.param)
    history_file.parent.mkdir(parents=True)
    connection = None
    if kind == "a directory":
        history_file.mkdir()
    elif kind == "a closed directory":
        history_file.parent.rmdir()
        history_file.parent.write_bytes(b"")
    else:
        with closing(History(history_file)) as history:
            history.open()
        if kind == "newer":
            with sqlite3.connect(history_file) as database:
                database.execute("PRAGMA user_version = 99")
            database.close()
        else:
            connection = holding(history_file)
    yield kind
    if connection is not None:
        connection.close()


@pytest.mark.parametrize(
    "broken",
    ["a directory", "a closed directory", "newer", pytest.param("locked", marks=pytest.mark.slow)],
    indirect=True,
)
def test_a_history_that_cannot_be_written_is_no_failure(
    against: Cli, sandbox: Sandbox, broken: str, tmp_path: Path
) -> None:
    """The image is saved, the exit code is 0, and only --debug says a word."""
    outcome = against(sandbox, "A red fox")
    debugged = against(sandbox, "A red fox", "--debug")

    assert outcome.exit_code == debugged.exit_code == 0
    assert (tmp_path / "a-red-fox.png").exists()
    assert "history" not in outcome.stderr
    assert debugged.stderr.count("debug: not remembered: the history in ") == 1


def test_a_damaged_history_is_set_aside_with_one_warning(
    against: Cli, sandbox: Sandbox, history_file: Path
) -> None:
    """And the run is remembered in the new one."""
    history_file.parent.mkdir(parents=True)
    history_file.write_bytes(b"damage" * 1000)

    outcomes = [against(sandbox, "A red fox") for _ in range(2)]

    assert [outcome.exit_code for outcome in outcomes] == [0, 0]
    warnings = [outcome.stderr.count("warning: the history was damaged") for outcome in outcomes]
    assert warnings == [1, 0]
    assert len(remembered(history_file)) == 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_an_image_is_remembered_where_its_path_could_not_be_told(
    program: Program, sandbox: Sandbox, history_file: Path
) -> None:
    """It is in the history that it will be looked for, then."""
    address = ("--base-url", sandbox.base_url, "-a", KEY)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        outcome = program.run(
            "images", "generate", "A red fox", *address, stdout=full, env=remembering(program)
        )

    assert outcome.exit_code == 23
    assert len(remembered(history_file)) == 1


@pytest.mark.slow
def test_parallel_runs_lose_nothing(program: Program, sandbox: Sandbox, history_file: Path) -> None:
    """Also where all of them find no history yet."""
    address = ("--base-url", sandbox.base_url, "-a", KEY)
    runs = [
        program.start(
            "images", "generate", f"fox {number}", "-z", "16x16", *address, env=remembering(program)
        )
        for number in range(16)
    ]
    for run in runs:
        _, stderr = run.communicate(timeout=120)
        assert run.returncode == 0, stderr

    prompts = {entry.prompt for entry in remembered(history_file)}
    assert prompts == {f"fox {number}" for number in range(16)}


def traces(place: Path, *words: str) -> dict[str, list[str]]:
    """Return which files below `place` hold which of the words, in bytes of any kind."""
    found: dict[str, list[str]] = {}
    for path in place.rglob("*"):
        data = path.read_bytes().lower() if path.is_file() else b""
        held = [word for word in words if word.lower().encode() in data]
        if held:
            found[path.name] = held
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["none", "mark", "full", "sidecar"])
def test_no_key_user_or_host_is_written_anywhere(
    program: Program, sandbox: Sandbox, mode: str, tmp_path: Path
) -> None:
    """Neither into images, nor beside them, nor into the history; whatever the prompt holds."""
    user, host = "somebodyinparticular", subprocess.check_output(["uname", "-n"], text=True).strip()
    place = tmp_path.with_name(f"{tmp_path.name}-{user}")
    (place / "pictures").mkdir(parents=True)
    env = remembering(program) | {
        "HOME": str(place), "USER": user, "LOGNAME": user, "NSCALE_METADATA": mode,
        "NSCALE_API_KEY": KEY, "NSCALE_BASE_URL": sandbox.base_url,
    }  # fmt: skip

    def run(*words: str) -> Outcome:
        return program.run(*words, env=env, cwd=place / "pictures")

    made = run(
        "images", "generate", f"A fox, and a key: {KEY}", "--param", f"note={KEY}", "-o", "fox.png"
    )
    again = run("images", "rerun", "last", "-o", "again.png")
    found = run("history", "fox", "--json")

    assert (made.exit_code, again.exit_code) == (0, 0), made.stderr + again.stderr
    assert len(json.loads(found.stdout)["data"]["images"]) == 2
    secrets = [KEY, KEY[:12], KEY[-12:], user, getpass.getuser() + "@", str(place)]
    if len(host) > 3:
        secrets.append(host)
    assert traces(place, *secrets) == {}
    assert traces(place, "fox")  # the search itself finds something
    assert all(secret not in found.stdout for secret in (KEY, KEY[:12]))


def test_the_history_is_opened_while_the_service_is_at_work(
    against: Cli, sandbox: Sandbox, history_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its library is loaded after the request has left, and before the reply is there."""
    from nscale_cli.jobs.record import Recorder

    order: list[str] = []
    prepare, record = Recorder.prepare, Recorder.record

    def prepared(self: Recorder) -> None:
        order.append("prepared")
        prepare(self)

    def recorded(self: Recorder, made: object) -> None:
        order.append("saved" if os.path.exists("a-red-fox.png") else "not saved")  # noqa: PTH110
        record(self, made)  # type: ignore[arg-type]

    monkeypatch.setattr(Recorder, "prepare", prepared)
    monkeypatch.setattr(Recorder, "record", recorded)

    against(sandbox, "A red fox")

    assert order == ["prepared", "saved"]
    assert len(remembered(history_file)) == 1


@pytest.mark.slow
def test_the_images_of_a_run_of_many_are_remembered_with_its_folder(
    cli: Cli, sandbox: Sandbox, history_file: Path, tmp_path: Path
) -> None:
    """And say of their making what was asked for; a second time there is nothing to remember."""
    (tmp_path / "prompts.txt").write_text("a fox\na cat\n")
    words = ("images", "batch", "prompts.txt", "-z", "16x16", "--metadata", "full")
    address = ("--base-url", sandbox.base_url, "-a", KEY)

    outcomes = [cli(*words, *address) for _ in range(2)]

    assert [outcome.exit_code for outcome in outcomes] == [0, 0], outcomes[0].stderr
    entries = remembered(history_file)
    assert {entry.prompt for entry in entries} == {"a fox", "a cat"}
    assert {entry.run for entry in entries} == {tmp_path / "prompts"}
    for entry in entries:
        assert entry.path is not None
        (found,) = read_metadata(entry.path.read_bytes()).findings
        assert found.fields["prompt"] == entry.prompt
        assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
        assert entry.sha256 != entry.original_sha256


def test_a_run_of_many_can_be_left_out(
    cli: Cli, sandbox: Sandbox, history_file: Path, tmp_path: Path
) -> None:
    """As any other."""
    (tmp_path / "prompts.txt").write_text("a fox\n")
    address = ("--base-url", sandbox.base_url, "-a", KEY, "-z", "16x16")

    assert cli("images", "batch", "prompts.txt", "--no-history", *address).exit_code == 0
    assert not history_file.exists()

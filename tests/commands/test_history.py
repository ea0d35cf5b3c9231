"""`nscale history` and its commands: what was made before, listed, found, shown and forgotten."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from nscale_cli.storage.history import History
from tests.conftest import Cli, Outcome, Program, with_history
from tests.storage.test_history import NOW, entry

Fill = Callable[..., None]


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """Run the program with a history."""
    return with_history(cli)


@pytest.fixture
def fill(history_file: Path, tmp_path: Path) -> Fill:
    """Write entries as runs would, the oldest first."""

    def write(*prompts: str, **changes: object) -> None:
        history = History(history_file, home=tmp_path / "home")
        history.record([entry(prompt, **changes) for prompt in prompts])
        history.close()

    return write


def ids(outcome: Outcome) -> list[int]:
    """Return the ids of the images that a document lists."""
    data = outcome.document["data"]
    assert isinstance(data, dict)
    return [image["id"] for image in data["images"]]


def test_images_are_listed_the_newest_first(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    """With the time here, the model, the file, and the prompt."""
    (tmp_path / "fox.png").write_bytes(b"")
    fill("A red fox", path=tmp_path / "fox.png")
    fill("A cat\non a mat", model="m/2", path=None)
    fill("A dog", path=tmp_path / "dog.png")
    when = NOW.astimezone().strftime("%Y-%m-%d %H:%M")

    outcome = cli("history")

    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        "ID  WHEN              MODEL                             FILE            PROMPT",
        f"3   {when}  black-forest-labs/FLUX.1-schnell  dog.png (gone)  A dog",
        f"2   {when}  m/2                               -               A cat on a mat",
        f"1   {when}  black-forest-labs/FLUX.1-schnell  fox.png         A red fox",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [5, 4, 3, 2, 1]),
        (["fox"], [3, 2]),
        (["FOX", "snow"], [3]),
        (["fox snow"], [3]),
        (["list", "fox"], [3, 2]),
        (["list", "show"], [5]),
        (["-n", "2"], [5, 4]),
        (["fox", "-n", "1"], [3]),
        (["-m", "m/2"], [4]),
        (["--since", "7d"], [5, 4, 3]),
        (["--since", "2026-11-23"], [5, 4, 3]),
        (["--since", "2026-11-24T13:00+00:00"], []),
        (["unicorn"], []),
    ],
)
def test_images_are_found_by_words_model_and_time(
    cli: Cli, fill: Fill, words: list[str], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any text that is no command's name is looked for."""
    monkeypatch.setenv("TZ", "UTC")
    fill("an old cat", "a fox", created_at=NOW - timedelta(days=30))
    fill("a FOX in snow")
    fill("a dog", model="m/2")
    fill("a talk show")

    from nscale_cli.terminal import time as program_time

    monkeypatch.setattr(program_time, "_now", lambda: NOW.astimezone())
    outcome = cli("history", *words, "--json")

    assert ids(outcome) == expected
    assert outcome.document["command"] == "history list"


def test_a_long_prompt_is_cut_where_a_terminal_ends(cli: Cli, fill: Fill) -> None:
    """One line each; off a terminal there is more room."""
    fill("fox " * 200)

    narrow = cli("history", stdout_is_tty=True, env={"COLUMNS": "100"}).stdout.splitlines()
    wide = cli("history").stdout.splitlines()

    assert [len(line) for line in narrow[1:]] == [102]  # the least of a prompt that is shown
    assert len(wide[1]) == 200
    assert narrow[1].endswith("...") and wide[1].endswith("...")


def test_a_hostile_prompt_reaches_no_terminal(cli: Cli, fill: Fill) -> None:
    """Neither in the list nor in full; a script gets it as it was sent."""
    prompt = "fox\x1b]0;owned\x07\u202e"
    fill(prompt, model="m\x1b[31m", request_id="\x9b31m")

    for words in (["history"], ["history", "show", "1"]):
        text = cli(*words).stdout
        assert "\\x1b]0;owned\\x07\\u202e" in text
        assert "\x1b" not in text and "\x9b" not in text
    assert cli("history", "--json").document["data"]["images"][0]["prompt"] == prompt  # type: ignore[index]


@pytest.mark.parametrize(("words", "message"), [([], "no image is remembered yet")])
def test_an_empty_history_is_no_error(cli: Cli, words: list[str], message: str) -> None:
    """It is said; nothing is made by looking."""
    outcome = cli("history", *words)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", f"{message}\n")
    assert cli("history", "--json").document["data"] == {"images": []}


def test_what_matches_nothing_is_said(cli: Cli, fill: Fill) -> None:
    """It is another thing than an empty history."""
    fill("a fox")
    assert cli("history", "cat").stderr == "no image matches\n"


def test_one_image_is_shown_whole(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    """Each fact on a line, and how to make it again."""
    fill("A red fox", path=tmp_path / "fox.png", count=2, run=tmp_path / "run")

    outcome = cli("history", "show", "last")

    assert outcome.stdout.splitlines() == [
        "id                1",
        f"made              {NOW.astimezone().isoformat(sep=' ', timespec='seconds')}",
        "prompt            A red fox",
        "model             black-forest-labs/FLUX.1-schnell",
        "size              1024x768 (asked for 1024x1024)",
        "count             2 images were asked for at once",
        'params            {"seed": 7, "negative_prompt": "día"}',
        "service           https://inference.api.nscale.com/v1",
        f"file              {tmp_path}/fox.png (no longer there)",
        "format            PNG, 4242 bytes",
        f"sha256            {'ab' * 32}",
        f"without metadata  {'cd' * 32}",
        "took              2.2 s",
        "cost              about $0.001300",
        "request id        req-1",
        f"run               {tmp_path}/run",
    ]
    assert outcome.stderr == "make it again: nscale images rerun 1\n"


def test_a_script_gets_every_field(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    """Under the names that other documents use."""
    fill("A red fox", path=tmp_path / "fox.png")

    data = cli("history", "show", "1", "--json").document["data"]

    assert data == {
        "image": {
            "id": 1,
            "created_at": "2026-11-24T12:00:00+00:00",
            "prompt": "A red fox",
            "model": "black-forest-labs/FLUX.1-schnell",
            "size": "1024x1024",
            "count": 1,
            "params": {"seed": 7, "negative_prompt": "día"},
            "base_url": "https://inference.api.nscale.com/v1",
            "sandbox": False,
            "path": f"{tmp_path}/fox.png",
            "format": "png",
            "width": 1024,
            "height": 768,
            "bytes": 4242,
            "sha256": "ab" * 32,
            "original_sha256": "cd" * 32,
            "seconds": 2.25,
            "cost_usd": 0.0013,
            "request_id": "req-1",
            "run": None,
        }
    }


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["show", "7"], "there is no image 7 in the history", "see nscale history"),
        (["show", "x"], "'x' is no id of the history", "give a number from nscale history, or"),
        (["show", "9" * 30], f"'{'9' * 30}' is no id", "give a number"),
        (["open", "1"], "image 1 went to standard output, and to no file", ""),
        (["open", "2"], "/nowhere/fox.png is no longer there", ""),
        (["clear", "7"], "there is no image 7 in the history", "see nscale history"),
        (["clear", "1", "--before", "7d"], "ID and --before exclude each other", "give one"),
        (["--since", "soon"], "--since 'soon' is no time", "write 30m, 12h, 7d, 4w, or a date"),
        (["clear", "--before", "x"], "--before 'x' is no time", "write 30m, 12h, 7d, 4w"),
        (["-n", "0"], "-n must be 1 or more", ""),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    cli: Cli, fill: Fill, words: list[str], message: str, hint: str
) -> None:
    """In one line, and nothing is changed."""
    fill("first", path=None)
    fill("second", path=Path("/nowhere/fox.png"))

    outcome = cli("history", *words)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: {message}")
    assert f"hint: {hint}" in outcome.stderr if hint else "hint" not in outcome.stderr
    assert ids(cli("history", "--json")) == [2, 1]


@pytest.mark.parametrize("words", [["show", "last"], ["open", "last"], ["clear", "last"]])
def test_there_is_no_last_image_yet(cli: Cli, words: list[str]) -> None:
    """And that is said."""
    outcome = cli("history", *words)
    assert (outcome.exit_code, outcome.stderr.splitlines()[0]) == (
        2,
        "error: the history is empty",
    )


def test_an_image_is_opened(
    cli: Cli, fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As -x opens it."""
    from nscale_cli.preview import show

    opened: list[Path] = []
    monkeypatch.setattr(show, "open_image", lambda path, env: opened.append(path))
    (tmp_path / "fox.png").write_bytes(b"")
    fill("fox", path=tmp_path / "fox.png")

    assert cli("history", "open", "last").exit_code == 0
    assert opened == [tmp_path / "fox.png"]


@pytest.mark.parametrize(
    ("words", "left", "said"),
    [
        (["2"], [3, 1], "1 image forgotten"),
        (["last"], [2, 1], "1 image forgotten"),
        (["--before", "2026-11-20"], [3, 2], "1 image forgotten"),
        ([], [], "3 images forgotten"),
    ],
)
def test_images_are_forgotten(
    cli: Cli, fill: Fill, history_file: Path, words: list[str], left: list[int], said: str
) -> None:
    """One, those from before a time, or all; nothing of them is left in the file."""
    fill("an old unicorn", created_at=NOW - timedelta(days=30))
    fill("a new unicorn", "a third unicorn")

    outcome = cli("history", "clear", *words)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", f"{said}\n")
    assert ids(cli("history", "--json")) == left
    data = b"".join(path.read_bytes() for path in history_file.parent.iterdir())
    assert (b"unicorn" in data) == bool(left)


def test_clearing_nothing_is_no_error(cli: Cli) -> None:
    """It is what was wanted."""
    assert cli("history", "clear").stderr == "0 images forgotten\n"


def test_the_path_is_told(cli: Cli, history_file: Path, tmp_path: Path) -> None:
    """Whether or not the file is there; XDG_STATE_HOME moves it."""
    assert cli("history", "path").stdout == f"{history_file}\n"
    outcome = cli("history", "path", env={"XDG_STATE_HOME": str(tmp_path / "state")})
    assert outcome.stdout == f"{tmp_path}/state/nscale/history.sqlite\n"


def test_a_newer_history_is_refused_and_left_alone(
    cli: Cli, fill: Fill, history_file: Path
) -> None:
    """With the exit code of a configuration that does not fit."""
    fill("fox")
    with sqlite3.connect(history_file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = history_file.read_bytes()

    for words in (["history"], ["history", "show", "1"], ["history", "clear"]):
        outcome = cli(*words)
        assert outcome.exit_code == 3
        assert "was written by a newer nscale. Nothing was billed.\n" in outcome.stderr
        assert "hint: update nscale; the file is left as it is" in outcome.stderr
    assert history_file.read_bytes() == before


def test_a_damaged_history_is_set_aside_with_one_warning(cli: Cli, history_file: Path) -> None:
    """The first command says so, the second finds a new one."""
    history_file.parent.mkdir(parents=True)
    history_file.write_bytes(b"damage" * 1000)

    first, second = cli("history"), cli("history")

    assert first.exit_code == second.exit_code == 0
    assert first.stderr.count("warning: the history was damaged; it is set aside as") == 1
    assert "warning" not in second.stderr


def test_help_lists_the_commands(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    """And is not taken for a text to look for."""
    for words in (["history", "--help"], ["history", "-h"], ["history", "list", "--help"]):
        assert cli(*words).exit_code == 0
        assert "Usage: nscale history" in capsys.readouterr().out


def offers(program: Program, typed: str) -> list[str]:
    """Return what Tab offers after `typed`."""
    variables = {
        "_NSCALE_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": typed,
    }
    outcome = program.run(env=program.env | variables)
    return [line.partition("\t")[0] for line in outcome.stdout.splitlines() if line]


@pytest.mark.slow
def test_tab_offers_commands_and_ids(program: Program, fill: Fill) -> None:
    """The newest first; nothing where the word can be none of them."""
    assert offers(program, "nscale history show ") == []
    fill(*(f"fox {number}" for number in range(12)))

    assert offers(program, "nscale history ") == ["list", "show", "open", "page", "clear", "path"]
    assert offers(program, "nscale history show ") == [
        "last", *(str(number) for number in range(12, 0, -1))
    ]  # fmt: skip
    assert offers(program, "nscale history show 1") == ["12", "11", "10", "1"]
    assert offers(program, "nscale history clear la") == ["last"]
    assert offers(program, "nscale images rerun 12") == ["12"]
    assert offers(program, "nscale images rerun fo") == []
    assert offers(program, "nscale history -m black") == ["black-forest-labs/FLUX.1-schnell"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "loaded"),
    [
        ("nscale history ", False),
        ("nscale history show -", False),
        ("nscale images generate --me", False),
        ("nscale images rerun fox", False),
        ("nscale images rerun 1", True),
    ],
)
def test_tab_loads_sqlite_only_for_ids(
    program: Program, fill: Fill, typed: str, loaded: bool
) -> None:
    """Each Tab starts the program."""
    fill("fox")
    code = (
        "import sys, os; from nscale_cli.__main__ import run\n"
        "import atexit; atexit.register("
        "lambda: os.write(2, b'loaded' if 'sqlite3' in sys.modules else b''))\n"
        "run()"
    )
    variables = {
        "_NSCALE_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": typed,
    }
    # Without the measure of coverage, which loads sqlite3 itself.
    env = {name: text for name, text in program.env.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env | variables, capture_output=True, check=False
    )
    assert (b"loaded" in done.stderr) == loaded


def test_doctor_says_where_the_history_is_and_how_large(
    cli: Cli, fill: Fill, history_file: Path
) -> None:
    """And where it is not kept, why."""

    def told(**env: str) -> str:
        lines = cli("doctor", "--sandbox", env=env).stdout.splitlines()
        return next(line.partition("history")[2].strip() for line in lines if "history" in line)

    assert told() == f"{history_file} (not there)"
    fill("fox")
    data = cli("doctor", "--sandbox", "--json").document["data"]
    assert isinstance(data, dict)
    assert (data["history"], data["history_images"]) == (str(history_file), 1)
    assert data["history_kept"] is True
    size = sum(path.stat().st_size for path in history_file.parent.glob("history.sqlite*"))
    assert told() == f"{history_file} (1 image, {size} bytes)"
    assert told(NSCALE_HISTORY="0").endswith("; not kept: NSCALE_HISTORY)")


def test_the_history_holds_no_name_of_the_user(cli: Cli, fill: Fill, history_file: Path) -> None:
    """A path in the home directory is written from there, and read back whole."""
    home = Path.cwd() / "home"
    fill("fox", path=home / "pictures" / "fox.png")

    data = b"".join(path.read_bytes() for path in history_file.parent.iterdir())

    assert os.fsencode(home) not in data
    image = json.loads(cli("history", "show", "1", "--json").stdout)["data"]["image"]
    assert image["path"] == f"{home}/pictures/fox.png"

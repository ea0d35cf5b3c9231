"""`nscale models list`: the table, the document, and the list of before."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import Sandbox
from tests.conftest import (
    KEY,
    Cli,
    Program,
    ScriptedServer,
    cache_home,
    models_reply,
)

FLUX = {"id": "bfl/FLUX.1", "owned_by": "bfl", "pricing": {"input": 0, "output": 0.002}}
SDXL = {"id": "st/sdxl", "owned_by": "st", "pricing": {"output": "0.001"}}
FREE = {"id": "x/flux-free"}
LLAMA = {"id": "meta/llama", "owned_by": "meta", "pricing": {"output": 0.0005}}
NOTHING_LISTENS = "http://127.0.0.1:9/v1"


@pytest.fixture
def listed(cli: Cli, server: ScriptedServer) -> Cli:
    """Run `nscale models list` with a key against a server of four models."""
    server.models = models_reply(FLUX, SDXL, FREE, LLAMA)
    return lambda *arguments, **options: cli(
        "models", "list", "--base-url", server.base_url, "-a", KEY, *arguments, **options
    )


def test_the_table_has_the_models_that_look_like_image_models(listed: Cli) -> None:
    """By name; a price that nobody gives is unknown, and the rule is said to be one."""
    outcome = listed()

    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        "ID           OWNER    USD PER MEGAPIXEL  USD PER IMAGE OF 512x512",
        "bfl/FLUX.1   bfl      0.002              0.000524",
        "st/sdxl      st       0.001              0.000262",
        "x/flux-free  unknown  unknown            unknown",
    ]
    assert outcome.stderr == (
        "3 of 4 models look like image models by their names; --all lists all\n"
    )


def test_all_lists_all_without_a_note(listed: Cli) -> None:
    """In the order of names, whatever their case."""
    outcome = listed("--all", "-z", "1000x1000")

    rows = [line.split() for line in outcome.stdout.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [
        ("bfl/FLUX.1", "0.002000"),
        ("meta/llama", "0.000500"),
        ("st/sdxl", "0.001000"),
        ("x/flux-free", "unknown"),
    ]
    assert outcome.stderr == ""


def test_the_size_of_the_settings_is_the_one_that_is_priced(listed: Cli) -> None:
    """As for images."""
    assert "USD PER IMAGE OF 100x100" in listed(env={"NSCALE_SIZE": "100x100"}).stdout


def test_sorting_by_price_puts_unknown_prices_last(listed: Cli) -> None:
    """The cheapest first."""
    rows = listed("--sort", "price").stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["st/sdxl", "bfl/FLUX.1", "x/flux-free"]


def test_an_unknown_order_is_one_clear_line(listed: Cli, server: ScriptedServer) -> None:
    """Before anything is asked."""
    outcome = listed("--sort", "size")

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        "error: --sort has an invalid order, 'size'\nhint: choose from name, price\n"
    )
    assert server.queries == []


def test_the_document_holds_the_same(listed: Cli, server: ScriptedServer) -> None:
    """Unknown is null; the moment is UTC."""
    outcome = listed("--json", "-z", "1000x1000")

    document = outcome.document
    assert outcome.stdout.count("\n") == 1
    assert (document["version"], document["command"]) == (1, "models list")
    assert (document["status"], document["errors"]) == ("ok", [])
    data = document["data"]
    assert data.pop("fetched_at").endswith("+00:00")
    assert data == {
        "base_url": server.base_url,
        "cached": False,
        "size": "1000x1000",
        "models": [
            {
                "id": name,
                "owned_by": owner,
                "image": True,
                "usd_per_megapixel": price,
                "usd_per_image": price,
            }
            for name, owner, price in [
                ("bfl/FLUX.1", "bfl", 0.002),
                ("st/sdxl", "st", 0.001),
                ("x/flux-free", None, None),
            ]
        ],
    }


def test_quiet_leaves_the_table_alone(listed: Cli) -> None:
    """-q: nothing on stderr but errors."""
    assert listed("-q").stderr == ""


def test_without_an_image_model_stdout_is_empty(listed: Cli, server: ScriptedServer) -> None:
    """The note says where the others are."""
    server.models = models_reply(LLAMA)
    outcome = listed()

    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr.startswith("0 of 1 models look like image models by their names")


@pytest.mark.parametrize("tty", [False, True])
def test_hostile_ids_reach_no_terminal(listed: Cli, server: ScriptedServer, tty: bool) -> None:
    """Escapes, line breaks and ten thousand characters become one short row each."""
    ids = ["flux\x1b]0;owned\x07", "flux\nerror: fake", "flux \u202e\u200b", "flux-" * 2000]
    owner = {"owned_by": "me\r\n\x1b[2J" * 100, "pricing": {"output": 1e308}}
    server.models = models_reply(*({"id": name} | owner for name in ids), {"id": f"flux/{KEY}"})

    outcome = listed(stdout_is_tty=tty)

    rows = outcome.stdout.splitlines()
    assert (outcome.exit_code, len(rows)) == (0, 6)
    assert all(row.isprintable() for row in rows)
    assert max(map(len, rows)) < 250
    assert "flux\\x1b]0;owned\\x07" in outcome.stdout
    assert "flux/[key hidden]" in outcome.stdout
    assert KEY not in json.dumps(listed("--json").document)


@pytest.mark.slow
def test_five_thousand_models_are_listed(listed: Cli, server: ScriptedServer) -> None:
    """Each in its row."""
    server.models = models_reply(*({"id": f"flux-{number:04}"} for number in range(5000)))
    lines = listed().stdout.splitlines()

    assert len(lines) == 5001
    assert lines[-1].startswith("flux-4999")


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, 4, "the API key from -a was refused (401)"),
        (403, 4, "the API key from -a was not allowed to do this (403)"),
        (404, 6, "127.0.0.1 has no list of models (404)"),
        (429, 9, "too many requests (429)"),
        (303, 3, "the address redirects to another address (303), which nscale does not follow"),
        (302, 3, "the address redirects to another address (302), which nscale does not follow"),
    ],
)
def test_a_refusal_is_an_error_also_where_a_list_is_kept(
    listed: Cli, server: ScriptedServer, status: int, code: int, message: str
) -> None:
    """A refused key must not look like a good one. Nothing was billed, and that is said."""
    assert listed().exit_code == 0
    server.models = Answer(status=status)

    outcome = listed()

    assert (outcome.exit_code, outcome.stdout) == (code, "")
    assert outcome.stderr.startswith(f"error: {message}. Nothing was billed.\n")
    assert listed("--json").document["errors"][0]["billed"] == "no"


UNUSABLE = {
    "failed": (Answer(status=503), "the service, or a proxy before it, failed (503)"),
    "no list": (Answer(body=b"<html>"), "127.0.0.1 sent something else than a list of models"),
    "cut": (Answer(sent_bytes=0), "the connection to 127.0.0.1 broke before the reply was whole"),
    "silent": (Answer(delay_seconds=None), "no answer within 0.5 s"),
}
EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name == "silent")) for name in UNUSABLE]
CODES = {"failed": 12, "no list": 12, "cut": 11, "silent": 10}


@pytest.mark.parametrize("fault", EACH)
def test_without_a_kept_list_a_failure_is_an_error(
    listed: Cli, server: ScriptedServer, fault: str
) -> None:
    """Its exit code is the usual one; a question is never billed."""
    server.models, message = UNUSABLE[fault]
    outcome = listed("--timeout", "0.5")

    assert (outcome.exit_code, outcome.stdout) == (CODES[fault], "")
    assert outcome.stderr.startswith(f"error: {message}. Nothing was billed.\n")
    assert outcome.stderr.endswith("\nhint: wait a little, then run it again\n")


@pytest.mark.parametrize("fault", EACH)
def test_a_service_that_fails_leaves_the_last_list(
    listed: Cli, server: ScriptedServer, fault: str
) -> None:
    """With its age, and why."""
    before = listed()
    server.models, message = UNUSABLE[fault]

    outcome = listed("--timeout", "0.5")

    assert (outcome.exit_code, outcome.stdout) == (0, before.stdout)
    assert outcome.stderr.startswith(f"from the list of less than a minute ago: {message}\n")
    assert listed("--timeout", "0.5", "--json").document["data"]["cached"] is True


def test_without_a_network_or_a_key_the_last_list_is_shown(
    cli: Cli, server: ScriptedServer
) -> None:
    """Nothing is sent without a key."""
    server.models = models_reply(FLUX)
    address = ("--base-url", server.base_url)
    assert cli("models", "list", *address, "-a", KEY).exit_code == 0

    outcome = cli("models", "list", *address)
    assert outcome.exit_code == 0
    assert outcome.stderr.startswith("from the list of less than a minute ago: no API key\n")
    assert len(server.queries) == 1


def test_without_a_network_and_without_a_list_it_is_an_error(cli: Cli) -> None:
    """And the same without a key."""
    unreached = cli("models", "list", "--base-url", NOTHING_LISTENS, "-a", KEY)
    assert unreached.exit_code == 7
    assert unreached.stderr.startswith(
        "error: 127.0.0.1 was not reached: connection refused. Nothing was billed.\n"
    )
    keyless = cli("models", "list", "--base-url", NOTHING_LISTENS)
    assert keyless.exit_code == 4
    assert keyless.stderr.startswith("error: no API key. Nothing was billed.\n")


@pytest.mark.parametrize(
    ("hours", "age"),
    [(0.05, "3 minutes ago"), (1, "1 hour ago"), (3.5, "3 hours ago"), (49, "2 days ago"),
     (-2, "the future (is the clock right?)")],
)  # fmt: skip
def test_the_age_of_the_list_is_said(
    listed: Cli, server: ScriptedServer, tmp_path: Path, hours: float, age: str
) -> None:
    """In words, rounded down."""
    listed()
    (path,) = (cache_home(tmp_path) / "nscale").iterdir()
    document = json.loads(path.read_text())
    document["fetched_at"] = shifted(document["fetched_at"], -hours)
    path.write_text(json.dumps(document))
    server.models = Answer(status=500)

    assert listed().stderr.startswith(f"from the list of {age}: ")


def shifted(moment: str, hours: float) -> str:
    """Return a moment in ISO form some hours later."""
    return (datetime.fromisoformat(moment) + timedelta(hours=hours)).isoformat()


def test_the_sandbox_answers_and_leaves_nothing_behind(cli: Cli, tmp_path: Path) -> None:
    """Its address is another each time; its scenarios are shown with --all only."""
    outcome = cli("models", "list", "--sandbox")

    assert outcome.exit_code == 0
    assert "sandbox/" not in outcome.stdout
    assert "black-forest-labs/FLUX.1-schnell" in outcome.stdout
    assert "sandbox/slow" in cli("models", "list", "--sandbox", "--all").stdout
    assert not cache_home(tmp_path).exists()


@pytest.mark.parametrize(
    ("key", "code"),
    [("sandbox-bad-key", 4), ("sandbox-forbidden-key", 4), ("sandbox-no-credit-key", 0), (KEY, 0)],
)
def test_a_key_that_the_sandbox_refuses_can_be_tried(cli: Cli, key: str, code: int) -> None:
    """An explicit key wins over the sandbox's own; a variable's is not sent there."""
    assert cli("models", "list", "--sandbox", "-a", key).exit_code == code
    assert cli("models", "list", "--sandbox", env={"NSCALE_API_KEY": key}).exit_code == 0


@pytest.mark.slow
def test_the_program_lists_in_a_pipe_without_an_escape(program: Program, sandbox: Sandbox) -> None:
    """As a process of its own, also where colour is forced."""
    env = program.env | {"NSCALE_BASE_URL": sandbox.base_url, "NSCALE_API_KEY": KEY}
    outcome = program.run("models", "list", env=env | {"FORCE_COLOR": "1"})

    assert outcome.exit_code == 0
    assert "\x1b" not in outcome.stdout


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120])
def test_the_table_fits_the_terminal(cli: Cli, columns: int) -> None:
    """The owner goes first, then the long headings; ids are cut only where nothing else is left."""
    outcome = cli("models", "list", "--sandbox", env={"COLUMNS": str(columns)}, stdout_is_tty=True)
    header, *rows = outcome.stdout.splitlines()

    assert max(map(len, (header, *rows))) <= columns
    assert ("OWNER" in header) is (columns >= 110)
    assert any("0.000786" in row for row in rows)
    assert any("stable-diffusion-xl-base-1.0 " in row for row in rows) is (columns >= 80)


def test_a_pipe_gets_the_whole_table(cli: Cli) -> None:
    """Whatever COLUMNS says."""
    outcome = cli("models", "list", "--sandbox", env={"COLUMNS": "40"})

    assert "OWNER" in outcome.stdout and "..." not in outcome.stdout

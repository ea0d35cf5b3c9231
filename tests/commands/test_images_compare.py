"""`images compare`: what is bought, what grows, what is refused, and what is left behind."""

import io
import json
import os
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.sandbox.scenarios import Answer
from tests.conftest import Cli, Outcome, Program, ScriptedServer, images_reply, models_reply

FLUX, SDXL = "black-forest-labs/FLUX.1-schnell", "stabilityai/stable-diffusion-xl-base-1.0"
SMALL = ("-z", "64x64")
PRICES = models_reply(
    {"id": "a", "pricing": {"output": 1.0}}, {"id": "b", "pricing": {"output": 2.0}}
)


def image(width: int, height: int) -> str:
    """Return a picture of this size, as a reply has it."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return b64encode(file.getvalue()).decode()


PIXEL, MEGAPIXEL = image(1, 1), image(1000, 1000)


@pytest.fixture
def compare(cli: Cli) -> Cli:
    """Run `nscale images compare` against the sandbox of the command itself."""
    return lambda *arguments, **options: cli(
        "images", "compare", "--sandbox", *arguments, **options
    )


@pytest.fixture
def at_server(cli: Cli, server: ScriptedServer) -> Callable[..., Outcome]:
    """Run it against a server that counts what it is asked."""
    server.answers, server.models = [images_reply({"b64_json": PIXEL})], PRICES
    address = ("--base-url", server.base_url, "-a", "sk-test-0123456789abcdef")
    return lambda *words, **options: cli("images", "compare", *address, *words, **options)


def bodies(server: ScriptedServer) -> list[dict]:
    """Return what the server was asked for, in an order that does not hang on threads."""
    return sorted((json.loads(each.body) for each in server.requests), key=json.dumps)


def test_every_combination_is_bought_once(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """Two models, two sizes, two prompts; one request for each image."""
    outcome = at_server("fox", "owl", "-m", "a", "-m", "b", "-z", "1x1", "-z", "2x2")

    assert outcome.exit_code == 0
    assert bodies(server) == sorted(
        (
            {"model": model, "prompt": prompt, "size": size, "n": 1}
            for model in "ab"
            for prompt in ("fox", "owl")
            for size in ("1x1", "2x2")
        ),
        key=json.dumps,
    )
    directory = tmp_path / "compare-fox"
    assert outcome.stdout.splitlines() == [
        str(directory / "index.html"), str(directory / "sheet.png"),
    ]  # fmt: skip
    assert {path.name for path in directory.iterdir()} >= {
        "index.html", "sheet.png", "table.md", "results.csv", "run",
        "fox-a-1x1.png", "owl-b-2x2.png",
    }  # fmt: skip


def test_the_table_is_told_on_stderr(compare: Cli) -> None:
    """A line for each model and size."""
    outcome = compare("cat", "-m", FLUX, "-m", "sandbox/refused", *SMALL)

    lines = outcome.stderr.splitlines()
    table = lines[lines.index(next(each for each in lines if each.startswith("model  "))) :]
    assert table[0].split() == [
        "model",
        "size",
        "saved",
        "median",
        "worst",
        "true",
        "size",
        "bytes",
        "cost",
        "failed",
    ]
    assert table[1].startswith(f"{FLUX}  64x64  1 of 1 ")
    assert table[2].split() == ["sandbox/refused", "64x64", "0", "of", "1", "1", "refused"]
    assert outcome.exit_code == 24


def test_the_same_command_again_buys_nothing(at_server: Cli, server: ScriptedServer) -> None:
    """And says so; the page and the sheet are there as before."""
    first = at_server("fox", "-m", "a", "-m", "b")
    count = len(server.requests)
    again = at_server("fox", "-m", "a", "-m", "b")

    assert (count, len(server.requests), again.exit_code) == (2, 2, 0)
    assert again.stdout == first.stdout
    assert "all 2 rows are saved already; nothing was sent" in again.stderr


@pytest.mark.slow
def test_a_grown_command_buys_only_what_is_new(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """A further model, size, value, sample; what is there stays in the report."""
    at_server("fox", "-m", "a", "-o", "d")
    for number, words in enumerate(
        [
            ("fox", "-m", "b"),
            ("fox", "-m", "a", "-m", "b", "-z", "2x2"),
            ("fox", "-m", "a", "-n", "3"),
            ("fox", "owl", "-m", "a"),
        ],
        start=1,
    ):
        before = len(server.requests)
        outcome = at_server(*words, "-o", "d")
        assert (len(server.requests) - before, outcome.exit_code) == ([1, 2, 2, 1][number - 1], 0)
    page = (tmp_path / "d" / "index.html").read_text(encoding="utf-8")

    assert page.count('class="cell picture"') == 7
    assert len(server.requests) == 7


def test_what_failed_before_and_is_not_asked_for_now_is_not_sent(
    at_server: Cli, server: ScriptedServer
) -> None:
    """A further model costs what it costs, and nothing else."""
    server.answers = [Answer(status=401, body=b"{}")]
    at_server("fox", "owl", "-m", "a", "-o", "d", "-j", "1")
    server.requests.clear()
    server.answers = [images_reply({"b64_json": PIXEL})]
    at_server("fox", "-m", "b", "-o", "d")

    assert [body["model"] for body in bodies(server)] == ["b"]


def test_a_resumed_comparison_says_how_to_draw_it(
    at_server: Cli, cli: Cli, server: ScriptedServer
) -> None:
    """`resume` buys; the report is free at any time."""
    server.answers = [Answer(status=401, body=b"{}")]
    at_server("fox", "-m", "a", "-o", "d")
    server.answers = [images_reply({"b64_json": PIXEL})]
    address = ("--base-url", server.base_url, "-a", "sk-test-0123456789abcdef")
    outcome = cli("images", "resume", "d", *address)

    assert outcome.exit_code == 0
    assert "to draw it again: nscale images report" in outcome.stderr


def test_samples_are_equal_requests(at_server: Cli, server: ScriptedServer) -> None:
    """Each by a request of its own, with a key of its own."""
    outcome = at_server("fox", "-m", "a", "-n", "3")

    assert [body["n"] for body in bodies(server)] == [1, 1, 1]
    assert len({each.headers["idempotency-key"] for each in server.requests}) == 3
    assert outcome.exit_code == 0


@pytest.mark.parametrize(
    ("vary", "values"),
    [
        ("seed=1,2", [1, 2]),
        ("style=a b,true,null", ["a b", True, None]),
        ('style=["x,y", 3]', ["x,y", 3]),
        ("style=a", ["a"]),
    ],
)
def test_a_varied_field_is_sent_with_each_of_its_values(
    at_server: Cli, server: ScriptedServer, vary: str, values: list
) -> None:
    """Read as --param reads them; a JSON list is one, too."""
    name = vary.partition("=")[0]
    at_server("fox", "-m", "a", "--vary", vary)

    sent = [body[name] for body in bodies(server)]
    assert sorted(map(json.dumps, sent)) == sorted(map(json.dumps, values))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "there is no prompt"),
        (("fox", "--vary", "seed"), "is not KEY=V1,V2"),
        (("fox", "--vary", "seed=1,1"), "has a value twice"),
        (("fox", "--vary", "seed=[]"), "has no value"),
        (("fox", "--vary", "seed=1", "--vary", "seed=2"), "is given twice"),
        (("fox", "--vary", "seed=1", "--param", "seed=2"), "is given twice"),
        (("fox", "--vary", "model=a,b"), "--param cannot set 'model'"),
        (("fox", "-z", "huge"), "'huge' is not a size"),
        (("fox", "--cols", "modle"), "the run has no axis 'modle'"),
        (("fox", "--blind", "-p"), "--blind hides"),
        (("fox", "-p", "--no-sheet"), "--no-sheet leaves out"),
        (("fox", "-x", "--no-page"), "--no-page leaves out"),
        (("fox", "-p", "-q"), "-q silences"),
        (("fox", "--baseline", "nowhere"), "holds no run"),
        (("fox", ""), "the prompt is empty"),
        (("--prompts", "nowhere.txt"), "cannot be read"),
        (("fox", "--profile", "x"), "unknown profile"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_sent(
    at_server: Cli, server: ScriptedServer, words: tuple[str, ...], message: str
) -> None:
    """One clear line, exit 2 or 3, and no request."""
    outcome = at_server(*words)

    assert outcome.exit_code in (2, 3)
    assert message in outcome.stderr
    assert server.requests == []


@pytest.mark.slow
def test_too_many_images_are_refused_with_the_product_spelled_out(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """Unless more are allowed."""
    (tmp_path / "p.txt").write_text("\n".join(f"prompt {n}" for n in range(10)))
    words = ("--prompts", "p.txt", "-m", "a", "-m", "b", "-m", "c", "-z", "1x1", "-z", "2x2")
    outcome = at_server(*words, "-z", "3x3", "-z", "4x4")

    assert outcome.exit_code == 2 and server.requests == []
    assert (
        "3 models x 4 sizes x 10 prompts = 120: more than --max-images 64; nothing was sent"
        in outcome.stderr
    )
    assert at_server(*words, "--max-images", "60").exit_code == 0
    assert len(server.requests) == 60
    outcome = at_server(*words, "-z", "3x3", "--max-images", "29")
    assert "= 90, 30 of them to be bought: more than --max-images 29" in outcome.stderr


def test_a_dry_run_shows_the_grid_and_its_price(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """Nothing is sent, nothing is written."""
    words = ("fox", "owl", "-m", "a", "-m", "b", "-z", "1000x1000", "--vary", "seed=1,2")
    outcome = at_server(*words, "--dry-run")

    assert outcome.stdout.splitlines() == [
        "model: a, b",
        "size: 1000x1000",
        "seed: seed 1, seed 2",
        "prompt: fox, owl",
        "2 models x 2 seed values x 2 prompts = 8",
        "images: 8 to buy, 0 saved, 0 left alone",
        "price: about $12.000000",
    ]
    assert server.requests == [] and list(tmp_path.glob("compare*")) == []
    document = at_server(*words, "--dry-run", "--json").document
    assert document["command"] == "images compare" and document["data"]["axes"]["seed"] == [
        "1",
        "2",
    ]


def test_a_dry_run_of_a_grown_command_counts_what_is_there(at_server: Cli) -> None:
    """Only what is new has a price."""
    at_server("fox", "-m", "a", "-z", "1000x1000")
    outcome = at_server("fox", "-m", "a", "-m", "b", "-z", "1000x1000", "--dry-run")

    assert "images: 1 to buy, 1 saved, 0 left alone\nprice: about $2.000000" in outcome.stdout


def test_max_cost_holds_for_the_whole_comparison(at_server: Cli, server: ScriptedServer) -> None:
    """What would be beyond it is not sent."""
    server.answers = [images_reply({"b64_json": MEGAPIXEL})]
    words = ("fox", "-m", "a", "-m", "b", "-z", "1000x1000", "-j", "1")
    outcome = at_server(*words, "--max-cost", "2.5")

    assert [body["model"] for body in bodies(server)] == ["a"]
    assert outcome.exit_code == 24 and "--max-cost" in outcome.stderr


def test_a_fresh_comparison_has_a_folder_of_its_own(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """Numbered, and everything is bought again."""
    at_server("fox", "-m", "a")
    outcome = at_server("fox", "-m", "a", "--fresh")

    assert len(server.requests) == 2
    assert outcome.stdout.startswith(f"{tmp_path / 'compare-fox-2'}{os.sep}")


def test_the_json_document_has_all_of_it(compare: Cli, tmp_path: Path) -> None:
    """Images, page, sheet, table, and what the settings did."""
    words = ("cat", "-m", FLUX, "-m", "sandbox/ignores-seed", "-m", "sandbox/refused")
    outcome = compare(*words, *SMALL, "--vary", "seed=1,2", "--json")
    data = outcome.document["data"]

    directory = tmp_path / "compare-cat-sandbox"
    assert outcome.document["command"] == "images compare"
    assert outcome.document["status"] == "partial"
    assert (data["run"], data["page"], data["sheet"]) == (
        str(directory), str(directory / "index.html"), str(directory / "sheet.png"),
    )  # fmt: skip
    assert data["rows"]["saved"] == 4 == len(data["images"])
    assert [line["model"] for line in data["table"]] == [words[2], words[4], words[6]]
    assert "seed: no visible effect at sandbox/ignores-seed (identical bytes)" in data["effects"]
    assert [error["code"] for error in outcome.document["errors"]] == ["refused", "refused"]


def test_the_json_document_says_which_replies_are_kept(cli: Cli) -> None:
    """Of each cell that was paid for and has no picture."""
    models = ("-m", "sandbox/url", "-m", "sandbox/not-an-image")
    document = cli("images", "compare", "fox", *models, "--sandbox", "--json").document

    assert [len(error["kept"]) for error in document["errors"]] == [1, 1]  # type: ignore[attr-defined]
    assert [Path(path).is_file() for path in document["data"]["kept"]] == [True, True]  # type: ignore[index]


def test_a_failure_is_a_document_with_the_same_fields(compare: Cli) -> None:
    """For scripts that read them without looking."""
    document = compare("--json").document

    assert document["status"] == "error"
    assert (document["data"]["page"], document["data"]["images"]) == (None, [])


def test_a_blind_comparison_tells_nothing(compare: Cli, tmp_path: Path) -> None:
    """One page, a sealed key for its owner alone; no table, no sheet, no telling name."""
    outcome = compare("cat", "-m", FLUX, "-m", SDXL, *SMALL, "--blind")
    directory = tmp_path / "compare-cat-sandbox"

    assert outcome.stdout == f"{directory / 'blind.html'}\n"
    assert {path.name for path in directory.iterdir() if path.suffix != ".png"} == {
        "blind.html", "results.csv", "run",
    }  # fmt: skip
    assert not any("flux" in path.name.lower() for path in directory.iterdir())
    assert "1 of 1" not in outcome.stderr
    assert f"nscale images votes {directory} FILE" in outcome.stderr
    if os.name == "posix":
        assert (directory / "run" / "key.json").stat().st_mode & 0o777 == 0o600
    source = (directory / "blind.html").read_text(encoding="utf-8")
    assert FLUX not in source and "flux" not in source.lower() and SDXL not in source


def test_a_folder_of_a_batch_is_refused(cli: Cli, compare: Cli, tmp_path: Path) -> None:
    """Its rows have nothing in common with a comparison's."""
    (tmp_path / "p.txt").write_text("cat\n")
    cli("images", "batch", "p.txt", "-o", "d", "--sandbox", *SMALL)
    outcome = compare("cat", "-o", "d", *SMALL)

    assert outcome.exit_code == 2 and "holds the run of a file of rows" in outcome.stderr


def test_prompts_are_read_from_a_file_or_from_standard_input(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """One a line; one that is there twice is asked for once."""
    outcome = at_server("--prompts", "-", "-m", "a", "-o", "d", stdin="fox\n\nö\nfox\n".encode())

    assert {body["prompt"] for body in bodies(server)} == {"fox", "ö"}
    assert len(server.requests) == 2
    assert "1 prompts are there twice" in outcome.stderr


def test_a_report_that_cannot_be_written_costs_no_image(
    at_server: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """It is a warning, and the exit code is that of the images."""
    (tmp_path / "d" / "sheet.png").mkdir(parents=True)
    outcome = at_server("fox", "-m", "a", "-o", "d")

    assert outcome.exit_code == 0
    assert "warning: the report could not be written" in outcome.stderr
    assert (tmp_path / "d" / "fox-a-512x512.png").exists()


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    """Another server."""
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def profiles(server: ScriptedServer, other: ScriptedServer, tmp_path: Path) -> dict[str, str]:
    """The environment of a settings file with a profile for each of two servers."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[profiles.one]\nbase_url = "{server.base_url}"\nmodel = "a"\n'
        f'[profiles.two]\nbase_url = "{other.base_url}"\nmodel = "b"\n'
    )
    return {"NSCALE_CONFIG": str(config), "NSCALE_API_KEY": "sk-test-0123456789abcdef"}


BOTH = ("images", "compare", "fox", "--profile", "one", "--profile", "two", "-z", "1000x1000")


def test_services_are_compared_by_their_profiles(
    cli: Cli,
    server: ScriptedServer,
    other: ScriptedServer,
    profiles: dict[str, str],
    tmp_path: Path,
) -> None:
    """Each is asked for its own model, at its own price."""
    for each in (server, other):
        each.answers, each.models = [images_reply({"b64_json": PIXEL})], PRICES
    outcome = cli(*BOTH, env=profiles)

    assert outcome.exit_code == 0, outcome.stderr
    assert [body["model"] for body in bodies(server)] == ["a"]
    assert [body["model"] for body in bodies(other)] == ["b"]
    page = (tmp_path / "compare-fox" / "index.html").read_text(encoding="utf-8")
    assert "a, one" in page and "b, two" in page
    assert cli(*BOTH, env=profiles).exit_code == 0
    assert len(server.requests) == len(other.requests) == 1


def test_one_model_of_two_services_is_one_column_for_each(
    cli: Cli,
    server: ScriptedServer,
    other: ScriptedServer,
    profiles: dict[str, str],
    tmp_path: Path,
) -> None:
    """And a service that lacks it is no reason not to ask the other."""
    server.answers, server.models = [Answer(status=404, body=b"{}")], PRICES
    other.answers, other.models = [images_reply({"b64_json": PIXEL})], PRICES
    outcome = cli(*BOTH, "owl", "-m", "a", "-j", "1", env=profiles)

    assert outcome.exit_code == 24
    assert (len(server.requests), len(other.requests)) == (1, 2)


def test_one_budget_holds_for_all_services(
    cli: Cli, server: ScriptedServer, other: ScriptedServer, profiles: dict[str, str]
) -> None:
    """A dollar at one, two at the other, and two and a half in all."""
    for each in (server, other):
        each.answers, each.models = [images_reply({"b64_json": MEGAPIXEL})], PRICES
    outcome = cli(*BOTH, "-j", "1", "--max-cost", "2.5", env=profiles)

    assert (len(server.requests), len(other.requests)) == (1, 0)
    assert outcome.exit_code == 24


def test_a_run_of_several_services_goes_on_only_with_all_of_them(
    cli: Cli,
    server: ScriptedServer,
    other: ScriptedServer,
    profiles: dict[str, str],
    tmp_path: Path,
) -> None:
    """`resume` knows one service, and says what to do."""
    for each in (server, other):
        each.answers = [Answer(status=401, body=b"{}")]
    cli(*BOTH, env=profiles)
    words = ("images", "resume", "compare-fox", "--profile", "one")
    outcome = cli(*words, env=profiles)

    assert outcome.exit_code == 2
    assert "with all its profiles" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--base-url", "http://127.0.0.1:9/v1"), "--base-url is for one service"),
        (("--sandbox",), "--sandbox is for one service"),
        (("-a", "sk-test-0123456789abcdef"), "-a is for one service"),
    ],
)
def test_what_is_for_one_service_is_refused_for_several(
    cli: Cli, profiles: dict[str, str], words: tuple[str, ...], message: str
) -> None:
    """With what to do."""
    outcome = cli(*BOTH, *words, env=profiles)

    assert outcome.exit_code == 2 and message in outcome.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signal to another process")
def test_the_first_ctrl_c_finishes_what_is_under_way_and_draws_nothing(program: Program) -> None:
    """What is there can be drawn later, for nothing."""
    words = ("cat", "owl", "-m", "sandbox/slow", "-j", "1", *SMALL, "-o", "d")
    with program.start("images", "compare", "--sandbox", *words) as process:
        journal = program.cwd / "d" / "run" / "journal.jsonl"
        while not (journal.exists() and b'"sent"' in journal.read_bytes()):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert b"to see what is there: nscale images report" in stderr
    assert not (program.cwd / "d" / "index.html").exists()
    outcome = program.run("images", "report", "d")
    assert outcome.exit_code == 0 and (program.cwd / "d" / "index.html").exists()

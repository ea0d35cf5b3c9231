"""`nscale images batch`: a file of prompts becomes a folder, and nothing is paid twice."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nscale_cli.sandbox.scenarios import Answer
from tests.conftest import KEY, Cli, FakeClock, Outcome, Program
from tests.runs.serving import (
    BAD_KEY,
    FAILED,
    NO_CREDIT,
    REFUSED,
    TOO_MANY,
    UNKNOWN,
    Service,
    events_of,
    pictures,
    write_rows,
)

SMALL = ("-z", "8x8")


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that remembers what it was asked for."""
    with Service() as running:
        yield running


@pytest.fixture
def batch(cli: Cli, service: Service) -> Cli:
    """Run `nscale images batch` for small images of the service."""
    return lambda *arguments, **options: cli(
        "images", "batch", *arguments, *SMALL, *service.options, **options
    )


def numbers(outcome: Outcome) -> dict[str, int]:
    """Return how many rows are where, without those that are nowhere."""
    rows = outcome.document["data"]["rows"]  # type: ignore[index]
    return {name: count for name, count in rows.items() if count}  # type: ignore[attr-defined]


def test_each_row_becomes_an_image(batch: Cli, service: Service, tmp_path: Path) -> None:
    """In a folder named for the file, with the paths on stdout, whole."""
    write_rows(tmp_path, 5)
    outcome = batch("rows.txt")
    assert outcome.exit_code == 0
    names = [f"000{number}-prompt-{number}.png" for number in range(1, 6)]
    assert sorted(outcome.stdout.split()) == [str(tmp_path / "rows" / name) for name in names]
    assert pictures(tmp_path / "rows") == names
    assert service.posts == {f"prompt {number}": 1 for number in range(1, 6)}
    assert "5 images by black-forest-labs/FLUX.1-schnell into " in outcome.stderr
    assert "saved 0001-prompt-1.png  8x8  PNG" in outcome.stderr
    assert "5 of 5 rows saved" in outcome.stderr


def test_the_same_command_again_buys_nothing(cli: Cli, batch: Cli, tmp_path: Path) -> None:
    """It needs no key and no network for that, and says so; the paths are the same."""
    write_rows(tmp_path, 3)
    first = batch("rows.txt")
    address = next(
        line for line in (tmp_path / "rows/run/plan.json").read_text().split('"') if "http" in line
    )
    again = cli("images", "batch", "rows.txt", *SMALL, env={"NSCALE_BASE_URL": address})
    assert again.exit_code == 0
    assert sorted(again.stdout.split()) == sorted(first.stdout.split())
    assert "all 3 rows are saved already; nothing was sent" in again.stderr


def test_a_file_with_mistakes_sends_nothing_and_leaves_nothing(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """All mistakes come at once, in one document where one was asked for."""
    (tmp_path / "rows.csv").write_text("prompt,size,out\nfox,big,a\ncat,,../x\n")
    outcome = batch("rows.csv")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.splitlines() == [
        "error: rows.csv, line 2, column size: 'big' is not a size",
        "error: rows.csv, line 3, column out: the name '../x' leaves the run's folder",
        "error: rows.csv has 2 mistakes; nothing was sent",
        "hint: fix these lines, then give the same command again",
    ]
    document = batch("rows.csv", "--json").document
    assert [error["code"] for error in document["errors"]] == ["usage"] * 3  # type: ignore[index]
    assert document["data"]["rows"] is None  # type: ignore[index]
    assert not (tmp_path / "rows").exists()
    assert not service.posts


def test_every_row_may_say_what_it_wants(batch: Cli, service: Service, tmp_path: Path) -> None:
    """Model, size, number, further fields, its file; defaults fill in the rest."""
    (tmp_path / "rows.csv").write_text(
        "id,prompt,model,size,n,out,param.seed,mood\n"
        "hero,fox,a/b,16x8,2,heroes/fox.png,7,dark\n"
        ",cat,,,,,,light\n"
    )
    outcome = batch("rows.csv", "--name", "{mood}-{row}.{ext}", "--param", "steps=4")
    assert outcome.exit_code == 0
    bodies = [json.loads(each.body) for each in service.requests]
    assert sorted(bodies, key=lambda body: body["prompt"]) == [
        {
            "model": "black-forest-labs/FLUX.1-schnell",
            "prompt": "cat",
            "size": "8x8",
            "n": 1,
            "steps": 4,
        },
        {"model": "a/b", "prompt": "fox", "size": "16x8", "n": 2, "steps": 4, "seed": 7},
    ]
    assert pictures(tmp_path / "rows") == ["light-0002.png"]
    assert pictures(tmp_path / "rows/heroes") == ["fox-1.png", "fox-2.png"]


def test_equal_rows_stay_two_unless_unique(batch: Cli, service: Service, tmp_path: Path) -> None:
    """Somebody may want one prompt ten times."""
    (tmp_path / "rows.txt").write_text("fox\ncat\nfox\n")
    outcome = batch("rows.txt")
    assert "1 rows are equal to earlier ones (--unique leaves them out)" in outcome.stderr
    assert service.posts == {"fox": 2, "cat": 1}
    assert batch("rows.txt", "--unique", "-o", "other").exit_code == 0
    assert service.posts == {"fox": 3, "cat": 2}


def test_limit_takes_the_first_rows_and_the_others_come_later(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """A rehearsal is part of the run."""
    write_rows(tmp_path, 5)
    assert batch("rows.txt", "--limit", "2").exit_code == 0
    assert service.posts == {"prompt 1": 1, "prompt 2": 1}
    assert batch("rows.txt").exit_code == 0
    assert service.posts == {f"prompt {number}": 1 for number in range(1, 6)}


def test_a_row_that_is_put_in_moves_no_other(batch: Cli, service: Service, tmp_path: Path) -> None:
    """What was bought is found by what it is, not by where it stands."""
    (tmp_path / "rows.txt").write_text("fox\ncat\n")
    batch("rows.txt")
    (tmp_path / "rows.txt").write_text("dog\nfox\ncat\n")
    assert batch("rows.txt").exit_code == 0
    assert service.posts == {"fox": 1, "cat": 1, "dog": 1}
    assert pictures(tmp_path / "rows") == ["0001-dog.png", "0001-fox.png", "0002-cat.png"]


def test_credit_that_ends_stops_the_run_and_the_same_command_goes_on(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """No other row is burnt to a failure; after the top-up the rest is bought."""
    write_rows(tmp_path, 20)
    service.credit = 7
    outcome = batch("rows.txt", "-j", "2", "--json")
    assert outcome.exit_code == 24
    data = outcome.document["data"]
    assert data["stopped_by"] == "credit"  # type: ignore[index]
    assert sum(service.posts.values()) <= 7 + 2
    found = numbers(outcome)
    assert (found["saved"], found["total"]) == (7, 20)
    assert found["failed_not_billed"] + found["not_sent"] == 13
    service.credit = None
    again = batch("rows.txt", "-j", "2")
    assert again.exit_code == 0
    assert "20 of 20 rows saved (7 of them earlier)" in again.stderr
    assert len(pictures(tmp_path / "rows")) == 20
    refused = [event["row"] for event in events_of(tmp_path / "rows") if event["s"] == "failed"]
    assert sum(service.posts.values()) == 20 + len(refused)


@pytest.mark.parametrize(
    ("answer", "stopped_by", "code"),
    [(NO_CREDIT, "credit", 5), (BAD_KEY, "key", 4)],
    ids=["credit", "key"],
)
def test_what_every_row_would_meet_stops_the_run(
    batch: Cli, service: Service, tmp_path: Path, answer: Answer, stopped_by: str, code: int
) -> None:
    """With its own exit code where nothing is saved."""
    write_rows(tmp_path, 9)
    service.failures["*"] = [answer] * 9
    outcome = batch("rows.txt", "-j", "1", "--json")
    assert outcome.exit_code == code
    assert outcome.document["data"]["stopped_by"] == stopped_by  # type: ignore[index]
    assert sum(service.posts.values()) == 1
    assert numbers(outcome) == {"total": 9, "failed_not_billed": 1, "not_sent": 8}


def test_a_model_that_is_not_there_leaves_its_rows_out(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """The rest goes on."""
    rows = "".join(f"prompt {n},{'gone' if n % 2 else 'a/b'}\n" for n in range(1, 9))
    (tmp_path / "rows.csv").write_text(f"prompt,model\n{rows}")
    for number in (1, 3, 5, 7):
        service.failures[f"prompt {number}"] = [UNKNOWN]
    outcome = batch("rows.csv", "-j", "1", "--json")
    assert outcome.exit_code == 24
    assert numbers(outcome) == {"total": 8, "saved": 4, "failed_not_billed": 1, "not_sent": 3}
    assert service.posts["prompt 3"] == 0


def test_five_failures_in_a_row_that_may_have_been_billed_stop_the_run(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """Each of them may have cost something; --keep-going goes on."""
    write_rows(tmp_path, 12)
    service.failures["*"] = [FAILED] * 5
    outcome = batch("rows.txt", "-j", "1", "--json")
    assert outcome.exit_code == 12
    assert outcome.document["data"]["stopped_by"] == "maybe_billed"  # type: ignore[index]
    assert numbers(outcome) == {"total": 12, "failed_maybe_billed": 5, "not_sent": 7}
    service.failures["*"] = [FAILED] * 6
    outcome = batch("rows.txt", "-j", "1", "--keep-going", "--json")
    assert outcome.exit_code == 25
    assert numbers(outcome) == {"total": 12, "saved": 1, "failed_maybe_billed": 11}


def test_what_may_have_been_billed_is_never_repeated_by_itself(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """--retry-billed does it, with the same idempotency key."""
    write_rows(tmp_path, 3)
    service.failures["prompt 2"] = [FAILED]
    assert batch("rows.txt").exit_code == 25
    outcome = batch("rows.txt")
    assert outcome.exit_code == 25
    assert (
        "row 2, 'prompt 2': may have been billed: the service, or a proxy before it, failed "
        "(500): it broke; look at your usage page, then --retry-billed or --redo"
    ) in outcome.stderr
    assert service.posts["prompt 2"] == 1
    assert batch("rows.txt", "--retry-billed").exit_code == 0
    first, second = service.keys["prompt 2"]
    assert first == second
    assert service.keys["prompt 1"] != service.keys["prompt 3"]


def test_a_refused_row_is_sent_again_only_where_the_user_says_so(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """The others are saved."""
    write_rows(tmp_path, 3)
    service.failures["prompt 2"] = [REFUSED]
    assert batch("rows.txt").exit_code == 24
    assert batch("rows.txt").exit_code == 24
    assert service.posts["prompt 2"] == 1
    assert batch("rows.txt", "--retry-refused").exit_code == 0
    assert service.posts["prompt 2"] == 2


def test_a_file_that_is_gone_is_listed_and_bought_again_by_redo(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """By its id or its number; another name is refused."""
    (tmp_path / "rows.csv").write_text("id,prompt\nhero,fox\n,cat\n")
    batch("rows.csv")
    (tmp_path / "rows/0001-fox.png").unlink()
    outcome = batch("rows.csv")
    assert outcome.exit_code == 24
    assert "row 1 (hero), 'fox': saved, but" in outcome.stderr
    assert outcome.stdout.split() == [str(tmp_path / "rows/0002-cat.png")]
    wrong = batch("rows.csv", "--redo", "nobody")
    assert (wrong.exit_code, service.posts["fox"]) == (2, 1)
    assert "--redo nobody: no row is called so; nothing was sent" in wrong.stderr
    assert batch("rows.csv", "--redo", "hero").exit_code == 0
    assert (service.posts["fox"], pictures(tmp_path / "rows")) == (
        2,
        ["0001-fox.png", "0002-cat.png"],
    )
    first, second = service.keys["fox"]
    assert first != second


def test_redo_of_an_image_that_is_there_keeps_the_old_one(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """Nothing that was paid for is replaced."""
    (tmp_path / "rows.csv").write_text("prompt,out\nfox,fox.png\n")
    batch("rows.csv")
    assert batch("rows.csv", "--redo", "1").exit_code == 0
    assert len(pictures(tmp_path / "rows")) == 2
    again = batch("rows.csv")
    assert (again.exit_code, service.posts["fox"]) == (0, 2)


def test_a_file_that_is_in_the_way_is_refused_or_gone_around(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """A name that the row gave is refused before anything is sent, others are numbered."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/0001-fox.png").write_bytes(b"mine")
    (tmp_path / "rows.csv").write_text("prompt,out\nfox,\n")
    assert batch("rows.csv").exit_code == 0
    assert (tmp_path / "rows/0001-fox.png").read_bytes() == b"mine"
    assert len(pictures(tmp_path / "rows")) == 2
    (tmp_path / "rows/hero.png").write_bytes(b"mine, too")
    (tmp_path / "rows.csv").write_text("prompt,out\ncat,hero.png\n")
    outcome = batch("rows.csv")
    assert outcome.exit_code == 2
    assert "rows.csv, line 2, column out: hero.png exists, and is not of this row" in outcome.stderr
    assert service.posts["cat"] == 0


def test_an_id_is_one_request_for_the_life_of_the_folder(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """An edited prompt under an old id would else be a second purchase nobody meant."""
    (tmp_path / "rows.csv").write_text("id,prompt\nhero,fox\n")
    batch("rows.csv")
    (tmp_path / "rows.csv").write_text("id,prompt\nhero,red fox\n")
    outcome = batch("rows.csv")
    assert outcome.exit_code == 2
    assert (
        "error: rows.csv, line 2, column id: 'hero' names another request in this folder's plan; "
        "give the row a new id"
    ) in outcome.stderr
    assert sum(service.posts.values()) == 1


def test_another_service_is_refused_unless_it_is_named(
    cli: Cli, batch: Cli, service: Service, tmp_path: Path
) -> None:
    """A variable that changed meanwhile would buy everything again."""
    write_rows(tmp_path, 2)
    batch("rows.txt")
    with Service() as other:
        env = {"NSCALE_BASE_URL": other.base_url, "NSCALE_API_KEY": KEY}
        outcome = cli("images", "batch", "rows.txt", *SMALL, env=env)
        assert outcome.exit_code == 2
        assert (
            f"rows is a run at {service.base_url}, and this would be one at {other.base_url}, "
            "where all of it would be bought again; nothing was sent"
        ) in outcome.stderr
        assert not other.posts
        named = cli("images", "batch", "rows.txt", *SMALL, *other.options)
        assert named.exit_code == 0
        assert sum(other.posts.values()) == 2
        assert len(pictures(tmp_path / "rows")) == 4


def test_pictures_of_the_sandbox_never_stand_among_those_that_were_paid_for(
    cli: Cli, batch: Cli, tmp_path: Path
) -> None:
    """A rehearsal has a folder of its own."""
    write_rows(tmp_path, 2)
    assert cli("images", "batch", "rows.txt", *SMALL, "--sandbox").exit_code == 0
    assert len(pictures(tmp_path / "rows-sandbox")) == 2
    assert batch("rows.txt").exit_code == 0
    mixed = cli("images", "batch", "rows.txt", *SMALL, "--sandbox", "-o", "rows")
    assert mixed.exit_code == 2
    assert "this would be one at sandbox" in mixed.stderr


def test_a_default_that_changed_unnoticed_buys_nothing(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """Named on the command line, it makes new rows."""
    write_rows(tmp_path, 2)
    batch("rows.txt")
    outcome = batch("rows.txt", env={"NSCALE_MODEL": "a/other"})
    assert outcome.exit_code == 2
    assert (
        "the rows were planned with model black-forest-labs/FLUX.1-schnell, and now it is "
        "a/other, with which 2 of them would be bought as new ones; nothing was sent"
    ) in outcome.stderr
    assert sum(service.posts.values()) == 2
    assert batch("rows.txt", "-m", "a/other").exit_code == 0
    assert sum(service.posts.values()) == 4


@pytest.mark.slow
def test_too_many_at_once_are_sent_again_and_none_is_lost(
    cli: Cli, sleeps: FakeClock, tmp_path: Path
) -> None:
    """The service takes four at once; no row loses a try."""
    write_rows(tmp_path, 24)
    with Service(latency_seconds=0.1, max_concurrent=4) as service:
        outcome = cli(
            "images", "batch", "rows.txt", *SMALL, *service.options, "-j", "12", "--retry", "0"
        )
    assert outcome.exit_code == 0
    assert len(pictures(tmp_path / "rows")) == 24
    assert set(service.posts.values()) == {1}
    assert "too many requests (429): Slow down, please; fewer are sent at once" in outcome.stderr
    refused = [event for event in events_of(tmp_path / "rows") if event["s"] == "failed"]
    assert refused and {event["billed"] for event in refused} == {"no"}


@pytest.mark.slow
def test_retry_after_makes_all_wait(batch: Cli, service: Service, tmp_path: Path) -> None:
    """As long as the service asks for."""
    write_rows(tmp_path, 3)
    service.failures["prompt 1"] = [
        Answer(status=429, body=TOO_MANY.body, headers={"Retry-After": "1"})
    ]
    outcome = batch("rows.txt", "-j", "1")
    assert outcome.exit_code == 0
    assert "it asks to wait 1 s: slow down; all wait 1 s" in outcome.stderr


def test_max_cost_holds_over_the_whole_life_of_the_folder(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """However often the run goes on; what may have been billed counts, too."""
    write_rows(tmp_path, 10)
    each = 64 * 0.0013 / 1e6
    limit = f"{4.5 * each:.12f}"
    service.failures["prompt 2"] = [FAILED]
    outcome = batch("rows.txt", "-j", "3", "--max-cost", limit, "--json")
    assert outcome.exit_code == 25
    assert outcome.document["data"]["stopped_by"] == "max_cost"  # type: ignore[index]
    assert numbers(outcome)["saved"] == 3
    assert sum(service.posts.values()) == 4
    again = batch("rows.txt", "--max-cost", limit)
    assert again.exit_code == 25
    assert sum(service.posts.values()) == 4
    assert "more than --max-cost" in again.stderr
    assert batch("rows.txt", "--max-cost", f"{20 * each:.12f}").exit_code == 25
    assert len(pictures(tmp_path / "rows")) == 9


def test_an_unknown_price_is_refused_with_max_cost(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """Before anything is sent."""
    (tmp_path / "rows.csv").write_text("prompt,model\nfox,a/unpriced\n")
    outcome = batch("rows.csv", "--max-cost", "1")
    assert outcome.exit_code == 2
    assert "the price is unknown (the service does not list this model)" in outcome.stderr
    assert not service.posts


def test_dry_run_tells_names_and_price_and_writes_nothing(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """Also of a run that has begun, and without a key."""
    write_rows(tmp_path, 3)
    outcome = batch("rows.txt", "--dry-run")
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        *(
            f"would save {tmp_path}/rows/000{n}-prompt-{n}.png  "
            f"black-forest-labs/FLUX.1-schnell  8x8  prompt {n}"
            for n in (1, 2, 3)
        ),
        "rows: 3 to send, 0 saved, 0 left alone",
        "price: about $0.00000025",
    ]
    assert not (tmp_path / "rows").exists()
    batch("rows.txt", "--limit", "2")
    again = batch("rows.txt", "--dry-run", "--json").document["data"]
    assert again["rows"] == {  # type: ignore[index]
        "total": 3,
        "saved": 2,
        "earlier": 2,
        "left_alone": 0,
        "to_send": 1,
    }
    assert sum(service.posts.values()) == 2


def test_a_script_is_told_everything_in_one_document(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """The public form of `--json`."""
    (tmp_path / "rows.csv").write_text("id,prompt\nhero,fox\n,cat\n")
    service.failures["cat"] = [REFUSED]
    outcome = batch("rows.csv", "--json")
    document = outcome.document
    assert (document["command"], document["status"]) == ("images batch", "partial")
    data = document["data"]
    assert isinstance(data, dict)
    assert data["run"] == str(tmp_path / "rows")
    assert data["rows"] == {
        "total": 2,
        "saved": 1,
        "earlier": 0,
        "failed_billed": 0,
        "failed_maybe_billed": 0,
        "failed_not_billed": 1,
        "not_sent": 0,
    }
    assert (data["cost_usd"], data["estimate_usd"]) == (8.3e-08, 1.66e-07)
    (image,) = data["images"]
    assert {name: image[name] for name in ("path", "id", "model", "size", "prompt")} == {
        "path": str(tmp_path / "rows/0001-fox.png"),
        "id": "hero",
        "model": "black-forest-labs/FLUX.1-schnell",
        "size": "8x8",
        "prompt": "fox",
    }
    (error,) = document["errors"]  # type: ignore[misc]
    assert error == {
        "row": error["row"],
        "id": None,
        "kept": [],
        "code": "refused",
        "message": "refused: the service refused the request (400): not that",
        "hint": "send it again with --retry-refused",
        "billed": "no",
        "http_status": 400,
        "request_id": error["request_id"],
    }
    assert error["request_id"].startswith("req-")


def test_a_script_is_told_which_files_of_which_row_are_kept(cli: Cli, tmp_path: Path) -> None:
    """What was paid for and is no image: now, and whenever the folder is asked again."""
    models = ("url", "not-an-image", "truncated", "refused")
    rows = "".join(f"cat,sandbox/{model},{model}\n" for model in models)
    (tmp_path / "rows.csv").write_text(f"prompt,model,id\n{rows}")
    command = ("images", "batch", "rows.csv", *SMALL, "--sandbox")

    for document in (cli(*command, "--json").document, cli(*command, "--json").document):
        kept = {error["id"]: error["kept"] for error in document["errors"]}  # type: ignore[attr-defined]
        data = document["data"]
        assert {name: len(paths) for name, paths in kept.items()} == {
            "url": 1,
            "not-an-image": 1,
            "truncated": 1,
            "refused": 0,
        }
        assert data["kept"] == [path for name in models for path in kept[name]]  # type: ignore[index]
        assert all(Path(path).stat().st_size for path in data["kept"])  # type: ignore[index]


def test_the_journal_can_be_followed_on_stdout(batch: Cli, tmp_path: Path) -> None:
    """As it is written, line for line."""
    write_rows(tmp_path, 3)
    outcome = batch("rows.txt", "--jsonl")
    told = [json.loads(line) for line in outcome.stdout.splitlines()]
    written = events_of(tmp_path / "rows")
    assert sorted(told, key=json.dumps) == sorted(written, key=json.dumps)
    assert len(told) == 6
    assert batch("rows.txt", "--jsonl", "--json").exit_code == 2


def test_the_table_of_results_harms_no_spreadsheet(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """A prompt may look like a formula, and is none."""
    (tmp_path / "rows.csv").write_text('prompt,id\n"=1+1",-x\n@cat,b\n')
    service.failures["@cat"] = [REFUSED]
    batch("rows.csv")
    with (tmp_path / "rows/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["prompt"], row["id"], row["state"]) for row in rows] == [
        ("'=1+1", "'-x", "saved"),
        ("'@cat", "b", "refused"),
    ]
    assert [row["code"] for row in rows] == ["", "refused"]


def test_what_failed_can_be_given_again(batch: Cli, service: Service, tmp_path: Path) -> None:
    """The file is input as it is, with all fields; a run without failures has none."""
    (tmp_path / "rows.csv").write_text("prompt,id,out,mood\nfox,a,x/fox,dark\ncat,,,\n")
    service.failures["fox"] = [REFUSED]
    batch("rows.csv")
    failed = tmp_path / "rows/run/failed.jsonl"
    again = batch(str(failed), "-o", "again", "--name", "{mood}.{ext}", "--json")
    assert (again.exit_code, numbers(again)) == (0, {"total": 1, "saved": 1})
    assert (tmp_path / "again/x/fox.png").exists()
    batch("rows.csv", "--retry-refused")
    assert not failed.exists()


def test_rows_come_from_standard_input_with_a_folder_and_a_format(
    batch: Cli, tmp_path: Path
) -> None:
    """Both are asked for where they are missing."""
    assert batch("-", "--format", "txt", stdin=b"fox\n").exit_code == 2
    assert batch("-", "-o", "foxes", stdin=b"fox\n").exit_code == 2
    outcome = batch("-", "-o", "foxes", "--format", "txt", stdin=b"fox\ncat\n")
    assert outcome.exit_code == 0
    assert pictures(tmp_path / "foxes") == ["0001-fox.png", "0002-cat.png"]


@pytest.mark.slow
def test_stdout_that_fails_stops_no_purchase(
    program: Program, service: Service, tmp_path: Path
) -> None:
    """Everything is saved, and the exit code says what was not written."""
    write_rows(tmp_path, 4)
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        outcome = program.run("images", "batch", "rows.txt", *SMALL, *service.options, stdout=full)
    assert outcome.exit_code == 23
    assert len(pictures(tmp_path / "rows")) == 4


def test_quiet_says_nothing_but_errors(batch: Cli, service: Service, tmp_path: Path) -> None:
    """The paths are still on stdout."""
    write_rows(tmp_path, 2)
    service.failures["prompt 1"] = [REFUSED]
    outcome = batch("rows.txt", "-q")
    assert outcome.stdout.split() == [str(tmp_path / "rows/0002-prompt-2.png")]
    assert outcome.stderr.splitlines() == [
        "error: row 1, 'prompt 1': the service refused the request (400): not that; "
        "nothing was billed"
    ]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_quiet_says_why_a_run_that_goes_on_has_not_all_of_its_rows(
    batch: Cli, service: Service, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """An earlier run has told of the rows that are left alone; an exit code needs words again."""
    write_rows(tmp_path, 2)
    service.failures["prompt 1"] = [FAILED]
    assert batch("rows.txt").exit_code == 25
    outcome = batch("rows.txt", "-q", *options)
    assert outcome.exit_code == 25
    assert outcome.stderr.splitlines() == [
        "error: 1 of 2 rows saved (1 of them earlier); 1 may have been billed; "
        "about $0.000000083, and perhaps $0.000000083 in all",
        "hint: without --quiet, each row that is left alone is named, and what can be done",
    ]
    assert "error: " not in batch("rows.txt", *options).stderr
    assert batch("rows.txt", "-q", "--retry-billed").stderr == ""
    assert batch("rows.txt", "-q").stderr == ""


def test_fail_fast_stops_at_the_first_failure(batch: Cli, service: Service, tmp_path: Path) -> None:
    """What is not sent stays unsent."""
    write_rows(tmp_path, 6)
    service.failures["prompt 2"] = [REFUSED]
    outcome = batch("rows.txt", "-j", "1", "--fail-fast", "--json")
    assert numbers(outcome) == {"total": 6, "saved": 1, "failed_not_billed": 1, "not_sent": 4}
    assert outcome.document["data"]["stopped_by"] == "fail_fast"  # type: ignore[index]


def test_a_hostile_row_harms_neither_terminal_nor_disk(
    batch: Cli, service: Service, tmp_path: Path
) -> None:
    """Prompts, ids and what a server says are text of strangers."""
    hostile = "\x1b]0;owned\x07[/b]\u202e$(id) ../../x"
    rows = [{"prompt": hostile, "id": hostile}, {"prompt": "b" + hostile}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    service.failures[hostile] = [
        Answer(status=400, body=json.dumps({"error": {"message": hostile + KEY}}).encode())
    ]
    outcome = batch("rows.jsonl")
    assert outcome.exit_code == 24
    assert "\x1b" not in outcome.stderr and "\u202e" not in outcome.stderr
    assert KEY not in (tmp_path / "rows/run/journal.jsonl").read_text()
    assert {path.parent for path in tmp_path.rglob("*.png")} == {tmp_path / "rows"}


def test_a_shard_that_no_scheduler_names_is_one_line(batch: Cli, tmp_path: Path) -> None:
    """Nothing is sent, and no folder is made: else each task would buy the whole."""
    write_rows(tmp_path, 2)
    outcome = batch("rows.txt", "--shard", "auto", env={"JOB_COMPLETION_INDEX": "0"})
    assert outcome.exit_code == 2
    assert outcome.stderr.splitlines() == [
        "error: --shard auto needs NSCALE_SHARDS, which is not set",
        "hint: set it to the number of parts, the same in each of them",
    ]
    assert not (tmp_path / "rows").exists()

"""`nscale images receipt`: what a run has sent, and what was billed."""

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.runs.serving import FAILED, NO_CREDIT, Service, write_rows


@pytest.fixture
def receipt(cli: Cli, tmp_path: Path) -> Cli:
    """Run `nscale images receipt` on a run with a success, a failure, and an end of credit."""
    write_rows(tmp_path, 3)
    with Service() as service:
        service.failures["prompt 2"] = [FAILED]
        service.failures["prompt 3"] = [NO_CREDIT]
        cli("images", "batch", "rows.txt", "-z", "8x8", "-j", "1", *service.options)
    return lambda *arguments, **options: cli("images", "receipt", *arguments, **options)


def test_a_person_reads_when_what_was_sent_and_what_it_cost(receipt: Cli) -> None:
    """The keys by which a service finds a request again are there."""
    outcome = receipt("rows")
    assert outcome.exit_code == 0
    service, *requests, billed, perhaps, free = outcome.stdout.splitlines()
    assert service.startswith("service: http://127.0.0.1:")
    assert [line.split("  ")[2:4] for line in requests] == [
        ["saved", "billed yes"],
        ["service_failed", "billed maybe"],
        ["credit", "billed no"],
    ]
    assert all("key " in line and "request req-" in line for line in requests)
    assert billed == "billed: 1 requests, about $0.000000083"
    assert perhaps == "perhaps billed: 1 requests, about $0.000000083"
    assert free == "not billed: 1 requests"


def test_a_script_reads_the_same(receipt: Cli) -> None:
    """As one document, or as a table."""
    data = receipt("rows", "--json").document["data"]
    assert isinstance(data, dict)
    assert data["totals"] == {
        "billed_no": 1,
        "billed_maybe": 1,
        "billed_yes": 1,
        "spent_usd": 8.3e-08,
        "maybe_usd": 8.3e-08,
        "unpriced": 0,
    }
    header, *lines = receipt("rows", "--csv").stdout.splitlines()
    assert header.startswith("sent_at,row,id,attempt,idempotency_key,request_id,http_status,")
    assert len(lines) == len(data["requests"]) == 3
    assert receipt("rows", "--csv", "--json").exit_code == 2


def test_a_folder_without_a_run_has_no_receipt(cli: Cli, tmp_path: Path) -> None:
    """It is said, and nothing is made."""
    outcome = cli("images", "receipt", "nothing")
    assert outcome.exit_code == 2
    assert "nothing holds no run" in outcome.stderr
    assert not (tmp_path / "nothing").exists()


def test_a_receipt_of_a_damaged_journal_is_refused(receipt: Cli, tmp_path: Path) -> None:
    """It would be wrong."""
    journal = tmp_path / "rows/run/journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([lines[0], "x\n", *lines[1:]]))
    outcome = receipt("rows")
    assert outcome.exit_code == 3
    assert "line 2, is damaged, and may hide a payment" in outcome.stderr
    assert json.loads(lines[0])["s"] == "sent"

"""What a run cost, and the question for the price, which never stands in the way of an image."""

import json
import signal
import socket
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nscale_cli.jobs import prices
from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import ReceivedRequest
from nscale_cli.terminal.signals import Interrupts
from tests.conftest import KEY, Cli, Outcome, ScriptedServer, cache_home, images_reply, models_reply
from tests.faults.conftest import as_base64, png

MODEL = "black-forest-labs/FLUX.1-schnell"


def priced(price: object, model: str = MODEL) -> Answer:
    """Return a list in which the model has this price."""
    return models_reply({"id": "other", "pricing": {"output": 9}}, {"id": model, "pricing": {
        "output": price}})  # fmt: skip


def images(*sizes: tuple[int, int]) -> Answer:
    """Return a reply with images of these sizes."""
    return images_reply(*({"b64_json": as_base64(png(*size))} for size in sizes))


@pytest.fixture
def selling(server: ScriptedServer) -> ScriptedServer:
    """A server that sells an image of a tenth of a megapixel, for two dollars a megapixel."""
    server.answers, server.models = [images((400, 250))], priced(2)
    return server


def cost_of(outcome: Outcome) -> object:
    """Return the cost in the document of a run that succeeded."""
    assert outcome.exit_code == 0, outcome.stderr
    return outcome.document["data"]["cost_usd"]


@pytest.mark.parametrize("price", [2, 2.0, "2", " 2.0 "])
def test_the_cost_is_the_price_of_the_true_megapixels(
    against: Cli, selling: ScriptedServer, price: object
) -> None:
    """Of each image, whatever size was asked for."""
    selling.models = priced(price)
    selling.answers = [images((400, 250), (200, 100))]

    outcome = against(selling, "cat", "-n", "2", "-z", "1024x1024", "--json")

    assert cost_of(outcome) == 0.24
    lines = outcome.stderr.splitlines()
    assert lines[0].endswith(" s  about $0.200000")
    assert lines[1].endswith(" s  about $0.040000")


@pytest.mark.parametrize(
    "models",
    [
        priced(None), priced("free"), priced(-1), priced("true"), priced(1e300), priced([2]),
        priced(2, "another/model"), models_reply(), models_reply(None, 7, "x", {"id": 5}),
        Answer(body=b'{"data": {"id": "x"}}'), Answer(body=b"<html>"), Answer(body=b""),
        Answer(status=401), Answer(status=404), Answer(status=500), Answer(status=302),
        Answer(sent_bytes=0), Answer(body=b"[" * 100_000), Answer(body=b"x" * 9_000_000),
    ],
    ids=range(19),
)  # fmt: skip
def test_without_a_price_the_cost_is_unknown_and_nothing_else_changes(
    against: Cli, selling: ScriptedServer, tmp_path: Path, models: Answer
) -> None:
    """Exit code, files and output are those of a run; --debug says why."""
    selling.models = models
    outcome = against(selling, "cat")

    assert outcome.exit_code == 0
    assert outcome.stdout == f"{tmp_path}/cat.png\n"
    assert outcome.stderr.count("\n") == 1 and "$" not in outcome.stderr
    assert cost_of(against(selling, "cat", "--json")) is None
    assert "debug: cost unknown: " in against(selling, "cat", "--debug").stderr
    assert [request.method for request in selling.requests] == ["POST"] * 3


def test_a_reply_without_an_image_has_no_cost(against: Cli, selling: ScriptedServer) -> None:
    """Nobody knows what it was charged."""
    selling.answers = [images_reply({"b64_json": as_base64(b"<svg/>")})]
    assert against(selling, "cat", "--json").document["data"]["cost_usd"] is None


class OrderedServer(ScriptedServer):
    """Notes the order of what it is asked; answers for the image only once asked for the price."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        super().__init__()
        self.order: list[str] = []
        self.asked = threading.Event()
        self._handle = self._http.process_request
        self._http.process_request = self._take  # type: ignore[method-assign]

    def _take(self, connection: Any, address: Any) -> None:
        """Note the first word of a connection, and only then take the next connection.

        Which of the threads that answer runs first is chance.
        """
        self.order += connection.recv(4, socket.MSG_PEEK).decode().split()
        self._handle(connection, address)

    def answer(self, request: ReceivedRequest) -> Answer:
        """Answer as the script says."""
        if request.method == "GET":
            self.asked.set()
        else:
            assert self.asked.wait(60)
        return super().answer(request)


def test_the_price_is_asked_for_while_the_image_is_made(against: Cli) -> None:
    """After the request for the image has been sent, and not after its answer."""
    with OrderedServer() as server:
        server.answers, server.models = [images((400, 250))], priced(2)

        assert cost_of(against(server, "cat", "--json")) == 0.2
        assert server.order == ["POST", "GET"]


def test_a_price_that_does_not_come_is_not_waited_for(
    against: Cli, selling: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is saved, and the run ends."""
    monkeypatch.setattr(prices, "MAX_WAIT_SECONDS", 0.05)
    selling.models = Answer(delay_seconds=None)

    outcome = against(selling, "cat", "--debug")

    assert outcome.exit_code == 0
    assert "debug: cost unknown: the service did not answer in time" in outcome.stderr


def test_a_signal_while_the_price_is_waited_for_ends_the_wait(
    against: Cli, selling: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is safe by then: its path is the answer, and no reply is kept a second time."""
    routers: list[Interrupts] = []
    release = Interrupts.release

    def remember(router: Interrupts) -> None:
        routers.append(router)
        release(router)

    def interrupted(query: prices.PriceList) -> None:
        routers[-1]._receive(signal.SIGINT, None)

    monkeypatch.setattr(Interrupts, "release", remember)
    monkeypatch.setattr(prices.PriceList, "wait", interrupted)
    outcome = against(selling, "cat")

    assert (outcome.exit_code, outcome.stdout) == (130, f"{tmp_path}/cat.png\n")
    assert f"error: stopped; saved {tmp_path}/cat.png. The request was billed.\n" in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_a_thread_that_cannot_be_had_costs_only_the_price(
    against: Cli, selling: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started beside a request that is paid for."""

    class NoThread:
        def __init__(self, **options: object) -> None:
            raise RuntimeError("can't start new thread")

    class Threading:
        Thread, Event = NoThread, threading.Event

    monkeypatch.setattr(prices, "threading", Threading)
    outcome = against(selling, "cat", "--debug")

    assert outcome.exit_code == 0
    assert "debug: cost unknown: RuntimeError" in outcome.stderr
    assert len(selling.requests) == 1


def test_one_question_serves_a_day(against: Cli, selling: ScriptedServer, tmp_path: Path) -> None:
    """A list of more than 24 hours, or of the future, is asked for anew."""
    assert cost_of(against(selling, "cat", "--json")) == 0.2
    selling.models = priced(4)
    assert cost_of(against(selling, "cat", "--json")) == 0.2
    assert len(selling.queries) == 1
    for hours, cost in [(23.9, 0.2), (24.1, 0.4)]:
        make_older(tmp_path, hours)
        assert cost_of(against(selling, "cat", "--json")) == cost
    make_older(tmp_path, -1)
    selling.models = priced(6)
    assert cost_of(against(selling, "cat", "--json")) == 0.6


def make_older(folder: Path, hours: float) -> None:
    """Make the kept list as old as this."""
    (path,) = (cache_home(folder) / "nscale").iterdir()
    document = json.loads(path.read_text())
    moment = datetime.now().astimezone() - timedelta(hours=hours)
    path.write_text(json.dumps(document | {"fetched_at": moment.isoformat()}))


def test_a_fresh_list_that_names_the_model_is_enough(against: Cli, selling: ScriptedServer) -> None:
    """Also where it gives no price; a model that it does not name is asked for."""
    selling.models = priced(None)
    for _ in range(2):
        against(selling, "cat")
    assert len(selling.queries) == 1
    against(selling, "cat", "-m", "new/model")
    assert len(selling.queries) == 2


def test_a_failed_request_is_not_kept_waiting_for_a_price(
    against: Cli, selling: ScriptedServer
) -> None:
    """Nothing was made that could have cost something."""
    selling.answers, selling.models = [Answer(status=400)], Answer(delay_seconds=None)
    outcome = against(selling, "cat", "--json")

    assert outcome.exit_code == 6
    assert outcome.document["data"]["cost_usd"] is None


def test_a_further_try_asks_for_no_further_price(against: Cli, selling: ScriptedServer) -> None:
    """Once a run."""
    selling.answers = [Answer(status=429), Answer(status=429), images((400, 250))]

    assert cost_of(against(selling, "cat", "--json")) == 0.2
    assert (len(selling.requests), len(selling.queries)) == (3, 1)


# Ids like the one that was not found


@pytest.mark.parametrize("models", [priced(2), Answer(status=500)], ids=["listed", "kept"])
def test_an_unknown_model_brings_the_nearest_ids(
    against: Cli, selling: ScriptedServer, tmp_path: Path, models: Answer
) -> None:
    """From the list of this run, or the last one, however old."""
    against(selling, "cat")
    make_older(tmp_path, 1000)
    selling.answers, selling.models = [Answer(status=404)], models

    outcome = against(selling, "cat", "-m", MODEL.lower())

    assert outcome.exit_code == 6
    assert f"hint: did you mean {MODEL}? Model ids are case-sensitive\n" in outcome.stderr


@pytest.mark.parametrize(
    "models", [Answer(status=404), priced(2, "$(reboot)"), priced(2, "x" * 10_000), priced(2, "é")]
)
def test_without_a_near_id_the_hint_is_the_usual_one(
    against: Cli, selling: ScriptedServer, models: Answer
) -> None:
    """An id that a shell would act on is not one to copy."""
    selling.answers, selling.models = [Answer(status=404)], models
    outcome = against(selling, "cat", "-m", "$(rebot)")

    assert "hint: model ids are case-sensitive; check -m, and the base URL\n" in outcome.stderr


# --max-cost


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_an_estimate_above_the_limit_is_refused_before_anything_is_sent(
    against: Cli, selling: ScriptedServer, tmp_path: Path, extra: tuple[str, ...]
) -> None:
    """Price by asked size by count."""
    arguments = ("cat", "-n", "3", "-z", "1000x1000", "--max-cost", "5.99", *extra)
    outcome = against(selling, *arguments)

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr == (
        "error: the estimate is about $6.000000, more than --max-cost 5.990000; "
        "no image was asked for\n"
        "hint: make fewer or smaller images, use another model, or raise --max-cost\n"
    )
    assert selling.requests == []
    (error,) = against(selling, *arguments, "--json").document["errors"]
    assert (error["code"], error["billed"]) == ("usage", "no")


def test_an_estimate_at_the_limit_is_accepted_and_asked_for_once(
    against: Cli, selling: ScriptedServer
) -> None:
    """The price that was found is the one of the cost."""
    outcome = against(selling, "cat", "-z", "1000x1000", "--max-cost", "2", "--json")

    assert cost_of(outcome) == 0.2
    assert (len(selling.requests), len(selling.queries)) == (1, 1)


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("models", "reason"),
    [
        (priced(None), "the service gives none for this model"),
        (models_reply(), "the service does not list this model"),
        (Answer(status=401), "the API key from -a was refused (401)"),
        (Answer(body=b"{}"), "127.0.0.1 sent something else than a list of models"),
    ],
)
def test_an_unknown_price_is_refused_where_there_is_a_limit(
    against: Cli, selling: ScriptedServer, models: Answer, reason: str, extra: tuple[str, ...]
) -> None:
    """Nobody can say that it is low enough."""
    selling.models = models
    outcome = against(selling, "cat", "--max-cost", "100", *extra)

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        f"error: the price is unknown ({reason}), and --max-cost was given; "
        "no image was asked for\nhint: leave --max-cost out to go without an estimate\n"
    )
    assert selling.requests == []


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "-inf", "1e999", "$1", "", "1,5", "a lot"])
def test_a_limit_that_is_no_amount_is_one_clear_line(
    against: Cli, selling: ScriptedServer, value: str
) -> None:
    """Before anything is sent."""
    outcome = against(selling, "cat", f"--max-cost={value}")

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: ") and "--max-cost" in outcome.stderr
    assert selling.requests == selling.queries == []


def test_a_dry_run_takes_the_price_from_the_kept_list(
    against: Cli, selling: ScriptedServer
) -> None:
    """The same source as that of a run."""
    against(selling, "cat")
    outcome = against(selling, "cat", "-z", "1000x1000", "--dry-run")

    assert outcome.stdout.endswith("price: about $2.000000, from the price list of 127.0.0.1\n")
    assert len(selling.queries) == 1
    assert KEY not in outcome.stdout

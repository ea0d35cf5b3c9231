"""Many jobs at once, with faults, signals and a full disk in the middle: each is accounted for."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nscale_cli import connection
from nscale_cli.errors import Billed, ExitCode
from nscale_cli.jobs.buyer import Buyer
from nscale_cli.jobs.collect import Store
from nscale_cli.jobs.job import Job, JobEvent, JobResult
from nscale_cli.jobs.run import Engine
from nscale_cli.jobs.steering import Policy, Stop
from nscale_cli.redact import Redactor
from nscale_cli.request import ImageRequest, Size
from nscale_cli.service.client import Client
from nscale_cli.storage.names import plan
from nscale_cli.terminal.signals import Interrupted, Interrupts
from nscale_cli.terminal.time import Clock
from tests.conftest import KEY, installed
from tests.faults.mounts import mounted
from tests.faults.raw_server import Connection, response
from tests.faults.shop import Sale, Serve, Shop, whole_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and disks as on Linux")

JOBS, WORKERS = 64, 16
_PATIENCE_SECONDS = 60.0


class Market:
    """Orders by the engine from a shop that can tell what became of each."""

    def __init__(self, folder: Path, *, images: Path | None = None, patient: bool = False) -> None:
        """Save in `folder`, or in `images` with only the rescues in `folder`."""
        self.folder, self.images = folder, images or folder
        self.shop = Shop()
        self.stop = Stop(patient=patient)
        self.interrupts = Interrupts()
        self.results: list[JobResult] = []
        self.said: list[str] = []
        self.finishing, self.accounted = threading.Event(), threading.Event()
        self.linger: Callable[[], object] = lambda: None  # before the connections are closed
        self.pulled = 0
        self._full_house = threading.Barrier(WORKERS)

    def waits_for_all_workers(self) -> int:
        """Wait until an order of each worker waits here, and return another number to each."""
        return self._full_house.wait(_PATIENCE_SECONDS)

    def jobs(self) -> Iterator[Job]:
        """Yield jobs with prompts that tell them apart, and count them."""
        for number in range(JOBS):
            self.pulled += 1
            request = ImageRequest(prompt=f"fox {number}", model="m", size=Size.parse("600x400"))
            now = datetime.now(UTC)
            target = plan(None, request, cwd=self.images, now=now)
            yield Job(id=str(number), request=request, target=target)

    def _heed(self, event: JobEvent) -> None:
        if event.stage is None:
            self.said.append(event.text)
        if event.text.startswith("finishing"):
            self.finishing.set()

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        service = connection.Connection(
            base_url=self.shop.base_url,
            api_key=connection.ApiKey(value=KEY, source="the test"),
            timeout_seconds=300,
            retries=1,
        )
        clock = Clock(wait=lambda event, seconds: event.is_set())
        store = Store(
            env={"XDG_STATE_HOME": str(self.folder / "state")},
            redactor=Redactor(),
            write_answer=lambda data: None,
        )
        with Client(service) as client:
            yield Engine(
                Buyer(client=client, connection=service, store=store, clock=clock),
                policy=Policy(WORKERS),
                stop=self.stop,
                notify=self._heed,
                timeout_seconds=service.timeout_seconds,
            )

    def run(self) -> dict[str, JobResult]:
        """Run the jobs as a command does, signals included, and return what came of each."""
        with self.shop, installed(self.interrupts), self._engine() as engine:
            self.interrupts.hold(self.stop.request)
            try:
                self.results += engine.results(self.jobs())
                self.accounted.set()
                self.linger()
            except Interrupted as again:
                self.interrupts.hold()
                self.results += engine.abandon(again.signal_number)
            self.interrupts.hold()
            self.interrupts.take()
        found = {result.job.id: result for result in self.results}
        assert len(found) == len(self.results) == self.pulled, "one result for each job"
        return found

    def require_truth(self) -> None:
        """Assert that what the results say is what the shop knows, and what is on disk."""
        keys = {result.job.request.prompt: result.job.idempotency_key for result in self.results}
        assert {sale.prompt: sale.key for sale in self.shop.sales} == keys
        assert self.shop.most_under_way <= WORKERS
        last = {sale.prompt: sale for sale in self.shop.sales}  # an earlier one was turned down
        for result in self.results:
            require_true(last[result.job.request.prompt], result)
        stubs = [path for path in self.images.rglob(".*") if path.is_file()]
        assert not stubs


def require_true(sale: Sale, result: JobResult) -> None:
    """Assert that a result tells what a sale was, and that its files hold what was sent."""
    for image in result.images:
        assert image.path is not None
        assert image.path.read_bytes() in sale.images
    if len(sale.reply) == sale.sent:
        assert len(result.images) == len(sale.images), result.errors
    assert not (result.billed is Billed.NO and sale.begun), result.errors
    assert not (result.billed is Billed.YES and not sale.begun), result.errors


def halfway(sale: Sale, connection: Connection) -> None:
    """Send half of the reply, and return when the program has begun to read it."""
    middle = len(sale.reply) // 2
    for until in (middle, middle + 10):  # the second is read only once the head is understood
        sale.send(connection, until=until)
        connection.wait_until_read()


def break_off(sale: Sale, connection: Connection) -> None:
    """Let the connection break in the middle of an image."""
    halfway(sale, connection)
    connection.reset()


def refuse(status: int) -> Serve:
    """Answer that there will be no image."""
    return lambda sale, connection: connection.send(response(b"{}", status))


# What befalls one job in eight each, and how those end. The others get what they order.
FAULTS: list[tuple[Serve, ExitCode, Billed]] = [
    (refuse(500), ExitCode.SERVICE_FAILED, Billed.MAYBE),
    (refuse(400), ExitCode.REFUSED, Billed.NO),
    (refuse(402), ExitCode.CREDIT, Billed.NO),
    (lambda sale, connection: connection.close(), ExitCode.DISCONNECTED, Billed.MAYBE),
    (break_off, ExitCode.DISCONNECTED, Billed.MAYBE),
]
BUSY = len(FAULTS)  # and one in eight is turned down at first, which costs nothing


def kind_of(sale: Sale) -> int:
    """Return which fault is a job's."""
    return int(sale.prompt.split()[1]) % 8


def disturb(shop: Shop, sale: Sale, connection: Connection) -> None:
    """Serve a sale, or let its fault happen."""
    kind = kind_of(sale)
    first = shop.attempts[sale.prompt] == 1
    if kind < BUSY:
        FAULTS[kind][0](sale, connection)
    elif kind == BUSY and first:
        refuse(429)(sale, connection)
    else:
        sale.send(connection)


def require_faults(results: dict[str, JobResult]) -> None:
    """Assert that each job ended as its own fault has it, whatever befell the others."""
    for number, result in results.items():
        kind = int(number) % 8
        if kind < BUSY:
            _, code, billed = FAULTS[kind]
            (error,) = result.errors
            assert (error.code, result.billed) == (code, billed), error
            assert result.images == ()
        else:
            assert len(result.images) == 1


@pytest.mark.slow
def test_each_of_many_jobs_ends_as_it_would_alone(tmp_path: Path) -> None:
    """Sixteen are under way at once, and most of them fail, each in a way of its own."""
    market = Market(tmp_path)

    def serve(sale: Sale, connection: Connection) -> None:
        if len(market.shop.sales) <= WORKERS:
            market.waits_for_all_workers()
        disturb(market.shop, sale, connection)

    market.shop.serve = serve
    results = market.run()

    assert len(results) == JOBS
    assert market.shop.most_under_way == WORKERS
    assert market.shop.posts == JOBS + JOBS // 8
    assert len(market.said) == JOBS // 8  # the announced attempts
    require_faults(results)
    market.require_truth()


@pytest.mark.slow
@pytest.mark.parametrize("patient", [False, True], ids=["only what arrives", "all under way"])
def test_a_signal_in_the_middle_of_many_jobs(tmp_path: Path, patient: bool) -> None:
    """A real one. Nothing new is sent; what goes on is finished, and the rest may be billed."""
    market = Market(tmp_path, patient=patient)

    def serve(sale: Sale, connection: Connection) -> None:
        arriving = kind_of(sale) % 2
        if arriving:
            halfway(sale, connection)
        if market.waits_for_all_workers() == 0:
            os.kill(os.getpid(), signal.SIGINT)
        assert market.finishing.wait(_PATIENCE_SECONDS)
        if arriving or patient:
            sale.send(connection)

    market.shop.serve = serve
    results = market.run()

    assert market.shop.posts == market.pulled == WORKERS
    saved = [result for result in results.values() if result.images]
    given_up = [result.errors[0].code for result in results.values() if not result.images]
    assert len(saved) == (WORKERS if patient else WORKERS // 2)
    assert set(given_up) <= {ExitCode.INTERRUPTED}
    market.require_truth()


def test_a_second_signal_leaves_and_still_accounts_for_each_job(tmp_path: Path) -> None:
    """What had come of a reply is kept; of the others it is said that they may be billed."""
    market = Market(tmp_path, patient=True)

    def serve(sale: Sale, connection: Connection) -> None:
        if kind_of(sale) % 2:
            halfway(sale, connection)
        if market.waits_for_all_workers() == 0:
            os.kill(os.getpid(), signal.SIGINT)
            assert market.finishing.wait(_PATIENCE_SECONDS)
            os.kill(os.getpid(), signal.SIGTERM)

    market.shop.serve = serve
    results = market.run()

    assert market.shop.posts == WORKERS
    for sale in market.shop.sales:
        (error,) = results[sale.prompt.split()[1]].errors
        assert error.code == ExitCode.TERMINATED
        assert error.billed is Billed.MAYBE
        assert ("it is kept at" in error.message) is sale.begun
    market.require_truth()


def test_a_reply_that_begins_when_its_job_was_given_up_begins_no_file(tmp_path: Path) -> None:
    """The process may end at any moment then, and would leave a file that nobody is told of."""
    market = Market(tmp_path)
    begun: list[Path] = []
    looked = threading.Semaphore(0)

    def serve(sale: Sale, connection: Connection) -> None:
        if market.waits_for_all_workers() == 0:
            os.kill(os.getpid(), signal.SIGINT)
        assert market.accounted.wait(_PATIENCE_SECONDS)
        try:
            halfway(sale, connection)  # which a worker may refuse, once it sees that it begins
        finally:
            begun.extend(tmp_path.rglob(".*.part"))
            looked.release()

    def linger() -> None:
        for _ in range(WORKERS):
            assert looked.acquire(timeout=_PATIENCE_SECONDS), "a reply was never looked for"

    market.shop.serve, market.linger = serve, linger
    market.run()

    assert market.shop.posts == WORKERS
    assert all(sale.begun for sale in market.shop.sales)
    assert begun == []
    market.require_truth()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds some of the images, and not all."""
    with mounted(tmp_path / "disk", "size=6m") as disk:
        yield disk


def require_each_once(market: Market) -> None:
    """Assert that each image that was sent is whole in one place, and that its place is told."""
    for result in market.results:
        for image in result.images:
            assert image.path is not None
            places = whole_in(market.folder, image.path.read_bytes())
            assert places == [image.path]


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle_of_many_jobs(tmp_path: Path, small_disk: Path) -> None:
    """What has no room any more is saved elsewhere, and nothing is left by halves."""
    market = Market(tmp_path, images=small_disk)

    results = market.run()

    elsewhere = [result for result in results.values() if result.errors]
    assert {result.errors[0].code for result in elsewhere} == {ExitCode.SAVED_ELSEWHERE}
    assert 0 < len(elsewhere) < JOBS
    assert all(len(result.images) == 1 for result in results.values())
    require_each_once(market)
    market.require_truth()


def test_faults_a_full_disk_and_a_signal_at_once(tmp_path: Path, small_disk: Path) -> None:
    """Whatever falls together, each image that was sent whole is saved, and told."""
    market = Market(tmp_path, images=small_disk, patient=True)

    def serve(sale: Sale, connection: Connection) -> None:
        if len(market.shop.sales) == JOBS // 2:
            os.kill(os.getpid(), signal.SIGTERM)
        disturb(market.shop, sale, connection)

    market.shop.serve = serve
    results = market.run()

    assert JOBS // 2 - WORKERS <= len(results) < JOBS
    assert market.finishing.is_set()
    require_each_once(market)
    market.require_truth()

"""A worker whose job is given up before anything was sent: it sends nothing, and says so."""

import threading
import time
from pathlib import Path

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import Billed
from nscale_cli.jobs.buyer import Buyer
from nscale_cli.jobs.job import Job, JobProgress, JobResult
from nscale_cli.jobs.save import Store
from nscale_cli.redact import Redactor
from nscale_cli.request import ImageRequest, Size
from nscale_cli.service.client import Client
from nscale_cli.terminal.time import Clock
from tests.conftest import KEY
from tests.faults.conftest import good_reply
from tests.faults.gates import until
from tests.faults.raw_server import RawServer, answers

REQUEST = ImageRequest(prompt="cat", model="m", size=Size(width=8, height=8))


class GivesUp:
    """A journal that is still writing an attempt down when the coordinator gives its job up."""

    def __init__(self, progress: JobProgress) -> None:
        """Take note of the job."""
        self.progress = progress
        self.told: list[str] = []

    def begin(self, job: Job, attempt: int) -> None:
        """Write it down, after the end."""
        assert self.progress.give_up()
        self.told.append(f"sent {attempt}")

    def end(self, result: JobResult) -> None:
        """Write down what it may have cost."""
        self.told.append(f"billed {result.billed.value}")


def test_an_attempt_that_is_written_down_when_its_job_was_given_up_is_told_as_not_billed(
    tmp_path: Path,
) -> None:
    """Else it would stay open for good, as one that may have been paid for."""
    job = Job(id="1", request=REQUEST, target=None)
    start = time.monotonic()
    progress = JobProgress(
        job,
        start=start,
        deadline=start + 60,
        stop=threading.Event(),
        tell=lambda _: None,
    )
    journal = GivesUp(progress)
    store = Store(
        env={"XDG_STATE_HOME": str(tmp_path)}, redactor=Redactor(), write_answer=lambda _: None
    )
    with RawServer(scripts=[answers(good_reply())]) as server:
        connection = Connection(
            base_url=server.base_url,
            api_key=ApiKey(value=KEY, source="the test"),
            timeout_seconds=60,
            retries=1,
        )
        with Client(connection) as client:
            buyer = Buyer(
                client=client, connection=connection, store=store, clock=Clock(), journal=journal
            )
            result = buyer.run(job, progress)
        until(lambda: server.connections == 1)
        assert server.settled().posts == 0

    assert journal.told == ["sent 1", "billed no"]
    assert result.billed is Billed.NO
    assert "was not reached within" in result.errors[0].message

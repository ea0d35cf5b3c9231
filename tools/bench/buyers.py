"""Buy many images at once: by the command, by its engine, or by nothing but a socket.

Usage: python -m tools.bench.buyers batch|engine|fetch URL JOBS WORKERS SIZE COUNT

In an empty folder.
"""

import http.client
import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

_MODEL, _KEY = "m", "sk-bench-0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a run took after its start-up: wall and processor seconds, and the peak of memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def _timed(work: Callable[[], None]) -> Taken:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return Taken(
        wall_seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - cpu,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def by_engine(base_url: str, jobs: int, workers: int, size: str, count: int) -> Taken:
    """Buy and save as the program does, each image synced under its own name."""
    from nscale_cli.connection import ApiKey, Connection
    from nscale_cli.jobs.buyer import Buyer
    from nscale_cli.jobs.collect import Store
    from nscale_cli.jobs.job import Job
    from nscale_cli.jobs.run import Engine
    from nscale_cli.jobs.steering import Policy, Stop
    from nscale_cli.redact import Redactor
    from nscale_cli.request import ImageRequest, Size
    from nscale_cli.service.client import Client
    from nscale_cli.storage.names import plan
    from nscale_cli.terminal.time import Clock

    clock = Clock()
    connection = Connection(
        base_url=base_url,
        api_key=ApiKey(value=_KEY, source="the benchmark"),
        timeout_seconds=60,
        retries=0,
    )

    def ordered(number: int) -> Job:
        request = ImageRequest(
            prompt=f"fox {number}", model=_MODEL, size=Size.parse(size), count=count
        )
        target = plan(None, request, cwd=Path.cwd(), now=clock.now())
        return Job(id=str(number), request=request, target=target)

    def refuse(_: bytes) -> None:
        raise OSError("nothing goes to standard output")

    store = Store(env={}, redactor=Redactor(), write_answer=refuse)
    with Client(connection) as client:
        engine = Engine(
            Buyer(client=client, connection=connection, store=store, clock=clock),
            policy=Policy(workers),
            stop=Stop(),
            notify=lambda _: None,
            timeout_seconds=connection.timeout_seconds,
        )

        def buy() -> None:
            for result in engine.results(map(ordered, range(jobs))):
                assert len(result.images) == count, result.errors

        return _timed(buy)


def by_batch(base_url: str, jobs: int, workers: int, size: str, count: int) -> Taken:
    """Run `images batch` as a user does, in this process: plan, journal, images, table."""
    import openai.resources.images  # noqa: F401 - a start-up is not counted

    import nscale_cli.commands._run
    from nscale_cli.main import run
    from nscale_cli.terminal.context import Environment
    from nscale_cli.terminal.streams import Terminal

    assert nscale_cli.commands._run
    Path("rows.txt").write_text("".join(f"fox {number}\n" for number in range(jobs)))
    words = ["images", "batch", "rows.txt", "-m", _MODEL, "-z", size, "-n", str(count)]
    words += ["-j", str(workers), "-q", "--base-url", base_url, "-a", _KEY]
    env = {"HOME": str(Path.cwd() / "home"), "NSCALE_HISTORY": "0"}
    terminal = Terminal(stdin=None, stdout=None, stderr=None, env=env)

    def buy() -> None:
        assert run(words, Environment(terminal=terminal, cwd=Path.cwd())) == 0

    return _timed(buy)


def by_fetching(base_url: str, jobs: int, workers: int, size: str, count: int) -> Taken:
    """Ask as often, and drop what comes: what no client can be faster than."""
    address = urlsplit(base_url)
    assert address.hostname is not None
    body = json.dumps({"model": _MODEL, "prompt": "fox", "size": size, "n": count})

    def fetch(share: int) -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        for _ in range(share):
            connection.request("POST", f"{address.path}/images/generations", body)
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read()
        connection.close()

    shares = [len(range(worker, jobs, workers)) for worker in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        return _timed(lambda: [*pool.map(fetch, shares)].clear())


if __name__ == "__main__":
    how, url, jobs, workers, size, count = sys.argv[1:]
    buyer = {"batch": by_batch, "engine": by_engine, "fetch": by_fetching}[how]
    print(json.dumps(asdict(buyer(url, int(jobs), int(workers), size, int(count)))))

"""`--dask ADDRESS`: a run is bought in parts by the workers of a Dask cluster.

Each part is a shard with its own journal and lock, in a folder that all share. Dask only carries
orders to workers and answers back, and gives a part of a worker that died to another, which goes on
by what the journal says. This module is the only owner of distributed.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nscale_cli.commands._part import buy_part, order_of
from nscale_cli.commands._run import write_files
from nscale_cli.commands._run_command import RunCommand, require_same_service, require_services
from nscale_cli.commands._run_service import estimated
from nscale_cli.errors import Billed, ExitCode, NscaleError, StdoutFailed, Stopped, UsageError
from nscale_cli.output.run_progress import SUMMARY_SECONDS, saved_already
from nscale_cli.output.run_result import RunReport, count_rows
from nscale_cli.redact import excerpt
from nscale_cli.runs.buying import RunEnd
from nscale_cli.runs.journal import EventKind, read_events
from nscale_cli.runs.ledger import Place, open_ledger
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.runs.policy import StopReason
from nscale_cli.runs.shards import Shard, owning
from nscale_cli.runs.states import RowStates
from nscale_cli.runs.survey import Survey, survey_rows
from nscale_cli.service.prices import dollars
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted
from nscale_cli.terminal.time import SLICE_SECONDS

if TYPE_CHECKING:
    from distributed import Client, Future  # without annotations

_CONNECT_SECONDS = 5
_LOGGERS = ("distributed", "distributed.client", "distributed.core", "tornado.application")
# What met one part will meet the others, too.
_STOPS_ALL = (
    StopReason.CREDIT,
    StopReason.KEY,
    StopReason.MAYBE_BILLED,
    StopReason.DISK,
    StopReason.FAIL_FAST,
)
_SAVED = f'"s": "{EventKind.SAVED.value}"'.encode()


def carry_out_on_cluster(
    command: RunCommand, environment: Environment, prepare: Callable[[], object]
) -> RunReport:
    """Let a cluster buy what the plan asks for and is not there yet; `prepare` makes the plan."""
    _require_possible(command)
    terminal, run = environment.terminal, command.run
    with _connected(command.options.dask or "") as cluster:
        with owning(run, Shard()):
            require_same_service(command)
            prepare()
            with open_ledger(Place(run=run), redact=terminal.redactor.redact) as ledger:
                survey = survey_rows(
                    ledger.place,
                    ledger.states,
                    command.resume,
                    source=command.source,
                    ledger=ledger,
                )
                require_services(command, survey)
        order = _Order(command, environment, cluster, survey)
        end = order.carry_out() if survey.to_send else RunEnd()
    return _report(command, environment, survey, end, order.estimate_usd)


def _require_possible(command: RunCommand) -> None:
    if command.options.shard is not None or command.options.as_lines:
        raise UsageError("--dask excludes --shard and --jsonl", hint="give one of them")
    service = command.buying.service
    if service.api_key is not None or service.api_key_file is not None:
        raise UsageError(
            "no key is sent to the workers of a cluster; nothing was sent",
            hint="let each worker have NSCALE_API_KEY in its environment, or a stored key",
        )


@contextmanager
def _connected(address: str) -> Iterator["Client"]:
    """Yield a client of the scheduler at `address`; raise UsageError where there is none."""
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--dask needs the library of Dask", hint="pip install 'nscale-cli[dask]'"
        ) from None
    for name in _LOGGERS:  # which would write to stderr past us
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise UsageError(
            f"no scheduler of Dask answers at {excerpt(address, 80)}: {excerpt(str(error))}; "
            "nothing was sent",
            hint="give the address that dask scheduler prints, such as tcp://node1:8786",
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):  # what came of the run is known already
            client.close(timeout=_CONNECT_SECONDS)


class _Order:
    """The parts of a run, from the order to the last answer."""

    def __init__(
        self, command: RunCommand, environment: Environment, cluster: "Client", survey: Survey
    ) -> None:
        self.estimate_usd: float | None = None
        self._command, self._environment = command, environment
        self._cluster, self._survey = cluster, survey
        self._terminal, self._run = environment.terminal, command.run
        self._end = RunEnd()
        self._signal: int | None = None
        self._told: set[str] = set()
        self._tally = _Tally(command.run)

    def carry_out(self) -> RunEnd:
        """Give the orders, and wait until each has its answer."""
        workers = self._workers()
        count = min(len(workers), self._survey.to_send)
        self.estimate_usd, _ = estimated(self._command, self._environment, self._survey)
        mark = self._run.bookkeeping / f"dask-{secrets.token_hex(8)}"
        self._environment.interrupts.hold(self._note_signal)
        self._environment.invocation.buying = True
        self._announce(count)
        mark.touch()
        try:
            self._wait(self._submit(workers[:count], mark), mark)
        except Interrupted as again:
            raise Stopped(
                again.signal_number,
                f"stopped; the workers finish what is under way in {self._run.path}",
                billed=Billed.MAYBE,
            ) from None
        finally:
            mark.unlink(missing_ok=True)
        self._environment.interrupts.hold()
        if self._signal is not None:
            return RunEnd(stopped_by=StopReason.SIGNAL, signal_number=self._signal)
        return self._end

    def _workers(self) -> list[str]:
        workers = sorted(self._cluster.nthreads())
        if not workers:
            raise UsageError(
                f"the cluster at {excerpt(self._command.options.dask or '', 80)} has no workers; "
                "nothing was sent",
                hint="start some: dask worker ADDRESS",
            )
        return workers

    def _submit(self, workers: list[str], mark: Path) -> dict["Future", int]:
        """Give each worker a part; one that dies loses it to another."""
        return {
            self._cluster.submit(
                buy_part,
                order_of(self._command, shard=f"{number}/{len(workers)}", mark=mark.name),
                key=f"nscale-{mark.name}-{number}",
                workers=[worker],
                allow_other_workers=True,
                retries=0,
                pure=False,
            ): number
            for number, worker in enumerate(workers, start=1)
        }

    def _wait(self, parts: dict["Future", int], mark: Path) -> None:
        count, told_at = len(parts), time.monotonic()
        with self._terminal.live() as show:
            while parts:
                for future in [future for future in parts if future.done()]:
                    self._heed(_answer(future), f"part {parts.pop(future)} of {count}")
                if self._stopping:
                    mark.unlink(missing_ok=True)
                time.sleep(SLICE_SECONDS)
                line = f"{self._tally.saved()} saved now  {len(parts)} of {count} parts at work"
                show(line)
                if time.monotonic() - told_at >= SUMMARY_SECONDS:
                    told_at = time.monotonic()
                    if not self._terminal.stderr_is_tty:
                        self._terminal.note(line)

    def _heed(self, answer: dict[str, Any], part: str) -> None:
        """Tell what went wrong with a part, once for all that it goes wrong with."""
        message = answer.get("message")
        if message is None:
            return
        stopped_by = answer.get("stopped_by")
        error = NscaleError(
            message,
            hint=answer["hint"],
            billed=Billed(answer["billed"]),
            http_status=answer["http_status"],
        )
        error.code = next(code for code in ExitCode if code == answer["code"])
        if not self._stopping and message not in self._told:
            self._told.add(message)
            self._terminal.say(f"{part}: {message}", label="error", style="red")
            if error.hint:
                self._terminal.say(error.hint, label="hint", style="bold")
        reason = StopReason(stopped_by) if stopped_by else None
        if not self._stopping and (self._end.error is None or reason in _STOPS_ALL):
            self._end = RunEnd(stopped_by=reason, error=error)

    @property
    def _stopping(self) -> bool:
        return self._signal is not None or self._end.stopped_by in _STOPS_ALL

    def _note_signal(self, number: int) -> None:
        self._signal = number

    def _announce(self, parts: int) -> None:
        usd = self.estimate_usd
        about = "the price is unknown" if usd is None else f"about ${dollars(usd)}"
        self._terminal.note(
            f"{self._survey.images_to_send} images into {self._run.path}, in {parts} parts; {about}"
        )


def _answer(future: "Future") -> dict[str, Any]:
    """Return what a worker answered, or why none did."""
    try:
        answer: dict[str, Any] = future.result()
    except Exception as failure:  # of the cluster, of any kind: a worker's, the scheduler's
        why = excerpt(f"{type(failure).__name__}: {failure}", 200)
        return {
            "code": ExitCode.DISCONNECTED,
            "message": f"the cluster gave it up ({why})",
            "hint": "what it did is in the folder: the same command goes on",
            "billed": Billed.MAYBE.value,
            "http_status": None,
        }
    return answer


class _Tally:
    """How many images the parts have saved by now, by what they add to the journals."""

    def __init__(self, run: RunDirectory) -> None:
        self._run, self._saved = run, 0
        self._read = {path: path.stat().st_size for path in run.journals()}

    def saved(self) -> int:
        """Return how many rows were saved since the beginning."""
        for path in self._run.journals():
            with suppress(OSError), path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if line.endswith(b"\n"):
                        self._read[path] = self._read.get(path, 0) + len(line)
                        self._saved += _SAVED in line
        return self._saved


def _report(
    command: RunCommand,
    environment: Environment,
    survey: Survey,
    end: RunEnd,
    estimate_usd: float | None,
) -> RunReport:
    """Return what all parts came to, by their journals."""
    terminal, place = environment.terminal, Place(run=command.run)
    as_json = environment.invocation.as_json
    stdout_failed = None
    with RowStates(read_events(command.run)) as states:
        write_files(place, states, terminal)
        try:
            for path in () if as_json else saved_already(place, states):
                terminal.answer(os.fspath(path))
        except StdoutFailed as error:
            stdout_failed = error
        totals, rows = count_rows(place, states, in_detail=as_json)
        return RunReport(
            command=command.name,
            directory=command.run.path,
            survey=survey,
            totals=totals,
            money=states.money,
            estimate_usd=estimate_usd,
            end=end,
            rows=rows,
            stdout_failed=stdout_failed,
        )

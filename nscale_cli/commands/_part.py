"""One part of a run, bought in a worker of a Dask cluster: by the engine, into the shared folder.

An order is text that everybody on the cluster's network may read, so there is no key in it. The
worker uses its own. The order names a mark, a file in the run's folder: where it is not, the folder
is another one, or whoever gave the order has taken it back.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nscale_cli import __version__
from nscale_cli.commands._context import load_settings
from nscale_cli.commands._run import carry_out
from nscale_cli.commands._run_command import RunCommand
from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.output import RecordOptions
from nscale_cli.commands.options.run import RunOptions
from nscale_cli.commands.options.service import RetryOptions, ServiceOptions
from nscale_cli.config.table import KEY_VARIABLES
from nscale_cli.errors import NscaleError, UsageError
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupts
from nscale_cli.terminal.streams import Terminal

_LOOK_SECONDS = 0.5


def order_of(command: RunCommand, *, shard: str, mark: str) -> str:
    """Return what a worker is told, as JSON."""
    buying = command.buying
    return json.dumps(
        {
            "version": __version__,
            "folder": str(command.run.path),
            "mark": mark,
            "name": command.name,
            "source": command.source,
            "service": asdict(replace(buying.service, api_key=None, api_key_file=None)),
            "retries": asdict(buying.retries),
            "options": asdict(replace(command.options, shard=shard, dask=None, as_lines=False)),
            "record": asdict(buying.record),
            "max_cost": buying.max_cost,
        }
    )


def buy_part(order: str) -> dict[str, Any]:
    """Buy the rows of a part; return its exit code, what stopped it, and what went wrong."""
    terminal = Terminal(stdin=None, stdout=None, stderr=None, env=os.environ)
    for name in KEY_VARIABLES:
        terminal.redactor.hide(os.environ.get(name, "").strip())
    environment = Environment(terminal=terminal, interrupts=Interrupts())
    told = json.loads(order)
    run = RunDirectory(path=Path(told["folder"]))
    mark = run.bookkeeping / told["mark"]
    try:
        _require_usable(told, run, mark)
        with _stopping_without(mark, environment.interrupts):
            report = carry_out(_command(told, run, terminal), environment, lambda: None)
    except NscaleError as error:
        return _failure(error, terminal)
    end = report.end
    failure = _failure(end.error, terminal) if end.error else {"code": int(report.exit_code)}
    return {**failure, "stopped_by": end.stopped_by.value if end.stopped_by else None}


def _require_usable(told: dict[str, Any], run: RunDirectory, mark: Path) -> None:
    if told["version"] != __version__:
        raise UsageError(f"the worker has nscale {__version__}, and not {told['version']}")
    if not mark.exists():
        raise UsageError(
            f"{run.path} is not the run's folder there, or the run was stopped",
            hint="the folder has to be on a file system that all workers share",
        )


def _command(told: dict[str, Any], run: RunDirectory, terminal: Terminal) -> RunCommand:
    service = ServiceOptions(**told["service"])
    return RunCommand(
        name=told["name"],
        run=run,
        source=told["source"],
        buying=BuyingOptions(
            service=service,
            retries=RetryOptions(**told["retries"]),
            record=RecordOptions(**{**told["record"], "no_history": True}),  # that is a person's
            max_cost=told["max_cost"],
        ),
        options=RunOptions(**told["options"]),
        settings=load_settings(terminal, service.profile),
        paths=False,
    )


def _failure(error: NscaleError, terminal: Terminal) -> dict[str, Any]:
    redact = terminal.redactor.redact
    return {
        "code": int(error.code),
        "message": redact(error.message),
        "hint": redact(error.hint) if error.hint else None,
        "billed": error.billed.value,
        "http_status": error.http_status,
    }


@contextmanager
def _stopping_without(mark: Path, interrupts: Interrupts) -> Iterator[None]:
    """Let a run finish what is under way, and send nothing more, once the mark is gone."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if not mark.exists():
                interrupts.ask(signal.SIGTERM)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()

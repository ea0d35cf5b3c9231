"""What the commands that buy many images share: from a plan in a folder to a report."""

from collections.abc import Callable

from nscale_cli.commands._run_command import RunCommand, require_same_service, require_services
from nscale_cli.commands._run_service import Buying, estimated
from nscale_cli.errors import UsageError
from nscale_cli.output.run_planned import RunPlanned
from nscale_cli.output.run_result import RunReport, count_rows
from nscale_cli.runs.files import write_failed, write_results
from nscale_cli.runs.journal import read_events
from nscale_cli.runs.ledger import Ledger, Place, open_ledger
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.runs.shards import owning, parse_shard
from nscale_cli.runs.states import RowStates
from nscale_cli.runs.survey import rows_to_send, survey_rows
from nscale_cli.runs.totals import outcomes
from nscale_cli.storage.private_files import locked
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal


def carry_out(
    command: RunCommand, environment: Environment, prepare: Callable[[], object]
) -> RunReport:
    """Buy what the plan asks for and is not there yet; `prepare` makes the plan."""
    if command.options.as_lines and environment.invocation.as_json:
        raise UsageError("--jsonl and --json both write to stdout", hint="give one of them")
    shard = parse_shard(command.options.shard, environment.terminal.env)
    place = Place(run=command.run, shard=shard)
    with owning(command.run, shard):
        require_same_service(command)
        prepare()
        with open_ledger(place, redact=environment.terminal.redactor.redact) as ledger:
            return _carry_out(command, environment, ledger)


def _carry_out(command: RunCommand, environment: Environment, ledger: Ledger) -> RunReport:
    terminal, as_json = environment.terminal, environment.invocation.as_json
    survey = survey_rows(
        ledger.place, ledger.states, command.resume, source=command.source, ledger=ledger
    )
    require_services(command, survey)
    if survey.adopted:
        terminal.note(f"{survey.adopted} images that an earlier run had left are taken in")
    buying = Buying(command, environment, ledger, survey)
    end = buying.buy() if survey.to_send else buying.tell_earlier()
    write_files(ledger.place, ledger.states, terminal)
    if end.crash is not None:
        raise end.crash
    totals, rows = count_rows(ledger.place, ledger.states, in_detail=as_json)
    return RunReport(
        command=command.name,
        directory=command.run.path,
        survey=survey,
        totals=totals,
        money=ledger.states.money,
        estimate_usd=buying.estimate_usd,
        end=end,
        rows=rows,
        stdout_failed=buying.stdout_failed,
    )


def try_out(command: RunCommand, environment: Environment, trial: RunDirectory) -> RunPlanned:
    """Return what the command would do with the plan in `trial`; nothing is sent or written."""
    place = Place(
        run=command.run,
        shard=parse_shard(command.options.shard, environment.terminal.env),
        trial=trial,
    )
    with RowStates(read_events(command.run)) as states:
        survey = survey_rows(place, states, command.resume, source=command.source)
        require_services(command, survey)
        price, because = estimated(command, environment, survey)
        return RunPlanned(
            directory=command.run.path,
            survey=survey,
            rows=[row for row, _, _ in rows_to_send(place, states, command.resume)],
            estimate_usd=price,
            price_unknown_because=because,
        )


def write_files(place: Place, states: RowStates, terminal: Terminal) -> None:
    """Write the table of all rows, and those that failed; what cannot be written is a warning."""
    run, shard = place.run, place.shard
    try:
        write_failed(run, shard, outcomes(place, states), terminal.redactor.redact)
        if shard.count == 1:
            write_results(run, outcomes(place, states))
            return
        # The last of the shards to end writes what all of them have done.
        with locked(run.results_lock), RowStates(read_events(run)) as all_states:
            write_results(run, outcomes(Place(run=run), all_states))
    except OSError as error:
        terminal.warn(f"{run.path}: the table of results could not be written: {error.strerror}")

"""What the commands that buy many images share: from a plan in a folder to a report."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import field, replace

from nscale_cli.commands._context import address_of, connected, make_marker, make_recorder
from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.run import RunOptions
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.config.settings import Settings
from nscale_cli.connection import Connection, require_base_url
from nscale_cli.errors import KeyMissing, StdoutFailed, UsageError
from nscale_cli.jobs.budget import Budget, unknown_price
from nscale_cli.jobs.marking import Marker
from nscale_cli.jobs.prices import PriceList
from nscale_cli.jobs.record import Recorder
from nscale_cli.jobs.save import Store
from nscale_cli.output.run_progress import RunProgress
from nscale_cli.output.run_result import RunPlanned, RunReport, count_rows
from nscale_cli.redact import excerpt
from nscale_cli.request import GeneratedImage
from nscale_cli.runs.buying import RunEnd, RunOrder, buy_rows
from nscale_cli.runs.files import write_failed, write_results
from nscale_cli.runs.journal import read_events
from nscale_cli.runs.ledger import Ledger, Place, open_ledger
from nscale_cli.runs.plan import RunDirectory, read_header
from nscale_cli.runs.resume import ResumeOptions
from nscale_cli.runs.shards import owning, parse_shard
from nscale_cli.runs.states import RowStates
from nscale_cli.runs.survey import Survey, rows_to_send, survey_rows
from nscale_cli.runs.totals import outcomes
from nscale_cli.service.decode import InvalidItem
from nscale_cli.service.prices import dollars
from nscale_cli.storage.private_files import locked
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal
from nscale_cli.values import frozen

SANDBOX = "sandbox"  # what stands in a plan for an address that is another each time


@frozen
class RunCommand:
    """What a command asks of a run. `source` is what people call the rows' file.

    `others` are further services, by their base URLs as rows name them. `paths`: whether the
    answer is the path of each image.
    """

    name: str
    run: RunDirectory
    source: str
    buying: BuyingOptions
    options: RunOptions
    settings: Settings
    others: Mapping[str, tuple[ServiceOptions, Settings]] = field(default_factory=dict)
    paths: bool = True

    @property
    def services(self) -> Mapping[str, tuple[ServiceOptions, Settings]]:
        """All services, by what rows call them."""
        return {"": (self.buying.service, self.settings), **self.others}

    @property
    def resume(self) -> ResumeOptions:
        """What is bought again."""
        return ResumeOptions(
            redo=frozenset(self.options.redo or ()),
            retry_refused=self.options.retry_refused,
            retry_billed=self.buying.retries.retry_billed,
        )

    @property
    def address(self) -> str:
        """The service as a plan names it."""
        return planned_address(self.buying.service, self.settings)


def planned_address(service: ServiceOptions, settings: Settings) -> str:
    """Return the base URL that stands in a plan; raise ConfigurationError for one that is none."""
    if service.sandbox or (settings.sandbox and service.base_url is None):
        return SANDBOX
    return require_base_url(address_of(service, settings))


def require_same_service(command: RunCommand) -> None:
    """Raise UsageError where the plan's rows would be bought again, at another service.

    Whoever names the service on this command line means it; pictures of the sandbox stay apart.
    """
    before, now = read_header(command.run), command.address
    if before is None or before.base_url == now:
        return
    service = command.buying.service
    named = service.base_url is not None or service.profile is not None
    if named and SANDBOX not in (before.base_url, now):
        return
    raise UsageError(
        f"{command.run.path} is a run at {before.base_url}, and this would be one at {now}, "
        "where all of it would be bought again; nothing was sent",
        hint="choose another folder with -o"
        if SANDBOX in (before.base_url, now)
        else "name the service you mean with --base-url or --profile",
    )


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
    buying = _Buying(command, environment, ledger, survey)
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


def require_services(command: RunCommand, survey: Survey) -> None:
    """Raise UsageError where rows would be sent to a service that is not named now."""
    for service, _ in survey.area_to_send:
        if service not in command.services:
            raise UsageError(
                f"some rows are for {excerpt(service, 120)}; nothing was sent",
                hint="give the command again that made the run, with all its profiles",
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


@contextmanager
def all_connected(command: RunCommand, environment: Environment) -> Iterator[dict[str, Connection]]:
    """Yield the way to each service of a run, by what its rows call it."""
    terminal, retries = environment.terminal, command.buying.retries
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(connected(terminal, settings, service, retries))
            for name, (service, settings) in command.services.items()
        }


def _ask_prices(
    connections: Mapping[str, Connection], survey: Survey, environment: Environment
) -> dict[str, PriceList]:
    """Return the prices of each service's own models, as far as they can be known."""
    prices = {
        name: PriceList(
            {model for service, model in survey.area if service == name},
            connection,
            environment.terminal,
            environment.clock,
        )
        for name, connection in connections.items()
    }
    for each in prices.values():
        each.ask()
    return prices


def estimated(
    command: RunCommand, environment: Environment, survey: Survey
) -> tuple[float | None, str]:
    """Return what the rows to send would cost, else why that is not known."""
    try:
        with all_connected(command, environment) as connections:
            prices = _ask_prices(connections, survey, environment)
    except KeyMissing as error:
        return None, error.message

    def price_of(service: str, model: str) -> float | None:
        return prices[service].usd_per_megapixel(model)

    usd = survey.estimate_usd(survey.area_to_send, price_of)
    unknown = [key for key in survey.area_to_send if price_of(*key) is None]
    if usd is None and not unknown:
        return None, "the service chooses the size"
    return usd, prices[unknown[0][0]].unknown_because(unknown[0][1]) if unknown else ""


class _Buying:
    """The part of a run that needs the service: its prices, its limit, the rows themselves."""

    def __init__(
        self, command: RunCommand, environment: Environment, ledger: Ledger, survey: Survey
    ) -> None:
        self.estimate_usd: float | None = None
        self._command, self._environment = command, environment
        self._ledger, self._survey = ledger, survey
        self._progress: RunProgress | None = None
        self._prices: Mapping[str, PriceList] = {}

    @property
    def stdout_failed(self) -> StdoutFailed | None:
        """How stdout could not be written, if so."""
        return self._progress.stdout_failed if self._progress else None

    def tell_earlier(self) -> RunEnd:
        """Name the images that are there already; nothing is to be sent."""
        self._begin_progress(lambda _: None)
        return RunEnd()

    def buy(self) -> RunEnd:
        """Buy what is missing."""
        command, environment = self._command, self._environment
        terminal = environment.terminal
        with ExitStack() as stack:
            connections = stack.enter_context(all_connected(command, environment))
            self._prices = _ask_prices(connections, self._survey, environment)
            self.estimate_usd = self._survey.estimate_usd(self._survey.area, self._price_of)
            budgets = self._budgets()
            terminal.note(self._announcement())
            markers = self._markers(connections)
            recorders = self._recorders(connections)
            show = stack.enter_context(terminal.live())
            for recorder in recorders.values():
                stack.enter_context(recorder)
            order = RunOrder(
                services=connections,
                prices=self._prices,
                store=store_of(connections[""], terminal),
                resume=command.resume,
                workers=command.options.jobs,
                budgets=budgets,
                keep_going=command.options.keep_going,
                fail_fast=command.options.fail_fast,
                markers=markers,
                recorders=recorders,
            )
            return buy_rows(self._ledger, order, environment, self._begin_progress(show))

    def _markers(self, connections: Mapping[str, Connection]) -> dict[str, Marker]:
        terminal, record = self._environment.terminal, self._command.buying.record
        made = {
            name: make_marker(terminal, self._command.services[name][1], record, connection)
            for name, connection in connections.items()
        }
        return {name: marker for name, marker in made.items() if marker}

    def _recorders(self, connections: Mapping[str, Connection]) -> dict[str, Recorder]:
        command, terminal = self._command, self._environment.terminal
        made = {
            name: make_recorder(
                terminal,
                command.services[name][1],
                command.buying.record,
                connection,
                self._prices[name],
                run=command.run.path,
            )
            for name, connection in connections.items()
        }
        return {name: recorder for name, recorder in made.items() if recorder}

    def _price_of(self, service: str, model: str) -> float | None:
        prices = self._prices.get(service)  # none for rows of before, at a service not named now
        return prices.usd_per_megapixel(model) if prices else None

    def _budgets(self) -> dict[str, Budget]:
        """Return what may be spent, over the whole life of the folder; raise UsageError."""
        if self._command.buying.max_cost is None:
            return {}
        for service, model in self._survey.area_to_send:
            if self._price_of(service, model) is None:
                raise unknown_price(self._prices[service].unknown_because(model))
        if self._survey.unpriced:
            raise unknown_price("the service chooses the size")
        money = self._ledger.states.money
        if money.unpriced:
            raise unknown_price(f"of {money.unpriced} earlier requests")
        allowed, spent = share_of(self._command.buying.max_cost, self._ledger)
        budget = Budget(allowed, self._prices[""], spent_usd=spent)
        return {service: budget.at(prices) for service, prices in self._prices.items()}

    def _announcement(self) -> str:
        survey, command = self._survey, self._command
        estimate = survey.estimate_usd(survey.area_to_send, self._price_of)
        about = "the price is unknown" if estimate is None else f"about ${dollars(estimate)}"
        images = "1 image" if survey.images_to_send == 1 else f"{survey.images_to_send} images"
        models = ", ".join(excerpt(model, 60) for model in survey.models[:5])
        more = f" and {len(survey.models) - 5} more" if len(survey.models) > 5 else ""
        return f"{images} by {models}{more} into {command.run.path}; {about}"

    def _begin_progress(self, show: Callable[[str], None]) -> RunProgress:
        options, as_json = self._command.options, self._environment.invocation.as_json
        progress = RunProgress(
            self._environment.terminal,
            self._ledger,
            self._survey,
            show,
            estimate_usd=self.estimate_usd,
            paths=self._command.paths and not as_json and not options.as_lines,
            lines=options.as_lines,
            monotonic=self._environment.clock.monotonic,
        )
        progress.tell_earlier()
        self._progress = progress
        return progress


def share_of(max_usd: float, ledger: Ledger) -> tuple[float, float]:
    """Return what may be spent in all, and what is spent already; a shard's share is its own.

    Shards that are at work at once do not see what the others spend, so each keeps to its part.
    """
    states, shard = ledger.states, ledger.place.shard
    total = states.money.spent_usd + states.money.maybe_usd
    if shard.count == 1:
        return max_usd, total
    siblings = [
        states.money_of(replace(shard, number=number).journal(ledger.place.run).name)
        for number in range(1, shard.count + 1)
    ]
    spent = [money.spent_usd + money.maybe_usd for money in siblings]
    return (max_usd - (total - sum(spent))) / shard.count, spent[shard.number - 1]


def store_of(connection: Connection, terminal: Terminal) -> Store:
    """Return where images go whose own place fails, and how those are fetched that came as URLs."""
    return Store(
        env=terminal.env,
        redactor=terminal.redactor,
        write_answer=terminal.write_answer,
        fetch=_fetch if connection.fetch_urls else None,
    )


def _fetch(url: str) -> GeneratedImage | InvalidItem:
    from nscale_cli.service.fetch import fetch_image

    return fetch_image(url)


def write_files(place: Place, states: RowStates, terminal: Terminal) -> None:
    """Write the table of all rows, and those that failed; what cannot be written is a warning."""
    run, shard = place.run, place.shard
    failed = run.bookkeeping / f"failed{shard.suffix}.jsonl"
    try:
        if not write_failed(failed, outcomes(place, states), terminal.redactor.redact):
            failed.unlink()
        if shard.count == 1:
            write_results(run.path / "results.csv", outcomes(place, states))
            return
        # The last of the shards to end writes what all of them have done.
        with locked(run.bookkeeping / "results"), RowStates(read_events(run)) as all_states:
            write_results(run.path / "results.csv", outcomes(Place(run=run), all_states))
    except OSError as error:
        terminal.warn(f"{run.path}: the table of results could not be written: {error.strerror}")

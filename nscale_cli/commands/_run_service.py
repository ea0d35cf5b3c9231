"""The part of a run that needs the service: its prices, its limit, the rows themselves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from nscale_cli.commands._context import connected, make_marker, make_recorder
from nscale_cli.commands._run_command import RunCommand
from nscale_cli.connection import Connection
from nscale_cli.errors import KeyMissing, StdoutFailed
from nscale_cli.jobs.budget import Budget, unknown_price
from nscale_cli.jobs.marking import Marker
from nscale_cli.jobs.prices import PriceList
from nscale_cli.jobs.record import Recorder
from nscale_cli.jobs.save import Store
from nscale_cli.output.run_progress import RunProgress
from nscale_cli.redact import excerpt
from nscale_cli.runs.buying import RunEnd, RunOrder, buy_rows
from nscale_cli.runs.ledger import Ledger
from nscale_cli.runs.survey import Survey
from nscale_cli.service.prices import dollars
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal


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


class Buying:
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
            markers, recorders = self._keepers(connections)
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

    def _keepers(
        self, connections: Mapping[str, Connection]
    ) -> tuple[dict[str, Marker], dict[str, Recorder]]:
        """Return what writes into the images of each service, and what remembers them."""
        command, terminal = self._command, self._environment.terminal
        markers, recorders = {}, {}
        for name, connection in connections.items():
            of_service = (terminal, command.services[name][1], command.buying.record, connection)
            if marker := make_marker(*of_service):
                markers[name] = marker
            if recorder := make_recorder(*of_service, self._prices[name], run=command.run.path):
                recorders[name] = recorder
        return markers, recorders

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
        fetch_urls=connection.fetch_urls,
    )

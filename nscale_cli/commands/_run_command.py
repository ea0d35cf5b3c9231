"""What a command asks of a run, and whether it means the service that the run was planned for."""

from collections.abc import Mapping
from dataclasses import field

from nscale_cli.commands._context import address_of
from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.run import RunOptions
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.config.settings import Settings
from nscale_cli.connection import require_base_url
from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.runs.plan import RunDirectory, read_header
from nscale_cli.runs.resume import ResumeOptions
from nscale_cli.runs.survey import Survey
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


def require_services(command: RunCommand, survey: Survey) -> None:
    """Raise UsageError where rows would be sent to a service that is not named now."""
    for service, _ in survey.area_to_send:
        if service not in command.services:
            raise UsageError(
                f"some rows are for {excerpt(service, 120)}; nothing was sent",
                hint="give the command again that made the run, with all its profiles",
            )

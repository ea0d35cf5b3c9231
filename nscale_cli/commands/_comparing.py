"""What is compared: the command line becomes services, prompts, and axes with their values."""

from dataclasses import replace
from pathlib import Path

from nscale_cli.commands._context import load_settings
from nscale_cli.commands._inputs import read_params
from nscale_cli.commands._run_command import SANDBOX, planned_address
from nscale_cli.commands.options.compare import ComparedOptions
from nscale_cli.commands.options.report import DrawOptions
from nscale_cli.commands.options.service import ServicesOptions
from nscale_cli.config.settings import Settings
from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import Size
from nscale_cli.runs.comparison import ComparedService, Comparison, read_fields
from nscale_cli.runs.read_rows import RowFormat, open_rows, read_rows
from nscale_cli.runs.rows import MistakeList, RowDefaults, require_sendable
from nscale_cli.storage.names import candidates, disk_path, slug
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen


@frozen
class Member:
    """One service of a comparison: how it is reached, and what it is called in a plan."""

    options: ServicesOptions
    settings: Settings
    address: str


def read_members(environment: Environment, services: ServicesOptions) -> tuple[Member, ...]:
    """Return the services that are meant: one for each profile; raise UsageError."""
    names: list[str | None] = [*dict.fromkeys(services.profiles or ())] or [None]
    if len(names) > 1:
        _require_profiles_alone(services)
    members = []
    for name in names:
        settings = load_settings(environment.terminal, name)
        own = replace(services, profile=name)
        members.append(
            Member(options=own, settings=settings, address=planned_address(own, settings))
        )
    addresses = [member.address for member in members]
    if len(set(addresses)) < len(addresses):
        raise UsageError(
            "two of the profiles name the same service", hint="compare services that differ"
        )
    return tuple(members)


def _require_profiles_alone(services: ServicesOptions) -> None:
    given = {
        "--base-url": services.base_url is not None,
        "--sandbox": services.sandbox,
        "-a": services.api_key is not None,
        "--api-key-file": services.api_key_file is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{name} is for one service, and several profiles are compared",
                hint="store a key for each profile: nscale auth login --profile NAME",
            )


def read_comparison(
    environment: Environment,
    compared: ComparedOptions,
    members: tuple[Member, ...],
    drawing: DrawOptions,
) -> Comparison:
    """Return what is compared; raise UsageError for what could not be asked for."""
    prompts = _read_prompts(environment, compared)
    _note_commas(environment, compared)
    services = tuple(_service(member, compared) for member in members)
    params = {name for service in services for name in service.params}
    fields = read_fields(compared.vary or (), dict.fromkeys(params))
    require_sendable({name: list(values) for name, values in fields.items()})
    return Comparison(
        services=services,
        prompts=prompts,
        fields=fields,
        samples=compared.samples,
        title=drawing.title,
        blind=drawing.blind,
    )


def _service(member: Member, compared: ComparedOptions) -> ComparedService:
    settings = member.settings
    params = read_params(compared.param or (), settings)
    require_sendable(params)
    sizes = compared.sizes or [settings.size]
    return ComparedService(
        base_url=member.address,
        name=settings.profile or "",
        models=tuple(dict.fromkeys(compared.models or [settings.model])),
        sizes=tuple(dict.fromkeys(Size.parse(size) for size in sizes)),
        params=params,
        send_size=settings.send_size,
    )


def _note_commas(environment: Environment, compared: ComparedOptions) -> None:
    """Say what -m A,B means: fields are listed so (--vary), models are not."""
    for model in compared.models or ():
        if "," in model:
            environment.terminal.note(f"-m {excerpt(model, 80)} is one model; two are -m A -m B")


def _read_prompts(environment: Environment, compared: ComparedOptions) -> tuple[str, ...]:
    prompts = list(compared.prompts or ())
    if compared.prompts_file is not None:
        prompts += _read_file(environment, compared.prompts_file)
    if not prompts:
        raise UsageError(
            "there is no prompt",
            hint='say what to draw: nscale images compare "A red fox" -m A -m B',
        )
    different = tuple(dict.fromkeys(prompts))
    if len(different) < len(prompts):
        environment.terminal.note(
            f"{len(prompts) - len(different)} prompts are there twice (-n asks for samples)"
        )
    return different


def _read_file(environment: Environment, name: str) -> list[str]:
    source = "standard input" if name == "-" else name
    mistakes = MistakeList(source)
    defaults = RowDefaults(model="any", size=Size(width=1, height=1))
    with open_rows(name, environment.terminal.input_file) as file:
        rows = read_rows(file, RowFormat.TXT, defaults, mistakes)
        prompts = [row.request.prompt for row in rows]
    mistakes.require_none()
    return prompts


def run_directory(
    environment: Environment,
    compared: ComparedOptions,
    comparison: Comparison,
    members: tuple[Member, ...],
) -> Path:
    """Return the folder: the same for the same command, unless a fresh one is wanted."""
    name = compared.output
    if name is None:
        name = f"compare-{slug(comparison.prompts[0])}"
        if members[0].address == SANDBOX:
            name += "-sandbox"  # a rehearsal must not be in the way
    path = environment.path(disk_path(name))
    if not compared.fresh:
        return path
    return next(each for each in candidates(path) if not _is_there(each))


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def too_many(comparison: Comparison, to_buy: int, limit: int) -> UsageError:
    """Return the error for more images than may be bought."""
    rest = f", {to_buy} of them to be bought" if f"= {to_buy}" not in comparison.product else ""
    return UsageError(
        f"{excerpt(comparison.product, 200)}{rest}: more than --max-images {limit}; "
        "nothing was sent",
        hint="compare less, or raise --max-images",
    )

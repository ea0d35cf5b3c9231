"""`nscale config set` and `unset`: one setting in the settings file."""

from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.service import ProfileOption
from nscale_cli.config.file import (
    config_path,
    find_setting,
    profile_names,
    set_value,
    unset_value,
)
from nscale_cli.config.table import SETTINGS
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Done
from nscale_cli.redact import excerpt
from nscale_cli.terminal.context import Environment

_KNOWN = tuple(row for row in SETTINGS.values() if row.in_file or row.in_profile)
_NAMES = tuple(row.name for row in _KNOWN)
SET_HELP = """Write a setting into the settings file.

\b
Examples:
  nscale config set model black-forest-labs/FLUX.1-schnell
  nscale config set preview_style auto
  nscale config set --profile local base_url http://127.0.0.1:8080/v1

A profile that is not there yet is made. Comments in the file stay as they are. The settings:
"""
UNSET_HELP = """Take a setting out of the settings file.

\b
Examples:
  nscale config unset model
  nscale config unset --profile local base_url
"""
NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The setting's name.",
        autocompletion=lambda incomplete: [name for name in _NAMES if name.startswith(incomplete)],
    ),
]


def set_help() -> str:
    """Return the help of `config set`, with a line for each setting."""
    width = max(map(len, _NAMES))
    lines = "\n".join(f"  {each.name:<{width}}  {each.summary}" for each in _KNOWN)
    return f"{SET_HELP}\n\b\n{lines}"


@command()
def set_setting(
    environment: Environment,
    name: NameArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The setting's value.")],
    profile: ProfileOption = None,
) -> Done:
    """Set; SET_HELP is what the user reads."""
    env = environment.terminal.env
    setting = find_setting(name, in_profile=bool(profile))
    parsed = setting.parse(value, name)
    if setting.name == "profile" and value not in profile_names(env):
        raise UsageError(
            f"unknown profile {excerpt(value, 80)!r}",
            hint=f"make it first: nscale config set --profile {excerpt(value, 80)} base_url URL",
        )
    path = config_path(env)
    set_value(path, name, parsed, profile=profile)
    where = f" in profile {excerpt(profile, 80)}" if profile else ""
    variable = setting.variable
    return Done(
        said=[f"{name} is set{where}, in {path}"],
        warned=[f"{variable} is set, and goes before it"] if env.get(variable or "") else [],
    )


@command()
def unset_setting(
    environment: Environment, name: NameArgument, profile: ProfileOption = None
) -> Done:
    """Unset; UNSET_HELP is what the user reads."""
    find_setting(name, in_profile=bool(profile))
    path = config_path(environment.terminal.env)
    there = unset_value(path, name, profile=profile)
    return Done(said=[f"{name} is {'removed from' if there else 'not set in'} {path}"])

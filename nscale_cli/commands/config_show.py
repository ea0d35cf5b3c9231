"""`nscale config show`: every setting, and where its value comes from."""

import json
from pathlib import Path

import typer

from nscale_cli.commands import _options as options
from nscale_cli.config.file import read_config
from nscale_cli.config.settings import SETTINGS, Settings
from nscale_cli.errors import ExitCode
from nscale_cli.output.images import write_document
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean
from nscale_cli.terminal.context import Environment

HELP = """Show every setting, and where its value comes from.

\b
Examples:
  nscale config show
  nscale config show --profile local --json

A flag wins over a variable, a variable over the profile, the profile over the rest of the file.
"""


def show(
    context: typer.Context,
    profile: options.ProfileOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Show; HELP is what the user reads."""
    environment: Environment = context.obj
    terminal = environment.terminal
    config = read_config(terminal.env)
    settings = Settings.resolve(terminal.env, config, profile)
    own = bool(settings.profile)
    names = [row.name for row in SETTINGS.values() if row.in_profile and (row.in_file or own)]
    if as_json:
        data: dict[str, object] = {
            "path": config.path,
            "profile": settings.profile,
            "profiles": list(config.profiles),
            "settings": {
                name: {"value": settings.value_of(name), "source": settings.sources[name]}
                for name in names
            },
        }
        write_document("config show", data, [], terminal)
        return ExitCode.OK
    file = Path(config.path)
    rows = [(name, _shown(settings.value_of(name)), settings.sources[name]) for name in names]
    rows.append(("profile", _shown(settings.profile), settings.sources["profile"]))
    for line in format_table(
        [(*row, clean(source.replace(config.path, file.name))) for *row, source in rows]
    ):
        terminal.answer(line)
    terminal.note(f"{file.name} is {file}{'' if file.exists() else ', which is not there'}")
    others = [clean(name) for name in config.profiles if name != settings.profile]
    if others:
        terminal.note(f"other profiles (--profile): {', '.join(others)}")
    return ExitCode.OK


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return clean(value) if isinstance(value, str) else json.dumps(value)

"""`nscale config show`: every setting, and where its value comes from."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from nscale_cli.commands._command import command
from nscale_cli.commands.options.service import ProfileOption
from nscale_cli.config.file import read_config
from nscale_cli.config.settings import Config, Settings
from nscale_cli.config.table import SETTINGS
from nscale_cli.output.result import Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

HELP = """Show every setting, and where its value comes from.

\b
Examples:
  nscale config show
  nscale config show --profile local --json

A flag wins over a variable, a variable over the profile, the profile over the rest of the file.
"""


@frozen
class SettingsShown(Result):
    """The settings that a run would have, and the file in which some of them stand."""

    command = "config show"
    settings: Settings
    config: Config

    @property
    def values(self) -> Mapping[str, tuple[object, str]]:
        """Each setting's value, and where it comes from."""
        own = bool(self.settings.profile)
        names = [row.name for row in SETTINGS.values() if row.in_profile and (row.in_file or own)]
        return {name: (self.settings.value_of(name), self.settings.sources[name]) for name in names}

    def lines(self) -> list[str]:
        """Return a row for each setting."""
        path = self.config.path
        profile = (self.settings.profile, self.settings.sources["profile"])
        return format_table(
            [
                (name, _shown(value), clean(source.replace(path, Path(path).name)))
                for name, (value, source) in [*self.values.items(), ("profile", profile)]
            ]
        )

    def remarks(self) -> Iterator[str]:
        """Say where the file is, and what else is in it."""
        file = Path(self.config.path)
        yield f"{file.name} is {file}{'' if file.exists() else ', which is not there'}"
        profiles = self.config.profiles
        others = [clean(name) for name in profiles if name != self.settings.profile]
        if others:
            yield f"other profiles (--profile): {', '.join(others)}"

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {
            "path": self.config.path,
            "profile": self.settings.profile,
            "profiles": list(self.config.profiles),
            "settings": {
                name: {"value": value, "source": source}
                for name, (value, source) in self.values.items()
            },
        }


@command("as_json")
def show(environment: Environment, profile: ProfileOption = None) -> SettingsShown:
    """Show; HELP is what the user reads."""
    env = environment.terminal.env
    config = read_config(env)
    return SettingsShown(settings=Settings.resolve(env, config, profile), config=config)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    return clean(value) if isinstance(value, str) else json.dumps(value)

"""`nscale config get` and `profiles`: one setting's value; the profiles that there are."""

from collections.abc import Mapping

from nscale_cli.commands._command import command
from nscale_cli.commands.config_set import NameArgument
from nscale_cli.commands.options.service import ProfileOption
from nscale_cli.config.file import find_setting, read_config
from nscale_cli.config.settings import Config, Settings
from nscale_cli.config.table import SETTINGS
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Page, Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

GET_HELP = """Print the value that a setting has now, wherever it comes from.

\b
Examples:
  nscale config get model
  nscale config get base_url --profile local

A variable and a profile count as they would for an image. A setting without a value is an error.
"""
PROFILES_HELP = """List the profiles of the settings file, with their addresses.

\b
Examples:
  nscale config profiles
  nscale config profiles --json | jq -r '.data.profiles | keys[]'
"""


@frozen
class Profiles(Result):
    """The profiles of a settings file."""

    command = "config profiles"
    config: Config
    used: str | None

    @property
    def addresses(self) -> Mapping[str, str | None]:
        """The address of each profile that names one."""
        found = {name: values.get("base_url") for name, values in self.config.profiles.items()}
        return {name: str(value.value) if value else None for name, value in found.items()}

    def lines(self) -> list[str]:
        """Return a row for each."""
        rows = [(clean(name), url or "-") for name, url in self.addresses.items()]
        return format_table(rows) if rows else []

    def remarks(self) -> list[str]:
        """Say which one is used, or how to make one."""
        if not self.config.profiles:
            return ["there is none; nscale config set --profile NAME base_url URL makes one"]
        return [f"{clean(self.used)} is used without --profile"] if self.used else []

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        profiles = {name: {"base_url": url} for name, url in self.addresses.items()}
        return {"path": self.config.path, "profile": self.used, "profiles": profiles}


@command()
def get(environment: Environment, name: NameArgument, profile: ProfileOption = None) -> Page:
    """Print; GET_HELP is what the user reads."""
    setting = SETTINGS.get(name) or find_setting(name, in_profile=True)
    env = environment.terminal.env
    value = Settings.resolve(env, read_config(env), profile).value_of(setting.name)
    if value is None:
        raise UsageError(
            f"{setting.name} is not set", hint=f"nscale config set {setting.name} VALUE"
        )
    if isinstance(value, bool):
        return Page(text=str(value).lower())
    return Page(text=f"{value:g}" if isinstance(value, float) else str(value))


@command("as_json")
def profiles(environment: Environment) -> Profiles:
    """List; PROFILES_HELP is what the user reads."""
    env = environment.terminal.env
    config = read_config(env)
    return Profiles(config=config, used=Settings.resolve(env, config).profile)

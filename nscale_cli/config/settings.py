"""The values of the settings: from variables, a profile, the file, or the table's defaults."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from nscale_cli.config.table import SETTINGS, Setting
from nscale_cli.errors import ConfigurationError
from nscale_cli.values import frozen


@frozen
class ConfigValue:
    """A value of the settings file that was checked, and its place there, for messages."""

    value: object
    place: str


@frozen
class Config:
    """What the settings file holds, outside of profiles and in each: nothing, without a file."""

    path: str = ""
    values: Mapping[str, ConfigValue] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, ConfigValue]] = field(default_factory=dict)


@frozen
class Settings:
    """What variables, profile and file say, with the defaults filled in.

    `sources` tells for each of SETTINGS where its value comes from. `profile_base_url` is the
    address that the profile names, whether or not a variable goes before it.
    """

    model: str
    size: str
    output: str | None
    preview_style: str
    metadata: str
    history: bool
    base_url: str
    timeout_seconds: float
    sandbox: bool
    profile: str | None
    profile_base_url: str | None
    key_variable: str | None
    send_size: bool
    response_format: str | None
    fetch_urls: bool
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def keeps_sandbox_history(self) -> bool:
        """Whether the variable asks for it: images of the sandbox are not worth keeping else."""
        return self.history and self.sources.get("history") == SETTINGS["history"].variable

    def value_of(self, name: str) -> object:
        """Return the value of the setting that the settings file calls `name`."""
        value: object = getattr(self, "timeout_seconds" if name == "timeout" else name)
        return value

    @classmethod
    def resolve(
        cls, env: Mapping[str, str], config: Config | None = None, profile: str | None = None
    ) -> "Settings":
        """Take each setting from its variable, the profile, the file, or its default.

        Raises UsageError naming the variable that is wrong, and ConfigurationError for a profile
        that is not there.
        """
        config = config or Config()
        chosen = _chosen_profile(env, config, profile)
        of_profile = config.profiles.get(chosen[0] or "", {})
        found = {row.name: _found(row, env, config, chosen[0]) for row in SETTINGS.values()}
        found["profile"] = chosen
        own_service = of_profile.get("base_url")
        if profile and own_service:
            # A flag goes before a variable, and the service is what a profile is most of all.
            found["base_url"] = own_service.value, f"profile {profile}, {own_service.place}"
        values: dict[str, Any] = {name: value for name, (value, _) in found.items()}
        return cls(
            timeout_seconds=values.pop("timeout"),
            profile_base_url=str(own_service.value) if own_service else None,
            sources={name: source for name, (_, source) in found.items()},
            **values,
        )


def _chosen_profile(
    env: Mapping[str, str], config: Config, wanted: str | None
) -> tuple[str | None, str]:
    """Return the name of the profile, and where that comes from; raise ConfigurationError."""
    found, source = _found(SETTINGS["profile"], env, config, None)
    name, source = (wanted, "--profile") if wanted else (found, source)
    if name and name not in config.profiles:
        there_are = ", ".join(config.profiles) or "none"
        raise ConfigurationError(
            f"unknown profile {str(name)[:80]!r} in {config.path}", hint=f"there are: {there_are}"
        )
    return (str(name) if name else None), source


def _found(
    setting: Setting, env: Mapping[str, str], config: Config, profile: str | None
) -> tuple[object, str]:
    """Return the setting's value, and where it comes from."""
    if setting.variable and (text := env.get(setting.variable)):
        return setting.parse(text, setting.variable), setting.variable
    if profile and (written := config.profiles[profile].get(setting.name)):
        return written.value, f"profile {profile}, {written.place}"
    if written := config.values.get(setting.name):
        return written.value, written.place
    return setting.default, "default"

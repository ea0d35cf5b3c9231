"""The one table of settings, variables and defaults, and how they become `Settings`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nscale_cli.config.setting_kinds import (
    Kind,
    Setting,
    address,
    home_path,
    model_id,
    one_of,
    seconds,
    size_text,
    switch,
    variable_name,
)
from nscale_cli.errors import ConfigurationError

DEFAULT_BASE_URL = "https://inference.api.nscale.com/v1"
DEFAULT_MODEL = "black-forest-labs/FLUX.1-schnell"
DEFAULT_SIZE = "512x512"
DEFAULT_TIMEOUT_SECONDS = 300.0
DEFAULT_RETRIES = 2
PREVIEW_STYLES = ("ascii", "auto", "blocks", "kitty", "iterm2", "sixel")  # the first: default

VARIABLES: Mapping[str, str] = {
    "NSCALE_SERVICE_TOKEN": "the service token that pays; read before NSCALE_API_KEY",
    "NSCALE_API_KEY": "the API key that pays (the older kind of credential)",
    "NSCALE_MODEL": f"the model (-m); default {DEFAULT_MODEL}",
    "NSCALE_SIZE": f"the size in pixels (-z); default {DEFAULT_SIZE}",
    "NSCALE_BASE_URL": f"the service's address (--base-url); default {DEFAULT_BASE_URL}",
    "NSCALE_PREVIEW": "the style of -p (--preview-style); default ascii",
    "NSCALE_LAZY_TYPES": "0: import the whole SDK at the start of a run, as its authors do; slower",
    "NSCALE_SANDBOX": "1: use the built-in offline server (--sandbox)",
    "NSCALE_PROFILE": "the profile of the settings file to use (--profile)",
    "NSCALE_CONFIG": "the settings file; default config.toml in the folder that "
    "`nscale config path` names",
    "NSCALE_TIMEOUT": f"seconds for a whole request (--timeout); default {DEFAULT_TIMEOUT_SECONDS:g}",  # noqa: E501 - one row of the table
    "HTTPS_PROXY, ALL_PROXY, NO_PROXY": "the proxy to the service, and the hosts that need none",
    "SSL_CERT_FILE, SSL_CERT_DIR": "certificate authorities to trust instead of the system's",
    "NO_COLOR": "set: no colour",
    "FORCE_COLOR": "set: colour, also where the output is not a terminal",
    "TERM": "'dumb': no colour, no animation",
    "COLUMNS": "the width of a preview that does not go to a terminal; default 80",
    "XDG_CACHE_HOME": "where lists of models are kept; default: the system's place for caches",
    "XDG_CONFIG_HOME": "where the folder of settings and stored keys is; default ~/.config",
    "XDG_STATE_HOME": "where images are rescued to if their own place fails; "
    "default ~/.local/state",
}
KEY_VARIABLES = ("NSCALE_SERVICE_TOKEN", "NSCALE_API_KEY")

# What completion offers for -m and -z. Prices and the full list come from the service itself.
KNOWN_MODELS = (
    DEFAULT_MODEL,
    "stabilityai/stable-diffusion-xl-base-1.0",
    "ByteDance/SDXL-Lightning-4step",
    "ByteDance/SDXL-Lightning-8step",
)
SANDBOX_MODELS = tuple(
    f"sandbox/{name}"
    for name in (
        "unauthorized", "forbidden", "not-found", "insufficient-credit", "rate-limited", "refused",
        "server-error", "unavailable", "slow", "hangs", "disconnects", "truncated", "empty",
        "not-an-image", "fewer", "jpeg", "webp", "wrong-size", "url",
    )
)  # fmt: skip
COMMON_SIZES = ("256x256", "512x512", "768x768", "1024x1024", "1024x1792", "1792x1024")


_TABLE = (
    Setting(
        name="model",
        meaning="the model that draws (-m)",
        variable="NSCALE_MODEL",
        default=DEFAULT_MODEL,
        check=model_id,
    ),
    Setting(
        name="size",
        meaning="width and height in pixels (-z)",
        variable="NSCALE_SIZE",
        default=DEFAULT_SIZE,
        check=size_text,
    ),
    Setting(name="output", meaning="where images go (-o)", check=home_path),
    Setting(
        name="preview_style",
        meaning=f"how -p draws: {', '.join(PREVIEW_STYLES)}",
        variable="NSCALE_PREVIEW",
        default=PREVIEW_STYLES[0],
        check=one_of("style", *PREVIEW_STYLES),
    ),
    Setting(
        name="base_url",
        meaning="the service's address (--base-url)",
        variable="NSCALE_BASE_URL",
        default=DEFAULT_BASE_URL,
        check=address,
    ),
    Setting(
        name="timeout",
        meaning="seconds for a whole request (--timeout)",
        kind=Kind.NUMBER,
        variable="NSCALE_TIMEOUT",
        default=DEFAULT_TIMEOUT_SECONDS,
        check=seconds,
    ),
)
_TABLE_OF_PROFILES = (
    Setting(
        name="key_variable",
        meaning="the variable that holds the key of this profile's service",
        check=variable_name,
    ),
    Setting(
        name="send_size",
        meaning="false: leave the size out of requests, for servers that refuse it",
        kind=Kind.SWITCH,
        default=True,
    ),
    Setting(
        name="response_format",
        meaning="b64_json: ask for it, for servers that otherwise answer with addresses",
        check=one_of("response format", "b64_json", "url"),
    ),
    Setting(
        name="fetch_urls",
        meaning="true: fetch images that a reply only gives the address of",
        kind=Kind.SWITCH,
        default=False,
    ),
)
SETTINGS: Mapping[str, Setting] = {each.name: each for each in _TABLE}
PROFILE_SETTINGS: Mapping[str, Setting] = {
    each.name: each for each in (*_TABLE, *_TABLE_OF_PROFILES)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    """A value of the settings file that was checked, and its place there, for messages."""

    value: object
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the settings file holds: nothing, where there is none."""

    path: str = ""
    profile: ConfigValue | None = None
    values: Mapping[str, ConfigValue] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, ConfigValue]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What variables, profile and file say, with the defaults filled in.

    `sources` tells for each of PROFILE_SETTINGS where its value comes from. `profile_base_url` is
    the address that the profile names, whether or not a variable goes before it.
    """

    model: str
    size: str
    output: str | None
    preview_style: str
    base_url: str
    timeout_seconds: float
    sandbox: bool
    profile: str | None
    profile_source: str
    profile_base_url: str | None
    key_variable: str | None
    send_size: bool
    response_format: str | None
    fetch_urls: bool
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

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
        name, name_source = _profile(env, config, profile)
        own_service = config.profiles.get(name or "", {}).get("base_url")
        found = {
            setting.name: _found(setting, env, config, name)
            for setting in PROFILE_SETTINGS.values()
        }
        values: dict[str, Any] = {name: value for name, (value, _) in found.items()}
        return cls(
            timeout_seconds=values.pop("timeout"),
            sandbox=switch(env.get("NSCALE_SANDBOX", ""), "NSCALE_SANDBOX"),
            profile=name,
            profile_source=name_source,
            profile_base_url=str(own_service.value) if own_service else None,
            sources={name: source for name, (_, source) in found.items()},
            **values,
        )


def _profile(env: Mapping[str, str], config: Config, wanted: str | None) -> tuple[str | None, str]:
    """Return the name of the profile, and where that comes from."""
    choices = [(wanted, "--profile"), (env.get("NSCALE_PROFILE"), "NSCALE_PROFILE")]
    if config.profile:
        choices.append((str(config.profile.value), config.profile.place))
    name, source = next(((name, source) for name, source in choices if name), (None, "default"))
    if name and name not in config.profiles:
        there_are = ", ".join(config.profiles) or "none"
        raise ConfigurationError(
            f"unknown profile {name[:80]!r} in {config.path}", hint=f"there are: {there_are}"
        )
    return name, source


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

"""The one table of settings, one row each: name, option, variable, default, help, check."""

from collections.abc import Mapping

from nscale_cli.config import checks
from nscale_cli.config.checks import Check, Kind
from nscale_cli.values import frozen

DEFAULT_BASE_URL = "https://inference.api.nscale.com/v1"
DEFAULT_MODEL = "black-forest-labs/FLUX.1-schnell"
DEFAULT_SIZE = "512x512"
DEFAULT_TIMEOUT_SECONDS = 300.0
DEFAULT_RETRIES = 2
METADATA_MODES = ("none", "mark", "full", "sidecar")  # the first: default
PREVIEW_STYLES = ("ascii", "auto", "blocks", "kitty", "iterm2", "sixel")  # the first: default

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
        "not-an-image", "fewer", "jpeg", "webp", "wrong-size", "url", "credit-after-3", "flaky",
        "ignores-seed",
    )
)  # fmt: skip
COMMON_SIZES = ("256x256", "512x512", "768x768", "1024x1024", "1024x1792", "1792x1024")


@frozen
class Setting:
    """One setting: its name in the settings file, its option, its variable, and their help.

    `option` and `variable` are empty where it has none. `unset` says what counts where there is
    no `default`. `in_file`, `in_profile`: whether it may stand in the file outside of profiles,
    and in one.
    """

    name: str
    meaning: str
    kind: Kind = Kind.TEXT
    option: str = ""
    variable: str = ""
    default: object = None
    unset: str = ""
    check: Check = checks.anything
    in_file: bool = True
    in_profile: bool = True

    def parse(self, text: str, source: str) -> object:
        """Return what `text`, from a variable or a command line, means; raise NscaleError."""
        value: object = text
        if self.kind is Kind.SWITCH:
            value = checks.switch(text, source)
        if self.kind is Kind.NUMBER:
            value = checks.number(text, source)
        return self.check(value, source)

    @property
    def summary(self) -> str:
        """Its line in lists of settings, with the option that goes before it."""
        return f"{self.meaning} ({self.option})" if self.option else self.meaning

    @property
    def option_help(self) -> str:
        """The help of its option."""
        notes = [f"env: {self.variable}"] if self.variable else []
        if self.default_text:
            notes.append(f"default: {self.default_text}")
        return f"{self.meaning[:1].upper()}{self.meaning[1:]}. [{'; '.join(notes)}]"

    @property
    def variable_help(self) -> str:
        """The help of its variable."""
        start = f"1: {self.summary}" if self.kind is Kind.SWITCH else self.summary
        return f"{start}; default {self.default_text}" if self.default_text else start

    @property
    def default_text(self) -> str:
        """The default in words; empty where it is plain that there is none."""
        if self.default is None or self.default is False:
            return self.unset
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


_ROWS = (
    Setting(
        name="model",
        meaning="the model that draws",
        option="-m",
        variable="NSCALE_MODEL",
        default=DEFAULT_MODEL,
        check=checks.model_id,
    ),
    Setting(
        name="size",
        meaning="width and height in pixels",
        option="-z",
        variable="NSCALE_SIZE",
        default=DEFAULT_SIZE,
        check=checks.size_text,
    ),
    Setting(
        name="output",
        meaning="a file, a folder, a template such as '{slug}-{index}.{ext}', or '-' for stdout",
        option="-o",
        unset="a name from the prompt, in the current folder",
        check=checks.home_path,
    ),
    Setting(
        name="preview_style",
        meaning=f"how -p draws: {', '.join(PREVIEW_STYLES)}",
        option="--preview-style",
        variable="NSCALE_PREVIEW",
        default=PREVIEW_STYLES[0],
        check=checks.one_of("style", *PREVIEW_STYLES),
    ),
    Setting(
        name="metadata",
        meaning=f"what images say of their making: {', '.join(METADATA_MODES)}",
        option="--metadata",
        variable="NSCALE_METADATA",
        default=METADATA_MODES[0],
        check=checks.one_of("mode", *METADATA_MODES),
    ),
    Setting(
        name="history",
        meaning="false: keep no history of images",
        kind=Kind.SWITCH,
        option="--no-history",
        variable="NSCALE_HISTORY",
        default=True,
    ),
    Setting(
        name="base_url",
        meaning="the address of an OpenAI-compatible service",
        option="--base-url",
        variable="NSCALE_BASE_URL",
        default=DEFAULT_BASE_URL,
        check=checks.address,
    ),
    Setting(
        name="timeout",
        meaning="the limit on the whole request, in seconds",
        kind=Kind.NUMBER,
        option="--timeout",
        variable="NSCALE_TIMEOUT",
        default=DEFAULT_TIMEOUT_SECONDS,
        check=checks.seconds,
    ),
    Setting(
        name="key_variable",
        meaning="the variable that holds the key of this profile's service",
        check=checks.variable_name,
        in_file=False,
    ),
    Setting(
        name="send_size",
        meaning="false: leave the size out of requests, for servers that refuse it",
        kind=Kind.SWITCH,
        default=True,
        in_file=False,
    ),
    Setting(
        name="response_format",
        meaning="b64_json: ask for it, for servers that otherwise answer with addresses",
        check=checks.one_of("response format", "b64_json", "url"),
        in_file=False,
    ),
    Setting(
        name="fetch_urls",
        meaning="true: fetch images that a reply only gives the address of",
        kind=Kind.SWITCH,
        default=False,
        in_file=False,
    ),
    Setting(
        name="profile",
        meaning="the profile of the settings file to use",
        option="--profile",
        variable="NSCALE_PROFILE",
        in_profile=False,
    ),
    Setting(
        name="sandbox",
        meaning="use the built-in offline server: no key, no network, no cost",
        kind=Kind.SWITCH,
        option="--sandbox",
        variable="NSCALE_SANDBOX",
        default=False,
        in_file=False,
        in_profile=False,
    ),
)
SETTINGS: Mapping[str, Setting] = {row.name: row for row in _ROWS}

KEY_VARIABLES = ("NSCALE_SERVICE_TOKEN", "NSCALE_API_KEY")
KEY_OPTIONS = ("-a", "--api-key")
VARIABLES: Mapping[str, str] = {
    KEY_VARIABLES[0]: f"the service token that pays; read before {KEY_VARIABLES[1]}",
    KEY_VARIABLES[1]: "the API key that pays (the older kind of credential)",
    **{row.variable: row.variable_help for row in _ROWS if row.variable},
    "NSCALE_HISTORY": "0: keep no history of images (--no-history); 1: also of those of --sandbox",
    "NSCALE_CONFIG": "the settings file; default config.toml in the folder that "
    "`nscale config path` names",
    "NSCALE_LAZY_TYPES": "0: import the whole SDK at the start of a run, as its authors do; slower",
    "HTTPS_PROXY, ALL_PROXY, NO_PROXY": "the proxy to the service, and the hosts that need none",
    "SSL_CERT_FILE, SSL_CERT_DIR": "certificate authorities to trust instead of the system's",
    "NO_COLOR": "set: no colour",
    "FORCE_COLOR": "set: colour, also where the output is not a terminal",
    "TERM": "'dumb': no colour, no animation",
    "NSCALE_FONT": "a font file for labels of comparison sheets in scripts that ours lacks",
    "COLUMNS": "the width of a preview that does not go to a terminal; default 80",
    "XDG_CACHE_HOME": "where lists of models are kept; default: the system's place for caches",
    "XDG_CONFIG_HOME": "where the folder of settings and stored keys is; default ~/.config",
    "XDG_STATE_HOME": "where the history is, and images are rescued to if their own place fails; "
    "default ~/.local/state",
}

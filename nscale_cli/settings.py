"""The one table of environment variables and defaults, and how they become settings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nscale_cli.errors import UsageError

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
    "NSCALE_SANDBOX": "1: use the built-in offline server (--sandbox)",
    "NSCALE_TIMEOUT": f"seconds for a whole request (--timeout); default {DEFAULT_TIMEOUT_SECONDS:g}",  # noqa: E501 - one row of the table
    "HTTPS_PROXY, ALL_PROXY, NO_PROXY": "the proxy to the service, and the hosts that need none",
    "SSL_CERT_FILE, SSL_CERT_DIR": "certificate authorities to trust instead of the system's",
    "NO_COLOR": "set: no colour",
    "FORCE_COLOR": "set: colour, also where the output is not a terminal",
    "TERM": "'dumb': no colour, no animation",
    "COLUMNS": "the width of a preview that does not go to a terminal; default 80",
    "XDG_CACHE_HOME": "where lists of models are kept; default: the system's place for caches",
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

_TRUE_WORDS = ("1", "true", "yes", "on")
_FALSE_WORDS = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, with the defaults filled in."""

    model: str
    size: str
    base_url: str
    timeout_seconds: float
    sandbox: bool
    preview_style: str

    @classmethod
    def resolve(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings from `env`; raise UsageError naming the variable that is wrong."""
        return cls(
            model=env.get("NSCALE_MODEL") or DEFAULT_MODEL,
            size=env.get("NSCALE_SIZE") or DEFAULT_SIZE,
            base_url=env.get("NSCALE_BASE_URL") or DEFAULT_BASE_URL,
            timeout_seconds=_timeout(env.get("NSCALE_TIMEOUT")),
            preview_style=require_preview_style(
                env.get("NSCALE_PREVIEW") or PREVIEW_STYLES[0], source="NSCALE_PREVIEW"
            ),
            sandbox=_switch("NSCALE_SANDBOX", env.get("NSCALE_SANDBOX", "")),
        )


def _timeout(text: str | None) -> float:
    if not text:
        return DEFAULT_TIMEOUT_SECONDS
    try:
        return require_timeout(float(text), source="NSCALE_TIMEOUT")
    except ValueError:
        raise UsageError(
            f"NSCALE_TIMEOUT is {text[:40]!r}, which is not a number of seconds"
        ) from None


def require_timeout(seconds: float, *, source: str) -> float:
    """Return `seconds` if it can be a time limit; raise UsageError naming `source` if not."""
    if not 0 < seconds <= 86_400 or math.isnan(seconds):
        raise UsageError(f"{source} must be more than 0 and at most 86400 seconds")
    return seconds


def require_preview_style(style: str, *, source: str) -> str:
    """Return `style` if there is such a style; raise UsageError naming `source` if not."""
    if style not in PREVIEW_STYLES:
        raise UsageError(
            f"{source} is {style[:40]!r}, which is no style",
            hint=f"choose from {', '.join(PREVIEW_STYLES)}",
        )
    return style


def _switch(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE_WORDS:
        return True
    if word in _FALSE_WORDS:
        return False
    raise UsageError(f"{name} is {text[:40]!r}", hint="set it to 1, or unset it")

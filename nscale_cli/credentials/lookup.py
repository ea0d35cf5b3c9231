"""Which key a request is made with, where none stands on the command line."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from nscale_cli.config.settings import Settings
from nscale_cli.config.table import KEY_VARIABLES
from nscale_cli.connection import ApiKey, is_loopback, require_base_url
from nscale_cli.credentials.store import KeyStore
from nscale_cli.errors import AuthenticationError, KeyMissing

_NO_KEY = "none"  # servers that ask for none still get an Authorization header


def origin_of(base_url: str) -> str:
    """Return scheme, host and port of an address: what a stored key belongs to."""
    parts = urlsplit(require_base_url(base_url))
    return f"{parts.scheme}://{parts.netloc}".lower()


def key_variables(settings: Settings, base_url: str) -> Sequence[str]:
    """Return the variables that may hold the key for `base_url`, the first first.

    A profile's variable is for the service that the profile names, not for another that a flag or
    a variable puts in its place. None are left for the service of a profile that names no
    variable: the usual ones hold Nscale's key, which is no business of another service.
    """
    own = settings.profile_base_url
    if own is not None and origin_of(own) != origin_of(base_url):
        return KEY_VARIABLES
    if settings.key_variable:
        return (settings.key_variable,)
    return () if own is not None else KEY_VARIABLES


def find_key(env: Mapping[str, str], settings: Settings, base_url: str) -> ApiKey:
    """Return the key for `base_url` from a variable, or the stored one.

    Raises AuthenticationError.
    """
    names = key_variables(settings, base_url)
    for name in names:
        if value := env.get(name, "").strip():
            return ApiKey(value=value, source=name)
    origin, store = origin_of(base_url), KeyStore(env)
    if place := store.place(origin):
        if stored := store.load(origin):
            return ApiKey(value=stored, source=place)
        raise AuthenticationError(
            f"{place} does not hold the key any more", hint="store it again: nscale auth login"
        )
    if not names and is_loopback(urlsplit(origin).hostname or ""):
        return ApiKey(value=_NO_KEY, source="nowhere; this machine's own service may need none")
    raise KeyMissing("no API key", hint=_ways(settings, names))


def _ways(settings: Settings, names: Sequence[str]) -> str:
    if settings.profile and names is not KEY_VARIABLES:
        profile = settings.profile
        variable = (
            f"export {names[0]}=..."
            if names
            else (f"name its variable: nscale config set --profile {profile} key_variable NAME")
        )
        return f"nscale auth login --profile {profile}, or {variable}"
    return (
        "nscale auth login, or export NSCALE_API_KEY=..., or name a file with --api-key-file; "
        "--sandbox needs none"
    )

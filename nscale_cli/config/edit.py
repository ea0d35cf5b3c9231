"""Changes to the settings file that leave its comments and its order alone."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from nscale_cli.config.file import PROFILE, read_text, unknown_setting
from nscale_cli.config.setting_kinds import Setting
from nscale_cli.config.settings import PROFILE_SETTINGS, SETTINGS
from nscale_cli.errors import ConfigurationError, UsageError
from nscale_cli.redact import excerpt
from nscale_cli.storage.private_files import replace_file

_PROFILES = "profiles"


def known_setting(name: str, *, profile: str | None) -> Setting:
    """Return the setting of that name; raise UsageError where there is none."""
    known = PROFILE_SETTINGS if profile else {**SETTINGS, PROFILE.name: PROFILE}
    if name not in known:
        error = unknown_setting(name, "", in_profile=bool(profile))
        raise UsageError(error.message, hint=error.hint)
    return known[name]


def set_value(path: Path, name: str, value: object, *, profile: str | None) -> None:
    """Write a setting into the file, which is made where there is none.

    Raises ConfigurationError where the file cannot be read, is not TOML, or cannot be written.
    """
    document = _parsed(path)
    table: MutableMapping[str, Any] = document
    if profile:
        import tomlkit

        profiles = document.setdefault(_PROFILES, tomlkit.table(is_super_table=True))
        table = profiles.setdefault(profile, tomlkit.table())
    table[name] = value
    _write(path, document)


def unset_value(path: Path, name: str, *, profile: str | None) -> bool:
    """Take a setting out of the file; return whether it was there."""
    document = _parsed(path)
    table: MutableMapping[str, Any] = document
    if profile:
        table = document.get(_PROFILES, {}).get(profile, {})
    if name not in table:
        return False
    del table[name]
    _write(path, document)
    return True


def _parsed(path: Path) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(read_text(path) or "")
    except (TOMLKitError, RecursionError) as error:
        raise ConfigurationError(
            f"{excerpt(str(path))} is not valid TOML: {excerpt(str(error), 200)}",
            hint="fix it with: nscale config edit",
        ) from None


def _write(path: Path, document: Any) -> None:
    import tomlkit

    try:
        replace_file(path, tomlkit.dumps(document).encode())
    except OSError as error:
        raise ConfigurationError(
            f"{excerpt(str(path))} cannot be written: {error.strerror}"
        ) from None

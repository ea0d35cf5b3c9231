"""The settings file, config.toml: where it is, and what is written in it."""

import re
from collections.abc import Mapping
from pathlib import Path

from nscale_cli.config.directories import config_directory
from nscale_cli.config.setting_kinds import Setting
from nscale_cli.config.settings import PROFILE_SETTINGS, SETTINGS, Config, ConfigValue
from nscale_cli.errors import ConfigurationError, NscaleError
from nscale_cli.redact import excerpt

_MAX_BYTES = 1024 * 1024
_HEADER = re.compile(r"\s*\[+([^\]]+)\]")
_KEY = re.compile(r"""\s*([\w."'-]+)\s*=""")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")
_PROFILES = "profiles"
PROFILE = Setting(name="profile", meaning="the profile to use where none is named (--profile)")


def config_path(env: Mapping[str, str]) -> Path:
    """Return where the settings file is, or would be."""
    if path := env.get("NSCALE_CONFIG"):
        return Path(path).absolute()
    return config_directory(env) / "config.toml"


def read_config(env: Mapping[str, str]) -> Config:
    """Return what the settings file holds; raise ConfigurationError with the line that is wrong.

    No file is no settings.
    """
    path = config_path(env)
    text = read_text(path)
    if text is None:
        return Config(path=str(path))
    return _Reader(path, text).config()


def read_text(path: Path) -> str | None:
    """Return the text of the file, or None where there is none; raise ConfigurationError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{excerpt(str(path))} cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{excerpt(str(path))} is not UTF-8 text") from None
    if len(data) > _MAX_BYTES:
        raise ConfigurationError(f"{excerpt(str(path))} is larger than 1 MiB")
    return text


def profile_names(env: Mapping[str, str]) -> list[str]:
    """Return the names of the profiles, for Tab: none, where the file cannot be read."""
    try:
        return list(read_config(env).profiles)
    except NscaleError:
        return []


class _Reader:
    """Reads one file, and knows on which line each key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._lines = _lines_of_keys(text)

    def config(self) -> Config:
        """Return the settings; every one of them is checked, also those of other profiles."""
        import tomllib

        try:
            document = tomllib.loads(self._text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise self._not_toml(str(error)) from None
        profiles = self._table(document.pop(_PROFILES, {}), (_PROFILES,))
        profile = document.pop(PROFILE.name, None)
        return Config(
            path=str(self._path),
            profile=None if profile is None else self._written(PROFILE, profile, ()),
            values=self._values(document, SETTINGS, ()),
            profiles={
                name: self._values(
                    self._table(values, (_PROFILES, name)), PROFILE_SETTINGS, (_PROFILES, name)
                )
                for name, values in profiles.items()
            },
        )

    def _values(
        self, table: Mapping[str, object], known: Mapping[str, Setting], above: tuple[str, ...]
    ) -> dict[str, ConfigValue]:
        values = {}
        for name, value in table.items():
            if name not in known:
                place = self._place((*above, name))
                raise unknown_setting(name, place, in_profile=bool(above))
            values[name] = self._written(known[name], value, above)
        return values

    def _written(self, setting: Setting, value: object, above: tuple[str, ...]) -> ConfigValue:
        place = self._place((*above, setting.name))
        if not setting.kind.holds(value):
            raise ConfigurationError(f"{place}: {setting.name} must be {setting.kind.value}")
        try:
            return ConfigValue(value=setting.check(value, setting.name), place=place)
        except NscaleError as error:
            raise ConfigurationError(f"{place}: {error.message}", hint=error.hint) from None

    def _table(self, value: object, name: tuple[str, ...]) -> dict[str, object]:
        if not isinstance(value, dict):
            raise ConfigurationError(
                f"{self._place(name)}: {excerpt('.'.join(name), 80)} must be a table",
                hint="such as [profiles.local]",
            )
        return value

    def _place(self, name: tuple[str, ...]) -> str:
        line = self._lines.get(name)
        return excerpt(str(self._path)) + (f":{line}" if line else "")

    def _not_toml(self, reason: str) -> ConfigurationError:
        at = _AT_LINE.search(reason)
        place = excerpt(str(self._path)) + (f":{at[1]}" if at else "")
        what = excerpt(_AT_LINE.sub("", reason), 200)
        return ConfigurationError(
            f"{place}: not valid TOML: {what[:1].lower() + what[1:]}",
            hint='a setting looks like this: model = "black-forest-labs/FLUX.1-schnell"',
        )


def unknown_setting(name: str, place: str, *, in_profile: bool) -> ConfigurationError:
    """Return the error that says that there is no such setting, and which there are."""
    start = f"{place}: " if place else ""
    known = PROFILE_SETTINGS if in_profile else SETTINGS
    shown = excerpt(name, 80)
    if name in PROFILE_SETTINGS:
        return ConfigurationError(
            f"{start}{shown} can only be set in a profile", hint="put it under [profiles.NAME]"
        )
    if "key" in name.lower() or "token" in name.lower():
        hint = "a key is no setting; nscale auth login stores it"
    else:
        hint = f"the settings are {', '.join(known)}"
    return ConfigurationError(f"{start}unknown setting {shown!r}", hint=hint)


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Return the line number of each key and table, as far as a simple look at the text tells."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            name = (*table, *_parts(key[1]))
            for end in range(1, len(name) + 1):
                lines.setdefault(name[:end], number)
    return lines


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))

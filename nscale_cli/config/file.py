"""The settings file, config.toml: found, read and checked, and changed; the owner of tomlkit.

A change leaves the file's comments and its order alone, and no other change at the same time is
lost.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nscale_cli.config.directories import config_directory
from nscale_cli.config.settings import Config, ConfigValue
from nscale_cli.config.table import SETTINGS, Setting
from nscale_cli.errors import ConfigurationError, NscaleError, UsageError
from nscale_cli.redact import excerpt
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.private_files import changing, replace_file

_MAX_BYTES = 1024 * 1024
_MAX_WAIT_SECONDS = 5.0  # for what comes through a pipe, as from <(...)
_HEADER = re.compile(r"\s*\[+([^\]]+)\]")
_KEY = re.compile(r"""\s*([\w."'-]+)\s*=""")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")
_PROFILES = "profiles"


def config_path(env: Mapping[str, str]) -> Path:
    """Return where the settings file is, or would be."""
    if path := env.get("NSCALE_CONFIG"):
        with suppress(OSError):  # the current directory may not exist any more
            return Path(path).absolute()
        return Path(path)
    return config_directory(env) / "config.toml"


def read_config(env: Mapping[str, str]) -> Config:
    """Return what the settings file holds; raise ConfigurationError with the line that is wrong.

    No file is no settings. Every setting is checked, also those of other profiles.
    """
    path = config_path(env)
    text = read_text(path)
    return Config(path=str(path)) if text is None else _Reader(path, text).config()


def profile_names(env: Mapping[str, str]) -> list[str]:
    """Return the names of the profiles, for Tab: none, where the file cannot be read."""
    try:
        return list(read_config(env).profiles)
    except NscaleError:
        return []


def find_setting(name: str, *, in_profile: bool) -> Setting:
    """Return the setting of that name; raise UsageError where it cannot be set there."""
    setting = SETTINGS.get(name)
    if setting and (setting.in_profile if in_profile else setting.in_file):
        return setting
    shown = excerpt(name, 80)
    if setting and setting.in_profile:
        raise UsageError(
            f"{shown} can only be set in a profile", hint="put it under [profiles.NAME]"
        )
    hint = "a key is no setting; nscale auth login stores it"
    if not any(word in name.lower() for word in ("key", "token")):
        known = (s.name for s in SETTINGS.values() if (s.in_profile if in_profile else s.in_file))
        hint = f"the settings are {', '.join(known)}"
    raise UsageError(f"unknown setting {shown!r}", hint=hint)


def set_value(path: Path, name: str, value: object, *, profile: str | None) -> None:
    """Write a setting into the file, which is made where there is none.

    Raises ConfigurationError where the file cannot be read, is not TOML, or cannot be written.
    """
    with _changing(path) as document:
        table = document
        if profile:
            table = _inner(path, _inner(path, document, _PROFILES), profile)
        table[name] = value


def unset_value(path: Path, name: str, *, profile: str | None) -> bool:
    """Remove a setting from the file; return whether it was there."""
    with _changing(path) as document:
        table = document
        if profile:
            table = document.get(_PROFILES, {}).get(profile, {})
        return table.pop(name, None) is not None


def create_file(path: Path, text: str) -> None:
    """Write a settings file where there is none; raise ConfigurationError where that fails."""
    with changing(path):
        if not path.exists():
            replace_file(path, text.encode())


@contextmanager
def _changing(path: Path) -> Iterator[MutableMapping[str, Any]]:
    """Yield the file's document, and write what was made of it."""
    import tomlkit  # before others wait
    from tomlkit.exceptions import TOMLKitError

    with changing(path):
        before = read_text(path) or ""
        try:
            document = tomlkit.parse(before)
        except (TOMLKitError, RecursionError) as error:
            raise ConfigurationError(
                f"{excerpt(str(path))} is not valid TOML: {excerpt(str(error), 200)}",
                hint="fix it with: nscale config edit",
            ) from None
        yield document
        try:
            after = tomlkit.dumps(document).encode()
        except UnicodeEncodeError:
            raise UsageError("what is to be set is not UTF-8 text") from None
        if after != before.encode():
            replace_file(path, after, keep_mode=True)


def _inner(path: Path, table: MutableMapping[str, Any], name: str) -> MutableMapping[str, Any]:
    """Return the table of that name in `table`, made where there is none."""
    import tomlkit

    inner = table.setdefault(name, tomlkit.table(is_super_table=name == _PROFILES))
    if not isinstance(inner, MutableMapping):
        raise ConfigurationError(
            f"{excerpt(str(path))}: {excerpt(name, 80)} must be a table",
            hint="fix it with: nscale config edit",
        )
    return inner


def read_text(path: Path) -> str | None:
    """Return the text of the file, or None where there is none; raise ConfigurationError."""
    try:
        data = read_bounded(path, _MAX_BYTES, wait_seconds=_MAX_WAIT_SECONDS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{excerpt(str(path))} cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise ConfigurationError(f"{excerpt(str(path))} is larger than 1 MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{excerpt(str(path))} is not UTF-8 text") from None


class _Reader:
    """Reads one file, and knows on which line each key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._lines = _lines_of_keys(text)

    def config(self) -> Config:
        import tomllib

        try:
            document = tomllib.loads(self._text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise self._not_toml(str(error)) from None
        profiles = self._table(document.pop(_PROFILES, {}), (_PROFILES,))
        return Config(
            path=str(self._path),
            values=self._values(document, ()),
            profiles={
                name: self._values(self._table(values, (_PROFILES, name)), (_PROFILES, name))
                for name, values in profiles.items()
            },
        )

    def _values(
        self, table: Mapping[str, object], above: tuple[str, ...]
    ) -> dict[str, ConfigValue]:
        return {name: self._value(name, value, above) for name, value in table.items()}

    def _value(self, name: str, value: object, above: tuple[str, ...]) -> ConfigValue:
        place = self._place((*above, name))
        try:
            setting = find_setting(name, in_profile=bool(above))
            if not setting.kind.holds(value):
                raise UsageError(f"{name} must be {setting.kind.value}")
            return ConfigValue(value=setting.check(value, name), place=place)
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


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Return the line number of each key and table, as far as a simple look at the text tells."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
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

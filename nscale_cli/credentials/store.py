"""Stored keys: in the system's keyring where one works, else in a file for its owner alone.

That file also tells for which services there is a key in the keyring. Without an entry the
keyring is never asked, nor even loaded.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from nscale_cli.config.directories import config_directory
from nscale_cli.credentials import keyring as system_keyring
from nscale_cli.credentials.keyring import KeyringUnavailable
from nscale_cli.errors import AuthenticationError, ConfigurationError
from nscale_cli.redact import excerpt
from nscale_cli.storage.disk import OWNER_ONLY, read_bounded
from nscale_cli.storage.private_files import changing, is_private, replace_file
from nscale_cli.values import frozen

_KEYRING = "keyring"
_VERSION = 1
_MAX_BYTES = 1024 * 1024
Entries = dict[str, dict[str, str]]


@frozen
class Stored:
    """Where a key was put, whether that is closed to other users, and why no keyring took it.

    The reason is empty where one did.
    """

    place: str
    private: bool = True
    no_keyring_because: str = ""


class KeyStore:
    """The keys of one user, by the origin (scheme, host, port) of the service that they are for."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.path = config_directory(env) / "keys.json"

    def place(self, origin: str) -> str | None:
        """Return the words for where the key of the service is, or None where there is none."""
        entry = self._entries().get(origin)
        return None if entry is None else self._place(entry)

    def load(self, origin: str) -> str | None:
        """Return the key of the service, or None.

        Raises AuthenticationError where it cannot be read.
        """
        entry = self._entries().get(origin, {})
        if _KEYRING not in entry:
            return entry.get("key")
        try:
            return system_keyring.get(origin)
        except KeyringUnavailable as error:
            raise AuthenticationError(
                f"the key is in {self._place(entry)}, which cannot be read: {error}",
                hint="unlock the keyring, or set NSCALE_API_KEY",
            ) from None

    def store(self, origin: str, key: str) -> Stored:
        """Store the key in place of an older one."""
        self._entries()  # damage is said before the keyring is asked
        entry, reason = {"key": key}, ""
        try:
            entry = {_KEYRING: system_keyring.put(origin, key)}
        except KeyringUnavailable as error:
            reason = str(error)
        with self._changing() as entries:
            entries[origin] = entry
        private = _KEYRING in entry or is_private(self.path)
        return Stored(place=self._place(entry), private=private, no_keyring_because=reason)

    def remove(self, origin: str) -> str | None:
        """Forget the key of the service; return where it was, or None where there was none."""
        entry = self._entries().get(origin)
        if entry is None:
            return None
        if _KEYRING in entry:
            try:
                system_keyring.delete(origin)
            except KeyringUnavailable as error:
                raise AuthenticationError(
                    f"{self._place(entry)} does not give the key up: {error}",
                    hint="unlock the keyring, and try again",
                ) from None
        with self._changing() as entries:
            entries.pop(origin, None)
        return self._place(entry)

    def _place(self, entry: Mapping[str, str]) -> str:
        if _KEYRING in entry:
            return f"the keyring ({excerpt(entry[_KEYRING], 60)})"
        return excerpt(str(self.path))

    def _entries(self) -> Entries:
        try:
            data = read_bounded(self.path, _MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise ConfigurationError(
                f"{excerpt(str(self.path))} cannot be read: {error.strerror}"
            ) from None
        if len(data) > _MAX_BYTES:
            raise self._unusable("is larger than 1 MiB")
        entries = _entries_in(data)
        if entries is None:
            raise self._unusable("is damaged")
        with suppress(OSError):  # a copy from a backup may be open to all
            if not is_private(self.path):
                self.path.chmod(OWNER_ONLY)
        return entries

    def _unusable(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"{excerpt(str(self.path))} {what}",
            hint="remove it, and store the key again: nscale auth login",
        )

    @contextmanager
    def _changing(self) -> Iterator[Entries]:
        """Yield the entries, and write what was made of them; no other change is lost."""
        with changing(self.path):
            entries = self._entries()
            yield entries
            document = {"version": _VERSION, "keys": entries}
            replace_file(self.path, json.dumps(document, indent=2).encode() + b"\n")


def _entries_in(data: bytes) -> Entries | None:
    """Return what the file's bytes hold, or None where they make no sense."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    entries = document.get("keys") if isinstance(document, dict) else None
    whole = isinstance(entries, dict) and all(_is_entry(each) for each in entries.values())
    return entries if whole else None


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())

"""The system's keyring: the only owner of the keyring library, which is slow to load."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nscale_cli.redact import excerpt
from nscale_cli.terminal.time import run_with_timeout

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

MAX_SECONDS = 60.0  # a person may have to type the password that unlocks it
_SERVICE = "nscale"


class KeyringUnavailable(Exception):
    """The keyring did not do it; the text says why."""


def put(account: str, secret: str) -> str:
    """Store the secret, see that it can be read back, and return the keyring's name."""

    def call(keyring: "KeyringBackend") -> str:
        keyring.set_password(_SERVICE, account, secret)
        if keyring.get_password(_SERVICE, account) != secret:
            raise KeyringUnavailable("it does not give back what was put in")
        return excerpt(keyring.name, 60)

    return str(_ask(call))


def get(account: str) -> str | None:
    """Return the secret, or None where there is none (any more)."""
    secret: str | None = _ask(lambda keyring: keyring.get_password(_SERVICE, account))
    return secret


def delete(account: str) -> None:
    """Remove the secret; that there is none is no failure."""

    def call(keyring: "KeyringBackend") -> None:
        if keyring.get_password(_SERVICE, account) is not None:
            keyring.delete_password(_SERVICE, account)

    _ask(call)


def _ask(call: "Callable[[KeyringBackend], object]") -> Any:
    """Return what `call` returns; raise KeyringUnavailable, also where nobody unlocks it."""

    def ask() -> object:
        import keyring
        from keyring.errors import NoKeyringError

        try:
            return call(keyring.get_keyring())
        except NoKeyringError:
            raise KeyringUnavailable("there is none") from None

    try:
        return run_with_timeout(MAX_SECONDS, ask)
    except TimeoutError:
        raise KeyringUnavailable("it is locked, and nobody unlocked it") from None
    except KeyringUnavailable:
        raise
    except Exception as error:  # backends raise errors of their own libraries
        raise KeyringUnavailable(excerpt(str(error) or type(error).__name__, 200)) from None

"""Whether the service accepts a key, found out without asking for an image."""

from dataclasses import dataclass
from datetime import UTC, datetime

from nscale_cli.connection import Connection
from nscale_cli.errors import AuthenticationError, NscaleError
from nscale_cli.service.client import Client
from nscale_cli.service.replies import error_in
from nscale_cli.service.request_state import RequestState

_MAX_SECONDS = 15.0
_SHORTEST_KEY_SHOWN = 16
_ENDING_LENGTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """What the service said. `valid` is None where it said nothing about the key."""

    valid: bool | None
    error: NscaleError | None = None
    http_status: int | None = None


def check_key(connection: Connection) -> KeyCheck:
    """Ask the service for its list of models, which is free, with the connection's key."""
    seconds = min(connection.timeout_seconds, _MAX_SECONDS)
    try:
        with Client(connection) as client:
            reply = client.list_models(RequestState(), timeout_seconds=seconds)
    except NscaleError as error:
        return KeyCheck(valid=None, error=error)
    refusal = error_in(reply, connection, model="", now=datetime.now(UTC))
    if refusal is None:
        return KeyCheck(valid=True, http_status=reply.status)
    valid = False if isinstance(refusal, AuthenticationError) else None
    return KeyCheck(valid=valid, error=refusal, http_status=reply.status)


def ending_of(key: str) -> str | None:
    """Return the last characters of a key, by which its owner knows it; None for a short one."""
    return key[-_ENDING_LENGTH:] if len(key) >= _SHORTEST_KEY_SHOWN else None

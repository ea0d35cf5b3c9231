"""What models a service has: asked of it, or read from the list that it gave before."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    AnswerTimeout,
    Billed,
    Disconnected,
    NscaleError,
    RequestRefused,
    ServiceFailed,
    ServiceUnreachable,
)
from nscale_cli.service import model_cache
from nscale_cli.service.models import ModelList, models_in
from nscale_cli.service.replies import Reply, error_in
from nscale_cli.service.request_state import RequestState
from nscale_cli.terminal.streams import Terminal

if TYPE_CHECKING:
    from nscale_cli.service.client import Client

_MAX_QUERY_SECONDS = 30.0
_FRESH = timedelta(hours=24)
# Where the service cannot be asked, rather than refuses: the list it gave before is as good.
_PASSING_FAILURES = (ServiceUnreachable, AnswerTimeout, Disconnected, ServiceFailed)
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list, and where it is one of before: why there is none of now."""

    listed: ModelList
    stale_reason: str | None = None


def fetch(client: "Client", connection: Connection, terminal: Terminal, now: datetime) -> ModelList:
    """Ask the service for its models and keep the list; raise what went wrong, never billed."""
    seconds = min(connection.timeout_seconds, _MAX_QUERY_SECONDS)
    try:
        reply = client.list_models(RequestState(), timeout_seconds=seconds)
        listed = _list_in(reply, connection, terminal, now)
    except NscaleError as error:
        error.billed = Billed.NO
        if isinstance(error, AnswerTimeout | Disconnected | ServiceFailed):
            error.hint = "wait a little, then run it again"
        raise
    if not connection.ephemeral:
        model_cache.keep(listed, terminal.env)
    return listed


def fetch_or_kept(connection: Connection, terminal: Terminal, now: datetime) -> Listing:
    """Return the list of now, or the last one where the service cannot be reached."""
    seconds = min(connection.timeout_seconds, _MAX_QUERY_SECONDS)
    connection = replace(connection, timeout_seconds=seconds)
    from nscale_cli.service.client import Client

    try:
        with Client(connection) as client, terminal.working("Asking for the models"):
            return Listing(listed=fetch(client, connection, terminal, now))
    except _PASSING_FAILURES as error:
        return kept_instead(connection.base_url, terminal, error)


def kept_instead(base_url: str, terminal: Terminal, error: NscaleError) -> Listing:
    """Return the list that was kept; raise `error` where there is none."""
    listed = model_cache.kept(base_url, terminal.env)
    if listed is None:
        raise error
    return Listing(listed=listed, stale_reason=error.message)


def is_fresh(listed: ModelList, now: datetime) -> bool:
    """Return whether prices may be taken from a list without asking again."""
    return timedelta(0) <= now - listed.fetched_at < _FRESH


def age(listed: ModelList, now: datetime) -> str:
    """Return how old a list is, in words."""
    seconds = (now - listed.fetched_at).total_seconds()
    for length, unit in _UNITS:
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "less than a minute ago" if seconds >= 0 else "the future (is the clock right?)"


def _list_in(reply: Reply, connection: Connection, terminal: Terminal, now: datetime) -> ModelList:
    if reply.status == 404:
        raise RequestRefused(
            f"{connection.host} has no list of models (404)",
            hint="check --base-url or NSCALE_BASE_URL",
        )
    error = error_in(reply, connection, model="", now=now)
    if error is not None:
        raise error
    models = models_in(reply.body, terminal.redactor)
    if models is None:
        raise ServiceFailed(f"{connection.host} sent something else than a list of models")
    return ModelList(base_url=connection.base_url, fetched_at=now, models=models)

"""What models a service has: asked of it, or loaded from the list that it gave before.

There is one question, `GET /models`. It is free, and also tells whether a key is accepted. Lists
are stored, one file a service; whatever is wrong with a file (damaged, foreign, huge), it is as if
there were none.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.config.directories import cache_directory
from nscale_cli.errors import (
    AnswerTimeout,
    AuthenticationError,
    Billed,
    Disconnected,
    NscaleError,
    RequestRefused,
    ServiceFailed,
    ServiceUnreachable,
)
from nscale_cli.redact import Redactor
from nscale_cli.service.models import (
    Model,
    ModelList,
    is_plain,
    looks_like_images,
    model_of,
    models_in,
)
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.private_files import replace_file
from nscale_cli.values import frozen

if TYPE_CHECKING:  # what a Tab does without
    from nscale_cli.connection import Connection
    from nscale_cli.service.client import Client
    from nscale_cli.service.replies import Reply
    from nscale_cli.terminal.streams import Terminal

MAX_QUERY_SECONDS = 15.0
_FRESH = timedelta(hours=24)
_NO_SUCH_PATH = (404, 405, 501)
# Where the service cannot be asked, rather than refuses: the list it gave before is as good.
_PASSING_FAILURES = (ServiceUnreachable, AnswerTimeout, Disconnected, ServiceFailed)
_LATER = "wait a little, then run it again"
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))
_VERSION = 1
_MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_FILES = 20
_MAX_IDS = 500
_START, _ENDING = "models-", ".json"


class NoList(RequestRefused):
    """The service does not say which models it has; it may make images all the same."""


@frozen
class Listing:
    """A list, and where it is one of before: why there is none of now."""

    listed: ModelList
    stale_reason: str | None = None


@frozen
class KeyCheck:
    """What the service said. `valid` is None where it said nothing about the key."""

    valid: bool | None
    error: NscaleError | None = None
    http_status: int | None = None


def check_key(connection: "Connection") -> KeyCheck:
    """Ask the service, and return whether it accepts the connection's key; never raises."""
    from nscale_cli.service.client import Client

    try:
        with Client(connection) as client:
            reply = _ask(client, connection, datetime.now(UTC))
    except NscaleError as error:
        if isinstance(error, AuthenticationError):
            return KeyCheck(valid=False, error=error, http_status=error.http_status)
        if error.http_status is not None:
            error = error.but(message=f"{error.message}; the key could not be checked")
        return KeyCheck(valid=None, error=error, http_status=error.http_status)
    return KeyCheck(valid=True, http_status=reply.status)


def fetch(
    client: "Client", connection: "Connection", terminal: "Terminal", now: datetime
) -> ModelList:
    """Ask the service for its models and store the list; raise what went wrong, never billed."""
    models = models_in(_ask(client, connection, now).body, terminal.redactor)
    if models is None:
        what = f"{connection.host} sent something else than a list of models"
        raise ServiceFailed(what, hint=_LATER, billed=Billed.NO)
    listed = ModelList(base_url=connection.base_url, fetched_at=now, models=models)
    if not connection.ephemeral:
        store(listed, terminal.env)
    return listed


def fetch_or_load(connection: "Connection", terminal: "Terminal", now: datetime) -> Listing:
    """Return the list of now, or the last one where the service cannot be reached."""
    from nscale_cli.service.client import Client

    try:
        with Client(connection) as client, terminal.working("Asking for the models"):
            return Listing(listed=fetch(client, connection, terminal, now))
    except _PASSING_FAILURES as error:
        return load_instead(connection.base_url, terminal, error)


def load_instead(base_url: str, terminal: "Terminal", error: NscaleError) -> Listing:
    """Return the list that was stored; raise `error` where there is none."""
    listed = load(base_url, terminal.env)
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


def _ask(client: "Client", connection: "Connection", now: datetime) -> "Reply":
    """Return the service's reply of success; raise what went wrong, of which nothing is billed."""
    from nscale_cli.service.replies import error_in, what_it_lacks

    seconds = min(connection.timeout_seconds, MAX_QUERY_SECONDS)
    try:
        reply = client.list_models(timeout_seconds=seconds)
        refusal = error_in(reply, connection, model="", now=now)
        if refusal is not None:
            raise refusal
    except NscaleError as error:
        if isinstance(error, AnswerTimeout | Disconnected | ServiceFailed):
            error = error.but(hint=_LATER)
        if error.http_status in _NO_SUCH_PATH:
            error = NoList(
                f"{connection.host} has no list of models ({error.http_status})",
                http_status=error.http_status,
                request_id=error.request_id,
            )
        if error.http_status in (303, *_NO_SUCH_PATH):
            error = error.but(
                hint=f"check --base-url or NSCALE_BASE_URL{what_it_lacks(connection)}"
            )
        raise error.but(billed=Billed.NO) from None
    return reply


def store(listed: ModelList, env: Mapping[str, str]) -> None:
    """Put a list in place of the one before, at one instant, or not at all."""
    document = {
        "version": _VERSION,
        "base_url": listed.base_url,
        "fetched_at": listed.fetched_at.astimezone(UTC).isoformat(),
        "models": [{"id": model.id, **model.fields} for model in listed.models],
    }
    data = json.dumps(document).encode()
    if len(data) > _MAX_FILE_BYTES:
        return
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home directory
        replace_file(_path(listed.base_url, env), data)


def load(base_url: str, env: Mapping[str, str]) -> ModelList | None:
    """Return the last list of the service at `base_url`, however old, or None."""
    try:
        listed = _read(_path(base_url, env))
    except (OSError, RuntimeError):
        return None
    return listed if listed is not None and listed.base_url == base_url else None


def stored_ids(env: Mapping[str, str]) -> list[str]:
    """Return ids of the stored lists that can stand at a command line: image models first."""
    with suppress(OSError, RuntimeError):
        paths = sorted(cache_directory(env).glob(f"{_START}*{_ENDING}"))[:_MAX_FILES]
        ids = {name: None for path in paths for name in _ids(path) if is_plain(name)}
        return sorted(ids, key=lambda name: not looks_like_images(name))[:_MAX_IDS]
    return []


def _ids(path: Path) -> Iterator[str]:
    with suppress(OSError):
        listed = _read(path)
        yield from listed.ids if listed else ()


def _path(base_url: str, env: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(base_url.encode()).hexdigest()[:16]
    return cache_directory(env) / f"{_START}{digest}{_ENDING}"


def _read(path: Path) -> ModelList | None:
    data = read_bounded(path, _MAX_FILE_BYTES)
    if len(data) > _MAX_FILE_BYTES:
        return None
    try:
        return _parse_list(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _parse_list(document: dict[str, object]) -> ModelList | None:
    moment = datetime.fromisoformat(str(document["fetched_at"]))
    entries = document["models"]
    if document["version"] != _VERSION or moment.tzinfo is None or not isinstance(entries, list):
        return None
    models = tuple(_model(entry) for entry in entries)
    return ModelList(base_url=str(document["base_url"]), fetched_at=moment, models=models)


def _model(entry: object) -> Model:
    if not isinstance(entry, dict) or not isinstance(entry["id"], str):
        raise ValueError("no model")
    return model_of(entry, Redactor())

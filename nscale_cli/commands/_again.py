"""The request that made an image: from the history, or from what is written in or beside it."""

import json
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from nscale_cli.commands._context import address_of
from nscale_cli.commands._files import describe, read_whole
from nscale_cli.commands._history import LAST, find_entry
from nscale_cli.commands._inputs import read_params, read_prompt
from nscale_cli.commands.options.request import ChangeOptions, PromptOptions
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.config.settings import Settings
from nscale_cli.errors import UsageError
from nscale_cli.output.info import FileInfo
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest, Size
from nscale_cli.storage.history import HistoryEntry
from nscale_cli.storage.metadata.marks import public_host
from nscale_cli.storage.names import disk_path, text_of
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

_SANDBOX = "the sandbox"


@frozen
class PastRequest:
    """What was asked for, of which service, and where that is known from.

    `service` is a base URL, where the history knows it, or else a host's name.
    """

    prompt: str
    model: str
    size: str | None
    count: int
    params: Mapping[str, object]
    service: str
    source: str


def past_request(word: str, environment: Environment) -> PastRequest:
    """Return the request of a file, of an id, or of the last image; raise UsageError."""
    path = environment.path(disk_path(word))
    if os.path.isfile(path):  # noqa: PTH113 - is_file() may raise
        return _of_file(describe(path, read_whole(path), environment.terminal))
    if word != LAST and not word.isdigit():
        raise UsageError(
            f"{excerpt(word, 200)} is neither a file nor an id of the history",
            hint="see nscale history",
        )
    return _of_entry(find_entry(word, environment))


def _of_entry(entry: HistoryEntry) -> PastRequest:
    return PastRequest(
        prompt=entry.prompt,
        model=entry.model,
        size=entry.requested_size,
        count=entry.count,
        params=entry.params,
        service=_SANDBOX if entry.sandbox else entry.base_url,
        source=f"image {entry.id} of the history",
    )


def _of_file(file: FileInfo) -> PastRequest:
    if file.entries:
        return _of_entry(file.entries[0])
    name = excerpt(text_of(file.path))
    for finding in file.findings:
        body = finding.fields.get("request")
        if isinstance(body, dict):
            return _of_body(body, str(finding.fields.get("host", "")), name)
    if any("prompt" in finding.fields for finding in file.findings):
        raise UsageError(
            f"{name} names a prompt, but no request that nscale made",
            hint=f"read it with nscale images info {name}",
        )
    raise UsageError(
        f"how {name} was made is not known", hint="see nscale images info, and nscale history"
    )


def _of_body(body: Mapping[str, object], host: str, name: str) -> PastRequest:
    """Read a request out of a file, which may be anybody's: no count, which multiplies the bill."""
    prompt, model, size = (body.get(field) for field in ("prompt", "model", "size"))
    if not isinstance(prompt, str) or not isinstance(model, str):
        raise UsageError(f"the request in {name} is damaged")
    return PastRequest(
        prompt=prompt,
        model=model,
        size=size if isinstance(size, str) else None,
        count=1,
        params={
            key: value for key, value in body.items() if key not in ("prompt", "model", "size", "n")
        },
        service=host,
        source=name,
    )


def require_same_service(past: PastRequest, service: ServiceOptions, settings: Settings) -> None:
    """Raise UsageError where the request would go elsewhere than before, and nobody said so."""
    named = service.base_url is not None or service.profile is not None or service.sandbox
    if named or not past.service:
        return
    now = _SANDBOX if settings.sandbox else address_of(service, settings)
    same = {past.service} & {now, public_host(urlsplit(now).hostname or "")}
    if not same:
        raise UsageError(
            f"{past.source} was made by {excerpt(past.service, 200)}, and this would go to {now}",
            hint="name the service that is meant: --base-url, --profile or --sandbox",
        )


def changed(
    past: PastRequest, change: ChangeOptions, settings: Settings, environment: Environment
) -> ImageRequest:
    """Return the request with the changes, after telling what it is."""
    prompt = past.prompt
    if change.prompt_file is not None:
        prompt = read_prompt(PromptOptions(prompt_file=change.prompt_file), environment.terminal)
    model = past.model if change.model is None else change.model
    count = past.count if change.count is None else change.count
    params = {**past.params, **read_params(change.param or (), settings)}
    environment.invocation.tell(prompt=prompt, model=model, count=count, params=params)
    size = Size.parse(change.size or past.size or settings.size)
    environment.invocation.tell(size=str(size))
    request = ImageRequest(
        prompt=prompt,
        model=model,
        size=size,
        count=count,
        params=params,
        send_size=settings.send_size,
    )
    body = json.dumps(request.body, ensure_ascii=False)
    environment.terminal.note(f"again, from {past.source}: {body}")
    return request

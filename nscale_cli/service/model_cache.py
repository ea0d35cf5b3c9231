"""The lists of models that services gave, kept on disk: one file a service, and never a failure.

Whatever is wrong with a file (damaged, foreign, huge), it is as if there were none.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from nscale_cli.config.directories import cache_directory
from nscale_cli.redact import Redactor
from nscale_cli.service.models import Model, ModelList, is_plain, looks_like_images, model_of
from nscale_cli.storage.private_files import replace_file

_VERSION = 1
_MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_FILES = 20
_MAX_IDS = 500
_START, _ENDING = "models-", ".json"


def keep(listed: ModelList, env: Mapping[str, str]) -> None:
    """Keep a list in place of the one before, at one instant, or not at all."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home folder
        path = _path(listed.base_url, env)
        data = _written(listed)
        if len(data) > _MAX_FILE_BYTES:
            return
        replace_file(path, data)


def kept(base_url: str, env: Mapping[str, str]) -> ModelList | None:
    """Return the last list of the service at `base_url`, however old, or None."""
    try:
        listed = _read(_path(base_url, env))
    except (OSError, RuntimeError):
        return None
    return listed if listed is not None and listed.base_url == base_url else None


def kept_ids(env: Mapping[str, str]) -> list[str]:
    """Return ids of the kept lists that can stand at a command line: image models first."""
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


def _written(listed: ModelList) -> bytes:
    models = [{"id": model.id, **model.fields} for model in listed.models]
    return json.dumps(
        {
            "version": _VERSION,
            "base_url": listed.base_url,
            "fetched_at": listed.fetched_at.astimezone(UTC).isoformat(),
            "models": models,
        }
    ).encode()


def _read(path: Path) -> ModelList | None:
    # Without O_NONBLOCK, a FIFO of that name would be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
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

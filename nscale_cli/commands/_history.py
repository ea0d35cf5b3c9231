"""What the commands that look back have in common: which image is meant, and since when."""

import os
import re
from datetime import datetime, timedelta
from pathlib import Path

from nscale_cli.commands._context import open_history
from nscale_cli.commands.options.history import SearchOptions
from nscale_cli.errors import NscaleError, UsageError
from nscale_cli.redact import excerpt
from nscale_cli.storage.history import HistoryEntry, HistoryQuery
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

LAST = "last"
_MAX_OFFERED = 100
_AGO = re.compile(r"([0-9]{1,6})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_moment(text: str, option: str, now: datetime) -> datetime:
    """Return the moment that `text` means: `7d` ago, or a date with or without a time."""
    if ago := _AGO.fullmatch(text):
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            return datetime.min.replace(tzinfo=now.tzinfo)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text[:40]!r} is no time",
            hint="write 30m, 12h, 7d, 4w, or a date such as 2026-11-24 or 2026-11-24T15:00",
        ) from None
    return moment.astimezone() if moment.tzinfo is None else moment


def search(environment: Environment, wanted: SearchOptions, limit: int) -> list[HistoryEntry]:
    """Return the newest entries that are looked for, at most `limit`; raise UsageError."""
    since = wanted.since
    query = HistoryQuery(
        words=tuple(word for each in wanted.text or () for word in each.split()),
        model=wanted.model,
        since=read_moment(since, "--since", environment.clock.now()) if since else None,
        limit=limit,
    )
    with open_history(environment.terminal) as history:
        return history.search(query)


def find_entry(word: str, environment: Environment) -> HistoryEntry:
    """Return the entry that an id, or `last`, means; raise UsageError where there is none."""
    with open_history(environment.terminal) as history:
        if word == LAST:
            entry = next(iter(history.search(HistoryQuery(limit=1))), None)
        else:
            entry = history.entry(_id(word))
    if entry is not None:
        return entry
    if word == LAST:
        raise UsageError("the history is empty", hint="nscale history path says where it would be")
    raise UsageError(f"there is no image {word} in the history", hint="see nscale history")


def _id(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 18):
        raise UsageError(
            f"{excerpt(word, 80)!r} is no id of the history",
            hint=f"give a number from nscale history, or {LAST}",
        )
    return int(word)


def complete_entry(terminal: Terminal, incomplete: str) -> list[str]:
    """Return ids for the shell, the newest first; nothing where there is no history."""
    with open_history(terminal) as history:
        if not history.exists or not (incomplete.isdigit() or LAST.startswith(incomplete)):
            return []
        try:
            entries = history.search(HistoryQuery(limit=_MAX_OFFERED))
        except NscaleError:
            return []
    ids = [LAST, *(str(entry.id) for entry in entries)]
    return [each for each in ids if each.startswith(incomplete)]


def existing_path(entry: HistoryEntry) -> Path:
    """Return where the image is; raise UsageError where it is nowhere."""
    if entry.path is None:
        raise UsageError(f"image {entry.id} went to standard output, and to no file")
    if not os.path.isfile(entry.path):  # noqa: PTH113 - is_file() may raise
        raise UsageError(f"{excerpt(text_of(entry.path))} is no longer there")
    return entry.path

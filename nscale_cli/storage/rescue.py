"""Another place for an image whose own place failed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from nscale_cli.errors import NotSaved
from nscale_cli.storage import files
from nscale_cli.storage.files import SaveFailed, remove_quietly


def rescue(
    data: bytes | bytearray, name: str, env: Mapping[str, str], *, after: Exception | None = None
) -> Path:
    """Save `data` in the first rescue folder that takes it; raise NotSaved if none does.

    `after` is the failure that made it necessary. A whole copy that was stranded is removed only
    when a better one is safe, and is the answer where there is none.
    """
    failures = [after]
    for directory in _rescue_directories(env):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = files.save(data, directory / name, replace=False, numbered=True)
        except (OSError, MemoryError) as failure:
            failures.append(failure)
            continue
        _keep_one_of(failures, path)
        return path
    stranded = _keep_one_of(failures, None)
    if stranded is not None:
        return stranded
    raise NotSaved(
        f"{name} was received and paid for, but could not be saved anywhere",
        hint="free some disk space; ask the service whether the image can be fetched again",
    )


def _keep_one_of(failures: Iterable[Exception | None], path: Path | None) -> Path | None:
    """Remove what was stranded, but for the first copy where there is no `path`; return it."""
    for failure in failures:
        if not isinstance(failure, SaveFailed):
            continue
        if path is None:
            path = failure.copy
        else:
            remove_quietly(failure.copy)
    return path


def _rescue_directories(env: Mapping[str, str]) -> Iterator[Path]:
    state = env.get("XDG_STATE_HOME") or env.get("LOCALAPPDATA")
    home = env.get("HOME") or env.get("USERPROFILE")
    if state and Path(state).is_absolute():
        yield Path(state) / "nscale" / "rescued"
    elif home and Path(home).is_absolute():
        yield Path(home) / ".local" / "state" / "nscale" / "rescued"
    with suppress(OSError):
        yield Path.cwd()
    # Not tempfile.gettempdir(): on a full disk it finds no folder, and raises.
    for text in (*(env.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")), "/var/tmp", "/tmp"):
        if Path(text).is_absolute():
            yield Path(text)

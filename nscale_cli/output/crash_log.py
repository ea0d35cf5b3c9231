"""What a bug leaves behind for whoever mends it: a file, so that nothing has to be run again."""

import os
import platform
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path

from nscale_cli import __version__
from nscale_cli.config.directories import state_directory
from nscale_cli.redact import clean
from nscale_cli.storage.private_files import replace_file
from nscale_cli.terminal.context import Environment

_LIBRARIES = ("openai", "httpx2", "typer", "rich", "Pillow")


def write_crash_log(
    bug: Exception, arguments: Sequence[str], environment: Environment
) -> Path | None:
    """Return the file that tells of the bug, for its owner alone; None where none could be made.

    No key is in it, and of the command line only the names of the options.
    """
    redact = environment.terminal.redactor.redact
    lines = [clean(redact(line)) for line in _lines(bug, arguments, environment)]
    data = "".join(f"{line}\n" for line in lines).encode()
    name = f"crash-{environment.clock.now():%Y%m%d-%H%M%S}-{os.urandom(3).hex()}.log"
    for directory, start in _places(environment.terminal.env):
        path = directory / f"{start}{name}"
        try:
            replace_file(path, data)
        except (OSError, RuntimeError):  # a home that nobody knows
            continue
        return path
    return None


def _lines(bug: Exception, arguments: Sequence[str], environment: Environment) -> Iterator[str]:
    yield f"nscale {__version__} {environment.invocation.command}"
    yield f"options: {' '.join(_options_in(arguments))}"
    yield f"a request may have been sent: {'yes' if environment.invocation.buying else 'no'}"
    yield f"python {platform.python_version()}, {platform.platform()}"
    yield f"libraries: {', '.join(_versions(_LIBRARIES))}"
    for entry in traceback.format_exception(bug):
        yield from entry.splitlines()


def _versions(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} missing"


def _options_in(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the names of the options, without a value: it may be a key, as in `-aKEY`."""
    for word in takewhile(lambda word: word != "--", arguments):
        if word.startswith("--"):
            yield word.partition("=")[0]
        elif word.startswith("-"):
            yield word[:2]


def _places(env: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Yield directories for the file, and what its name starts with there."""
    with suppress(OSError, RuntimeError):
        yield state_directory(env), ""
    for text in (*(env.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")), "/var/tmp", "/tmp"):
        if Path(text).is_absolute():
            yield Path(text), "nscale-"

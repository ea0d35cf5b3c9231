"""What a setting's value must be, whether a flag, a variable or a file gives it.

A check takes the value and the words for where it stands; it returns the value, or raises an
NscaleError that begins with these words.
"""

import math
import os
from collections.abc import Callable
from enum import Enum

from nscale_cli.errors import UsageError

_TRUE_WORDS = ("1", "true", "yes", "on")
_FALSE_WORDS = ("", "0", "false", "no", "off")
Check = Callable[[object, str], object]


class Kind(Enum):
    """What a setting's value is in a TOML file."""

    TEXT = "a text in quotes"
    NUMBER = "a number"
    SWITCH = "true or false"

    def holds(self, value: object) -> bool:
        """Return whether a value of a TOML file is of this kind."""
        if self is Kind.SWITCH:
            return isinstance(value, bool)
        if self is Kind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        return isinstance(value, str)


def anything(value: object, _source: str) -> object:
    """Return the value: there is nothing that it must not be."""
    return value


def model_id(value: object, source: str) -> object:
    """Return the id of a model; raise UsageError where it is empty."""
    if not str(value).strip():
        raise UsageError(f"{source} is empty", hint="give the id of a model")
    return value


def size_text(value: object, source: str) -> object:
    """Return WIDTHxHEIGHT; raise UsageError for anything else."""
    from nscale_cli.request import Size

    try:
        Size.parse(str(value))
    except UsageError as error:
        raise UsageError(f"{source}: {error.message}", hint=error.hint) from None
    return value


def home_path(value: object, _source: str) -> object:
    """Return a path in which a leading ~ is the home directory, as a shell would have made it."""
    return os.path.expanduser(str(value))  # noqa: PTH111 - a template, and "-", are no paths


def address(value: object, _source: str) -> object:
    """Return an address in its plain form; raise ConfigurationError where it cannot be one."""
    from nscale_cli.connection import require_base_url

    return require_base_url(str(value))


def seconds(value: object, source: str) -> object:
    """Return a time limit; raise UsageError where the number cannot be one."""
    return require_timeout(float(str(value)), source=source)


def one_of(what: str, *words: str) -> Check:
    """Return the check that a value is one of `words`, each of which is a `what`."""

    def check(value: object, source: str) -> object:
        if value not in words:
            raise UsageError(
                f"{source} has an invalid {what}, {str(value)[:40]!r}",
                hint=f"choose from {', '.join(words)}",
            )
        return value

    return check


def variable_name(value: object, source: str) -> object:
    """Return the name of an environment variable; raise UsageError for what is none."""
    name = str(value)
    if not (name.isascii() and name.isidentifier() and len(name) <= 100):
        # Not shown: it may well be the key itself.
        raise UsageError(
            f"{source} is not the name of a variable",
            hint="name the variable that holds the key, such as LOCALAI_API_KEY",
        )
    return value


def require_timeout(seconds: float, *, source: str) -> float:
    """Return `seconds` if it can be a time limit; raise UsageError naming `source` if not."""
    if not 0 < seconds <= 86_400 or math.isnan(seconds):
        raise UsageError(f"{source} must be more than 0 and at most 86400 seconds")
    return seconds


def switch(text: str, source: str) -> bool:
    """Return whether `text` says yes or no; raise UsageError naming `source` if neither."""
    word = text.strip().lower()
    if word in _TRUE_WORDS:
        return True
    if word in _FALSE_WORDS:
        return False
    raise UsageError(f"{source} is {text[:40]!r}", hint="write 1 or 0")


def number(text: str, source: str) -> float:
    """Return the number that `text` is; raise UsageError naming `source` if it is none."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{source} is {text[:40]!r}, not a number") from None

"""What a program that is started here, an editor or a viewer, gets to know: no key."""

import re

from nscale_cli.config.file import config_path, read_config, read_text
from nscale_cli.config.table import KEY_VARIABLES
from nscale_cli.errors import NscaleError
from nscale_cli.redact import Redactor
from nscale_cli.terminal.streams import Terminal

_KEY_VARIABLE = re.compile(r"""\bkey_variable["']?\s*=\s*["']+([^"'\n]+)""")


def env_without_keys(terminal: Terminal) -> dict[str, str]:
    """Return the variables without those that hold a key, or that a profile says may hold one.

    A copy of a key under another name is left out as well: -a "$MY_KEY".
    """
    env, redactor = terminal.env, Redactor()
    names = {*KEY_VARIABLES, *_names_in_profiles(terminal)}
    for name in names:
        redactor.hide(env.get(name, "").strip())
    return {
        name: value
        for name, value in env.items()
        if name not in names
        and not redactor.found_in(value)
        and not terminal.redactor.found_in(value)
    }


def _names_in_profiles(terminal: Terminal) -> set[str]:
    """Return each profile's `key_variable`, also out of a file that is damaged."""
    try:
        profiles = read_config(terminal.env).profiles.values()
        return {str(each["key_variable"].value) for each in profiles if "key_variable" in each}
    except NscaleError:
        pass
    try:
        return set(_KEY_VARIABLE.findall(read_text(config_path(terminal.env)) or ""))
    except NscaleError:  # which no profile could have been taken from, either
        return set()

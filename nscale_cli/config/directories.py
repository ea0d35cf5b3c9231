"""Where this platform keeps a program's files.

The XDG variables count on every system, since `env` is what the program goes by; where they are
not given, platformdirs knows the system's own places, from this process's variables.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

_NAME = "nscale"


def config_directory(env: Mapping[str, str]) -> Path:
    """Return the folder of settings, which need not exist."""
    return _of_variables(env, "XDG_CONFIG_HOME", ".config") or _of_platform("user_config_path")


def cache_directory(env: Mapping[str, str]) -> Path:
    """Return the folder for what can be fetched again, which need not exist."""
    return _of_variables(env, "XDG_CACHE_HOME", ".cache") or _of_platform("user_cache_path")


def state_directory(env: Mapping[str, str]) -> Path:
    """Return the folder for what the program remembers, which need not exist."""
    return _of_variables(env, "XDG_STATE_HOME", ".local/state") or _of_platform("user_state_path")


def home_directory(env: Mapping[str, str]) -> Path | None:
    """Return the user's own folder, or None where it is not known."""
    home = Path(env.get("HOME") or env.get("USERPROFILE") or "")
    return home if home.is_absolute() else None


def _of_variables(env: Mapping[str, str], variable: str, below_home: str) -> Path | None:
    """Return what the XDG base directory specification says; a relative path is no path to it."""
    if (directory := Path(env.get(variable, ""))).is_absolute():
        return directory / _NAME
    home = Path(env.get("HOME", ""))
    return home / below_home / _NAME if sys.platform == "linux" and home.is_absolute() else None


def _of_platform(kind: str) -> Path:
    import platformdirs

    path: Path = getattr(platformdirs, kind)(_NAME, appauthor=False)
    return path

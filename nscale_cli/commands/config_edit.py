"""`nscale config path` and `edit`: the settings file itself."""

import shlex
import shutil
import subprocess
import sys

from nscale_cli.commands._command import command
from nscale_cli.config.file import config_path, create_file, read_config
from nscale_cli.config.other_programs import env_without_keys
from nscale_cli.errors import ConfigurationError, UsageError
from nscale_cli.output.result import Done, Page
from nscale_cli.redact import excerpt
from nscale_cli.terminal.context import Environment

PATH_HELP = """Print the path of the settings file, which need not be there.

\b
Examples:
  nscale config path
  cat "$(nscale config path)"
"""
EDIT_HELP = """Open the settings file in your editor, and check it.

\b
Examples:
  nscale config edit
  EDITOR="code --wait" nscale config edit

The editor is what VISUAL, or else EDITOR, names.
"""
_BEGINNING = """\
# Settings of nscale. A flag wins over a variable, a variable over what stands here.
# nscale config set --help lists all settings.

# model = "black-forest-labs/FLUX.1-schnell"
# size = "1024x1024"
# output = "~/Pictures/{date}-{slug}-{index}.{ext}"
# preview_style = "auto"

# Another service, used with --profile local:
# [profiles.local]
# base_url = "http://127.0.0.1:8080/v1"
# key_variable = "LOCALAI_API_KEY"
"""
_EDITORS = ("sensible-editor", "nano", "vi")


@command()
def path(environment: Environment) -> Page:
    """Print; PATH_HELP is what the user reads."""
    return Page(text=str(config_path(environment.terminal.env)))


@command()
def edit(environment: Environment) -> Done:
    """Edit; EDIT_HELP is what the user reads."""
    env = environment.terminal.env
    file = config_path(env)
    editor = _editor(env.get("VISUAL") or env.get("EDITOR") or "")
    create_file(file, _BEGINNING)
    try:
        status = subprocess.run(
            [*editor, str(file)], check=False, env=env_without_keys(environment.terminal)
        ).returncode
    except OSError as error:
        raise ConfigurationError(
            f"{excerpt(str(error.filename or file))} cannot be used: {error.strerror}"
        ) from None
    if status != 0:
        raise UsageError(f"{excerpt(editor[0])} ended with exit code {status}")
    read_config(env)
    return Done(said=[f"{file} is valid"])


def _editor(wanted: str) -> list[str]:
    windows = sys.platform == "win32"  # where a backslash is part of a path
    try:
        words = [
            word.strip('"') if windows else word for word in shlex.split(wanted, posix=not windows)
        ]
    except ValueError:
        raise UsageError(f"EDITOR is {excerpt(wanted, 80)!r}, which has an open quote") from None
    if words:
        return words
    for name in ("notepad",) if windows else _EDITORS:
        if found := shutil.which(name):
            return [found]
    raise UsageError("there is no editor", hint="export EDITOR=..., such as nano")

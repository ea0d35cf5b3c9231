"""`nscale auth status`: which key is used, and whether the service accepts it."""

import typer

from nscale_cli.commands import _options as options
from nscale_cli.commands._connecting import connected
from nscale_cli.commands._inputs import load_settings
from nscale_cli.connection import Connection
from nscale_cli.errors import ExitCode
from nscale_cli.output.images import report_problem, write_document
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean
from nscale_cli.service.catalog import KeyCheck, check_key
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

HELP = """Tell which API key is used, and whether the service accepts it.

\b
Examples:
  nscale auth status
  nscale auth status --json | jq -e .data.valid

The service is asked for its list of models, which costs nothing. The exit code is 0 for a key
that it accepts, 4 for none or another, and 7 where it was not reached.
"""
_WORDS = {True: "yes", False: "no", None: "not known"}
_SHORTEST_KEY_SHOWN = 16
_ENDING_LENGTH = 4


def status(
    context: typer.Context,
    api_key: options.ApiKeyOption = None,
    api_key_file: options.ApiKeyFileOption = None,
    base_url: options.BaseUrlOption = None,
    profile: options.ProfileOption = None,
    timeout: options.TimeoutOption = None,
    as_json: options.JsonOption = False,
    debug: options.DebugOption = False,
) -> int:
    """Tell; HELP is what the user reads."""
    environment: Environment = context.obj
    terminal = environment.terminal
    terminal.debugging = debug
    connecting = connected(
        terminal,
        load_settings(terminal, profile),
        api_key=api_key,
        api_key_file=api_key_file,
        base_url=base_url,
        timeout=timeout,
    )
    with connecting as connection:
        check = check_key(connection)
    return _report(connection, check, terminal, as_json=as_json)


def _report(
    connection: Connection, check: KeyCheck, terminal: Terminal, *, as_json: bool
) -> ExitCode:
    key = connection.api_key
    errors = [check.error] if check.error else []
    data = {
        "base_url": connection.base_url,
        "source": key.source,
        "key_ending": _ending_of(key.value),
        "valid": check.valid,
    }
    for error in errors:
        report_problem(error, terminal)
    if as_json:
        write_document("auth status", data, errors, terminal)
    else:
        ending = f", ends in {data['key_ending']}" if data["key_ending"] else ""
        rows = [
            ("service", connection.base_url),
            ("key", f"from {key.source}{ending}"),
            ("valid", _WORDS[check.valid]),
        ]
        for line in format_table(rows):
            terminal.answer(clean(line))
    return check.error.code if check.error else ExitCode.OK


def _ending_of(key: str) -> str | None:
    """Return the last characters of a key, by which its owner knows it; None for a short one."""
    return key[-_ENDING_LENGTH:] if len(key) >= _SHORTEST_KEY_SHOWN else None

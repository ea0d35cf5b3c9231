"""`nscale doctor`: whether an image could be made now, and if not, why."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import typer

from nscale_cli.commands import _options as options
from nscale_cli.commands._connecting import connected
from nscale_cli.commands._inputs import load_settings
from nscale_cli.connection import Connection
from nscale_cli.doctor import (
    NO_KEY,
    Finding,
    about_the_program,
    about_the_service,
    about_the_settings,
    about_the_terminal,
)
from nscale_cli.errors import AuthenticationError, ExitCode
from nscale_cli.output.images import report_problem, write_document
from nscale_cli.redact import clean
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

HELP = """Find out whether an image could be made now, and if not, why.

\b
Examples:
  nscale doctor
  nscale doctor --json

The service is asked for its list of models, which costs nothing. What is printed holds no secret:
it is meant to be pasted into a bug report. The exit code is 0 if an image could be made.
"""
_WIDTH = 14


def examine(
    context: typer.Context,
    api_key: options.ApiKeyOption = None,
    api_key_file: options.ApiKeyFileOption = None,
    base_url: options.BaseUrlOption = None,
    profile: options.ProfileOption = None,
    sandbox: options.SandboxOption = False,
    timeout: options.TimeoutOption = None,
    as_json: options.JsonOption = False,
    debug: options.DebugOption = False,
) -> int:
    """Examine; HELP is what the user reads."""
    environment: Environment = context.obj
    terminal = environment.terminal
    terminal.debugging = debug

    settings = load_settings(terminal, profile)
    connecting = connected(
        terminal,
        settings,
        api_key=api_key,
        api_key_file=api_key_file,
        base_url=base_url,
        sandbox=sandbox,
        timeout=timeout,
    )
    without_key = Connection(
        base_url=settings.base_url if base_url is None else base_url,
        api_key=NO_KEY,
        timeout_seconds=settings.timeout_seconds,
        retries=0,
    )
    findings = [
        *about_the_program(),
        *about_the_settings(settings, terminal),
        *about_the_terminal(settings, terminal),
        *_about_the_service(connecting, without_key),
    ]
    return _report(findings, terminal, as_json=as_json)


def _about_the_service(
    connecting: AbstractContextManager[Connection], without_key: Connection
) -> Iterator[Finding]:
    try:
        with connecting as connection:
            yield Finding(name="key", text=f"from {connection.api_key.source}")
            yield from about_the_service(connection)
    except AuthenticationError as error:
        yield Finding(name="key", text=error.message, error=error)
        yield from about_the_service(without_key)


def _report(findings: Iterable[Finding], terminal: Terminal, *, as_json: bool) -> ExitCode:
    data: dict[str, object] = {}
    errors = []
    for finding in findings:
        text = clean(terminal.redactor.redact(finding.text))
        data[finding.name.replace(" ", "_")] = text
        if not as_json:
            terminal.answer(f"{finding.name:<{_WIDTH}}{text}")
        if finding.error:
            errors.append(finding.error)
    data["ready"] = not errors
    for error in errors:
        report_problem(error, terminal)
    if as_json:
        write_document("doctor", data, errors, terminal)
    elif not errors:
        terminal.note("an image could be made now")
    return errors[0].code if errors else ExitCode.OK

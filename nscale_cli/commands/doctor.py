"""`nscale doctor`: whether an image could be made now, and if not, why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from nscale_cli.commands._command import command
from nscale_cli.commands._context import address_of, connected, load_settings
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.connection import Connection
from nscale_cli.doctor import (
    NO_KEY,
    Finding,
    about_the_key,
    about_the_program,
    about_the_service,
    about_the_settings,
    about_the_terminal,
)
from nscale_cli.errors import AuthenticationError, NscaleError
from nscale_cli.output.result import Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

HELP = """Find out whether an image could be made now, and if not, why.

\b
Examples:
  nscale doctor
  nscale doctor --json

The service is asked for its list of models, which costs nothing. What is printed holds no secret:
it is meant to be pasted into a bug report. The exit code is 0 if an image could be made.
"""


# What is not found out, where the way there ends before it.
_UNKNOWN = dict.fromkeys(
    (
        *("profile", "key_source", "service", "proxy", "dns_milliseconds", "dns_error"),
        *("answer_status", "answer_milliseconds", "key_accepted"),
    )
)


@frozen
class Examined(Result):
    """What was found of each part, with every secret hidden."""

    command = "doctor"
    answer_first = True
    findings: Sequence[Finding]

    @property
    def errors(self) -> Sequence[NscaleError]:
        """What keeps images from being made."""
        return [finding.error for finding in self.findings if finding.error]

    def lines(self) -> list[str]:
        """Return a row for each part."""
        return format_table([(finding.name, finding.text) for finding in self.findings])

    def remarks(self) -> Sequence[str]:
        """Say that all is well, where it is."""
        return [] if self.errors else ["an image could be made now"]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        found = {name: value for each in self.findings for name, value in each.values.items()}
        return {**_UNKNOWN, **found, "ready": not self.errors}


@command("as_json", "debug")
def examine(environment: Environment, service: ServiceOptions) -> Examined:
    """Examine; HELP is what the user reads."""
    terminal = environment.terminal
    settings = load_settings(terminal, service.profile)
    without_key = Connection(
        base_url=address_of(service, settings),
        api_key=NO_KEY,
        timeout_seconds=settings.timeout_seconds,
        retries=0,
    )
    findings = [
        *about_the_program(),
        *about_the_settings(settings, terminal),
        *about_the_terminal(settings, terminal),
        *_about_the_service(connected(terminal, settings, service), without_key),
    ]
    redact = terminal.redactor.redact
    return Examined(
        findings=[
            replace(each, text=clean(redact(each.text)), values=_redacted(each.values, redact))
            for each in findings
        ]
    )


def _redacted(values: Mapping[str, object], redact: Callable[[str], str]) -> dict[str, object]:
    return {
        name: redact(value)
        if isinstance(value, str)
        else _redacted(value, redact)
        if isinstance(value, Mapping)
        else value
        for name, value in values.items()
    }


def _about_the_service(
    connecting: AbstractContextManager[Connection], without_key: Connection
) -> Iterator[Finding]:
    try:
        with connecting as connection:
            yield about_the_key(connection)
            yield from about_the_service(connection)
    except AuthenticationError as error:
        yield Finding(name="key", text=error.message, values={"key_source": None}, error=error)
        yield from about_the_service(without_key)

"""`nscale auth status`: which key is used, and whether the service accepts it."""

from collections.abc import Sequence

from nscale_cli.commands._command import command
from nscale_cli.commands._context import connected, load_settings
from nscale_cli.commands.options.service import AccountOptions
from nscale_cli.errors import NscaleError
from nscale_cli.output.result import Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean
from nscale_cli.service.catalog import KeyCheck, check_key
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

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


@frozen
class KeyStatus(Result):
    """The key that is used at a service, and what the service says of it."""

    command = "auth status"
    base_url: str
    source: str
    key_ending: str | None
    check: KeyCheck

    @property
    def errors(self) -> Sequence[NscaleError]:
        """What keeps the key from being used."""
        return [self.check.error] if self.check.error else []

    def lines(self) -> list[str]:
        """Return a row for each fact."""
        ending = f", ends in {self.key_ending}" if self.key_ending else ""
        rows = [
            ("service", self.base_url),
            ("key", f"from {self.source}{ending}"),
            ("valid", _WORDS[self.check.valid]),
        ]
        return [clean(line) for line in format_table(rows)]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {
            "base_url": self.base_url,
            "source": self.source,
            "key_ending": self.key_ending,
            "valid": self.check.valid,
        }


@command("as_json", "debug")
def status(environment: Environment, account: AccountOptions) -> KeyStatus:
    """Tell; HELP is what the user reads."""
    terminal = environment.terminal
    with connected(terminal, load_settings(terminal, account.profile), account) as connection:
        return KeyStatus(
            base_url=connection.base_url,
            source=connection.api_key.source,
            key_ending=_ending_of(connection.api_key.value),
            check=check_key(connection),
        )


def _ending_of(key: str) -> str | None:
    """Return the last characters of a key, by which its owner knows it; None for a short one."""
    return key[-_ENDING_LENGTH:] if len(key) >= _SHORTEST_KEY_SHOWN else None

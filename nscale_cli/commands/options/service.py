"""Who is asked: the address, the key, the time limit, the sandbox; and what is tried again."""

import os
from typing import Annotated, Any

import typer

from nscale_cli.config.table import DEFAULT_RETRIES, SETTINGS
from nscale_cli.errors import AuthenticationError
from nscale_cli.values import frozen


def _require_key(value: str | None) -> str | None:
    # An unset variable lets -a swallow the option after it, and what is left makes no sense to
    # the parser; so this is said first.
    if value is not None and (not value.strip() or value[:1] == "-" != value):
        raise AuthenticationError(
            "-a was given no key",
            hint='is the variable set? Quote it: -a "$NSCALE_API_KEY"',
        )
    return value


def _complete_profile(incomplete: str) -> list[str]:
    from nscale_cli.config.file import profile_names

    return [name for name in profile_names(os.environ) if name.startswith(incomplete)]


def _profile_option(text: str) -> Any:
    return typer.Option("--profile", metavar="NAME", autocompletion=_complete_profile, help=text)


ProfileOption = Annotated[str | None, _profile_option(SETTINGS["profile"].option_help)]


@frozen
class AddressOptions:
    """Which service is meant."""

    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            help=SETTINGS["base_url"].option_help,
        ),
    ] = None
    profile: ProfileOption = None


@frozen
class AccountOptions(AddressOptions):
    """Which service is meant, with which key, and how long it may take."""

    api_key: Annotated[
        str | None,
        typer.Option(
            "-a",
            "--api-key",
            metavar="KEY",
            callback=_require_key,
            help="The API key; '-' reads it from stdin. Other users of this machine can see it in "
            "the process list: a variable or --api-key-file is safer. "
            "[env: NSCALE_SERVICE_TOKEN, NSCALE_API_KEY]",
        ),
    ] = None
    api_key_file: Annotated[
        str | None,
        typer.Option("--api-key-file", metavar="FILE", help="Read the API key from FILE."),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help=SETTINGS["timeout"].option_help,
        ),
    ] = None
    sandbox: bool = False  # not every command can be asked for it


@frozen
class ServiceOptions(AccountOptions):
    """The same, where the built-in service may be meant, too."""

    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help=SETTINGS["sandbox"].option_help,
        ),
    ] = False


@frozen
class ServicesOptions(ServiceOptions):
    """Which service is meant, or which several."""

    profile: str | None = None  # the first of `profiles`
    profiles: Annotated[
        list[str] | None,
        _profile_option("A profile of the settings file; repeatable, to compare services."),
    ] = None


@frozen
class RetryOptions:
    """What is tried again."""

    retry: Annotated[
        int,
        typer.Option(
            "--retry",
            metavar="N",
            help="Extra retries, only where nothing can have been billed. "
            f"[default: {DEFAULT_RETRIES}]",
            show_default=False,
        ),
    ] = DEFAULT_RETRIES
    retry_billed: Annotated[
        bool,
        typer.Option(
            "--retry-billed",
            help="Also repeat a request that may already have been billed; "
            "it may be charged again.",
        ),
    ] = False

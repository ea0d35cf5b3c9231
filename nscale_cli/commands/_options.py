"""The options, each declared once, and what the shell offers for them at Tab."""

import math
import os
from typing import Annotated

import typer

from nscale_cli.commands._model_options import complete_model
from nscale_cli.config.settings import COMMON_SIZES, DEFAULT_RETRIES, PREVIEW_STYLES, SETTINGS
from nscale_cli.errors import AuthenticationError, UsageError


def _complete_size(incomplete: str) -> list[str]:
    return [size for size in COMMON_SIZES if size.startswith(incomplete)]


def _complete_preview_style(incomplete: str) -> list[str]:
    return [style for style in PREVIEW_STYLES if style.startswith(incomplete)]


def _require_key(value: str | None) -> str | None:
    # An unset variable lets -a swallow the option after it, and what is left makes no sense to
    # the parser; so this is said first.
    if value is not None and (not value.strip() or value[:1] == "-" != value):
        raise AuthenticationError(
            "-a was given no key",
            hint='is the variable set? Quote it: -a "$NSCALE_API_KEY"',
        )
    return value


def _require_dollars(value: float | None) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise UsageError("--max-cost must be an amount of US dollars, 0 or more")
    return value


PromptArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="PROMPT",
        help="What to draw; '-', or nothing where input is piped, reads it from stdin.",
        show_default=False,
    ),
]
PromptFileOption = Annotated[
    str | None,
    typer.Option("--prompt-file", metavar="FILE", help="Read the prompt from FILE."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="ID",
        autocompletion=complete_model,
        help=SETTINGS["model"].option_help,
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "-z",
        "--size",
        metavar="WxH",
        autocompletion=_complete_size,
        help=SETTINGS["size"].option_help,
    ),
]
CountOption = Annotated[
    int,
    typer.Option("-n", "--count", metavar="N", help="How many images to make."),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help=SETTINGS["output"].option_help,
    ),
]
OpenOption = Annotated[
    bool, typer.Option("-x", "--open", help="Open each saved image in the desktop's viewer.")
]
PreviewOption = Annotated[
    bool, typer.Option("-p", "--preview", help="Show each saved image in the terminal.")
]
PreviewStyleOption = Annotated[
    str | None,
    typer.Option(
        "--preview-style",
        metavar="STYLE",
        autocompletion=_complete_preview_style,
        help=SETTINGS["preview_style"].option_help,
    ),
]
PreviewWidthOption = Annotated[
    int | None,
    typer.Option(
        "--preview-width",
        metavar="COLUMNS",
        help="The most columns that -p fills. [default: 80, or the terminal's width]",
    ),
]
ApiKeyOption = Annotated[
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
]
ApiKeyFileOption = Annotated[
    str | None,
    typer.Option("--api-key-file", metavar="FILE", help="Read the API key from FILE."),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help=SETTINGS["base_url"].option_help,
    ),
]


def _complete_profile(incomplete: str) -> list[str]:
    from nscale_cli.config.file import profile_names

    return [name for name in profile_names(os.environ) if name.startswith(incomplete)]


ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        autocompletion=_complete_profile,
        help=SETTINGS["profile"].option_help,
    ),
]
SandboxOption = Annotated[
    bool,
    typer.Option("--sandbox", help=SETTINGS["sandbox"].option_help),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="KEY=VALUE",
        help="An extra field of the request, repeatable; VALUE is JSON where it reads as such.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help=SETTINGS["timeout"].option_help,
    ),
]
RetryOption = Annotated[
    int,
    typer.Option(
        "--retry",
        metavar="N",
        help="Extra retries, only where nothing can have been billed. "
        f"[default: {DEFAULT_RETRIES}]",
        show_default=False,
    ),
]
RetryBilledOption = Annotated[
    bool,
    typer.Option(
        "--retry-billed",
        help="Also repeat a request that may already have been billed; it may be charged again.",
    ),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        callback=_require_dollars,
        help="Ask for no image if the estimate is higher, or unknown. It is an estimate from the "
        "service's price list, not a cap on what is charged.",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Let -o FILE replace an existing file.")]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the request, the file names and the price; make no image."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write one JSON document to stdout, on failure too.")
]
QuietOption = Annotated[
    bool, typer.Option("-q", "--quiet", help="Write nothing to stderr but errors.")
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Say on stderr what happens, step by step.")
]
PortOption = Annotated[
    int,
    typer.Option("--port", metavar="PORT", help="The port to listen on; 0 takes a free one."),
]

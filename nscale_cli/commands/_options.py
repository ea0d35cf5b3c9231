"""The options, each declared once; those that travel together are one frozen value."""

import math
import os
from collections.abc import Mapping
from typing import Annotated

import typer

from nscale_cli.commands._values import Options
from nscale_cli.config.settings import (
    COMMON_SIZES,
    DEFAULT_RETRIES,
    KNOWN_MODELS,
    METADATA_MODES,
    PREVIEW_STYLES,
    SANDBOX_MODELS,
    SETTINGS,
)
from nscale_cli.errors import AuthenticationError, UsageError
from nscale_cli.terminal.context import Environment

DEFAULT_JOBS, MAX_JOBS = 8, 256
DEFAULT_MAX_IMAGES = 64
DEFAULT_CELL = 384  # pixels
ROW_FORMATS = ("txt", "csv", "jsonl")


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """Return ids for the shell: those that look like image models, else any that were listed."""
    from nscale_cli.service.catalog import stored_ids
    from nscale_cli.service.models import looks_like_images

    environment: Environment | None = context.obj
    env = environment.terminal.env if environment else {}
    stored = stored_ids(env)
    drawing = [model for model in stored if looks_like_images(model)]
    asked = incomplete.startswith("sandbox") or _uses_sandbox(context, env)
    scenarios = SANDBOX_MODELS if asked else ()
    for models in ((*drawing, *KNOWN_MODELS, *scenarios), stored):
        offers = [model for model in dict.fromkeys(models) if model.startswith(incomplete)]
        if offers:
            return offers
    return []


def _uses_sandbox(context: typer.Context, env: Mapping[str, str]) -> bool:
    """Return whether a sandbox answers, as far as the words before the cursor and `env` say."""
    from urllib.parse import urlsplit

    from nscale_cli.connection import is_loopback

    address = context.params.get("base_url") or env.get("NSCALE_BASE_URL") or ""
    named = context.params.get("sandbox") or env.get("NSCALE_SANDBOX")
    return bool(named) or is_loopback(urlsplit(address).hostname or "")


def _complete_size(incomplete: str) -> list[str]:
    return [size for size in COMMON_SIZES if size.startswith(incomplete)]


def _complete_preview_style(incomplete: str) -> list[str]:
    return [style for style in PREVIEW_STYLES if style.startswith(incomplete)]


def _complete_metadata(incomplete: str) -> list[str]:
    return [mode for mode in METADATA_MODES if mode.startswith(incomplete)]


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


def _complete_profile(incomplete: str) -> list[str]:
    from nscale_cli.config.file import profile_names

    return [name for name in profile_names(os.environ) if name.startswith(incomplete)]


ModelArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The model's id.", autocompletion=complete_model)
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="KEY=VALUE",
        help="An extra field of the request, repeatable; VALUE is JSON where it reads as such.",
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
PreviewOption = Annotated[
    bool, typer.Option("-p", "--preview", help="Show each saved image in the terminal.")
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        autocompletion=_complete_profile,
        help=SETTINGS["profile"].option_help,
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


DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the request, the file names and the price; make no image."
    ),
]


class PromptOptions(Options):
    """Where the prompt comes from."""

    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            help="What to draw; '-', or nothing where input is piped, reads it from stdin.",
            show_default=False,
        ),
    ] = None
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", metavar="FILE", help="Read the prompt from FILE."),
    ] = None


class ImageOptions(Options):
    """What is asked for, beside the prompt."""

    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="ID",
            autocompletion=complete_model,
            help=SETTINGS["model"].option_help,
        ),
    ] = None
    size: SizeOption = None
    count: Annotated[
        int,
        typer.Option("-n", "--count", metavar="N", help="How many images to make."),
    ] = 1
    param: ParamOption = None


class ChangeOptions(Options):
    """What is asked for otherwise than before."""

    model: Annotated[
        str | None,
        typer.Option(
            "-m", "--model", metavar="ID", autocompletion=complete_model, help="Another model."
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option(
            "-z",
            "--size",
            metavar="WxH",
            autocompletion=_complete_size,
            help="Another width and height in pixels.",
        ),
    ] = None
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", metavar="N", help="Another number of images."),
    ] = None
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", metavar="FILE", help="Another prompt, read from FILE."),
    ] = None
    param: ParamOption = None


class OutputOptions(Options):
    """Where the images go, and whether they are made at all."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help=SETTINGS["output"].option_help,
        ),
    ] = None
    force: Annotated[
        bool, typer.Option("--force", help="Let -o FILE replace an existing file.")
    ] = False
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing", help="Make no image where one of that name is there already."
        ),
    ] = False
    dry_run: DryRunOption = False


class RecordOptions(Options):
    """What is kept of how an image was made."""

    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="MODE",
            autocompletion=_complete_metadata,
            help=SETTINGS["metadata"].option_help,
        ),
    ] = None
    no_history: Annotated[
        bool,
        typer.Option(
            "--no-history",
            help="Leave these images out of the history. [env: NSCALE_HISTORY=0]",
        ),
    ] = False


class ShowOptions(Options):
    """How images are shown to a person."""

    open_viewer: Annotated[
        bool, typer.Option("-x", "--open", help="Open each saved image in the desktop's viewer.")
    ] = False
    preview_style: Annotated[
        str | None,
        typer.Option(
            "--preview-style",
            metavar="STYLE",
            autocompletion=_complete_preview_style,
            help=SETTINGS["preview_style"].option_help,
        ),
    ] = None
    preview_width: Annotated[
        int | None,
        typer.Option(
            "--preview-width",
            metavar="COLUMNS",
            help="The most columns that -p fills. [default: 80, or the terminal's width]",
        ),
    ] = None


class AddressOptions(Options):
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


class ServiceOptions(AccountOptions):
    """The same, where the built-in service may be meant, too."""

    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help=SETTINGS["sandbox"].option_help,
        ),
    ] = False


class RetryOptions(Options):
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


def _complete_row_format(incomplete: str) -> list[str]:
    return [name for name in ROW_FORMATS if name.startswith(incomplete)]


class RowsOptions(Options):
    """Where the rows of a run come from, and what their images are called."""

    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The rows: a TXT, CSV or JSONL file; '-' reads them from stdin.",
            show_default=False,
        ),
    ]
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="The folder of the run. [default: the file's name without its ending]",
        ),
    ] = None
    name_template: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="TEMPLATE",
            help="What images are called: {row}, {id}, {slug} and other fields, and the names of "
            "further columns. [default: {row}-{slug}.{ext}]",
        ),
    ] = None
    row_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            autocompletion=_complete_row_format,
            help="How FILE is written: txt, csv or jsonl. [default: by its ending]",
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Take the first N rows only."),
    ] = None
    unique: Annotated[
        bool, typer.Option("--unique", help="Leave out rows that are equal to an earlier one.")
    ] = False


class RunOptions(Options):
    """How the rows of a run are bought, and which of them again."""

    jobs: Annotated[
        int,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=MAX_JOBS,
            help=f"Requests under way at once. [default: {DEFAULT_JOBS}]",
            show_default=False,
        ),
    ] = DEFAULT_JOBS
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Take part I of N only, the same rows on whatever machine; 'auto' in an array of "
            "Slurm, Kubernetes, AWS Batch, Grid Engine or GNU parallel.",
        ),
    ] = None
    redo: Annotated[
        list[str] | None,
        typer.Option(
            "--redo",
            metavar="ROW",
            help="Buy this row once more, whatever became of it: its id or its number; repeatable.",
        ),
    ] = None
    retry_refused: Annotated[
        bool, typer.Option("--retry-refused", help="Send rows again that the service refused.")
    ] = False
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first row that fails.")
    ] = False
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Go on after five failures in a row that may have been billed.",
        ),
    ] = False
    as_lines: Annotated[
        bool,
        typer.Option(
            "--jsonl", help="Write the journal's lines to stdout as they happen, not paths."
        ),
    ] = False


DirectoryArgument = Annotated[
    str,
    typer.Argument(metavar="DIR", help="The folder of the run.", show_default=False),
]


class ServicesOptions(ServiceOptions):
    """Which service is meant, or which several."""

    profile: str | None = None  # the first of `profiles`
    profiles: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            autocompletion=_complete_profile,
            help="A profile of the settings file; repeatable, to compare services.",
        ),
    ] = None


class ComparedOptions(Options):
    """What is compared with what, and where the images go."""

    prompts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT...", help="What to draw: one text, or several.", show_default=False
        ),
    ] = None
    prompts_file: Annotated[
        str | None,
        typer.Option("--prompts", metavar="FILE", help="Read prompts from FILE, one a line."),
    ] = None
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="ID",
            autocompletion=complete_model,
            help="A model that draws; repeatable. [env: NSCALE_MODEL]",
        ),
    ] = None
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "-z",
            "--size",
            metavar="WxH",
            autocompletion=_complete_size,
            help="Width and height in pixels; repeatable. [env: NSCALE_SIZE]",
        ),
    ] = None
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY=V1,V2",
            help="An extra field of the request with several values, such as seed=1,2,3; "
            "repeatable.",
        ),
    ] = None
    samples: Annotated[
        int,
        typer.Option(
            "-n",
            "--samples",
            metavar="N",
            min=1,
            help="How many images to make of each combination, each by a request of its own.",
        ),
    ] = 1
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="KEY=VALUE",
            help="An extra field of every request, repeatable; VALUE is JSON where it reads as "
            "such.",
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="The folder; one that is there grows, and only what is new is bought. "
            "[default: compare- and the first prompt]",
        ),
    ] = None
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin a new, numbered folder; buy everything.")
    ] = False
    max_images: Annotated[
        int,
        typer.Option(
            "--max-images",
            metavar="N",
            help=f"Refuse to buy more images than this. [default: {DEFAULT_MAX_IMAGES}]",
            show_default=False,
        ),
    ] = DEFAULT_MAX_IMAGES


class ComparedRunOptions(RunOptions):
    """How the images of a comparison are bought."""

    shard: str | None = None  # a comparison is small
    as_lines: bool = False


class DrawOptions(Options):
    """What a report shows, and how."""

    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--rows",
            metavar="AXIS",
            help="What the rows are: prompt, model, size, a varied field...; repeatable.",
        ),
    ] = None
    columns: Annotated[
        list[str] | None,
        typer.Option("--cols", metavar="AXIS", help="What the columns are; repeatable."),
    ] = None
    cell: Annotated[
        int,
        typer.Option(
            "--cell",
            metavar="PIXELS",
            min=96,
            max=2048,
            help="The longest side of an image on the sheet. [default: 384]",
            show_default=False,
        ),
    ] = DEFAULT_CELL
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="The title of sheet and page.")
    ] = None
    no_sheet: Annotated[bool, typer.Option("--no-sheet", help="Draw no sheet.png.")] = False
    no_page: Annotated[bool, typer.Option("--no-page", help="Write no index.html.")] = False
    embed: Annotated[
        bool,
        typer.Option("--embed", help="Put the original images into the page, whole."),
    ] = False
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Write a page to vote on that hides who made what; draw nothing else."
        ),
    ] = False
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="DIR", help="Lay the images of an older run beside these."
        ),
    ] = None


class PageOptions(ShowOptions):
    """How a report is shown to a person."""

    open_viewer: Annotated[
        bool, typer.Option("-x", "--open", help="Open the page in the desktop's browser.")
    ] = False
    preview: Annotated[
        bool, typer.Option("-p", "--preview", help="Draw the sheet in the terminal.")
    ] = False

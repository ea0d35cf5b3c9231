"""What is asked for: prompt, model, size, number, extra fields."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from nscale_cli.config.table import COMMON_SIZES, KNOWN_MODELS, SANDBOX_MODELS, SETTINGS
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen


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


def one_of(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Return what offers the shell those of `names` that fit."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


def model_option(text: str) -> Any:
    """Return `-m`, which each command explains by a text of its own."""
    return typer.Option("-m", "--model", metavar="ID", autocompletion=complete_model, help=text)


def size_option(text: str) -> Any:
    """Return `-z`, likewise."""
    return typer.Option(
        "-z", "--size", metavar="WxH", autocompletion=one_of(COMMON_SIZES), help=text
    )


def param_option(whose: str) -> Any:
    """Return `--param`, for the request or requests that are named."""
    return typer.Option(
        "--param",
        metavar="KEY=VALUE",
        help=f"An extra field of {whose}, repeatable; VALUE is JSON where it reads as such.",
    )


ModelArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The model's id.", autocompletion=complete_model)
]
SizeOption = Annotated[str | None, size_option(SETTINGS["size"].option_help)]
ParamOption = Annotated[list[str] | None, param_option("the request")]


@frozen
class PromptOptions:
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


@frozen
class ImageOptions:
    """What is asked for, beside the prompt."""

    model: Annotated[str | None, model_option(SETTINGS["model"].option_help)] = None
    size: SizeOption = None
    count: Annotated[
        int,
        typer.Option("-n", "--count", metavar="N", help="How many images to make."),
    ] = 1
    param: ParamOption = None


@frozen
class ChangeOptions:
    """What is asked for otherwise than before."""

    model: Annotated[str | None, model_option("Another model.")] = None
    size: Annotated[str | None, size_option("Another width and height in pixels.")] = None
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", metavar="N", help="Another number of images."),
    ] = None
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", metavar="FILE", help="Another prompt, read from FILE."),
    ] = None
    param: ParamOption = None

"""What is compared with what."""

from typing import Annotated

import typer

from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.request import model_option, param_option, size_option
from nscale_cli.commands.options.run import RunOptions
from nscale_cli.commands.options.service import ServicesOptions
from nscale_cli.values import frozen

DEFAULT_MAX_IMAGES = 64

DryGridOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the grid and its price; make no image.")
]


@frozen
class ComparedOptions:
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
        model_option("A model that draws; repeatable. [env: NSCALE_MODEL]"),
    ] = None
    sizes: Annotated[
        list[str] | None,
        size_option("Width and height in pixels; repeatable. [env: NSCALE_SIZE]"),
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
    param: Annotated[list[str] | None, param_option("every request")] = None
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


@frozen
class ComparedRunOptions(RunOptions):
    """How the images of a comparison are bought."""

    shard: str | None = None  # a comparison is small
    dask: str | None = None
    as_lines: bool = False


@frozen
class ComparedBuyingOptions(BuyingOptions):
    """The same as of any run, at one service or several."""

    service: ServicesOptions

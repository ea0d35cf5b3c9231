"""A run of many images: its rows, and how they are bought."""

from typing import Annotated

import typer

from nscale_cli.commands.options.request import one_of
from nscale_cli.values import frozen

DEFAULT_JOBS, MAX_JOBS = 8, 256
ROW_FORMATS = ("txt", "csv", "jsonl")


DirectoryArgument = Annotated[
    str,
    typer.Argument(metavar="DIR", help="The folder of the run.", show_default=False),
]


@frozen
class RowsOptions:
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
            autocompletion=one_of(ROW_FORMATS),
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


@frozen
class RunOptions:
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
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Let the workers of the Dask cluster with this scheduler make the images, into a "
            "folder that all of them share; each uses its own key.",
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

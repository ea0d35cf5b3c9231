"""A Typer application with the options of `nscale images generate`, and nothing behind them.

It is what Typer alone costs. Usage: python tools/bench/bare.py ARGUMENTS
"""

import sys
from typing import Annotated

import typer

Text = Annotated[str | None, typer.Option(metavar="TEXT", help="Some text, or another one.")]
Number = Annotated[float | None, typer.Option(metavar="N", help="A number of some kind.")]
Switch = Annotated[bool, typer.Option(help="Do it, or leave it as it is.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
images = typer.Typer(name="images", rich_markup_mode=None)


@images.command("generate", help="Make images from a text and save them.")
def generate(
    prompt: Annotated[str | None, typer.Argument(help="What to draw.")] = None,
    model: Text = None,
    size: Text = None,
    count: Annotated[int, typer.Option(metavar="N", help="How many to make.")] = 1,
    output: Text = None,
    open_viewer: Switch = False,
    preview: Switch = False,
    preview_style: Text = None,
    preview_width: Number = None,
    api_key: Text = None,
    api_key_file: Text = None,
    prompt_file: Text = None,
    base_url: Text = None,
    sandbox: Switch = False,
    param: Annotated[list[str] | None, typer.Option(help="An extra field.")] = None,
    timeout: Number = None,
    retry: Annotated[int, typer.Option(metavar="N", help="Extra retries.")] = 2,
    retry_billed: Switch = False,
    force: Switch = False,
    dry_run: Switch = False,
    as_json: Switch = False,
    quiet: Switch = False,
    debug: Switch = False,
) -> None:
    """Do nothing."""


@images.command("show", help="Show images from files.")
def show(files: list[str], open_viewer: Switch = False, width: Number = None) -> None:
    """Do nothing."""


@app.command("sandbox", help="Serve the offline API until stopped.")
def serve(port: int = 0) -> None:
    """Do nothing."""


@app.command("help", help="Explain a topic.")
def explain(topic: str = "") -> None:
    """Do nothing."""


app.add_typer(images)

if __name__ == "__main__":
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()
    sys.modules["rich"] = None  # type: ignore[assignment]
    app(prog_name="nscale")

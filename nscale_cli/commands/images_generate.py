"""`nscale images generate`: the command line becomes a request, the request becomes files."""

from typing import TYPE_CHECKING

from nscale_cli.commands import _options as options
from nscale_cli.commands._command import command
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.config.settings import Settings
    from nscale_cli.output.result import Result
    from nscale_cli.preview.show import Preview
    from nscale_cli.preview.styles import PreviewOptions
    from nscale_cli.request import ImageRequest
    from nscale_cli.storage.names import Target

HELP = """Make images from a text and save them.

\b
Examples:
  nscale images generate "A sunset over mountains" --sandbox
  nscale images generate "A futuristic city" -z 1024x1024 -o city.png
  nscale images generate "A cat playing piano" -n 3 -p -o cats/
  echo "A red fox" | nscale images generate --json | jq -r '.data.images[].path'

The path of each saved image goes to stdout, everything else to stderr. Nothing is ever replaced
without --force, and no request that may have been billed is repeated without --retry-billed.
The exit code tells whether a run may be repeated without paying twice: nscale help exit-codes.
"""


@command("as_json", "quiet", "debug")
def generate(
    environment: Environment,
    words: options.PromptOptions,
    image: options.ImageOptions,
    place: options.OutputOptions,
    how: options.ShowOptions,
    service: options.ServiceOptions,
    retries: options.RetryOptions,
    preview: options.PreviewOption = False,
    max_cost: options.MaxCostOption = None,
) -> "Result":
    """Make them; HELP is what the user reads."""
    # Help, a usage error and a Tab know this module; what they do not need is loaded here.
    from nscale_cli.commands._context import connected, load_settings
    from nscale_cli.commands._inputs import read_preview_options, require_one_reader

    terminal = environment.terminal
    require_one_reader(words, service.api_key)
    settings = load_settings(terminal, service.profile)
    output = _output(environment, settings.output if place.output is None else place.output)
    _require_compatible(environment, output, image.count, preview=preview, how=how)
    request = _request(environment, words, image, settings)
    preview_options = read_preview_options(how, settings)
    target = _target(environment, output, request, place)
    with connected(terminal, settings, service, retries) as connection:
        from nscale_cli.jobs.budget import Budget
        from nscale_cli.jobs.generate import Order, run_generate
        from nscale_cli.jobs.prices import PriceList
        from nscale_cli.output.images import Generated, Planned
        from nscale_cli.storage.places import prepare

        prices = PriceList([request.model], connection, terminal, environment.clock)
        budget = None if max_cost is None else Budget.asked(max_cost, prices, request)
        if place.dry_run:
            from nscale_cli.jobs.dry_run import make_plan

            return Planned(plan=make_plan(request, connection, target, prices))
        shown = _begin_preview(preview_options, environment) if preview else None
        order = Order(
            request=request,
            connection=connection,
            target=target,
            prices=prices,
            budget=budget,
            force=place.force,
            meanwhile=shown.load if shown else lambda: None,
        )
        if target is not None:
            prepare(target, count=request.count)
        made = run_generate(order, environment)
    return Generated(
        made=made,
        cwd=environment.cwd,
        raw=target is None,
        preview=shown,
        open_viewer=how.open_viewer,
    )


def _request(
    environment: Environment,
    words: options.PromptOptions,
    image: options.ImageOptions,
    settings: "Settings",
) -> "ImageRequest":
    from nscale_cli.commands._inputs import read_params, read_prompt
    from nscale_cli.request import ImageRequest, Size

    return ImageRequest(
        prompt=read_prompt(words, environment.terminal),
        model=settings.model if image.model is None else image.model,
        size=Size.parse(settings.size if image.size is None else image.size),
        count=image.count,
        params=read_params(image.param or (), settings),
        send_size=settings.send_size,
    )


def _begin_preview(preview_options: "PreviewOptions", environment: Environment) -> "Preview":
    from nscale_cli.preview.show import Preview

    # It asks the terminal, while other things are done.
    return Preview(preview_options, environment.terminal)


def _output(environment: Environment, output: str | None) -> str | None:
    """Return `-o`, or `-` where it is another name of standard output; raise UsageError."""
    if output is None or output == "-":
        return output
    from nscale_cli.redact import excerpt
    from nscale_cli.storage.names import disk_path
    from nscale_cli.terminal.streams import descriptor_named, is_terminal

    path = environment.path(disk_path(output))
    if environment.terminal.is_stdout(path):
        return "-"
    if is_terminal(path):
        raise UsageError(
            f"-o {excerpt(output, 80)} would write image bytes to a terminal",
            hint="name a file with -o",
        )
    if descriptor_named(path) is not None and path.is_file():
        raise UsageError(
            f"-o {excerpt(output, 80)} is no name of the file behind it",
            hint="name the file itself with -o",
        )
    return output


def _target(
    environment: Environment,
    output: str | None,
    request: "ImageRequest",
    place: options.OutputOptions,
) -> "Target | None":
    """Return where the images go, None for stdout; raise UsageError where they could not."""
    from nscale_cli.storage.names import plan
    from nscale_cli.storage.places import check

    if output == "-":
        if environment.terminal.stdout_is_tty and not place.dry_run:
            raise UsageError(
                "-o - would write image bytes to the terminal",
                hint="pipe it: nscale ... -o - | file -",
            )
        return None
    target = plan(output, request, cwd=environment.cwd, now=environment.clock.now())
    environment.path(target.directory)
    check(target, count=request.count, force=place.force)
    return target


def _require_compatible(
    environment: Environment,
    output: str | None,
    count: int,
    *,
    preview: bool,
    how: options.ShowOptions,
) -> None:
    if output == "-" and count > 1:
        raise UsageError("-o - takes one image only", hint="leave -n out, or name a folder with -o")
    if output == "-" and environment.invocation.as_json:
        raise UsageError("-o - and --json both write to stdout", hint="give one of them")
    if output == "-" and (preview or how.open_viewer):
        raise UsageError("-o - saves no file that -x or -p could show", hint="name a file with -o")
    if preview and environment.terminal.quiet:
        raise UsageError("-p draws on stderr, which -q silences", hint="leave one of them out")

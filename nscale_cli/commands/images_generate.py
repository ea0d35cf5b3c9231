"""`nscale images generate`: the command line becomes a request, the request becomes files."""

from typing import TYPE_CHECKING

import typer

from nscale_cli.commands import _options as options
from nscale_cli.config.settings import DEFAULT_RETRIES
from nscale_cli.errors import Billed, ExitCode, UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.connection import Connection
    from nscale_cli.jobs.prices import PriceList
    from nscale_cli.jobs.result import GenerateResult
    from nscale_cli.preview.show import Preview
    from nscale_cli.preview.styles import PreviewOptions
    from nscale_cli.request import ImageRequest
    from nscale_cli.storage.names import Target
    from nscale_cli.terminal.streams import Terminal

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


def generate(
    context: typer.Context,
    prompt: options.PromptArgument = None,
    model: options.ModelOption = None,
    size: options.SizeOption = None,
    count: options.CountOption = 1,
    output: options.OutputOption = None,
    open_viewer: options.OpenOption = False,
    preview: options.PreviewOption = False,
    preview_style: options.PreviewStyleOption = None,
    preview_width: options.PreviewWidthOption = None,
    api_key: options.ApiKeyOption = None,
    api_key_file: options.ApiKeyFileOption = None,
    prompt_file: options.PromptFileOption = None,
    base_url: options.BaseUrlOption = None,
    profile: options.ProfileOption = None,
    sandbox: options.SandboxOption = False,
    param: options.ParamOption = None,
    timeout: options.TimeoutOption = None,
    retry: options.RetryOption = DEFAULT_RETRIES,
    retry_billed: options.RetryBilledOption = False,
    max_cost: options.MaxCostOption = None,
    force: options.ForceOption = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    debug: options.DebugOption = False,
) -> int:
    """Parse the command line; HELP is what the user reads."""
    # Help, a usage error and a Tab know this module; what they do not need is loaded here.
    from nscale_cli.commands._connecting import connected
    from nscale_cli.commands._inputs import (
        load_settings,
        read_params,
        read_preview_options,
        read_prompt,
        require_one_reader,
    )
    from nscale_cli.request import ImageRequest, Size

    environment: Environment = context.obj
    terminal = environment.terminal
    terminal.quiet, terminal.debugging = quiet, debug
    require_one_reader(prompt, prompt_file, api_key)
    settings = load_settings(terminal, profile)
    output = settings.output if output is None else output
    _require_compatible(output, count, shows=preview or open_viewer, as_json=as_json)
    if preview and quiet:
        raise UsageError("-p draws on stderr, which -q silences", hint="leave one of them out")
    request = ImageRequest(
        prompt=read_prompt(prompt, prompt_file, terminal),
        model=settings.model if model is None else model,
        size=Size.parse(settings.size if size is None else size),
        count=count,
        params=read_params(param or (), settings),
        send_size=settings.send_size,
    )
    preview_options = read_preview_options(preview_style, preview_width, settings)
    target = _target(output, request, environment, force=force, dry_run=dry_run)
    connecting = connected(
        terminal,
        settings,
        api_key=api_key,
        api_key_file=api_key_file,
        base_url=base_url,
        sandbox=sandbox,
        timeout=timeout,
        retry=retry,
        retry_billed=retry_billed,
    )
    with connecting as connection:
        from nscale_cli.jobs.budget import Budget
        from nscale_cli.jobs.generate import Order, run_generate
        from nscale_cli.jobs.prices import PriceList
        from nscale_cli.output.images import report_generated

        prices = PriceList([request.model], connection, terminal, environment.clock)
        budget = None if max_cost is None else Budget.asked(max_cost, prices, request)
        if dry_run:
            return _tell_plan(request, connection, target, prices, terminal, as_json=as_json)
        shown = _begin_preview(preview_options, terminal) if preview else None
        order = Order(
            request=request,
            connection=connection,
            target=target,
            prices=prices,
            budget=budget,
            force=force,
            meanwhile=shown.load if shown else lambda: None,
        )
        result = run_generate(order, environment)
        report_generated(result, terminal, as_json=as_json)
    if not result.stopped:
        _show(result, shown, environment, open_viewer=open_viewer)
    return result.exit_code


def _tell_plan(
    request: "ImageRequest",
    connection: "Connection",
    target: "Target | None",
    prices: "PriceList",
    terminal: "Terminal",
    *,
    as_json: bool,
) -> int:
    from nscale_cli.jobs.dry_run import make_plan
    from nscale_cli.output.images import report_plan

    report_plan(make_plan(request, connection, target, prices), terminal, as_json=as_json)
    return ExitCode.OK


def _begin_preview(preview_options: "PreviewOptions", terminal: "Terminal") -> "Preview":
    from nscale_cli.preview.show import Preview

    return Preview(preview_options, terminal)  # asks the terminal, while other things are done


def _show(
    result: "GenerateResult",
    shown: "Preview | None",
    environment: Environment,
    *,
    open_viewer: bool,
) -> None:
    if not (shown or open_viewer):
        return
    from nscale_cli.jobs.buyer import stopped_error
    from nscale_cli.preview.show import open_images
    from nscale_cli.terminal.signals import Interrupted

    paths = [image.path for image in result.images if image.path is not None]
    try:
        environment.interrupts.release()
        if shown:
            shown.show(paths)
        if open_viewer:
            open_images(paths, environment.terminal)
    except Interrupted as signal:
        environment.interrupts.hold()
        raise stopped_error(signal.signal_number, Billed.YES, result.images) from None


def _target(
    output: str | None,
    request: "ImageRequest",
    environment: Environment,
    *,
    force: bool,
    dry_run: bool,
) -> "Target | None":
    """Return where the images go, None for stdout; raise UsageError where they could not."""
    from nscale_cli.storage.files import require_saveable
    from nscale_cli.storage.names import plan

    if output == "-":
        if environment.terminal.stdout_is_tty and not dry_run:
            raise UsageError(
                "-o - would write image bytes to the terminal",
                hint="pipe it: nscale ... -o - | file -",
            )
        return None
    target = plan(output, request, cwd=environment.cwd, now=environment.clock.now())
    require_saveable(target, count=request.count, force=force, make_directories=not dry_run)
    return target


def _require_compatible(output: str | None, count: int, *, shows: bool, as_json: bool) -> None:
    if output != "-":
        return
    if count > 1:
        raise UsageError("-o - takes one image only", hint="leave -n out, or name a folder with -o")
    if as_json:
        raise UsageError("-o - and --json both write to stdout", hint="give one of them")
    if shows:
        raise UsageError("-o - saves no file that -x or -p could show", hint="name a file with -o")

"""From a request to images: what `images generate` and `images rerun` have in common."""

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from nscale_cli.commands._context import connected, make_marker, make_recorder
from nscale_cli.commands._inputs import read_metadata_mode, read_preview_options
from nscale_cli.commands.options.buying import MakingOptions
from nscale_cli.config.settings import Settings
from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest
from nscale_cli.storage.names import Target, disk_path, plan
from nscale_cli.storage.places import check, prepare, remove_directories
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import descriptor_named, is_terminal

if TYPE_CHECKING:
    from nscale_cli.jobs.generate import Order
    from nscale_cli.output.result import Result
    from nscale_cli.preview.show import Preview
    from nscale_cli.preview.styles import PreviewOptions
    from nscale_cli.terminal.streams import Terminal

# Of PNG: three bytes, and a third more in base64. Few images take as much.
_REPLY_BYTES_PER_PIXEL = 4


def make(
    request: ImageRequest, wanted: MakingOptions, settings: Settings, environment: Environment
) -> "Result":
    """Make the images, or say what would be made; raise where nothing could be."""
    target = _target(request, wanted, environment)
    if wanted.place.skip_existing and (skipped := _skipped(request, wanted, target, environment)):
        return skipped
    if target is not None:
        environment.path(target.directory)
        check(target, count=request.count, force=wanted.place.force)
    return _made(request, wanted, target, settings, environment)


def _made(
    request: ImageRequest,
    wanted: MakingOptions,
    target: Target | None,
    settings: Settings,
    environment: Environment,
) -> "Result":
    terminal = environment.terminal
    shown = read_preview_options(wanted.how, settings)
    with connected(terminal, settings, wanted.service, wanted.retries) as connection:
        from nscale_cli.jobs.budget import Budget
        from nscale_cli.jobs.generate import Order
        from nscale_cli.jobs.prices import PriceList

        environment.invocation.tell(base_url=connection.base_url)
        prices = PriceList([request.model], connection, terminal, environment.clock)
        budget = None
        if wanted.max_cost is not None:
            budget = Budget.asked(wanted.max_cost, prices, request)
        if wanted.place.dry_run:
            from nscale_cli.jobs.dry_run import make_plan
            from nscale_cli.output.images import Planned

            return Planned(
                command=environment.invocation.command,
                plan=make_plan(request, connection, target, prices),
            )
        order = Order(
            request=request,
            connection=connection,
            target=target,
            prices=prices,
            budget=budget,
            force=wanted.place.force,
        )
        return _bought(order, wanted, shown, settings, environment)


def _bought(
    order: "Order",
    wanted: MakingOptions,
    shown: "PreviewOptions",
    settings: Settings,
    environment: Environment,
) -> "Result":
    from nscale_cli.jobs.generate import run_generate
    from nscale_cli.output.images import Generated

    terminal, target, count = environment.terminal, order.target, order.request.count
    preview = _begin_preview(shown, terminal) if wanted.preview else None
    _warn_of_a_large_reply(order.request, terminal)
    of_service = (terminal, settings, wanted.record, order.connection)
    recorder, marker = make_recorder(*of_service, order.prices), make_marker(*of_service)
    ahead = (preview and preview.load, recorder and recorder.prepare)
    meanwhile = tuple(each for each in ahead if each)
    directories = prepare(target, count=count) if target else ()
    with ExitStack() as unless_made:
        if recorder is not None:
            unless_made.callback(recorder.close)
        made = run_generate(replace(order, marker=marker, meanwhile=meanwhile), environment)
        unless_made.pop_all()
    if not made.images:
        remove_directories(directories)
    return Generated(
        command=environment.invocation.command,
        made=made,
        base_url=order.connection.base_url,
        usd_per_megapixel=order.prices.usd_per_megapixel(order.request.model),
        cwd=environment.cwd,
        raw=target is None,
        preview=preview,
        open_viewer=wanted.how.open_viewer,
        recorder=recorder,
    )


def _begin_preview(preview_options: "PreviewOptions", terminal: "Terminal") -> "Preview":
    from nscale_cli.preview.show import Preview

    return Preview(preview_options, terminal)  # asks the terminal, while other things are done


def _warn_of_a_large_reply(request: ImageRequest, terminal: "Terminal") -> None:
    from nscale_cli.service.reply_stream import MAX_REPLY_BYTES

    pixels = request.count * request.size.width * request.size.height
    if pixels * _REPLY_BYTES_PER_PIXEL > MAX_REPLY_BYTES:
        terminal.warn(
            f"the reply may be larger than the {MAX_REPLY_BYTES >> 30} GiB that are read of one; "
            "what does not fit is paid for and lost: ask for fewer images at once (-n)"
        )


def _skipped(
    request: ImageRequest, wanted: MakingOptions, target: Target | None, environment: Environment
) -> "Result | None":
    """Return the images that are there already, None where none of them is."""
    from nscale_cli.jobs.existing import existing_images
    from nscale_cli.output.images import Skipped

    if wanted.place.force:
        raise UsageError("--skip-existing and --force exclude each other", hint="give one of them")
    images = existing_images(target, request.count) if target else ()
    if not images:
        return None
    return Skipped(command=environment.invocation.command, request=request, images=images)


def _target(
    request: ImageRequest, wanted: MakingOptions, environment: Environment
) -> Target | None:
    """Return where the images go, None for stdout; raise UsageError where they could not."""
    if wanted.place.output != "-":
        return plan(wanted.place.output, request, cwd=environment.cwd, now=environment.clock.now())
    if environment.terminal.stdout_is_tty and not wanted.place.dry_run:
        raise UsageError(
            "-o - would write image bytes to the terminal",
            hint="pipe it: nscale ... -o - | file -",
        )
    return None


def with_output(
    wanted: MakingOptions, settings: Settings, environment: Environment
) -> MakingOptions:
    """Return the options with `-o` read from the settings, too; raise UsageError.

    It is `-` where another name of standard output is meant.
    """
    option = wanted.place.output
    output = _read_output(settings.output if option is None else option, environment)
    return replace(wanted, place=replace(wanted.place, output=output))


def _read_output(output: str | None, environment: Environment) -> str | None:
    if output is None or output == "-":
        return output
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


def require_compatible(
    count: int, wanted: MakingOptions, settings: Settings, environment: Environment
) -> None:
    """Raise UsageError for options that exclude each other."""
    to_stdout = wanted.place.output == "-"
    if to_stdout and count > 1:
        raise UsageError("-o - takes one image only", hint="leave -n out, or name a folder with -o")
    if to_stdout and environment.invocation.as_json:
        raise UsageError("-o - and --json both write to stdout", hint="give one of them")
    if to_stdout and (wanted.preview or wanted.how.open_viewer):
        raise UsageError("-o - saves no file that -x or -p could show", hint="name a file with -o")
    if to_stdout and wanted.place.skip_existing:
        raise UsageError("-o - saves no file that could be skipped", hint="name a file with -o")
    if to_stdout and read_metadata_mode(wanted.record, settings) != "none":
        raise UsageError(
            "-o - writes the bytes as they come, without metadata",
            hint="name a file with -o, or say so: --metadata none",
        )
    if wanted.preview and environment.terminal.quiet:
        raise UsageError("-p draws on stderr, which -q silences", hint="leave one of them out")

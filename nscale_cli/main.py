"""The one error boundary: whatever happens becomes a message, a JSON document, an exit code."""

import os
import sys
from collections.abc import Sequence
from itertools import takewhile

from nscale_cli import __version__
from nscale_cli.config.table import KEY_VARIABLES
from nscale_cli.errors import Billed, ExitCode, InternalError, NscaleError, Stopped, UsageError
from nscale_cli.redact import excerpt
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted, Interrupts
from nscale_cli.terminal.streams import Terminal

COMPLETION_VARIABLE = "_NSCALE_COMPLETE"


def main(*, interrupts: Interrupts) -> int:
    """Run the program as this process was asked to, and return the exit code."""
    environment = Environment(terminal=Terminal.standard(), interrupts=interrupts)
    try:
        return run(_decoded(sys.argv[1:]), environment)
    except Interrupted as again:  # while it was told what came of the run
        interrupts.ignore()
        return _fail(_stopped(again.signal_number, environment), environment)


def stopped_early(signal_number: int) -> int:
    """Report a signal that came before the program knew what it was asked to do."""
    environment = Environment(terminal=Terminal.standard())
    environment.invocation.as_json = "--json" in sys.argv
    return _fail(_stopped(signal_number, environment), environment)


def run(arguments: list[str], environment: Environment) -> int:
    """Run the program with `arguments` (without its name) and return the exit code."""
    for name in KEY_VARIABLES:
        environment.terminal.redactor.hide(environment.terminal.env.get(name, "").strip())
    # As long as a command has not parsed its words: they may be wrong.
    options = takewhile(lambda word: word != "--", arguments)
    environment.invocation.as_json = "--json" in options
    try:
        return _invoke(arguments, environment)
    except NscaleError as error:
        return _fail(error, environment)
    except Interrupted as signal:
        environment.interrupts.hold()
        return _fail(_stopped(signal.signal_number, environment), environment)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else ExitCode.OK
    except Exception as bug:
        return _fail(_internal_error(bug, arguments, environment), environment)
    finally:
        _clear_up()


def _stopped(signal_number: int, environment: Environment) -> Stopped:
    """Return the error for a signal that no command has heeded."""
    if not environment.invocation.buying:
        return Stopped(signal_number, "stopped before anything was sent")
    message = "stopped before it was told what came of the request"
    return Stopped(signal_number, message, billed=Billed.MAYBE)


def _clear_up() -> None:
    # Without that module, nothing has begun to be saved; and it is no time to load one.
    files = sys.modules.get("nscale_cli.storage.files")
    if files is not None:
        files.leave_whole_copies()


def _invoke(arguments: list[str], environment: Environment) -> int:
    if arguments in (["--version"], ["-V"], ["version"]):  # as they do, without the command tree
        environment.terminal.answer(f"nscale {__version__}")
        return ExitCode.OK
    if environment.terminal.env.get(COMPLETION_VARIABLE):
        _prepare_completion()
    import typer

    from nscale_cli.app import build_app
    from nscale_cli.commands._words import command_of

    try:
        result = build_app()(arguments, prog_name="nscale", obj=environment, standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)  # not every such error knows its own
        if context is not None:
            environment.invocation.command = command_of(context.command_path)
            environment.invocation.given = context.params
        raise _usage_error(error, environment.invocation.command) from None
    if not result or isinstance(result, int):  # of help, and of what has no command
        return result or ExitCode.OK
    from nscale_cli.output.result import report

    try:
        report(result, environment.terminal, as_json=environment.invocation.as_json)
        if result.crash is not None:
            hint = _tell_crash(result.crash, arguments, environment)
            environment.terminal.say(hint, label="hint", style="bold")
        result.show(environment)
    finally:
        result.finish()
    return int(result.exit_code)


def _prepare_completion() -> None:
    """Make Typer answer the shell: it does so only for an app that has its own two options."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()
    # Typer would load rich, if it can be found, only to strip markup that we never write.
    sys.modules["rich"] = None  # type: ignore[assignment]


def _usage_error(error: Exception, command: str) -> UsageError:
    """Return what Typer found wrong with the command line, in the form of every other error."""
    from nscale_cli.commands._words import hint_for

    message = excerpt(getattr(error, "format_message", error.__str__)())
    text = message[:1].lower() + message[1:].rstrip(".")
    return UsageError(text, hint=hint_for(str(getattr(error, "option_name", "")), command))


def _fail(error: NscaleError, environment: Environment) -> int:
    """Report `error`; where even that fails, its exit code still tells."""
    from nscale_cli.output.result import Failure, report, report_error

    terminal, invocation = environment.terminal, environment.invocation
    as_json = invocation.as_json and not terminal.answered  # there is one document, never two
    try:
        failure = Failure(command=invocation.command, error=error, known=invocation.known)
        report(failure, terminal, as_json=as_json)
    except NscaleError as second:
        report_error(second, terminal)
        return error.code or second.code
    return error.code


def _internal_error(
    bug: Exception, arguments: Sequence[str], environment: Environment
) -> InternalError:
    import traceback

    frame = traceback.extract_tb(bug.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - text only
    return InternalError(
        f"this is a bug in nscale: {type(bug).__name__} at {place}: {excerpt(str(bug))}",
        hint=_tell_crash(bug, arguments, environment),
        billed=Billed.MAYBE if environment.invocation.buying else Billed.NO,
    )


def _tell_crash(bug: Exception, arguments: Sequence[str], environment: Environment) -> str:
    """Write down all that is known of a bug, and return what the user can do about it."""
    import traceback

    for frame in traceback.extract_tb(bug.__traceback__):
        environment.terminal.debug(f"{frame.filename}:{frame.lineno} in {frame.name}")
    path = None
    try:
        from nscale_cli.output.crash_log import write_crash_log

        path = write_crash_log(bug, arguments, environment)
    except Exception as second:  # it must not come before the user instead of the first
        environment.terminal.debug(f"no crash log: {type(second).__name__}")
    what = "please report it" + (f", with {path}" if path else "")
    before = "look at your usage page before running it again; "
    return f"{before if environment.invocation.buying else ''}{what}"


def _decoded(arguments: Sequence[str]) -> list[str]:
    """Read the arguments as UTF-8, whatever the locale says they are."""
    return [os.fsencode(word).decode("utf-8", "surrogateescape") for word in arguments]

"""`python -m nscale_cli`, and the entry point of the `nscale` command."""

import signal
import sys


def run() -> None:
    """Run the program and leave with its exit code."""
    # Until the signals are routed, Ctrl-C ends the program as it ends most: without a word.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _leave(outcome())


def outcome() -> int:
    """Run the program and return its exit code; signals are ignored from then on."""
    from nscale_cli.terminal.signals import Interrupted, Interrupts

    interrupts = Interrupts()
    try:
        interrupts.install()
        # Imported late, so that a signal during start-up is not a traceback either.
        from nscale_cli.main import main

        code = main(interrupts=interrupts)
    except Interrupted as stop:
        interrupts.ignore()
        from nscale_cli.main import stopped_early

        return stopped_early(stop.signal_number)
    interrupts.ignore()
    return code


def _leave(code: int) -> None:
    """End the process: what was to be done at the end is done, nothing is taken apart."""
    import atexit
    import os
    import threading

    others = [each for each in threading.enumerate() if each is not threading.main_thread()]
    if not all(each.daemon for each in others):
        sys.exit(code)  # which waits for them
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # the interpreter has its own exit code for this
    os._exit(code)


if __name__ == "__main__":
    run()

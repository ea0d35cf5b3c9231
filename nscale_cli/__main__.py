"""`python -m nscale_cli`, and the entry point of the `nscale` command."""

import sys
from contextlib import suppress


def run() -> None:
    """Run the program and leave with its exit code."""
    from nscale_cli.interrupts import Interrupts, Signalled

    interrupts = Interrupts()
    try:
        interrupts.install()
        # Imported late, so that a signal during start-up is not a traceback either.
        from nscale_cli.main import main

        code = main(interrupts=interrupts)
    except Signalled as signal:
        stopped = interrupts.explain(signal.signal_number)
        with suppress(OSError, AttributeError):  # standard error may be closed, or broken
            sys.stderr.write(f"error: {stopped.message}\n")
        code = stopped.code
    interrupts.ignore()
    sys.exit(code)


if __name__ == "__main__":
    run()

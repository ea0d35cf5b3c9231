"""`python -m nscale_cli`, and the entry point of the `nscale` command."""

import sys


def run() -> None:
    """Run the program and leave with its exit code."""
    from nscale_cli.interrupts import Interrupts, Signalled

    interrupts = Interrupts()
    try:
        with interrupts.installed():
            # Imported late, so that a signal during start-up is not a traceback either.
            from nscale_cli.main import main

            code = main(interrupts=interrupts)
    except Signalled as signal:
        sys.stderr.write("error: stopped before anything was sent\n")
        code = 128 + signal.signal_number
    sys.exit(code)


if __name__ == "__main__":
    run()

"""The part of terminals.py that runs inside a terminal emulator.

Usage: python in_terminal.py REPORT LINES ARGUMENT...

Runs `nscale ARGUMENT...` below LINES lines, and writes the outcome to the file REPORT.
"""

import fcntl
import json
import os
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

MAX_SECONDS = 60.0
_HIDE_CURSOR = "\x1b[?25l"
_POSITION = re.compile(rb"\x1b\[([0-9]+);([0-9]+)R")


def position() -> tuple[int, int]:
    """Return the cursor's row and column from 0; the terminal has then read all that was sent."""
    before = termios.tcgetattr(0)
    tty.setcbreak(0)
    try:
        os.write(1, b"\x1b[6n")
        data = b""
        while not (found := _POSITION.search(data)):
            if not select.select([0], [], [], MAX_SECONDS)[0]:
                raise SystemExit("the terminal does not answer")
            data += os.read(0, 1024)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
    return int(found[1]) - 1, int(found[2]) - 1


def main() -> None:
    """Run the program as a person would, then report, then wait to be ended."""
    path, lines_above, arguments = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    shown = [Path(word).name if word.startswith("/") else word for word in arguments]
    os.write(1, b"...\r\n" * lines_above)
    os.write(1, f"{_HIDE_CURSOR}$ nscale {shlex.join(shown)}\r\n".encode())
    run = subprocess.run([sys.executable, "-m", "nscale_cli", *arguments], check=False)
    row, column = position()
    os.write(1, b"$ ")
    position()
    size = struct.unpack("HHHH", fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8)))
    report = dict(zip(("lines", "columns", "width", "height"), size, strict=True))
    report |= {"row": row, "column": column, "exit_code": run.returncode}
    whole = path.with_suffix(".part")
    whole.write_text(json.dumps(report))
    whole.rename(path)
    time.sleep(MAX_SECONDS)


if __name__ == "__main__":
    main()

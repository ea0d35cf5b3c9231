"""Run the real program in real terminal emulators, and photograph what they draw.

Usage: python -m tools.terminals [NAME...]   (writes docs/terminals/*.png; needs the `dev` extra)

Debian packages: xvfb xterm kitty mlterm tmux libgl1-mesa-dri fonts-dejavu-core; konsole, where the
pictures are to have it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from PIL import Image, ImageChops, ImageGrab

from nscale_cli.sandbox.pictures import draw
from tools.emulators import EMULATORS, Emulator, Window

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "terminals"
INSIDE = Path(__file__).parent / "in_terminal.py"
MAX_SECONDS = 60.0
_MAX_END_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.15
_SCREEN = "1200x900x24"


PICTURES = {
    "mountains.png": ("A sunset over mountains", 768, 768),
    "city.png": ("A futuristic city at night", 768, 768),
    "cat.png": ("A cat playing the piano", 768, 768),
    "sea.png": ("A boat on the sea", 1024, 640),
}
_SMALL, _DARK, _LIGHT = Window(columns=60, lines=24), Window(lines=40), Window(light=True)
# Of each picture in docs/terminals: the emulator, the style, the files, the window.
SHOTS = {
    "xterm-ascii": ("xterm", "ascii", ("mountains.png",), _SMALL),
    "xterm-sixel": ("xterm", "auto", ("mountains.png",), _SMALL),
    "kitty-ascii": ("kitty", "ascii", ("mountains.png",), _SMALL),
    "kitty-blocks": ("kitty", "blocks", ("mountains.png",), _SMALL),
    "kitty-pixels": ("kitty", "auto", ("mountains.png",), _SMALL),
    "konsole-pixels": ("konsole", "auto", ("mountains.png",), _SMALL),
    "mlterm-iterm2": ("mlterm", "iterm2", ("mountains.png",), _SMALL),
    "tmux-blocks": ("tmux", "auto", ("mountains.png",), _SMALL),
    "kitty-four": ("kitty", "auto", tuple(PICTURES), _DARK),
    "kitty-light": ("kitty", "ascii", ("city.png", "sea.png"), _LIGHT),
}


class TerminalFailed(Exception):
    """A terminal emulator did not do its work; the text says what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """What a terminal showed.

    `picture` is the window's text area. `cell` is the (width, height) of a character cell in
    pixels. `row` and `column` (from 0) are where the cursor stood after the program.
    """

    picture: Image.Image
    cell: tuple[int, int]
    row: int
    column: int
    exit_code: int


class Display:
    """A screen that nobody sees: an X server of its own, from entering its context on."""

    def __init__(self) -> None:
        """Take nothing yet."""
        self.name = ""

    def __enter__(self) -> Self:
        """Start the X server on a free display."""
        read, write = os.pipe()
        words = ["Xvfb", "-displayfd", str(write), "-screen", "0", _SCREEN, "-nolisten", "tcp"]
        self._server = subprocess.Popen(
            words, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(write)
        with os.fdopen(read) as answer:  # ends when the server does, too
            self.name = ":" + answer.readline().strip()
        if self.name == ":":
            self._server.wait()
            raise TerminalFailed("Xvfb did not start")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the X server."""
        _end(self._server)

    def grab(self) -> Image.Image:
        """Return the whole screen as it is now."""
        return ImageGrab.grab(xdisplay=self.name).convert("RGB")


def photograph(
    display: Display,
    emulator: Emulator,
    arguments: Sequence[str],
    *,
    window: Window | None = None,
    env: Mapping[str, str] | None = None,
) -> Photograph:
    """Run `nscale` with `arguments` in the emulator, and return what it then shows."""
    window = window or Window()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tmux.conf").write_text("set -g status off\n")
        program = [
            sys.executable,
            str(INSIDE),
            str(folder / "report.json"),
            str(window.lines_above),
        ]
        started = subprocess.Popen(
            emulator.command(window, folder, [*program, *arguments]),
            env=_clean_env(folder, display) | dict(emulator.env) | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            report = _wait_for_report(started, folder / "report.json", emulator)
            return _settled(display, report, emulator)
        finally:
            _end(started)
            if "tmux" in emulator.needs:
                words = ["tmux", "-S", str(folder / "tmux"), "kill-server"]
                subprocess.run(words, stderr=subprocess.DEVNULL, check=False)


def _clean_env(folder: Path, display: Display) -> dict[str, str]:
    """Return an environment that holds nothing of the user's own terminal."""
    kept = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    return kept | {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "LANG": "C.UTF-8",
        "DISPLAY": display.name,
    }


def _wait_for_report(
    started: "subprocess.Popen[bytes]", path: Path, emulator: Emulator
) -> dict[str, int]:
    end = time.monotonic() + MAX_SECONDS
    while not path.exists():
        if started.poll() is not None:
            raise TerminalFailed(f"{emulator.name} ended with {started.returncode}")
        if time.monotonic() > end:
            raise TerminalFailed(f"{emulator.name} did not run the program to its end")
        time.sleep(0.05)
    report: dict[str, int] = json.loads(path.read_text())
    return report


def _settled(display: Display, report: Mapping[str, int], emulator: Emulator) -> Photograph:
    """Return a photograph as soon as the prompt is seen and nothing changes any more.

    tmux answers before the terminal around it has drawn.
    """
    end = time.monotonic() + MAX_SECONDS
    before = None
    while time.monotonic() < end:
        now = _developed(display.grab(), report, emulator)
        width, height = now.cell
        prompt = now.picture.crop((0, now.row * height, width, (now.row + 1) * height))
        shows_prompt = len(prompt.getcolors(width * height) or ()) > 1
        if shows_prompt and before is not None and now.picture.tobytes() == before:
            return now
        before = now.picture.tobytes()
        time.sleep(_LOOK_AGAIN_SECONDS)
    raise TerminalFailed(f"{emulator.name} shows no prompt, or does not stop changing")


def _developed(screen: Image.Image, report: Mapping[str, int], emulator: Emulator) -> Photograph:
    columns, lines = report["columns"], report["lines"]
    cell = (report["width"] // columns, report["height"] // lines)
    left, top = emulator.origin
    return Photograph(
        picture=screen.crop((left, top, left + columns * cell[0], top + lines * cell[1])),
        cell=cell,
        row=report["row"],
        column=report["column"],
        exit_code=report["exit_code"],
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process of ours and wait until it is gone."""
    process.terminate()
    try:
        process.wait(_MAX_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def publish(display: Display, name: str) -> Path:
    """Take one of SHOTS, cut off what is empty, and write it small."""
    terminal, style, files, window = SHOTS[name]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            prompt, width, height = PICTURES[file]
            drawn = draw(prompt=prompt, model="sandbox", width=width, height=height, index=0)
            drawn.save(Path(folder) / file)
        paths = [str(Path(folder) / file) for file in files]
        arguments = ["images", "show", *paths, "--preview-style", style]
        shown = photograph(display, EMULATORS[terminal], arguments, window=window).picture
    empty = Image.new("RGB", shown.size, shown.getpixel((shown.width - 1, shown.height - 1)))
    box = ImageChops.difference(shown, empty).getbbox() or (0, 0, *shown.size)
    path = TARGET / f"{name}.png"
    right, bottom = min(box[2] + 4, shown.width), min(box[3] + 4, shown.height)
    shown.crop((0, 0, right, bottom)).quantize(256).save(path, optimize=True)
    return path


def main() -> None:
    """Write the pictures that are named, or all."""
    TARGET.mkdir(exist_ok=True)
    with Display() as display:
        for name in sys.argv[1:] or SHOTS:
            path = publish(display, name)
            print(f"wrote {path.relative_to(ROOT)} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()

"""Preview: whatever the bytes are, showing them changes neither the file nor the exit code."""

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import KEY, Cli, Program, looking_first_in
from tests.faults.conftest import as_base64, reply_of
from tests.faults.odd_images import IMAGES, LARGE, OTHERS
from tests.faults.raw_server import RawServer, answers

Injected = Callable[[bool, str], None]
SHOWN = (
    "good PNG", "good JPEG", "good WebP", "no end", "palette", "palette with transparency",
    "one bit", "one bit palette", "grey", "grey with transparency", "16-bit grey",
    "16-bit colour", "transparent", "CMYK JPEG", "grey JPEG", "progressive JPEG", "turned JPEG",
    "animated PNG", "animated WebP", "1 x 4000", "4000 x 1", "1 x 1", "unknown chunk",
    "something behind the end",
)  # fmt: skip
MAX_LINES = 60  # off a terminal
MAX_MEMORY_KB = 400 * 1024


def serve(raw: RawServer, data: bytes) -> None:
    """Answer with an image of these bytes."""
    raw.scripts = [answers(reply_of({"b64_json": as_base64(data)}))]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("colours", ["none", "many"])
def test_a_preview_changes_neither_the_file_nor_the_exit_code(
    cli: Cli, raw: RawServer, injected: Injected, name: str, colours: str
) -> None:
    """One warning at most; the control is the same run without -p."""
    data = IMAGES[name]()
    serve(raw, data)
    env = {"FORCE_COLOR": "1", "COLORTERM": "truecolor"} if colours == "many" else {}

    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY)
    control = cli(*words)
    outcome = cli(*words, "-p", env=env)

    injected(raw.posts == 2, f"preview of: {name}")
    assert outcome.exit_code == control.exit_code == 0
    for run in (control, outcome):
        assert Path(run.stdout.rstrip("\n")).read_bytes() == data
    plain, *more = outcome.stderr.splitlines()
    assert "saved cat-2." in plain
    warnings = [line for line in more if "warning:" in line]
    if name in SHOWN:
        assert not warnings and more
    assert len(warnings) <= 1
    assert not warnings or warnings == more
    assert len(more) <= MAX_LINES and len(outcome.stderr) < 100_000


def test_the_odd_images_are_many() -> None:
    """The table is the test."""
    assert len(IMAGES) + len(LARGE) + len(OTHERS) >= 55


def test_a_library_that_talks_is_not_heard(
    cli: Cli, raw: RawServer, injected: Injected, caplog: pytest.LogCaptureFixture
) -> None:
    """Pillow warns and logs about odd files; Python would print that between the lines."""
    serve(raw, IMAGES["JPEG with a broken Exif block"]())
    with caplog.at_level(logging.WARNING):
        outcome = cli("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-p")

    assert outcome.exit_code == 0
    assert not caplog.records
    assert "arning" not in outcome.stderr
    injected(raw.posts == 1, "an Exif block that Pillow warns about")


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_image_is_kept_and_neither_drawn_nor_opened(
    cli: Cli, raw: RawServer, tmp_path: Path, injected: Injected, name: str
) -> None:
    """No viewer and no Ghostscript is started for it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("gs", "gswin64c", "xdg-open", "open", "convert"):
        (programs / program).write_text(f"#!/bin/sh\n: > {tmp_path}/started\n")
        (programs / program).chmod(0o755)
    data = OTHERS[name]()
    serve(raw, data)
    env = {"PATH": f"{programs}:/usr/bin:/bin", "DISPLAY": ":0"}
    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-p", "-x")

    outcome = cli(*words, env=env)

    assert outcome.exit_code == 22
    assert outcome.stdout == ""
    assert (tmp_path / "cat.bin").read_bytes() == data
    assert not (tmp_path / "started").exists()
    injected(raw.posts == 1, f"preview of what is no image: {name}")


@pytest.mark.skipif(os.name == "nt", reason="the fake Ghostscript is a shell script")
@pytest.mark.parametrize("hidden", ["as it is", "behind a PNG's signature"])
def test_ghostscript_is_never_started(
    program: Program, raw: RawServer, injected: Injected, hidden: str
) -> None:
    """In the real program, with a fake `gs` first on its PATH."""
    folder = program.cwd / "bin"
    folder.mkdir()
    ghostscript = folder / "gs"
    ghostscript.write_text(f"#!/bin/sh\n: > {program.cwd}/started\nsleep 60\n")
    ghostscript.chmod(0o755)
    env = program.env | {"PATH": f"{folder}:{program.env['PATH']}"}
    assert shutil.which("gs", path=env["PATH"]) == str(ghostscript)
    start = b"" if hidden == "as it is" else b"\x89PNG\r\n\x1a\n"
    serve(raw, start + OTHERS["EPS"]())

    words = (
        "images",
        "generate",
        "cat",
        "--base-url",
        raw.base_url,
        "-a",
        KEY,
        "-p",
        "-o",
        "x.jpg",
    )
    outcome = program.run(*words, env=env)

    assert outcome.exit_code == 22
    assert not (program.cwd / "started").exists()
    injected(raw.posts == 1, f"PostScript {hidden}")


MEASURE = """
import atexit
def write_down():
    with open("/proc/self/status") as status, open("peak", "w") as peak:
        peak.write(next(line.split()[1] for line in status if line.startswith("VmHWM")))
atexit.register(write_down)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    "name",
    [*LARGE, "text bomb", "colour profile bomb"],
)
def test_a_hostile_image_does_not_take_the_memory(
    program: Program, raw: RawServer, injected: Injected, name: str
) -> None:
    """A process of its own, whose peak the kernel knows; and not a word from Python itself."""
    (program.cwd / "site").mkdir()
    (program.cwd / "site" / "sitecustomize.py").write_text(MEASURE)
    env = program.env | looking_first_in(program.cwd / "site") | {"PYTHONWARNINGS": "default"}
    data = (IMAGES | LARGE)[name]()
    serve(raw, data)

    words = ("images", "generate", "cat", "--base-url", raw.base_url, "-a", KEY, "-p", "--json")
    outcome = program.run(*words, env=env)

    assert outcome.exit_code == 0
    (image,) = outcome.document["data"]["images"]
    assert Path(image["path"]).read_bytes() == data
    assert int((program.cwd / "peak").read_text()) < MAX_MEMORY_KB
    assert "Warning:" not in outcome.stderr and "warnings.warn" not in outcome.stderr
    injected(json.loads(outcome.stdout)["status"] == "ok", f"memory: {name}")

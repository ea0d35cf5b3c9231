"""PostScript is a program, and Pillow runs it through Ghostscript: never from a reply."""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from nscale_cli.errors import Incomplete
from nscale_cli.preview.canvas import Canvas, PreviewUnavailable, load
from nscale_cli.storage.imaging import convert

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a shell script stands for Ghostscript")


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `gs` on the path, and the file that it makes when it is run."""
    ran = tmp_path / "ran"
    program = tmp_path / "gs"
    program.write_text(f'#!/bin/sh\n: > "{ran}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # what Pillow remembers of its search
    return ran


def test_postscript_is_neither_previewed_nor_converted(
    ghostscript: Path, tmp_path: Path, injected: Callable[[bool, str], None]
) -> None:
    """The formats are named to Pillow, which would otherwise recognise it; the control shows."""
    path = tmp_path / "image.png"
    path.write_bytes(EPS)
    with pytest.raises(PreviewUnavailable, match="UnidentifiedImageError"):  # not even recognised
        load(path, Canvas(columns=80, lines=24))
    with pytest.raises(Incomplete):
        convert(EPS, "png")

    assert not ghostscript.exists()
    with contextlib.suppress(Exception), Image.open(io.BytesIO(EPS)) as picture:
        picture.load()
    injected(ghostscript.exists(), "PostScript in place of an image")

"""Fixtures of the preview's tests: pictures on disk, and terminals played by script."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

if os.name != "nt":
    from tests.preview.fake_terminal import FakeTerminal, Script


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Return a picture whose every place has another colour."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, down, Image.new("L", (width, height), 96)))


@pytest.fixture
def fox(tmp_path: Path) -> Path:
    """A picture in the folder where programs run."""
    path = tmp_path / "fox.png"
    picture().save(path)
    return path


@pytest.fixture
def terminal() -> Iterator[Callable[..., "FakeTerminal"]]:
    """Open terminals that behave as a script says."""
    opened: list[FakeTerminal] = []

    def open_terminal(script: "Script", **options: tuple[int, int]) -> "FakeTerminal":
        opened.append(FakeTerminal(script, **options))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()

"""Saved images before a person's eyes: in the terminal, and in the desktop's viewer."""

from collections.abc import Sequence

from nscale_cli.images import SavedImage
from nscale_cli.preview import PreviewUnavailable, colours_of, render
from nscale_cli.terminal import Terminal
from nscale_cli.viewer import ViewerUnavailable, open_image


def show_images(
    images: Sequence[SavedImage], terminal: Terminal, *, preview: bool, opens: bool
) -> None:
    """Show images that are already safe on disk; what cannot be shown is one warning."""
    for image in images:
        if preview:
            _preview(image, terminal)
    for image in images:
        if opens:
            _open(image, terminal)


def _preview(image: SavedImage, terminal: Terminal) -> None:
    assert image.path is not None
    columns, lines = terminal.size()
    colours = colours_of(terminal.env, coloured=terminal.coloured)
    try:
        data = image.path.read_bytes()
        terminal.draw(render(data, columns=columns, lines=lines, colours=colours))
    except PreviewUnavailable as error:
        terminal.warn(f"no preview of {image.path.name}: {error}")
    except OSError as error:
        terminal.warn(f"no preview of {image.path.name}: {error.strerror}")


def _open(image: SavedImage, terminal: Terminal) -> None:
    assert image.path is not None
    try:
        # Any variable may hold the key: -a "$MY_KEY".
        env = {n: v for n, v in terminal.env.items() if not terminal.scrubber.found_in(v)}
        open_image(image.path, env)
    except ViewerUnavailable as error:
        terminal.warn(f"{image.path.name} was not opened: {error}")

"""The desktop's image viewer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from nscale_cli.settings import KEY_VARIABLES


class ViewerUnavailable(Exception):
    """The image was not opened; the text says why."""


def open_image(path: Path, env: Mapping[str, str]) -> None:
    """Open the file at the absolute `path` without waiting for the viewer to end.

    The viewer gets no standard stream and no API key. Raises ViewerUnavailable.
    """
    if sys.platform == "win32":
        os.startfile(path)
        return
    command = _command(env)
    try:
        subprocess.Popen(
            [*command, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in env.items() if name not in KEY_VARIABLES},
            start_new_session=True,
        )
    except OSError as error:
        raise ViewerUnavailable(f"{command[0]} did not start: {error.strerror}") from None


def _command(env: Mapping[str, str]) -> list[str]:
    search = env.get("PATH", os.defpath)
    if sys.platform == "darwin":
        return ["/usr/bin/open"]
    if env.get("WSL_DISTRO_NAME") and (found := shutil.which("wslview", path=search)):
        return [found]
    if not (env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")):
        raise ViewerUnavailable("there is no display here")
    if found := shutil.which("xdg-open", path=search):
        return [found]
    raise ViewerUnavailable("xdg-open is not installed")

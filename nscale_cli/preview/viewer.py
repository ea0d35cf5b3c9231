"""The desktop's image viewer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class ViewerUnavailable(Exception):
    """The image was not opened; the text says why."""


def open_image(path: Path, env: Mapping[str, str]) -> None:
    """Open the file at the absolute `path` without waiting for the viewer to end.

    The viewer gets no standard stream, and of the variables those in `env`.
    Raises ViewerUnavailable.
    """
    if sys.platform == "win32":
        try:
            with _only(env):
                os.startfile(path)
        except OSError as error:
            raise ViewerUnavailable(f"Windows did not open it: {error.strerror}") from None
        return
    command = _command(env)
    try:
        subprocess.Popen(
            [*command, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise ViewerUnavailable(f"{command[0]} did not start: {error.strerror}") from None


@contextmanager
def _only(env: Mapping[str, str]) -> Iterator[None]:
    """Leave no other variable to this process, which Windows hands its own on from."""
    others = {name: value for name, value in os.environ.items() if name not in env}
    for name in others:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(others)


def _command(env: Mapping[str, str]) -> list[str]:
    search = env.get("PATH", os.defpath)
    if sys.platform == "darwin":
        return ["/usr/bin/open"]
    in_wsl = bool(env.get("WSL_DISTRO_NAME"))
    if in_wsl and (found := shutil.which("wslview", path=search)):
        return [found]
    if not (env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")):
        raise ViewerUnavailable(_why_no_display(env, in_wsl=in_wsl))
    if found := shutil.which("xdg-open", path=search):
        return [found]
    raise ViewerUnavailable("xdg-open is not installed")


def _why_no_display(env: Mapping[str, str], *, in_wsl: bool) -> str:
    if in_wsl:
        return "WSL needs wslview for this; install the package wslu"
    if env.get("SSH_CONNECTION") or env.get("SSH_TTY"):
        return (
            "there is no display at this end of SSH; copy the file to your machine, "
            "or look at it here: nscale images show"
        )
    return "there is no display here"

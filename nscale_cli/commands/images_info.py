"""`nscale images info`: what a file is, and how it was made."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.info import FileInfo
    from nscale_cli.output.result import Result

HELP = """Tell what image files are, and how they were made.

\b
Examples:
  nscale images info a-red-fox.png
  nscale images info *.png --json | jq -r '.data.files[].history[0].prompt'
  nscale images info a-red-fox.png --strip -o plain.png

Told are what nscale remembers of a file by what it holds, whatever its name is now, and what is
written in it: by nscale (--metadata), AUTOMATIC1111, ComfyUI, mflux, and in the fields of IPTC.
--strip writes a copy without what nscale wrote, and compares it with what the service sent.
"""

StripOption = Annotated[
    bool, typer.Option("--strip", help="Write a copy without what nscale wrote into the file.")
]
CopyOption = Annotated[
    str | None, typer.Option("-o", "--output", metavar="COPY", help="Where --strip writes.")
]


@command("as_json", "quiet", "debug")
def info(
    environment: Environment,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="The images, or `last` for the last one.")
    ],
    strip: StripOption = False,
    output: CopyOption = None,
) -> "Result":
    """Tell; HELP is what the user reads."""
    from nscale_cli.commands._files import describe, file_named, read_whole
    from nscale_cli.output.info import FilesDescribed

    if strip is not bool(output):
        raise UsageError("--strip and -o COPY go together", hint="give both, or none of them")
    paths = [file_named(name, environment) for name in files]
    if output is not None and len(paths) > 1:
        raise UsageError("--strip takes one file", hint="strip one after the other")
    terminal = environment.terminal
    described: list[FileInfo] = []
    for path in paths:
        data = read_whole(path)
        described.append(describe(path, data, terminal))
        if output is not None:
            return _stripped(described[0], data, environment, output)
    return FilesDescribed(files=described)


def _stripped(file: "FileInfo", data: bytes, environment: Environment, output: str) -> "Result":
    import hashlib

    from nscale_cli.output.info import StrippedCopy
    from nscale_cli.storage.metadata.marks import stripped
    from nscale_cli.storage.names import disk_path

    result = stripped(data)
    copy = environment.path(disk_path(output))
    if os.path.isdir(copy):  # noqa: PTH112 - is_dir() may raise
        copy = copy / file.path.name
    return StrippedCopy(
        file=file,
        copy=_saved(result.data, copy),
        sha256=hashlib.sha256(result.data).hexdigest(),
        is_original=result.is_original,
    )


def _saved(data: bytes, copy: Path) -> Path:
    from nscale_cli.redact import excerpt
    from nscale_cli.storage.disk import CREATE, write_whole

    try:
        descriptor = os.open(copy, CREATE, 0o666)
        try:
            write_whole(descriptor, data)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
    except FileExistsError:
        raise UsageError(f"{excerpt(str(copy))} exists", hint="choose another name") from None
    except OSError as error:
        raise UsageError(f"{excerpt(str(copy))} cannot be written: {error.strerror}") from None
    return copy

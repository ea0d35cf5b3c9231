"""Windows' rules, as far as the program meets them, on a system that has others.

The name of the system, as this program's modules see it; the calls and signals that it lacks; names
that a rename may not replace; and that neither an open file nor a directory can be treated as
elsewhere. Libraries go by the rules of the system that they run on.
"""

import errno
import importlib
import importlib.util
import os
import pkgutil
import signal
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import nscale_cli

LACKING = {
    os: ("pread", "fchmod", "geteuid", "getpgrp", "tcgetpgrp", "fdatasync", "O_NONBLOCK"),
    signal: ("SIGHUP", "pthread_sigmask"),
}
# What these define goes by the system's name.
DEFINED = {
    "nscale_cli.storage.lock": ("take",),
    "nscale_cli.storage.private_files": ("is_private", "_copy_mode", "_target"),
}


class Named(types.ModuleType):
    """The module sys of a system of another name."""

    def __init__(self, platform: str) -> None:
        """Be `sys` in all else."""
        super().__init__("sys")
        self.platform = platform

    def __getattr__(self, name: str) -> Any:
        """Return what the true one has."""
        return getattr(sys, name)


@dataclass(slots=True)
class OpenFiles:
    """What is open, and how the system's own calls treat it."""

    paths: dict[int, str] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)

    def refuse_open(self, *paths: "str | os.PathLike[str]") -> None:
        """Raise PermissionError where one of `paths` is open."""
        for path in paths:
            if os.path.realpath(path) in self.paths.values():
                raise PermissionError(errno.EACCES, "it is used by another process", str(path))

    def lock(self, descriptor: int) -> None:
        """Take the lock of an open file; raise OSError where another descriptor has it."""
        if self.locked.setdefault(self.paths[descriptor], descriptor) != descriptor:
            raise OSError(errno.EACCES, "it is locked")

    def close(self, descriptor: int) -> None:
        """Forget a descriptor, and the lock that it has."""
        path = self.paths.pop(descriptor, "")
        if self.locked.get(path) == descriptor:
            del self.locked[path]


class Msvcrt(types.ModuleType):
    """What Windows has in place of fcntl."""

    LK_NBLCK = 2

    def __init__(self, files: OpenFiles) -> None:
        """Lock what is in `files`."""
        super().__init__("msvcrt")
        self._files = files

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        """Lock `count` bytes from where the file is read; raise OSError where that is refused."""
        assert (mode, count) == (self.LK_NBLCK, 1)
        # The words that say who has the lock are to be read by others.
        assert os.lseek(descriptor, 0, os.SEEK_CUR) > 1000
        self._files.lock(descriptor)


def as_on(platform: str, name: str) -> types.ModuleType:
    """Return a copy of the module `name`, as it defines itself on a system."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        spec.loader.exec_module(module)
    return module


def apply(patch: pytest.MonkeyPatch) -> OpenFiles:
    """Let Windows' rules hold until `patch` is undone; return what is open meanwhile."""
    files = OpenFiles()
    for module in pkgutil.walk_packages(nscale_cli.__path__, "nscale_cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    modules = [each for name, each in sys.modules.items() if name.startswith("nscale_cli")]
    for name, functions in DEFINED.items():
        here, there = sys.modules[name], as_on("win32", name)
        for function in functions:
            old, new = getattr(here, function), getattr(there, function)
            for module in modules:
                if getattr(module, function, None) is old:
                    patch.setattr(module, function, new)
    for module in modules:
        if hasattr(module, "sys"):
            patch.setattr(module, "sys", Named("win32"))
    for owner, names in LACKING.items():
        for name in names:
            patch.delattr(owner, name)
    for name in ("fcntl", "termios"):
        patch.setitem(sys.modules, name, None)
    patch.setitem(sys.modules, "msvcrt", Msvcrt(files))
    _patch_calls(patch, files)
    return files


def _patch_calls(patch: pytest.MonkeyPatch, files: OpenFiles) -> None:
    real = types.SimpleNamespace(
        open=os.open, close=os.close, rename=os.rename, replace=os.replace, unlink=os.unlink
    )

    def open_(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "it is a directory", str(path))
        descriptor: int = real.open(path, flags, mode, **options)
        files.paths[descriptor] = os.path.realpath(path)
        return descriptor

    def close(descriptor: int) -> None:
        files.close(descriptor)
        real.close(descriptor)

    def rename(source: Any, target: Any) -> None:
        files.refuse_open(source)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "it exists", str(target))
        real.rename(source, target)

    def replace(source: Any, target: Any) -> None:
        files.refuse_open(source, target)
        real.replace(source, target)

    def unlink(path: Any, **options: Any) -> None:
        files.refuse_open(path)
        real.unlink(path, **options)

    for call in (open_, close, rename, replace, unlink):
        patch.setattr(os, call.__name__.rstrip("_"), call)

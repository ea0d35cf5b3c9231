"""Leave the SDK's hundreds of type modules on disk until one is used: half of its start-up.

The packages under `openai.types` only re-export names of their modules. Here such a package notes
where each name is, and imports the module at the first use (PEP 562). A package that does anything
else is imported as it is. From Python 3.15 on, the language's own lazy imports can take this over.
"""

import __future__

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, NamedTuple

SWITCH = "NSCALE_LAZY_TYPES"
_ROOT = "openai.types"


class _Export(NamedTuple):
    """A name in a module of the package that is not imported yet."""

    module: str
    name: str


class _Noted:
    """Stands for such a module: whatever is taken from it is noted."""

    def __init__(self, module: str) -> None:
        self.__dict__["__name__"] = module

    def __getattr__(self, name: str) -> _Export:
        return _Export(self.__dict__["__name__"], name)


class _NoReExport(Exception):
    """The package imports something from elsewhere, or everything from somewhere."""


class Finder:
    """Finds the packages under `openai.types`; everything else is found as ever."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import `name` lazily, or None where that is not for us."""
        if name != _ROOT and not name.startswith(_ROOT + "."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.submodule_search_locations is not None:
            if type(spec.loader) is not SourceFileLoader:
                return None
            spec.loader = _LazyLoader(spec.loader)
        return spec


class _LazyLoader(Loader):
    def __init__(self, plain: SourceFileLoader) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)  # such as get_source, for tracebacks

    def create_module(self, spec: ModuleSpec) -> None:
        """Take the interpreter's own kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the package with notes, or run it as it is."""
        code = self._plain.get_code(module.__name__)
        exports = _exports(code, module.__name__) if code is not None else None
        if exports is None:
            self._plain.exec_module(module)
        else:
            if code is not None and "annotations" in code.co_names:
                module.__dict__["annotations"] = __future__.annotations
            _make_lazy(module, exports)


def _exports(code: CodeType, package: str) -> Mapping[str, _Export] | None:
    """Return the names that the package re-exports; None where it does anything but that."""

    def note(
        name: str, _globals: object, _locals: object, names: Sequence[str] | None, level: int
    ) -> object:
        if level == 0 and name == "__future__":
            return import_module(name)
        if level != 1 or not name or not names or "*" in names:
            raise _NoReExport
        return _Noted(f"{package}.{name}")

    space: dict[str, object] = {
        "__builtins__": {"__import__": note},
        "__name__": package,
        "__package__": package,
    }
    before = set(space)
    try:
        exec(code, space)
    except Exception:
        return None
    exports = {name: value for name, value in space.items() if isinstance(value, _Export)}
    modules = {
        export.module.removeprefix(f"{package}.").partition(".")[0] for export in exports.values()
    }
    others = set(space) - before - set(exports) - {"annotations"}
    # A name that is a module's, too, depends on what is imported when.
    return None if others or modules & set(exports) else exports


def _make_lazy(module: ModuleType, exports: Mapping[str, _Export]) -> None:
    def get(name: str) -> object:
        export = exports.get(name)
        if export is not None:
            value: object = getattr(import_module(export.module), export.name)
        elif name.startswith("__"):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        else:
            value = _module_in(module, name)
        setattr(module, name, value)
        return value

    module.__dict__["__all__"] = list(exports)
    module.__dict__["__getattr__"] = get
    module.__dict__["__dir__"] = lambda: sorted({*module.__dict__, *exports})


def _module_in(package: ModuleType, name: str) -> ModuleType:
    """Return a module of the package, which a plain import would have left there as well."""
    whole = f"{package.__name__}.{name}"
    try:
        return import_module(whole)
    except ModuleNotFoundError as missing:
        if missing.name != whole:
            raise
        raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}") from None


def install() -> None:
    """Make later imports of the SDK's types lazy; without effect on what is imported already."""
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)

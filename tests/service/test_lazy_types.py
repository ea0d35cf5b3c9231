"""The SDK's types come lazily, and are the same ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Program

# Prints each public name of each package under openai.types, and what it is.
TELL = """
import importlib, json, pkgutil, sys, types
from nscale_cli.service import lazy_types
if sys.argv[1] == "lazy":
    lazy_types.install()
import openai.types

def identity(value):
    if isinstance(value, types.ModuleType):
        return "module " + value.__name__
    where = getattr(value, "__module__", "")
    return f"{where} {getattr(value, '__qualname__', '')} {value!r}"

packages = [openai.types] + [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(openai.types.__path__, "openai.types.")
    if found.ispkg
]
names = {}
for package in packages:
    for name in dir(package):
        if not name.startswith("_"):
            names[f"{package.__name__}.{name}"] = getattr(package, name)
if sys.argv[1] == "lazy":
    for path, value in names.items():
        package, _, name = path.rpartition(".")
        where = getattr(value, "__module__", None)
        own = sys.modules.get(where) if isinstance(value, type) else None
        if own is not None and hasattr(own, value.__name__):
            assert getattr(own, value.__name__) is value, path
print(json.dumps({path: identity(value) for path, value in names.items()}))
"""
FALLBACKS = {
    "it defines something": "from .leaf import Leaf\nANSWER = 42\n",
    "it imports from elsewhere": "from json import dumps\n",
    "it imports everything": "from .leaf import *\n",
    "it imports from above": "from ..types import other\n",
    "it shadows a module": "from .leaf import leaf\n",
    "it does something": "from .leaf import Leaf\nLeaf.touched = True\n",
}


def names_of(how: str) -> dict[str, str]:
    """Return what each public name of the SDK's types is, imported lazily or plainly."""
    process = subprocess.run(
        [sys.executable, "-c", TELL, how], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(process.stdout)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_every_public_name_is_the_same_with_and_without() -> None:
    """Whoever uses the types cannot tell how they came."""
    plain, lazy = names_of("plain"), names_of("lazy")

    assert len(plain) > 1000
    # The modules of a package, too, are its attributes; a lazy one has them when asked.
    assert {path: lazy.get(path) for path in plain if not plain[path].startswith("module ")} == {
        path: what for path, what in plain.items() if not what.startswith("module ")
    }
    assert set(lazy) <= set(plain)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["", "0"])
def test_the_types_are_lazy_unless_switched_off(program: Program, how: str) -> None:
    """A run loads a small part of them; NSCALE_LAZY_TYPES=0 loads them all."""
    tell = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(sum(n.startswith('openai.types') for n in sys.modules)))\n"
        "sys.argv[0] = 'nscale'\n"
        "from nscale_cli.__main__ import run\n"
        "run()\n"
    )
    arguments = ["images", "generate", "x", "--sandbox", "-z", "64x64", "-q"]
    process = subprocess.run(
        [sys.executable, "-c", tell, *arguments],
        cwd=program.cwd,
        env=program.env | {"NSCALE_LAZY_TYPES": how},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    count = int(process.stdout.splitlines()[-1])

    assert (count > 400) == (how == "0")


@pytest.mark.parametrize("text", FALLBACKS.values(), ids=FALLBACKS)
def test_a_package_that_does_more_than_re_export_is_imported_as_it_is(
    tmp_path: Path, text: str
) -> None:
    """The plain import is always right."""
    package = tmp_path / "openai" / "types"
    package.mkdir(parents=True)
    (tmp_path / "openai" / "__init__.py").write_text("")
    (package / "leaf.py").write_text("class Leaf: pass\ndef leaf(): pass\n")
    (package / "other.py").write_text("")
    (package / "__init__.py").write_text(text)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from nscale_cli.service import lazy_types; lazy_types.install()\n"
        "import openai.types; print('__getattr__' in vars(openai.types))"
    )

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (process.stdout, process.stderr) == ("False\n", "")


@pytest.mark.slow
def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """The message is the one of any module; dir() and submodules work."""
    code = (
        "from nscale_cli.service import lazy_types; lazy_types.install()\n"
        "import openai.types as types\n"
        "assert 'Image' in dir(types)\n"
        "assert types.image.Image is types.Image\n"
        "from openai.types import *; assert Image is types.Image\n"
        "types.nothing\n"
    )

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    last = process.stderr.splitlines()[-1]
    assert last == "AttributeError: module 'openai.types' has no attribute 'nothing'"

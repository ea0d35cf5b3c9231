"""Frozen values, made without compiling code at each start.

A dataclass has its methods compiled when its module is loaded. A hundred of them are a good part
of what a Tab, a page of help or one image costs; here the methods are the same few for all.
"""

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import cache
from typing import Any, TypeVar, dataclass_transform

Kind = TypeVar("Kind")


@dataclass_transform(
    frozen_default=True, kw_only_default=True, eq_default=True, field_specifiers=(field,)
)
def frozen(cls: type[Kind]) -> type[Kind]:
    """Make `cls` a frozen, slotted dataclass whose fields are given by their names."""
    for name, method in _METHODS.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    make = dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=True, slots=True)
    return make(cls)


@cache
def _fields(kind: Any) -> tuple[Field[Any], ...]:
    """Return the fields of a kind, which `fields` would look for at each value."""
    return fields(kind)


def _init(self: Any, **given: Any) -> None:
    kind: Any = type(self)
    for each in _fields(kind):
        if each.name in given:
            content = given.pop(each.name)
        elif each.default is not MISSING:
            content = each.default
        elif each.default_factory is not MISSING:
            content = each.default_factory()
        else:
            raise TypeError(f"{type(self).__name__} needs {each.name}")
        object.__setattr__(self, each.name, content)
    if given:
        raise TypeError(f"{type(self).__name__} has no {', '.join(given)}")
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _contents(instance: Any) -> tuple[Any, ...]:
    kind: Any = type(instance)
    return tuple(getattr(instance, each.name) for each in _fields(kind) if each.compare)


def _equals(self: Any, other: object) -> bool:
    return bool(type(other) is type(self) and _contents(self) == _contents(other))


def _hash(self: Any) -> int:
    return hash(_contents(self))


def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, *_content: object) -> None:
    raise FrozenInstanceError(f"{name} of a {type(self).__name__} cannot be changed")


_METHODS = {
    "__init__": _init,
    "__eq__": _equals,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}

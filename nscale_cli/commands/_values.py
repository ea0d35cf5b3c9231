"""Options that travel together, as one value."""

import inspect
from typing import Any, Self, dataclass_transform


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Options:
    """A frozen value whose annotated fields are options; those of its base come first.

    It is no dataclass: the code of one is compiled at each start, and every Tab would wait for it.
    """

    def __init__(self, **given: Any) -> None:
        """Take the value of each option, or its default."""
        for name in self.fields():
            if name not in given and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs {name}")
            self.__dict__[name] = given.pop(name) if name in given else getattr(type(self), name)
        if given:
            raise TypeError(f"{type(self).__name__} has no {', '.join(given)}")

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: what the command line said stays as it is."""
        raise AttributeError(f"{name} cannot be set")

    def __eq__(self, other: object) -> bool:
        """Return whether each option has the same value."""
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        """Return what equal values share."""
        return hash(type(self))

    @classmethod
    def fields(cls) -> dict[str, Any]:
        """Return the annotation of each option by its name."""
        return {
            name: kind
            for each in reversed(cls.__mro__)
            for name, kind in inspect.get_annotations(each).items()
        }

    def but(self, **changes: Any) -> Self:
        """Return a copy in which these options have other values."""
        return type(self)(**{**self.__dict__, **changes})

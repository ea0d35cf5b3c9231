"""How a function becomes a command."""

import inspect
import typing
from typing import Annotated

import pytest
import typer

from nscale_cli.commands import _command, images_generate, images_show, models_list
from nscale_cli.commands._command import command
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal
from nscale_cli.values import frozen


@frozen
class Group:
    """Two options that travel together, and a field that is no option."""

    size: Annotated[str, typer.Option("--size")] = "1x1"
    sandbox: Annotated[bool, typer.Option("--sandbox")] = False
    other: int = 7


@frozen
class Groups:
    """A value within a value, and an option beside it."""

    group: Group
    count: Annotated[int, typer.Option("--count")] = 1


@command("quiet")
def example(
    environment: Environment,
    groups: Groups,
    first: Annotated[str, typer.Argument()],
    preview: Annotated[bool, typer.Option("--preview")] = False,
) -> tuple[object, ...]:
    """Return what it was given."""
    return environment, groups, first, preview


@pytest.fixture
def environment() -> Environment:
    """An environment without streams."""
    return Environment(terminal=Terminal(stdin=None, stdout=None, stderr=None, env={}))


def run(environment: Environment, *words: str) -> object:
    """Run the example as Typer would."""
    app = typer.Typer(rich_markup_mode=None)
    app.command()(example)
    return app(words, obj=environment, standalone_mode=False)


def test_options_of_a_value_reach_the_function_as_that_value(environment: Environment) -> None:
    """Given or not; and the environment with them."""
    assert run(environment, "fox", "--size", "2x2", "--count", "3") == (
        environment,
        Groups(group=Group(size="2x2", sandbox=False), count=3),
        "fox",
        False,
    )


@pytest.mark.parametrize("words", [[], ["--quiet"]])
def test_verbosity_is_heeded_before_the_function_runs(
    environment: Environment, words: list[str]
) -> None:
    """No command has to."""
    run(environment, "fox", *words)

    assert environment.terminal.quiet is bool(words)


def test_each_help_lists_the_options_in_one_order() -> None:
    """What is the command's own comes first."""
    assert list(inspect.signature(example).parameters) == [
        *("context", "first", "size", "count", "preview", "sandbox", "quiet")
    ]


@pytest.mark.parametrize(
    "function", [images_generate.generate, images_show.show, models_list.list_models]
)
def test_every_shared_option_has_its_place(function: object) -> None:
    """An option of a value that is not in the order would stand before the arguments."""
    own = {"context", "prompt", "files", "everything", "sort"}
    shared = set(inspect.signature(function).parameters) - own  # type: ignore[arg-type]

    assert shared <= set(_command._ORDER)
    assert all(typing.get_origin(each) for each in _command._VERBOSITY.values())

"""How a function becomes a command: values of options are spread out on the command line."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

import typer

from nscale_cli.terminal.context import Environment

_KIND = inspect.Parameter.KEYWORD_ONLY  # which may stand in any order
_NONE = inspect.Parameter.empty
_ARGUMENT = type(typer.Argument())
# Every help lists what is its command's own first, and then these, whatever value they are of.
_ORDER = (
    *("file", "models", "sizes", "model", "size", "vary", "samples", "count", "prompts_file"),
    *("output", "fresh", "max_images", "jobs", "name_template", "row_format", "limit"),
    *("rows", "columns", "cell", "title", "no_sheet", "no_page", "embed", "blind", "baseline"),
    *("unique", "shard", "dask", "redo", "retry_refused", "fail_fast", "keep_going"),
    *("open_viewer", "preview", "preview_style"),
    *("preview_width", "api_key", "api_key_file", "prompt_file", "base_url", "profile", "profiles"),
    *("sandbox", "param", "timeout", "retry", "retry_billed", "max_cost", "force"),
    *("skip_existing", "dry_run", "metadata", "no_history"),
    *("as_lines", "as_json", "quiet", "debug"),
)
_VERBOSITY = {
    "as_json": Annotated[
        bool, typer.Option("--json", help="Write one JSON document to stdout, on failure too.")
    ],
    "quiet": Annotated[
        bool, typer.Option("-q", "--quiet", help="Write nothing to stderr but errors.")
    ],
    "debug": Annotated[
        bool, typer.Option("--debug", help="Say on stderr what happens, step by step.")
    ],
}


def command(*verbosity: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a command of a function; Typer sees the options of which it takes the values.

    The Environment, and Typer's context, are given where they are asked for. The options of
    `verbosity` are added, and heeded here.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        taken = inspect.signature(function).parameters
        options = [option for each in taken.values() for option in _options_of(each)]
        options += [_option(name, _VERBOSITY[name], default=False) for name in verbosity]

        def run(context: typer.Context, **values: Any) -> Any:
            context.obj.invocation.given = values
            _heed({name: values[name] for name in verbosity}, context.obj)
            given = {
                name: _value_of(name, each.annotation, context, values)
                for name, each in taken.items()
            }
            return function(**given)

        parameters = [_option("context", typer.Context), *sorted(options, key=_place)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return run

    return decorate


def _options_of(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """Yield what stands on the command line for `parameter`: itself, or its value's fields."""
    kind = parameter.annotation
    if _is_option(kind):
        yield parameter.replace(kind=_KIND)
    elif is_dataclass(kind) and kind is not Environment:
        for each in fields(kind):
            default = _NONE if each.default is MISSING else each.default
            yield from _options_of(_option(each.name, each.type, default=default))


def _is_option(kind: Any) -> bool:
    return get_origin(kind) is Annotated


def _value_of(name: str, kind: Any, context: typer.Context, values: Mapping[str, Any]) -> Any:
    """Return what is given for a parameter or a field; one that is no option has its default."""
    if kind is typer.Context:
        return context
    if kind is Environment:
        return context.obj
    if _is_option(kind):
        return values[name]
    own = (each for each in fields(kind) if _is_option(each.type) or is_dataclass(each.type))
    return kind(**{each.name: _value_of(each.name, each.type, context, values) for each in own})


def _option(name: str, annotation: Any, *, default: object = _NONE) -> inspect.Parameter:
    return inspect.Parameter(name, _KIND, default=default, annotation=annotation)


def _place(parameter: inspect.Parameter) -> int:
    """Return where an option stands; arguments are first, in the function's own order."""
    is_argument = any(isinstance(each, _ARGUMENT) for each in get_args(parameter.annotation))
    known = parameter.name in _ORDER and not is_argument
    return _ORDER.index(parameter.name) if known else -1


def _heed(wanted: dict[str, bool], environment: Environment) -> None:
    environment.terminal.quiet = wanted.get("quiet", False)
    environment.terminal.debugging = wanted.get("debug", False)
    environment.invocation.as_json = wanted.get("as_json", False)

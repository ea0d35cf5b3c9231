"""All that the program can do, as data: read off the command tree and the tables behind it."""

import re
from collections.abc import Iterator
from typing import Any

from nscale_cli import __version__
from nscale_cli.commands._words import paths_below
from nscale_cli.config.table import KEY_OPTIONS, KEY_VARIABLES, SETTINGS, VARIABLES
from nscale_cli.errors import ExitCode
from nscale_cli.output.schema import data_schemas

_TYPES = {"int": "integer", "float": "number", "boolean": "switch"}
_BY_OPTION = {row.option: row for row in SETTINGS.values() if row.option}
_OWN_DEFAULT = re.compile(r"; default: ([a-z]+)\]$")
_NOTES = re.compile(r" *\[(env|default|required)\b[^\]]*\]$")
_EXAMPLES = re.compile(r"(?ms)^ *Examples:\n(?P<lines>.*?)(?:^\s*$|\Z)")
Path = tuple[str, ...]


def reference(root: Any, asked: Path = ()) -> dict[str, object]:
    """Return the commands (those that begin with `asked`), the exit codes and the variables.

    `root` is Typer's context of the program.
    """
    found = [(path, context) for path, context in paths_below(root) if path[: len(asked)] == asked]
    return {
        "program": "nscale",
        "version": __version__,
        "commands": [_command(path, context) for path, context in found],
        "exit_codes": [
            {
                "code": code.value,
                "name": code.label,
                "billed": code.billed,
                "meaning": code.meaning,
            }
            for code in ExitCode
        ],
        "variables": [
            {"name": name, "meaning": meaning}
            for names, meaning in VARIABLES.items()
            for name in names.split(", ")
        ],
    }


def examples_in(text: str) -> list[str]:
    """Return the examples of a help text as one types them: a continued line is one."""
    section = _EXAMPLES.search(text)
    lines = re.sub(r"\\\n *", "", section["lines"] if section else "").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _command(path: Path, context: Any) -> dict[str, object]:
    command = context.command
    text = (command.help or "").replace("\b\n", "")
    parameters = list(_parameters(command.get_params(context)))
    options = [each for kind, each in parameters if kind == "option"]
    has_json = any("--json" in str(option["flags"]) for option in options)
    return {
        "command": " ".join(path),
        "usage": context.get_usage().removeprefix("Usage: "),
        "summary": text.partition("\n")[0],
        "help": text.rstrip(),
        "examples": examples_in(text),
        "group": hasattr(command, "commands"),
        "arguments": [each for kind, each in parameters if kind == "argument"],
        "options": options,
        "json": has_json,
        "data": data_schemas().get(" ".join(path)) if has_json else None,
    }


def _parameters(parameters: list[Any]) -> Iterator[tuple[str, dict[str, object]]]:
    for parameter in parameters:
        if getattr(parameter, "hidden", False):
            continue
        meaning = _NOTES.sub("", " ".join((getattr(parameter, "help", None) or "").split()))
        repeatable = parameter.nargs == -1 or getattr(parameter, "multiple", False)
        if parameter.param_type_name == "argument":
            yield (
                "argument",
                {
                    "name": (parameter.metavar or parameter.name).removesuffix("..."),
                    "required": parameter.required,
                    "repeatable": repeatable,
                    "meaning": meaning,
                },
            )
            continue
        yield "option", _option(parameter, meaning, repeatable=repeatable)


def _option(parameter: Any, meaning: str, *, repeatable: bool) -> dict[str, object]:
    setting = next((_BY_OPTION[flag] for flag in parameter.opts if flag in _BY_OPTION), None)
    default = setting.default if setting else parameter.default
    if own := _OWN_DEFAULT.search(parameter.help or ""):  # where a command has one of its own
        default = own[1]
    variables = [setting.variable] if setting and setting.variable else []
    if set(parameter.opts) & set(KEY_OPTIONS):
        variables = list(KEY_VARIABLES)
    is_value = isinstance(default, str | int | float)
    return {
        "flags": sorted(parameter.opts, key=lambda flag: (len(flag), flag)),
        "value": None if parameter.is_flag else parameter.metavar or parameter.name.upper(),
        "type": "switch" if parameter.is_flag else _TYPES.get(parameter.type.name, "text"),
        "repeatable": repeatable,
        "default": default if is_value else None,
        "variables": variables,
        "meaning": meaning,
    }

"""Write what is generated from the code: scripts, manual pages, a schema, blocks in Markdown.

    python tools/generate.py            rewrite what is out of date
    python tools/generate.py --check    only compare; exit 1 if something is out of date

A block stands between `<!-- generated: NAME -->` and `<!-- end generated -->`: see BLOCKS.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import typer
from man_pages import man_pages

from nscale_cli.app import build_app
from nscale_cli.commands._reference import reference
from nscale_cli.commands.completion import FILE_NAMES, SCRIPTS
from nscale_cli.config.table import SETTINGS, VARIABLES, Setting
from nscale_cli.errors import ExitCode
from nscale_cli.output.schema import document_schema

ROOT = Path(__file__).resolve().parent.parent
HELP_COLUMNS = 80
_END = "<!-- end generated -->"
_MARKER = re.compile(r"<!-- (?:end )?generated\b")
_BLOCK = re.compile(rf"(?ms)^(?P<start><!-- generated: (?P<name>[^\n]*) -->)$.*?^{_END}$")


class Mistake(Exception):
    """The markers of a Markdown file do not make sense."""


def main() -> int:
    """Write or check every generated file; return the exit code."""
    parser = argparse.ArgumentParser(description="Write what is generated from the code.")
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    try:
        stale = [(path, text) for path, text in generated(ROOT) if _read(path) != text]
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 1
    for path, text in stale:
        name = path.relative_to(ROOT).as_posix()
        if check:
            print(f"{name} is out of date: run make docs", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{name} is written")
    return 1 if check and stale else 0


def generated(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each generated file under `root`, with the text that it should have."""
    for shell, name in FILE_NAMES.items():
        yield root / "completions" / name, f"{SCRIPTS[shell]}\n"
    for name, page in man_pages(reference(_context())):
        yield root / "man" / name, page
    schema = json.dumps(document_schema(), indent=2)
    yield root / "docs" / "nscale.schema.json", f"{schema}\n"
    agent = root / "nscale_cli" / "commands" / "agent.md"
    if (text := _read(agent)) is not None:
        filled = fill(text, page=agent.name)
        yield agent, filled
        yield root / "SKILL.md", filled
    for page in [root / "README.md", *sorted((root / "docs").glob("**/*.md"))]:
        text = _read(page)
        if text is not None:
            yield page, fill(text, page=page.name)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def fill(text: str, *, page: str) -> str:
    """Return the Markdown `text` with its blocks renewed; raise Mistake naming `page`."""
    names = [block["name"] for block in _BLOCK.finditer(text)]
    if len(_MARKER.findall(text)) != 2 * len(names):
        raise Mistake(f"{page}: each generated block needs a marker at its start and at its end")
    for name in names:
        if name not in BLOCKS:
            raise Mistake(f"{page}: no block is called {name!r}; there are {', '.join(BLOCKS)}")
    return _BLOCK.sub(
        lambda block: f"{block['start']}\n\n{BLOCKS[block['name']]()}\n\n{_END}", text
    )


def options() -> str:
    """Return the table of the argument and the options of `nscale images generate`."""
    context = _context("images", "generate")
    parameters = context.command.get_params(context)
    records = [parameter.get_help_record(context) for parameter in parameters]
    # Typer names an argument with its type: PROMPT <str>.
    rows = [
        (_code(names.partition(" <")[0]), _text(meaning))
        for names, meaning in filter(None, records)
    ]
    return _table(("option", "meaning"), rows)


def environment() -> str:
    """Return the table of the environment variables."""
    rows = [
        (", ".join(_code(name) for name in names.split(", ")), _text(meaning))
        for names, meaning in VARIABLES.items()
    ]
    return _table(("variable", "meaning"), rows)


def settings() -> str:
    """Return the table of what can stand in the settings file."""
    rows = [
        (
            _code(each.name),
            _places(each),
            each.kind.value,
            _code(each.variable) if each.variable else "",
            "" if each.default is None else _code(_toml(each.default)),
            _text(each.summary),
        )
        for each in SETTINGS.values()
        if each.in_file or each.in_profile
    ]
    return _table(("setting", "where", "value", "variable", "default", "meaning"), rows)


def _places(setting: Setting) -> str:
    if setting.in_file:
        return "everywhere" if setting.in_profile else "outside profiles"
    return "profiles"


def _toml(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def exit_codes() -> str:
    """Return the table of the exit codes."""
    rows = [(f"{c.value}", _code(c.label), c.billed, _text(c.meaning)) for c in ExitCode]
    return _table(("code", "name", "billed", "meaning"), rows)


def program_help() -> str:
    """Return what `nscale --help` prints, as a block of code."""
    return f"```text\n{_context().get_help().rstrip()}\n```"


def _context(*names: str) -> typer.Context:
    """Return the context in which Typer describes the command of these `names`."""
    command = typer.main.get_command(build_app())
    settings = {"resilient_parsing": True, "terminal_width": HELP_COLUMNS}
    context = command.make_context("nscale", [], **settings)
    for name in names:
        _, command, _ = command.resolve_command(context, [name])
        context = command.make_context(name, [], parent=context, **settings)
    return context


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _text(text: str) -> str:
    """Return `text` as Markdown for one cell; an address is not to become a link."""
    escaped = re.sub(r"[|<*\\]", r"\\\g<0>", " ".join(text.split()))
    return re.sub(r"https?://[^\s\],;]+", r"`\g<0>`", escaped)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "options": options,
    "environment": environment,
    "settings": settings,
    "exit-codes": exit_codes,
    "help": program_help,
}


if __name__ == "__main__":
    sys.exit(main())

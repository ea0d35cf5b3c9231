"""Command lines that are not quite right: what was meant, and the words to type instead."""

from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from nscale_cli.config.table import KEY_OPTIONS
from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt

# What many tools have as options, and servers take (or ignore) as fields of the request.
_FIELDS = ("seed", "negative_prompt", "steps", "quality", "style")
_WITH_FIELDS = {
    "images generate": "--param {}=VALUE",
    "images batch": "--param {}=VALUE",
    "images compare": "--vary {}=V1,V2, or --param {}=VALUE",
}
_MAX_HINT = 300
_MAX_NAMED = 8
Path = tuple[str, ...]


class Command(TyperCommand):
    """A command; the run knows its name before its words are parsed, which may fail."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Parse the words."""
        asked = not extra.get("resilient_parsing")
        if asked and parent is not None and parent.obj is not None:
            parent.obj.invocation.command = command_of(f"{parent.command_path} {info_name}")
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; raise UsageError for more arguments than there are."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, list(args))
        if rest and not ctx.resilient_parsing:
            raise _too_many(ctx, args)
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the names of the arguments; braces are for choices, of which there are none."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class Group(TyperGroup):
    """Commands of one kind; a name that is none of theirs brings the nearest one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words name, and the rest of them; raise UsageError."""
        if not ctx.resilient_parsing and args and self.get_command(ctx, args[0]) is None:
            raise _unknown(ctx, args)
        return super().resolve_command(ctx, args)


def command_of(path: str) -> str:
    """Return a command's name without the program's."""
    return path.partition(" ")[2]


def hint_for(option: str, command: str) -> str:
    """Return what to do about an option that a command does not have, or not so."""
    field = option.lstrip("-").replace("-", "_")
    if field in _FIELDS and command in _WITH_FIELDS:
        asked = _WITH_FIELDS[command].replace("{}", field)
        return f"it may be a field of the request: {asked}"
    return f"see {' '.join(['nscale', *command.split()])} --help"


def paths_below(context: Any, before: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the words that lead to each command below a group, and its context."""
    for name in getattr(context.command, "list_commands", lambda _: ())(context):
        _, command, _ = context.command.resolve_command(context, [name])
        inner = command.make_context(
            name, [], parent=context, resilient_parsing=True, terminal_width=context.terminal_width
        )
        yield (*before, name), inner
        yield from paths_below(inner, (*before, name))


def _unknown(context: Any, words: list[str]) -> UsageError:
    group = tuple(command_of(context.command_path).split())
    if context.obj is not None:
        context.obj.invocation.command = " ".join(group)
    shown = excerpt(words[0], 40)
    if words[0].startswith("-"):
        return UsageError(f"no such option: {shown}", hint=f"see {context.command_path} --help")
    hint = did_you_mean(context.find_root(), (*group, words[0]), after=_again(words[1:]))
    return UsageError(
        f"no such command {shown!r}", hint=hint or f"see {context.command_path} --help"
    )


def did_you_mean(root: Any, typed: Path, *, before: str = "nscale ", after: str = "") -> str | None:
    """Return the hint that names the command nearest to `typed`, or None where none is near."""
    found = _nearest([path for path, _ in paths_below(root)], typed)
    return f"did you mean: {before}{' '.join((*found, after)).rstrip()}" if found else None


def _nearest(paths: Sequence[Path], typed: Path) -> Path | None:
    """Return the command that `typed` is short for, or a slip of, or the end of; else None."""
    word = typed[-1].lower()
    rules = (
        lambda path: path[:-1] == typed[:-1] and path[-1].startswith(word),
        lambda path: path[-1] == word,
        lambda path: path[-1].startswith(word),
    )
    for rule in rules:
        if found := next(filter(rule, paths), None):
            return found
    names = {" ".join(path): path for path in paths}
    import difflib  # which nobody needs who types what there is

    close = difflib.get_close_matches(" ".join(typed).lower(), names, n=1, cutoff=0.7)
    return names[close[0]] if close else None


def _too_many(context: Any, words: list[str]) -> UsageError:
    surplus = list(context.args)
    if context.params.get("prompt") is None:
        named = ", ".join(repr(excerpt(word, 40)) for word in surplus[:_MAX_NAMED])
        return UsageError(
            f"unexpected argument{'s' if len(surplus) > 1 else ''} {named}",
            hint=f"see {context.command_path} --help",
        )
    pieces = [str(context.params["prompt"]), *surplus]
    others = _without([word for word in words if word != "--"], pieces)
    prompt = _quoted(" ".join(pieces))
    shown = prompt if len(prompt) <= _MAX_HINT else '"..."'
    again = f"{context.command_path} {shown} {_again(others)}"
    return UsageError(
        f"the prompt is one argument, and {len(pieces)} were given",
        hint=f"quote the prompt: {again.rstrip()}",
    )


def _without(words: list[str], pieces: Sequence[str]) -> list[str]:
    for piece in pieces:
        if piece in words:
            words.remove(piece)
    return words


def _quoted(prompt: str) -> str:
    """Return a prompt in quotes: in the double ones that every shell knows, where they do."""
    import shlex

    return shlex.quote(prompt) if any(c in prompt for c in '"$`\\!') else f'"{prompt}"'


def _again(words: Sequence[str]) -> str:
    """Return words as they are to be typed, without a key that is among them."""
    shown: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        hidden = before in KEY_OPTIONS
        if word.startswith("--api-key="):
            shown.append('--api-key="$NSCALE_API_KEY"')
        elif word.startswith("-a") and len(word) > len("-a"):
            shown.append('-a "$NSCALE_API_KEY"')
        else:
            shown.append('"$NSCALE_API_KEY"' if hidden else _word(word))
    text = " ".join(shown)
    return text if len(text) <= _MAX_HINT else ""


def _word(word: str) -> str:
    import shlex

    return _quoted(word) if " " in word else shlex.quote(word)

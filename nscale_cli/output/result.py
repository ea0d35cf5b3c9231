"""What a command came to, and the one place that writes it: as lines, or as a JSON document."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import ClassVar

from nscale_cli.errors import Billed, ExitCode, NscaleError
from nscale_cli.redact import Redactor
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal
from nscale_cli.values import frozen

JSON_VERSION = 1
_BILLED_SENTENCES = {
    Billed.NO: "Nothing was billed.",
    Billed.MAYBE: "The image may have been made, and billed.",
    Billed.YES: "The request was billed.",
}
# Where nothing can have been paid for, a sentence about the bill would only be noise.
_PLAIN_CODES = (ExitCode.USAGE, ExitCode.STDOUT_FAILED)
NO_IMAGES: Mapping[str, object] = {
    **dict.fromkeys(("model", "prompt", "size", "count", "params", "base_url", "created_at")),
    **dict.fromkeys(("request_id", "elapsed_seconds", "cost_usd")),
    "images": [],
    "kept": [],
}
NO_RUN: Mapping[str, object] = {
    **dict.fromkeys(("run", "rows", "cost_usd", "estimate_usd", "stopped_by")),
    "images": [],
    "kept": [],
    **dict.fromkeys(("sheet", "page")),
}
_NOTHING: Mapping[str, Mapping[str, object]] = {
    "images generate": NO_IMAGES,
    "images rerun": NO_IMAGES,
    "images batch": NO_RUN,
    "images resume": NO_RUN,
    "images compare": NO_RUN,
}


class Result:
    """What a command came to. Each command's own kind says what of it is told, and where."""

    __slots__ = ()
    command: ClassVar[str]  # its path, such as `images generate`
    answer_first: ClassVar[bool] = False  # whether the answer explains the errors

    @property
    def errors(self) -> Sequence[NscaleError]:
        """What went wrong with it, or with parts of it."""
        return ()

    @property
    def untold(self) -> Sequence[NscaleError]:
        """The errors that nobody has heard of yet."""
        return self.errors

    @property
    def only_noted(self) -> Sequence[NscaleError]:
        """The errors that notes tell of: said where the user wants no notes."""
        return ()

    def bill(self, error: NscaleError) -> str:
        """Return what is said of an error's cost."""
        return bill_of(error)

    def facts(self, error: NscaleError) -> Mapping[str, object]:
        """Return what a script is told of an error besides the error itself."""
        del error
        return {}

    @property
    def exit_code(self) -> ExitCode:
        """The first error's code, or OK."""
        return self.errors[0].code if self.errors else ExitCode.OK

    @property
    def partial(self) -> bool:
        """Whether there is something of use in spite of the errors."""
        return False

    @property
    def crash(self) -> Exception | None:
        """What the code did not foresee, where there is a result all the same."""
        return None

    def notes(self) -> Iterable[str]:
        """Return what is said on stderr before the answer."""
        return ()

    def warnings(self) -> Iterable[str]:
        """Return what is warned of on stderr."""
        return ()

    def lines(self) -> Iterable[str]:
        """Return the answer for a person, to be written to stdout."""
        return ()

    def remarks(self) -> Iterable[str]:
        """Return what is said on stderr below the answer for a person."""
        return ()

    def data(self) -> Mapping[str, object]:
        """Return the answer for a script: `data` of the JSON document."""
        return {}

    def show(self, environment: Environment) -> None:
        """Show a person what is safe, once everything else is written."""

    def finish(self) -> None:
        """Do what nobody waits for, also where the answer could not be written."""


@frozen
class Done(Result):
    """A command that did as it was told, and has no answer."""

    said: Sequence[str] = ()
    warned: Sequence[str] = ()

    def notes(self) -> Sequence[str]:
        """Say what was done."""
        return self.said

    def warnings(self) -> Sequence[str]:
        """Warn of what stands in its way."""
        return self.warned


@frozen
class Page(Result):
    """A text that was asked for."""

    text: str

    def lines(self) -> Sequence[str]:
        """Return the text as it is."""
        return [self.text]


@frozen
class Failure(Result):
    """A command that failed before it had a result."""

    command: str  # type: ignore[misc]  # the one kind that stands for any command
    error: NscaleError
    known: Mapping[str, object] = field(default_factory=dict)

    @property
    def errors(self) -> Sequence[NscaleError]:
        """The one error."""
        return [self.error]

    def data(self) -> Mapping[str, object]:
        """Return the fields that a script may rely on: what was asked for, else empty."""
        fields = _NOTHING.get(self.command, {})
        return {name: self.known.get(name, value) for name, value in fields.items()}


def report(result: Result, terminal: Terminal, *, as_json: bool) -> None:
    """Tell what happened on stderr, and write the answer to stdout."""
    for text in result.notes():
        terminal.note(text)
    for text in result.warnings():
        terminal.warn(text)
    if result.answer_first:
        _answer(result, terminal, as_json=as_json)
    for error in [*result.untold, *(result.only_noted if terminal.quiet else ())]:
        report_error(error, terminal, bill=result.bill(error))
    if not result.answer_first:
        _answer(result, terminal, as_json=as_json)
    for text in () if as_json else result.remarks():
        terminal.note(text)


def _answer(result: Result, terminal: Terminal, *, as_json: bool) -> None:
    text = _document(result, terminal.redactor) if as_json else "\n".join(result.lines())
    if text:
        terminal.answer(text)


def _document(result: Result, redactor: Redactor) -> str:
    """Return the one JSON document, also of what failed; keys are hidden in what went wrong."""
    data, errors = result.data(), result.errors
    return json.dumps(
        {
            "version": JSON_VERSION,
            "command": result.command,
            "status": ("partial" if result.partial else "error") if errors else "ok",
            "data": data,
            "errors": [{**result.facts(each), **_error_data(each, redactor)} for each in errors],
        }
    )


def _error_data(error: NscaleError, redactor: Redactor) -> dict[str, object]:
    redact = redactor.redact
    return {
        "code": error.code.label,
        "message": redact(error.message),
        "hint": redact(error.hint) if error.hint else None,
        "billed": error.billed.value,
        "http_status": error.http_status,
        "request_id": redact(error.request_id) if error.request_id else None,
    }


def readable(content: object, *, indent: int | None = None) -> str:
    """Return `content` as JSON in its own script, but for what a terminal could act on."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text
    )


def bill_of(error: NscaleError) -> str:
    """Return a sentence on whether what failed has cost anything, or nothing where that is idle."""
    return "" if error.code in _PLAIN_CODES else _BILLED_SENTENCES[error.billed]


def report_error(error: NscaleError, terminal: Terminal, *, bill: str | None = None) -> None:
    """Say on stderr what failed, whether it cost anything, and what to do next."""
    message = error.message if error.message.endswith("...") else error.message.rstrip(".")
    bill = bill_of(error) if bill is None else bill
    if bill:
        stop = "" if message.endswith("...") else "."
        message = f"{message}{stop} {bill}"
    terminal.say(message, label="error", style="red")
    if error.request_id:
        terminal.say(error.request_id, label="request id", style="dim")
    if error.hint:
        terminal.say(error.hint, label="hint", style="bold")

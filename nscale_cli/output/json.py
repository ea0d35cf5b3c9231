"""The one JSON document that a command answers with: its envelope, the same for all."""

import json
from collections.abc import Callable, Mapping, Sequence

from nscale_cli.errors import NscaleError
from nscale_cli.redact import Redactor

JSON_VERSION = 1


def document(
    command: str,
    data: Mapping[str, object],
    errors: Sequence[NscaleError],
    redactor: Redactor,
    *,
    partial: bool = False,
    facts: Callable[[NscaleError], Mapping[str, object]] = lambda _: {},
) -> str:
    """Return the document, also of a command that failed; keys are hidden in what went wrong.

    `facts` returns what else there is to say of an error.
    """
    return json.dumps(
        {
            "version": JSON_VERSION,
            "command": command,
            "status": ("partial" if partial else "error") if errors else "ok",
            "data": data,
            "errors": [{**facts(error), **_error_data(error, redactor)} for error in errors],
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

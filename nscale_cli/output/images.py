"""From results to what the user sees: lines on stderr, paths or one JSON document on stdout."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.errors import Billed, ExitCode, NscaleError
from nscale_cli.jobs.result import GenerateResult
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest, SavedImage
from nscale_cli.service.prices import cost_usd, dollars
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.streams import Terminal

if TYPE_CHECKING:
    from nscale_cli.jobs.dry_run import Plan

JSON_VERSION = 1
_BILLED_SENTENCES = {
    Billed.NO: "Nothing was billed.",
    Billed.MAYBE: "The image may have been made, and billed.",
    Billed.YES: "The request was billed.",
}
# Where nothing can have been paid for, a sentence about the bill would only be noise.
_PLAIN_CODES = (ExitCode.BUG, ExitCode.USAGE, ExitCode.STDOUT_FAILED)


def report_generated(result: GenerateResult, terminal: Terminal, *, as_json: bool) -> None:
    """Tell what was saved and what failed, then write the answer to stdout."""
    for image in result.images:
        terminal.note(_saved_line(image, result))
    for problem in result.problems:
        report_problem(problem, terminal)
    if as_json:
        _write_json(_generated_document(result, terminal), terminal)
        return
    for image in result.images:
        if image.path is not None:
            terminal.answer(str(image.path))


def report_problem(error: NscaleError, terminal: Terminal) -> None:
    """Say on stderr what failed, whether it cost anything, and what to do next."""
    message = error.message if error.message.endswith("...") else error.message.rstrip(".")
    if error.code not in _PLAIN_CODES:
        stop = "" if message.endswith("...") else "."
        message = f"{message}{stop} {_BILLED_SENTENCES[error.billed]}"
    terminal.say(message, label="error", style="red")
    if error.request_id:
        terminal.say(error.request_id, label="request id", style="dim")
    if error.hint:
        terminal.say(error.hint, label="hint", style="bold")


def report_failure(error: NscaleError, terminal: Terminal, *, command: str | None) -> None:
    """Report a command that failed before it had a result.

    `command` is its name where the user asked for JSON, and None where not.
    """
    report_problem(error, terminal)
    if command is not None:
        data = _request_data(None) if command == "images generate" else {}
        write_document(command, data, [error], terminal)


def report_plan(plan: "Plan", terminal: Terminal, *, as_json: bool) -> None:
    """Write what a dry run found out."""
    if as_json:
        data = _request_data(plan.request) | {
            "dry_run": True,
            "cost_usd": plan.cost_usd,
            "url": plan.url,
            "body": plan.request.body,
            "paths": [text_of(Path(path)) for path in plan.paths],
        }
        write_document("images generate", data, [], terminal)
        return
    terminal.answer(f"POST {plan.url}")
    terminal.answer(f"Authorization: Bearer [hidden, from {excerpt(plan.key_source)}]")
    terminal.answer(json.dumps(plan.request.body, indent=2))
    for path in plan.paths:
        terminal.answer(f"would save {path}")
    terminal.answer(f"price: {_price(plan)}")


def _price(plan: "Plan") -> str:
    if plan.cost_usd is None:
        return f"unknown ({plan.price_unknown_because})"
    return f"about ${dollars(plan.cost_usd)}, from the price list of {plan.host}"


def envelope(
    command: str,
    data: Mapping[str, object],
    errors: Sequence[NscaleError],
    terminal: Terminal,
    *,
    partial: bool = False,
) -> dict[str, object]:
    """Return the JSON document that every command answers with, also when it fails."""
    redact = terminal.redactor.redact
    return {
        "version": JSON_VERSION,
        "command": command,
        "status": ("partial" if partial else "error") if errors else "ok",
        "data": data,
        "errors": [
            {
                "code": error.code.label,
                "message": redact(error.message),
                "hint": redact(error.hint) if error.hint else None,
                "billed": error.billed.value,
                "http_status": error.http_status,
                "request_id": redact(error.request_id) if error.request_id else None,
            }
            for error in errors
        ],
    }


def _generated_document(result: GenerateResult, terminal: Terminal) -> dict[str, object]:
    data = _request_data(result.request)
    data["elapsed_seconds"] = round(result.elapsed_seconds, 3)
    data["cost_usd"] = result.cost_usd
    data["images"] = [_image_data(image) for image in result.images]
    partial = bool(result.images)
    return envelope("images generate", data, result.problems, terminal, partial=partial)


def _request_data(request: ImageRequest | None) -> dict[str, object]:
    return {
        "model": request.model if request else None,
        "prompt": request.prompt if request else None,
        "size": str(request.size) if request else None,
        "count": request.count if request else None,
        "elapsed_seconds": None,
        "cost_usd": None,
        "images": [],
    }


def _image_data(image: SavedImage) -> dict[str, object]:
    return {
        "path": text_of(image.path) if image.path else None,
        "format": image.format,
        "width": image.size.width if image.size else None,
        "height": image.size.height if image.size else None,
        "bytes": image.byte_count,
        "sha256": image.sha256,
    }


def _saved_line(image: SavedImage, result: GenerateResult) -> str:
    asked = result.request.size
    name = text_of(Path(image.path.name)) if image.path else "standard output"
    size = str(image.size) if image.size else "size unknown"
    if image.size and image.size != asked:
        size += f" (asked for {asked})"
    facts = (size, image.format.upper(), _amount(image.byte_count))
    cost = cost_usd(result.usd_per_megapixel, [image.size])
    about = "" if cost is None else f"  about ${dollars(cost)}"
    return f"saved {name}  {'  '.join(facts)}  {result.elapsed_seconds:.1f} s{about}"


def _amount(byte_count: int) -> str:
    if byte_count < 1000:
        return f"{byte_count} B"
    if byte_count < 1_000_000:
        return f"{byte_count / 1000:.0f} kB"
    return f"{byte_count / 1_000_000:.1f} MB"


def write_document(
    command: str,
    data: Mapping[str, object],
    errors: Sequence[NscaleError],
    terminal: Terminal,
) -> None:
    """Write the one JSON document of a command to stdout."""
    _write_json(envelope(command, data, errors, terminal), terminal)


def _write_json(document: dict[str, object], terminal: Terminal) -> None:
    terminal.answer(json.dumps(document))

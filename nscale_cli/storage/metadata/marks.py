"""Marks of ours in image files: where a picture came from, beside its pixels, for who wants it.

They never hold a key, a user's name, a path, or the name of this machine.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from nscale_cli import __version__
from nscale_cli.connection import is_loopback
from nscale_cli.redact import clean
from nscale_cli.storage.metadata import png, xmp
from nscale_cli.storage.metadata.blocks import XMP_KEYWORD, CannotHold
from nscale_cli.storage.metadata.formats import format_of, read_blocks
from nscale_cli.values import frozen

TOOL = f"nscale {__version__}"
ORIGINAL_SHA256 = (xmp.OURS, "OriginalSHA256")
PROMPT_INFORMATION = (xmp.IPTC, "AIPromptInformation")
SIDECAR_SUFFIX = ".json"
_SIDECAR_VERSION = 1
_OURS_IN_PARAMETERS = "Version: nscale "
# What the web UI calls a field, and what servers do.
_PARAMETER_NAMES = (
    ("Steps", ("steps", "num_inference_steps")),
    ("CFG scale", ("guidance_scale", "cfg_scale", "guidance")),
    ("Seed", ("seed",)),
)


@frozen
class Origin:
    """What made an image: the request's body as it was sent, when, and to which host."""

    body: Mapping[str, object]
    host: str
    created_at: datetime


@frozen
class Stripped:
    """A file without marks of ours. `is_original` is None where they did not say what was."""

    data: bytes
    is_original: bool | None


def public_host(host: str) -> str:
    """Return the name of a service's host, unless it is the name of this machine."""
    import socket

    own = socket.gethostname().lower()
    name = host.lower().rstrip(".")
    is_own = is_loopback(name) or name in (own, own.partition(".")[0], f"{own}.local")
    return "localhost" if is_own else name


def embedded(data: bytes, origin: Origin, mode: str) -> bytes:
    """Return the file with its marks (`mark` or `full`); raise CannotHold if it cannot have any.

    Its pixels, and all that was in it, are the same bytes as before.
    """
    full, image_format = mode == "full", format_of(data)
    if image_format is None:
        raise CannotHold("it is neither PNG, JPEG nor WebP")
    packet = xmp.packet(_properties(origin, hashlib.sha256(data).hexdigest(), full=full))
    parameters = _parameters(origin.body) if full else None
    return image_format.insert(data, packet, parameters)


def sidecar(data: bytes, origin: Origin, *, with_request: bool) -> bytes:
    """Return the file that goes beside an image, in place of marks in it."""
    document: dict[str, object] = {
        "version": _SIDECAR_VERSION,
        "tool": TOOL,
        "digital_source_type": xmp.MADE_BY_A_MODEL,
        "model": origin.body.get("model"),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    if with_request:
        document["created_at"] = origin.created_at.astimezone(UTC).isoformat(timespec="seconds")
        document |= _request(origin)
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def stripped(data: bytes) -> Stripped:
    """Return the file without marks of ours, and whether that is what the service sent."""
    image_format = format_of(data)
    candidates = image_format.without(data, _is_ours) if image_format else [data]
    original = xmp.properties_of(read_blocks(data).xmp or b"").get(ORIGINAL_SHA256)
    if original is None:
        return Stripped(data=candidates[0], is_original=None)
    for candidate in candidates:
        if hashlib.sha256(candidate).hexdigest() == original:
            return Stripped(data=candidate, is_original=True)
    return Stripped(data=candidates[0], is_original=False)


def is_our_parameters(text: str) -> bool:
    """Return whether we wrote this text of `parameters`."""
    return _OURS_IN_PARAMETERS in text.rpartition("\n")[2]


def _is_ours(keyword: str, text: bytes) -> bool:
    if keyword == XMP_KEYWORD:
        return ORIGINAL_SHA256 in xmp.properties_of(text)
    return keyword == png.PARAMETERS and is_our_parameters(text.decode(errors="replace"))


def _properties(origin: Origin, sha256: str, *, full: bool) -> dict[tuple[str, str], str]:
    properties = {
        (xmp.XMP, "CreatorTool"): TOOL,
        (xmp.IPTC, "DigitalSourceType"): xmp.MADE_BY_A_MODEL,
        (xmp.IPTC, "AISystemUsed"): clean(str(origin.body.get("model"))),
        ORIGINAL_SHA256: sha256,
    }
    if full:
        text = json.dumps(_request(origin), ensure_ascii=False)
        # The two characters that JSON lets through and XML does not.
        properties[PROMPT_INFORMATION] = text.replace("\ufffe", "\\ufffe").replace(
            "\uffff", "\\uffff"
        )
    return properties


def _request(origin: Origin) -> dict[str, object]:
    return {"request": dict(origin.body), "host": public_host(origin.host)}


def _parameters(body: Mapping[str, object]) -> str:
    """Return the request as the web UI writes it: prompts, and a line of at least three pairs."""
    pairs = []
    for name, fields in _PARAMETER_NAMES:
        pairs += [(name, body[field]) for field in fields if field in body][:1]
    pairs += [("Size", body.get("size", "default")), ("Model", body.get("model"))]
    last = ", ".join(f"{name}: {_quoted(str(value))}" for name, value in pairs)
    negative = body.get("negative_prompt")
    lines = [str(body.get("prompt"))]
    if isinstance(negative, str) and negative:
        lines.append(f"Negative prompt: {negative}")
    return "\n".join([*lines, f"{last}, {_OURS_IN_PARAMETERS}{__version__}"])


def _quoted(value: str) -> str:
    special = any(character in value for character in ',:\n"')
    return json.dumps(value, ensure_ascii=False) if special else value

"""What image files say about their making, whoever wrote it; all of it is untrusted text."""

import json
import re
from collections.abc import Iterator, Mapping

from nscale_cli.storage.metadata import exif, marks, png, xmp
from nscale_cli.storage.metadata.blocks import Blocks
from nscale_cli.storage.metadata.comfyui import read_graph
from nscale_cli.storage.metadata.formats import read_blocks
from nscale_cli.values import frozen

_MAX_LAST_LINE = 20_000  # characters of `Key: value` pairs
# Each repetition has its bound: what does not match must not take the square of its length.
_PAIR = re.compile(r'\s{0,4}(\w[\w \-/]{0,60}):\s{0,4}("(?:\\.|[^\\"]){1,2000}"|[^,]*)(?:,|$)')
_FEWEST_PAIRS = 3  # fewer, and the line is a part of the prompt
_NEGATIVE = "Negative prompt:"
_PARAMETER_FIELDS = {
    "Steps": "steps",
    "Sampler": "sampler",
    "CFG scale": "guidance",
    "Seed": "seed",
    "Size": "size",
    "Model": "model",
    "Version": "software",
}
_XMP_FIELDS = {
    (xmp.IPTC, "AIPromptInformation"): "prompt",
    (xmp.DUBLIN_CORE, "description"): "description",
    (xmp.IPTC, "AIPromptWriterName"): "prompt_writer",
    (xmp.IPTC, "AISystemUsed"): "model",
    (xmp.IPTC, "AISystemVersionUsed"): "model_version",
    (xmp.IPTC, "DigitalSourceType"): "digital_source_type",
    (xmp.XMP, "CreatorTool"): "software",
}
_AI_FIELDS = ("prompt", "model", "digital_source_type", "software")
_MFLUX_FIELDS = (
    "prompt", "negative_prompt", "model", "seed", "steps", "guidance", "width", "height"
)  # fmt: skip


@frozen
class Finding:
    """What one writer left in a file. `fields` are `prompt`, `model`, `size`, `seed` and so on.

    Of our own, `request` is the body of the request.
    """

    source: str
    fields: Mapping[str, object]


@frozen
class Metadata:
    """What a file says. `credentials`: it has Content Credentials, which nobody verified."""

    findings: tuple[Finding, ...] = ()
    credentials: bool = False
    whole: bool = True


def read_metadata(data: bytes) -> Metadata:
    """Return what is written in a PNG, JPEG or WebP; nothing where it is none of these."""
    blocks = read_blocks(data)
    findings = (*_of_xmp(blocks), *_of_texts(blocks.texts), *_of_exif(blocks.exif or b""))
    return Metadata(findings=tuple(findings), credentials=blocks.credentials, whole=blocks.whole)


def read_sidecar(text: bytes) -> Finding | None:
    """Return what a file of ours beside an image says, or None where it is not ours."""
    document = _json_object(text)
    if not str(document.get("tool")).startswith("nscale "):
        return None
    names = {"tool": "software", "model": "model", "digital_source_type": "digital_source_type"}
    fields = {ours: document[name] for name, ours in names.items() if document.get(name)}
    fields |= {name: document[name] for name in ("created_at", "sha256") if document.get(name)}
    return Finding(source="nscale sidecar", fields=fields | _request_fields(document))


def _of_xmp(blocks: Blocks) -> Iterator[Finding]:
    properties = xmp.properties_of(blocks.xmp or b"")
    fields: dict[str, object] = {
        ours: properties[name] for name, ours in _XMP_FIELDS.items() if name in properties
    }
    if marks.ORIGINAL_SHA256 in properties:
        fields["original_sha256"] = properties[marks.ORIGINAL_SHA256]
        document = _json_object(str(fields.pop("prompt", "")))
        yield Finding(source="nscale", fields=fields | _request_fields(document))
    elif any(name in fields for name in _AI_FIELDS):
        yield Finding(source="XMP", fields=fields)


def _request_fields(document: Mapping[str, object]) -> dict[str, object]:
    body, host = document.get("request"), document.get("host")
    if not isinstance(body, dict):
        return {}
    fields = {name: body[name] for name in ("prompt", "model", "size") if name in body}
    return fields | {"request": body} | ({"host": host} if isinstance(host, str) else {})


def _of_texts(texts: Mapping[str, str]) -> Iterator[Finding]:
    if (text := texts.get(png.PARAMETERS)) and not marks.is_our_parameters(text):
        yield Finding(source="parameters (A1111)", fields=read_parameters(text))
    graph = _json_object(texts.get("prompt", ""))
    if fields := read_graph(graph):
        yield Finding(source="ComfyUI", fields=fields)


def _of_exif(data: bytes) -> Iterator[Finding]:
    texts = exif.texts_of(data)
    for tag in (exif.MODEL, exif.MAKE, exif.DESCRIPTION):  # where ComfyUI puts it in a WebP
        kind, _, text = texts.get(tag, "").partition(":")
        if kind.lower() == "prompt" and (fields := read_graph(_json_object(text))):
            yield Finding(source="ComfyUI", fields=fields)
            break
    if comment := texts.get(exif.USER_COMMENT):
        yield _of_comment(comment)


def _of_comment(comment: str) -> Finding:
    document = _json_object(comment)
    if "mflux_version" in document:
        fields = {name: document[name] for name in _MFLUX_FIELDS if document.get(name) is not None}
        if "width" in fields and "height" in fields:
            fields["size"] = f"{fields.pop('width')}x{fields.pop('height')}"
        return Finding(
            source="mflux", fields=fields | {"software": f"mflux {document['mflux_version']}"}
        )
    graph = document.get("prompt")
    if isinstance(graph, dict) and (fields := read_graph(graph)):
        return Finding(source="ComfyUI", fields=fields)
    if _pairs(comment):
        return Finding(source="parameters (A1111)", fields=read_parameters(comment))
    return Finding(source="EXIF UserComment", fields={"text": comment})


def read_parameters(text: str) -> dict[str, object]:
    """Return what the AUTOMATIC1111 web UI, and those that write as it does, put into a text."""
    lines = text.strip().split("\n")
    pairs = _pairs(text)
    if pairs:
        del lines[-1]
    prompt, separator, negative = "\n".join(["", *lines]).partition(f"\n{_NEGATIVE}")
    fields: dict[str, object] = {"prompt": prompt.strip()}
    if separator and negative.strip():
        fields["negative_prompt"] = negative.strip()
    return fields | {
        _PARAMETER_FIELDS[name]: value for name, value in pairs.items() if name in _PARAMETER_FIELDS
    }


def _pairs(text: str) -> dict[str, str]:
    last = text.strip().rpartition("\n")[2]
    found = _PAIR.findall(last) if len(last) <= _MAX_LAST_LINE else []
    if len(found) < _FEWEST_PAIRS:
        return {}
    return {name.strip(): _unquoted(value.strip()) for name, value in found}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _json_object(text: str | bytes) -> dict[str, object]:
    """Return the JSON object in `text`, or an empty one where there is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

"""The JSON Schema of the documents that --json prints: the envelope, and each command's `data`."""

from collections.abc import Mapping
from typing import Any

from nscale_cli.errors import Billed, ExitCode
from nscale_cli.output.result import JSON_VERSION

Schema = Mapping[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID = "urn:nscale:json:1"
_TEXT: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_TRUTH: Schema = {"type": "boolean"}
_NULL: Schema = {"type": "null"}
_ANYTHING: Schema = {}
_FREE: Schema = {"type": "object"}
_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_BILLED: Schema = {"enum": [each.value for each in Billed]}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _map(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _record(fields: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Return the schema of an object that has `fields`, perhaps `optional` ones, and no others."""
    return {
        "type": "object",
        "properties": {**fields, **optional},
        "required": list(fields),
        "additionalProperties": False,
    }


_IMAGE = {
    "path": _or_null(_TEXT),
    "format": _TEXT,
    "width": _or_null(_INTEGER),
    "height": _or_null(_INTEGER),
    "bytes": _INTEGER,
    "sha256": _SHA256,
}
_ERROR = {
    "code": {"enum": [code.label for code in ExitCode if code]},
    "message": _TEXT,
    "hint": _or_null(_TEXT),
    "billed": _BILLED,
    "http_status": _or_null(_INTEGER),
    "request_id": _or_null(_TEXT),
}
_MODEL = {
    "id": _TEXT,
    "owned_by": _or_null(_TEXT),
    "image": _TRUTH,
    "usd_per_megapixel": _or_null(_NUMBER),
    "usd_per_image": _or_null(_NUMBER),
}
_LISTING = {"base_url": _TEXT, "fetched_at": _TEXT, "cached": _TRUTH, "size": _TEXT}
_ROWS_DONE = _record(
    {
        "total": _INTEGER,
        "saved": _INTEGER,
        "earlier": _INTEGER,
        "failed_billed": _INTEGER,
        "failed_maybe_billed": _INTEGER,
        "failed_not_billed": _INTEGER,
        "not_sent": _INTEGER,
    }
)
_ROWS_PLANNED = _record(
    dict.fromkeys(("total", "saved", "earlier", "left_alone", "to_send"), _INTEGER)
)
_ROW = {"row": _TEXT, "id": _or_null(_TEXT)}
_GENERATED = _record(
    {
        "model": _or_null(_TEXT),
        "prompt": _or_null(_TEXT),
        "size": _or_null(_TEXT),
        "count": _or_null(_INTEGER),
        "params": _or_null(_FREE),
        "base_url": _or_null(_TEXT),
        "created_at": _or_null(_TEXT),
        "request_id": _or_null(_TEXT),
        "elapsed_seconds": _or_null(_NUMBER),
        "cost_usd": _or_null(_NUMBER),
        "images": _list(_record({**_IMAGE, "original_sha256": _SHA256})),
        "kept": _list(_TEXT),
    },
    dry_run=_TRUTH,
    skipped=_TRUTH,
    url=_TEXT,
    body=_FREE,
    paths=_list(_TEXT),
)
_RUN_FIELDS = {
    "run": _or_null(_TEXT),
    "rows": {"anyOf": [_ROWS_DONE, _ROWS_PLANNED, _NULL]},
    "cost_usd": _or_null(_NUMBER),
    "estimate_usd": _or_null(_NUMBER),
    "stopped_by": _or_null(_TEXT),
    "images": _list(
        _record(
            {
                **_IMAGE,
                **_ROW,
                "model": _TEXT,
                "size": _TEXT,
                "prompt": _TEXT,
                "seconds": _or_null(_NUMBER),
            },
            original_sha256=_SHA256,
        )
    ),
    "kept": _list(_TEXT),
    "sheet": _or_null(_TEXT),
    "page": _or_null(_TEXT),
}
_PLANNED = _list(_record({**_ROW, "path": _TEXT, "body": _FREE}))
_RUN = _record(_RUN_FIELDS, dry_run=_TRUTH, plan=_PLANNED)
_DRAWN = {
    "sheet": _or_null(_TEXT),
    "page": _or_null(_TEXT),
    "sheets": _list(_TEXT),
    "table": _list(_map(_TEXT)),
    "effects": _list(_TEXT),
    "drift": _list(
        _record({"image": _TEXT, "row": _TEXT, "bits": _or_null(_INTEGER), "identical": _TRUTH})
    ),
}
_COMPARED = _record(
    _RUN_FIELDS,
    dry_run=_TRUTH,
    plan=_PLANNED,
    axes=_map(_list(_TEXT)),
    product=_TEXT,
    **{name: schema for name, schema in _DRAWN.items() if name not in _RUN_FIELDS},
)
_VOTES = _record(
    {
        "votes": _INTEGER,
        "voters": _INTEGER,
        "verdict": _TEXT,
        "standings": _list(
            _record(
                {
                    "name": _TEXT,
                    **dict.fromkeys(("wins", "losses", "both", "neither"), _INTEGER),
                    **dict.fromkeys(("share", "low", "high", "strength"), _or_null(_NUMBER)),
                }
            )
        ),
    }
)
_REMEMBERED = _record(
    {
        **_IMAGE,
        "id": _INTEGER,
        "created_at": _TEXT,
        "prompt": _TEXT,
        "model": _TEXT,
        "size": _or_null(_TEXT),
        "count": _or_null(_INTEGER),
        "params": _FREE,
        "base_url": _TEXT,
        "sandbox": _TRUTH,
        "original_sha256": _SHA256,
        "seconds": _or_null(_NUMBER),
        "cost_usd": _or_null(_NUMBER),
        "request_id": _or_null(_TEXT),
        "run": _or_null(_TEXT),
    }
)
_WRITTEN = _record({"source": _TEXT, "fields": _FREE})
_INFO = _record(
    {
        "files": _list(
            _record(
                {
                    **_IMAGE,
                    "format": _or_null(_TEXT),
                    "whole": _TRUTH,
                    "content_credentials": _TRUTH,
                    "history": _list(_REMEMBERED),
                    "metadata": _list(_WRITTEN),
                    "sidecar": _or_null(_WRITTEN),
                }
            )
        )
    },
    stripped=_record({"path": _TEXT, "sha256": _SHA256, "is_original": _or_null(_TRUTH)}),
)
_RECEIPT = _record(
    {
        "run": _TEXT,
        "service": _TEXT,
        "requests": _list(
            _record(
                {
                    **_ROW,
                    "sent_at": _TEXT,
                    "attempt": _INTEGER,
                    "idempotency_key": _TEXT,
                    "request_id": _or_null(_TEXT),
                    "http_status": _or_null(_INTEGER),
                    "outcome": _TEXT,
                    "billed": _BILLED,
                    "estimate_usd": _or_null(_NUMBER),
                    "cost_usd": _or_null(_NUMBER),
                }
            )
        ),
        "totals": _record(
            {
                **{f"billed_{each.value}": _INTEGER for each in Billed},
                "spent_usd": _NUMBER,
                "maybe_usd": _NUMBER,
                "unpriced": _INTEGER,
            }
        ),
    }
)
_DOCTOR = _record(
    {
        "nscale": _TEXT,
        "python": _TEXT,
        "system": _TEXT,
        "libraries": _map(_TEXT),
        "settings": _TEXT,
        "settings_exist": _TRUTH,
        "cache": _TEXT,
        "history": _TEXT,
        "history_images": _or_null(_INTEGER),
        "history_bytes": _INTEGER,
        "history_kept": _TRUTH,
        "profile": _or_null(_TEXT),
        "model": _TEXT,
        "model_source": _TEXT,
        "terminal": _TRUTH,
        "columns": _or_null(_INTEGER),
        "lines": _or_null(_INTEGER),
        "term": _or_null(_TEXT),
        "preview": _map(_TEXT),
        "key_source": _or_null(_TEXT),
        "service": _or_null(_TEXT),
        "proxy": _or_null(_TEXT),
        "dns_milliseconds": _or_null(_INTEGER),
        "dns_error": _or_null(_TEXT),
        "answer_status": _or_null(_INTEGER),
        "answer_milliseconds": _or_null(_INTEGER),
        "key_accepted": _or_null(_TRUTH),
        "ready": _TRUTH,
    }
)
_PARAMETER = {"repeatable": _TRUTH, "meaning": _TEXT}
_OPTION = _record(
    {
        "flags": _list(_TEXT),
        "value": _or_null(_TEXT),
        "type": {"enum": ["integer", "number", "switch", "text"]},
        "default": {"type": ["string", "number", "boolean", "null"]},
        "variables": _list(_TEXT),
        **_PARAMETER,
    }
)
_HELP = _record(
    {
        "program": _TEXT,
        "version": _TEXT,
        "commands": _list(
            _record(
                {
                    "command": _TEXT,
                    "usage": _TEXT,
                    "summary": _TEXT,
                    "help": _TEXT,
                    "examples": _list(_TEXT),
                    "group": _TRUTH,
                    "arguments": _list(_record({"name": _TEXT, "required": _TRUTH, **_PARAMETER})),
                    "options": _list(_OPTION),
                    "json": _TRUTH,
                    "data": _or_null(_FREE),
                }
            )
        ),
        "exit_codes": _list(
            _record({"code": _INTEGER, "name": _TEXT, "billed": _TEXT, "meaning": _TEXT})
        ),
        "variables": _list(_record({"name": _TEXT, "meaning": _TEXT})),
    }
)
_DATA: Mapping[str, Schema] = {
    "images generate": _GENERATED,
    "images batch": _RUN,
    "images resume": _RUN,
    "images compare": _COMPARED,
    "images report": _record({"run": _TEXT, **_DRAWN}),
    "images votes": _VOTES,
    "images receipt": _RECEIPT,
    "images rerun": _GENERATED,
    "images info": _INFO,
    "history list": _record({"images": _list(_REMEMBERED)}),
    "history show": _record({"image": _REMEMBERED}),
    "history page": _record({"page": _TEXT, "images": _list(_INTEGER)}),
    "images show": _record({"paths": _list(_TEXT), "complete": _TRUTH}),
    "models list": _record({**_LISTING, "models": _list(_record(_MODEL))}),
    "models show": _record(
        {**_LISTING, "model": _record({**_MODEL, "fields": _map(_ANYTHING)})},
    ),
    "auth status": _record(
        {
            "base_url": _TEXT,
            "source": _TEXT,
            "key_ending": _or_null(_TEXT),
            "valid": _or_null(_TRUTH),
        }
    ),
    "config show": _record(
        {
            "path": _TEXT,
            "profile": _or_null(_TEXT),
            "profiles": _list(_TEXT),
            "settings": _map(_record({"value": _ANYTHING, "source": _TEXT})),
        }
    ),
    "config profiles": _record(
        {
            "path": _TEXT,
            "profile": _or_null(_TEXT),
            "profiles": _map(_record({"base_url": _or_null(_TEXT)})),
        }
    ),
    "doctor": _DOCTOR,
    "help": _HELP,
}


def data_schemas() -> Mapping[str, Schema]:
    """Return the schema of `data` for each command that has --json."""
    return _DATA


def document_schema() -> dict[str, object]:
    """Return the schema of a whole document; `data` may be empty where a command failed."""
    return {
        "$schema": _DIALECT,
        "$id": _ID,
        "title": "What nscale prints with --json: exactly one document, also on failure",
        **_record(
            {
                "version": {"const": JSON_VERSION},
                "command": _TEXT,
                "status": {"enum": ["ok", "partial", "error"]},
                "data": _FREE,
                "errors": _list(_record(_ERROR, **_ROW, kept=_list(_TEXT))),
            }
        ),
        "allOf": [
            {
                "if": {"properties": {"command": {"const": command}}},
                "then": {"properties": {"data": {"anyOf": [{"$ref": _ref(command)}, _EMPTY]}}},
            }
            for command in _DATA
        ],
        "if": {"properties": {"status": {"const": "ok"}}},
        "then": {"properties": {"errors": {"maxItems": 0}, "data": {"minProperties": 1}}},
        "else": {"properties": {"errors": {"minItems": 1}}},
        "$defs": {_name(command): schema for command, schema in _DATA.items()},
    }


_EMPTY: Schema = {"maxProperties": 0}


def _name(command: str) -> str:
    return command.replace(" ", "-")


def _ref(command: str) -> str:
    return f"#/$defs/{_name(command)}"

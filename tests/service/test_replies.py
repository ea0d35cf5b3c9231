"""What the service's answers mean."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import (
    AuthenticationError,
    Billed,
    ConfigurationError,
    ExitCode,
    InsufficientCredit,
    NscaleError,
    RateLimited,
    RequestRefused,
    ServiceFailed,
)
from nscale_cli.redact import Redactor
from nscale_cli.service.replies import Reply, complaint_in, error_in

NOW = datetime(2025, 3, 9, 14, 5, 7, tzinfo=UTC)
KEY = "sk-test-0123456789abcdef"
CONNECTION = Connection(
    base_url="https://api.example.com/v1",
    api_key=ApiKey(value=KEY, source="NSCALE_API_KEY"),
    timeout_seconds=60,
    retries=2,
)
IMAGE = b'{"created": 1, "data": [{"b64_json": "AAAA"}]}'
TOP_UP = "top up the account in the Nscale console, then run it again"
CHANGE = "change the prompt, -z, -n or --param"
WAIT = "wait a little; look at your usage page before running it again"


def error_of(status: int, body: bytes = b"", **headers: str) -> NscaleError | None:
    """Return the error that a reply reports; `_` in a header's name stands for `-`."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = Reply(status=status, body=body, headers=names)
    return error_in(reply, CONNECTION, model="vendor/m", now=NOW)


def said(error: NscaleError | None) -> tuple[object, ...]:
    """Return what the user learns from an error."""
    assert error is not None
    return type(error), error.message, error.hint


@pytest.mark.parametrize(
    ("status", "kind", "message", "hint"),
    [
        (400, RequestRefused, "the service refused the request (400)", CHANGE),
        (
            401,
            AuthenticationError,
            "the API key from NSCALE_API_KEY was refused (401)",
            "check that it is whole, current, and meant for this service",
        ),
        (402, InsufficientCredit, "not enough credit", TOP_UP),
        (
            403,
            AuthenticationError,
            "the API key from NSCALE_API_KEY was not allowed to do this (403)",
            "ask the account's owner, or use another model",
        ),
        (
            404,
            RequestRefused,
            "no model 'vendor/m' at api.example.com (404)",
            "model ids are case-sensitive; check -m, and the base URL",
        ),
        (413, RequestRefused, "the service refused the request (413)", "shorten the prompt"),
        (422, RequestRefused, "the service refused the request (422)", CHANGE),
        (429, RateLimited, "too many requests (429)", "wait, then run it again"),
        *(
            (status, ServiceFailed, f"the service, or a proxy before it, failed ({status})", WAIT)
            for status in (100, 300, 304, 408, 409, 500, 501, 502, 503, 504, 520, 529, 599, 600)
        ),
    ],
)
def test_each_status_has_its_error(
    status: int, kind: type[NscaleError], message: str, hint: str
) -> None:
    """With nothing in the body, the status alone makes a whole sentence."""
    assert said(error_of(status)) == (kind, message, hint)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({"location": "https://evil.example/\x1b[2J"}, r"https://evil.example/\x1b[2J"),
        ({"location": "x" * 5_000}, "x" * 197 + "..."),
        ({}, "another address"),
    ],
    ids=["host", "long", "none"],
)
def test_redirect_is_not_followed_but_named(
    status: int, headers: dict[str, str], where: str
) -> None:
    """The prompt and the key go to the address that the user gave, and nowhere else."""
    error = error_of(status, **headers)
    first = "look at your usage page first; " if status == 303 else ""
    assert said(error) == (
        ConfigurationError,
        f"the address redirects to {where} ({status}), which nscale does not follow",
        f"{first}check --base-url or NSCALE_BASE_URL",
    )
    assert error.billed is (Billed.MAYBE if status == 303 else Billed.NO)


@pytest.mark.parametrize("status", [302, 404])
@pytest.mark.parametrize(
    ("base_url", "lacking"),
    [
        ("https://api.example.com", True),
        ("https://api.example.com/openai", True),
        ("https://api.example.com/v1", False),
        ("https://api.example.com/v1beta/openai", False),
    ],
)
def test_an_address_without_a_version_is_said_to_lack_it(
    status: int, base_url: str, lacking: bool
) -> None:
    """It is the commonest mistake of all."""
    connection = replace(CONNECTION, base_url=base_url)
    error = error_in(Reply(status=status, body=b""), connection, model="m", now=NOW)

    assert (f"{base_url} does not end in /v1" in error.hint) is lacking


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"code": "X", "message": "No.", "param": None, "error_type": "Y"}}, "No."),
        ({"error": {"message": "No.", "type": "x", "param": None, "code": None}}, "No."),
        ({"code": "internal", "message": "No."}, "No."),
        ({"error": "No."}, "No."),
        ({"detail": "No."}, "No."),
        (
            {
                "detail": [
                    {
                        "type": "missing",
                        "loc": ["body", "size"],
                        "msg": "Field required",
                        "input": {},
                    },
                    {"loc": ["body", "n"], "msg": "Input should be less than 5"},
                ]
            },
            "body.size: Field required; body.n: Input should be less than 5",
        ),
        ({"detail": [{"msg": "No."}]}, "No."),
        ({"detail": ["a", 1]}, "['a', 1]"),
        ({"error": {"message": " No\n\x1b[2J "}}, r"No \x1b[2J"),
        ({"error": {"message": ["a", 1]}}, "['a', 1]"),
        ({"error": {"message": "x" * 5_000_000}}, "x" * 497 + "..."),
        ({"code": "internal", "message": None}, ""),
        ({"error": {"message": None, "code": None}}, ""),
        ({"error": None}, ""),
        ({"error": []}, ""),
        ({"error": 7}, ""),
        ({}, ""),
        ([], ""),
        (None, ""),
        ("No.", ""),
    ],
)
def test_service_is_quoted_in_each_shape_of_its_errors(document: object, expected: str) -> None:
    """On one line, cleaned and cut; a message of null says nothing."""
    body = json.dumps(document).encode()
    assert complaint_in(body, Redactor()) == expected
    quoted = f": {expected}" if expected else ""
    what = "the service, or a proxy before it, failed (500)"
    assert said(error_of(500, body)) == (ServiceFailed, what + quoted, WAIT)


@pytest.mark.parametrize("place", [0, 480, 490, 600])
def test_key_that_is_echoed_is_hidden_before_the_text_is_cut(place: int) -> None:
    """The beginning of a key, which a cut would leave, is a secret too."""
    body = json.dumps({"message": "x" * place + KEY + "x" * 600}).encode()
    error = error_of(500, body)
    assert error is not None
    assert KEY[:4] not in error.message


@pytest.mark.parametrize("body", [b"", b"<html><b>Bad gateway</b></html>", b"\xff\xfe", b"No."])
def test_body_that_is_no_json_is_not_quoted(body: bytes) -> None:
    """A proxy's page of HTML is never printed."""
    what = "the service, or a proxy before it, failed (502)"
    assert said(error_of(502, body)) == (ServiceFailed, what, WAIT)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 413, 422, 429])
def test_quotation_follows_the_sentence(status: int) -> None:
    """What the service says stands behind what it means."""
    plain, quoting = error_of(status), error_of(status, b'{"message": "No."}')
    assert plain is not None
    assert quoting is not None
    assert (quoting.message, quoting.hint) == (f"{plain.message}: No.", plain.hint)


MARKERS = ["INSUFFICIENT_CREDIT", "insufficient_credit", " Insufficient_Quota "]


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("field", ["code", "type", "error_type"])
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("status", [429, 200])
def test_lack_of_credit_is_seen_in_each_shape(
    marker: str, field: str, wrapped: bool, status: int
) -> None:
    """In any field and either case, also where the status claims success."""
    details = {"code": "TOO_MANY_REQUESTS", "message": "No money.", field: marker}
    body = json.dumps({"error": details} if wrapped else details).encode()
    expected = (InsufficientCredit, "not enough credit: No money.", TOP_UP)
    assert said(error_of(status, body)) == expected


@pytest.mark.parametrize("data", [None, [], "", 0])
def test_lack_of_credit_is_seen_beside_empty_data(data: object) -> None:
    """A reply may hold the field for images without an image."""
    body = json.dumps({"data": data, "error": {"code": "INSUFFICIENT_CREDIT"}}).encode()
    assert said(error_of(200, body)) == (InsufficientCredit, "not enough credit", TOP_UP)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": "not_insufficient_credit"}}',
        b'{"error": {"code": "x", "hint": "insufficient_credit"}}',
        b'{"insufficient_credit": 1}',
    ],
)
def test_marker_elsewhere_is_no_lack_of_credit(body: bytes) -> None:
    """Only the fields that name the error decide, and its text."""
    error = error_of(429, body)
    assert error is not None
    assert error.code is ExitCode.RATE_LIMITED


@pytest.mark.parametrize(
    "body",
    [
        IMAGE,
        b'{"data": [{"b64_json": "AAAA", "revised_prompt": "insufficient_credit"}]}',
        b'{"code": "insufficient_credit", "data": [{"b64_json": "AAAA"}]}',
        b'{"error": {"code": "insufficient_credit"}, "data": [{"url": "http://x"}]}',
        b'{"error": {"message": "No."}}',
        b'{"message": "insufficient_credit"}',
        b"",
    ],
)
@pytest.mark.parametrize("status", [200, 201, 204])
def test_reply_of_success_is_no_error(status: int, body: bytes) -> None:
    """What it holds is for the caller to find out; an image in it is never thrown away."""
    assert error_of(status, body) is None


def test_error_carries_the_evidence() -> None:
    """The status and the service's own name for the request help in asking about a charge."""
    error = error_of(500, x_request_id="req\x1b-1", cf_ray="ray")
    assert error is not None
    assert (error.http_status, error.request_id) == (500, r"req\x1b-1")


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "x-correlation-id", "cf-ray"])
def test_request_id_is_found_under_each_name(name: str) -> None:
    """Services and gateways name it differently; an empty one counts for nothing."""
    headers = {"x-request-id": "", name: "r" * 200}
    assert Reply(status=200, body=b"", headers=headers).request_id == "r" * 97 + "..."
    assert Reply(status=200, body=b"").request_id is None


FIELDS = ["error", "code", "type", "error_type", "message", "detail", "data", "b64_json"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(MARKERS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner),
)
UNCERTAIN = (408, 409, 425, 499)  # the request may have been at work


@pytest.mark.slow
@given(st.integers(100, 599), st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
@example(500, b'{"error": ' + b"[" * 900 + b"]" * 900 + b"}")
@example(500, b'{"error": {"message": ' + b"[" * 900 + b"]" * 900 + b"}}")
def test_any_reply_is_success_or_one_error_that_knows_its_bill(status: int, body: bytes) -> None:
    """Whatever is answered: no 4xx is billed but an uncertain one, every 5xx may be."""
    error = error_of(status, body)
    if error is None:
        assert 200 <= status < 300
    elif 200 <= status < 300 or (400 <= status < 500 and status not in UNCERTAIN):
        assert error.billed is Billed.NO
    elif status in UNCERTAIN or status >= 500:
        assert error.billed is Billed.MAYBE


LITELLM = (
    "litellm.RateLimitError: RateLimitError: OpenAIException - {'error': {'code': "
    "'TOO_MANY_REQUESTS', 'message': 'You have insufficient credit to run this request'}}"
)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (429, LITELLM, InsufficientCredit),
        (429, "insufficient_quota: you exceeded your current quota", InsufficientCredit),
        (429, "Too many requests, please wait", RateLimited),
        (400, LITELLM, RequestRefused),
    ],
)
def test_a_gateway_s_429_may_only_speak_of_credit(
    status: int, message: str, kind: type[NscaleError]
) -> None:
    """LiteLLM puts the service's error into its own text; waiting would not help then."""
    body = json.dumps({"error": {"message": message, "type": "throttling_error", "code": "429"}})

    assert type(error_of(status, body.encode())) is kind


def test_of_the_sandbox_there_is_no_usage_page() -> None:
    """What to do with a real service is said as such."""
    connection = replace(CONNECTION, ephemeral=True)

    error = error_in(Reply(status=503, body=b""), connection, model="m", now=NOW)

    assert error is not None
    assert error.hint == (
        "wait a little; with a real service, look at your usage page before running it again"
    )

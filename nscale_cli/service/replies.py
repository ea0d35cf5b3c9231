"""What the service's answers mean: a status and a body become images or one clear error."""

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    AuthenticationError,
    Billed,
    ConfigurationError,
    InsufficientCredit,
    NscaleError,
    RateLimited,
    RequestRefused,
    ServiceFailed,
)
from nscale_cli.redact import Redactor, excerpt
from nscale_cli.service.decode import items_in, parse_json
from nscale_cli.service.transport_errors import check_usage
from nscale_cli.values import frozen

_CREDIT_MARKERS = ("insufficient_credit", "insufficient_quota", "insufficient_funds")
MAX_COMPLAINT_BYTES = 64 * 1024
_CREDIT_WORDS = re.compile("insufficient[_ ](credit|quota|funds)", re.IGNORECASE)
_MAX_DETAILS = 5
_MARKER_FIELDS = ("code", "type", "error_type")
_SECONDS = re.compile(r"\s*[0-9]+(\.[0-9]*)?(e[0-9]+)?\s*", re.ASCII | re.IGNORECASE)
_VERSION_PART = re.compile(r"/v[0-9]")
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "cf-ray")


@frozen
class Reply:
    """An answer of the service: header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def request_id(self) -> str | None:
        """What the service calls this request, the user's evidence when asking about a charge."""
        for name in _REQUEST_ID_HEADERS:
            if self.headers.get(name):
                return excerpt(self.headers[name], 100)
        return None


@frozen
class _Complaint:
    """The error object of a reply, whichever of the service's shapes it came in."""

    message: str
    markers: tuple[str, ...]

    @property
    def lacks_credit(self) -> bool:
        return any(marker in _CREDIT_MARKERS for marker in self.markers)

    @property
    def speaks_of_credit(self) -> bool:
        """Whether a gateway, such as LiteLLM, has put another service's error into its text."""
        return _CREDIT_WORDS.search(self.message) is not None


def _in_words(detail: object) -> object:
    """Return FastAPI's list of `{"loc": ["body", "size"], "msg": "..."}` as a person reads it."""
    if not isinstance(detail, list) or not all(isinstance(each, dict) for each in detail):
        return detail
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {each.get('msg', 'not valid')}"
        if isinstance(each.get("loc"), list)
        else str(each.get("msg", each))
        for each in detail[:_MAX_DETAILS]
    )


def _complaint(body: bytes, redactor: Redactor) -> _Complaint:
    """Read `{"error": {...}}`, `{"error": "..."}`, `{"code", "message"}` and `{"detail"}`."""
    document = parse_json(body)
    details = document.get("error", document) if isinstance(document, dict) else None
    if isinstance(details, str):
        details = {"message": details}
    if not isinstance(details, dict):
        return _Complaint(message="", markers=())
    message = details.get("message") or _in_words(details.get("detail")) or ""
    markers = tuple(str(details.get(name, "")).strip().lower() for name in _MARKER_FIELDS)
    if not isinstance(message, str):
        message = str(message)
    # Scrubbed before it is cut: the beginning of a key would not be known for one.
    return _Complaint(message=excerpt(redactor.redact(message)), markers=markers)


def error_in(
    reply: Reply, connection: Connection, *, model: str, now: datetime
) -> NscaleError | None:
    """Return the error that `reply` reports, or None where it may hold images."""
    succeeded = 200 <= reply.status < 300
    if succeeded and len(reply.body) > MAX_COMPLAINT_BYTES:
        return None  # images; they are taken apart once, when they are saved
    redactor = Redactor()
    redactor.hide(connection.api_key.value)
    complaint = _complaint(reply.body, redactor)
    error: NscaleError
    if succeeded:
        if not complaint.lacks_credit or items_in(parse_json(reply.body)):
            return None
        error = _no_credit(complaint)
    else:
        error = _status_error(reply, complaint, connection, model, now)
    return error.but(http_status=reply.status, request_id=reply.request_id)


def complaint_in(body: bytes, redactor: Redactor) -> str:
    """Return what the service says in an error object, cleaned, or an empty text."""
    return _complaint(body, redactor).message


def _status_error(
    reply: Reply, complaint: _Complaint, connection: Connection, model: str, now: datetime
) -> NscaleError:
    status = reply.status
    if status == 402 or (status == 429 and (complaint.lacks_credit or complaint.speaks_of_credit)):
        return _no_credit(complaint)
    if status in (401, 403):
        return _key_rejected(status, complaint, connection)
    if status == 404:
        return RequestRefused(
            _sentence(f"no model {excerpt(model, 100)!r} at {connection.host} (404)", complaint),
            hint="model ids are case-sensitive; check -m, and the base URL"
            + what_it_lacks(connection),
        )
    if status == 429:
        return _rate_limited(reply, complaint, now)
    if status in (301, 302, 303, 307, 308):
        return _redirected(reply, connection)
    if 400 <= status < 500 and status not in (408, 409, 425, 499):
        return RequestRefused(
            _sentence(f"the service refused the request ({status})", complaint),
            hint=_refusal_hint(status),
        )
    return ServiceFailed(
        _sentence(f"the service, or a proxy before it, failed ({status})", complaint),
        hint=f"wait a little; {check_usage(connection)}",
    )


def _sentence(what: str, complaint: _Complaint) -> str:
    return f"{what}: {complaint.message}" if complaint.message else what


def _no_credit(complaint: _Complaint) -> InsufficientCredit:
    return InsufficientCredit(
        _sentence("not enough credit", complaint),
        hint="top up the account in the Nscale console, then run it again",
    )


def _key_rejected(
    status: int, complaint: _Complaint, connection: Connection
) -> AuthenticationError:
    source = connection.api_key.source
    if status == 401:
        what, hint = "refused", "check that it is whole, current, and meant for this service"
    else:
        what, hint = "not allowed to do this", "ask the account's owner, or use another model"
    return AuthenticationError(
        _sentence(f"the API key from {source} was {what} ({status})", complaint), hint=hint
    )


def _refusal_hint(status: int) -> str:
    return "shorten the prompt" if status == 413 else "change the prompt, -z, -n or --param"


def _redirected(reply: Reply, connection: Connection) -> ConfigurationError:
    where = excerpt(reply.headers.get("location", ""), 200) or "another address"
    error = ConfigurationError(
        f"the address redirects to {where} ({reply.status}), which nscale does not follow",
        hint=f"check --base-url or NSCALE_BASE_URL{what_it_lacks(connection)}",
    )
    if reply.status != 303:
        return error
    # "See other" is what a server answers to a POST that it has done (RFC 9110, 15.4.4).
    return error.but(billed=Billed.MAYBE, hint=f"look at your usage page first; {error.hint}")


def what_it_lacks(connection: Connection) -> str:
    """Return the end of a hint where the base URL has no version, as those of services have."""
    if _VERSION_PART.search(connection.base_url):
        return ""
    return f": {connection.base_url} does not end in /v1, as most do"


def _rate_limited(reply: Reply, complaint: _Complaint, now: datetime) -> RateLimited:
    seconds = retry_after_seconds(reply.headers.get("retry-after", ""), now)
    wait = f"; it asks to wait {seconds:.0f} s" if seconds is not None else ""
    return RateLimited(
        _sentence(f"too many requests (429){wait}", complaint),
        hint="wait, then run it again",
        retry_after_seconds=seconds,
        retry_forbidden=reply.headers.get("x-should-retry") == "false",
    )


def retry_after_seconds(text: str, now: datetime) -> float | None:
    """Return the wait that a Retry-After header asks for, or None where it asks for none."""
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None

"""The keys that the sandbox refuses, for trying out what a refused key does. Any other is good."""

from collections.abc import Mapping

Refusal = tuple[int, str, str, str]  # status, code, error_type, message

_BAD, _FORBIDDEN = "sandbox-bad-key", "sandbox-forbidden-key"
_NO_CREDIT = "sandbox-no-credit-key"
SANDBOX_KEYS = ("sandbox", _BAD, _FORBIDDEN, _NO_CREDIT)
_REFUSALS: Mapping[str, Refusal] = {
    _BAD: (401, "UNAUTHORIZED", "INVALID_API_KEY", "Invalid API key"),
    _FORBIDDEN: (403, "FORBIDDEN", "NOT_ALLOWED", "This key may not use this service"),
    _NO_CREDIT: (
        429,
        "TOO_MANY_REQUESTS",
        "INSUFFICIENT_CREDIT",
        "You have insufficient credit to run this request",
    ),
}


def refusal_of(authorization: str, method: str) -> Refusal | None:
    """Return how a request with this Authorization header is refused, or None.

    Without credit there are no images, but lists can be read.
    """
    key = authorization.removeprefix("Bearer ")
    if key == _NO_CREDIT and method != "POST":
        return None
    return _REFUSALS.get(key)

"""What the sandbox answers: images, or the failure that the model id asks for."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import lru_cache

from nscale_cli.config.table import KNOWN_MODELS, SANDBOX_MODELS
from nscale_cli.request import Size
from nscale_cli.values import frozen

CREATED = 1677652288  # seconds since 1970; fixed, so that a reply is always the same bytes
MAX_SIDE_PIXELS = 4096
MAX_IMAGES = 16
SLOW_SECONDS = 3.0
_PREFIX = "sandbox/"
_EXAMPLE_PRICES = {KNOWN_MODELS[0]: 0.0013, KNOWN_MODELS[1]: 0.003}
_OTHER_PRICE = 0.001


@frozen
class Answer:
    """One HTTP answer. `sent_bytes`: only so much of the body is sent before the connection ends.

    `delay_seconds` is None for an answer that never comes.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float | None = 0.0
    sent_bytes: int | None = None


@frozen
class Picture:
    """What a picture is drawn from; it is drawn when its bytes are asked for."""

    prompt: str
    model: str
    size: Size
    index: int = 1
    format: str = "png"
    seed: str = ""  # as JSON

    @property
    def file_name(self) -> str:
        """A name that no other picture has."""
        digest = hashlib.sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()
        return f"{digest[:32]}.{self.format}"


@lru_cache(maxsize=16)
def file_of(picture: Picture) -> bytes:
    """Return the image file, always the same for the same picture; the latest are remembered."""
    from nscale_cli.sandbox.pictures import draw, encode

    size = picture.size
    drawn = draw(
        prompt=picture.prompt,
        model=picture.model,
        width=size.width,
        height=size.height,
        index=picture.index,
        seed=picture.seed,
    )
    return encode(drawn, picture.format)


# (status, code, error_type, message), by what follows the slash of the model's id
_ERRORS: Mapping[str, tuple[int, str, str, str]] = {
    "unauthorized": (401, "UNAUTHORIZED", "INVALID_API_KEY", "Invalid API key"),
    "forbidden": (403, "FORBIDDEN", "NOT_ALLOWED", "This key may not use this model"),
    "not-found": (404, "NOT_FOUND", "MODEL_NOT_FOUND", "Model not found or unavailable"),
    "insufficient-credit": (
        429,
        "TOO_MANY_REQUESTS",
        "INSUFFICIENT_CREDIT",
        "You have insufficient credit to run this request",
    ),
    "rate-limited": (429, "TOO_MANY_REQUESTS", "RATE_LIMITED", "Slow down, please"),
    "refused": (400, "BAD_REQUEST", "CONTENT_POLICY", "The prompt violates the content policy"),
    "server-error": (500, "INTERNAL", "INTERNAL_ERROR", "Something went wrong"),
    "unavailable": (503, "UNAVAILABLE", "UNAVAILABLE", "Service temporarily unavailable"),
}
# The same by key. Any other key is good.
_KEY_ERRORS: Mapping[str, tuple[int, str, str, str]] = {
    "sandbox-bad-key": _ERRORS["unauthorized"],
    "sandbox-forbidden-key": (403, "FORBIDDEN", "NOT_ALLOWED", "This key may not use this service"),
    "sandbox-no-credit-key": _ERRORS["insufficient-credit"],
}
SANDBOX_KEYS = ("sandbox", *_KEY_ERRORS)

# What becomes of a prompt, always the same for the same one: five of eight are images.
_FLAKY = ("refused", "server-error", "disconnects", "", "", "", "", "")


def refusal(key: str, method: str) -> Answer | None:
    """Return the answer to a request with a key that is refused, or None.

    Without credit there are no images, but lists can be read.
    """
    row = _KEY_ERRORS.get(key)
    if row is None or (row is _ERRORS["insufficient-credit"] and method != "POST"):
        return None
    return error(*row)


def list_models() -> Answer:
    """Return the answer to `GET /models`: the known image models, then the scenarios."""
    entries = [_entry(model) for model in (*KNOWN_MODELS, *SANDBOX_MODELS)]
    return Answer(body=_json({"object": "list", "data": entries}))


class Account:
    """The credit of the model that is paid for with it, one image request at a time."""

    def __init__(self, requests: int = 3) -> None:
        """Hold credit for so many requests."""
        self._left = requests
        self._lock = threading.Lock()

    def pays(self) -> bool:
        """Return whether there was credit for one more request."""
        with self._lock:
            self._left -= 1
            return self._left >= 0


def too_many() -> Answer:
    """Return the answer to a request above what the server takes at once."""
    return error(*_ERRORS["rate-limited"])


def show_model(model: str) -> Answer:
    """Return the answer to `GET /models/{id}`."""
    if model not in (*KNOWN_MODELS, *SANDBOX_MODELS):
        return error(*_ERRORS["not-found"])
    return Answer(body=_json(_entry(model)))


def _entry(model: str) -> dict[str, object]:
    return {
        "id": model,
        "object": "model",
        "owned_by": model.partition("/")[0],
        "context_length": 0,
        "pricing": {"input": 0, "output": _EXAMPLE_PRICES.get(model, _OTHER_PRICE)},
    }


def not_allowed(methods: str) -> Answer:
    """Return the answer to a method that is none of those that a path has."""
    answer = error(405, "METHOD_NOT_ALLOWED", "INVALID_REQUEST", f"Only {methods} is allowed here")
    return replace(answer, headers={"Allow": methods})


def generate(body: bytes, account: Account, keep: Callable[[Picture], str] | None = None) -> Answer:
    """Return the answer to `POST /images/generations` with `body`.

    Where it asks for addresses, `keep` returns the one of a picture.
    """
    try:
        request = json.loads(body)
        model, prompt = str(request["model"]), str(request["prompt"])
        size = Size.parse(str(request.get("size", "512x512")))
        count = int(request.get("n", 1))
        seed = json.dumps(request["seed"]) if "seed" in request else ""
    except Exception:
        # The client's request may be wrong in any way; a server answers all of them alike.
        return error(400, "BAD_REQUEST", "INVALID_REQUEST", "The request is not valid")
    if max(size.width, size.height) > MAX_SIDE_PIXELS or not 1 <= count <= MAX_IMAGES:
        limits = f"size is at most {MAX_SIDE_PIXELS} a side, n is 1 to {MAX_IMAGES}"
        return error(400, "BAD_REQUEST", "INVALID_REQUEST", limits)
    scenario = model.removeprefix(_PREFIX) if model.startswith(_PREFIX) else ""
    if scenario == "flaky":
        scenario = _FLAKY[hashlib.sha256(prompt.encode("utf-8", "replace")).digest()[0] % 8]
    if scenario == "credit-after-3" and not account.pays():
        scenario = "insufficient-credit"
    if scenario in _ERRORS:
        return error(*_ERRORS[scenario])
    if scenario == "ignores-seed":
        seed = ""
    first = Picture(prompt=prompt, model=model, size=size, seed=seed)
    as_address = request.get("response_format") == "url"
    return _images(scenario, first, count, keep if as_address else None)


def error(status: int, code: str, error_type: str, message: str) -> Answer:
    """Return an error in the shape that the API's guide shows."""
    details = {"code": code, "message": message, "param": None, "error_type": error_type}
    return Answer(status=status, body=_json({"error": details}))


def _images(
    scenario: str, first: Picture, count: int, keep: Callable[[Picture], str] | None
) -> Answer:
    if scenario == "hangs":
        return Answer(delay_seconds=None)
    if scenario == "disconnects":
        return Answer(sent_bytes=0)
    if scenario == "wrong-size":
        half = Size(width=max(1, first.size.width // 2), height=max(1, first.size.height // 2))
        first = replace(first, size=half)
    if scenario == "fewer":
        count -= 1
    if scenario in ("jpeg", "webp"):
        first = replace(first, format=scenario)
    pictures = [replace(first, index=index) for index in range(1, count + 1)]
    body = _json({"created": CREATED, "data": _items(scenario, pictures, keep)})
    return Answer(
        body=body,
        delay_seconds=SLOW_SECONDS if scenario == "slow" else 0.0,
        sent_bytes=len(body) // 2 if scenario == "truncated" else None,
    )


def _items(
    scenario: str, pictures: list[Picture], keep: Callable[[Picture], str] | None
) -> list[dict[str, str]]:
    if scenario == "empty":
        return []
    if scenario == "not-an-image":
        return [{"b64_json": _base64(b"<svg xmlns='http://www.w3.org/2000/svg'/>")}] * len(pictures)
    if scenario == "url":
        return [{"url": "https://images.example/1.png"}] * len(pictures)
    if keep is not None:
        return [{"url": keep(picture)} for picture in pictures]
    return [{"b64_json": _base64(file_of(picture))} for picture in pictures]


def picture_file(picture: Picture) -> Answer:
    """Return a picture itself, for who was given its address."""
    return Answer(body=file_of(picture), content_type=f"image/{picture.format}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(document: object) -> bytes:
    return json.dumps(document).encode()

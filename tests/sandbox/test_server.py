"""The sandbox over its socket: it answers as the API does."""

import http.client
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from nscale_cli.sandbox.server import ReceivedRequest, Sandbox


def fetch(url: str, body: object = None, key: str = "any") -> tuple[int, dict[str, object]]:
    """Return the status and the JSON of a request; a body makes it a POST."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_list_of_models_has_prices(sandbox: Sandbox) -> None:
    """It has the fields of the real list."""
    status, document = fetch(f"{sandbox.base_url}/models")

    assert status == 200
    first = document["data"][0]
    assert first == {
        "id": "black-forest-labs/FLUX.1-schnell",
        "object": "model",
        "owned_by": "black-forest-labs",
        "context_length": 0,
        "pricing": {"input": 0, "output": 0.0013},
    }
    assert "sandbox/slow" in {entry["id"] for entry in document["data"]}


def test_the_same_request_gets_the_same_bytes(sandbox: Sandbox) -> None:
    """A script's output can be compared with yesterday's."""
    url = f"{sandbox.base_url}/images/generations"
    body = {"model": "any/model", "prompt": "A cat", "size": "64x64", "n": 2}

    assert fetch(url, body) == fetch(url, body)


def test_a_seed_changes_the_picture_except_where_it_is_ignored(sandbox: Sandbox) -> None:
    """As with services that know the field, and with those that swallow it."""
    url = f"{sandbox.base_url}/images/generations"

    def pictures(model: str) -> int:
        body = {"model": model, "prompt": "A cat", "size": "64x64"}
        replies = [fetch(url, body | ({"seed": seed} if seed else {})) for seed in (0, 1, 2)]
        return len({json.dumps(reply) for reply in replies})

    assert pictures("any/model") == 3
    assert pictures("sandbox/ignores-seed") == 1


def test_size_and_number_have_the_documented_defaults(sandbox: Sandbox) -> None:
    """512x512, and one image."""
    url = f"{sandbox.base_url}/images/generations"
    short = fetch(url, {"model": "m", "prompt": "A cat"})

    assert short == fetch(url, {"model": "m", "prompt": "A cat", "size": "512x512", "n": 1})


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"model": "m", "prompt": "x", "size": "big"},
        {"model": "m", "prompt": "x", "n": 0},
        {"model": "m", "prompt": "x", "n": 10_000},
        {"model": "m", "prompt": "x", "size": "99999x99999"},
        {"model": "m", "prompt": "x", "n": "many"},
    ],
)
def test_a_wrong_request_is_a_400_in_the_api_s_shape(sandbox: Sandbox, body: object) -> None:
    """Code, message, param and error_type, as the guide shows."""
    status, document = fetch(f"{sandbox.base_url}/images/generations", body)

    assert status == 400
    assert set(document["error"]) == {"code", "message", "param", "error_type"}


def test_another_path_is_a_404(sandbox: Sandbox) -> None:
    """A wrong base URL shows itself."""
    assert fetch(f"{sandbox.base_url}/chat/completions", {})[0] == 404


@pytest.mark.parametrize(
    ("key", "listing", "generating", "error_type"),
    [
        ("sandbox-bad-key", 401, 401, "INVALID_API_KEY"),
        ("sandbox-forbidden-key", 403, 403, "NOT_ALLOWED"),
        ("sandbox-no-credit-key", 200, 429, "INSUFFICIENT_CREDIT"),
        ("sandbox-bad-key-2", 200, 200, None),
        ("sandbox", 200, 200, None),
    ],
)
def test_some_keys_are_refused(
    sandbox: Sandbox, key: str, listing: int, generating: int, error_type: str | None
) -> None:
    """On every route, or for images only; any other key is good."""
    body = {"model": "m", "prompt": "A cat", "size": "64x64"}

    assert fetch(f"{sandbox.base_url}/models", key=key)[0] == listing
    status, document = fetch(f"{sandbox.base_url}/images/generations", body, key=key)
    assert status == generating
    assert document.get("error", {}).get("error_type") == error_type


def ask(server: Sandbox, prompt: str, model: str = "a/model") -> tuple[int, float]:
    """Ask for an image; return the status and the seconds that it took."""
    body = json.dumps({"model": model, "prompt": prompt, "size": "8x8"}).encode()
    start = time.monotonic()
    connection = http.client.HTTPConnection(server.base_url.split("/")[2], timeout=30)
    connection.request("POST", "/v1/images/generations", body)
    status = connection.getresponse().status
    connection.close()
    return status, time.monotonic() - start


def test_credit_ends_after_three_requests(sandbox: Sandbox) -> None:
    """Other models are not paid for out of it."""
    statuses = [ask(sandbox, str(n), "sandbox/credit-after-3")[0] for n in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert ask(sandbox, "x")[0] == 200


def test_a_flaky_model_fails_for_some_prompts_and_always_the_same(sandbox: Sandbox) -> None:
    """So that a rehearsal can be repeated."""
    assert [ask(sandbox, prompt, "sandbox/flaky")[0] for prompt in ("cat", "A city") * 2] == (
        [200, 400] * 2
    )
    assert ask(sandbox, "server error 3", "sandbox/flaky")[0] == 500


@pytest.mark.slow
def test_latency_is_added_to_images_and_to_nothing_else() -> None:
    """The list of models comes at once."""
    with Sandbox(latency_seconds=0.5) as server:
        assert ask(server, "x")[1] >= 0.5
        connection = http.client.HTTPConnection(server.base_url.split("/")[2], timeout=30)
        connection.request("GET", "/v1/models")
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.slow
def test_more_than_the_most_at_once_are_turned_away() -> None:
    """With the 429 that has no credit marker; later ones are served again."""
    with Sandbox(latency_seconds=1.0, max_concurrent=2) as server:
        with ThreadPoolExecutor(5) as pool:
            statuses = [status for status, _ in pool.map(lambda n: ask(server, str(n)), range(5))]
        assert sorted(statuses) == [200, 200, 429, 429, 429]
        assert ask(server, "x")[0] == 200


def test_a_server_remembers_the_latest_requests_only() -> None:
    """However long it serves."""
    server = Sandbox()
    request = ReceivedRequest(method="GET", path="/v1/models", headers={}, body=b"")
    for _ in range(20_001):
        server.note(request)
    assert len(server.requests) == 10_001
    with server:
        pass

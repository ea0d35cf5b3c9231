"""The sandbox speaks HTTP as real servers do."""

import http.client
import json
import socket
import urllib.request
from urllib.parse import urlsplit

import pytest

from nscale_cli.sandbox.server import Sandbox

BODY = json.dumps({"model": "m", "prompt": "A cat", "size": "64x64"}).encode()
Answered = tuple[int, dict[str, str], bytes]


def ask(sandbox: Sandbox, method: str, path: str, body: object = None, **headers: str) -> Answered:
    """Return status, headers and body of a request."""
    address = urlsplit(sandbox.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(
        method,
        path,
        body,
        named,
        encode_chunked="Transfer-Encoding" in named,  # type: ignore[arg-type]
    )
    response = connection.getresponse()
    answered = (response.status, dict(response.getheaders()), response.read())
    connection.close()
    return answered


def raw(sandbox: Sandbox, request: bytes) -> bytes:
    """Return the first line of the answer to the bytes of a request."""
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return answer.readline().strip()


def test_a_body_may_come_in_chunks(sandbox: Sandbox) -> None:
    """As curl and Node send one whose length they do not know; also with a trailer."""
    path = "/v1/images/generations"
    whole = ask(sandbox, "POST", path, BODY)
    pieces = iter([BODY[:10], BODY[10:]])
    head = b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode()
    chunk = b"%x;extension\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(BODY), BODY)

    assert ask(sandbox, "POST", path, pieces, Transfer_Encoding="chunked")[2] == whole[2]
    assert raw(sandbox, head + chunk) == b"HTTP/1.1 200 OK"
    assert {request.body for request in sandbox.requests} == {BODY}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (b"Transfer-Encoding: chunked", b"many\r\n", b"400"),
        (b"Transfer-Encoding: chunked", b"-1\r\n", b"413"),
        (b"Transfer-Encoding: chunked", b"fffffff\r\n", b"413"),
        (b"Content-Length: 99999999999", b"", b"413"),
        (b"Content-Length: -5", b"", b"400"),
    ],
)
def test_a_length_that_is_none_is_refused(
    sandbox: Sandbox, headers: bytes, body: bytes, status: bytes
) -> None:
    """And nothing is read as the next request."""
    request = b"POST /v1/images/generations HTTP/1.1\r\nHost: h\r\n" + headers + b"\r\n\r\n" + body

    assert raw(sandbox, request).split()[1] == status
    assert sandbox.requests == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/sandbox/slow", "/v1/nothing"])
def test_head_is_get_without_a_body(sandbox: Sandbox, path: str) -> None:
    """With the same headers, but for the request's own id."""
    got, headed = ask(sandbox, "GET", path), ask(sandbox, "HEAD", path)
    changing = {"Date", "X-Request-Id"}

    assert headed[0] == got[0]
    assert headed[2] == b""
    assert {k: v for k, v in headed[1].items() if k not in changing} == {
        k: v for k, v in got[1].items() if k not in changing
    }


@pytest.mark.parametrize(
    "model", ["black-forest-labs/FLUX.1-schnell", "black-forest-labs%2FFLUX.1-schnell"]
)
def test_one_model_is_an_entry_of_the_list(sandbox: Sandbox, model: str) -> None:
    """However its slash is written; another is not found, in the API's shape."""
    status, _, body = ask(sandbox, "GET", f"/v1/models/{model}?verbose=1")
    missing = ask(sandbox, "GET", "/v1/models/nobody/nothing")

    assert (status, json.loads(body)["id"]) == (200, "black-forest-labs/FLUX.1-schnell")
    assert json.loads(body) in json.loads(ask(sandbox, "GET", "/v1/models")[2])["data"]
    assert (missing[0], json.loads(missing[2])["error"]["error_type"]) == (404, "MODEL_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/images/generations", "POST"), ("DELETE", "/v1/models", "GET, HEAD")],
)
def test_a_method_that_is_none_is_said(
    sandbox: Sandbox, method: str, path: str, allowed: str
) -> None:
    """With those that there are."""
    status, headers, body = ask(sandbox, method, path)

    assert (status, headers["Allow"]) == (405, allowed)
    assert json.loads(body)["error"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:5173"])
def test_a_page_of_this_machine_may_ask(sandbox: Sandbox, origin: str) -> None:
    """The browser's question before it, which has no key, and the answer itself."""
    asked = {"Access_Control_Request_Headers": "authorization,content-type,x-stainless-os"}
    status, headers, _ = ask(sandbox, "OPTIONS", "/v1/images/generations", Origin=origin, **asked)
    answered = ask(sandbox, "POST", "/v1/images/generations", BODY, Origin=origin)

    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Access-Control-Allow-Headers"] == asked["Access_Control_Request_Headers"]
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert answered[1]["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("origin", ["https://example.com", "http://localhost.evil.example", "null"])
def test_a_page_of_another_machine_may_not(sandbox: Sandbox, origin: str) -> None:
    """No header lets its browser hand the answer over."""
    status, headers, _ = ask(sandbox, "OPTIONS", "/v1/images/generations", Origin=origin)

    assert (status, headers["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_an_address_leads_to_the_picture(sandbox: Sandbox) -> None:
    """`response_format: url` gives the sandbox's own, where the same bytes are."""
    body = {**json.loads(BODY), "response_format": "url", "n": 2}
    path = "/v1/images/generations"
    items = json.loads(ask(sandbox, "POST", path, json.dumps(body).encode())[2])["data"]
    inline = json.loads(
        ask(sandbox, "POST", path, json.dumps(body | {"response_format": "b64_json"}))[2]
    )

    assert len({item["url"] for item in items}) == 2
    for item, same in zip(items, inline["data"], strict=True):
        with urllib.request.urlopen(item["url"], timeout=60) as response:
            assert response.headers["Content-Type"] == "image/png"
            data = urllib.request.urlopen(f"data:;base64,{same['b64_json']}").read()
            assert response.read() == data


def test_only_the_last_addresses_are_kept(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that runs for weeks does not grow."""
    monkeypatch.setattr("nscale_cli.sandbox.server._MAX_PICTURES", 2)
    body = json.dumps({**json.loads(BODY), "response_format": "url", "n": 3}).encode()
    items = json.loads(ask(sandbox, "POST", "/v1/images/generations", body)[2])["data"]
    statuses = [ask(sandbox, "GET", urlsplit(item["url"]).path)[0] for item in items]

    assert statuses == [404, 200, 200]


def test_a_request_id_is_never_taken_for_a_key(sandbox: Sandbox) -> None:
    """It is shown whole, also where the key begins like the sandbox's own words."""
    ids = [ask(sandbox, "GET", "/v1/models")[1]["X-Request-Id"] for _ in range(3)]

    assert ids == ["req-1", "req-2", "req-3"]

"""The public promises: what each failure says, its exit code, and its JSON document."""

import json
import re
from pathlib import Path

import pytest

from nscale_cli.config.table import SANDBOX_MODELS
from nscale_cli.errors import ExitCode
from nscale_cli.sandbox import scenarios
from tests.conftest import Cli

HINT_USAGE_PAGE = "look at your usage page before running it again"
# scenario: exit code, name, billed, whole message ({tmp} is the folder of the run)
SCENARIOS = {
    "unauthorized": (
        4,
        "key",
        "no",
        "the API key from --sandbox was refused (401): Invalid API key",
    ),
    "forbidden": (
        4,
        "key",
        "no",
        "the API key from --sandbox was not allowed to do this (403): "
        "This key may not use this model",
    ),
    "not-found": (
        6,
        "refused",
        "no",
        "no model 'sandbox/not-found' at 127.0.0.1 (404): Model not found or unavailable",
    ),
    "insufficient-credit": (
        5,
        "credit",
        "no",
        "not enough credit: You have insufficient credit to run this request",
    ),
    "rate-limited": (9, "rate_limited", "no", "too many requests (429): Slow down, please"),
    "refused": (
        6,
        "refused",
        "no",
        "the service refused the request (400): The prompt violates the content policy",
    ),
    "server-error": (
        12,
        "service_failed",
        "maybe",
        "the service, or a proxy before it, failed (500): Something went wrong",
    ),
    "unavailable": (
        12,
        "service_failed",
        "maybe",
        "the service, or a proxy before it, failed (503): Service temporarily unavailable",
    ),
    "hangs": (10, "timeout", "maybe", "no answer within 1 s"),
    "disconnects": (
        11,
        "disconnected",
        "maybe",
        "the connection to 127.0.0.1 broke before the reply was whole",
    ),
    "truncated": (
        11,
        "disconnected",
        "maybe",
        "the connection to 127.0.0.1 broke before the reply was whole; "
        "it is kept at {tmp}/cat-incomplete-reply.json",
    ),
    "empty": (
        13,
        "unusable_reply",
        "maybe",
        "the service sent no image; it is kept at {tmp}/cat-reply.json",
    ),
    "not-an-image": (
        22,
        "incomplete",
        "yes",
        "image 1 is not usable: its bytes are not PNG, JPEG or WebP; it is kept at {tmp}/cat.bin",
    ),
    "fewer": (22, "incomplete", "yes", "2 images were asked for, 1 came"),
    "url": (
        22,
        "incomplete",
        "yes",
        "image 1 is not usable: it came as an address, which nscale does not fetch: "
        "https://images.example/1.png; it is kept at {tmp}/cat-reply.json",
    ),
}
SUCCESSES = {"slow", "jpeg", "webp", "wrong-size", "credit-after-3", "flaky", "ignores-seed"}


def scenario_arguments(scenario: str) -> list[str]:
    """Return the arguments that bring the scenario about."""
    extra = {"hangs": ["--timeout", "1"], "fewer": ["-n", "2"]}.get(scenario, [])
    return ["cat", "-m", f"sandbox/{scenario}", *extra]


EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name == "hangs")) for name in SCENARIOS]


def test_every_scenario_is_covered_here() -> None:
    """A scenario that is added to the sandbox must be added to this table."""
    assert {model.removeprefix("sandbox/") for model in SANDBOX_MODELS} == (
        set(SCENARIOS) | SUCCESSES
    )


@pytest.mark.parametrize("scenario", EACH)
def test_a_failure_has_its_exit_code_and_one_clear_message(
    generate: Cli, tmp_path: Path, scenario: str
) -> None:
    """stdout stays empty of anything but paths; stderr says what, why and whether it was billed."""
    code, _, billed, message = SCENARIOS[scenario]

    outcome = generate(*scenario_arguments(scenario))

    assert outcome.exit_code == code
    sentence = {
        "no": "Nothing was billed.",
        "maybe": "The image may have been made, and billed.",
        "yes": "The request was billed.",
    }[billed]
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: {message.format(tmp=tmp_path)}. {sentence}"]
    assert outcome.stdout == (f"{tmp_path}/cat.png\n" if scenario == "fewer" else "")


@pytest.mark.parametrize("scenario", EACH)
def test_a_failure_is_one_json_document_for_a_script(
    generate: Cli, tmp_path: Path, scenario: str
) -> None:
    """The document names the failure as the table of exit codes does."""
    code, name, billed, message = SCENARIOS[scenario]

    outcome = generate(*scenario_arguments(scenario), "--json")

    assert outcome.exit_code == code
    document = outcome.document
    assert document["version"] == 1
    assert document["command"] == "images generate"
    assert document["status"] == ("partial" if scenario == "fewer" else "error")
    (error,) = document["errors"]
    assert error["code"] == name
    assert error["billed"] == billed
    assert error["message"] == message.format(tmp=tmp_path)
    assert set(error) == {"code", "message", "hint", "billed", "http_status", "request_id"}


@pytest.mark.parametrize("scenario", sorted(SUCCESSES))
def test_an_unusual_success_is_a_success(
    generate: Cli, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow answer, another format or another size is still the image that was paid for."""
    monkeypatch.setattr(scenarios, "SLOW_SECONDS", 0.2)

    outcome = generate(*scenario_arguments(scenario))

    assert outcome.exit_code == 0
    assert len(outcome.stdout.splitlines()) == 1


def test_a_size_that_differs_is_said(generate: Cli) -> None:
    """The true size is read from the bytes."""
    outcome = generate("cat", "-m", "sandbox/wrong-size", "-z", "640x480")

    assert "saved cat.png  320x240 (asked for 640x480)  PNG" in outcome.stderr


def test_the_json_document_of_a_success_is_whole(generate: Cli, tmp_path: Path) -> None:
    """Every field of the contract is there, and the file is what the document says."""
    outcome = generate("A cat", "-n", "2", "--json")

    assert outcome.exit_code == 0
    assert outcome.stdout.count("\n") == 1
    document = outcome.document
    assert document["status"] == "ok"
    assert document["errors"] == []
    data = document["data"]
    assert isinstance(data.pop("elapsed_seconds"), float)
    images = data.pop("images")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", data.pop("created_at"))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", data.pop("base_url"))
    assert re.fullmatch(r"req-\d+", data.pop("request_id"))
    assert data == {
        "model": "black-forest-labs/FLUX.1-schnell",
        "prompt": "A cat",
        "size": "512x512",
        "count": 2,
        "params": {},
        "cost_usd": 0.000681574,  # two images of 0.262144 megapixels, at 0.0013 each
        "kept": [],
    }
    assert [image["path"] for image in images] == [
        f"{tmp_path}/a-cat.png",
        f"{tmp_path}/a-cat-2.png",
    ]
    for image in images:
        assert image["bytes"] == Path(image["path"]).stat().st_size
        assert (image["format"], image["width"], image["height"]) == ("png", 512, 512)
        assert re.fullmatch("[0-9a-f]{64}", image["sha256"])
        assert image["original_sha256"] == image["sha256"]


def test_a_usage_error_is_one_json_document_too(cli: Cli) -> None:
    """A script need not tell the parser's errors from the program's."""
    outcome = cli("images", "generate", "cat", "--json", "--bogus")

    assert outcome.exit_code == 2
    (error,) = outcome.document["errors"]
    assert (error["code"], error["billed"]) == ("usage", "no")
    assert outcome.document["data"]["images"] == []


def test_a_usage_error_tells_what_is_known_of_the_request(cli: Cli) -> None:
    """A script that logs its failures need not keep the command line as well."""
    outcome = cli(
        "images", "generate", "cat", "-n", "2", "-z", "large", "--param", "seed=7", "--json"
    )

    assert outcome.exit_code == 2
    data = outcome.document["data"]
    assert data == {
        "model": "black-forest-labs/FLUX.1-schnell",
        "prompt": "cat",
        "size": "large",
        "count": 2,
        "params": {"seed": 7},
        "base_url": None,
        "created_at": None,
        "request_id": None,
        "elapsed_seconds": None,
        "cost_usd": None,
        "images": [],
        "kept": [],
    }


def test_the_exit_codes_are_the_ones_that_were_promised() -> None:
    """Scripts depend on the numbers; a change here is a broken promise."""
    promised = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 20, 21, 22, 23, 24, 25, 129, 130, 143]

    assert [code.value for code in ExitCode] == promised


def test_help_exit_codes_prints_the_table_of_the_code(cli: Cli) -> None:
    """The page holds each code with its name, whether it is billed, and its meaning."""
    page = " ".join(cli("help", "exit-codes").stdout.split())

    for code in ExitCode:
        assert f"{code.value} {code.label} {code.billed} {code.meaning}" in page


def test_the_page_for_scripts_has_the_table_of_the_code() -> None:
    """The documentation's rows are the enum's."""
    page = (Path(__file__).parent.parent / "docs/scripts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\S+) \| (.+) \|$", page, flags=re.MULTILINE)

    assert rows == [(str(int(c)), c.label, c.billed, c.meaning) for c in ExitCode]


def test_the_json_never_holds_a_raw_control_character(generate: Cli) -> None:
    """A prompt with escapes is data: it comes back exactly, but as ASCII."""
    prompt = "a\x1b]0;title\x07 \u202e cat"

    outcome = generate(prompt, "--json")

    assert outcome.stdout.isascii()
    assert outcome.stdout.rstrip("\n").isprintable()
    assert json.loads(outcome.stdout)["data"]["prompt"] == prompt


@pytest.mark.parametrize(
    ("model", "ending"),
    [("url", "-reply.json"), ("not-an-image", ".bin"), ("empty", "-reply.json"),
     ("truncated", "-incomplete-reply.json")],
)  # fmt: skip
def test_a_script_is_told_which_files_are_kept(
    generate: Cli, tmp_path: Path, model: str, ending: str
) -> None:
    """What was paid for and is no image: its path, not only a sentence with it."""
    data = generate("cat", "-m", f"sandbox/{model}", "--json").document["data"]

    (path,) = data["kept"]
    assert path.endswith(ending)
    assert (tmp_path / path).exists()


def test_nothing_is_kept_of_a_success(generate: Cli) -> None:
    """An empty list."""
    assert generate("cat", "-z", "64x64", "--json").document["data"]["kept"] == []


def test_an_image_that_came_as_an_address_has_a_remedy(generate: Cli) -> None:
    """Where the address is, and what to do about it next time."""
    outcome = generate("cat", "-m", "sandbox/url")

    assert "hint: the kept reply has the address; next time, --param response_format=b64_json" in (
        outcome.stderr
    )
    assert "fetch_urls = true in a profile" in outcome.stderr

"""`nscale models show ID`: all that is known of one model."""

import pytest

from tests.conftest import KEY, Cli, ScriptedServer, models_reply

FLUX = {
    "id": "bfl/FLUX.1",
    "object": "model",
    "owned_by": "bfl",
    "context_length": 0,
    "ready": True,
    "tags": ["x"],
    "pricing": {"input": None, "output": "0.002"},
}
LLAMA = {"id": "meta/llama"}


@pytest.fixture
def show(cli: Cli, server: ScriptedServer) -> Cli:
    """Run `nscale models show` with a key against a server of two models."""
    server.models = models_reply(FLUX, LLAMA)
    return lambda *arguments, **options: cli(
        "models", "show", "--base-url", server.base_url, "-a", KEY, *arguments, **options
    )


def test_every_field_is_shown_and_the_price_of_an_image(show: Cli) -> None:
    """One a line; what the rule says is no field of the service's."""
    outcome = show("bfl/FLUX.1", "-z", "1000x500")

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [
        "id                         bfl/FLUX.1",
        "object                     model",
        "owned_by                   bfl",
        "context_length             0",
        "ready                      true",
        "pricing.input              none",
        "pricing.output             0.002",
        "USD per image of 1000x500  0.001000",
        "looks like an image model  yes",
    ]


def test_a_model_of_which_little_is_known(show: Cli) -> None:
    """Nothing is made up."""
    assert show("meta/llama").stdout.splitlines() == [
        "id                         meta/llama",
        "USD per image of 512x512   unknown",
        "looks like an image model  no",
    ]


def test_the_document_holds_the_same(show: Cli) -> None:
    """The fields as they came."""
    data = show("bfl/FLUX.1", "-z", "1000x500", "--json").document["data"]

    assert (data["cached"], data["size"]) == (False, "1000x500")
    assert data["model"] == {
        "id": "bfl/FLUX.1",
        "owned_by": "bfl",
        "image": True,
        "usd_per_megapixel": 0.002,
        "usd_per_image": 0.001,
        "fields": {
            "object": "model",
            "owned_by": "bfl",
            "context_length": 0,
            "ready": True,
            "pricing.input": None,
            "pricing.output": "0.002",
        },
    }


@pytest.mark.parametrize(
    ("model_id", "hint"),
    [
        ("bfl/flux.1", "did you mean bfl/FLUX.1? Model ids are case-sensitive"),
        ("meta/lama", "did you mean meta/llama? Model ids are case-sensitive"),
        ("no\x1b[31m/such", "nscale models list --all lists them all"),
    ],
)
def test_an_unknown_id_is_refused_and_the_nearest_is_named(
    show: Cli, server: ScriptedServer, model_id: str, hint: str
) -> None:
    """Exit code 6, and nothing was billed."""
    outcome = show(model_id)

    shown = model_id.replace("\x1b", "\\\\x1b")
    assert (outcome.exit_code, outcome.stdout) == (6, "")
    assert outcome.stderr == (
        f"error: {server.base_url} lists no model '{shown}'. Nothing was billed.\nhint: {hint}\n"
    )
    (error,) = show(model_id, "--json").document["errors"]
    assert (error["code"], error["billed"], error["hint"]) == ("refused", "no", hint)


@pytest.mark.parametrize("tty", [False, True])
def test_hostile_fields_reach_no_terminal(show: Cli, server: ScriptedServer, tty: bool) -> None:
    """Names and values; a flood of them ends."""
    hostile = {f"a\x1b[2J\n{number}": "x\x07\n" * 1_000 for number in range(150)}
    server.models = models_reply({"id": "m", "note": KEY} | hostile)

    outcome = show("m", stdout_is_tty=tty)

    lines = outcome.stdout.splitlines()
    assert (outcome.exit_code, len(lines)) == (0, 103)
    assert all(line.isprintable() and len(line) < 700 for line in lines)
    assert "[key hidden]" in outcome.stdout


def test_the_last_list_serves_without_a_key(cli: Cli, show: Cli, server: ScriptedServer) -> None:
    """What was known is still known."""
    before = show("bfl/FLUX.1")
    outcome = cli("models", "show", "bfl/FLUX.1", "--base-url", server.base_url)

    assert (outcome.exit_code, outcome.stdout) == (0, before.stdout)
    assert outcome.stderr.startswith("from the list of less than a minute ago: no API key\n")

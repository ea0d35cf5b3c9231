"""Models as services list them, and the rule that tells image models by their names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.config.table import KNOWN_MODELS
from nscale_cli.redact import Redactor
from nscale_cli.service.models import is_plain, looks_like_images, models_in, nearest
from tests.conftest import KEY


def body(*entries: object) -> bytes:
    """Return a reply to `GET /models`."""
    return json.dumps({"object": "list", "data": entries}).encode()


@pytest.mark.parametrize(
    "model_id",
    [
        *KNOWN_MODELS,
        "black-forest-labs/FLUX.1-dev",
        "stabilityai/stable-diffusion-3.5-large",
        "stabilityai/sd-turbo",
        "sd3",
        "Qwen/Qwen-Image",
        "tencent/HunyuanImage-3.0",
        "playground-v2.5",
        "PixArt-alpha/PixArt-Sigma",
        "openai/dall-e-3",
        "a/stable_diffusion_xl",
    ],
)
def test_a_name_of_a_family_of_image_models_is_recognised(model_id: str) -> None:
    """Whatever its case and its separators."""
    assert looks_like_images(model_id)


@pytest.mark.parametrize(
    "model_id",
    [
        "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen/Qwen2.5-Coder-32B-Instruct",
        "deepseek-ai/DeepSeek-R1",
        "openai/gpt-oss-120b",
        "stabilityai/stablecode",
        "influxdata/db",
        "tsdb3",
        "sandbox/slow",
        "",
    ],
)
def test_any_other_name_is_not(model_id: str) -> None:
    """Also where it holds the letters of one inside a word."""
    assert not looks_like_images(model_id)


def test_an_entry_has_its_scalar_fields_with_the_path_to_each() -> None:
    """Lists, and what is nested deeper than anybody looks, are left out."""
    entry = {
        "id": "m",
        "owned_by": "me",
        "context_length": 0,
        "private": False,
        "none": None,
        "tags": ["a"],
        "pricing": {"input": 0, "output": "0.5", "more": {"a": 1, "b": {"c": 2}}},
    }
    (model,) = models_in(body(entry), Redactor()) or ()

    assert (model.id, model.owner, model.usd_per_megapixel) == ("m", "me", 0.5)
    assert model.fields == {
        "owned_by": "me",
        "context_length": 0,
        "private": False,
        "none": None,
        "pricing.input": 0,
        "pricing.output": "0.5",
        "pricing.more.a": 1,
    }


def test_numbers_that_json_cannot_hold_are_left_out() -> None:
    """The document is read by strict programs."""
    (model,) = models_in(b'{"data": [{"id": "m", "a": NaN, "b": -Infinity}]}', Redactor()) or ()
    assert model.fields == {}


@pytest.mark.parametrize(
    "reply",
    [
        b"", b"<html>", b"[]", b"null", b'{"data": null}', b'{"data": {"id": "m"}}',
        b'{"data": "m"}', b"[" * 100_000, b'{"data": [], "x": "' + b"x" * 9_000_000 + b'"}',
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_list_is_none(reply: bytes) -> None:
    """Whatever a server sends in place of the list; eight megabytes are no list either."""
    assert models_in(reply, Redactor()) is None


@pytest.mark.parametrize(
    "entry", [None, "m", 7, [], {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": " \n"}]
)
def test_an_entry_without_an_id_is_left_out(entry: object) -> None:
    """The others stay."""
    models = models_in(body(entry, {"id": "m"}), Redactor()) or ()
    assert [model.id for model in models] == ["m"]
    assert models[0].usd_per_megapixel is None and models[0].owner is None


@pytest.mark.slow
@given(st.binary() | st.recursive(st.none() | st.text(), lambda x: st.lists(x)).map(json.dumps))
def test_reading_a_list_never_fails(reply: bytes | str) -> None:
    """None, or models."""
    models_in(reply.encode() if isinstance(reply, str) else reply, Redactor())


def test_a_key_that_a_list_echoes_is_hidden_at_once() -> None:
    """Before it can reach a terminal, a document or the cache."""
    redactor = Redactor()
    redactor.hide(KEY)
    entry = {"id": f"a/{KEY}", "owned_by": KEY, f"x{KEY}": 1}

    assert KEY not in repr(models_in(body(entry), redactor))


IDS = ["black-forest-labs/FLUX.1-schnell", "black-forest-labs/FLUX.1-dev", "meta/llama", "a b"]


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("black-forest-labs/flux.1-schnell", [IDS[0], IDS[1]]),
        ("black-forest-labs/FLUX.1-shnell", [IDS[0], IDS[1]]),
        ("META/LLAMMA", [IDS[2]]),
        ("flux", [IDS[0], IDS[1]]),
        ("nothing-like-it", []),
        (IDS[2], []),
        ("a  b", []),
        ("x" * 10_000, []),
    ],
)
def test_nearest_ids_are_suggested_whatever_their_case(model_id: str, expected: list[str]) -> None:
    """None for an id that is listed: its name is not what is wrong."""
    assert nearest(model_id, IDS) == expected


def test_at_most_three_ids_are_suggested() -> None:
    """More would be a list."""
    assert len(nearest("model-x", [f"model-{number}" for number in range(10)])) == 3


@pytest.mark.parametrize(
    "model_id",
    ["$(reboot)", "a;b", "a b", "-x", "a\x1b[31m", "a\nb", "`a`", "a'b", 'a"b', "é", "a" * 201, ""],
)
def test_an_id_that_a_shell_would_act_on_is_not_offered(model_id: str) -> None:
    """It would stand in the user's command line."""
    assert not is_plain(model_id)

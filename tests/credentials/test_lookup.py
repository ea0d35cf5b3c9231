"""Which key a request is made with."""

import json
from pathlib import Path

import pytest

from nscale_cli.config.settings import Config, ConfigValue, Settings
from nscale_cli.config.table import DEFAULT_BASE_URL
from nscale_cli.credentials.lookup import find_key, origin_of
from nscale_cli.credentials.store import KeyStore
from nscale_cli.errors import AuthenticationError

KEY = "sk-test-0123456789abcdef"
LOCAL = "http://127.0.0.1:8080/v1"
OTHER = "https://images.example/v1"
WAYS = (
    "nscale auth login, or export NSCALE_API_KEY=..., or name a file with --api-key-file; "
    "--sandbox needs none"
)


def profile(**values: object) -> Settings:
    """Return the settings with a profile `other` that holds `values`."""
    written = {
        name: ConfigValue(value=value, place="config.toml") for name, value in values.items()
    }
    return Settings.resolve({}, Config(profiles={"other": written}), "other")


def store(folder: Path, base_url: str, key: str = KEY) -> dict[str, str]:
    """Store a key in a file below `folder`; return the environment that finds it."""
    path = folder / "nscale" / "keys.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1, "keys": {origin_of(base_url): {"key": key}}}))
    return {"XDG_CONFIG_HOME": str(folder)}


@pytest.mark.parametrize(
    ("env", "value", "source"),
    [
        ({"NSCALE_API_KEY": "old-key"}, "old-key", "NSCALE_API_KEY"),
        ({"NSCALE_SERVICE_TOKEN": "token"}, "token", "NSCALE_SERVICE_TOKEN"),
        (
            {"NSCALE_API_KEY": "old-key", "NSCALE_SERVICE_TOKEN": "token"},
            "token",
            "NSCALE_SERVICE_TOKEN",
        ),
        ({"NSCALE_API_KEY": "old-key", "NSCALE_SERVICE_TOKEN": " "}, "old-key", "NSCALE_API_KEY"),
        ({"NSCALE_API_KEY": " old-key\r\n"}, "old-key", "NSCALE_API_KEY"),
    ],
)
def test_key_is_taken_from_the_first_variable_that_holds_one(
    env: dict[str, str], value: str, source: str
) -> None:
    """The service token first; space around a key is dropped."""
    key = find_key(env, Settings.resolve({}), DEFAULT_BASE_URL)
    assert (key.value, key.source) == (value, source)


@pytest.mark.parametrize("env", [{}, {"NSCALE_API_KEY": ""}, {"OPENAI_API_KEY": KEY}])
def test_no_key_is_said_with_the_ways_to_give_one(env: dict[str, str]) -> None:
    """Another service's key is never used."""
    with pytest.raises(AuthenticationError) as caught:
        find_key(env, Settings.resolve({}), DEFAULT_BASE_URL)
    assert caught.value.message == "no API key"
    assert caught.value.hint == WAYS


def test_a_stored_key_comes_after_the_variables(tmp_path: Path) -> None:
    """A variable set for one run, or in CI, wins."""
    env = store(tmp_path, DEFAULT_BASE_URL)

    key = find_key(env, Settings.resolve({}), DEFAULT_BASE_URL)
    assert (key.value, key.source) == (KEY, str(tmp_path / "nscale" / "keys.json"))

    key = find_key({**env, "NSCALE_API_KEY": "mine"}, Settings.resolve({}), DEFAULT_BASE_URL)
    assert (key.value, key.source) == ("mine", "NSCALE_API_KEY")


@pytest.mark.parametrize(
    "base_url",
    [OTHER, "https://inference.api.nscale.com:8443/v1", "https://nscale.com/v1", LOCAL],
)
def test_a_stored_key_is_for_its_own_service_only(tmp_path: Path, base_url: str) -> None:
    """Whatever --base-url says, no other host or port gets it."""
    env = store(tmp_path, DEFAULT_BASE_URL)

    with pytest.raises(AuthenticationError, match=r"^no API key$"):
        find_key(env, Settings.resolve({}), base_url)


def test_the_path_does_not_part_a_service(tmp_path: Path) -> None:
    """Nor does the case of its name."""
    env = store(tmp_path, DEFAULT_BASE_URL)

    key = find_key(env, Settings.resolve({}), "https://INFERENCE.api.nscale.com/v2/")

    assert key.value == KEY


def test_the_service_of_a_profile_gets_the_key_of_its_own_variable() -> None:
    """Nscale's key is no business of another service."""
    env = {"NSCALE_API_KEY": "nscales", "OTHER_KEY": "theirs"}
    settings = profile(base_url=OTHER, key_variable="OTHER_KEY")

    assert find_key(env, settings, OTHER).value == "theirs"
    with pytest.raises(AuthenticationError) as caught:
        find_key({"NSCALE_API_KEY": "nscales"}, settings, OTHER)
    assert caught.value.hint == "nscale auth login --profile other, or export OTHER_KEY=..."


@pytest.mark.parametrize("base_url", [DEFAULT_BASE_URL, "https://third.example/v1"])
def test_the_key_of_a_profile_is_not_for_an_address_in_its_place(base_url: str) -> None:
    """NSCALE_BASE_URL and --base-url go before the profile's address; its key stays at home."""
    written = {"base_url": OTHER, "key_variable": "OTHER_KEY"}
    env = {"NSCALE_API_KEY": "nscales", "OTHER_KEY": "theirs", "NSCALE_BASE_URL": base_url}
    env["NSCALE_PROFILE"] = "other"  # which a --profile would be stronger than
    profiles = {"other": {name: ConfigValue(value=v, place="f") for name, v in written.items()}}
    settings = Settings.resolve(env, Config(profiles=profiles))

    assert settings.base_url == base_url
    assert find_key(env, settings, settings.base_url).value == "nscales"
    with pytest.raises(AuthenticationError):
        find_key({"OTHER_KEY": "theirs"}, settings, settings.base_url)


def test_a_profile_without_a_variable_gets_no_key_of_another_service() -> None:
    """The hint says how to name one."""
    env = {"NSCALE_API_KEY": "nscales", "NSCALE_SERVICE_TOKEN": "nscales"}

    with pytest.raises(AuthenticationError) as caught:
        find_key(env, profile(base_url=OTHER), OTHER)

    assert caught.value.hint == (
        "nscale auth login --profile other, or name its variable: "
        "nscale config set --profile other key_variable NAME"
    )


def test_a_profile_of_this_machine_needs_no_key() -> None:
    """LocalAI and stable-diffusion.cpp ask for none."""
    key = find_key({"NSCALE_API_KEY": "nscales"}, profile(base_url=LOCAL), LOCAL)

    assert key.value == "none"


def test_a_profile_that_is_only_a_taste_uses_the_usual_variables() -> None:
    """Another model and size, the same service."""
    settings = profile(model="m", size="64x64")

    assert find_key({"NSCALE_API_KEY": KEY}, settings, DEFAULT_BASE_URL).value == KEY


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"keys": 3}', '{"keys": {"a": 3}}', "\udcff", "[" * 100_000]
)
def test_a_damaged_file_of_keys_is_said(tmp_path: Path, text: str) -> None:
    """And never taken for an empty one, which the next login would then overwrite."""
    env = store(tmp_path, DEFAULT_BASE_URL)
    path = KeyStore(env).path
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(Exception, match=r"keys\.json is damaged$"):
        find_key(env, Settings.resolve({}), DEFAULT_BASE_URL)


def test_a_file_of_keys_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """Such as one that was copied."""
    env = store(tmp_path, DEFAULT_BASE_URL)
    path = KeyStore(env).path
    path.chmod(0o644)

    find_key(env, Settings.resolve({}), DEFAULT_BASE_URL)

    assert path.stat().st_mode & 0o777 == 0o600

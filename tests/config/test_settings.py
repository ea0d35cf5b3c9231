"""The table of settings, variables and defaults."""

from dataclasses import replace

import pytest

from nscale_cli.config.checks import require_timeout
from nscale_cli.config.settings import Settings
from nscale_cli.config.table import COMMON_SIZES, KEY_VARIABLES, SETTINGS, VARIABLES
from nscale_cli.errors import UsageError
from nscale_cli.request import Size

DEFAULTS = Settings(
    model="black-forest-labs/FLUX.1-schnell",
    size="512x512",
    base_url="https://inference.api.nscale.com/v1",
    timeout_seconds=300.0,
    sandbox=False,
    preview_style="ascii",
    output=None,
    profile=None,
    profile_base_url=None,
    key_variable=None,
    send_size=True,
    response_format=None,
    fetch_urls=False,
    metadata="none",
    history=True,
)


def test_empty_environment_gives_the_defaults() -> None:
    """A user who sets nothing gets the documented values."""
    assert Settings.resolve({}) == DEFAULTS


def test_variables_set_to_nothing_count_as_unset() -> None:
    """An empty variable is how many tools unset one."""
    names = ("MODEL", "SIZE", "BASE_URL", "TIMEOUT", "SANDBOX")
    assert Settings.resolve({f"NSCALE_{name}": "" for name in names}) == DEFAULTS


def test_each_variable_replaces_its_default() -> None:
    """The environment wins over the defaults; nothing else in it matters."""
    env = {
        "NSCALE_MODEL": "m",
        "NSCALE_SIZE": "1x2",
        "NSCALE_BASE_URL": "https://h/v1",
        "NSCALE_TIMEOUT": "1.5",
        "NSCALE_SANDBOX": "1",
        "NSCALE_PREVIEW": "sixel",
        "OPENAI_BASE_URL": "https://elsewhere/v1",
    }
    assert Settings.resolve(env) == replace(
        DEFAULTS,
        model="m",
        size="1x2",
        base_url="https://h/v1",
        timeout_seconds=1.5,
        sandbox=True,
        preview_style="sixel",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((word, True) for word in ("1", "true", " YES ", "on")),
        *((word, False) for word in ("0", "False", "no", "off", " ")),
    ],
)
def test_sandbox_is_switched_by_a_word(text: str, expected: bool) -> None:
    """Either case, with or without space around it."""
    assert Settings.resolve({"NSCALE_SANDBOX": text}).sandbox is expected


def test_sandbox_word_that_is_no_switch_is_refused() -> None:
    """A typing error must not turn into a paid request."""
    with pytest.raises(UsageError) as caught:
        Settings.resolve({"NSCALE_SANDBOX": "ture"})
    assert caught.value.message == "NSCALE_SANDBOX is 'ture'"
    assert caught.value.hint == "write 1 or 0"


@pytest.mark.parametrize("text", ["soon", "5 s", "1,5", "x" * 100_000])
def test_timeout_that_is_no_number_is_refused(text: str) -> None:
    """The message names the variable, and repeats no more than its beginning."""
    with pytest.raises(UsageError) as caught:
        Settings.resolve({"NSCALE_TIMEOUT": text})
    expected = f"NSCALE_TIMEOUT is {text[:40]!r}, not a number"
    assert caught.value.message == expected


@pytest.mark.parametrize("text", ["0", "-1", "86401", "inf", "-inf", "nan", "1e999"])
def test_timeout_that_is_no_limit_is_refused(text: str) -> None:
    """A limit is more than nothing and at most a day."""
    expected = "must be more than 0 and at most 86400 seconds$"
    with pytest.raises(UsageError, match=f"^NSCALE_TIMEOUT {expected}"):
        Settings.resolve({"NSCALE_TIMEOUT": text})
    with pytest.raises(UsageError, match=f"^--timeout {expected}"):
        require_timeout(float(text), source="--timeout")


@pytest.mark.parametrize("seconds", [0.001, 1.0, 86_400.0])
def test_timeout_within_its_bounds_is_returned(seconds: float) -> None:
    """Both ends of the range are usable."""
    assert require_timeout(seconds, source="--timeout") == seconds


def test_every_variable_that_is_read_is_in_the_table() -> None:
    """Users find each variable in the help."""
    of_settings = {setting.variable for setting in SETTINGS.values() if setting.variable}
    others = {"NSCALE_SANDBOX", "NSCALE_PROFILE", "NSCALE_CONFIG"}
    assert {*KEY_VARIABLES, *of_settings, *others} <= set(VARIABLES)


def test_service_token_is_read_before_the_api_key() -> None:
    """The current kind of credential wins over the older one."""
    assert KEY_VARIABLES == ("NSCALE_SERVICE_TOKEN", "NSCALE_API_KEY")


def test_sizes_that_completion_offers_are_sizes() -> None:
    """Completion offers nothing that would then be refused."""
    assert [str(Size.parse(text)) for text in COMMON_SIZES] == list(COMMON_SIZES)

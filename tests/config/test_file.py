"""The settings file: what may stand in it, and where a mistake is said to be."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.config.file import config_path, profile_names, read_config
from nscale_cli.config.settings import Settings
from nscale_cli.errors import ConfigurationError

WHOLE = """\
# My settings.
model = "m/1"
size = "64x32"
output = "~/pictures/"
preview_style = "auto"
base_url = "https://one.example/v1/"
timeout = 30
profile = "local"

[profiles.local]
base_url = "http://127.0.0.1:8080/v1"
key_variable = "LOCAL_KEY"
send_size = false
response_format = "b64_json"
fetch_urls = true

[profiles."with a space"]
model = "m/2"
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment that names a settings file."""
    return {"NSCALE_CONFIG": str(tmp_path / "config.toml"), "HOME": str(tmp_path)}


def write(env: dict[str, str], text: str) -> None:
    """Make this the settings file."""
    Path(env["NSCALE_CONFIG"]).write_text(text, "utf-8")


def test_no_file_is_no_settings(env: dict[str, str]) -> None:
    """Nobody needs one."""
    assert Settings.resolve({}, read_config(env)) == Settings.resolve({})


def test_each_setting_is_read(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile wins over the rest of the file; ~ is the home folder."""
    write(env, WHOLE)
    monkeypatch.setenv("HOME", env["HOME"])
    monkeypatch.setenv("USERPROFILE", env["HOME"])

    settings = Settings.resolve({}, read_config(env))

    assert settings == Settings(
        model="m/1",
        size="64x32",
        output=f"{env['HOME']}/pictures/",
        preview_style="auto",
        base_url="http://127.0.0.1:8080/v1",
        timeout_seconds=30,
        sandbox=False,
        profile="local",
        profile_base_url="http://127.0.0.1:8080/v1",
        key_variable="LOCAL_KEY",
        send_size=False,
        response_format="b64_json",
        fetch_urls=True,
        metadata="none",
        history=True,
    )
    assert settings.sources["profile"] == f"{env['NSCALE_CONFIG']}:8"
    assert settings.sources["model"] == f"{env['NSCALE_CONFIG']}:2"
    assert settings.sources["base_url"] == f"profile local, {env['NSCALE_CONFIG']}:11"


def test_a_variable_wins_over_the_profile_and_a_flag_names_another(env: dict[str, str]) -> None:
    """Flag, variable, profile, file, default."""
    write(env, WHOLE)
    config = read_config(env)

    assert Settings.resolve({"NSCALE_MODEL": "m/3"}, config, "with a space").model == "m/3"
    assert Settings.resolve({}, config, "with a space").model == "m/2"
    assert Settings.resolve({"NSCALE_PROFILE": "with a space"}, config).model == "m/2"
    assert Settings.resolve({"NSCALE_PROFILE": "with a space"}, config, "local").model == "m/1"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('\nmodell = "m"', 2, "unknown setting 'modell'"),
        ('api_key = "sk"', 1, "unknown setting 'api_key'"),
        ('[profiles.a]\n\nmodels = "m"', 3, "unknown setting 'models'"),
        ("[sizes]\nx = 1", 1, "unknown setting 'sizes'"),
        ("send_size = true", 1, "send_size can only be set in a profile"),
        ("size = 512", 1, "size must be a text in quotes"),
        ('# a\nsize = "512"', 2, "size: '512' is not a size"),
        ('timeout = "30"', 1, "timeout must be a number"),
        ("timeout = true", 1, "timeout must be a number"),
        ("timeout = 0", 1, "timeout must be more than 0 and at most 86400 seconds"),
        ("timeout = nan", 1, "timeout must be more than 0 and at most 86400 seconds"),
        ('model = " "', 1, "model is empty"),
        ('preview_style = "ansi"', 1, "preview_style has an invalid style, 'ansi'"),
        (
            'base_url = "http://one.example/v1"',
            1,
            "the base URL uses plain http, which would show your key to the network: "
            "http://one.example/v1",
        ),
        ('[profiles.a]\nsend_size = "no"', 2, "send_size must be true or false"),
        ('profiles.a.response_format = "png"', 1, "response_format has an invalid response format, 'png'"),  # noqa: E501 - one row
        ('[profiles.a]\nkey_variable = "sk-1"', 2, "key_variable is not the name of a variable"),
        ("profiles = 3", 1, "profiles must be a table"),
        ("[profiles]\na = 3", 2, "profiles.a must be a table"),
        ("model = \n\n", 1, "not valid TOML: invalid value"),
        ("a\n\nmodel = 3", 1, "not valid TOML: expected '=' after a key in a key/value pair"),
        ('model = "1"\nmodel = "2"\n', 2, "not valid TOML: cannot overwrite a value"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(
    env: dict[str, str], text: str, line: int, message: str
) -> None:
    """The name of the file and the number of the line, as compilers write them."""
    write(env, text)

    with pytest.raises(ConfigurationError) as caught:
        read_config(env)

    assert caught.value.message == f"{env['NSCALE_CONFIG']}:{line}: {message}"


def test_a_mistake_of_another_profile_is_said_as_well(env: dict[str, str]) -> None:
    """Not only on the day that it is used."""
    write(env, '[profiles.a]\nmodel = "m"\n[profiles.b]\nmodel = 1')

    with pytest.raises(ConfigurationError, match=r":4: model must be a text in quotes$"):
        read_config(env)


def test_a_profile_that_is_not_there_is_said_with_those_that_are(env: dict[str, str]) -> None:
    """From wherever its name came."""
    write(env, "[profiles.one]\n[profiles.two]\n")
    config = read_config(env)

    for settings in (({}, "three"), ({"NSCALE_PROFILE": "three"}, None)):
        with pytest.raises(ConfigurationError) as caught:
            Settings.resolve(settings[0], config, settings[1])
        assert caught.value.message == f"unknown profile 'three' in {env['NSCALE_CONFIG']}"
        assert caught.value.hint == "there are: one, two"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe", " is not UTF-8 text"),
        (b"#" * 1_048_577, " is larger than 1 MiB"),
    ],
)
def test_what_is_no_settings_file_is_said(env: dict[str, str], data: bytes, message: str) -> None:
    """Not a traceback."""
    Path(env["NSCALE_CONFIG"]).write_bytes(data)

    with pytest.raises(ConfigurationError) as caught:
        read_config(env)

    assert caught.value.message == env["NSCALE_CONFIG"] + message


def test_a_folder_in_its_place_is_said(env: dict[str, str]) -> None:
    """It cannot be read."""
    Path(env["NSCALE_CONFIG"]).mkdir()

    with pytest.raises(ConfigurationError, match=r"config\.toml cannot be read: "):
        read_config(env)


def test_the_file_is_in_the_folder_of_settings(tmp_path: Path) -> None:
    """XDG_CONFIG_HOME, where it is a path at all."""
    path = config_path({"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/home/me"})

    assert path == tmp_path / "nscale" / "config.toml"


@pytest.mark.skipif("sys.platform != 'linux'", reason="other systems have other folders")
@pytest.mark.parametrize("env", [{}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_without_the_variable_the_folder_is_below_the_home(env: dict[str, str]) -> None:
    """As the base directory specification says."""
    path = config_path({**env, "HOME": "/home/me"})

    assert path == Path("/home/me/.config/nscale/config.toml")


def test_tab_offers_the_profiles_and_survives_a_mistake(env: dict[str, str]) -> None:
    """Completion never fails."""
    write(env, "[profiles.one]\n[profiles.two]\n")
    assert profile_names(env) == ["one", "two"]
    write(env, "[")
    assert profile_names(env) == []


@pytest.mark.slow
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_settings_or_one_error(tmp_path_factory: object, text: str) -> None:
    """Whatever somebody saved there."""
    path = tmp_path_factory.getbasetemp() / "any.toml"  # type: ignore[attr-defined]
    path.write_text(text, "utf-8", newline="")

    try:
        read_config({"NSCALE_CONFIG": str(path)})
    except ConfigurationError as error:
        message = error.message
    else:
        message = str(path)
    assert str(path) in message and "\n" not in message

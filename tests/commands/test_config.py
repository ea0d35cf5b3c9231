"""`nscale config`: settings that are written, shown and taken back by the program."""

import stat
import sys
from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import KEY, Cli

FILE = Path("home/.config/nscale/config.toml")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folder is Linux's")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The settings file of the runs that `cli` makes."""
    path = tmp_path / FILE
    path.parent.mkdir(parents=True)
    return path


def test_a_setting_is_written_shown_and_taken_out(cli: Cli, tmp_path: Path) -> None:
    """The file is made, for its owner alone."""
    path = tmp_path / FILE

    outcome = cli("config", "set", "size", "64x32")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr == f"size is set, in {path}\n"
    assert path.read_text() == 'size = "64x32"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert (
        "size           64x32                                config.toml:1\n"
        in cli("config", "show").stdout
    )

    assert cli("config", "unset", "size").stderr == f"size is removed from {path}\n"
    assert path.read_text() == ""
    outcome = cli("config", "unset", "size")
    assert (outcome.exit_code, outcome.stderr) == (0, f"size is not set in {path}\n")


def test_writing_keeps_comments_order_and_mode(cli: Cli, file: Path) -> None:
    """It is the user's file."""
    text = '# Mine.\nsize = "1x1"  # small\n\n[profiles.a]  # the other\nmodel = "m"\n'
    file.write_text(text)
    file.chmod(0o640)

    cli("config", "set", "size", "2x2")
    cli("config", "set", "--profile", "a", "send_size", "no")

    assert file.read_text() == text.replace("1x1", "2x2") + "send_size = false\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_that_is_a_link_stays_one(cli: Cli, file: Path, tmp_path: Path) -> None:
    """Many keep such files elsewhere."""
    real = tmp_path / "dotfiles.toml"
    real.write_text("# kept\n")
    file.symlink_to(real)

    assert cli("config", "set", "timeout", "30").exit_code == 0

    assert file.is_symlink()
    assert real.read_text() == "# kept\ntimeout = 30.0\n"


def test_a_profile_is_made_by_its_first_setting(cli: Cli, file: Path) -> None:
    """And can then be the one that is used without a word."""
    outcome = cli("config", "set", "profile", "local")
    assert outcome.exit_code == 2
    assert outcome.stderr == (
        "error: unknown profile 'local'\n"
        "hint: make it first: nscale config set --profile local base_url URL\n"
    )

    cli("config", "set", "--profile", "local", "base_url", "http://127.0.0.1:8080/v1")
    assert cli("config", "set", "profile", "local").exit_code == 0

    assert file.read_text() == (
        'profile = "local"\n\n[profiles.local]\nbase_url = "http://127.0.0.1:8080/v1"\n'
    )
    shown = cli("config", "show", "--json").document["data"]
    assert shown["profile"] == "local"
    assert shown["profiles"] == ["local"]
    assert shown["settings"]["base_url"] == {
        "value": "http://127.0.0.1:8080/v1",
        "source": f"profile local, {file}:4",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sise", "1x1"], "unknown setting 'sise'"),
        (["key_variable", "A"], "key_variable can only be set in a profile"),
        (["api_key", "sk-test"], "unknown setting 'api_key'"),
        (["size", "big"], "size: 'big' is not a size"),
        (["timeout", "soon"], "timeout is 'soon', not a number"),
        (["timeout", "nan"], "timeout must be more than 0 and at most 86400 seconds"),
        (["--profile", "a", "send_size", "maybe"], "send_size is 'maybe'"),
        (["--profile", "a", "profile", "a"], "unknown setting 'profile'"),
    ],
)
def test_what_cannot_be_set_is_a_usage_error(
    cli: Cli, file: Path, words: list[str], message: str
) -> None:
    """Nothing is written then."""
    outcome = cli("config", "set", *words)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: {message}\n")
    assert not file.exists()


def test_a_file_that_is_not_toml_is_not_overwritten(cli: Cli, file: Path) -> None:
    """It may hold much that its owner wants to keep."""
    file.write_text("size = [\n")

    outcome = cli("config", "set", "size", "1x1")

    assert outcome.exit_code == 3
    assert f"{file} is not valid TOML" in outcome.stderr
    assert file.read_text() == "size = [\n"


@pytest.mark.parametrize("text", ["profiles = 3\n", "[profiles]\na = 3\n"])
def test_a_profile_that_is_no_table_is_said(cli: Cli, file: Path, text: str) -> None:
    """It is not overwritten either."""
    file.write_text(text)

    outcome = cli("config", "set", "--profile", "a", "model", "m")

    assert outcome.exit_code == 3
    assert outcome.stderr.endswith(
        " must be a table. Nothing was billed.\nhint: fix it with: nscale config edit\n"
    )
    assert file.read_text() == text


@pytest.mark.parametrize("words", [("model", "\udcff"), ("--profile", "\udcff", "model", "m")])
def test_what_is_not_utf8_is_not_written(cli: Cli, file: Path, words: tuple[str, ...]) -> None:
    """A TOML file could not hold it."""
    outcome = cli("config", "set", *words)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: what is to be set is not UTF-8 text\n")
    assert not file.exists()


def test_a_mistake_in_the_file_stops_a_run_before_anything_is_sent(
    cli: Cli, file: Path, sandbox: Sandbox
) -> None:
    """Exit code 3, one line with its place."""
    file.write_text('\nsise = "1x1"\n')

    outcome = cli("images", "generate", "cat", "--base-url", sandbox.base_url, "-a", "k" * 20)

    assert outcome.exit_code == 3
    assert outcome.stderr.splitlines()[0] == (
        f"error: {file}:2: unknown setting 'sise'. Nothing was billed."
    )
    assert sandbox.requests == []


def test_settings_of_the_file_are_used(cli: Cli, file: Path, tmp_path: Path) -> None:
    """Model, size and output; a flag wins."""
    file.write_text('size = "48x32"\nmodel = "sandbox/jpeg"\noutput = "made/{slug}.{ext}"\n')

    outcome = cli("images", "generate", "cat", "--sandbox")
    assert outcome.stdout == f"{tmp_path}/made/cat.jpg\n"
    assert "48x32  JPEG" in outcome.stderr

    outcome = cli("images", "generate", "cat", "--sandbox", "-z", "32x32", "-o", "x.jpg")
    assert outcome.stdout == f"{tmp_path}/x.jpg\n"
    assert "32x32  JPEG" in outcome.stderr


def test_a_variable_that_goes_before_a_setting_is_said(cli: Cli, file: Path) -> None:
    """Else it would seem to have no effect."""
    outcome = cli("config", "set", "size", "1x1", env={"NSCALE_SIZE": "2x2"})

    assert outcome.stderr.endswith("warning: NSCALE_SIZE is set, and goes before it\n")


def test_the_path_is_printed_whether_or_not_the_file_is_there(cli: Cli, tmp_path: Path) -> None:
    """For scripts, and for the curious."""
    assert cli("config", "path").stdout == f"{tmp_path / FILE}\n"
    env = {"NSCALE_CONFIG": str(tmp_path / "other.toml")}
    assert cli("config", "path", env=env).stdout == f"{tmp_path}/other.toml\n"


def script(folder: Path, text: str) -> Path:
    """Make an editor of these lines; $1 is the file."""
    path = folder / "my editor"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_editor_gets_a_file_with_examples_and_its_work_is_checked(
    cli: Cli, file: Path, tmp_path: Path
) -> None:
    """A mistake is said at once, not at the next run."""
    editor = script(tmp_path, 'cp "$1" seen; echo "sise = 1" > "$1"')

    outcome = cli("config", "edit", env={"VISUAL": f"'{editor}'", "EDITOR": "false"})

    assert outcome.exit_code == 3
    assert f"{file}:1: unknown setting 'sise'" in outcome.stderr
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("# Settings of nscale.")

    uncommented = seen.replace("# model", "model").replace("# [", "[").replace("# base", "base")
    file.write_text(uncommented)
    editor = script(tmp_path, ":")
    outcome = cli("config", "edit", env={"EDITOR": f"'{editor}'"})
    assert (outcome.exit_code, outcome.stderr) == (0, f"{file} is valid\n")


def test_the_editor_gets_the_key_under_no_name(cli: Cli, file: Path, tmp_path: Path) -> None:
    """Neither Nscale's, nor a profile's, nor a copy of one; what is no key it gets."""
    file.write_text('[profiles.local]\nbase_url = "http://localhost/v1"\nkey_variable = "MINE"\n')
    editor = script(tmp_path, "env > seen")
    keys = {"NSCALE_API_KEY": KEY, "NSCALE_SERVICE_TOKEN": "short", "COPY": f"Bearer {KEY}"}

    outcome = cli(
        "config", "edit", env={"EDITOR": f"'{editor}'", "MINE": "other", "LANG": "C", **keys}
    )

    assert outcome.exit_code == 0
    seen = (tmp_path / "seen").read_text()
    assert "LANG=C\n" in seen
    assert not any(f"{name}=" in seen for name in (*keys, "MINE"))
    assert KEY not in seen


def test_the_editor_of_a_damaged_file_gets_no_key_either(
    cli: Cli, file: Path, tmp_path: Path
) -> None:
    """That is when it is needed most."""
    file.write_text("size = \n[profiles.local]\nkey_variable = 'MINE'\n")
    editor = script(tmp_path, 'env > seen; echo > "$1"')
    keys = {"NSCALE_API_KEY": KEY, "MINE": "other", "COPY": f"Bearer {KEY}"}

    outcome = cli("config", "edit", env={"EDITOR": f"'{editor}'", "LANG": "C", **keys})

    assert outcome.exit_code == 0
    seen = (tmp_path / "seen").read_text()
    assert "LANG=C\n" in seen
    assert not any(f"{name}=" in seen for name in keys)


@pytest.mark.parametrize(
    ("editor", "code", "message"),
    [
        ("false", 2, "false ended with exit code 1"),
        ("'open", 2, 'EDITOR is "\'open", which has an open quote'),
        ("no-such-editor -w", 3, "no-such-editor cannot be used: No such file or directory"),
    ],
)
def test_an_editor_that_fails_is_said(cli: Cli, editor: str, code: int, message: str) -> None:
    """With its own exit code, or why it did not start."""
    outcome = cli("config", "edit", env={"EDITOR": editor})

    assert outcome.exit_code == code
    assert outcome.stderr.splitlines()[0].startswith(f"error: {message}")


def test_a_folder_that_takes_no_file_is_said(cli: Cli) -> None:
    """One line; this folder takes none of root's either."""
    outcome = cli("config", "set", "size", "1x1", env={"NSCALE_CONFIG": "/proc/config.toml"})

    assert outcome.exit_code == 3
    assert outcome.stderr.startswith("error: /proc/config.toml cannot be written: ")


def test_hostile_names_reach_no_terminal(cli: Cli, file: Path) -> None:
    """A settings file may come from a stranger."""
    file.write_text('[profiles."\\u001b[31m"]\nmodel = "\\u001b]0;x\\u0007"\n')

    outcome = cli("config", "show", "--profile", "\x1b[31m")

    assert outcome.exit_code == 0
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert "\\x1b]0;x\\x07" in outcome.stdout


def test_get_prints_the_value_that_counts(cli: Cli) -> None:
    """A variable before the file; switches and numbers as one writes them."""
    cli("config", "set", "model", "of-file")
    cli("config", "set", "--profile", "local", "base_url", "http://127.0.0.1:8080/v1")

    assert cli("config", "get", "model").stdout == "of-file\n"
    assert cli("config", "get", "model", env={"NSCALE_MODEL": "of-env"}).stdout == "of-env\n"
    assert cli("config", "get", "timeout").stdout == "300\n"
    assert cli("config", "get", "send_size").stdout == "true\n"
    asked = cli("config", "get", "base_url", "--profile", "local")
    assert asked.stdout == "http://127.0.0.1:8080/v1\n"


@pytest.mark.parametrize(
    ("name", "said"), [("output", "error: output is not set\n"), ("colour", "unknown setting")]
)
def test_get_of_nothing_is_an_error(cli: Cli, name: str, said: str) -> None:
    """So that no script goes on with an empty value."""
    outcome = cli("config", "get", name)

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert said in outcome.stderr


def test_profiles_are_listed(cli: Cli) -> None:
    """With their addresses, and the one that is used."""
    assert "there is none" in cli("config", "profiles").stderr
    cli("config", "set", "--profile", "local", "base_url", "http://127.0.0.1:8080/v1")
    cli("config", "set", "--profile", "poster", "size", "1024x1792")
    cli("config", "set", "profile", "poster")

    outcome = cli("config", "profiles")
    data = cli("config", "profiles", "--json").document["data"]

    assert outcome.stdout == "local   http://127.0.0.1:8080/v1\nposter  -\n"
    assert outcome.stderr == "poster is used without --profile\n"
    assert data["profile"] == "poster"
    assert data["profiles"] == {
        "local": {"base_url": "http://127.0.0.1:8080/v1"},
        "poster": {"base_url": None},
    }


def test_a_profile_on_the_command_line_wins_over_an_exported_address(
    cli: Cli, sandbox: Sandbox
) -> None:
    """A flag goes before a variable; one that the file or a variable names does not."""
    cli("config", "set", "--profile", "local", "base_url", sandbox.base_url)
    env = {"NSCALE_BASE_URL": "http://127.0.0.1:9/v1", "NSCALE_API_KEY": KEY}
    words = ("images", "generate", "cat", "-z", "64x64")

    assert cli(*words, "--profile", "local", env=env).exit_code == 0
    assert cli(*words, env={**env, "NSCALE_PROFILE": "local"}).exit_code == 7
    flagged = cli(*words, "--profile", "local", "--base-url", "http://127.0.0.1:9/v1", env=env)
    assert flagged.exit_code == 7
    # The key of one service is no key of another.
    (request,) = [each for each in sandbox.requests if each.method == "POST"]
    assert request.headers["authorization"] == "Bearer none"

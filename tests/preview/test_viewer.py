"""The desktop's viewer: what it is told, and that it cannot harm the run."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from nscale_cli.preview import viewer
from nscale_cli.preview.viewer import ViewerUnavailable, open_image
from tests.conftest import KEY, Cli

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's"),
    # That the viewer outlives the object that started it is the point.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def desktop(tmp_path: Path) -> dict[str, str]:
    """An environment whose xdg-open writes down what it was told, then takes its time."""
    folder = tmp_path / "bin"
    folder.mkdir()
    opener = folder / "xdg-open"
    sleep = shutil.which("sleep")
    opener.write_text(
        f"#!/bin/sh\n"
        f'{{ printf "%s\\n" "$#" "$@"; /usr/bin/env; }} > "{tmp_path}/told.part"\n'
        f'/bin/mv "{tmp_path}/told.part" "{tmp_path}/told"\n'
        f'{sleep} 60; : > "{tmp_path}/ended"\n'
    )
    opener.chmod(0o755)
    return {"DISPLAY": ":0", "PATH": f"{folder}:/usr/bin:/bin"}


def told(tmp_path: Path) -> list[str]:
    """Wait until the viewer has written down what it was told, and return the lines."""
    while not (tmp_path / "told").exists():
        os.sched_yield()
    return (tmp_path / "told").read_text().splitlines()


@pytest.mark.parametrize("name", ["-x.png", "mailto:bob.png", "--help", "cat.png"])
def test_the_viewer_gets_one_absolute_path_and_no_key(
    cli: Cli, desktop: dict[str, str], tmp_path: Path, name: str
) -> None:
    """A name that looks like an option or an address is a path all the same."""
    env = {**desktop, "NSCALE_API_KEY": KEY, "NSCALE_SERVICE_TOKEN": KEY}

    outcome = cli("images", "generate", "cat", "--sandbox", "-x", f"--output={name}", env=env)

    assert outcome.exit_code == 0
    assert outcome.stderr.count("\n") == 1
    assert not (tmp_path / "ended").exists()  # nobody waited for the viewer
    count, path, *environment = told(tmp_path)
    assert (count, path) == ("1", f"{tmp_path}/{name}")
    assert KEY not in "".join(environment)


@pytest.mark.parametrize("command", ["generate", "show"])
def test_the_viewer_gets_no_key_of_a_profile(
    cli: Cli, desktop: dict[str, str], tmp_path: Path, command: str
) -> None:
    """Neither one that is used nor another, nor a copy under any other name."""
    (tmp_path / "config.toml").write_text(
        '[profiles.a]\nbase_url = "http://localhost/v1"\nkey_variable = "KEY_OF_A"\n'
        '[profiles.b]\nbase_url = "https://b.example/v1"\nkey_variable = "KEY_OF_B"\n'
    )
    keys = {"KEY_OF_A": "short", "KEY_OF_B": KEY, "COPY": f"Bearer {KEY}"}
    env = {**desktop, "NSCALE_CONFIG": str(tmp_path / "config.toml"), "LANG": "C", **keys}
    (tmp_path / "cat.png").write_bytes(b"")
    words = ["generate", "dog", "--sandbox", "-x"] if command == "generate" else ["show", "-x"]

    outcome = cli("images", *words, *(["cat.png"] if command == "show" else []), env=env)

    assert outcome.exit_code == 0
    environment = "\n".join(told(tmp_path)[2:])
    assert "LANG=C" in environment
    assert not any(f"{name}=" in environment for name in keys)


def test_the_viewer_of_windows_gets_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed the variables of the process itself."""
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(
        os, "startfile", lambda path: seen.append({**os.environ, "file": str(path)}), raising=False
    )
    monkeypatch.setattr(viewer.sys, "platform", "win32")
    monkeypatch.setenv("NSCALE_API_KEY", KEY)

    open_image(tmp_path / "cat.png", {"PATH": os.environ["PATH"]})

    assert seen[0]["file"] == f"{tmp_path}/cat.png"
    assert KEY not in str(seen)
    assert os.environ["NSCALE_API_KEY"] == KEY


def test_without_a_display_there_is_one_warning(cli: Cli) -> None:
    """The image is saved, so the command succeeded."""
    outcome = cli("images", "generate", "cat", "--sandbox", "-x")

    assert outcome.exit_code == 0
    assert "warning: cat.png was not opened: there is no display here\n" in outcome.stderr


def test_without_xdg_open_there_is_one_warning(cli: Cli, tmp_path: Path) -> None:
    """A bare container has none."""
    env = {"DISPLAY": ":0", "PATH": str(tmp_path)}

    outcome = cli("images", "generate", "cat", "--sandbox", "-x", env=env)

    assert outcome.exit_code == 0
    assert "warning: cat.png was not opened: xdg-open is not installed\n" in outcome.stderr


def test_an_image_that_is_no_image_is_never_opened(
    cli: Cli, desktop: dict[str, str], tmp_path: Path
) -> None:
    """What a hostile server sends must not reach a program that might run it."""
    outcome = cli(
        "images", "generate", "cat", "--sandbox", "-x", "-p", "-m", "sandbox/not-an-image",
        env=desktop,
    )  # fmt: skip

    assert outcome.exit_code == 22
    assert not (tmp_path / "told").exists()
    assert not (tmp_path / "told.part").exists()


def test_windows_subsystem_for_linux_uses_the_viewer_of_windows(tmp_path: Path) -> None:
    """wslview needs no display of Linux."""
    wslview = tmp_path / "wslview"
    wslview.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {tmp_path}/told.part\n'
                       f"/bin/mv {tmp_path}/told.part {tmp_path}/told\n")  # fmt: skip
    wslview.chmod(0o755)

    open_image(tmp_path / "cat.png", {"WSL_DISTRO_NAME": "Debian", "PATH": str(tmp_path)})

    assert told(tmp_path) == [f"{tmp_path}/cat.png"]


def test_a_viewer_that_cannot_start_is_reported(tmp_path: Path) -> None:
    """An executable file may still not be a program."""
    opener = tmp_path / "xdg-open"
    opener.write_text("#!/nonexistent/interpreter\n")
    opener.chmod(0o755)

    with pytest.raises(ViewerUnavailable, match="did not start: No such file"):
        open_image(tmp_path / "x.png", {"DISPLAY": ":0", "PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("env", "why"),
    [
        (
            {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"},
            "there is no display at this end of SSH; copy the file to your machine, "
            "or look at it here: nscale images show",
        ),
        ({"WSL_DISTRO_NAME": "Debian"}, "WSL needs wslview for this; install the package wslu"),
        ({"DISPLAY": ""}, "there is no display here"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "show"])
def test_where_there_is_no_display_the_warning_says_what_to_do(
    cli: Cli, tmp_path: Path, env: dict[str, str], why: str, command: str
) -> None:
    """The image is safe; `images show`, which did nothing else, says that it failed."""
    generated = cli("images", "generate", "cat", "--sandbox", "-z", "64x64", "-x", env=env)
    shown = cli("images", "show", "cat.png", "-x", env=env)

    outcome, code = (generated, 0) if command == "generate" else (shown, 2)
    assert outcome.exit_code == code
    assert outcome.stderr.splitlines()[-1] == f"warning: cat.png was not opened: {why}"


def test_forwarded_displays_are_displays(desktop: dict[str, str], tmp_path: Path) -> None:
    """`ssh -X` brings one along, and WSLg is one."""
    open_image(tmp_path / "cat.png", desktop | {"SSH_CONNECTION": "a", "WSL_DISTRO_NAME": "b"})

    assert told(tmp_path)[:2] == ["1", f"{tmp_path}/cat.png"]


def test_each_shown_file_is_opened(cli: Cli, desktop: dict[str, str], tmp_path: Path) -> None:
    """One viewer for each, and nothing is drawn in the terminal."""
    opener = tmp_path / "bin" / "xdg-open"
    opener.write_text('#!/bin/sh\n: > "$1.opened"\n')
    for name in ("a.png", "--help", "b c.png"):
        (tmp_path / name).write_bytes(b"")

    outcome = cli("images", "show", "-x", "--", "a.png", "--help", "b c.png", env=desktop)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "")
    for name in ("a.png", "--help", "b c.png"):
        while not (tmp_path / f"{name}.opened").exists():
            os.sched_yield()


def test_the_viewer_gets_no_stream_and_a_session_of_its_own(
    desktop: dict[str, str], tmp_path: Path
) -> None:
    """So that it can neither write into our answer nor be stopped with us."""
    opener = tmp_path / "bin" / "xdg-open"
    opener.write_text(
        "#!/bin/sh\n"
        "streams=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2)\n"
        "open=$(readlink /proc/$$/fd/*)\n"
        'session=$(cut -d " " -f 6 /proc/$$/stat)\n'
        f'printf "%s\\n" $streams $$ $session $open > "{tmp_path}/told.part"\n'
        f'mv "{tmp_path}/told.part" "{tmp_path}/told"\n'
    )
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - the standard library's own way
    pipe = f"pipe:[{os.fstat(writing).st_ino}]"

    open_image(tmp_path / "cat.png", desktop)

    streams, (process, session), others = (lines := told(tmp_path))[:3], lines[3:5], lines[5:]
    os.close(reading)
    os.close(writing)
    assert streams == ["/dev/null"] * 3
    assert process == session
    assert others and pipe not in others

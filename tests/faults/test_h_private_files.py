"""Settings, keys and lists of models on disk: other users, many writers, what is no file."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nscale_cli.config import file as settings_file
from nscale_cli.credentials import keyring as system_keyring
from nscale_cli.credentials.keyring import KeyringUnavailable
from nscale_cli.sandbox.server import Sandbox
from nscale_cli.storage import private_files
from tests.conftest import KEY, Cli, Outcome, Program, cache_home

Injected = Callable[[bool, str], None]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="POSIX users; Linux's directories")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of several users")
STORE = Path("home/.config/nscale/keys.json")
NOBODY, STRANGER = 65534, 54321
NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys go into the file."""

    def fail(*_: object) -> str:
        raise KeyringUnavailable("there is none")

    for name in ("put", "get", "delete"):
        monkeypatch.setattr(system_keyring, name, fail)


def login(cli: Cli, sandbox: Sandbox) -> Outcome:
    """Store the key for the sandbox."""
    words = ("auth", "login", "--with-token", "--base-url", sandbox.base_url)
    return cli(*words, stdin=KEY.encode())


# Files that somebody else has laid there


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory in which every user may write, as root would lend it to all."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


def as_nobody(
    directory: Path, *words: str, stdin: bytes = b"", **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run the program in `directory` as the user nobody."""
    command = [sys.executable, str(Path(__file__).with_name("as_nobody.py")), *words]
    env = Program(cwd=directory).bare_env | variables
    return subprocess.run(command, cwd=directory, env=env, input=stdin, capture_output=True)


@needs_root
@pytest.mark.parametrize("owner", [NOBODY, STRANGER])
def test_a_file_of_keys_that_was_open_to_all_is_closed_before_a_key_is_in_it(
    sandbox: Sandbox, injected: Injected, shared: Path, owner: int
) -> None:
    """It becomes one's own: who made it cannot read it, not even through what he has open."""
    path = shared / "nscale" / "keys.json"
    path.parent.mkdir()
    path.parent.chmod(0o777)
    path.write_text('{"version": 1, "keys": {}}')
    path.chmod(0o666)
    os.chown(path, owner, owner)
    words = ("auth", "login", "--with-token", "--base-url", sandbox.base_url)
    with path.open() as theirs:
        outcome = as_nobody(
            shared, *words, stdin=KEY.encode(), XDG_CONFIG_HOME=str(shared), **NO_KEYRING
        )
        assert KEY not in theirs.read()

    assert outcome.returncode == 0, outcome.stderr
    assert b"only you can read that file" in outcome.stderr
    state = path.stat()
    assert (stat.S_IMODE(state.st_mode), state.st_uid) == (0o600, NOBODY)
    injected(KEY in path.read_text(), f"keys.json of mode 0666 of user {owner}")


@pytest.mark.usefixtures("no_keyring")
def test_where_a_file_cannot_be_private_nobody_is_told_that_it_is(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT, whose files are all of one mode."""
    monkeypatch.setattr(private_files, "OWNER_ONLY", 0o644)

    outcome = login(cli, sandbox)

    assert outcome.exit_code == 0
    assert "only you can read" not in outcome.stderr
    assert f"warning: other users may be able to read {tmp_path / STORE}\n" in outcome.stderr
    injected(stat.S_IMODE((tmp_path / STORE).stat().st_mode) == 0o644, "a mode that does not hold")


@needs_root
@pytest.mark.parametrize("laid", ["the file", "its directory"])
def test_a_link_that_another_user_laid_is_not_followed(
    sandbox: Sandbox, injected: Injected, shared: Path, laid: str
) -> None:
    """In a cache that several users share; what it leads to stays as it is."""
    words = ("models", "list", "--base-url", sandbox.base_url, "-a", KEY)
    assert as_nobody(shared, *words, XDG_CACHE_HOME=str(shared)).returncode == 0
    (listed,) = (shared / "nscale").glob("*.json")  # the control: this is what would be written
    precious = shared / "precious"
    precious.mkdir()
    victim = precious / listed.name
    victim.write_text("precious")
    for path in (precious, victim):
        os.chown(path, NOBODY, NOBODY)
    link = listed if laid == "the file" else shared / "nscale"
    listed.unlink()
    if link != listed:
        shutil.rmtree(link)
    link.symlink_to(victim if link == listed else precious)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    link.parent.chmod(0o777)

    outcome = as_nobody(shared, *words, XDG_CACHE_HOME=str(shared))

    assert (outcome.returncode, b"FLUX" in outcome.stdout) == (0, True), outcome.stderr
    assert victim.read_text() == "precious"
    assert [each.name for each in precious.iterdir()] == [listed.name]
    injected(link.is_symlink() or link == listed, f"a stranger's link in place of {laid}")


@needs_root
def test_settings_behind_another_users_link_are_not_written(
    cli: Cli, tmp_path: Path, injected: Injected
) -> None:
    """One line says why."""
    (tmp_path / "precious").write_text("size = '1x1'\n")
    link = tmp_path / "config.toml"
    link.symlink_to(tmp_path / "precious")
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)

    outcome = cli("config", "set", "size", "2x2", env={"NSCALE_CONFIG": str(link)})

    assert outcome.exit_code == 3
    assert outcome.stderr.startswith(
        f"error: {link} cannot be written: the link {link} belongs to another user"
    )
    assert (tmp_path / "precious").read_text() == "size = '1x1'\n"
    injected(link.is_symlink(), "settings behind a stranger's link")


# What is no file


def odd_files(path: Path) -> dict[str, Callable[[], object]]:
    """Return what may stand where a file should be."""
    return {
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "terminal": lambda: path.symlink_to(os.ttyname(_PTY[1])),
        "directory": path.mkdir,
        "huge": lambda: os.truncate(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 2 << 40),
    }


_PTY = os.openpty()


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("kind", odd_files(Path()))
def test_keys_in_what_is_no_file_are_refused_at_once(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, injected: Injected, kind: str
) -> None:
    """Reading ends, and what stands there stays."""
    path = tmp_path / STORE
    path.parent.mkdir(parents=True)
    odd_files(path)[kind]()
    before = path.lstat()

    for outcome in (
        cli("auth", "status", "--base-url", sandbox.base_url),
        cli("auth", "logout", "--base-url", sandbox.base_url),
        login(cli, sandbox),
    ):
        assert outcome.exit_code == 3
        start = f"error: {path} "
        assert outcome.stderr.startswith((f"{start}cannot be read: ", f"{start}is larger than"))

    assert path.lstat().st_ino == before.st_ino
    injected(not (path.is_file() and path.stat().st_size < 1 << 40), f"{kind} as keys.json")


@pytest.mark.parametrize("kind", odd_files(Path()))
@pytest.mark.parametrize("silent", [False, True])
def test_settings_in_what_is_no_file_are_refused_within_a_bound(
    cli: Cli,
    tmp_path: Path,
    injected: Injected,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    silent: bool,
) -> None:
    """A pipe is given a little time, since a shell's <(...) is one."""
    monkeypatch.setattr(settings_file, "_MAX_WAIT_SECONDS", 0.1)
    path = tmp_path / "config.toml"
    odd_files(path)[kind]()
    writer = os.open(path, os.O_RDWR | os.O_NONBLOCK) if silent and kind == "fifo" else None
    env = {"NSCALE_CONFIG": str(path)}
    before = path.lstat()

    for words in (("config", "show"), ("config", "set", "size", "1x1")):
        outcome = cli(*words, env=env)
        assert outcome.exit_code == 3
        assert outcome.stderr.startswith(f"error: {path} ")
        assert outcome.stderr.count("\n") == 1

    assert path.lstat().st_ino == before.st_ino
    if writer is not None:
        os.close(writer)
    injected(not (path.is_file() and path.stat().st_size < 1 << 40), f"{kind} as settings")


def test_a_device_is_not_replaced_by_settings(cli: Cli, tmp_path: Path, injected: Injected) -> None:
    """NSCALE_CONFIG=/dev/null is how one goes without; root could put a file there."""
    device = tmp_path / "null"
    if os.geteuid() == 0:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    else:
        device = Path("/dev/null")
    env = {"NSCALE_CONFIG": str(device)}

    assert cli("config", "show", env=env).exit_code == 0
    outcome = cli("config", "set", "size", "1x1", env=env)

    assert outcome.exit_code == 3
    assert outcome.stderr.startswith(f"error: {device} cannot be written: ")
    injected(stat.S_ISCHR(device.stat().st_mode), "settings in /dev/null")


def test_settings_come_through_a_shells_pipe(program: Program, injected: Injected) -> None:
    """`NSCALE_CONFIG=<(...)`, as for settings that are decrypted."""
    bash = shutil.which("bash")
    assert bash is not None
    (program.cwd / "real.toml").write_text('size = "3x3"\n')
    script = f"NSCALE_CONFIG=<(cat real.toml) {' '.join(program.command)} config show"

    done = subprocess.run(
        [bash, "-c", script], cwd=program.cwd, env=program.env, capture_output=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert b"size           3x3" in done.stdout
    injected(b"/dev/fd/" in done.stdout + done.stderr, "settings through a pipe")


@pytest.mark.parametrize("kind", odd_files(Path()))
@pytest.mark.parametrize("silent", [False, True])
def test_a_stored_list_in_what_is_no_file_is_no_list(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, injected: Injected, kind: str, silent: bool
) -> None:
    """Neither waited for nor a failure."""
    words = ("models", "list", "--base-url", sandbox.base_url, "-a", KEY)
    assert cli(*words).exit_code == 0
    (path,) = (cache_home(tmp_path) / "nscale").glob("*.json")
    path.unlink()
    odd_files(path)[kind]()
    writer = os.open(path, os.O_RDWR | os.O_NONBLOCK) if silent and kind == "fifo" else None
    before = path.lstat()

    assert cli(*words).exit_code == 0
    outcome = cli("models", "list", "--base-url", "http://127.0.0.1:9/v1", "-a", KEY)
    assert outcome.exit_code == 7
    image = cli(
        "images", "generate", "cat", "-z", "64x64", "--base-url", sandbox.base_url, "-a", KEY
    )
    assert image.exit_code == 0 and "about $" in image.stderr

    if writer is not None:
        os.close(writer)
    injected(kind == "huge" or path.lstat().st_ino == before.st_ino or path.is_file(), kind)


# Many at once


def test_of_many_logins_at_once_no_key_is_lost(program: Program, injected: Injected) -> None:
    """Sixteen here, since each loads the SDK; two hundred were tried as well."""
    count = 16
    with ExitStack() as stack:
        sandboxes = [stack.enter_context(Sandbox()) for _ in range(count)]
        running = [
            program.start(
                "auth", "login", "--with-token", "--base-url", sandbox.base_url,
                env=program.bare_env | NO_KEYRING, stdin=subprocess.PIPE,
            )
            for sandbox in sandboxes
        ]  # fmt: skip
        for number, process in enumerate(running):
            process.communicate(f"{KEY}-{number}".encode(), timeout=240)
        assert [process.returncode for process in running] == [0] * count
        origins = [sandbox.base_url.removesuffix("/v1") for sandbox in sandboxes]

    keys = json.loads((program.cwd / STORE).read_text())["keys"]
    assert keys == {origin: {"key": f"{KEY}-{number}"} for number, origin in enumerate(origins)}
    injected(len(keys) == count, f"{count} logins at once")


def test_of_many_settings_at_once_none_is_lost(program: Program, injected: Injected) -> None:
    """Forty here; two hundred were tried as well."""
    count = 40
    running = [
        program.start(
            "config", "set", "--profile", f"p{number}", "model", f"m{number}", env=program.bare_env
        )
        for number in range(count)
    ]
    for process in running:
        process.communicate(timeout=240)
    assert [process.returncode for process in running] == [0] * count

    outcome = program.run("config", "show", "--json")
    names = outcome.document["data"]["profiles"]
    assert sorted(names) == sorted(f"p{number}" for number in range(count))
    injected(len(names) == count, f"{count} times config set at once")


# Two hundred changes by eight processes, so that there is always one that waits.
STORE_KEYS = """
import os, sys
from nscale_cli.credentials.store import KeyStore
from nscale_cli.config.file import config_path, set_value
for number in range(25):
    KeyStore(os.environ).store(f"https://host-{sys.argv[1]}-{number}", "key-of-somebody")
    set_value(config_path(os.environ), "model", "m", profile=f"p-{sys.argv[1]}-{number}")
"""


def test_of_two_hundred_changes_none_is_lost(program: Program, injected: Injected) -> None:
    """Of keys and of settings."""
    env = program.bare_env | NO_KEYRING
    running = [
        subprocess.Popen([sys.executable, "-c", STORE_KEYS, str(number)], env=env, cwd=program.cwd)
        for number in range(8)
    ]
    assert [process.wait(timeout=240) for process in running] == [0] * 8

    keys = json.loads((program.cwd / STORE).read_text())["keys"]
    names = program.run("config", "show", "--json").document["data"]["profiles"]
    injected(len(keys) == len(names) == 200, "200 changes at once")

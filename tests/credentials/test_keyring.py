"""Real keyrings, driven by the real program: the desktop's, one in a file, and none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nscale_cli.sandbox.server import Sandbox
from tests.conftest import (
    KEY,
    Outcome,
    Program,
    looking_first_in,
    require_command,
    require_invariants,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="gnome-keyring is Linux's"),
]
STORE = Path("home/.config/nscale/keys.json")
# One session of a desktop: its bus, its keyring unlocked by a password, then what is to be run.
SESSION = (
    "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; "
    'status=0; for words in "$@"; do eval "$words"; status=$?; done; exit $status'
)


def in_session(program: Program, *commands: str, stdin: bytes = b"") -> Outcome:
    """Run shell commands in a session with an unlocked gnome-keyring."""
    session = require_command("dbus-run-session", shutil.which("dbus-run-session"))
    require_command("gnome-keyring-daemon", shutil.which("gnome-keyring-daemon"))
    words = [session, "--", "sh", "-c", SESSION, "sh", *commands]
    (program.cwd / "home").mkdir(exist_ok=True)
    backend = "keyring.backends.SecretService.Keyring"  # not those for tests, in a chain with it
    env = program.env | {"NSCALE": " ".join(program.command), "PYTHON_KEYRING_BACKEND": backend}
    done = subprocess.run(
        words, cwd=program.cwd, env=env, input=stdin, capture_output=True, timeout=120, check=False
    )
    outcome = Outcome(
        exit_code=done.returncode, stdout_bytes=done.stdout, stderr=done.stderr.decode()
    )
    require_invariants(outcome)
    return outcome


def test_the_desktops_keyring_keeps_the_key(program: Program, sandbox: Sandbox) -> None:
    """It is nowhere on disk in plain; a later run finds it; logout takes it out."""
    address = f"--base-url {sandbox.base_url}"
    outcome = in_session(
        program,
        f"$NSCALE auth login --with-token {address}",
        "cp home/.config/nscale/keys.json after-login.json",
        f"$NSCALE auth status {address}",
        f"$NSCALE images generate cat -z 64x64 {address}",
        f"$NSCALE auth logout {address}",
        f"$NSCALE auth status {address}",
        stdin=KEY.encode(),
    )

    assert outcome.exit_code == 4, outcome.stderr  # the last one finds no key any more
    assert "it is stored in the keyring (SecretService Keyring)" in outcome.stderr
    assert "key      from the keyring (SecretService Keyring), ends in cdef" in outcome.stdout
    assert "is removed from the keyring (SecretService Keyring)" in outcome.stderr
    assert (program.cwd / "cat.png").exists()
    assert f"Bearer {KEY}" in [each.headers.get("authorization") for each in sandbox.requests]
    origin = sandbox.base_url.removesuffix("/v1")
    assert json.loads((program.cwd / "after-login.json").read_text())["keys"] == {
        origin: {"keyring": "SecretService Keyring"}
    }
    for folder, _, names in os.walk(program.cwd):
        for name in names:
            assert KEY.encode() not in Path(folder, name).read_bytes()


def test_a_keyring_in_a_file_works_as_well(program: Program, sandbox: Sandbox) -> None:
    """Whichever backend the user chose."""
    env = program.env | {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}
    address = ("--base-url", sandbox.base_url)

    with program.start(
        "auth", "login", "--with-token", *address, env=env, stdin=subprocess.PIPE
    ) as process:
        _, stderr = process.communicate(KEY.encode(), timeout=60)

    assert process.returncode == 0
    assert b"it is stored in the keyring (file PlaintextKeyring)" in stderr
    outcome = program.run("auth", "status", *address, env=env)
    assert outcome.exit_code == 0


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "no.such.Backend"])
def test_without_a_keyring_a_file_keeps_the_key(
    program: Program, sandbox: Sandbox, backend: str
) -> None:
    """For its owner alone, and that is said."""
    env = program.env | {"PYTHON_KEYRING_BACKEND": backend}
    address = ("--base-url", sandbox.base_url)

    with program.start(
        "auth", "login", "--with-token", *address, env=env, stdin=subprocess.PIPE
    ) as process:
        _, stderr = process.communicate(KEY.encode(), timeout=60)

    assert process.returncode == 0
    assert b"only you can read that file; no keyring took the key: " in stderr
    assert (program.cwd / STORE).stat().st_mode & 0o777 == 0o600
    assert program.run("auth", "status", *address, env=env).exit_code == 0


def test_with_a_variable_set_the_keyring_is_not_even_loaded(
    program: Program, sandbox: Sandbox
) -> None:
    """Nor without a stored key: CI never waits for one."""
    (program.cwd / STORE).parent.mkdir(parents=True)
    origin = sandbox.base_url.removesuffix("/v1")
    entry = {"version": 1, "keys": {origin: {"keyring": "SecretService Keyring"}}}
    (program.cwd / STORE).write_text(json.dumps(entry))
    spy = program.cwd / "site"
    spy.mkdir()
    (spy / "keyring.py").write_text("open('loaded', 'w').close()\nraise ImportError('a spy')\n")
    env = program.env | looking_first_in(spy)
    words = ("images", "generate", "cat", "-z", "64x64", "--base-url", sandbox.base_url)

    assert program.run(*words, env=env | {"NSCALE_API_KEY": KEY}).exit_code == 0
    assert not (program.cwd / "loaded").exists()

    outcome = program.run(*words, env=env)  # the control: here it is needed
    assert outcome.exit_code == 4
    assert (program.cwd / "loaded").exists()
    assert "which cannot be read: a spy" in outcome.stderr

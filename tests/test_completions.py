"""The completion scripts at work: real bash, zsh and fish, with a person's keys."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nscale_cli.commands.completion import SCRIPTS
from tests.conftest import require_command

pexpect = pytest.importorskip("pexpect", reason="there is no pexpect on Windows")

pytestmark = pytest.mark.terminal

SECONDS = 60  # a limit for a machine that hangs, not a measure of speed
PROMPT = "READY> "
TAB = "\t"
LEFT = "\x02"  # Ctrl-B, in all three shells
SHOW_LINE = "\x07"  # Ctrl-G: bound below to print the line being typed, without running it


class Shell:
    """An interactive shell of a user who has installed the completion, in a terminal."""

    def __init__(self, terminal: "pexpect.spawn[str]") -> None:
        """Wait until the shell is ready for keys."""
        self._terminal = terminal
        self.expect(PROMPT)

    def press(self, keys: str) -> None:
        """Type `keys`."""
        self._terminal.send(keys)

    def expect(self, *texts: str) -> None:
        """Wait until all `texts` have appeared on the screen."""
        missing = list(texts)
        while missing:
            del missing[self._terminal.expect_exact(missing)]

    def screen_until(self, text: str) -> str:
        """Return what has been shown up to `text`."""
        self._terminal.expect_exact(text)
        shown: str = self._terminal.before
        return shown

    def line(self) -> str:
        """Return the command line as it stands."""
        self.press(SHOW_LINE)
        self._terminal.expect("LINE<(.*?)>END")
        return self._terminal.match.group(1)

    def complete(self, keys: str) -> str:
        """Type `keys`, then Tab, and return the command line that this makes."""
        self.press(keys + TAB)
        return self.line()


def bash(home: Path) -> list[str]:
    """Source the script in the start-up file of bash; return its command line."""
    (home / "nscale.bash").write_text(SCRIPTS["bash"])
    (home / ".bashrc").write_text(
        "source ~/nscale.bash\n"
        f"PS1='{PROMPT}'\n"
        """bind -x '"\\C-g": printf "LINE<%s>END\\n" "$READLINE_LINE"'\n"""
    )
    return ["--noprofile", "--rcfile", f"{home}/.bashrc", "-i"]


def zsh(home: Path, setup: str) -> list[str]:
    """Let `setup` install the script in the start-up file of zsh; return its command line."""
    (home / "_nscale").write_text(SCRIPTS["zsh"])
    (home / ".zshrc").write_text(
        f"{setup}\n"
        f"PROMPT='{PROMPT}'\n"
        'show-line() { zle -I; print -r -- "LINE<$BUFFER>END" }\n'
        "zle -N show-line\n"
        "bindkey -e '^G' show-line\n"
        "bindkey -e\n"
    )
    return ["-i"]


def zsh_autoloaded(home: Path) -> list[str]:
    """Put the script where compinit finds it."""
    return zsh(home, "fpath=(~ $fpath); autoload -Uz compinit; compinit -u")


def zsh_sourced(home: Path) -> list[str]:
    """Source the script after compinit."""
    return zsh(home, "autoload -Uz compinit; compinit -u; source ~/_nscale")


def fish(home: Path) -> list[str]:
    """Put the script where fish finds it; return its command line."""
    config = home / ".config/fish"
    (config / "completions").mkdir(parents=True)
    (config / "completions/nscale.fish").write_text(SCRIPTS["fish"])
    (config / "config.fish").write_text(
        "set -g fish_greeting\n"
        f"function fish_prompt; printf '{PROMPT}'; end\n"
        """bind \\cg 'printf "LINE<%s>END\\n" (commandline | string collect)'\n"""
    )
    # Where this folder is missing, fish starts by reading every manual page of the machine.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    return ["-i"]


def installed(shell: str, home: Path) -> None:
    """Let the program install the completion in an empty home, as README says."""
    program = [sys.executable, "-m", "nscale_cli", "completion", shell, "--install"]
    env = {"HOME": str(home), "PATH": os.environ["PATH"]} | {
        name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "COV"))
    }
    subprocess.run(program, env=env, check=True, capture_output=True)


def bash_installed(home: Path) -> list[str]:
    """Use what the program installs; only the prompt and the key are ours."""
    installed("bash", home)
    own = (home / ".bashrc").read_text()
    words = bash(home)
    prompt = (home / ".bashrc").read_text().replace("source ~/nscale.bash\n", "")
    (home / ".bashrc").write_text(own + prompt)
    return words


def zsh_installed(home: Path) -> list[str]:
    """Use what the program installs; only the prompt and the key are ours."""
    installed("zsh", home)
    return zsh(home, (home / ".zshrc").read_text())


def fish_installed(home: Path) -> list[str]:
    """Use what the program installs; only the prompt and the key are ours."""
    installed("fish", home)
    script = home / ".config/fish/completions/nscale.fish"
    own = script.read_text()
    script.unlink()
    script.parent.rmdir()
    words = fish(home)
    script.write_text(own)
    return words


INSTALL: dict[str, Callable[[Path], list[str]]] = {
    "bash": bash,
    "zsh autoloaded": zsh_autoloaded,
    "zsh sourced": zsh_sourced,
    "fish": fish,
    "bash installed": bash_installed,
    "zsh installed": zsh_installed,
    "fish installed": fish_installed,
}


@pytest.fixture(params=["bash", "zsh autoloaded", "fish"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """Each of the shells, with nothing in it but the completion of nscale."""
    name = request.param.split()[0]
    path = require_command(name, shutil.which(name))
    program = tmp_path / "bin/nscale"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m nscale_cli "$@"\n')
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    for file in ("sunrise.png", "my prompt.txt"):
        (tmp_path / file).touch()
    terminal = pexpect.spawn(
        path,
        INSTALL[request.param](home),
        cwd=tmp_path,
        env={
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "TERM": "xterm",
        },
        dimensions=(40, 200),
        encoding="utf-8",
        timeout=SECONDS,
    )
    yield Shell(terminal)
    terminal.close(force=True)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("nscale im", "nscale images "),
        ("nscale images gen", "nscale images generate "),
        ("nscale images generate --sand", "nscale images generate --sandbox "),
        (
            "nscale images generate -m black-f",
            "nscale images generate -m black-forest-labs/FLUX.1-schnell ",
        ),
        (
            "nscale images generate -m sandbox/unav",
            "nscale images generate -m sandbox/unavailable ",
        ),
        (
            "nscale images generate --model=sandbox/unav",
            "nscale images generate --model=sandbox/unavailable ",
        ),
        ("nscale images generate -z 17", "nscale images generate -z 1792x1024 "),
        ("nscale images bat", "nscale images batch "),
        ("nscale images batch --retry-r", "nscale images batch --retry-refused "),
        ("nscale images batch --format js", "nscale images batch --format jsonl "),
        ("nscale help ex", "nscale help exit-codes "),
        ("nscale 'help' ex", "nscale 'help' exit-codes "),
        ("nscale completion pow", "nscale completion powershell "),
        ("NSCALE_SANDBOX=1 nscale im", "NSCALE_SANDBOX=1 nscale images "),
        ("echo fox | nscale im", "echo fox | nscale images "),
    ],
)
def test_first_tab_completes(shell: Shell, typed: str, completed: str) -> None:
    """Commands, options, models, sizes and topics are completed, by the very first Tab."""
    assert shell.complete(typed) == completed


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("-o sunr", "-o sunrise.png "),
        ("--output=sunr", "--output=sunrise.png "),
        ("--prompt-file my", "--prompt-file my\\ prompt.txt "),
    ],
)
def test_file_names_are_completed(shell: Shell, typed: str, completed: str) -> None:
    """After an option that names a file, the shell offers the files of the folder."""
    start = "nscale images generate "
    assert shell.complete(start + typed) == start + completed


@pytest.mark.parametrize("command", ["batch", "resume", "receipt"])
def test_files_and_folders_of_runs_are_completed(shell: Shell, command: str) -> None:
    """The shell knows them best."""
    start = f"nscale images {command} "
    assert shell.complete(f"{start}sunr") == f"{start}sunrise.png "


@pytest.mark.parametrize("shell", INSTALL, indirect=True)
def test_second_tab_completes_as_the_first(shell: Shell) -> None:
    """Loading the script, which the first Tab may do, leaves a completion that goes on working."""
    assert shell.complete("nscale im") == "nscale images "
    assert shell.complete("gen") == "nscale images generate "
    assert shell.complete("--dry") == "nscale images generate --dry-run "


@pytest.mark.parametrize(
    "prompt",
    [
        '"it\'s a (red) [fox]; 5% *bold* | a\\\\b"',
        "'a \"red\" fox = a: b'",
        "it\\'s\\ a\\ fox",
        "'ein Füchslein 狐'",
        "--param a=b:c",
        '""',
    ],
)
def test_prompt_of_any_kind_does_not_disturb_what_follows(shell: Shell, prompt: str) -> None:
    """Quotes, spaces and the signs at which bash splits words belong to the prompt alone."""
    start = f"nscale images generate {prompt} -m "
    assert shell.complete(f"{start}sandbox/unav") == f"{start}sandbox/unavailable "


@pytest.mark.parametrize("shell", ["fish"], indirect=True)
def test_quotes_of_fish_are_understood(shell: Shell) -> None:
    """Unlike the other shells, fish allows an escaped quote inside single quotes."""
    start = r"nscale images generate 'it\'s a fox' -m sandbox/unav"
    assert shell.complete(start) == f"{start}ailable "


@pytest.mark.parametrize("prompt", ['"$(touch pwned) `touch pwned` $HOME"', "'$(touch pwned)'"])
def test_prompt_is_never_executed(shell: Shell, prompt: str, tmp_path: Path) -> None:
    """A command inside the prompt is text to the completion."""
    start = f"nscale images generate {prompt} --sand"
    assert shell.complete(start) == f"{start}box "
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("prompt", ['"a red fox --sand', "'a red fox -m black-f"])
def test_tab_inside_an_open_prompt_changes_nothing(shell: Shell, prompt: str) -> None:
    """What looks like an option inside the quotes of a prompt is not completed."""
    line = f"nscale images generate {prompt}"
    assert shell.complete(line) == line


@pytest.mark.parametrize("shell", ["bash"], indirect=True)
def test_bash_may_split_words_where_the_user_likes(shell: Shell) -> None:
    """Where = is taken out of the signs that split words, a value is completed all the same."""
    shell.press("COMP_WORDBREAKS=${COMP_WORDBREAKS//=}\r")
    shell.expect(PROMPT)
    start = "nscale images generate --model="
    assert shell.complete(f"{start}sandbox/unav") == f"{start}sandbox/unavailable "


def test_value_in_open_quotes_is_completed(shell: Shell) -> None:
    """A quoted model id is completed, and the quotes are closed."""
    start = 'nscale images generate -m "sandbox/unav'
    assert shell.complete(start) == f'{start}ailable" '


@pytest.mark.parametrize("typed", ['--model="sandbox/unav', "'--model=sandbox/unav"])
def test_value_joined_to_its_option_may_be_quoted(shell: Shell, typed: str) -> None:
    """Wherever the quotes open, the completed word is the option and the whole value."""
    line = shell.complete(f"nscale images generate {typed}")
    assert shlex.split(line)[3:] == ["--model=sandbox/unavailable"]


def test_only_what_stands_before_the_cursor_counts(shell: Shell) -> None:
    """Tab in the middle of a line completes the word at the cursor and keeps the rest."""
    rest = " --json"
    line = shell.complete(f"nscale images generate -m sandbox/unav{rest}" + LEFT * len(rest))
    start = "nscale images generate -m sandbox/unavailable"
    assert line in (start + rest, f"{start} {rest}")  # with the space that ends a word, or not


def test_every_offer_is_listed_where_several_fit(shell: Shell) -> None:
    """The topics of `nscale help` are shown for choosing."""
    shell.press(f"nscale help e{TAB}{TAB}")
    shell.expect("nvironment", "xit-codes")  # the e, typed already, may be shown in bold


@pytest.mark.parametrize("shell", ["zsh autoloaded", "fish"], indirect=True)
def test_offers_keep_the_order_of_the_program(shell: Shell) -> None:
    """A second Tab chooses the first offer: the main command, not the first of the alphabet."""
    assert shell.complete(f"nscale {TAB}").rstrip() == "nscale images"


@pytest.mark.parametrize("shell", ["zsh autoloaded", "fish"], indirect=True)
def test_help_is_shown_beside_an_offer(shell: Shell) -> None:
    """Beside each option, zsh and fish show what each it means, whatever signs its help holds."""
    shell.press(f"nscale images generate --o{TAB}{TAB}")
    shell.expect("Open each saved image in the desktop's viewer.", "such as '{slug}-{index}.{ext}'")


@pytest.mark.parametrize("shell", ["zsh autoloaded"], indirect=True)
def test_an_offer_without_a_help_stands_alone(shell: Shell) -> None:
    """Without the dashes that lead to one."""
    shell.press(f"nscale images generate -m sandbox/{TAB}{TAB}")
    listed = shell.screen_until("sandbox/wrong-size")

    assert "sandbox/slow" in listed
    assert "--" not in listed.partition("sandbox/disconnects")[2]

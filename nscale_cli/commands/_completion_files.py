"""Where a shell finds the completion of one account: its script, and the line that loads it.

fish looks into a folder of its own. bash does so only where the package bash-completion is loaded,
and zsh has no folder of the user's at all; so their start-up files get one line, which is marked.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from nscale_cli.errors import ConfigurationError
from nscale_cli.storage.private_files import replace_file
from nscale_cli.values import frozen

_MARK = "  # nscale completion"
_COMPINIT = "(( $+functions[compdef] )) || { autoload -Uz compinit; compinit -i; }; "


@frozen
class CompletionFiles:
    """The script's place, and the start-up file that loads it, where the shell needs that."""

    script: Path
    start_up: Path | None = None
    before: str = ""

    @classmethod
    def of(cls, shell: str, env: Mapping[str, str]) -> "CompletionFiles":
        """Return the places for `shell`; raise ConfigurationError where there is no home."""
        home = Path(env.get("HOME", ""))
        if not home.is_absolute():
            raise ConfigurationError("HOME does not name your home directory")
        data = _directory(env, "XDG_DATA_HOME", home / ".local/share")
        if shell == "fish":
            config = _directory(env, "XDG_CONFIG_HOME", home / ".config")
            return cls(script=config / "fish/completions/nscale.fish")
        if shell == "zsh":
            return cls(
                script=data / "zsh/site-functions/_nscale",
                start_up=_directory(env, "ZDOTDIR", home) / ".zshrc",
                before=_COMPINIT,
            )
        script = data / "bash-completion/completions/nscale"
        return cls(script=script, start_up=home / ".bashrc")

    def install(self, script: str) -> Iterator[str]:
        """Write what is not there yet; yield a sentence for each file. Raises OSError."""
        replace_file(self.script, f"{script}\n".encode())
        self.script.chmod(0o644)
        yield f"{self.script} is written"
        if self.start_up is not None:
            lines = _lines(self.start_up)
            others = [line for line in lines if not line.endswith(_MARK)]
            if [*others, self._line] != lines:
                _write_lines(self.start_up, [*others, self._line])
            yield f"{self.start_up} loads it: its last line does"
        yield "a shell that starts from now on completes nscale"

    def uninstall(self) -> Iterator[str]:
        """Take away what `install` wrote; yield a sentence for each file. Raises OSError."""
        there = self.script.exists()
        self.script.unlink(missing_ok=True)
        yield f"{self.script} is {'removed' if there else 'not there'}"
        if self.start_up is None:
            return
        lines = _lines(self.start_up)
        others = [line for line in lines if not line.endswith(_MARK)]
        if others != lines:
            _write_lines(self.start_up, others)
            yield f"its line is removed from {self.start_up}"

    @property
    def _line(self) -> str:
        place = shlex.quote(str(self.script))
        return f"[ -r {place} ] && {{ {self.before}. {place}; }}{_MARK}"


def _directory(env: Mapping[str, str], variable: str, usual: Path) -> Path:
    named = Path(env.get(variable, ""))
    return named if named.is_absolute() else usual


def _lines(path: Path) -> list[str]:
    """Return the lines of a start-up file, which may hold any bytes."""
    text = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
    return text.removesuffix("\n").split("\n") if text else []


def _write_lines(path: Path, lines: list[str]) -> None:
    if not lines and not path.is_symlink():
        path.unlink()  # nothing else was ever in it
        return
    text = "".join(f"{line}\n" for line in lines)
    replace_file(path, text.encode("utf-8", "surrogateescape"), keep_mode=True)

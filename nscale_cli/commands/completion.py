"""`nscale completion SHELL`: the scripts that make Tab work."""

from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.errors import ConfigurationError, UsageError
from nscale_cli.output.result import Done, Page
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.result import Result

HELP = """Print a shell's completion script, or install it.

\b
Examples:
  nscale completion bash --install
  nscale completion zsh --install
  nscale completion fish --install
  nscale completion zsh --uninstall
  nscale completion powershell

--install says which files it writes, and asks nothing; --uninstall takes them away again. Shells
that start afterwards complete. For PowerShell: nscale completion powershell >> $PROFILE
"""

# Each script asks the program itself, so that it never falls behind. All but PowerShell's ask in
# fish's form: what is typed goes in as one quoted text, a plain `value<TAB>help` a line comes out,
# and nothing needs an eval. Where the program has nothing to offer (after -o, say), the shell
# completes file names.
_BASH = r"""# Completion of nscale in bash.
_nscale() {
    local line=${COMP_LINE:0:COMP_POINT} value help
    local word=${line##*[[:space:]]}
    word=${word//[\"\']/}
    COMPREPLY=()
    while IFS=$'\t' read -r value help; do
        [[ -n $value ]] || continue
        # bash replaces only $2, which may start after a = or : inside the word.
        [[ $word == -*=* ]] && value="${word%%=*}=$value"
        COMPREPLY+=("${value#"${word%"$2"}"}")
    done < <(env _NSCALE_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="$line" nscale 2>/dev/null)
}
complete -o bashdefault -o default -F _nscale nscale"""

_ZSH = r"""#compdef nscale
# Completion of nscale in zsh: put this file into a folder of $fpath, or source it after compinit.
_nscale() {
    local value help
    local -a typed=("${(@Q)words[1,CURRENT-1]}" "$PREFIX") offers
    compset -P 1 '-*='
    while IFS=$'\t' read -r value help; do
        [[ -n $value ]] && offers+=("${value//:/\\:}${help:+:$help}")
    done < <(env _NSCALE_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="${(j: :)${(@qq)typed}}" nscale 2>/dev/null)
    if (( $#offers )); then
        _describe -V nscale offers
    else
        _files
    fi
}
if [[ $zsh_eval_context[-1] == *func ]]; then
    _nscale "$@"  # this file is read as the function _nscale, at the first Tab
else
    compdef _nscale nscale
fi"""

_FISH = r"""# Completion of nscale in fish.
function __nscale_ask
    set -l before "'"(string replace --all "'" "'\\''" -- (commandline -opc))"'"
    set -l word (commandline -ct)
    # fish completes --option=value as one word.
    set -l option (string trim --left --chars "'\"" -- $word | string match --regex '^-[^=]*=')
    set -g __nscale_offers "$option"(env _NSCALE_COMPLETE=complete_fish \
        _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS="$before $word" \
        nscale 2>/dev/null | string match --invert '')
    test -n "$__nscale_offers"
end
complete --command nscale --no-files --keep-order \
    --condition __nscale_ask --arguments '$__nscale_offers'"""

_POWERSHELL = r"""# Completion of nscale in PowerShell.
Register-ArgumentCompleter -Native -CommandName nscale -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_NSCALE_COMPLETE = 'complete_powershell'
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    try {
        nscale 2>$null | Where-Object { $_ } | ForEach-Object {
            $value, $help = $_ -split ':::', 2
            if (-not "$help".Trim()) { $help = $value }
            [System.Management.Automation.CompletionResult]::new(
                $value, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_NSCALE_COMPLETE, Env:_TYPER_COMPLETE_ARGS,
            Env:_TYPER_COMPLETE_WORD_TO_COMPLETE
    }
}"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
FILE_NAMES = {
    "bash": "nscale.bash",
    "zsh": "_nscale",
    "fish": "nscale.fish",
    "powershell": "nscale.ps1",
}


InstallOption = Annotated[
    bool, typer.Option("--install", help="Install it for your account: bash, zsh or fish.")
]
UninstallOption = Annotated[
    bool, typer.Option("--uninstall", help="Take away what --install wrote.")
]


@command()
def complete(
    environment: Environment,
    shell: Annotated[
        str,
        typer.Argument(
            metavar="SHELL",
            help="bash, zsh, fish or powershell.",
            autocompletion=lambda incomplete: [s for s in SCRIPTS if s.startswith(incomplete)],
        ),
    ],
    install: InstallOption = False,
    uninstall: UninstallOption = False,
) -> "Result":
    """Print the script, or install it; HELP is what the user reads."""
    if shell not in SCRIPTS:
        raise UsageError(f"unknown shell {shell[:40]!r}", hint=f"choose from {', '.join(SCRIPTS)}")
    if install and uninstall:
        raise UsageError("--install and --uninstall exclude each other", hint="give one of them")
    if not (install or uninstall):
        return Page(text=SCRIPTS[shell])
    if shell == "powershell":
        raise UsageError(
            "only PowerShell itself knows where its profile is",
            hint="in PowerShell: nscale completion powershell >> $PROFILE",
        )
    from nscale_cli.commands._completion_files import CompletionFiles

    files = CompletionFiles.of(shell, environment.terminal.env)
    try:
        return Done(said=list(files.install(SCRIPTS[shell]) if install else files.uninstall()))
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or files.script} cannot be written: {error.strerror}",
            hint=f"nscale completion {shell} prints the script, to be put where {shell} looks",
        ) from None

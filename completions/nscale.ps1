# Completion of nscale in PowerShell.
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
}

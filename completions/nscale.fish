# Completion of nscale in fish.
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
    --condition __nscale_ask --arguments '$__nscale_offers'

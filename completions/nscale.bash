# Completion of nscale in bash.
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
complete -o bashdefault -o default -F _nscale nscale

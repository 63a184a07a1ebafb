
# Names of jobs may have colons, spaces and brackets. Bash ends words at colons and takes what is completed as it
# is: here the words are put together again, and the names are quoted.
_podline() {
    local words=() last=-1 at part gap line=$COMP_LINE
    for ((at = 0; at <= COMP_CWORD; at++)); do
        part=${COMP_WORDS[at]}
        gap=$line
        [[ -n $part ]] && gap=${line%%"$part"*}
        line=${line#"$gap$part"}
        if [[ $last -ge 0 && -z $gap && ($part == :* || ${words[last]} == *:) ]]; then
            words[last]+=$part
        else
            words[++last]=$part
        fi
    done
    local typed=${words[last]} quote=
    case $typed in
    \'* | \"*) quote=${typed:0:1} typed=${typed:1} ;;
    *) typed=${typed//\\/} ;;
    esac
    words[last]=$typed
    local COMP_WORDS=("${words[@]}") COMP_CWORD=$last
    _clap_complete_podline podline "$typed"
    # bash closes a quote itself
    [[ -n $quote ]] && return
    # only what follows the last colon is put in place of what was typed
    local before=
    [[ $typed == *:* ]] && printf -v before %q "${typed%"${typed##*:}"}"
    for at in "${!COMPREPLY[@]}"; do
        printf -v part %q "${COMPREPLY[at]}"
        COMPREPLY[at]=${part#"$before"}
    done
}
complete -o nospace -o bashdefault -F _podline podline

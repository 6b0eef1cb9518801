# shellcheck shell=bash
# Completion of torc-ring(1) for bash. Nodes are completed from the ring itself when -s is there already.

_torc_ring_nodes() {
    # JSON of torc-ring has one member a line; the host stands above its client port.
    timeout 2 "${COMP_WORDS[0]}" -s "$1" status --json 2>/dev/null </dev/null |
        sed -n 's/^ *"host": "\(.*\)",$/\1/p; s/^ *"port": \([0-9]*\),$/\1/p' |
        while read -r host && read -r port; do
            case $host in
            *:*) printf '[%s]:%s\n' "$host" "$port" ;;
            *) printf '%s:%s\n' "$host" "$port" ;;
            esac
        done
}

_torc_ring() {
    local changes='add drain weight remove rebalance'
    local verbs="status slots plan $changes cancel watch check"
    local word servers='' verb='' change='' node='' skip='' i
    COMPREPLY=()

    # A host and its port are one word here, whatever COMP_WORDBREAKS says.
    local line=${COMP_LINE:0:COMP_POINT} words=()
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=('')
    local current=${words[-1]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [ -n "$skip" ]; then
            [ "$skip" != servers ] || servers=$word
            skip=''
            continue
        fi
        case $word in
        -s | --server) skip=servers ;;
        --server=*) servers=${word#*=} ;;
        --by) skip=by ;;
        -*) ;;
        *)
            if [ -z "$verb" ]; then
                verb=$word
                [[ " $changes " != *" $word "* ]] || change=$word
            elif [ "$verb" = plan ] && [ -z "$change" ]; then
                change=$word
            else
                node=$word
            fi
            ;;
        esac
    done

    local choices=''
    if [ "$skip" = by ]; then
        choices='bytes ops slots'
    elif [ "$skip" = servers ]; then
        return
    elif [[ $current == -* ]]; then
        choices='--server --json --help --version'
        [ "$change" != rebalance ] || choices+=' --by'
        if [ "$verb" = cancel ] || { [ -n "$change" ] && [ "$verb" != plan ]; }; then
            choices+=' --yes --watch'
        fi
    elif [ -z "$verb" ]; then
        choices=$verbs
    elif [ "$verb" = plan ] && [ -z "$change" ]; then
        choices=$changes
    elif [ "$change" = rebalance ]; then
        choices='--by'
    elif [ -n "$change" ] && [ -z "$node" ] && [ -n "$servers" ]; then
        choices=$(_torc_ring_nodes "$servers")
    fi
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")

    # What stands before the last colon of the word is not replaced.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        local head=${current%"${current##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$head"}")
    fi
}

complete -F _torc_ring torc-ring

# completion.bash: completion for mound(1) in bash. Verbs and options come from the
# command's own --help, numbers of processes from mound ps.

_mound_words() { # CUR WORD...: those that begin with CUR
    local cur=$1 word
    shift
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
    done
}

_mound_files() { # CUR
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do
        COMPREPLY+=("$file")
    done < <(compgen -f -- "$1")
}

_mound_programs() { # CUR
    local program
    while IFS= read -r program; do
        COMPREPLY+=("$program")
    done < <(compgen -c -- "$1" | sort -u)
    [[ $1 == */* ]] && _mound_files "$1"
}

_mound() {
    local mound=$1 cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
    local option='' i
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        # shellcheck disable=SC2046
        _mound_words "$cur" --help --version \
            $("$mound" --help 2>/dev/null | sed -n 's/^.\{0,22\}mound \([a-z]\{1,\}\).*/\1/p')
        return
    fi
    [[ $verb == explain ]] && verb=stats
    [[ $verb == trim ]] && verb=release

    # Behind the program come its own words.
    if [[ $verb == run || $verb == record || $verb == check ]]; then
        for ((i = 2; i < COMP_CWORD; i++)); do
            case ${COMP_WORDS[i]} in
            -o | --option | --output | --for | --rate | --warmup | --*-growth)
                [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
                ((i++))
                ;;
            --) ;;
            -*) ;;
            *)
                _mound_files "$cur"
                return
                ;;
            esac
        done
    fi

    # bash cuts --sort=rss into three words.
    if [[ $cur == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]} cur=''
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == -* ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    case $verb$option in
    top--sort | top-s)
        _mound_words "$cur" rss live holes idle rate pid program
        return
        ;;
    *--output | profile-o | diff-o | record-o | report-o | export--textfile | export-t)
        _mound_files "$cur"
        return
        ;;
    *--option | run-o | check-o)
        [[ ${COMP_WORDS[COMP_CWORD]} == = ]] && return
        compopt -o nospace 2>/dev/null
        _mound_words "$cur" stats= stats_on= stats_signal= profile= profile_rate= \
            profile_at= decay= memlimit= thp= hardened= guard= names= helper=
        return
        ;;
    export--listen | export-l)
        _mound_words "$cur" 9101
        return
        ;;
    *--during | *--interval | *--for | *--timeout | *--warmup)
        _mound_words "$cur" 1s 10s 30s 1m
        return
        ;;
    *--rate | *--depth | *--top | *-n | *-growth)
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        # shellcheck disable=SC2046
        _mound_words "$cur" $("$mound" "$verb" --help 2>/dev/null |
            sed -n 's/^  .\{4\}\(--[a-z-]*=\{0,1\}\).*/\1/p')
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
        return
    fi
    case $verb in
    stats | profile | release | doctor)
        # shellcheck disable=SC2046
        _mound_words "$cur" $("$mound" ps 2>/dev/null |
            sed -n 's/^ *\([0-9]\{1,\}\) .*/\1/p')
        ;;&
    stats | profile | diff | report)
        _mound_files "$cur"
        ;;
    doctor)
        [[ -n $cur ]] && _mound_programs "$cur"
        ;;
    run | record | check)
        _mound_programs "$cur"
        ;;
    esac
}

complete -F _mound mound

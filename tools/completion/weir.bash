# bash completion for weir(1)
#
# Names of servers are asked of the running program, over the socket that the
# line names, or the default one; when nobody answers there are none.

# Pools and servers, one on a line; the arguments are the words of the line.
_weir_names() {
	local -a where=()
	local i

	for ((i = 2; i + 1 < $#; i++)); do
		case ${!i} in
		--socket | --config)
			local value=$((i + 1))
			where=("${!i}" "${!value}")
			;;
		esac
	done
	timeout 2 "$1" servers --names "${where[@]}" 2>/dev/null
}

_weir_options() {
	case $1 in
	run) echo "--config --user --log-level --help" ;;
	check) echo "--quiet --help" ;;
	status) echo "--socket --config --json --watch --help" ;;
	servers) echo "--socket --config --json --names --watch --help" ;;
	drain | ready | down | weight | reload | stop | dump | metrics)
		echo "--socket --config --help" ;;
	*) echo "--help" ;;
	esac
}

_weir_arguments() {
	local cur=$1 verb=$2
	shift 2
	case $verb in
	run | check)
		compgen -f -X '!*.y?(a)ml' -- "$cur"
		compgen -d -- "$cur"
		;;
	drain | ready | down | weight)
		compgen -W "$(_weir_names "$@" | sed 'h;s,/.*,,;G' | sort -u)" -- "$cur"
		;;
	servers)
		compgen -W "$(_weir_names "$@" | cut -d/ -f1 | sort -u)" -- "$cur"
		;;
	esac
}

_weir() {
	local -a words
	local cur prev verb
	local verbs="run check schema reference status servers drain ready down
		weight reload stop dump metrics version help"

	# Split at blanks alone: readline would split addresses at their colon.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
	[[ ${COMP_LINE:COMP_POINT-1:1} == [[:blank:]] ]] && words+=("")
	cur=${words[-1]}
	prev=${words[-2]}
	verb=${words[1]}
	if ((${#words[@]} == 2)) || [[ $verb == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
	elif [[ $prev == --socket || $prev == --config || $prev == -c ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif [[ $prev == --log-level ]]; then
		mapfile -t COMPREPLY < <(compgen -W "error warn info debug" -- "$cur")
	elif [[ $prev == --user ]]; then
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_weir_options "$verb")" -- "$cur")
	else
		mapfile -t COMPREPLY < <(_weir_arguments "$cur" "$verb" "${words[@]}")
	fi
	# What readline sees as the word begins behind the last colon.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
	fi
}

complete -F _weir weir

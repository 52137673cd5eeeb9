# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# crowds.bash: what many cost who wait for locks of one mount.

threads() {
	awk '$1 == "Threads:" { print $2 }' "/proc/${daemon[crowd]}/status"
}

# tell_crowd WORD: waits for it and prints the milliseconds behind it.
tell_crowd() {
	local word ms

	read -r -t 60 word ms <&"$crowd_fd"
	[ "${word-}" = "$1" ] ||
		die "the crowd said '${word-}' instead of '$1'"
	printf '%s' "$ms"
}

# keep_beside NAME WHEN FIRST: what a file costs, alone or beside the crowd.
keep_beside() {
	local mnt=$scratch/crowd

	keep_output "$1.read_$2" ops read "$mnt/sub/" "$3" "$n_ops"
	keep_output "$1.cat_$2" ops cat "$mnt/cat/" "$3" 40
}

keep_megabytes() {
	keep "$1" "$(compute "$(memory crowd "$2") / 1024")"
}

# What the server received and what it sent, of which the more is events.
packets() {
	printf '%s %s\n' "$(server Received)" "$(server Sent)"
}

# keep_packets NAME BEFORE: for each of the crowd, who had it in turn.
keep_packets() {
	local before after

	read -r -a before <<<"$2"
	read -r -a after <<<"$(packets)"
	keep "$1.requests" "$(compute "(${after[0]} - ${before[0]} - 2) / \
		$n_crowd" %.2f)"
	keep "$1.events" "$(compute "(${after[1]} - ${before[1]} - \
		${after[0]} + ${before[0]}) / $n_crowd" %.2f)"
}

# run_crowd NAME one|many LOCKS: on a daemon of its own, whose peak counts.
run_crowd() {
	local name=$1 crowd_fd go_fd queued granted before pid

	start_mount crowd
	keep_beside "$name" alone 1
	coproc CROWD {
		exec "$build/tests/bench/bench-crowd" "$2" \
			"$scratch/crowd/$3" "$n_crowd"
	}
	pid=$! crowd_fd=${CROWD[0]} go_fd=${CROWD[1]}
	helpers[crowd]=$pid
	queued=$(tell_crowd waiting) || exit 1
	keep_beside "$name" beside $((n_ops + 1))
	keep_megabytes "$name.rss" VmRSS
	keep "$name.threads" "$(threads)"
	before=$(packets)
	echo go >&"$go_fd"
	granted=$(tell_crowd granted) || exit 1
	keep_packets "$name" "$before"
	unset "helpers[crowd]"
	wait "$pid" || die "the crowd has failed"
	keep_megabytes "$name.peak" VmHWM
	keep "$name.queued" "$queued"
	keep "$name.granted" "$granted"
	keep "$name.each" "$(compute "$granted * 1000 / $n_crowd" %.0f)"
	stop_mount crowd
}

make_crowds() {
	bare make /sub $((2 * n_ops)) 64
	bare make /cat 1000 64
	bare make /locks "$n_crowd" 0
	bare make /locks/crowd 0 0
}

crowd_line() {
	printf '%-34s %10s %10s  %s\n' "$@"
	case $4 in
	*MISSED*) missed=1 ;;
	esac
}

# both WORDS FIGURE GOAL: one property of the two crowds.
both() {
	local one many worse

	one=$(figure "one.$2") many=$(figure "many.$2")
	worse=$(compute "$one > $many ? $one : $many")
	crowd_line "$1" "$one" "$many" "$(verdict "$worse" "$3")"
}

print_crowds() {
	printf '\n%s processes wait in open(2) for:\n\n' "$n_crowd"
	crowd_line name "one lock" "each its own" goal
	both "threads of the daemon" threads 2
	both "resident memory, MB" rss "$rss_goal"
	both "resident memory at its peak, MB" peak ""
	both "until all are queued, ms" queued ""
	both "until all have had it, ms" granted ""
	both "the same for each, us" each ""
	both "requests to the server for each" requests ""
	# Whatever the length of the queue. A lock that was held for longer than
	# a heartbeat has each of its holder's names watched, and its directory.
	crowd_line "events from the server for each" \
		"$(figure one.events)" "$(figure many.events)" \
		"$(verdict "$(figure one.events)" 1.1)"
	both "read of a file, alone, us" read_alone ""
	both "read of a file beside them, us" read_beside ""
	both "cat of a file, alone, us" cat_alone ""
	both "cat of a file beside them, us" cat_beside ""
}


run_crowds() {
	make_crowds
	run_crowd one one locks/crowd
	run_crowd many many locks
	print_crowds
}

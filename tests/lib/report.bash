# shellcheck shell=bash disable=SC2154
# report: runs one group of tests after another, keeps the counts, and prints
# a line for each group; its output only when something in it failed.
#
# A group is a function that calls count_pass, count_fail and count_skip. One
# that fails and has counted no failure, or has counted nothing at all, is
# itself one failed test: a group cannot pass by not running.
#
# A group runs in a subshell and leaves its counts in a file, so that several
# may run at once.

total_passed=0
total_failed=0
total_skipped=0
total_unsteady=0
# Seconds from the first signal to the second, at the end of a limit.
kill_after=15

count_pass() {
	passed=$((passed + 1))
}

count_fail() {
	failed=$((failed + 1))
}

count_skip() {
	skipped=$((skipped + 1))
}

# One of those that have passed, but not at once.
count_unsteady() {
	unsteady=$((unsteady + 1))
}

# Runs a command as one test. Usage: check NAME COMMAND...
check() {
	local name=$1
	shift
	if "$@"; then
		echo "ok: $name"
		count_pass
	else
		echo "not ok: $name"
		count_fail
	fi
}

# The groups under way: their process ids by their names. Each says its name
# into a pipe at its end: "wait -n" of bash 5.2 knows nothing of a child that
# has ended before it is called.
declare -A running=()
done_fd=

# Usage: start_group NAME FUNCTION [ARG...]
start_group() {
	local name=$1 log="$logs/${1//\//-}.log"
	shift
	[ -n "$done_fd" ] || exec {done_fd}<> <(:)
	rm -f "$log.counts"
	group_body "$name" "$log" "$@" &
	running[$name]=$!
}

group_body() {
	local name=$1 log=$2 start=$SECONDS
	shift 2
	limited_pid=
	# shellcheck disable=SC2064
	trap "echo '$name' >&$done_fd" EXIT
	trap stop_limited INT TERM
	passed=0 failed=0 skipped=0 unsteady=0
	if ! "$@" >"$log" 2>&1; then
		[ "$failed" -gt 0 ] || count_fail
	fi
	if [ $((passed + failed)) -eq 0 ]; then
		echo "nothing was run" >>"$log"
		count_fail
	fi
	echo "$passed $failed $skipped $((SECONDS - start)) $unsteady" \
		>"$log.counts"
}

# Finds a group under way that has ended, as soon as there is one, and leaves
# its name in `ended`: a subshell that waited would keep signals from us. A
# group that was killed has said nothing; it is looked for now and then. One
# that was found so just as it ended has said its name all the same, and is not
# under way any more when that is read.
await_group() {
	while :; do
		if read -t 5 -r ended <&"$done_fd"; then
			[ -z "${running[$ended]:-}" ] || return 0
			continue
		fi
		for ended in "${!running[@]}"; do
			kill -0 "${running[$ended]}" 2>/dev/null || return 0
		done
	done
}

# Waits for one of the groups under way, and adds it to the whole. Fails if it
# has failed.
finish_group() {
	local name log words passed failed skipped seconds unsteady
	await_group
	name=$ended
	wait "${running[$name]}"
	unset "running[$name]"
	log="$logs/${name//\//-}.log"
	# Without counts it has come to a bad end.
	if ! read -r passed failed skipped seconds unsteady 2>/dev/null \
		<"$log.counts"; then
		passed=0 failed=1 skipped=0 seconds=0 unsteady=0
	fi
	rm -f "$log.counts"
	words="$name ($seconds s): $passed passed"
	[ "$failed" -eq 0 ] || words+=", $failed failed"
	[ "$skipped" -eq 0 ] || words+=", $skipped skipped"
	[ "$unsteady" -eq 0 ] || words+=", $unsteady of them unsteady"
	total_unsteady=$((total_unsteady + unsteady))
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
	if [ "$failed" -gt 0 ]; then
		echo "not ok $words"
		show_log "$log"
		return 1
	fi
	echo "ok $words"
	[ "$unsteady" -eq 0 ] || show_log "$log"
}

# Waits until fewer than that many groups are under way.
finish_to() {
	while [ ${#running[@]} -ge "$1" ]; do
		finish_group || :
	done
}

# Runs a group alone. Fails if it has failed.
run_group() {
	finish_to 1
	start_group "$@"
	finish_group
}

stop_groups() {
	[ ${#running[@]} -eq 0 ] || kill "${running[@]}" 2>/dev/null
	wait
}

# The end of a log without what went well, indented, so that no line of it is
# taken for one of ours.
show_log() {
	local lines
	lines=$(grep -vc '^ok' "$1")
	if [ "$lines" -gt 300 ]; then
		echo "    ... the last 300 of $lines lines; all are in $1"
	fi
	grep -v '^ok' "$1" | tail -n 300 | sed 's/^/    /'
}

# The last line, and the exit status of it all.
report_total() {
	[ "$total_skipped" -eq 0 ] || echo "$total_skipped skipped"
	[ "$total_unsteady" -eq 0 ] ||
		echo "$total_unsteady unsteady: passed when run again"
	echo "$total_passed passed, $total_failed failed"
	[ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
}

# Runs a command with a limit in seconds, in a process group of its own, such
# that a signal to us reaches it. Usage: limited SECONDS COMMAND...
limited() {
	local limit=$1 status=0
	shift
	timeout --kill-after="$kill_after" "$limit" "$@" </dev/null &
	limited_pid=$!
	wait "$limited_pid" || status=$?
	limited_pid=
	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		echo "not done after $limit s: $*"
	fi
	return "$status"
}

# Ends what limited() has started, and ourselves.
stop_limited() {
	trap '' INT TERM
	[ -z "$limited_pid" ] || kill "$limited_pid" 2>/dev/null
	wait
	exit 130
}

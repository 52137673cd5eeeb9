# shellcheck shell=bash disable=SC2154
# report: runs one group of tests after another, keeps the counts, and prints
# a line for each group; its output only when something in it failed.
#
# A group is a function that calls count_pass, count_fail and count_skip. One
# that fails and has counted no failure, or has counted nothing at all, is
# itself one failed test: a group cannot pass by not running.

total_passed=0
total_failed=0
total_skipped=0
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

# Usage: run_group NAME FUNCTION [ARG...]
run_group() {
	local name=$1 log="$logs/${1//\//-}.log" start=$SECONDS words
	shift
	passed=0 failed=0 skipped=0
	if ! "$@" >"$log" 2>&1; then
		[ "$failed" -gt 0 ] || count_fail
	fi
	if [ $((passed + failed)) -eq 0 ]; then
		echo "nothing was run" >>"$log"
		count_fail
	fi
	words="($((SECONDS - start)) s): $passed passed"
	[ "$failed" -eq 0 ] || words+=", $failed failed"
	[ "$skipped" -eq 0 ] || words+=", $skipped skipped"
	if [ "$failed" -eq 0 ]; then
		echo "ok $name $words"
	else
		echo "not ok $name $words"
		show_log "$log"
	fi
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
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

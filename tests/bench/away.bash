# shellcheck shell=bash disable=SC2154,SC2034
# away.bash: what needs no server, while none answers: beside the same on a
# filesystem in memory, in milliseconds. The server is stopped, first a moment
# ago, and then for as long as the mount needs to give the connection up.

readonly away_goal=100 # more than in memory, and no more

# clocked NAME COMMAND...: keeps how long it took.
clocked() {
	local name=$1 start=${EPOCHREALTIME/./}

	shift
	timeout 60 "$@" >/dev/null || die "with the server away: $*"
	keep "$name" "$(compute "(${EPOCHREALTIME/./} - $start) / 1000" %.2f)"
}

# in_both NAME COMMAND... -- OURS FLOOR: of it and it.
in_both() {
	local name=$1 command=()

	shift
	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	clocked "$name.ms" "${command[@]}" "$2"
	clocked "$name.memfs" "${command[@]}" "$3"
	keep_ratio "$name.ratio" "$name.ms" "$name.memfs"
	keep "$name.more" "$(compute \
		"$(last "$name.ms") - $(last "$name.memfs")" %.2f)"
}

all_of_them() {
	local state=$1 ours=$scratch/away floor=$scratch/memfs

	in_both "$state-df" df -- "$ours" "$floor"
	in_both "$state-stat" stat -f -- "$ours" "$floor"
	in_both "$state-ls" ls -d -- "$ours" "$floor"
	in_both "$state-status" cat -- "$ours/.zkfs/status" "$floor/000000"
}

# gone COMMAND...: takes both away by it.
gone() {
	local name

	in_both "lost-${1##*/}" "$@" -- "$scratch/away" "$scratch/memfs"
	for name in away memfs; do
		wait "${daemon[$name]}" || die "'$name' has ended with status $?"
		unset "daemon[$name]"
	done
}

run_away_round() {
	local pid i

	read -r pid <"$scratch/zkfs/pid"
	start_filesystem memfs "$build/tests/bench/bench-memfs" 1
	start_mount away timeo=600
	ls "$scratch/away" >/dev/null
	kill -STOP "$pid"
	all_of_them hung
	for ((i = 0; i < 3000; i++)); do
		! grep -q 'lost the connection' "$scratch/away.log" || break
		sleep 0.02
	done
	all_of_them lost
	gone "$@"
	kill -CONT "$pid"
}

run_away() {
	local i

	for ((i = 1; i <= rounds; i++)); do
		run_away_round umount
		run_away_round fusermount3 -u
	done
	printf '\nWhile the server is stopped, milliseconds:\n\n'
	line name ours floor ratio requests goal
	away_lines hung 'asked a moment ago'
	away_lines lost 'given up'
	away_line lost-umount 'umount'
	away_line lost-fusermount3 'fusermount3 -u'
}

# away_lines STATE WORDS
away_lines() {
	away_line "$1-df" "df, $2"
	away_line "$1-stat" "stat -f, $2"
	away_line "$1-ls" "ls -d, $2"
	away_line "$1-status" ".zkfs/status, $2"
}

# away_line NAME WORDS
away_line() {
	line "$2" "$(compute "$(figure "$1.ms")" %.2f)" \
		"$(compute "$(figure "$1.memfs")" %.2f)" \
		"$(compute "$(figure "$1.ratio")" %.2f)" - \
		"more $(verdict "$(figure "$1.more")" "$away_goal")"
}

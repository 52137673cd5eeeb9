# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# locks.bash: what a lock costs, beside the bare recipe and the clients that
# people have. Curator's and kazoo's rows are there when these are installed.

readonly n_cycles=100 n_turns=25

# Who takes locks, and what the line is called.
readonly -A takers=(
	[all]="zkfs"
	[one]="zkfs, locknames=curator"
	[bare3]="bare client, three names"
	[bare1]="bare client, one name"
	[curator]="Curator InterProcessMutex"
	[kazoo]="kazoo Lock"
)

curator_class_path() {
	local jar path=

	for jar in curator-recipes curator-framework curator-client zookeeper \
		zookeeper-jute guava slf4j-api slf4j-nop; do
		jar=/usr/share/java/$jar.jar
		[ -r "$jar" ] || return
		path+=:$jar
	done
	printf '%s\n' "$scratch$path"
}

# start_helper NAME COMMAND...: it is asked, and answers, a line at a time.
start_helper() {
	local name=$1 pipe=$scratch/$1 in out

	shift
	mkfifo "$pipe.in" "$pipe.out" || exit 1
	"$@" <"$pipe.in" >"$pipe.out" 2>"$pipe.log" &
	helpers[$name]=$!
	exec {in}>"$pipe.in" {out}<"$pipe.out"
	ask[$name]=$in hear[$name]=$out
}

stop_helper() {
	kill "${helpers[$1]}" 2>/dev/null
	wait "${helpers[$1]}"
	unset "helpers[$1]"
}

start_curator() {
	local path

	path=$(curator_class_path) && command -v ecj >/dev/null || return
	ecj -17 -proc:none -cp "$path" -d "$scratch" \
		"$top/tests/bench/CuratorLock.java" || die "ecj has failed"
	start_helper curator java -XX:+UseSerialGC -Xshare:auto -Xmx128m \
		-cp "$path" CuratorLock "$address" /locks/curator
}

start_kazoo() {
	/usr/bin/python3 -c 'import kazoo' 2>/dev/null || return
	start_helper kazoo /usr/bin/python3 -B \
		"$top/tests/bench/kazoo_lock.py" "$address" /locks/kazoo
}

# ask_helper NAME COMMAND N
ask_helper() {
	local us

	printf '%s %s\n' "$2" "$3" >&"${ask[$1]}"
	read -r -t 120 us <&"${hear[$1]}" ||
		die "$1: $(tail -n 20 "$scratch/$1.log")"
	printf '%s\n' "$us"
}

# cycle TAKER, handover TAKER: in microseconds.
cycle() {
	case $1 in
	all | one) ops lock "$scratch/$1/locks/$1/p" 1 "$n_cycles" ;;
	bare?) bare lock "/locks/$1" "${1#bare}" "$n_cycles" ;;
	*) ask_helper "$1" cycle "$n_cycles" ;;
	esac
}

handover() {
	case $1 in
	all | one)
		program handover mount "$scratch/$1/locks/$1" \
			"$scratch/${1}2/locks/$1" "$n_turns"
		;;
	bare?)
		program handover bare "$address" "/locks/$1" "${1#bare}" \
			"$n_turns"
		;;
	*) ask_helper "$1" handover "$n_turns" ;;
	esac
}

# A try of a lock that is held costs one look at its queue.
run_try() {
	local before changes

	# What the directory itself looks like is asked for once a while.
	ops again try "$scratch/one/locks/busy/try" 1 >/dev/null
	changes=$(server Zxid)
	before=$(received)
	keep_output try.us ops again try "$scratch/one/locks/busy/try" \
		"$n_cycles"
	keep_requests try.requests "$n_cycles" "$before"
	keep try.changes "$(($(server Zxid) - changes))"
	keep_output list.us bare list /locks/busy "$n_cycles"
	keep_ratio try.ratio try.us list.us
}

run_locks_round() {
	local taker

	for taker in "${present[@]}"; do
		keep_output "$taker.cycle" cycle "$taker"
		keep_output "$taker.handover" handover "$taker"
	done
	for taker in "${present[@]}"; do
		keep_ratio "all.$taker.cycle" all.cycle "$taker.cycle"
		keep_ratio "all.$taker.handover" all.handover "$taker.handover"
		keep_ratio "one.$taker.cycle" one.cycle "$taker.cycle"
		keep_ratio "one.$taker.handover" one.handover "$taker.handover"
	done
	run_try
}

# Each of two hosts, twice: with all names and with one.
start_lock_mounts() {
	start_mount all
	start_mount all2
	start_mount one locknames=curator
	start_mount one2 locknames=curator
}

run_locks() {
	local i taker busy_fd present=(all one bare3 bare1)
	local -A ask=() hear=()

	for taker in "${!takers[@]}" busy; do
		bare make "/locks/$taker" 0 0
	done
	start_lock_mounts
	start_curator && present+=(curator)
	start_kazoo && present+=(kazoo)
	exec {busy_fd}>"$scratch/all/locks/busy/holder"
	warm_up_locks
	for ((i = 1; i <= rounds; i++)); do
		run_locks_round
	done
	exec {busy_fd}>&-
	for taker in "${present[@]:4}"; do
		stop_helper "$taker"
	done
	for taker in all all2 one one2; do
		stop_mount "$taker"
	done
	print_locks
}

# What a compiler at run time would make of it: of the server and of Curator.
warm_up_locks() {
	local taker i

	for i in 1 2 3; do
		for taker in "${present[@]}"; do
			cycle "$taker" >/dev/null
			handover "$taker" >/dev/null
		done
	done
}

print_locks() {
	local taker

	printf '\nLocks, microseconds, median of %s rounds:\n\n' "$rounds"
	printf '%-34s %10s %10s\n' name "take, free" hand-over
	for taker in "${present[@]}"; do
		printf '%-34s %10s %10s\n' "${takers[$taker]}" \
			"$(compute "$(figure "$taker.cycle")" %.0f)" \
			"$(compute "$(figure "$taker.handover")" %.0f)"
	done
	printf '\n'
	line name ours floor ratio requests goal
	for taker in "${present[@]:4}"; do
		lock_line all "$taker" cycle 1
		lock_line all "$taker" handover 1
	done
	lock_line one bare1 cycle ""
	lock_line one bare1 handover 1.3
	lock_line all bare3 cycle ""
	lock_line all bare3 handover ""
	ratio_line "try of a held lock / a list" try.us list.us try.ratio \
		"$(figure try.requests)" ""
	line "... requests" "$(figure try.requests)" - - - \
		"$(verdict "$(figure try.requests)" 1)"
	line "... changes" "$(figure try.changes)" - - - \
		"$(verdict "$(figure try.changes)" 0)"
}

# lock_line OURS TAKER cycle|handover GOAL
lock_line() {
	local words=hand-over

	[ "$3" = handover ] || words="take, free"
	ratio_line "$words: $1 / ${takers[$2]}" "$1.$3" "$2.$3" "$1.$2.$3" \
		- "$4"
}

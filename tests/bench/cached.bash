# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# cached.bash: what an operation takes on nodes that are known and have not
# changed, beside filesystems that have nothing to ask anybody for: tmpfs, the
# least filesystem in user space (memfs.c), and libfuse's passthrough_ll where
# its source is installed.

readonly n_known=10000 n_again=2000 n_paired=5 n_changes=50
# inotify is told of a file at most every 50 ms (ops/look).
readonly n_events=20 events_ms=60
readonly passthrough_source=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c

start_passthrough() {
	local program=$scratch/passthrough_ll cflags

	[ -r "$passthrough_source" ] || return
	read -ra cflags < <(pkg-config --cflags --libs fuse3)
	cc -O3 -w -o "$program" "$passthrough_source" "${cflags[@]}" \
		>"$scratch/passthrough.log" 2>&1 ||
		die "$(cat "$scratch/passthrough.log")"
	start_filesystem passthrough "$program" -f \
		-o "source=$scratch/plain,cache=always"
}

# The same 10,000 files of 1 KiB in each.
make_known() {
	bare make /known "$n_known" 1024
	mkdir -p "$scratch/plain" || exit 1
	head -c $((n_known * 1024)) /dev/zero |
		split -b 1024 -a 6 -d - "$scratch/plain/" || exit 1
}

# Requests that a mount has had from the kernel; to ask costs some, too.
fuse_requests() {
	awk '$1 ~ /^zkfs_request_duration_seconds_count/ { sum += $NF }
		END { printf "%d\n", sum }' "$scratch/$1/.zkfs/metrics"
}

# keep_known NAME N COMMAND...: time, and all requests, of N operations.
keep_known() {
	local name=$1 n=$2 asked before fuse

	shift 2
	asked=$(fuse_requests known)
	asked=$(($(fuse_requests known) - asked))
	fuse=$(fuse_requests known)
	before=$(received) || exit 1
	keep_output "$name.us" ops "$@"
	keep_requests "$name.requests" "$n" "$before"
	fuse=$(($(fuse_requests known) - fuse - asked))
	keep "$name.fuse" "$(compute "$fuse / $n" %.3f)"
}

# place CPUS: what follows, and those daemons that answer it, run there.
place() {
	local name

	taskset -pc "$1" "$BASHPID" >/dev/null || die "no CPU '$1'"
	for name in memfs known passthrough; do
		[ -n "${daemon[$name]-}" ] || continue
		# One of its threads may just have ended.
		taskset -apc "$1" "${daemon[$name]}" >/dev/null 2>&1 ||
			taskset -apc "$1" "${daemon[$name]}" >/dev/null ||
			die "'$name' is not moved to CPU '$1'"
	done
}

# again_once NAME OPERATION FILE: on memfs, here and, if it is there, on
# passthrough_ll.
again_once() {
	keep_output "$1.memfs" ops again "$2" "$scratch/memfs/$3" "$n_again"
	keep_known "again_$1" "$n_again" again "$2" "$scratch/known/$3" \
		"$n_again"
	keep_ratio "again_$1.ratio" "again_$1.us" "$1.memfs"
	[ -n "${daemon[passthrough]-}" ] || return 0
	keep_output "$1.passthrough" ops again "$2" "$scratch/passthrough/$3" \
		"$n_again"
	keep_ratio "again_$1.passthrough_ratio" "again_$1.us" "$1.passthrough"
}

# again NAME OPERATION FILE: in turns, as the processor itself changes its pace
# every few seconds.
again() {
	local i

	for ((i = 0; i < n_paired; i++)); do
		again_once "$@"
	done
}

# Where the scheduler puts two who talk to each other decides more than either
# of them: on a virtual machine a request takes 5 us when both have one CPU, and
# 40 to 90 us when each has its own and has to be woken from its sleep. So the
# programs are compared on one CPU; "placed" is what the scheduler makes of it,
# to be seen, but no goal.
again_all() {
	local file=$1

	place "${cpus%%[-,]*}"
	again stat stat "$file"
	again absent absent nothing
	again once once "$file"
	again read read "$file"
	place "$cpus"
	again placed once "$file"
}

run_cached_round() {
	local file

	file=$(printf %06d "$1")
	again_all "$file"
	keep_output find.plain ops find "$scratch/plain"
	keep_known find 1 find "$scratch/known"
	keep_ratio find.ratio find.us find.plain
	keep_output change.bare program change "$address" "/known/$file" \
		"$n_changes"
	keep_output change.us program change "$address" "/known/$file" \
		"$n_changes" "$scratch/known/$file"
	keep_ratio change.ratio change.us change.bare
	keep_output event.bare program change -c "$events_ms" "$address" \
		"/known/$file" "$n_events"
	keep_output event.us program change -c "$events_ms" -i "$address" \
		"/known/$file" "$n_events" "$scratch/known/$file"
	keep_ratio event.ratio event.us event.bare
}

# A node that is looked at again, when what the kernel may keep of a listing is
# over, is watched from then on.
learn_known() {
	ops find "$scratch/known" >/dev/null
	sleep 2.1
	ops find "$scratch/known" >/dev/null
}

run_cached() {
	local i cpus

	cpus=$(taskset -pc "$BASHPID") || die "no taskset"
	cpus=${cpus##* }
	make_known
	start_filesystem memfs "$build/tests/bench/bench-memfs" "$n_known"
	start_passthrough
	start_mount known "" /known
	learn_known
	for ((i = 1; i <= rounds; i++)); do
		run_cached_round "$i"
	done
	stop_mount known
	stop_mount memfs
	[ -z "${daemon[passthrough]-}" ] || stop_mount passthrough
	print_cached
}

# known_line NAME WORDS GOAL
known_line() {
	local name=again_$1

	ratio_line "$2 / memory" "$name.us" "$1.memfs" "$name.ratio" \
		"$(figure "$name.requests")" "$3"
	line "... requests to the daemon" "$(figure "$name.fuse")" - - - -
	[ -e "$scratch/$name.passthrough_ratio.figures" ] || return 0
	ratio_line "$2 / passthrough_ll" "$name.us" "$1.passthrough" \
		"$name.passthrough_ratio" - "${4-}"
}

print_cached() {
	printf '\nWhat is known and has not changed, microseconds:\n\n'
	line name ours floor ratio requests goal
	known_line stat stat 1.1
	known_line absent "stat of a name not there" 1.1
	known_line once "open, read, close" 1.2 1
	known_line placed "... placed by the scheduler" ""
	# To find the end there is a second read(2), for the daemon too: the
	# price of a file that nobody sees half of.
	known_line read "open, read to the end, close" 1.2
	ratio_line "find over $n_known files / tmpfs" find.us find.plain \
		find.ratio "$(figure find.requests)" ""
	ratio_line "change until read / watch, get" change.us change.bare \
		change.ratio - 1.5
	ratio_line "change until inotify tells / watch, get" event.us \
		event.bare event.ratio - 1.5
}

# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# operations.bash: what an operation takes that is not in any cache, beside
# the requests of a bare client.

# time_ops NAME N COMMAND...: keeps the time and the requests of N operations.
time_ops() {
	local name=$1 n=$2 before us

	shift 2
	before=$(received) || exit 1
	us=$(ops "$@") || exit 1
	keep "$name.us" "$us"
	keep_requests "$name.requests" "$n" "$before"
}

time_bare() {
	keep_output "$1.us" bare "${@:2}"
}

# Each operation has its own names, and each round others than the last.
run_operations_round() {
	local first=$(($1 * n_ops + 1)) big mnt=$scratch/mnt

	big=big$(printf %06d "$1")
	time_bare get get /sub/000000 "$n_ops"
	time_ops read_root "$n_ops" read "$mnt/" "$first" "$n_ops"
	time_bare set set /sub/000000 "$n_ops"
	time_ops overwrite "$n_ops" overwrite "$mnt/over/" "$first" "$n_ops"
	time_ops read_sub "$n_ops" read "$mnt/sub/" "$first" "$n_ops"
	time_ops append "$n_ops" append "$mnt/append/" "$first" "$n_ops"
	time_ops ask "$n_ops" again ask "$mnt" "$n_ops"
	keep_processor "$first"
	time_bare exists exists "/$big"
	time_ops ls 1 ls "$mnt/$big"
	keep_ratio ls.ratio ls.us exists.us
}

# Of a look at a name that is not known: one request to the daemon and one to
# the server.
keep_processor() {
	local before

	before=$(processor mnt)
	time_ops stat "$n_ops" stat "$scratch/mnt/stat/" "$1" "$n_ops"
	keep stat.cpu "$(compute "($(processor mnt) - $before) / $n_ops" %.2f)"
	keep_output get.cpu bare cpu /sub/000000 "$n_ops"
	keep_ratio cpu.ratio stat.cpu get.cpu
}

make_operations() {
	local i n=$(((rounds + 1) * n_ops))

	bare make / "$n" 64
	for i in sub over append stat; do
		bare make "/$i" "$n" 64
	done
	for ((i = 0; i <= rounds; i++)); do
		bare make "/big$(printf %06d "$i")" "$n_children" 64
	done
}

run_operations() {
	local i

	make_operations
	start_mount mnt
	run_operations_round 0 # the server's compiler is at work yet
	rm -f "$scratch"/*.figures
	for ((i = 1; i <= rounds; i++)); do
		run_operations_round "$i"
	done
	stop_mount mnt
	print_operations
}

# op_line WORDS NAME FLOOR(us) GOAL(requests)
op_line() {
	local ours requests

	ours=$(figure "$2.us")
	requests=$(figure "$2.requests")
	line "$1" "$(compute "$ours")" "$(compute "$3")" \
		"$(compute "$ours / $3" %.2f)" \
		"$(compute "$requests" %.2f)" \
		"requests $(verdict "$(compute "$requests" %.1f)" "$4")"
}

print_operations() {
	local get set

	get=$(figure get.us) set=$(figure set.us)
	printf 'Operations, microseconds, median of %s rounds of %s:\n\n' \
		"$rounds" "$n_ops"
	line name ours floor ratio requests goal
	line "a request that asks no server" \
		"$(compute "$(figure ask.us)")" - - \
		"$(compute "$(figure ask.requests)" %.2f)" -
	op_line "read, root / one get" read_root "$get" 1
	op_line "read, directory / one get" read_sub "$get" 1
	op_line "overwrite / one set" overwrite "$set" 2
	op_line "append / get and set" append "$(compute "$get + $set")" 2
	op_line "stat / one get" stat "$get" 1
	ratio_line "processor time of it / of one get" stat.cpu get.cpu \
		cpu.ratio - ""
	ratio_line "ls -l of $n_children / $n_children exists" ls.us exists.us \
		ls.ratio "$(figure ls.requests)" "$ls_goal"
	explain_read "$get"
}

# What a read is made of: one round trip to the server, for the look-up, which
# brings the data along, and four into the daemon, as it is also read twice
# (data, end).
explain_read() {
	printf '\n1 get and 4 requests that ask no server: %s\n' \
		"$(compute "$1 + 4 * $(figure ask.us)")"
}

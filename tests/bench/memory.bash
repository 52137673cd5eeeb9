# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# memory.bash: what the daemon keeps of a node that it knows.

readonly node_goal=600
# By find: a list of each directory, and a look at each entry.
readonly asked_goal=1.1

# look_at DIR N: at each of the files in it by name.
look_at() {
	ops stat "$1/" 1 "$2" >/dev/null
}

# Each node is looked up twice, and watched from then on. What the library's
# own tables take of that is what a bare client grows by with as many watches.
run_memory() {
	local n=$n_nodes before library grown

	bare make /many "$n" 16
	start_mount many "cache_nodes=$((n * 2)),watch_paths=1G" /many
	before=$(memory many VmRSS)
	look_at "$scratch/many" "$n"
	look_at "$scratch/many" "$n"
	grown=$(compute "($(memory many VmRSS) - $before) * 1024 / $n" %.0f)
	library=$(bare watch /many) || exit 1
	stop_mount many
	print_memory "$n" "$grown" "$library"
}

print_memory() {
	printf '\nMemory for each of %s known files, bytes:\n\n' "$1"
	crowd_line "daemon" "$2" - -
	crowd_line "library, for its two watches" "$3" - -
	crowd_line "the rest: zkfs" "$(($2 - $3))" - \
		"$(verdict "$(($2 - $3))" "$node_goal")"
}

# A thousand directories of a thousand files each.
make_large() {
	local i

	bare make /large 0 0
	for ((i = 0; i < 1000; i++)); do
		bare make "/large/$(printf %03d "$i")" 1000 1
	done
}

# A directory of 100,000 (section memory): all of them at once.
run_wide() {
	local us exists

	start_mount wide
	exists=$(bare exists /many) || exit 1
	us=$(ops ls "$scratch/wide/many") || exit 1
	stop_mount wide
	printf '\nls -l of a directory of %s:\n\n' "$n_nodes"
	crowd_line "seconds" "$(compute "$us / 1e6")" - -
	crowd_line "... of as many exists in a pipeline" \
		"$(compute "$us / $exists" %.2f)" - -
}

run_large() {
	local before since us grown peak requests each

	[ ! -e "$scratch/many" ] || run_wide
	make_large
	start_mount large "" /large
	before=$(memory large VmRSS)
	requests=$(received)
	since=${EPOCHREALTIME/./}
	timeout 600 find "$scratch/large" -size +1k -print ||
		die "find has failed"
	us=$((${EPOCHREALTIME/./} - since))
	requests=$(($(received) - requests - 1))
	grown=$(($(memory large VmRSS) - before))
	peak=$(($(memory large VmHWM) - before))
	stop_mount large
	printf '\nA million files, by find:\n\n'
	crowd_line "seconds" "$(compute "$us / 1e6")" - -
	each=$(compute "$requests / 1e6" %.2f)
	crowd_line "requests to the server for each" "$each" - \
		"$(verdict "$each" "$asked_goal")"
	crowd_line "the daemon has grown by, MB" \
		"$(compute "$grown / 1024")" - -
	crowd_line "... at most" "$(compute "$peak / 1024")" - -
}

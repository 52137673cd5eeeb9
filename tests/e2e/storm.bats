#!/usr/bin/env bats
# Storms: changes made elsewhere faster than they can be told, a name that is
# now a file and now a directory, a daemon that is killed in the midst of it.
# ZKFS_STORM=N makes them N times as long.

load lib

storm=${ZKFS_STORM:-1}

# What a daemon that was built with a sanitizer has freed is not given back.
setup() {
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4
	e2e_setup
	limit $((120 + storm * 60))
}

storm() {
	timeout $((100 + storm * 60)) "$E2E_DIR/bin/storm.py" "$1" "$SOURCE" \
		"$A/d" "$2" 3>&- 4>&-
}

memory_of() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

settled() {
	grep -qx 'zkfs_observed_names_due 0' "$A/.zkfs/metrics" &&
		! grep -qx 'zkfs_observed_names 0' "$A/.zkfs/metrics"
}

watch_all() {
	inotifywait -m -q -r "$A" >/dev/null 2>&1 3>&- 4>&- &
	within 20 settled
}

@test "storm: readers get on, and memory does not grow" {
	local before after n
	zk create /d
	zk_mount A
	watch_all
	storm changes 5000
	for n in {0..49}; do
		zk_as foreign delete "/d/f$n"
	done
	before=$(memory_of "${MOUNT_PID[A]}")
	storm changes $((storm * 50000))
	after=$(memory_of "${MOUNT_PID[A]}")
	echo "memory: $before kB before, $after kB after"
	[ $((after - before)) -lt 16384 ]
	within 20 settled
	zk set /d/f7 last
	is "$(cat "$A/d/f7")" last
}

@test "storm: a name that is now a file and now a directory" {
	zk create /d
	zk_mount A
	watch_all
	storm flips $((storm * 1500))
	zk set /d/f file
	is "$(cat "$A/d/f")" file
	zk create /d/f/x
	within 20 settled
	echo new >"$A/d/f/y"
	is "$(ls "$A/d/f" | tr '\n' ' ')" "x y "
	is "$(zk get /d/f/y)" new
}

# -- killed ------------------------------------------------------------------

# What users do in the directory $1, each with a name of its own, until the
# mount is gone.
writes() {
	while echo "$2" >"$1/d/$2"; do
		cat "$1"/d/*
		rm -f "$1/d/$2"
		mkdir "$1/d/dir$2"
		rmdir "$1/d/dir$2"
	done
}

locks() {
	while [ -d "$1/locks" ]; do
		flock "$1/locks/l/.lock" true
	done
}

foreigners() {
	local n

	for n in {1..100000}; do
		[ -e "$1" ] || return 0
		zk_as foreign create "/d/f$2"
		zk_as foreign set "/d/f$2" "$n"
		zk_as foreign delete "/d/f$2"
	done
}

crowd() {
	local n

	: >goes_on
	CROWD=()
	for n in 1 2; do
		writes "$A" "$n" >/dev/null 2>&1 3>&- 4>&- &
		CROWD+=("$!")
		locks "$A" >/dev/null 2>&1 3>&- 4>&- &
		CROWD+=("$!")
		foreigners "$PWD/goes_on" "$n" >/dev/null 2>&1 3>&- 4>&- &
		CROWD+=("$!")
	done
	inotifywait -m -q -r "$A" >/dev/null 2>&1 3>&- 4>&- &
	WATCHER=$!
}

@test "storm: kill -9 in the midst of it: nobody is stuck, and it mounts again" {
	local round pid
	zk create /d
	zk create /locks/l
	for ((round = 0; round < storm * 3; round++)); do
		zk_mount A inotify
		crowd
		within 20 eval "[ \"\$(zk_as foreign stat /d cversion)\" \
			-gt $((round * 40 + 20)) ]"
		read -rt "0.$((RANDOM % 1000))" <>"$E2E_IDLE" || :
		zk_crash A
		rm goes_on
		kill "$WATCHER"
		for pid in "${CROWD[@]}" "$WATCHER"; do
			timeout 30 tail -s 0.02 --pid="$pid" -f /dev/null ||
				fail "stuck: $(show_process "$pid")"
		done
		umount "$A"
	done
	zk_mount A
	ls "$A/d" >/dev/null
}

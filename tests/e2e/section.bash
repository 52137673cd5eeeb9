#!/usr/bin/env bash
# section.bash: whether a lock keeps processes apart.
#
# Workers pass through a critical section, which records in the file `overlaps`
# whoever was not alone in it, and counts in the file `counter`.

# The critical section: a marker that one alone can make, and a counter that
# is read and written back.
critical() {
	local n

	(set -C && : >marker) 2>/dev/null || echo overlap >>overlaps
	# Without a lock it may be empty for a moment: that count is lost.
	read -r n <counter || n=0
	echo $((n + 1)) >counter
	rm -f marker
}

# by_kazoo SESSION ROUNDS: kazoo's stock Lock.
by_kazoo() {
	local i

	for ((i = 0; i < $2; i++)); do
		zk_as "$1" lock /locks/x 20 || return 1
		critical
		zk_as "$1" unlock /locks/x || return 1
	done
}

without_lock() {
	while [ ! -s overlaps ]; do
		critical 2>/dev/null
	done
}

start_section() {
	echo 0 >counter
	rm -f marker
	: >overlaps
	WORKERS=()
}

work() {
	"$@" 3>&- 4>&- &
	WORKERS+=($!)
}

finish_section() {
	local pid

	for pid in "${WORKERS[@]}"; do
		wait "$pid"
	done
}

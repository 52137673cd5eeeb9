#!/usr/bin/env bats
# Memory and descriptors of daemons under mixed work and reconnects (tests/soak):
# a short one. ZKFS_SOAK_SECONDS=N makes it longer.

load lib

# It has mounts and servers of its own.
setup() {
	# shellcheck disable=SC2034 # lib's
	declare -gA MOUNT_PID=() MOUNT_DIR=()
	E2E_IDLE=$BATS_TEST_TMPDIR/idle
	mkfifo "$E2E_IDLE"
	cd "$BATS_TEST_TMPDIR" || return 1
	# shellcheck disable=SC2034 # lib's
	SOURCE=127.0.0.1:$E2E_PORT
}

@test "soak: memory and descriptors stay as they are" {
	local seconds=${ZKFS_SOAK_SECONDS:-20} grow=1

	# What a sanitizer keeps of freed memory is no growth; the descriptors
	# are counted all the same.
	! nm -D "$ZKFS" | grep -qE '__(a|t)san_init' || grow=2000
	limit $((seconds + 320))
	/usr/bin/python3 -B "$E2E_DIR/../soak" --zkfs "$ZKFS" \
		--seconds "$seconds" --grow "$grow" --faults 2 3>&- 4>&-
}

#!/usr/bin/env bats
# Memory that is short: allocation n fails, for every n of each thing that is
# asked of the daemon, of what it does by itself, and of its start. A request
# gets ENOMEM; nothing else is lost by it: see `starve` beside this file.
#
# Every sixth n is a minute less. ZKFS_STARVE_STRIDE=1 takes all of them.

load lib
load proxy

stride=${ZKFS_STARVE_STRIDE:-6}

setup() {
	e2e_setup
	limit $((30 + 600 / stride))
	export ZKFS_FAULT=$BATS_TEST_TMPDIR/memory
	head -c 32 /dev/zero >"$ZKFS_FAULT"
	ZKFS=$ZKFS_BUILD/tests/fault/zkfs
}

# starve MOUNTPOINT ARGUMENT...
starve() {
	local mount=$1

	shift
	timeout $((20 + 600 / stride)) /usr/bin/python3 "$E2E_DIR/starve" \
		--source "$SOURCE" --mount "$mount" --memory "$ZKFS_FAULT" \
		--stride "$stride" "$@" 3>&- 4>&-
}

@test "memory: a request gets ENOMEM, and the next one is as ever" {
	zk_mount A
	starve "$A"
}

@test "memory: what nobody has asked for is done all the same" {
	mount_by_proxy session_timeout=0.8
	starve "$A" --pid "${MOUNT_PID[A]}" --orders "$PROXY_ORDERS" alone
}

@test "memory: a start that fails says so in a line, and leaves no mount" {
	mkdir m
	starve "$PWD/m" --start "$ZKFS"
}

#!/usr/bin/env bats
# Memory that is short: allocation n fails, for every n of each thing that is
# asked of the daemon, of what it does by itself, and of its start. A request
# gets ENOMEM; nothing else is lost by it: see `starve` beside this file.
#
# Every sixth n is a minute less. ZKFS_STARVE_STRIDE=1 takes all of them.

load lib
load proxy
load starving

setup() {
	e2e_setup
	starving_setup
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

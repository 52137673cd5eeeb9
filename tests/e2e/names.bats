#!/usr/bin/env bats
# Servers that are given by name: what a mount does when the name leads elsewhere.
# The daemon has a mount namespace of its own, with an /etc/hosts that is the
# test's, and the mount is looked at through its root.

load lib
load proxy
load ensemble

# name_is IP: what "zk.test" means to the daemon. The file stays the same one, as
# it is mounted.
name_is() {
	printf '127.0.0.1 localhost\n%s zk.test\n' "$1" >hosts
}

# mount_by_name PORT [OPTIONS]
mount_by_name() {
	mkdir B
	# shellcheck disable=SC2034 # lib's
	MOUNT_DIR[A]=$PWD/B
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'mount --bind hosts /etc/hosts && exec "$@"' sh \
		"$ZKFS" -f -o "session_timeout=4${2:+,$2}" "zk.test:$1$TREE" \
		"$PWD/B" 3>&- 4>&- </dev/null >A.log 2>&1 &
	MOUNT_PID[A]=$!
	within 20 grep -q 'is mounted on' A.log
	A=/proc/${MOUNT_PID[A]}/root$PWD/B
}

# Catches: addresses that are looked up once and for all; a session, and with it
# the locks, that does not go along.
@test "names: a server that has another address is followed, and nothing is lost" {
	local own sessions
	unshare -m true || skip "no mount namespaces here"
	own=$(free_ports 1)
	start_proxy "127.0.0.2:$E2E_PORT@$own" "127.0.0.3:$E2E_PORT@$own"
	name_is 127.0.0.2
	mount_by_name "$own" timeo=30
	has "$(<A.log)" "connected to 127.0.0.2:$own"
	mkdir -p "$A/locks/l"
	exec 7>"$A/locks/l/me"
	echo 1 >"$A/f"
	is "$(zk get /f)" 1
	sessions=$(zk_sessions)
	name_is 127.0.0.3
	order 1:refuse
	echo 2 >"$A/f"
	is "$(zk get /f)" 2
	has "$(<A.log)" "connected to 127.0.0.3:$own, same session"
	is "$(zk_sessions)" "$sessions" sessions
	has "$(cat "$A/locks/l/me")" state=held
	# And back, with what an ensemble's name has: several addresses, of which
	# the first is dead.
	printf '127.0.0.3 zk.test\n127.0.0.2 zk.test\n' >hosts
	order 1:accept
	order 2:refuse
	echo 3 >"$A/f"
	is "$(zk get /f)" 3
	is "$(zk_sessions)" "$sessions" sessions
	has "$(cat "$A/locks/l/me")" state=held
	exec 7>&-
}

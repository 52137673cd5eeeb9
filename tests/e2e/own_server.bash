#!/usr/bin/env bash
# own_server.bash: for what needs a server of the test's own, one that may be
# killed and stopped, or runs with OWN_JAVA_OPTIONS, or with sessions of up to
# 20 OWN_TICK milliseconds. Loaded after lib.

teardown() {
	local rc=0

	# A server that is stopped keeps everybody waiting.
	[ -z "${OWN_PID:-}" ] || kill -CONT "$OWN_PID" 2>/dev/null || :
	e2e_teardown || rc=1
	[ -z "${OWN_PID:-}" ] || own_server_kill || rc=1
	return "$rc"
}

# own_server: one that may be killed and stopped; the test's tree is on it.
own_server() {
	own_server_start
	# shellcheck disable=SC2034 # lib's
	SOURCE=127.0.0.1:$OWN_PORT$TREE
	zk_at "127.0.0.1:$OWN_PORT" root create "$TREE"
	zk_at "127.0.0.1:$OWN_PORT" root close
}

# The second time: on the same port, with the same data. It must not inherit
# a lock that the test holds.
own_server_start() {
	local state=$BATS_TEST_TMPDIR/own

	XDG_STATE_HOME=$state ZKFS_LOCAL_TICK=${OWN_TICK:-200} \
		ZKFS_LOCAL_JAVA_OPTIONS="-Dzookeeper.forceSync=no
			${OWN_JAVA_OPTIONS:-}" \
		timeout 60 "$E2E_TOP/packaging/zkfs-local" start -n \
		>/dev/null 3>&- 4>&- 8>&-
	OWN_PORT=$(<"$state/zkfs/port")
	OWN_PID=$(<"$state/zkfs/pid")
}

# When it returns the server answers nobody any more: a signal takes a moment to
# get to each thread.
own_server_stop() {
	kill -STOP "$OWN_PID"
	within 20 own_server_is_stopped
}

own_server_is_stopped() {
	! grep -hs '^State:' "/proc/$OWN_PID/task"/*/status |
		grep -qv 'T (stopped)'
}

own_server_kill() {
	kill -KILL "$OWN_PID" 2>/dev/null || :
	process_ends "$OWN_PID"
}

# Whether a process waits for the answer to a request of its own.
waits_in_fuse() {
	[ "$(cat "/proc/$1/wchan" 2>/dev/null)" = request_wait_answer ]
}

# at_once COMMAND...: it must succeed within a second.
at_once() {
	timeout 1 "$@" >/dev/null || fail "not at once: $*"
}

# since MILLISECONDS
since() {
	echo $(($(now) - $1))
}

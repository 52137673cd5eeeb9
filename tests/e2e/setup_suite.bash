#!/usr/bin/env bash
# One private server and one foreign client (zk.py) for a whole bats run. The
# data is kept in memory; a tickTime of 200 ms allows sessions of 0.4 to 4 s,
# so that an expiry is a matter of a second.

E2E_DIR=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
E2E_TOP=$(readlink -f -- "$E2E_DIR/../..")
export E2E_DIR E2E_TOP
export LC_ALL=C.UTF-8

# 3 and above belong to bats: a process that keeps one keeps bats waiting.
detached() {
	setsid "$@" </dev/null >"$BATS_SUITE_TMPDIR/${1##*/}.log" 2>&1 3>&- 4>&- &
}

setup_suite() {
	local memory=/dev/shm

	[ -d "$memory" ] && [ -w "$memory" ] || memory=$BATS_SUITE_TMPDIR
	E2E_STATE=$(mktemp -d "$memory/zkfs-e2e.XXXXXX")
	XDG_STATE_HOME=$E2E_STATE ZKFS_LOCAL_TICK=200 \
		ZKFS_LOCAL_JAVA_OPTIONS="-Dzookeeper.forceSync=no
			-Dzookeeper.enforceQuota=true" \
		timeout 60 "$E2E_TOP/packaging/zkfs-local" start -n 3>&- 4>&-
	E2E_PORT=$(cat "$E2E_STATE/zkfs/port")
	detached /usr/bin/python3 "$E2E_DIR/zk.py" serve "$E2E_STATE/zkpy.port"
	E2E_ZKPY_PID=$!
	# The file appears by rename, complete.
	# shellcheck disable=SC2016 # for the inner shell
	timeout 20 bash -c 'until [ -s "$1" ]; do sleep 0.02; done' bash \
		"$E2E_STATE/zkpy.port"
	E2E_ZKPY=$(cat "$E2E_STATE/zkpy.port")
	# To end a connection that hangs. Not every machine has it mounted.
	E2E_FUSECTL=/sys/fs/fuse/connections
	if ! mountpoint -q "$E2E_FUSECTL"; then
		E2E_FUSECTL=$E2E_STATE/fusectl
		mkdir "$E2E_FUSECTL"
		mount -t fusectl fusectl "$E2E_FUSECTL" ||
			echo "no fusectl: a mount that hangs stays" >&2
	fi
	export E2E_STATE E2E_PORT E2E_ZKPY E2E_ZKPY_PID E2E_FUSECTL
}

teardown_suite() {
	local rc=0

	kill "${E2E_ZKPY_PID:?}"
	XDG_STATE_HOME=$E2E_STATE timeout 60 \
		"$E2E_TOP/packaging/zkfs-local" stop || rc=1
	if grep -lsz "^$E2E_STATE" /proc/[0-9]*/cmdline; then
		echo "a server is left" >&2
		rc=1
	fi
	case $E2E_FUSECTL in
	"$E2E_STATE"/*) umount "$E2E_FUSECTL" ;;
	esac
	rm -rf --one-file-system -- "${E2E_STATE:?}"
	return "$rc"
}

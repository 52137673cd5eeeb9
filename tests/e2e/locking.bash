#!/usr/bin/env bash
# locking.bash: zkfs-lock, for the tests of it. Loaded after lib. The lock is
# /locks/x; an exclusive contender has three znodes there, a shared one two.

LOCK=$ZKFS_BUILD/zkfs-lock

lock() {
	timeout "${LOCK_LIMIT:-30}" "$LOCK" "$@"
}

# status EXPECTED COMMAND...
status() {
	local expected=$1 status=0

	shift
	"$@" >out 2>err || status=$?
	[ "$status" = "$expected" ] ||
		fail "expected status $expected, got $status: $* ($(<err))"
}

# joined EXCLUSIVE [SHARED [LOCK]]: so many hold or wait.
joined() {
	zk await_children "${3:-/locks/x}" "$((3 * $1 + 2 * ${2:-0}))" 10 \
		>/dev/null
}

# A command that tells its signals, and ends with 3 when it gets SIGTERM.
# shellcheck disable=SC2016,SC2034 # sh's, and the tests'
TELL='
for name in HUP INT QUIT USR1 USR2; do
	trap "echo $name >>told" "$name"
done
trap "echo TERM >>told; exit 3" TERM
echo ready >>told
while :; do sleep 0.05; done'

told() {
	grep -qsx "$1" told
}

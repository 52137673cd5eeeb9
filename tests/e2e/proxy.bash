#!/usr/bin/env bash
# proxy.bash: a mount by a way to its server that loses what it is told to, and
# that can be stopped (kill -STOP "$PROXY") as if the server were.

# mount_by_proxy [OPTIONS]: the mount $A, by a way that loses what it is told to.
mount_by_proxy() {
	local file=$BATS_TEST_TMPDIR/proxy

	/usr/bin/python3 "$E2E_DIR/bin/losing_proxy.py" "$file" "$E2E_PORT" \
		3>&- 4>&- </dev/null &
	PROXY=$!
	within 10 test -s "$file"
	zk_mount A "${1:-}" "127.0.0.1:$(<"$file")$TREE"
	# (By the way, the server shows a session of its own.)
	MOUNT_SESSION[A]=$(grep -oE 'new session 0x[0-9a-f]+' A.log)
	MOUNT_SESSION[A]=${MOUNT_SESSION[A]##* }
	# What is sent by the mount itself at first is over.
	ls "$A" >/dev/null
}

# reply_lost COMMAND..., request_lost COMMAND...: the next change loses its
# reply, or itself. It must have been lost indeed.
reply_lost() {
	lose USR1 "$@"
}

request_lost() {
	lose USR2 "$@"
}

# hold_back: the next change and all behind it, until kill -CONT "$PROXY".
hold_back() {
	rm -f "$BATS_TEST_TMPDIR/proxy.lost"
	kill -HUP "$PROXY"
}

# It is there.
holds_back() {
	[ -s "$BATS_TEST_TMPDIR/proxy.lost" ]
}

lose() {
	local signal=$1 status=0 file=$BATS_TEST_TMPDIR/proxy.lost

	shift
	rm -f "$file"
	kill "-$signal" "$PROXY"
	"$@" || status=$?
	[ -s "$file" ] || fail "nothing was lost: $*"
	return "$status"
}

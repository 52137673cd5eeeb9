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
	arm HUP
}

# hold_reply_back: the server's answer to the next change and all behind it.
hold_reply_back() {
	arm WINCH
}

# It is there.
holds_back() {
	[ -s "$BATS_TEST_TMPDIR/proxy.lost" ]
}

# arm SIGNAL: returns when the proxy has heard of it.
arm() {
	rm -f "$BATS_TEST_TMPDIR"/proxy.{armed,lost}
	kill "-$1" "$PROXY"
	within 10 test -e "$BATS_TEST_TMPDIR/proxy.armed"
}

lose() {
	local status=0

	arm "$1"
	shift
	"$@" || status=$?
	[ -s "$BATS_TEST_TMPDIR/proxy.lost" ] || fail "nothing was lost: $*"
	return "$status"
}

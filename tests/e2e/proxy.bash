#!/usr/bin/env bash
# proxy.bash: ways to servers that do what they are told (bin/proxy.py), and
# that can be stopped (kill -STOP "$PROXY") as if the servers were.

# start_proxy [IP:]PORT...: a way to each; PROXY_PORTS are their ports, PROXY is the
# process.
start_proxy() {
	local file=$BATS_TEST_TMPDIR/proxy

	rm -f "$file"
	/usr/bin/python3 "$E2E_DIR/bin/proxy.py" "$file" "$@" \
		3>&- 4>&- </dev/null &
	# shellcheck disable=SC2034 # for the tests
	PROXY=$!
	within 20 test -s "$file"
	{
		read -r PROXY_ORDERS
		read -ra PROXY_PORTS
	} <"$file"
}

# order [N:]WORD...: what bin/proxy.py says at its top.
order() {
	local fd answer

	exec {fd}<>"/dev/tcp/127.0.0.1/$PROXY_ORDERS"
	echo "$*" >&"$fd"
	read -r answer <&"$fd"
	exec {fd}>&-
	case $answer in
	ok) ;;
	*[!0-9]* | '') fail "the proxy says: $answer" ;;
	*) echo "$answer" ;;
	esac
}

# mount_by_proxy [OPTIONS]: the mount $A, by a way that loses what it is told to.
mount_by_proxy() {
	start_proxy "$E2E_PORT"
	zk_mount A "${1:-}" "127.0.0.1:${PROXY_PORTS[0]}$TREE"
	# (By the way, the server shows a session of its own.)
	MOUNT_SESSION[A]=$(grep -oE 'new session 0x[0-9a-f]+' A.log)
	MOUNT_SESSION[A]=${MOUNT_SESSION[A]##* }
	# What is sent by the mount itself at first is over.
	ls "$A" >/dev/null
}

# reply_lost COMMAND..., request_lost COMMAND...: the next change loses its
# reply, or itself. It must have been lost indeed.
reply_lost() {
	lose reply "$@"
}

request_lost() {
	lose request "$@"
}

# hold_back: the next change and all behind it, until kill -CONT "$PROXY".
hold_back() {
	arm hold request
}

# hold_reply_back: the server's answer to the next change and all behind it.
hold_reply_back() {
	arm hold reply
}

# It is there.
holds_back() {
	[ -s "$BATS_TEST_TMPDIR/proxy.lost" ]
}

arm() {
	rm -f "$BATS_TEST_TMPDIR/proxy.lost"
	order "$@"
}

lose() {
	local status=0

	arm lose "$1" 1
	shift
	"$@" || status=$?
	holds_back || fail "nothing was lost: $*"
	return "$status"
}

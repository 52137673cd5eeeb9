#!/usr/bin/env bats
# zkfs under a service manager, and what it tells operators: readiness and
# status, signals, the build's facts.

load lib
load own_server

# start_listener: a service manager's socket; what is told goes to `told`, a
# datagram in one line, with "|" for line ends.
start_listener() {
	/usr/bin/python3 -c '
import socket
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("notify")
with open("told", "w", buffering=1) as told:
    while True:
        told.write(server.recv(4096).decode().replace("\n", "|") + "\n")' \
		</dev/null >/dev/null 2>&1 3>&- 4>&- &
	within 20 test -s told -o -S notify
}

# As systemd does, with the socket's name in the environment.
told_mount() {
	NOTIFY_SOCKET=$PWD/notify zk_mount "$@"
}

@test "service: readiness is told when the mount answers, and the end" {
	start_listener
	told_mount A
	within 20 grep -q "^READY=1|MAINPID=${MOUNT_PID[A]}\$" told
	# Before that: to whom it is connected.
	is "$(sed '/^READY/,$d' told)" \
		$'STATUS=connecting\nSTATUS=connected to '"127.0.0.1:$E2E_PORT"
	zk_umount A
	within 20 grep -q '^STOPPING=1|' told
}

@test "service: the state of the connection is told" {
	own_server
	start_listener
	told_mount A
	within 20 grep -q ^READY told
	own_server_kill
	within 20 grep -qx STATUS=reconnecting told
	grep -q "lost the connection to 127.0.0.1:$OWN_PORT, .*; reconnecting\$" \
		"$A.log"
	own_server_start
	within 20 eval '[ "$(tail -n 1 told)" = "STATUS=connected to '"127.0.0.1:$OWN_PORT"'" ]'
}

@test "service: in the background the process that serves is named" {
	start_listener
	mkdir m
	NOTIFY_SOCKET=$PWD/notify "$ZKFS" "$SOURCE" "$PWD/m" 3>&- 4>&-
	within 20 grep -qx "READY=1|MAINPID=$(daemons_below "$PWD")" told
	fusermount3 -u m
}

@test "service: why it did not start is told" {
	start_listener
	fails "does not exist" env NOTIFY_SOCKET="$PWD/notify" "$ZKFS" -f \
		"$SOURCE/none" "$PWD"
	within 20 grep -q "^STATUS='$TREE/none' does not exist" told
	fails "" grep ^READY told
}

@test "service: a manager who is gone holds nobody up" {
	mkdir m
	NOTIFY_SOCKET=$PWD/none "$ZKFS" -f "$SOURCE" "$PWD/m" 3>&- 4>&- \
		>log 2>&1 &
	within 20 is_mounted "$PWD/m"
	has "$(<log)" "cannot reach the supervisor at '$PWD/none'"
	fusermount3 -u m
	wait $!
}

@test "service: SIGUSR1 puts the status into the log" {
	zk create /locks/x
	zk_mount A
	exec 9>"$A/locks/x/me"
	kill -USR1 "${MOUNT_PID[A]}"
	within 20 grep -q 'status: lock: mode=exclusive .*entry=me' "$A.log"
	# The same lines as those of the file, whatever their values.
	is "$(sed -n 's/^zkfs: status: \([a-z_]*\):.*/\1/p' "$A.log")" \
		"$(sed 's/:.*//' "$A/.zkfs/status")"
	is_running "${MOUNT_PID[A]}"
	exec 9>&-
}

@test "service: SIGUSR1 while there is no server" {
	own_server
	zk_mount A timeo=50
	own_server_kill
	within 20 grep -q 'lost the connection' "$A.log"
	kill -USR1 "${MOUNT_PID[A]}"
	within 20 grep -q 'status: state: \(re\)*connecting' "$A.log"
}

@test "service: --dump-config is for scripts" {
	local config line name
	config=$("$ZKFS" --dump-config)
	while IFS= read -r line; do
		[[ $line =~ ^[a-z_]+=.+$ ]] || fail "not KEY=VALUE: $line"
	done <<<"$config"
	config=$'\n'$config$'\n'
	has "$config" $'\n'"version=$("$ZKFS" --version | cut -d ' ' -f 2)"$'\n'
	has "$config" $'\n'"fuse_version=$(fusermount3 --version |
		grep -oE '[0-9]+\.[0-9.]+')"$'\n'
	grep -qxE 'tls=(yes|no)' <<<"$config" || fail "nothing of tls"
	has "$config" $'\ndefault_session_timeout=10\n'
	has "$config" $'\ndefault_lockroot=/locks\n'
	for name in ro authfile= lockroot=; do
		[[ " $(sed -n 's/^options=//p' <<<"$config") " == *" $name "* ]]
	done
}

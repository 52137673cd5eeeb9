#!/usr/bin/env bash
# cluster.bash: three servers that vote, for a whole file, and ways to them that
# do what they are told. Each test may do to them what it likes: they are made
# well again behind it. Loaded after lib, proxy and ensemble.

setup_file() {
	local i PORTS

	export CLUSTER=$BATS_FILE_TMPDIR/cluster
	E2E_IDLE=$BATS_FILE_TMPDIR/idle
	mkfifo "$E2E_IDLE"
	read -ra PORTS <<<"none $(free_ports 9)"
	export CLUSTER_PORTS="${PORTS[*]:1:3}"
	for i in 1 2 3; do
		write_server "$CLUSTER" "$i"
		server_up "$i"
	done
	all_vote
}

teardown_file() {
	local i

	for i in 1 2 3; do
		server_down "$i"
	done
	e2e_teardown_file
}

setup() {
	read -ra SERVERS <<<"none $CLUSTER_PORTS"
	# shellcheck disable=SC2034 # lib's
	E2E_LIMIT=150
	e2e_setup
	ALL=127.0.0.1:${SERVERS[1]},127.0.0.1:${SERVERS[2]}
	ALL+=,127.0.0.1:${SERVERS[3]}
	# shellcheck disable=SC2034 # lib's
	SOURCE=$ALL$TREE
	zk_at "$ALL" root create "$TREE"
	zk_at "$ALL" root close
}

teardown() {
	local rc=0

	all_well || rc=1
	e2e_teardown || rc=1
	return "$rc"
}

# Nobody's child: a test ends all of its own.
server_up() (
	cd /
	start_server "$CLUSTER" "$1"
	echo $! >"$CLUSTER/$1.pid"
)

server_signal() {
	kill "-$1" "$(<"$CLUSTER/$2.pid")"
}

server_down() {
	local pid

	pid=$(<"$CLUSTER/$1.pid")
	kill -KILL "$pid" 2>/dev/null || return 0
	process_ends "$pid"
}

all_vote() {
	local port

	for port in $CLUSTER_PORTS; do
		within 60 server_votes "$port"
	done
}

all_well() {
	local i

	if [ -n "${PROXY:-}" ] && kill -CONT "$PROXY" 2>/dev/null; then
		for i in flow speak accept 'delay 0' go 'lose reply 0' \
			'lose request 0'; do
			order "$i"
		done
	fi
	for i in 1 2 3; do
		if kill -0 "$(<"$CLUSTER/$i.pid")" 2>/dev/null; then
			server_signal CONT "$i"
		else
			server_up "$i"
		fi
	done
	all_vote
}

# The number of the server that leads; or of one that follows.
leader() {
	mode_is leader
}

follower() {
	mode_is follower
}

mode_is() {
	local i

	for i in 1 2 3; do
		if zk_word srvr "${SERVERS[$i]}" | grep -qx "Mode: $1"; then
			echo "$i"
			return
		fi
	done
	return 1
}

# mount_cluster NAME [OPTIONS]: by the ways to all servers.
mount_cluster() {
	start_proxy "${SERVERS[@]:1}"
	zk_mount "$1" "${2:-}" "127.0.0.1:${PROXY_PORTS[0]},127.0.0.1:${PROXY_PORTS[1]},127.0.0.1:${PROXY_PORTS[2]}$TREE"
	ls "${MOUNT_DIR[$1]}" >/dev/null
	MOUNT_SESSION[$1]=$(grep -oE 'new session 0x[0-9a-f]+' "$1.log")
	MOUNT_SESSION[$1]=${MOUNT_SESSION[$1]##* }
}

# The number of the server that a mount is connected to.
server_of() {
	local port i

	port=$(grep -oE 'connected to [0-9.]+:[0-9]+' \
		"$BATS_TEST_TMPDIR/$1.log" | tail -n 1)
	for i in 1 2 3; do
		[ "${port##*:}" != "${PROXY_PORTS[i - 1]}" ] || echo "$i"
	done
}

# How many sessions a mount has had.
sessions_of() {
	grep -c 'new session' "$BATS_TEST_TMPDIR/$1.log"
}

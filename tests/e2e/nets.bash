#!/usr/bin/env bash
# nets.bash: hosts with networks of their own, for a whole file: servers 1 to 3,
# clients 4 and 5, and between them a router, 0, that can lose what it is given.
# Nothing of it is seen from outside, and all is gone with its last process.
#
#   5 hosts 198.18.N.2 --- 198.18.N.1 router
#
# The router is where the client is that knows nothing of zkfs: it reaches all
# servers whatever they cannot reach.

NETS=(0 1 2 3 4 5)

# Why there can be no such hosts here; nothing if there can.
nets_missing() {
	local why

	command -v ip >/dev/null || why="no ip(8)"
	[ -n "${why:-}" ] || unshare -n true 2>/dev/null ||
		why="no network namespaces"
	[ -n "${why:-}" ] || unshare -n ip link add dev a type veth peer name b \
		2>/dev/null || why="no veth"
	[ -n "${why:-}" ] || unshare -n ip rule add from 198.18.1.2 blackhole \
		2>/dev/null || why="no policy routing"
	[ -z "${why:-}" ] || echo "$why here"
}

# in_net HOST COMMAND...
in_net() {
	local host=$1

	shift
	nsenter -n -t "$(<"$NETS_DIR/$host.pid")" "$@"
}

# Nobody's child: a test ends all of its own.
net_up() (
	cd /
	unshare -n sleep 3600 </dev/null >/dev/null 2>&1 3>&- 4>&- &
	echo $! >"$NETS_DIR/$1.pid"
	within 10 net_is_own "$!"
	in_net "$1" ip link set lo up
)

net_is_own() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# wire HOST: to the router.
wire() {
	ip link add dev "w$1" netns "$(<"$NETS_DIR/0.pid")" type veth \
		peer name wire netns "$(<"$NETS_DIR/$1.pid")"
	in_net 0 ip addr add "198.18.$1.1/24" dev "w$1"
	in_net 0 ip link set "w$1" up
	in_net "$1" ip addr add "198.18.$1.2/24" dev wire
	plug "$1"
}

# plug HOST, unplug HOST: its own end of the wire.
plug() {
	in_net "$1" ip link set wire up
	in_net "$1" ip route add default via "198.18.$1.1"
}

unplug() {
	in_net "$1" ip link set wire down
}

nets_up() {
	local host

	export NETS_DIR=$BATS_FILE_TMPDIR/nets
	mkdir "$NETS_DIR"
	for host in "${NETS[@]}"; do
		net_up "$host"
		[ "$host" = 0 ] || wire "$host"
	done
	# The second: each packet that cannot go on is answered.
	# shellcheck disable=SC2016 # for the inner shell
	in_net 0 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 0 >/proc/sys/net/ipv4/icmp_ratemask
		ip route add unreachable default table 100'
}

nets_down() {
	local file

	for file in "$NETS_DIR"/*.pid; do
		kill -KILL "$(<"$file")" || :
	done
}

# drop FROM TO, reject FROM TO: packets are dropped, or answered by "host
# unreachable"; one way only. sever: dropped both ways.
drop() {
	in_net 0 ip rule add pref 100 from "198.18.$1.2" to "198.18.$2.2" \
		blackhole
}

reject() {
	in_net 0 ip rule add pref 100 from "198.18.$1.2" to "198.18.$2.2" \
		lookup 100
}

sever() {
	drop "$1" "$2"
	drop "$2" "$1"
}

# All is well again.
reunite() {
	while in_net 0 ip rule del pref 100 2>/dev/null; do
		:
	done
}

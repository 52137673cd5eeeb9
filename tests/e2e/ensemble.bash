#!/usr/bin/env bash
# ensemble.bash: three servers that vote, for a test whose clients are not all
# at one. They are the test's children: teardown ends them.

# COUNT ports of this host that nobody listens on.
free_ports() {
	py 'import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(A[0]))]
print(*(s.getsockname()[1] for s in sockets))' "$1"
}

# write_server DIR NUMBER: the configuration, for the ports in PORTS; of each
# server on 127.0.0.1, or the address in SERVER_IPS.
write_server() {
	local i

	mkdir -p "$1/data$2"
	echo "$2" >"$1/data$2/myid"
	cat >"$1/$2.zoo.cfg" <<-END
		tickTime=200
		initLimit=50
		syncLimit=${SYNC_LIMIT:-25}
		dataDir=$1/data$2
		clientPortAddress=${SERVER_IPS[$2]:-127.0.0.1}
		clientPort=${PORTS[$2]}
		maxClientCnxns=0
		admin.enableServer=false
		4lw.commands.whitelist=*
	END
	for i in 1 2 3; do
		echo "server.$i=${SERVER_IPS[i]:-127.0.0.1}:${PORTS[i + 3]}:${PORTS[i + 6]}"
	done >>"$1/$2.zoo.cfg"
}

# start_server DIR NUMBER [COMMAND...]: by COMMAND, if there is one.
start_server() {
	local jars=/usr/share/java

	"${@:3}" java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Xmx128m \
		-Dzookeeper.forceSync=no \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
		-cp "$jars/zookeeper.jar:$jars/slf4j-simple.jar" \
		org.apache.zookeeper.server.quorum.QuorumPeerMain \
		"$1/$2.zoo.cfg" </dev/null >"$1/$2.server.log" 2>&1 3>&- 4>&- &
}

# A server says so when it serves as a leader or follower.
server_votes() {
	zk_word srvr "$1" 2>/dev/null | grep -qE '^Mode: (leader|follower)'
}

# start_ensemble DIR: ENSEMBLE is the ports for clients.
start_ensemble() {
	local i PORTS

	read -ra PORTS <<<"none $(free_ports 9)"
	for i in 1 2 3; do
		write_server "$1" "$i"
		start_server "$1" "$i"
	done
	ENSEMBLE=("${PORTS[@]:1:3}")
	for i in "${ENSEMBLE[@]}"; do
		within 60 server_votes "$i"
	done
}

# sure COMMAND...: zk's answer, also when its own server has just died.
sure() {
	within 40 zk "$@" 2>/dev/null
}

has_data() {
	[ "$(sure get /f)" = "$1" ]
}

# A change while something is wrong: it must be done, and once.
writes() {
	local before

	before=$(sure stat /f version)
	PY_LIMIT=50 py 'spew(A[0], A[1].encode())' "$A/f" "$1"
	is "$(sure get /f)" "$1"
	is "$(sure stat /f version)" $((before + 1))
}

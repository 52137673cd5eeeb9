#!/usr/bin/env bash
# tls.bash: a server that speaks TLS, for a whole file; each test mounts it by
# tls_mount. Its certificate is for "localhost", and not for 127.0.0.1. Loaded
# after lib and ensemble.

# make_certificate NAME SUBJECT-ALT-NAME: NAME.pem and NAME.key, by "ca".
make_certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key \
		-CAcreateserial -days 2 -out "$1.pem" \
		-extfile <(echo "subjectAltName=$2")
}

make_authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.pem" -days 2 -subj "/CN=$1"
}

# All who take part, in the directory TLS.
make_certificates() (
	cd "$TLS" || exit
	{
		make_authority ca
		make_authority stranger
		make_certificate server DNS:localhost
		make_certificate client DNS:client
		cat server.key server.pem >store.pem
		openssl pkey -in client.key -aes256 -passout pass:hunter2 \
			-out encrypted.key
	} >openssl.log 2>&1
	chmod 600 ./*.key
)

# tls_server LINE...: starts it, with these lines more in its configuration.
tls_server() {
	local jar path=/usr/share/java/zookeeper.jar

	for jar in netty-codec netty-resolver netty-transport-native-unix-common \
		slf4j-simple; do
		path+=:/usr/share/java/$jar.jar
	done
	cat >"$TLS/zoo.cfg" <<-END
		dataDir=$TLS/data
		tickTime=1000
		clientPortAddress=127.0.0.1
		clientPort=$PLAIN_PORT
		secureClientPortAddress=127.0.0.1
		secureClientPort=$TLS_PORT
		maxClientCnxns=0
		admin.enableServer=false
		4lw.commands.whitelist=*
		serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
		authProvider.1=org.apache.zookeeper.server.auth.X509AuthenticationProvider
		ssl.keyStore.location=$TLS/store.pem
		ssl.trustStore.location=$TLS/ca.pem
		$(printf '%s\n' "$@")
	END
	# Nobody's child: a test ends all of its own.
	(
		cd /
		java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
			-Xmx256m -Dzookeeper.forceSync=no \
			-Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
			-cp "$path" \
			org.apache.zookeeper.server.quorum.QuorumPeerMain \
			"$TLS/zoo.cfg" </dev/null >"$TLS/server.log" 2>&1 \
			3>&- 4>&- &
		echo $! >"$TLS/pid"
	)
	within 60 tls_server_serves
}

# Its first handshake takes seconds.
tls_server_serves() {
	zk_word srvr "$PLAIN_PORT" 2>/dev/null | grep -q '^Mode: standalone' &&
		timeout 30 openssl s_client -connect "127.0.0.1:$TLS_PORT" \
			-CAfile "$TLS/ca.pem" -cert "$TLS/client.pem" \
			-key "$TLS/client.key" -verify_return_error \
			<<<"" >"$TLS/s_client.log" 2>&1
}

tls_server_kill() {
	local pid

	pid=$(<"$TLS/pid")
	kill -KILL "$pid" 2>/dev/null || return 0
	process_ends "$pid"
}

setup_file() {
	export TLS=$BATS_FILE_TMPDIR PLAIN_PORT TLS_PORT
	E2E_IDLE=$BATS_FILE_TMPDIR/idle
	mkfifo "$E2E_IDLE"
	read -r PLAIN_PORT TLS_PORT <<<"$(free_ports 2)"
	make_certificates
	tls_server ssl.clientAuth=want
}

teardown_file() {
	tls_server_kill
	e2e_teardown_file
}

setup() {
	e2e_setup
	# shellcheck disable=SC2034 # lib's
	SOURCE=127.0.0.1:$PLAIN_PORT$TREE
	zk_at "127.0.0.1:$PLAIN_PORT" root create "$TREE"
	zk_at "127.0.0.1:$PLAIN_PORT" root close
}

# tls_mount NAME [OPTIONS [HOSTS]]
tls_mount() {
	local dir=$BATS_TEST_TMPDIR/$1

	mkdir "$dir"
	"$ZKFS" "${TLS_FLAG:--f}" -o "tls,cafile=$TLS/ca.pem,session_timeout=12${2:+,$2}" \
		"${3:-localhost:$TLS_PORT}$TREE" "$dir" \
		3>&- 4>&- </dev/null >"$dir.log" 2>&1 &
	# shellcheck disable=SC2034 # lib's
	MOUNT_PID[$1]=$! MOUNT_DIR[$1]=$dir
	within 20 mount_is_up_or_dead "$1"
	is_mounted "$dir" || fail "'$1' is not mounted: $(cat "$dir.log")"
	printf -v "$1" %s "$dir"
}

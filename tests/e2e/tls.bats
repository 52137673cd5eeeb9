#!/usr/bin/env bats
# TLS to the servers: what is mounted with it is a mount like any other; who is
# not who he should be is refused with a line that says so; and the key shows
# nowhere.

load lib
load ensemble
load proxy
load starving
load tls

# tls_refused WORDS SECONDS OPTIONS [HOST:PORT]: the mount must fail, say WORDS,
# in one line, and soon.
tls_refused() {
	local output status=0 begin

	mkdir -p m
	begin=$(now)
	output=$("$ZKFS" -o "session_timeout=12,$3" \
		"${4:-localhost:$TLS_PORT}" m 2>&1 </dev/null 3>&- 4>&-) ||
		status=$?
	is "$status" 1 "exit status with -o $3"
	has "$output" "$1"
	is "$(wc -l <<<"$output")" 1 "lines"
	[ "$(($(now) - begin))" -lt "$(($2 * 1000))" ] ||
		fail "not within $2 s: -o $3"
}

# Catches: an option that does nothing; packets larger than a record of TLS, and
# several in one; a lock that its timeout, and not its end, sets free.
@test "tls: files are read and written, and locks taken" {
	tls_mount A
	tls_mount B
	echo 1 >"$A/f"
	is "$(zk get /f)" 1
	sync "$B"
	is "$(cat "$B/f")" 1
	head -c 900000 /dev/urandom >big
	cp big "$A/big"
	sync "$B"
	cmp big "$B/big"
	mkdir "$A/d"
	(cd "$A/d" && touch $(seq 60))
	sync "$B"
	is "$(ls "$B/d" | wc -l)" 60
	is "$(find "$B/d" -type f -size 0 | wc -l)" 60
	mkdir -p "$A/locks/l"
	exec 7>"$A/locks/l/me"
	fails "File exists" timeout 10 mkdir "$B/locks/l/try"
	exec 7>&-
	mkdir "$B/locks/l/try"
	has "$(cat "$A/.zkfs/status")" "server: 127.0.0.1:$TLS_PORT"
	zk_umount A
}

# Catches: TLS with whoever answers. The first is an authority that nobody knows,
# the second somebody else's, the third a name that the certificate has not.
@test "tls: a server that is not the one that was meant is refused, and soon" {
	tls_refused "certificate is refused: unable to get local issuer" 8 tls
	tls_refused "certificate is refused: unable to get local issuer" 8 \
		"tls,cafile=$TLS/stranger.pem"
	tls_refused "127.0.0.1 port $TLS_PORT: its certificate is for another host" \
		8 "tls,cafile=$TLS/ca.pem" "127.0.0.1:$TLS_PORT"
	# Of several, one must do.
	tls_mount A '' "127.0.0.1:$TLS_PORT,localhost:$TLS_PORT"
}

# Catches: a wait until the server is bored, and words that help nobody.
@test "tls: with a port that speaks otherwise it ends in words, within the time limit" {
	tls_refused "closes the connection; is that port for TLS?" 8 \
		"timeo=1.5,tls,cafile=$TLS/ca.pem" "localhost:$PLAIN_PORT"
	tls_refused "closes the connection without an answer; is that port for TLS?" \
		8 timeo=1.5
	# Somebody who takes the connection and says nothing.
	exec {silent}< <(py 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
signal.pause()')
	read -r port <&"$silent"
	tls_refused "127.0.0.1 port $port: it does not answer" 8 \
		"session_timeout=4,timeo=1.5,tls,cafile=$TLS/ca.pem" "127.0.0.1:$port"
}

# Catches: files that are looked at when it is too late, or not at all.
@test "tls: a file that is not right is named at the start" {
	local name tls=tls,cafile=$TLS/ca.pem,certfile=$TLS/client.pem
	mkdir d
	cp "$TLS/client.key" key
	ln -s key link
	for name in cafile certfile; do
		tls_refused "$name '$PWD/none': No such file" 5 "tls,$name=none"
		tls_refused "$name '$PWD/d': Is a directory" 5 "tls,$name=d"
		tls_refused "$name '$TLS/zoo.cfg': no " 5 "tls,$name=$TLS/zoo.cfg"
	done
	tls_refused "keyfile '$PWD/none': No such file" 5 "$tls,keyfile=none"
	tls_refused "keyfile '$TLS/server.key': key values mismatch" 5 \
		"$tls,keyfile=$TLS/server.key"
	tls_refused "encrypted.key': the key has a pass phrase" 5 \
		"$tls,keyfile=$TLS/encrypted.key"
	chmod 640 key
	tls_refused "keyfile '$PWD/link': may be read by others" 5 \
		"$tls,keyfile=link"
	# The key may stand behind the certificate; it is for nobody all the same.
	chmod 644 "$TLS/store.pem"
	tls_refused "keyfile '$TLS/store.pem': may be read by others" 5 \
		"tls,certfile=$TLS/store.pem"
	chmod 600 key "$TLS/store.pem"
	# mount -f looks at them, too.
	ln -s "$ZKFS" mount.zkfs
	fails "cafile '$PWD/none': No such file" \
		./mount.zkfs localhost m -f -o tls,cafile=none
	./mount.zkfs localhost m -f -o "$tls,keyfile=link"
}

# Catches: a certificate that is not shown to the server.
@test "tls: a certificate is who we are to an ACL" {
	tls_mount A "certfile=$TLS/client.pem,keyfile=$TLS/client.key"
	tls_mount B
	echo 1 >"$A/f"
	setfattr -n user.zk.acl -v x509:CN=client:cdrwa "$A/f"
	is "$(cat "$A/f")" 1
	fails "Permission denied" cat "$B/f"
	echo 2 >"$A/f"
}

# Catches: a key in a place where it shows.
@test "tls: a key is shown nowhere" {
	local secret
	TLS_FLAG=-d tls_mount A "certfile=$TLS/client.pem,keyfile=$TLS/client.key"
	echo 1 >"$A/f"
	kill -HUP "${MOUNT_PID[A]}"
	within 20 grep -q "were read again" A.log
	cat "/proc/${MOUNT_PID[A]}"/{cmdline,environ,mountinfo} "$A"/.zkfs/* \
		A.log >told
	while IFS= read -r secret; do
		[[ $secret == -* ]] || ! grep -F -e "$secret" told ||
			fail "shown"
	done <"$TLS/client.key"
}

# Catches: -o tls that is taken and does nothing.
@test "tls: a build without it says so, and what to do" {
	[ -x "$ZKFS_BUILD/tests/zkfs-without-tls" ] ||
		skip "no zkfs-without-tls beside what is tested"
	ZKFS=$ZKFS_BUILD/tests/zkfs-without-tls tls_refused \
		"option 'tls': this zkfs was built without OpenSSL; use a tunnel" \
		8 "tls,cafile=$TLS/ca.pem"
	has "$("$ZKFS_BUILD/tests/zkfs-without-tls" --dump-config)" $'\ntls=no\n'
}

# The lines of the example in the manual, with what is this host's.
stunnel_example() {
	sed -n '/^\.Pa \/etc\/stunnel/,/^\.Ed/p' \
		"$E2E_TOP/packaging/man/zkfs.8" | sed -n '/^client/,/^\.Ed/p' |
		sed -e '/^\.Ed/d' \
			-e "s|^accept = .*|accept = 127.0.0.1:$1|" \
			-e "s|^connect = .*|connect = 127.0.0.1:$TLS_PORT|" \
			-e "s|^CAfile = .*|CAfile = $TLS/ca.pem|" \
			-e "s|^checkHost = .*|checkHost = ${2:-localhost}|"
}

# run_stunnel HOST: sets PORT.
run_stunnel() {
	PORT=$(free_ports 1)
	{
		printf '%s\n' "foreground = yes" "pid =" "syslog = no"
		stunnel_example "$PORT" "$1"
	} >"stunnel.$1"
	stunnel4 "stunnel.$1" >"stunnel.$1.log" 2>&1 </dev/null 3>&- 4>&- &
	within 20 grep -q "Configuration successful" "stunnel.$1.log"
}

# Catches: an example that does not work, or that takes any certificate.
@test "tls: the manual's tunnel leads to the server, and to no other" {
	local PORT
	command -v stunnel4 >/dev/null || skip "no stunnel4"
	has "$(stunnel_example 1 x)" "checkHost"
	run_stunnel localhost
	zk_mount A '' "127.0.0.1:$PORT$TREE"
	echo 1 >"$A/f"
	is "$(zk get /f)" 1
	run_stunnel elsewhere
	tls_refused "closes the connection" 8 timeo=1.5 "127.0.0.1:$PORT"
	has "$(cat stunnel.elsewhere.log)" "elsewhere"
}

# The last, as it changes the server.
#
# Catches: a mount that is lost with its connection; files that are read once and
# for all, or whose last good version is forgotten; a log that is filled.
@test "tls: a server that comes back is connected to, by what was read last" {
	local cert=certfile=$TLS/client.pem,keyfile=$TLS/client.key
	limit 150
	cp "$TLS/ca.pem" mine.pem
	tls_mount A "$cert,timeo=60,session_timeout=20"
	tls_mount B
	tls_mount C "$cert,cafile=mine.pem,timeo=60"
	echo 1 >"$A/f"
	cp "$TLS/stranger.pem" mine.pem
	kill -HUP "${MOUNT_PID[C]}"
	within 20 grep -q "were read again" C.log
	: >mine.pem
	kill -HUP "${MOUNT_PID[C]}"
	within 20 grep -q "TLS stays as it was" C.log
	sync "$C"
	is "$(cat "$C/f")" 1
	tls_server_kill
	tls_server ssl.clientAuth=need ssl.protocol=TLSv1.3 \
		ssl.enabledProtocols=TLSv1.3 \
		ssl.ciphersuites=TLS_AES_256_GCM_SHA384
	echo 2 >"$A/f"
	is "$(cat "$A/f")" 2
	is "$(grep -c 'new session' A.log)" 1
	within 20 grep -q "port $TLS_PORT: it refuses: .*certfile" B.log
	has "$(cat "$B/.zkfs/status")" "state: reconnecting"
	within 20 grep -q "its certificate is refused" C.log
	is "$(grep -c "its certificate is refused" C.log)" 1
	cp "$TLS/ca.pem" mine.pem
	kill -HUP "${MOUNT_PID[C]}"
	is "$(cat "$C/f")" 2
	tls_refused "does it want a certificate (certfile)?" 8 \
		"tls,cafile=$TLS/ca.pem"
}

# Catches: an assertion, a connection without TLS, half of a certificate taken.
@test "tls: memory that is short ends a start in a line, a connection in the next" {
	starving_setup
	mkdir m
	local who=certfile=$TLS/client.pem,keyfile=$TLS/client.key
	SOURCE=localhost:$TLS_PORT$TREE starve "$PWD/m" --start "$ZKFS" \
		--options "session_timeout=12,tls,cafile=$TLS/ca.pem,$who"
	start_proxy "$TLS_PORT"
	order blind
	tls_mount A "session_timeout=6,$who" "localhost:${PROXY_PORTS[0]}"
	starve "$A" --pid "${MOUNT_PID[A]}" --orders "$PROXY_ORDERS" Reconnect
}

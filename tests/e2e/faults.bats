#!/usr/bin/env bats
# Servers that die, hang, come back, and lead or follow; networks that cut,
# swallow and delay; sessions that end. Each test says what was promised, and
# looks at the servers by another client whether it was kept.

load lib
load proxy
load ensemble
load cluster

# -- servers -----------------------------------------------------------------

@test "faults: a server that hangs is left, with the session" {
	local n

	zk create /f old
	mount_cluster A timeo=40
	n=$(server_of A)
	server_signal STOP "$n"
	writes new
	[ "$(server_of A)" != "$n" ]
	is "$(sessions_of A)" 1
}

@test "faults: the leader dies, then a follower, then both are back" {
	local n

	zk create /f old
	mount_cluster A timeo=40
	n=$(leader)
	server_down "$n"
	writes one
	server_up "$n"
	within 60 server_votes "${SERVERS[$n]}"
	n=$(follower)
	server_down "$n"
	writes two
}

@test "faults: without a quorum nothing is done, and nothing is said to be" {
	zk create /f old
	mount_cluster A timeo=2
	server_down 1
	server_down 2
	PY_LIMIT=40 fails "" py 'spew(A[0], b"new")' "$A/f"
	fails "timed out" timeout 40 cat "$A/f"
	all_well
	within 30 cat "$A/f"
	[[ $(sure get /f) == @(old|new) ]]
	writes back
}

@test "faults: a server that is left with a minority serves nobody" {
	local n other

	zk create /f old
	mount_cluster A timeo=2
	n=$(server_of A)
	for other in 1 2 3; do
		[ "$other" = "$n" ] || server_signal STOP "$other"
	done
	PY_LIMIT=40 fails "" py 'spew(A[0], b"new")' "$A/f"
	all_well
	within 30 cat "$A/f"
	[[ $(sure get /f) == @(old|new) ]]
	writes back
}

@test "faults: all servers are restarted, and what is asked meanwhile is done" {
	local i pid

	zk create /f old
	mount_cluster A timeo=40
	for i in 1 2 3; do
		server_down "$i"
	done
	PY_LIMIT=50 py 'spew(A[0], b"new")' "$A/f" &
	pid=$!
	for i in 1 2 3; do
		server_up "$i"
	done
	wait "$pid"
	all_vote
	is "$(sure get /f)" new
	is "$(sure stat /f version)" 1
}

# -- networks ----------------------------------------------------------------

@test "faults: connects that are refused, and then swallowed, cost nothing" {
	local n what

	zk create /f old
	mount_cluster A timeo=40
	for what in refuse swallow; do
		n=$(server_of A)
		order "$n:$what"
		order "$((n % 3 + 1)):$what"
		writes "$what"
		order accept
	done
	is "$(sessions_of A)" 1
}

@test "faults: servers that accept and answer nothing are passed by" {
	local n

	zk create /f old
	mount_cluster A timeo=40
	n=$(server_of A)
	order "$n:stall"
	order "$((n % 3 + 1)):stall"
	order cut
	writes new
	is "$(sessions_of A)" 1
}

@test "faults: what the server says is lost: it is found out what was done" {
	zk create /f old
	mount_cluster A timeo=40
	holding '
fd = os.open(A[0], os.O_RDWR)
os.write(fd, b"new")
ready()
os.fsync(fd)' "$A/f"
	is "$(sure get /f)" old
	order mute
	touch go
	within 30 has_data new
	order speak
	wait "$HOLDER"
	is "$(sure stat /f version)" 1
}

@test "faults: replies that are late are waited for" {
	zk create /f old
	mount_cluster A timeo=40
	order delay 100
	writes new
	mkdir "$A/d"
	mv "$A/d" "$A/e"
	rmdir "$A/e"
	is "$(sure ls /)" f
	is "$(sessions_of A)" 1
}

@test "faults: a connection that is cut all the time is no session lost" {
	local i

	zk create /f ""
	zk set /f ""
	mount_cluster A timeo=40
	for i in 1 2 3 4 5 6 7 8; do
		order cut
		echo "$i" >>"$A/f"
	done
	is "$(sure get /f | tr -d '\n')" 12345678
	is "$(sessions_of A)" 1
}

# -- sessions ----------------------------------------------------------------

# The daemon is stopped until the servers have given its session up.
session_ends() {
	kill -STOP "${MOUNT_PID[A]}"
	# A follower knows only its own.
	within 40 zk_session_gone "${MOUNT_SESSION[A]}" \
		"${SERVERS[$(leader)]}"
	kill -CONT "${MOUNT_PID[A]}"
}

a_new_one() {
	[ "$(sessions_of A)" = "$1" ]
}

@test "faults: a session that ends while idle is replaced, without a remount" {
	zk create /f old
	mount_cluster A session_timeout=1
	session_ends
	is "$(cat "$A/f")" old
	writes new
	is "$(sessions_of A)" 2
}

@test "faults: a session ends under open files: readers read on, writers fail" {
	zk create /f old
	zk create /g old
	mount_cluster A session_timeout=1
	holding '
reader = os.open(A[0], os.O_RDONLY)
writer = os.open(A[1], os.O_RDWR)
os.write(writer, b"new")
ready()
assert os.read(reader, 10) == b"old"
expect("ESTALE", os.fsync, writer)
expect("ESTALE", os.write, writer, b"x")
expect("ESTALE", os.close, writer)' "$A/f" "$A/g"
	session_ends
	within 20 a_new_one 2
	touch go
	wait "$HOLDER"
	is "$(sure get /g)" old
	is "$(sure stat /g version)" 0
	echo newer >"$A/g"
	is "$(sure get /g)" newer
}

@test "faults: a session ends under a lock: who held it and who waits are told" {
	local waiter

	zk create /locks
	zk create /locks/l
	mount_cluster A session_timeout=1
	holding '
lock = os.open(A[0], os.O_RDWR | os.O_CREAT)
ready()
expect("EIO", os.read, lock, 1)
expect("EIO", os.write, lock, b"x")' "$A/locks/l/holder"
	py 'expect("EIO", os.open, A[0], O_WRONLY | O_CREAT)' \
		"$A/locks/l/waiter" &
	waiter=$!
	within 20 two_in_the_queue
	session_ends
	within 20 a_new_one 2
	touch go
	wait "$HOLDER"
	wait "$waiter"
	within 20 queue_is_empty
	# And the next one gets it.
	timeout 20 bash -c ': >"$1"' bash "$A/locks/l/next"
}

two_in_the_queue() {
	[ "$(sure ls /locks/l | grep -c -- -lock-)" = 2 ]
}

queue_is_empty() {
	[ -z "$(sure ls /locks/l)" ]
}

# -- waiting -----------------------------------------------------------------

# No server answers before the test has ended, and what waits for one waits for
# ten minutes: so these have not waited.
needs_no_server() {
	local command

	for command in "df $A" "stat -f $A" "ls -d $A" "stat $A" \
		"cat $A/.zkfs/status" "cat $A/.zkfs/metrics"; do
		# shellcheck disable=SC2086
		timeout 100 $command >/dev/null || fail "it waits: $command"
	done
}

@test "faults: with every server hung, then dead, what asks none is answered" {
	mount_cluster A timeo=600
	order stall
	needs_no_server
	order refuse
	within 20 grep -q "lost the connection" A.log
	needs_no_server
	timeout 100 fusermount3 -u "$A"
	daemon_ends A
}

@test "faults: with every server dead, umount(8) returns at once" {
	mount_cluster A timeo=600
	order refuse
	within 20 grep -q "lost the connection" A.log
	timeout 100 umount "$A"
	daemon_ends A
}

@test "faults: soft: what no server answers in time fails, and is not stored" {
	zk create /f old
	mount_cluster A timeo=0.5
	holding '
fd = os.open(A[0], os.O_RDWR)
os.write(fd, b"soft")
ready()
expect("ETIMEDOUT", os.fsync, fd)
expect("ETIMEDOUT", os.close, fd)' "$A/f"
	order refuse
	touch go
	wait "$HOLDER"
	order accept
	zk_umount A
	is "$(sure get /f)" old
}

@test "faults: hard: a close waits until it is stored, what locks does not" {
	local pid

	zk create /f old
	mount_cluster A timeo=0.5,hard
	holding '
fd = os.open(A[0], os.O_RDWR)
os.write(fd, b"hard")
ready()
expect("ETIMEDOUT", os.fsync, fd)
expect("ETIMEDOUT", os.mkdir, A[1])
open("closes", "x").close()
os.close(fd)' "$A/f" "$A/d"
	order refuse
	touch go
	within 40 test -e closes
	# Far more than timeo.
	read -rt 2 <>"$E2E_IDLE" || :
	kill -0 "$HOLDER"
	order accept
	wait "$HOLDER"
	is "$(sure get /f)" hard
}

@test "faults: every call that waits can be interrupted, and killed" {
	limit 300
	zk create /f old
	zk create /g old
	zk create /d
	zk create /locks
	zk create /locks/l
	mount_cluster A timeo=100
	exec 9<>"$A/f"
	exec 8<"$A/f"
	timeout 280 /usr/bin/python3 "$E2E_DIR/bin/interrupts.py" "$A" 9 8 \
		"$PROXY_ORDERS" >interrupts.log ||
		fail "$(cat interrupts.log)"
	exec 8<&- 9>&-
}

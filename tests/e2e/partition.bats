#!/usr/bin/env bats
# Networks that lose packets: nothing is refused and nothing ended, there is
# just no answer, or only a router's. Each test says what was promised, and asks
# the servers by a client on the other side whether it was kept.

load lib
load ensemble
load nets

# The client of zk.py, and each four letter word, is the router's.
zk_at() {
	case $1 in
	198.18.*) by_router ask_servers "$@" ;;
	*) ask_servers "$@" ;;
	esac
}

by_router() {
	# shellcheck disable=SC2016 # for the inner shell
	in_net 0 env "E2E_ZKPY=$(<"$NETS_DIR/zkpy")" \
		bash -c '. "$0" && "$@"' "$E2E_DIR/ask.bash" "$@"
}

setup_file() {
	# shellcheck disable=SC2034 # ensemble's
	local PORTS=(none 2181 2181 2181 2888 2888 2888 3888 3888 3888)
	# shellcheck disable=SC2034 # ensemble's
	local SERVER_IPS=(none 198.18.1.2 198.18.2.2 198.18.3.2)
	# A server that hears of no other for so many ticks serves nobody.
	# shellcheck disable=SC2034 # ensemble's
	local i SYNC_LIMIT=10

	export NETS_MISSING
	NETS_MISSING=$(nets_missing)
	[ -z "$NETS_MISSING" ] || return 0
	E2E_IDLE=$BATS_FILE_TMPDIR/idle
	mkfifo "$E2E_IDLE"
	nets_up
	for i in 1 2 3; do
		write_server "$NETS_DIR" "$i"
		server_up "$i"
	done
	(
		cd /
		in_net 0 /usr/bin/python3 "$E2E_DIR/zk.py" serve \
			"$NETS_DIR/zkpy" </dev/null >/dev/null 2>&1 3>&- 4>&- &
		echo $! >"$NETS_DIR/zkpy.pid"
	)
	within 20 test -s "$NETS_DIR/zkpy"
	all_vote
}

server_up() (
	cd /
	start_server "$NETS_DIR" "$1" nsenter -n -t "$(<"$NETS_DIR/$1.pid")"
	echo $! >"$NETS_DIR/server$1.pid"
)

teardown_file() {
	[ -z "$NETS_MISSING" ] || return 0
	nets_down
	e2e_teardown_file
}

votes() {
	by_router zk_word srvr 2181 "198.18.$1.2" 2>/dev/null |
		grep -qE '^Mode: (leader|follower)'
}

all_vote() {
	local i

	for i in 1 2 3; do
		within 60 votes "$i"
	done
}

setup() {
	# shellcheck disable=SC2034 # lib's
	E2E_LIMIT=150
	e2e_setup
	[ -z "$NETS_MISSING" ] || return 0
	ALL=198.18.1.2:2181,198.18.2.2:2181,198.18.3.2:2181
	SOURCE=$ALL$TREE
	zk_at "$ALL" root create "$TREE"
	zk_at "$ALL" root close
}

teardown() {
	local rc=0

	if [ -z "$NETS_MISSING" ]; then
		reunite
		all_vote || rc=1
	fi
	e2e_teardown || rc=1
	return "$rc"
}

needs_nets() {
	[ -z "$NETS_MISSING" ] || skip "$NETS_MISSING"
}

# mount_at HOST NAME [OPTIONS]: the mount is seen here, its connections are made
# there.
mount_at() {
	local dir=$BATS_TEST_TMPDIR/$2

	mkdir "$dir"
	nsenter -n -t "$(<"$NETS_DIR/$1.pid")" "$ZKFS" -f \
		-o "session_timeout=4${3:+,$3}" "$SOURCE" "$dir" \
		3>&- 4>&- </dev/null >"$dir.log" 2>&1 &
	# shellcheck disable=SC2034 # lib's
	MOUNT_PID[$2]=$!
	# shellcheck disable=SC2034 # lib's
	MOUNT_DIR[$2]=$dir
	within 20 mount_is_up_or_dead "$2"
	is_mounted "$dir" || fail "'$2' is not mounted: $(cat "$dir.log")"
	printf -v "$2" %s "$dir"
	ls "$dir" >/dev/null
}

# The number of the server that a mount is connected to.
server_of() {
	grep -oE 'connected to 198\.18\.[0-9]' "$BATS_TEST_TMPDIR/$1.log" |
		tail -n 1 | grep -oE '[0-9]$'
}

sessions_of() {
	grep -c 'new session' "$BATS_TEST_TMPDIR/$1.log"
}

# The two other servers.
others() {
	echo $(($1 % 3 + 1)) $((($1 + 1) % 3 + 1))
}

# part SERVER: from the other servers.
part() {
	local other

	for other in $(others "$1"); do
		sever "$1" "$other"
	done
}

# -- where there are no networks ---------------------------------------------

@test "partition: where there can be no such networks the tests say why" {
	mkdir bin
	printf '%s\n' '#!/bin/sh' 'case "$*" in *"$LACKS"*) exit 2 ;; esac' \
		>bin/ip
	chmod +x bin/ip
	is "$(PATH=$PWD/bin:$PATH LACKS=veth nets_missing)" "no veth here"
	is "$(PATH=$PWD/bin:$PATH LACKS=rule nets_missing)" \
		"no policy routing here"
	is "$(PATH=$PWD/bin:$PATH LACKS=none nets_missing)" ""
	printf '%s\n' '#!/bin/sh' 'exit 1' >bin/unshare
	chmod +x bin/unshare
	is "$(PATH=$PWD/bin:$PATH LACKS=none nets_missing)" \
		"no network namespaces here"
	is "$(PATH=$PWD nets_missing)" "no ip(8) here"
	skip() {
		echo "skipped: $1"
	}
	is "$(NETS_MISSING="no veth here" needs_nets)" "skipped: no veth here"
}

# -- servers that do not hear each other -------------------------------------

@test "partition: a server with a minority is left for the others" {
	local n

	needs_nets
	zk create /f old
	mount_at 4 A timeo=40
	n=$(server_of A)
	part "$n"
	writes new
	[ "$(server_of A)" != "$n" ]
}

@test "partition: on the minority's side nothing is done, or said to be" {
	local n other

	needs_nets
	zk create /f old
	mount_at 4 A timeo=2
	n=$(server_of A)
	part "$n"
	for other in $(others "$n"); do
		sever 4 "$other"
	done
	PY_LIMIT=40 fails "" py 'spew(A[0], b"new")' "$A/f"
	fails "timed out" timeout 40 cat "$A/f"
	# The others go on meanwhile, and know nothing of it.
	is "$(sure get /f)" old
	sure set /f theirs
	fails "" timeout 40 cat "$A/f"
	reunite
	within 30 cat "$A/f"
	is "$(cat "$A/f")" theirs
	writes back
}

@test "partition: a lock on the minority's side is lost before it is given" {
	local n other keeper waiter

	needs_nets
	zk create /locks
	zk create /locks/l
	mount_at 4 A
	n=$(server_of A)
	mount_at 5 B
	mkfifo held
	PY_LIMIT=100 py '
lock = os.open(A[0], os.O_RDWR | os.O_CREAT)
open(A[1], "w").close()
poll = select.poll()
poll.register(lock, select.POLLPRI)
while not poll.poll()[0][1] & select.POLLERR:
    pass
os.write(3, b"lost\n")
expect("EIO", os.write, lock, b"x")' "$A/locks/l/a" held 3>>order &
	keeper=$!
	: <held
	timeout 100 bash -c ': >"$1" && echo given >>order' bash \
		"$B/locks/l/b" &
	waiter=$!
	within 20 two_in_the_queue
	part "$n"
	for other in $(others "$n"); do
		sever 4 "$other"
	done
	# The waiter may have been this server's client, too.
	wait "$waiter"
	wait "$keeper"
	is "$(<order)" $'lost\ngiven'
}

two_in_the_queue() {
	[ "$(sure ls /locks/l | grep -c -- -lock-)" = 2 ]
}

# -- clients that do not hear the servers, or not all ------------------------

@test "partition: a server that hears, and is not heard: done, and once" {
	local n

	needs_nets
	zk create /f old
	mount_at 4 A timeo=40
	n=$(server_of A)
	holding '
fd = os.open(A[0], os.O_RDWR)
os.write(fd, b"new")
ready()
os.fsync(fd)' "$A/f"
	is "$(sure get /f)" old
	drop "$n" 4
	touch go
	within 30 has_data new
	# shellcheck disable=SC2153 # lib's
	wait "$HOLDER"
	is "$(sure stat /f version)" 1
	[ "$(server_of A)" != "$n" ]
	is "$(sessions_of A)" 1
}

@test "partition: a server that is not reached, and another: the third does it" {
	local n what

	needs_nets
	zk create /f old
	mount_at 4 A timeo=40
	for what in sever reject; do
		n=$(server_of A)
		"$what" 4 "$n"
		"$what" 4 $((n % 3 + 1))
		writes "$what"
		[ "$(server_of A)" = $(((n + 1) % 3 + 1)) ]
		reunite
	done
	is "$(sessions_of A)" 1
}

@test "partition: unreachable servers: what asks none is answered, the rest ends" {
	local n

	needs_nets
	zk create /f old
	mount_at 4 A timeo=2
	for n in 1 2 3; do
		reject 4 "$n"
		reject 5 "$n"
	done
	# (The router does not say it to one client all the time.)
	mkdir another
	fails "No route to host" in_net 5 timeout 40 "$ZKFS" \
		-o session_timeout=4 "$SOURCE" "$PWD/another"
	fails "timed out" timeout 40 cat "$A/f"
	timeout 20 df "$A"
	timeout 20 ls -d "$A"
	timeout 20 cat "$A/.zkfs/status" >status
	reunite
	within 30 cat "$A/f"
	writes back
}

@test "partition: the client's own network goes, and comes again" {
	local pid

	needs_nets
	zk create /f old
	mount_at 4 A timeo=40
	exec 9<>"$A/f"
	unplug 4
	PY_LIMIT=50 py 'spew(A[0], b"new")' "$A/f" &
	pid=$!
	within 20 grep -q "lost the connection" A.log
	plug 4
	wait "$pid"
	exec 9>&-
	is "$(sure get /f)" new
	is "$(sure stat /f version)" 1
}

#!/usr/bin/env bats
# Locks shared with the clients of others: stock Curator, stock kazoo, and what
# the Go clients do. zkfs-locks(7) says who keeps whom out; interop/interop.py asks
# each pair of them, and then all at once. What came of it is printed at the
# end, a line for each way to take our lock:
#
#   excluded    each keeps the other out
#   together    both are shared, and in it at once
#   one-sided   ours waits for theirs, theirs does not know of ours
#   crowd       how many locks were taken with all there at once, and how often
#               somebody was not alone
#
# ZKFS_INTEROP_ROUNDS=N: each of the crowd takes so many locks.

load lib
load own_server
load ensemble

curator_class_path() {
	local jar path=

	for jar in curator-recipes curator-framework curator-client zookeeper \
		zookeeper-jute guava slf4j-api slf4j-nop; do
		path+=:/usr/share/java/$jar.jar
	done
	echo "${path#:}"
}

# The server of Curator's locks, for all tests of this file.
setup_file() {
	local path

	path=$(curator_class_path)
	export INTEROP=$BATS_FILE_TMPDIR
	ecj -17 -proc:none -cp "$path" -d "$INTEROP" \
		"$E2E_DIR/interop/CuratorServer.java"
	java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Xmx128m \
		-cp "$path:$INTEROP" CuratorServer "$INTEROP/port" \
		</dev/null >"$INTEROP/curator.log" 2>&1 3>&- 4>&- &
	echo $! >"$INTEROP/pid"
	# The file appears complete.
	# shellcheck disable=SC2016 # for the inner shell
	timeout 30 bash -c 'until [ -s "$1" ]; do sleep 0.02; done' bash \
		"$INTEROP/port"
}

teardown_file() {
	kill "$(<"$INTEROP/pid")"
	process_ends "$(<"$INTEROP/pid")"
	if [ -s "$INTEROP/table" ]; then
		interop table | sed 's/^/# /' >&3
	fi
	e2e_teardown_file
}

setup() {
	e2e_setup
	limit 180
	zk create /locks/x
}

interop() {
	timeout 170 /usr/bin/python3 "$E2E_DIR/interop/interop.py" \
		--hosts "${SOURCE:-}" --work "${BATS_TEST_TMPDIR:-}/sections" \
		--curator "$(<"$INTEROP/port")" --table "$INTEROP/table" \
		--rounds "${ZKFS_INTEROP_ROUNDS:-25}" "$@" 3>&- 4>&-
}

# row WAY [LOCKNAMES]: of the lock /locks/x
row() {
	zk_mount A "locknames=${2:-all}"
	zk_mount B "locknames=${2:-all}"
	interop --locknames "${2:-all}" row "$1" "$A/locks/x" "$B/locks/x"
}

@test "interop: who is not alone is noticed, and an increment that is lost" {
	interop detector
}

@test "interop: locks that do not exclude are noticed, whoever takes them" {
	zk_mount A
	interop control "$A/locks/x"
}

@test "interop: open, and Curator, kazoo, Go, another mount" {
	row open
}

@test "interop: mkdir, and Curator, kazoo, Go, another mount" {
	row mkdir
}

@test "interop: flock, and Curator, kazoo, Go, another mount" {
	row flock
}

@test "interop: flock -s, and Curator, kazoo, Go, another mount" {
	row "flock -s"
}

@test "interop: flock and poll, and Curator, kazoo, Go, another mount" {
	row "flock, poll"
}

@test "interop: flock -s and poll, and Curator, kazoo, Go, another mount" {
	row "flock -s, poll"
}

@test "interop: fcntl, and Curator, kazoo, Go, another mount" {
	row fcntl
}

@test "interop: flock of a file, and those who lock what it is named after" {
	zk_mount A
	zk_mount B
	mkdir "$A/50%"
	echo data >"$A/50%/file"
	interop --path /locks/%2F50%25%2Ffile \
		row "flock of a file" "$A/50%/file" "$B/50%/file"
}

@test "interop: all ways at once, and Curator, kazoo, Go" {
	row "all of them"
}

@test "interop: all ways at once, and everybody at another server" {
	local first second third

	start_ensemble "$BATS_TEST_TMPDIR"
	read -r first second third <<<"${ENSEMBLE[*]}"
	zk_at "127.0.0.1:$first" root create /own/locks/x
	zk_mount A "" "127.0.0.1:$first/own"
	zk_mount B "" "127.0.0.1:$second/own"
	SOURCE=127.0.0.1:$third,127.0.0.1:$second/own
	interop --note "three servers" row "all of them" \
		"$A/locks/x" "$B/locks/x"
	zk_umount A
	zk_umount B
	zk_at "127.0.0.1:$first" root close
}

@test "interop: locknames=curator is seen by Curator's mutex and Go" {
	row open curator
}

@test "interop: locknames=kazoo is seen by kazoo" {
	row open kazoo
}

@test "interop: locknames=curator-rw is seen by Curator's read-write lock" {
	row open curator-rw
}

@test "interop: two of the locknames are seen by those of both" {
	row open kazoo:curator-rw
}

@test "interop: flock -s with locknames=kazoo is seen by kazoo" {
	row "flock -s" kazoo
}

@test "interop: mounts with different locknames exclude each other" {
	local names

	for names in curator kazoo curator-rw all; do
		zk_mount "${names//-/_}" "locknames=$names"
	done
	# shellcheck disable=SC2154 # zk_mount sets them
	interop mounts "$curator/locks/x" "$kazoo/locks/x" \
		"$curator_rw/locks/x" "$all/locks/x"
}

@test "interop: a Go client that reads no kazoo name wants locknames=curator" {
	zk_mount A
	zk_mount B locknames=curator
	interop oldgo "$A/locks/x"
	interop --locknames curator oldgo "$B/locks/x"
}

@test "interop: the entries of others tell who has it, and can be removed" {
	zk_mount A
	interop entries "$A/locks/x"
}

@test "interop: a mount dies with the lock, and all others get it in turn" {
	zk_mount A
	zk_mount B
	interop --daemon "${MOUNT_PID[A]}" death "$A/locks/x" "$B/locks/x"
	unset "MOUNT_PID[A]"
	umount -l "$A"
}

@test "interop: a lock that Curator made and the server removes when empty" {
	# shellcheck disable=SC2034 # it looks all the time, not each minute
	OWN_JAVA_OPTIONS=-Dznode.container.checkIntervalMs=20
	own_server
	zk_mount A
	zk_mount B
	touch "$A"/file{0..7}
	interop containers "$A" "$B"
}

#!/usr/bin/env bats
# The log, when nobody takes it: a disk that is full, a pipe whose reader is
# gone, a logger that hangs. The mount answers as ever, and counts.

load lib

# mount_logging_to FILE: the mount $A, that tells of each request there.
mount_logging_to() {
	mkdir "$BATS_TEST_TMPDIR/A"
	A=$BATS_TEST_TMPDIR/A
	"$ZKFS" -d -o session_timeout=4 "$SOURCE" "$A" 3>&- 4>&- </dev/null \
		>/dev/null 2>>"$1" &
	# shellcheck disable=SC2034 # lib's
	MOUNT_PID[A]=$!
	# shellcheck disable=SC2034
	MOUNT_DIR[A]=$A
	within 20 is_mounted "$A"
}

dropped() {
	sed -n 's/^zkfs_log_lines_dropped_total //p' "$1/.zkfs/metrics"
}

# Its lines are dropped, and nothing else is.
works_unheard() {
	is "$(timeout 10 cat "$A/f")" data
	[ "$(dropped "$A")" -gt 0 ]
	zk_umount A
}

@test "log: a full disk holds nobody up" {
	zk create /f data
	mkdir disk
	mount -t tmpfs -o size=8k tmpfs disk || skip "no tmpfs here"
	head -c 9000 /dev/zero >disk/log 2>/dev/null || :
	mount_logging_to disk/log
	works_unheard
	umount disk
}

@test "log: what it did not take is told when there is room again" {
	zk create /f data
	mkdir disk
	mount -t tmpfs -o size=8k tmpfs disk || skip "no tmpfs here"
	head -c 8192 /dev/zero >disk/other
	mount_logging_to disk/log
	is "$(timeout 10 cat "$A/f")" data
	rm disk/other
	timeout 10 stat "$A/f"
	grep -aqx 'zkfs: lines of the log that nobody took, before this: [0-9]*' \
		disk/log
	zk_umount A
	umount disk
}

@test "log: a reader that is gone ends nothing" {
	zk create /f data
	mkfifo pipe
	true <pipe &
	mount_logging_to pipe
	works_unheard
}

# With a /dev of its own, in which the system's log is ours: it takes what there
# is room for, and hangs.
@test "log: a logger that hangs holds nobody up" {
	zk create /f data
	unshare -m true || skip "no mount namespaces here"
	mkdir dev m
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -euc '
		for file in null full fuse zero urandom; do
			: >"dev/$file"
			mount --bind "/dev/$file" "dev/$file"
		done
		/usr/bin/python3 -c "
import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(\"dev/log\")
print(\"ready\", flush=True)
sys.stdin.read()" <"$3" >logger &
		until [ -s logger ]; do
			read -rt 0.02 <>"$3" || :
		done
		mount --rbind dev /dev
		timeout 20 "$1" "$2" m
		pid=$(pgrep -xf "$1 $2 m")
		for i in 1 2 3 4 5; do
			kill -USR1 "$pid"
			timeout 10 cat m/f
		done
		sed -n "s/^zkfs_log_lines_dropped_total //p" m/.zkfs/metrics
		umount m
		' bash "$ZKFS" "$SOURCE" "$E2E_IDLE" \
		>out 3>&- 4>&-
	[[ $(<out) =~ ^datadatadatadatadata[1-9] ]] || fail "$(<out)"
	within 10 no_daemons
}

no_daemons() {
	[ -z "$(daemons_below "$BATS_TEST_TMPDIR")" ]
}

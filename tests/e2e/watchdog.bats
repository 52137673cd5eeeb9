#!/usr/bin/env bats
# The watchdog: a daemon that is killed frees who uses its mount, also when the
# device stays open, as it does when a thread of the daemon is stuck.

load lib
load own_server

# watchdog_of PID: of that daemon.
watchdog_of() {
	pgrep -P "$1" -x zkfs-watchdog
}

# Init may take its time to bury it.
has_ended() {
	[ -z "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]
}

# has_open PID: what its descriptors are.
has_open() {
	find "/proc/$1/fd" -type l -printf '%l\n' | sort
}

# keep_device PID: somebody else keeps the daemon's device open, so that its
# death alone does not end the connection. KEEPER is who.
keep_device() {
	rm -f keeps
	/usr/bin/python3 -c 'import ctypes
from posix_calls import *
of = os.pidfd_open(int(A[0]))
for fd in os.listdir("/proc/%s/fd" % A[0]):
    if os.readlink("/proc/%s/fd/%s" % (A[0], fd)) == "/dev/fuse":
        # pidfd_getfd(2)
        same(ctypes.CDLL(None).syscall(438, of, int(fd), 0) >= 0, True)
        print("keeps", flush=True)
open(A[1]).read()' "$1" "$E2E_IDLE" </dev/null >keeps 3>&- 4>&- &
	KEEPER=$!
	within 10 grep -qx keeps keeps
}

release_device() {
	kill "$KEEPER"
	wait "$KEEPER" || :
}

# blocked COMMAND...: in the background, until it waits for the server, or for a
# directory of who does; BLOCKED is its pid.
blocked() {
	"$@" >/dev/null 2>>blocked.err 3>&- 4>&- &
	BLOCKED=$!
	within 10 waits_in_kernel "$BLOCKED"
}

waits_in_kernel() {
	waits_in_fuse "$1" || grep -q '^State:.D' "/proc/$1/status"
}

# freed PID...: children of the test, each fails within a moment.
freed() {
	local pid status

	for pid in "$@"; do
		timeout 5 tail -s 0.02 --pid="$pid" -f /dev/null ||
			fail "process $pid is still blocked" || return 1
		status=0
		wait "$pid" || status=$?
		[ "$status" != 0 ] || fail "process $pid ended with 0"
	done
}

# can_be_used_again NAME: unmounted, mounted, used.
can_be_used_again() {
	local dir=$BATS_TEST_TMPDIR/$1

	umount "$dir"
	fails "" is_mounted "$dir"
	zk_mount "$1" timeo=50
	ls "$dir" >/dev/null
}

# -- what it is --------------------------------------------------------------

@test "watchdog: processes are listed as what they are" {
	local dog
	zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	is "$(ps -o comm= -p "$dog")" zkfs-watchdog
	is "$(ps -o args= -p "$dog")" "zkfs-watchdog $A"
	is "$(ps -o comm= -p "${MOUNT_PID[A]}")" zkfs
	has "$(ps -o args= -p "${MOUNT_PID[A]}")" "$SOURCE $A"
}

@test "watchdog: it keeps nothing of the daemon's, nor a place busy" {
	local dog
	zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	is "$(has_open "$dog" | wc -l)" 2
	has "$(has_open "$dog")" /abort
	has "$(has_open "$dog")" pipe:
	is "$(readlink "/proc/$dog/cwd")" /
	is "$(ps -o sid= -p "$dog" | tr -d ' ')" "$dog"
	is "$(ps -o tty= -p "$dog" | tr -d ' ')" "?"
}

@test "watchdog: that of a daemon in the background likewise" {
	local dog pid
	mkdir m
	# Were the pipe kept open, this would not return.
	is "$("$ZKFS" "$SOURCE" "$PWD/m" 2>&1 3>&- 4>&-)" ""
	pid=$(daemons_below "$BATS_TEST_TMPDIR")
	dog=$(watchdog_of "$pid")
	is "$(ps -o args= -p "$dog")" "zkfs-watchdog $PWD/m"
	is "$(has_open "$dog" | wc -l)" 2
	kill -KILL "$pid"
	within 5 has_ended "$dog"
	fails "not connected" ls m
	umount m
}

@test "watchdog: a daemon leaves no core behind, to be waited for" {
	ulimit -c unlimited
	zk_mount A
	kill -ABRT "${MOUNT_PID[A]}"
	wait "${MOUNT_PID[A]}" || is "$?" 134
	unset "MOUNT_PID[A]"
	fails "not connected" ls "$A"
	umount "$A"
	is "$(find . -name 'core*')" ""
}

# -- an orderly end ----------------------------------------------------------

@test "watchdog: it ends with the daemon, which buries it" {
	local dog how
	for how in umount "umount -l" "kill -TERM" "kill -INT"; do
		zk_mount A
		dog=$(watchdog_of "${MOUNT_PID[A]}")
		case $how in
		kill*) $how "${MOUNT_PID[A]}" ;;
		*) $how "$A" ;;
		esac
		daemon_ends A
		[ ! -e "/proc/$dog" ]
	done
}

@test "watchdog: it ends with a daemon when it is stopped itself" {
	local dog
	zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	kill -STOP "$dog"
	zk_umount A
	[ ! -e "/proc/$dog" ]
}

@test "watchdog: after umount -l it stays as long as the daemon" {
	local dog
	zk create /f data
	zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	exec 8<"$A/f"
	umount -l "$A"
	is "$(cat <&8)" data
	[ -e "/proc/$dog" ]
	exec 8<&-
	daemon_ends A
	[ ! -e "/proc/$dog" ]
}

@test "watchdog: who ignores SIGCHLD mounts all the same" {
	local dog
	printf '#!/bin/sh\ntrap "" CHLD\nexec "%s" "$@"\n' "$ZKFS" >ignoring
	chmod +x ignoring
	ZKFS=$PWD/ignoring zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	zk_umount A
	[ ! -e "/proc/$dog" ]
}

# -- what it does not heed ---------------------------------------------------

@test "watchdog: a signal meant for all does not reach it" {
	local dog signal
	zk create /f data
	zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	for signal in TERM INT HUP QUIT TSTP USR1 ALRM RTMIN; do
		kill "-$signal" "$dog"
	done
	# It has looked at what it waits for, and waits on.
	within 5 grep -qx 'State:.S .sleeping.' "/proc/$dog/status"
	within 5 grep -q 'sigtimedwait' "/proc/$dog/wchan"
	is "$(cat "$A/f")" data
	is "$(watchdog_of "${MOUNT_PID[A]}")" "$dog"
	zk_umount A
}

@test "watchdog: killed, the daemon goes on and says so once" {
	local dog
	zk create /f data
	zk_mount A
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	kill -KILL "$dog"
	within 5 grep -q "the watchdog (pid $dog) was killed" "$A.log"
	[ ! -e "/proc/$dog" ]
	echo new >"$A/f"
	is "$(cat "$A/f")" new
	is "$(grep -c "the watchdog" "$A.log")" 1
	zk_umount A
}

# -- a daemon that is killed -------------------------------------------------

@test "watchdog: kill -9 frees who waits while the server hangs" {
	local pids=() command start dog
	own_server
	zk create /f data
	zk create /d/g data
	zk_mount A timeo=50
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	own_server_stop
	for command in "cat $A/f" "mkdir $A/e" "rm $A/d/g" "ls $A/d"; do
		# shellcheck disable=SC2086
		blocked $command
		pids+=("$BLOCKED")
	done
	start=$(now)
	zk_crash A
	freed "${pids[@]}"
	[ "$(since "$start")" -lt 5000 ]
	within 5 has_ended "$dog"
	fails "not connected" ls "$A"
	kill -CONT "$OWN_PID"
	can_be_used_again A
}

@test "watchdog: also when the device is kept open, by a stuck thread say" {
	local dog
	own_server
	zk create /f data
	zk_mount A timeo=50
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	keep_device "${MOUNT_PID[A]}"
	own_server_stop
	blocked cat "$A/f"
	zk_crash A
	freed "$BLOCKED"
	within 5 has_ended "$dog"
	# What was kept is of no use to anybody.
	kill -CONT "$OWN_PID"
	can_be_used_again A
	is "$(cat "$A/f")" data
	release_device
	is "$(cat "$A/f")" data
}

@test "watchdog: without it, they wait as long as the device is open" {
	own_server
	zk create /f data
	zk_mount A timeo=50
	kill -KILL "$(watchdog_of "${MOUNT_PID[A]}")"
	within 5 grep -q "was killed" "$A.log"
	keep_device "${MOUNT_PID[A]}"
	own_server_stop
	blocked cat "$A/f"
	zk_crash A
	waits_in_fuse "$BLOCKED"
	release_device
	freed "$BLOCKED"
	kill -CONT "$OWN_PID"
	can_be_used_again A
}

@test "watchdog: kill -9 of the whole process group" {
	local dog
	own_server
	zk create /f data
	printf '#!/bin/sh\nexec setsid "%s" "$@"\n' "$ZKFS" >leader
	chmod +x leader
	# A job of a shell that is no terminal's is no leader: no fork.
	ZKFS=$PWD/leader zk_mount A timeo=50
	is "$(ps -o pgid= -p "${MOUNT_PID[A]}" | tr -d ' ')" "${MOUNT_PID[A]}"
	dog=$(watchdog_of "${MOUNT_PID[A]}")
	keep_device "${MOUNT_PID[A]}"
	own_server_stop
	blocked cat "$A/f"
	kill -KILL -- "-${MOUNT_PID[A]}"
	wait "${MOUNT_PID[A]}" || :
	unset "MOUNT_PID[A]"
	freed "$BLOCKED"
	within 5 has_ended "$dog"
	kill -CONT "$OWN_PID"
	can_be_used_again A
}

@test "watchdog: a crash is no different" {
	own_server
	zk create /f data
	zk_mount A timeo=50
	keep_device "${MOUNT_PID[A]}"
	own_server_stop
	blocked cat "$A/f"
	kill -ABRT "${MOUNT_PID[A]}"
	wait "${MOUNT_PID[A]}" || :
	unset "MOUNT_PID[A]"
	freed "$BLOCKED"
	kill -CONT "$OWN_PID"
	can_be_used_again A
}

# Not with the device kept open: fusermount3 unmounts what answers ENOTCONN, and
# whoever looks before the connection is ended is told ECONNABORTED.
@test "watchdog: beside -o auto_unmount" {
	own_server
	zk create /f data
	zk_mount A auto_unmount,timeo=50
	own_server_stop
	blocked cat "$A/f"
	zk_crash A
	freed "$BLOCKED"
	within 10 eval '! is_mounted "$A"'
	kill -CONT "$OWN_PID"
}

# Whether the system has a fusectl mounted where it belongs, or no such thing.
@test "watchdog: fusectl is found, or had without mounting it" {
	local how
	own_server
	zk create /f data
	unshare -m true || skip "no mount namespaces here"
	mkdir m
	for how in mounted unmounted; do
		unshare -m bash -euc '
			! mountpoint -q "$2" || umount "$2"
			[ "$1" = unmounted ] || mount -t fusectl none "$2"
			exec "$3" -f -o timeo=50 "$4" "$5"' bash "$how" \
			/sys/fs/fuse/connections "$ZKFS" "$SOURCE" "$PWD/m" \
			>m.log 2>&1 3>&- 4>&- &
		MOUNT_PID["m"]=$!
		within 20 grep -q "is mounted on" m.log
		fails "" grep "no watchdog" m.log
		keep_device "${MOUNT_PID[m]}"
		exec 8</proc/"${MOUNT_PID[m]}"/ns/mnt
		own_server_stop
		blocked nsenter --mount=/proc/self/fd/8 cat "$PWD/m/f"
		zk_crash m
		freed "$BLOCKED"
		release_device
		exec 8<&-
		kill -CONT "$OWN_PID"
	done
}

# The number of a connection is free when the connection is gone.
number_of() {
	connections_below "$1" | cut -d ' ' -f 1
}

@test "watchdog: the next connection of the same number is left alone" {
	local number dog
	zk create /f data
	for _ in 1 2 3 4 5 6 7 8; do
		zk_mount A
		number=$(number_of "$A")
		dog=$(watchdog_of "${MOUNT_PID[A]}")
		# It cannot take notice that its mount is gone.
		kill -STOP "${MOUNT_PID[A]}"
		umount --no-canonicalize -i "$A"
		zk_mount B
		zk_crash A
		within 5 has_ended "$dog"
		is "$(cat "$B/f")" data
		[ "$(number_of "$B")" != "$number" ] || return 0
		zk_umount B
	done
	fail "the number was never used again"
}

# -- under load --------------------------------------------------------------

# Looks, makes and removes in the same few directories, until the mount dies.
hammer() {
	bash -c '
		while [ -d "$1/d" ]; do
			mkdir "$1/d/$2" "$1/d/both"
			echo x >"$1/d/$2/f"
			cat "$1"/d/*/f
			rm -rf "$1/d/$2" "$1/d/both"
		done' bash "$A" "$1" >/dev/null 2>&1 3>&- 4>&- &
}

@test "watchdog: kill -9 at any moment under load: all is free at once" {
	local round name pids pid dog
	zk create /d
	for round in 1 2 3 4 5 6 7 8; do
		zk_mount A
		dog=$(watchdog_of "${MOUNT_PID[A]}")
		pids=()
		for name in one two three; do
			hammer "$name"
			pids+=("$!")
		done
		within 10 eval "[ \"\$(zk stat /d cversion)\" -gt $((round * 8)) ]"
		read -rt "0.0$((RANDOM % 100))" <>"$E2E_IDLE" || :
		zk_crash A
		for pid in "${pids[@]}"; do
			process_ends "$pid" || fail "still blocked: $pid"
		done
		within 5 has_ended "$dog"
		umount "$A"
	done
	zk_mount A
	ls "$A/d" >/dev/null
}

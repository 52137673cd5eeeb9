#!/usr/bin/env bats
# zkfs-lock: a command under a lock; what flock(1) does too, and that it is a
# lock of the cluster or none.

load lib
load section
load locking

setup() {
	e2e_setup
	zk create /locks
}

# -- what flock(1) has too ---------------------------------------------------

@test "lock: the status is the command's" {
	zk_mount A
	status 0 lock "$A/locks/x" true
	status 7 lock "$A/locks/x" -- sh -c 'exit 7'
	# shellcheck disable=SC2016 # sh's
	status 143 lock "$A/locks/x" sh -c 'kill -TERM $$'
	status 127 lock "$A/locks/x" ./not-there
	has "$(<err)" "zkfs-lock: ./not-there: No such file or directory"
	status 126 lock "$A/locks/x" /etc/passwd
	joined 0
}

@test "lock: arguments and streams are passed on as they are" {
	zk_mount A
	# shellcheck disable=SC2016 # printf's
	is "$(lock "$A/locks/x" printf '%s|' '$HOME' 'a  b' '' -n --)" \
		'$HOME|a  b||-n|--|'
	is "$(echo in | lock "$A/locks/x" cat)" in
	is "$(lock "$A/locks/x" sh -c 'echo err >&2' 2>&1)" err
	# shellcheck disable=SC2016 # the shell's
	is "$(SHELL=/bin/sh lock "$A/locks/x" -c 'echo $((6 * 7))')" 42
	is "$(SHELL='' lock "$A/locks/x" --command 'echo a b')" 'a b'
}

@test "lock: a lock that is not there is made, and stays" {
	zk_mount A
	status 0 lock "$A/locks/x" true
	is "$(zk ls /locks)" x
	is "$(ls -A "$A/locks/x")" ""
}

@test "lock: it is held while the command runs, and free when it has ended" {
	zk_mount A
	zk_mount B
	# shellcheck disable=SC2016 # sh's
	lock "$A/locks/x" sh -c '
		zkfs_lock=$1 other=$2
		"$zkfs_lock" -n "$other" true && exit 3
		"$zkfs_lock" -n "${other%/*}/y" true' sh "$LOCK" "$B/locks/x"
	for _ in {1..20}; do
		lock -n "$A/locks/x" true
		lock -n "$B/locks/x" true
	done
}

@test "lock: -n, -w and -E" {
	local before
	zk_mount A
	zk_mount B
	mkdir "$B/locks/x"
	exec 8>"$B/locks/x/holder"
	status 1 lock -n "$A/locks/x" touch ran
	status 1 lock --nonblock "$A/locks/x" touch ran
	status 9 lock -nE 9 "$A/locks/x" touch ran
	status 0 lock --nb --conflict-exit-code=0 "$A/locks/x" touch ran
	status 1 lock -w 0 "$A/locks/x" touch ran
	is "$(<err)" ""
	before=$(now)
	status 1 lock -w 0.3 "$A/locks/x" touch ran
	[ "$(now)" -ge $((before + 300)) ] || fail "did not wait"
	joined 1
	status 5 lock --timeout=.2 -E 5 "$A/locks/x" touch ran
	status 1 lock --wait 0.1 -s "$A/locks/x" touch ran
	joined 1
	[ ! -e ran ]
	lock -w 20 "$A/locks/x" touch ran 8>&- &
	joined 2
	exec 8>&-
	wait $!
	[ -e ran ]
}

@test "lock: waits as long as it takes, in turn" {
	local first
	zk_mount A
	zk_mount B
	mkdir "$B/locks/x"
	exec 8>"$B/locks/x/holder"
	lock "$A/locks/x" sh -c 'echo first >>order' 8>&- &
	first=$!
	joined 2
	lock -v "$B/locks/x" sh -c 'echo second >>order' 8>&- 2>told &
	joined 3
	exec 8>&-
	wait "$first" $!
	is "$(<order)" $'first\nsecond'
	[[ $(<told) =~ ^zkfs-lock:\ .*/x:\ taken\ after\ [0-9.]+\ s,\ token=0x ]] ||
		fail "$(<told)"
}

@test "lock: shared ones are together, and no exclusive one with them" {
	zk_mount A
	zk_mount B
	mkfifo together
	# Each opens the pipe for its end, and gets on only with the other.
	lock -s "$A/locks/x" sh -c 'echo hello >together' &
	is "$(lock --shared "$B/locks/x" cat together)" hello
	wait $!
	# shellcheck disable=SC2016 # sh's
	status 4 lock -s "$A/locks/x" sh -c \
		'"$1" -xn "$2" true || exit 4' sh "$LOCK" "$B/locks/x"
	# The last one counts.
	# shellcheck disable=SC2016 # sh's
	status 4 lock -x -s -e "$A/locks/x" sh -c \
		'"$1" -sn "$2" true || exit 4' sh "$LOCK" "$B/locks/x"
	joined 0
}

@test "lock: misuse is status 64 and a line of why" {
	local args
	for args in "" "/x" "-q /x true" "/x -c" "/x -c a b" "/x --"; do
		# shellcheck disable=SC2086 # several
		status 64 lock $args
		has "$(<err)" "; see 'zkfs-lock --help'"
		is "$(wc -l <err)" 1
	done
	for args in "-w x" "-w -1" "-w nan" "-w 1s" "-w" "-E 256" "-E -1" "-E x"; do
		# shellcheck disable=SC2086 # several
		status 64 lock $args /x true
	done
	status 0 lock --help
	has "$(<out)" "ZKFS_LOCK_TOKEN"
	status 0 lock --version
	has "$(<out)" "zkfs-lock "
}

# -- the lock, and nothing that only looks like it ---------------------------

@test "lock: on no zkfs mount there is no lock" {
	zk_mount A
	mkdir dir
	: >file
	status 66 lock dir touch ran
	has "$(<err)" "dir: not on a zkfs mount"
	status 66 lock file touch ran
	status 66 lock dir/new touch ran
	[ ! -e dir/new ]
	status 66 lock /dev/shm/not-there touch ran
	status 66 lock not/there touch ran
	has "$(<err)" "No such file or directory"
	status 66 lock /dev/null touch ran
	mkdir "$A/app"
	status 66 lock "$A/app" touch ran
	has "$(<err)" "not directly in a lock root"
	status 66 lock "$A/app/new" touch ran
	has "$(<err)" "not directly in a lock root"
	is "$(zk ls /app)" ""
	status 66 lock "$A/locks" touch ran
	[ ! -e ran ]
}

@test "lock: what is in a lock is none" {
	zk_mount A
	mkdir "$A/locks/x"
	status 66 lock "$A/locks/x/me" touch ran
	has "$(<err)" "is in a lock"
	joined 0
	exec 8>"$A/locks/x/me"
	status 66 lock "$A/locks/x/me" touch ran
	has "$(<err)" "is in a lock"
	exec 8>&-
	# Nor is a try-lock's directory.
	mkdir "$A/locks/x/try"
	status 66 lock -n "$A/locks/x/try" touch ran
	rmdir "$A/locks/x/try"
	[ ! -e ran ]
}

@test "lock: the token is the contender's, and grows" {
	local first second
	zk_mount A
	zk_mount B
	# shellcheck disable=SC2016 # sh's
	first=$(lock "$A/locks/x" sh -c '
		echo "$ZKFS_LOCK_TOKEN"
		for entry in "$1"/*; do
			read -r word _ <"$entry"
			[ "$word" = "token=$ZKFS_LOCK_TOKEN" ] || exit 3
		done' sh "$B/locks/x")
	# shellcheck disable=SC2016 # sh's
	second=$(lock "$B/locks/x/.lock" sh -c 'echo "$ZKFS_LOCK_TOKEN"')
	[[ $first =~ ^0x[0-9a-f]{16}$ && $second =~ ^0x[0-9a-f]{16}$ ]]
	((second > first)) || fail "$first, then $second"
	zk create /f data
	# shellcheck disable=SC2016 # sh's
	first=$(lock "$A/f" sh -c 'echo "$ZKFS_LOCK_TOKEN"')
	((first > second)) || fail "$second, then $first"
}

@test "lock: a regular file is the lock of its path" {
	zk create /f data
	zk_mount A
	zk_mount B
	# shellcheck disable=SC2016 # sh's
	status 4 lock "$A/f" sh -c '
		[ "$(cat "$2")" = data ] || exit 3
		"$1" -n "$2" true || exit 4' sh "$LOCK" "$B/f"
	is "$(zk ls /locks)" %2Ff
	status 0 lock -n "$B/f" true
}

@test "lock: flock(1) and an open entry are the same lock" {
	zk_mount A
	zk_mount B
	lock "$A/locks/x" flock -n "$B/locks/x/.lock" true && return 1
	lock "$A/locks/x" /usr/bin/python3 -c '
from posix_calls import *
expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)
expect("EEXIST", os.mkdir, A[0])' "$B/locks/x/other"
	exec 9>"$B/locks/x/other"
	status 1 lock -n "$A/locks/x" true 9>&-
	exec 9>&-
	exec 8<"$B/locks/x/.lock"
	flock 8
	status 1 lock -n "$A/locks/x" true
	flock -u 8
	status 0 lock -n "$A/locks/x" true
	flock -s 8
	status 1 lock -n "$A/locks/x" true
	status 0 lock -ns "$A/locks/x" true
	exec 8<&-
}

@test "lock: fifty at once count to fifty" {
	limit 150
	zk_mount A
	zk_mount B
	start_section
	for _ in {1..25}; do
		lock_and_count "$A" &
		WORKERS+=("$!")
		lock_and_count "$B" &
		WORKERS+=("$!")
	done
	wait "${WORKERS[@]}"
	is "$(<counter)" 50
	is "$(<overlaps)" ""
	joined 0
}

lock_and_count() {
	local section=$E2E_DIR/section.bash

	LOCK_LIMIT=140 lock "$1/locks/x" bash -c '. "$1"; critical' \
		bash "$section"
}

# -- signals -----------------------------------------------------------------

@test "lock: signals to it are for the command" {
	local name pid status=0
	zk_mount A
	"$LOCK" "$A/locks/x" bash -c "$TELL" &
	pid=$!
	within 10 told ready
	# (Of a job in the background a shell ignores INT and QUIT.)
	for name in HUP USR1 USR2 TERM; do
		kill -s "$name" "$pid"
		within 10 told "$name"
	done
	wait "$pid" || status=$?
	is "$status" 3
	joined 0
}

@test "lock: what is ignored stays so" {
	zk_mount A
	py '
def start(*ignored):
    def before():
        for sig in ignored:
            signal.signal(sig, signal.SIG_IGN)
    return subprocess.Popen([A[0], A[1], "cat"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, preexec_fn=before)
import subprocess
child = start(signal.SIGHUP, signal.SIGINT)
child.stdin.write(b"x"); child.stdin.flush()
same(child.stdout.read(1), b"x")
child.send_signal(signal.SIGHUP)
child.send_signal(signal.SIGINT)
child.stdin.write(b"y"); child.stdin.close()
same(child.stdout.read(1), b"y")
same(child.wait(), 0)
for sig in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
    child = start()
    child.stdin.write(b"x"); child.stdin.flush()
    same(child.stdout.read(1), b"x")
    child.send_signal(sig)
    same(child.wait(), 128 + sig)
' "$LOCK" "$A/locks/x"
}

@test "lock: a signal ends the wait, and nothing is left in the queue" {
	local pid signal status
	zk_mount A
	mkdir "$A/locks/x"
	exec 8>"$A/locks/x/holder"
	for signal in TERM KILL; do
		status=0
		"$LOCK" "$A/locks/x" touch ran 8>&- &
		pid=$!
		joined 2
		kill -s "$signal" "$pid"
		wait "$pid" || status=$?
		is "$status" $((128 + $(kill -l "$signal")))
		joined 1
	done
	exec 8>&-
	[ ! -e ran ]
}

@test "lock: it is killed, and so is the command with all its children" {
	local pid
	zk_mount A
	# shellcheck disable=SC2016 # sh's
	"$LOCK" "$A/locks/x" sh -c '
		trap "" TERM HUP
		sleep 1000 & echo $! >child
		sleep 1000 & echo $! >other
		wait' &
	pid=$!
	within 10 test -s other
	kill -KILL "$pid"
	wait "$pid" || :
	process_ends "$(<child)"
	process_ends "$(<other)"
	joined 0
}

@test "lock: a command that has left the group is killed too" {
	local pid
	zk_mount A
	# shellcheck disable=SC2016 # sh's
	"$LOCK" "$A/locks/x" setsid sh -c 'echo $$ >child; exec sleep 1000' &
	pid=$!
	within 10 test -s child
	kill -KILL "$pid"
	wait "$pid" || :
	process_ends "$(<child)"
	joined 0
}

@test "lock: what the command leaves behind goes on, without the lock" {
	zk_mount A
	# shellcheck disable=SC2016 # sh's
	status 0 lock "$A/locks/x" sh -c 'sleep 1000 >&- 2>&- & echo $! >child'
	joined 0
	kill -KILL "$(<child)"
}

#!/usr/bin/env bats
# zkfs-lock when the lock is lost, or zkfs-lock itself: the command does not go
# on without it.

load lib
load own_server
load locking

setup() {
	e2e_setup
	zk create /locks
}

# break_lock PATH: deletes all that is in the lock.
break_lock() {
	local name

	for name in $(zk ls "$1"); do
		zk delete "$1/$name" 2>/dev/null || :
	done
}

# ends_lost PID: it says that the lock was lost.
ends_lost() {
	local status=0

	wait "$1" || status=$?
	is "$status" 75
	has "$(<err)" "zkfs-lock: $A/locks/x: the lock is lost; ending "
}

@test "lock: deleted by somebody, the command is told, and ends" {
	zk_mount A
	zk_mount B
	"$LOCK" "$A/locks/x" bash -c "$TELL" 2>err &
	within 10 told ready
	break_lock /locks/x
	within 10 told TERM
	ends_lost $!
	is "$(<told)" $'ready\nTERM'
}

@test "lock: a command that does not listen is killed, with its children" {
	zk_mount A
	# shellcheck disable=SC2016 # sh's
	"$LOCK" "$A/locks/x" sh -c '
		trap "" TERM
		sh -c "trap \"\" TERM; sleep 1000; sleep 1000" & echo $! >child
		sleep 1000; sleep 1000' 2>err &
	within 10 test -s child
	break_lock /locks/x
	ends_lost $!
	process_ends "$(<child)"
}

@test "lock: of a command that has left the group none goes on after a loss" {
	zk_mount A
	# shellcheck disable=SC2016 # sh's
	"$LOCK" "$A/locks/x" setsid sh -c '
		trap "" TERM; echo $$ >child; sleep 1000; sleep 1000' 2>err &
	within 10 test -s child
	break_lock /locks/x
	ends_lost $!
	process_ends "$(<child)"
}

@test "lock: the server is away: the command ends before anybody gets the lock" {
	local pid next
	own_server
	zk create /locks
	zk_mount A
	zk_mount B
	"$LOCK" "$A/locks/x" bash -c "$TELL" 2>err &
	pid=$!
	within 10 told ready
	"$LOCK" "$B/locks/x" sh -c 'echo next >>told' &
	next=$!
	joined 2
	own_server_stop
	within 20 told TERM
	kill -CONT "$OWN_PID"
	ends_lost "$pid"
	wait "$next"
	is "$(<told)" $'ready\nTERM\nnext'
}

@test "lock: the daemon is killed: the command ends before the lock is free" {
	local pid next
	zk_mount A
	zk_mount B
	"$LOCK" "$A/locks/x" bash -c "$TELL" 2>err &
	pid=$!
	within 10 told ready
	"$LOCK" "$B/locks/x" sh -c 'echo next >>told' &
	next=$!
	joined 2
	zk_crash A
	ends_lost "$pid"
	wait "$next"
	is "$(<told)" $'ready\nTERM\nnext'
	fusermount3 -u "$A"
}

@test "lock: the daemon hangs: the command ends before the lock is free" {
	local pid next status=0
	zk_mount A
	zk_mount B
	"$LOCK" "$A/locks/x" sh -c 'trap "" TERM
		while :; do echo mine >>told; sleep 0.05; done' 2>err &
	pid=$!
	within 10 told mine
	"$LOCK" "$B/locks/x" sh -c 'echo next >>told' &
	next=$!
	joined 2
	kill -STOP "${MOUNT_PID[A]}"
	wait "$pid" || status=$?
	is "$status" 75
	has "$(<err)" "the mount does not say whether the lock is held"
	within 20 told next
	is "$(tail -n 1 told)" next
	kill -CONT "${MOUNT_PID[A]}"
	wait "$next"
}

@test "lock: stopped itself, it looks at once when it goes on" {
	local pid
	zk_mount A
	# It ignores SIGTERM, and so is ended by the guard.
	"$LOCK" "$A/locks/x" sh -c 'trap "" TERM
		echo $$ >child; while :; do sleep 0.05; done' 2>err &
	pid=$!
	within 10 test -s child
	kill -STOP "$pid"
	break_lock /locks/x
	# (Its parent cannot hear of it.)
	within 10 is_in_state Z "$(<child)"
	kill -CONT "$pid"
	ends_lost "$pid"
}

@test "lock: a stop of the whole group ends nothing" {
	local pid group
	zk_mount A
	# shellcheck disable=SC2016 # sh's
	"$LOCK" "$A/locks/x" bash -c '
		echo $$ >child; while [ ! -e go ]; do sleep 0.05; done; exit 6' &
	pid=$!
	within 10 test -s child
	group=$(ps -o pgid= "$(<child)")
	[ "${group// /}" != "$pid" ]
	kill -STOP "-${group// /}"
	within 10 is_in_state T "$(<child)"
	# Longer than the mount may be silent.
	read -rt 2 <>"$E2E_IDLE" || :
	kill -CONT "-${group// /}"
	touch go
	wait "$pid" || is $? 6
}

is_in_state() {
	[ "$(ps -o state= "$2")" = "$1" ]
}

@test "lock: waiting, it outlives the end of the session" {
	local pid
	zk_mount A session_timeout=0.8
	zk_mount B
	mkdir "$B/locks/x"
	exec 8>"$B/locks/x/holder"
	"$LOCK" -v "$A/locks/x" touch ran 2>err 8>&- &
	pid=$!
	joined 2
	kill -STOP "${MOUNT_PID[A]}"
	within 15 zk_session_gone "${MOUNT_SESSION[A]}"
	joined 1
	kill -CONT "${MOUNT_PID[A]}"
	joined 2
	exec 8>&-
	wait "$pid"
	has "$(<err)" "lost the place in the queue"
	[ -e ran ]
}

@test "lock: waiting, a dead daemon ends it" {
	local pid status=0
	zk_mount A
	zk_mount B
	mkdir "$B/locks/x"
	exec 8>"$B/locks/x/holder"
	"$LOCK" "$A/locks/x" touch ran 2>err 8>&- &
	pid=$!
	joined 2
	zk_crash A
	wait "$pid" || status=$?
	is "$status" 71
	has "$(<err)" "zkfs-lock: $A/locks/x: "
	[ ! -e ran ]
	exec 8>&-
	fusermount3 -u "$A"
}

@test "lock: -w is kept when no server answers" {
	own_server
	zk create /locks/x
	zk_mount A timeo=20
	zk_mount B
	ls "$A/locks" >/dev/null
	own_server_stop
	LOCK_LIMIT=8 status 1 lock -w 0.5 "$A/locks/x" touch ran
	kill -CONT "$OWN_PID"
	[ ! -e ran ]
	within 10 joined 0
}

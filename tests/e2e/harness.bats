#!/usr/bin/env bats
# The harness itself: what the other files rely on.

load lib

@test "harness: the foreign client creates, reads, lists, deletes" {
	zk create /a/b hello
	is "$(zk get /a/b)" hello
	is "$(zk ls /a)" b
	is "$(zk stat /a/b version dataLength)" $'0\n5'
	zk set /a/b again
	is "$(zk stat /a/b version)" 1
	fails "bad version" zk setv /a/b 0 late
	zk rmr /a
	fails "no node" zk exists /a
}

@test "harness: hostile names and data go through unchanged" {
	zk create $'/sp ace\'"q"€' $'two\nlines\n'
	is "$(zk ls /)" $'sp ace\'"q"€'
	is "$(zk get $'/sp ace\'"q"€'; echo x)" $'two\nlines\nx'
	head -c 100000 /dev/urandom >blob
	zk create /blob "@$PWD/blob"
	zk get /blob | cmp - blob
}

@test "harness: a watcher records each event of a node" {
	zk create /w 0
	zk watch /w
	zk set /w 1
	is "$(zk events /w 1 5)" "CHANGED 1 1"
	zk set /w 2
	is "$(zk events /w 2 5)" $'CHANGED 1 1\nCHANGED 2 2'
}

@test "harness: sessions by name, their ephemerals, their end" {
	zk_as one ephemeral /e
	id=$(zk_as one id)
	zk_sessions | grep -qxF "$id"
	zk_as one close
	zk await_gone /e 5
	within 5 zk_session_gone "$id"
}

@test "harness: kazoo's lock excludes between sessions" {
	zk_as one lock /l 5
	fails "not acquired" zk_as two lock /l 0
	zk_as one unlock /l
	zk_as two lock /l 5
}

@test "harness: children by the thousand, and coming and going" {
	zk fill /many 0 1000
	is "$(zk ls /many | wc -l)" 1000
	zk churn /many 20
	within 10 churned
	[ "$(zk unchurn /many)" -gt 0 ]
	is "$(zk await_children /many 1000 5 | wc -l)" 1000
}

churned() {
	[ "$(zk stat /many cversion)" -gt 1100 ]
}

@test "harness: py reports the errno by name" {
	is "$(py 'print(err(os.open, A[0], O_RDONLY))' nonesuch)" ENOENT
	fails "expected OK, got ENOENT" py 'expect("OK", os.open, A[0], 0)' no
}

@test "harness: an overdue test is ended and says where it stood" {
	is "$(cat "$BATS_TEST_TMPDIR/overdue" 2>/dev/null)" ""
	limit 0.2
	fails "" sleep 100
	stop_watchdog
	has "$(cat "$BATS_TEST_TMPDIR/overdue")" "sleep 100"
	rm "$BATS_TEST_TMPDIR/overdue"
}

is_aborted() {
	[ -z "$(connections_below "$BATS_TEST_TMPDIR/")" ]
}

@test "harness: a mount that hangs is aborted, with the daemon's stack" {
	zk create /f x
	zk_mount A
	kill -STOP "${MOUNT_PID[A]}"
	limit 0.5
	fails "" cat "$A/f"
	stop_watchdog
	within 10 is_aborted
	kill -KILL "${MOUNT_PID[A]}" || :
	wait "${MOUNT_PID[A]}" || :
	unset "MOUNT_PID[A]"
	has "$(cat overdue)" "cat $A/f"
	! command -v gdb >/dev/null || has "$(cat overdue)" zkfs_loop_run
	rm overdue
}

@test "harness: zk.py alone does what the server does" {
	zk create /f hello
	is "$(timeout 30 "$E2E_DIR/zk.py" run "$SOURCE" alone get /f)" hello
	fails "no node" timeout 30 "$E2E_DIR/zk.py" run "$SOURCE" alone \
		exists /g
}

@test "harness: a process that lost its parent is found" {
	(sleep 1000 3>&- 4>&- & echo $! >stray)
	strays | grep -qx "$(<stray)"
}

#!/usr/bin/env bats
# Running it: the command, its errors, its end, and servers that are away.

load lib
load own_server

# ends_in_failure PID: of a child of the test.
ends_in_failure() {
	local status=0

	wait "$1" || status=$?
	[ "$status" != 0 ] || fail "process $1 ended with 0"
}

# -- starting ----------------------------------------------------------------

@test "daemon: the command returns when the mount answers" {
	zk create /f data
	mkdir m
	for _ in 1 2 3; do
		"$ZKFS" "$SOURCE" "$PWD/m" 3>&- 4>&-
		is "$(cat m/f)" data
		fusermount3 -u m
		within 10 no_daemons
	done
}

one_daemon() {
	[ "$(daemons_below "$BATS_TEST_TMPDIR" | wc -l)" = 1 ]
}

no_daemons() {
	[ -z "$(daemons_below "$BATS_TEST_TMPDIR")" ]
}

@test "daemon: in the background it keeps nothing of who started it" {
	local output pid fd
	mkdir m
	exec 7<>held
	# Were the pipe kept open, this would not return.
	output=$("$ZKFS" "$SOURCE" "$PWD/m" 2>&1 3>&- 4>&-)
	is "$output" ""
	# Who was started ends when the mount is there, and may take a moment.
	within 10 one_daemon
	pid=$(daemons_below "$BATS_TEST_TMPDIR")
	for fd in 0 1 2; do
		is "$(readlink "/proc/$pid/fd/$fd")" /dev/null
	done
	is "$(readlink "/proc/$pid/cwd")" /
	is "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid"
	[[ $(readlink "/proc/$pid"/fd/*) != *held* ]]
	exec 7>&-
	fusermount3 -u m
	process_ends "$pid"
}

@test "daemon: it may be started with nothing open" {
	zk create /f data
	mkdir m
	"$ZKFS" "$SOURCE" "$PWD/m" <&- >&- 2>&- 3>&- 4>&-
	is "$(cat m/f)" data
}

@test "daemon: -f stays in the foreground" {
	zk_mount A
	is "$(</proc/"${MOUNT_PID[A]}"/comm)" zkfs
	is "$(ps -o ppid= -p "${MOUNT_PID[A]}" | tr -d ' ')" "$BASHPID"
	is "$(grep -c "is mounted on $A" "$A.log")" 1
	zk_umount A
}

@test "daemon: a mount point may be relative, and have any name" {
	local dir
	zk create /f data
	for dir in m "a b" "c,d" 'e\f' "g'h\"" "-i" "end/"; do
		mkdir -- "$dir"
		"$ZKFS" -- "$SOURCE" "$dir" 3>&- 4>&-
		is "$(cat "./$dir/f")" data
		# It is found again among what is mounted.
		fails "already" "$ZKFS" -- "$SOURCE" "$PWD/$dir"
		is "$(cat "./$dir/f")" data
		umount "./$dir"
	done
	within 10 no_daemons
}

@test "daemon: options may stand before and behind, as mount(8) has them" {
	mkdir m
	"$ZKFS" "$SOURCE" "$PWD/m" -o ro,noatime,x-systemd.automount 3>&- 4>&-
	fails "Read-only" mkdir m/d
	fusermount3 -u m
}

@test "daemon: ^C while it connects ends it and what it has started" {
	local pid
	start_listener silent
	mkdir m
	setsid env --default-signal=INT "$ZKFS" -o timeo=50 \
		"127.0.0.1:$LISTENER" "$PWD/m" 3>&- 4>&- >out 2>&1 &
	pid=$!
	within 10 connected
	# As a terminal does: to the whole foreground group.
	kill -INT -- "-$pid"
	ends_in_failure "$pid"
	within 5 no_daemons
	is "$(connections_below "$BATS_TEST_TMPDIR/")" ""
}

@test "daemon: who waited for it is killed: no mount appears later" {
	local pid
	own_server
	mkdir m
	own_server_stop
	"$ZKFS" -o timeo=50 "$SOURCE" "$PWD/m" 3>&- 4>&- >out 2>&1 &
	pid=$!
	within 10 two_daemons
	kill -KILL "$pid"
	kill -CONT "$OWN_PID"
	within 40 no_daemons
	is "$(connections_below "$BATS_TEST_TMPDIR/")" ""
}

two_daemons() {
	[ "$(daemons_below "$BATS_TEST_TMPDIR" | wc -l)" = 2 ]
}

# -- errors ------------------------------------------------------------------

# refused WORDS ARGUMENT...: zkfs fails with one line that says WORDS, in the
# background and the foreground, and leaves neither a process nor a mount.
refused() {
	local words=$1 flag

	shift
	for flag in "" -f; do
		refused_once "$words" ${flag:+"$flag"} "$@" || return 1
	done
}

refused_once() {
	local words=$1 output status=0 before

	shift
	before=$(connections_below "$BATS_TEST_TMPDIR/")
	output=$(timeout 30 "$ZKFS" "$@" 2>&1 </dev/null 3>&- 4>&-) ||
		status=$?
	[ "$status" -gt 0 ] && [ "$status" -lt 124 ] ||
		fail "exit status $status: $*: $output" || return 1
	has "$output" "$words"
	# In the foreground it may have told before that it is connected.
	[ "$1" != -f ] || output=${output#zkfs: connected to *$'\n'}
	[[ $output == zkfs:\ * && $output != *$'\n'* ]] ||
		fail "not one line of zkfs: $output" || return 1
	is "$(connections_below "$BATS_TEST_TMPDIR/")" "$before"
	[ -n "$before" ] || no_daemons || fail "a daemon is left: $*"
}

# start_listener KIND: sets LISTENER to its port. It takes connections, and
# then is silent, or says what is not ZooKeeper.
start_listener() {
	rm -f port
	mkfifo port
	/usr/bin/python3 -c '
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
with open("port", "w") as file:
    file.write("%d\n" % server.getsockname()[1])
peers = []
while True:
    peers.append(server.accept()[0])
    with open("connected", "a") as file:
        file.write("x")
    if sys.argv[1] == "http":
        peers[-1].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
' "$1" </dev/null >/dev/null 2>&1 3>&- 4>&- &
	LISTENER=$(<port)
}

# A port that was free a moment ago.
free_port() {
	py 'import socket
print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

connected() {
	[ -s connected ]
}

@test "daemon: no server, no mount" {
	local port
	mkdir m
	port=$(free_port)
	refused "reach ZooKeeper at 127.0.0.1:$port: Connection refused" \
		"127.0.0.1:$port" "$PWD/m"
	refused "Connection refused" "127.0.0.1:$port,127.0.0.1:$port/a" \
		"$PWD/m"
}

@test "daemon: one server of the list is enough" {
	local port
	mkdir m
	port=$(free_port)
	zk create /f data
	"$ZKFS" "127.0.0.1:$port,no-such-host.invalid,$SOURCE" "$PWD/m" \
		3>&- 4>&-
	is "$(cat m/f)" data
}

@test "daemon: a server that does not answer, or is none" {
	local kind
	mkdir m
	for kind in silent http; do
		start_listener "$kind"
		refused "no ZooKeeper session with 127.0.0.1:$LISTENER" \
			-o timeo=1 "127.0.0.1:$LISTENER" "$PWD/m"
	done
}

@test "daemon: a host that cannot be resolved is named" {
	mkdir m
	refused 'cannot resolve "no-such-host.invalid"' \
		no-such-host.invalid:2181 "$PWD/m"
}

@test "daemon: a server list that is malformed is shown" {
	local list
	mkdir m
	for list in 127.0.0.1:99999 127.0.0.1:0 127.0.0.1:x 127.0.0.1: :2181 \
		127.0.0.1:1:2 "127.0.0.1:$E2E_PORT," ",127.0.0.1:$E2E_PORT" \
		"a b:1" "[::1:2181" "[1.2.3.4]:2181"; do
		refused " in \"" "$list" "$PWD/m"
	done
	refused "not a znode's path" "127.0.0.1:$E2E_PORT/a//b" "$PWD/m"
	refused "not a znode's path" "127.0.0.1:$E2E_PORT/.." "$PWD/m"
	refused "empty" "" "$PWD/m"
}

@test "daemon: a chroot that does not exist" {
	mkdir m
	refused "'$TREE/nonesuch' does not exist" "$SOURCE/nonesuch" "$PWD/m"
	fails "no node" zk exists /nonesuch
}

@test "daemon: a mount point that is missing, or no directory" {
	: >file
	refused "'$PWD/nonesuch': No such file" "$SOURCE" "$PWD/nonesuch"
	refused "No such file" "$SOURCE" "$PWD/none/such"
	refused "'$PWD/file': Not a directory" "$SOURCE" "$PWD/file"
	refused "" "$SOURCE" "$PWD/file/x"
	refused "needed" "$SOURCE"
}

@test "daemon: a mount point where a zkfs is mounted already" {
	zk_mount A
	refused "'$A': a zkfs is mounted here already" "$SOURCE" "$A"
	zk create /f data
	is "$(cat "$A/f")" data
	zk_umount A
}

@test "daemon: what a killed predecessor left is taken over" {
	zk create /f data
	zk_mount A
	zk_crash A
	fails "not connected" ls "$A"
	"$ZKFS" "$SOURCE" "$A" 3>&- 4>&-
	is "$(cat "$A/f")" data
	fusermount3 -u "$A"
	is "$(connections_below "$BATS_TEST_TMPDIR/")" ""
}

@test "daemon: a bad option is named" {
	mkdir m
	refused "unknown option 'bogus'" -o bogus "$SOURCE" "$PWD/m"
	refused "unknown option 'bogus'" -o ro,bogus=1,rw "$SOURCE" "$PWD/m"
	refused "unknown option '-x'" -x "$SOURCE" "$PWD/m"
	refused "unknown option '--bogus'" --bogus "$SOURCE" "$PWD/m"
	refused "option 'timeo'" -o timeo=soon "$SOURCE" "$PWD/m"
	refused "option 'uid'" -o uid=nobody-at-all "$SOURCE" "$PWD/m"
	refused "option 'umask'" -o umask=999 "$SOURCE" "$PWD/m"
	refused "option 'lockroot'" -o lockroot=locks "$SOURCE" "$PWD/m"
	refused "option 'ro' takes no value" -o ro=1 "$SOURCE" "$PWD/m"
	refused "unexpected argument 'more'" "$SOURCE" "$PWD/m" more
}

# refused_if SPOIL WORDS: in a mount namespace where SPOIL was done.
refused_if() {
	printf '#!/bin/sh\n%s && exec "%s" "$@"\n' "$1" "$ZKFS" >in-namespace
	printf '#!/bin/sh\nexec unshare -m "%s" "$@"\n' "$PWD/in-namespace" \
		>wrapper
	chmod +x in-namespace wrapper
	ZKFS=$PWD/wrapper refused "$2" "$SOURCE" "$PWD/m"
}

@test "daemon: no FUSE device, or none that is one" {
	mkdir m
	unshare -m true || skip "no mount namespaces here"
	: >empty
	refused_if "mount -t tmpfs tmpfs /dev" \
		"cannot open /dev/fuse: No such file"
	refused_if "mount --bind '$PWD/empty' /dev/fuse" \
		"cannot mount on '$PWD/m': "
	refused_if "mount --bind /dev/null /dev/fuse" \
		"cannot mount on '$PWD/m': "
}

# -- credentials -------------------------------------------------------------

@test "daemon: an authfile that others can read, or that is none, is refused" {
	mkdir m dir
	echo "digest user:secret" >auth
	chmod 644 auth
	refused "others" -o "authfile=$PWD/auth" "$SOURCE" "$PWD/m"
	chmod 640 auth
	refused "others" -o "authfile=$PWD/auth" "$SOURCE" "$PWD/m"
	chmod 600 auth
	ln -s auth link
	refused "link" -o "authfile=$PWD/link" "$SOURCE" "$PWD/m"
	refused "No such file" -o "authfile=$PWD/nonesuch" "$SOURCE" "$PWD/m"
	refused "not a regular file" -o "authfile=$PWD/dir" "$SOURCE" "$PWD/m"
	echo "digest" >auth
	refused "line 1" -o "authfile=$PWD/auth" "$SOURCE" "$PWD/m"
	echo "digest secret" >auth
	refused "line 1" -o "authfile=$PWD/auth" "$SOURCE" "$PWD/m"
	# A wrong file is told of, its content is not.
	fails "line 1" "$ZKFS" -o "authfile=$PWD/auth" "$SOURCE" "$PWD/m"
	[[ $("$ZKFS" -o "authfile=$PWD/auth" "$SOURCE" "$PWD/m" 2>&1) != \
		*secret* ]]
}

@test "daemon: credentials open what they are for, and show nowhere" {
	local id pid
	zk create /secret data
	id=$(py 'import base64, hashlib
print(base64.b64encode(hashlib.sha1(b"user:pa55word").digest()).decode())')
	zk protect /secret digest "user:$id" read write
	echo "digest user:pa55word" >auth
	chmod 600 auth
	zk_mount A
	fails "Permission denied" cat "$A/secret"
	# The attributes of a znode are everybody's (ZooKeeper has it so).
	stat "$A/secret" >/dev/null
	mount_traced B "authfile=$PWD/auth"
	is "$(cat "$B/secret")" data
	echo new >"$B/secret"
	is "$(cat "$B/secret")" new
	pid=${MOUNT_PID[B]}
	fails "" grep -az pa55word "/proc/$pid/cmdline" "/proc/$pid/environ"
	fails "" grep pa55word /proc/self/mountinfo
	grep -q "OPEN" "$B.log"
	fails "" grep -a pa55word "$B.log"
}

# zk_mount with -d.
mount_traced() {
	printf '#!/bin/sh\nexec "%s" -d "$@"\n' "$ZKFS" >traced
	chmod +x traced
	ZKFS=$PWD/traced zk_mount "$@"
}

# -- the end -----------------------------------------------------------------

@test "daemon: a signal unmounts, and closes the session at once" {
	local signal id start
	zk create /locks/x
	for signal in TERM INT HUP; do
		zk_mount A
		id=${MOUNT_SESSION[A]}
		exec 8>"$A/locks/x/me"
		zk await_children /locks/x 3 5
		start=$(now)
		kill "-$signal" "${MOUNT_PID[A]}"
		daemon_ends A
		# The session's timeout is 4 s.
		zk await_children /locks/x 0 1
		[ "$(since "$start")" -lt 3000 ]
		within 3 zk_session_gone "$id"
		fails "" is_mounted "$A"
		exec 8>&-
	done
}

@test "daemon: a signal unmounts what is in the background too" {
	local pid
	mkdir m
	"$ZKFS" "$SOURCE" "$PWD/m" 3>&- 4>&-
	pid=$(daemons_below "$BATS_TEST_TMPDIR")
	kill -TERM "$pid"
	process_ends "$pid"
	fails "" is_mounted "$PWD/m"
}

@test "daemon: an unmount ends it, and closes the session at once" {
	local id command
	for command in "fusermount3 -u" umount "umount -l"; do
		zk_mount A
		id=${MOUNT_SESSION[A]}
		$command "$A"
		daemon_ends A
		# The session's timeout is 4 s.
		within 2 zk_session_gone "$id"
	done
}

@test "daemon: an unmount with -l lets a waiter have its lock" {
	zk create /locks/x
	zk_mount A
	zk_as other lock /locks/x 5
	wait_for_lock two
	zk await_children /locks/x 4 10
	umount -l "$A"
	zk_as other unlock /locks/x
	within 10 grep -qx two granted
	kill -KILL "$WAITER"
	daemon_ends A
	zk await_children /locks/x 0 5
}

@test "daemon: -o auto_unmount: what a killed daemon leaves is unmounted" {
	zk_mount A auto_unmount
	zk_crash A
	within 10 eval '! is_mounted "$A"'
}

@test "daemon: what is in use is not unmounted" {
	zk create /d/f data
	zk_mount A
	cd "$A/d"
	fails "busy" fusermount3 -u "$A"
	is "$(cat f)" data
	cd /
	zk_umount A
}

@test "daemon: what was written is there after the unmount" {
	zk create /f old
	zk_mount A
	echo new >"$A/f"
	kill -TERM "${MOUNT_PID[A]}"
	daemon_ends A
	is "$(zk get /f)" new
}

# -- a server that comes back ------------------------------------------------

@test "daemon: a restart of the server is survived, and waited for" {
	local id reader writer lister
	own_server
	zk create /f before
	zk create /g before
	zk_mount A timeo=50
	id=${MOUNT_SESSION[A]}
	own_server_kill
	cat "$A/f" >got 3>&- 4>&- &
	reader=$!
	within 10 waits_in_fuse "$reader"
	own_server_start
	wait "$reader"
	is "$(<got)" before
	own_server_kill
	bash -c 'echo after >"$1"' bash "$A/g" 3>&- 4>&- &
	writer=$!
	within 10 waits_in_fuse "$writer"
	own_server_start
	wait "$writer"
	# (Another session: kazoo's own may have been too slow to come back.)
	is "$(zk_as new get /g)" after
	is "$(zk_as new stat /g version)" 1
	own_server_kill
	ls "$A" >listed 3>&- 4>&- &
	lister=$!
	within 10 waits_in_fuse "$lister"
	own_server_start
	wait "$lister"
	is "$(<listed)" $'f\ng'
	# The same daemon, the same session.
	zk_sessions "$OWN_PORT" | grep -qxF "$id"
}

@test "daemon: a restart of the server leaves a lock to its holder" {
	local names waiter OWN_TICK=1000
	own_server
	zk create /locks/x
	zk_mount A timeo=50,session_timeout=20
	zk_mount B timeo=50,session_timeout=20
	exec 8<>"$A/locks/x/me"
	bash -c 'exec 9>"$1" && echo >granted' bash "$B/locks/x/two" 8>&- \
		3>&- 4>&- &
	waiter=$!
	names=$(zk await_children /locks/x 6 10)
	own_server_kill
	# What is known needs no server.
	has "$(py 'print(os.pread(8, 999, 0))')" state=held
	own_server_start
	within 20 both_connected
	is "$(zk_as new ls /locks/x)" "$names"
	has "$(py 'print(os.pread(8, 999, 0))')" state=held
	echo note >&8
	has "$(cat "$B/locks/x/me")" note=note
	[ ! -e granted ]
	exec 8>&-
	wait "$waiter"
	[ -e granted ]
}

both_connected() {
	[ "$(grep -c "same session" "$A.log")" = 1 ] &&
		[ "$(grep -c "same session" "$B.log")" = 1 ]
}

@test "daemon: a lock joined while the server is away is joined later" {
	local waiter
	own_server
	zk create /locks/x
	zk_mount A timeo=50
	# The name has to be made first, and so to be looked up.
	: >"$A/locks/x/me"
	zk await_children /locks/x 0 10
	py 'os.mknod(A[0], 0o100600)' "$A/locks/x/me"
	own_server_kill
	bash -c 'exec 9>"$1" && echo >granted' bash "$A/locks/x/me" \
		3>&- 4>&- &
	waiter=$!
	within 10 waits_in_fuse "$waiter"
	own_server_start
	wait "$waiter"
	[ -e granted ]
}

# -- a server that does not answer -------------------------------------------

@test "daemon: a note that no server takes is an error of the write" {
	own_server
	zk create /locks/x
	zk_mount A timeo=0.3
	exec 8<>"$A/locks/x/me"
	# The lock itself lasts for some seconds more.
	py 'os.kill(int(A[0]), signal.SIGSTOP)
def refused():
    said = err(os.write, 8, b"x")
    if said == "EIO":
        sys.exit("EIO is for a lock that is lost")
    return said == "ETIMEDOUT"

if not within(5, refused):
    sys.exit("the write has not failed")' "$OWN_PID"
	kill -CONT "$OWN_PID"
	within 20 test -e "$A/locks/x/me"
	exec 8>&-
}

@test "daemon: a lock is lost before a silent server can give it away" {
	local start
	own_server
	zk create /locks/x
	zk_mount A session_timeout=4
	exec 8<>"$A/locks/x/me"
	echo note >&8
	own_server_stop
	start=$(now)
	# The session would live for 4 s after the last the server has heard.
	# A note that is under way then does not go on waiting for the server.
	py 'if not within(20, lambda: err(os.write, 8, b"x") == "EIO"):
    sys.exit("the holder was not told")'
	[ "$(since "$start")" -lt 4000 ]
	kill -CONT "$OWN_PID"
	# For ever, though the session may live on.
	within 20 test -e "$A/locks"
	py 'same(err(os.write, 8, b"x"), "EIO")
same(err(os.pread, 8, 99, 0), "EIO")'
	within 20 own_lock_free
	exec 9<>"$A/locks/x/again"
	exec 8>&- 9>&-
}

own_lock_free() {
	[ -z "$(ls "$A/locks/x")" ]
}

@test "daemon: requests give up after timeo with ETIMEDOUT" {
	local start
	own_server
	zk create /f data
	zk create /d/g data
	zk_mount A timeo=1.5
	is "$(cat "$A/f")" data
	own_server_stop
	start=$(now)
	fails "Connection timed out" cat "$A/f"
	[ "$(since "$start")" -ge 400 ] && [ "$(since "$start")" -lt 5000 ]
	start=$(now)
	fails "Connection timed out" ls "$A"
	[ "$(since "$start")" -ge 1400 ] && [ "$(since "$start")" -lt 5000 ]
	fails "Connection timed out" bash -c 'echo x >"$1"' bash "$A/f"
	fails "Connection timed out" bash -c 'echo x >"$1"' bash "$A/new"
	fails "Connection timed out" mkdir "$A/d/e"
	fails "Connection timed out" rm "$A/d/g"
	kill -CONT "$OWN_PID"
	within 20 grep -q data "$A/f"
	is "$(zk_as new get /f)" data
	is "$(zk_as new ls /d)" g
}

# ended_by SIGNAL COMMAND...: it waits for the server, and ends at once.
ended_by() {
	local signal=$1 pid start status=0

	shift
	# A shell makes its jobs ignore SIGINT.
	env --default-signal=INT "$@" >/dev/null 2>&1 3>&- 4>&- &
	pid=$!
	within 10 waits_in_fuse "$pid"
	start=$(now)
	kill "-$signal" "$pid"
	wait "$pid" || status=$?
	[ "$status" -gt 128 ] || fail "exit status $status: $*"
	[ "$(since "$start")" -lt 1000 ] || fail "late: $*"
}

@test "daemon: ^C and kill -9 end a wait at once" {
	local signal
	own_server
	zk create /f data
	zk create /d/g data
	zk_mount A timeo=50
	exec 8<"$A/d"
	own_server_stop
	for signal in INT KILL TERM; do
		ended_by "$signal" cat "$A/f"
		ended_by "$signal" ls "$A"
		ended_by "$signal" stat "$A/f"
		ended_by "$signal" mkdir "$A/e"
		ended_by "$signal" rm -f "$A/f"
		ended_by "$signal" mv "$A/f" "$A/h"
		ended_by "$signal" sync "/proc/self/fd/8"
	done
	exec 8>&-
	kill -CONT "$OWN_PID"
	within 20 grep -q data "$A/f"
	is "$(zk_as new ls /)" $'d\nf'
}

@test "daemon: df, ls -d and umount need no server" {
	local how start
	own_server
	zk create /f data
	for how in STOP KILL; do
		zk_mount A timeo=50
		is "$(cat "$A/f")" data
		kill "-$how" "$OWN_PID"
		[ "$how" = STOP ] || process_ends "$OWN_PID"
		at_once df "$A"
		at_once stat -f "$A"
		at_once ls -d "$A"
		at_once stat "$A"
		at_once fusermount3 -u "$A"
		start=$(now)
		daemon_ends A
		[ "$(since "$start")" -lt 6000 ]
		kill -CONT "$OWN_PID" 2>/dev/null || own_server_start
	done
}

@test "daemon: SIGTERM ends it while the server does not answer" {
	local how start pid
	own_server
	zk create /f data
	zk_mount A timeo=50
	own_server_stop
	cat "$A/f" >/dev/null 2>err 3>&- 4>&- &
	pid=$!
	within 10 waits_in_fuse "$pid"
	start=$(now)
	kill -TERM "${MOUNT_PID[A]}"
	daemon_ends A
	[ "$(since "$start")" -lt 8000 ]
	ends_in_failure "$pid"
	has "$(<err)" "$A/f"
	fails "" is_mounted "$A"
}

# Its open, relative to the lock, needs the server for nothing but to join.
open_when_told() {
	mkfifo go
	py '
lock = os.open(A[0], O_RDONLY)
os.mknod("me", 0o100600, dir_fd=lock)
print("ready", flush=True)
with open("go") as file:
    file.read()
print(err(os.open, "me", O_WRONLY, dir_fd=lock))' "$A/locks/x" >answer \
		3>&- 4>&- &
	OPENER=$!
	within 10 grep -q ready answer
}

@test "daemon: a lock asked for in vain is not joined by a late server" {
	own_server
	zk create /locks/x
	zk_mount A timeo=1
	open_when_told
	own_server_stop
	echo >go
	wait "$OPENER"
	is "$(<answer)" $'ready\nETIMEDOUT'
	# What was sent is done by it now: three names are made, and taken out.
	kill -CONT "$OWN_PID"
	within 10 joined_and_left
	zk_as new lock /locks/x 5
}

joined_and_left() {
	[ "$(zk_as new stat /locks/x cversion numChildren)" = $'6\n0' ]
}

# wait_for_lock NAME: in the background; WAITER is its pid.
wait_for_lock() {
	bash -c 'exec 9>"$1" || exit
		echo "${1##*/}" >>granted
		read -r <&8' bash "$A/locks/x/$1" 8<>"$E2E_IDLE" 3>&- 4>&- &
	WAITER=$!
}

@test "daemon: who dies while the server hangs leaves the queue later" {
	local one two
	own_server
	zk create /locks/x
	zk_mount A timeo=50
	wait_for_lock one
	one=$WAITER
	within 10 grep -qx one granted
	wait_for_lock two
	two=$WAITER
	zk await_children /locks/x 6 10
	wait_for_lock three
	zk await_children /locks/x 9 10
	own_server_stop
	kill -KILL "$two" "$one"
	process_ends "$two"
	process_ends "$one"
	is "$(<granted)" one
	kill -CONT "$OWN_PID"
	within 10 grep -qx three granted
	is "$(<granted)" $'one\nthree'
	zk_as new await_children /locks/x 3 10
}

@test "daemon: a waiter waits on while the server restarts, beyond timeo" {
	# shellcheck disable=SC2034 # own_server's
	local one OWN_TICK=1000
	own_server
	zk create /locks/x
	zk_mount A timeo=0.3,session_timeout=20
	wait_for_lock one
	one=$WAITER
	within 10 grep -qx one granted
	wait_for_lock two
	zk await_children /locks/x 6 10
	own_server_kill
	fails "timed out" ls "$A/locks"
	own_server_start
	within 20 grep -q "same session" "$A.log"
	is "$(<granted)" one
	kill -KILL "$one"
	within 10 grep -qx two granted
}

# -- a session that is over --------------------------------------------------

@test "daemon: an expired session is replaced, old writers get ESTALE" {
	local id pid
	zk create /f old
	zk create /g old
	zk_mount A session_timeout=0.8
	id=${MOUNT_SESSION[A]}
	mkfifo go
	# Not the test's shell: its children would flush the handles at their
	# end, and wait for a daemon that is stopped.
	/usr/bin/python3 -c '
from posix_calls import *
dirty = os.open(A[0], O_RDWR)
os.write(dirty, b"mine")
clean = os.open(A[0], O_RDWR)
reader = os.open(A[0], O_RDONLY)
append = os.open(A[1], O_WRONLY | O_APPEND)
print("ready", flush=True)
with open("go") as file:
    file.read()
same(os.read(reader, 99), b"old")
same(err(os.write, clean, b"x"), "ESTALE")
same(err(os.close, dirty), "ESTALE")
# An append is on whatever version there is.
os.write(append, b"+")
os.close(append)
print("done", flush=True)' "$A/f" "$A/g" </dev/null >out 2>&1 3>&- 4>&- &
	pid=$!
	within 10 grep -q ready out
	kill -STOP "${MOUNT_PID[A]}"
	within 15 zk_session_gone "$id"
	kill -CONT "${MOUNT_PID[A]}"
	# What is asked before the expiry is known waits until it is.
	is "$(cat "$A/f")" old
	echo >go
	wait "$pid" || fail "$(<out)"
	is "$(<out)" $'ready\ndone'
	is "$(zk get /f)" old
	is "$(zk stat /f version)" 0
	is "$(zk get /g)" old+
	echo new >"$A/f"
	is "$(zk get /f)" new
	is "$(grep -c 'new session' "$A.log")" 2
}

# -- options -----------------------------------------------------------------

@test "daemon: -o ro: nothing can be changed" {
	zk create /f data
	zk create /locks/x
	zk_mount A ro
	is "$(cat "$A/f")" data
	fails "Read-only" bash -c 'echo x >"$1"' bash "$A/f"
	fails "Read-only" mkdir "$A/d"
	fails "Read-only" rm "$A/f"
	fails "Read-only" mv "$A/f" "$A/g"
	fails "Read-only" touch "$A/f"
	fails "Read-only" bash -c 'exec 9>"$1"' bash "$A/locks/x/me"
	grep -q " $A ro[, ]" /proc/self/mountinfo
}

@test "daemon: -o uid, gid, umask, fmask, dmask: owner and mode" {
	zk create /d/f data
	zk_mount A uid=1234,gid=5678,umask=027
	is "$(stat -c '%u %g %a' "$A/d/f")" "1234 5678 640"
	is "$(stat -c '%u %g %a' "$A/d" "$A")" $'1234 5678 750\n1234 5678 750'
	zk_mount B uid=nobody,umask=077,fmask=133,dmask=022
	is "$(stat -c '%U %a' "$B/d/f")" "nobody 644"
	is "$(stat -c '%U %a' "$B/d")" "nobody 755"
}

@test "daemon: the umask of who mounts is the default" {
	umask 037
	zk create /d/f data
	zk_mount A
	is "$(stat -c '%u %g %a' "$A/d/f")" "$(id -u) $(id -g) 640"
	is "$(stat -c '%a' "$A/d")" 740
}

# As another user, by a descriptor of the root, since the path to it may be
# closed to him.
as_nobody() {
	py 'root = os.open(A[0], O_RDONLY)
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
print(err(os.open, A[1], O_RDONLY, dir_fd=root))' "$@"
}

@test "daemon: other users enter with allow_other only, and by the mode" {
	zk create /f data
	zk_mount A umask=022
	is "$(as_nobody "$A" f)" EACCES
	zk_mount B allow_other,umask=022
	is "$(as_nobody "$B" f)" OK
	zk_mount C allow_other,umask=022,fmask=077
	is "$(as_nobody "$C" f)" EACCES
}

@test "daemon: -o dataname: the name of a directory's data" {
	zk create /d/f data
	zk set /d own
	zk_mount A dataname=@data
	is "$(ls -A "$A/d" | tr '\n' ' ')" "@data f "
	is "$(cat "$A/d/@data")" own
	[ ! -e "$A/d/.data" ]
}

@test "daemon: -o lockroot: where locks are, as many as there are" {
	zk create /app/locks/x
	zk create /more/y
	zk create /locks/z
	zk_mount A lockroot=/app/locks,lockroot=/more/
	exec 8>"$A/app/locks/x/me"
	is "$(zk ls /app/locks/x | wc -l)" 3
	exec 9>"$A/more/y/me"
	is "$(zk ls /more/y | wc -l)" 3
	# The default is none when others are named.
	echo data >"$A/locks/z/file"
	is "$(zk get /locks/z/file)" data
	exec 8>&- 9>&-
}

@test "daemon: -o strict: what cannot be stored is refused" {
	zk create /f data
	zk_mount A
	chmod 600 "$A/f"
	chown 1234 "$A/f"
	touch -d 2001-01-01 "$A/f"
	zk_mount B strict
	fails "not permitted" chmod 600 "$B/f"
	fails "not permitted" chown 1234 "$B/f"
	fails "not permitted" touch -d 2001-01-01 "$B/f"
	# Unless nothing would change.
	chmod "$(stat -c %a "$B/f")" "$B/f"
	chown "$(id -u)" "$B/f"
	is "$(zk get /f)" data
}

@test "daemon: --help and --version" {
	local help
	help=$("$ZKFS" --help)
	is "$("$ZKFS" -h)" "$help"
	has "$help" "Usage: zkfs "
	for word in uid= gid= umask= fmask= dmask= ro sync strict allow_other \
		timeo= session_timeout= dataname= lockroot= locknames= \
		authfile=; do
		has "$help" "  $word"
	done
	[[ $("$ZKFS" --version) =~ ^zkfs\ [0-9]+\.[0-9]+ ]]
	is "$("$ZKFS" -V)" "$("$ZKFS" --version)"
	fails "zkfs --help" "$ZKFS"
}

@test "daemon: -d traces each request" {
	zk create /f data
	mount_traced A
	cat "$A/f"
	grep -qE 'LOOKUP .*"/f": ok' "$A.log"
	grep -qE 'OPEN .*"/f": ok' "$A.log"
	fails "No such file" cat "$A/nonesuch"
	grep -qE 'LOOKUP .*"/nonesuch": No such file' "$A.log"
}

# mount(8) drops PATH, and finds zkfs where it would be installed: in a mount
# namespace that may be had without installing it.
@test "daemon: mount -t fuse.zkfs, and fstab" {
	zk create /f data
	mkdir m
	unshare -m true || skip "no mount namespaces here"
	echo "$SOURCE $PWD/m fuse.zkfs noauto,x-systemd.automount,ro 0 0" >fstab
	unshare -m bash -euc '
		mount --bind "$1" /usr/local/bin
		mount -t fuse.zkfs -o nofail,noatime,_netdev,umask=077 "$2" m
		cat m/f
		stat -c " %a" m/f
		findmnt -rno FSTYPE,SOURCE m
		umount m
		mount -T fstab "$PWD/m"
		cat m/f
		mkdir m/d || echo " is refused"
		umount m
		mount -t fuse.zkfs -o bogus "$2" m || echo "is an error"
		' bash "${ZKFS%/*}" "$SOURCE" >out 2>err 3>&- 4>&-
	is "$(<out)" "data 600
fuse.zkfs $SOURCE
data is refused
is an error"
	has "$(<err)" "Read-only file system"
	has "$(<err)" "unknown option 'bogus'"
	within 10 no_daemons
}

@test "daemon: mount -t fuse takes the program's path" {
	zk create /f data
	mkdir m
	mount -t fuse "$ZKFS#$SOURCE" "$PWD/m" -o umask=077 3>&- 4>&-
	is "$(cat m/f)" data
	umount m
	within 10 no_daemons
}

@test "daemon: the mount is nosuid and nodev, and named by its source" {
	local options
	zk_mount A
	options=$(findmnt -no OPTIONS "$A")
	has ",$options," ,nosuid,
	has ",$options," ,nodev,
	is "$(findmnt -no FSTYPE "$A")" fuse.zkfs
	is "$(findmnt -no SOURCE "$A")" "$SOURCE"
}

@test "daemon: statfs has room, and names of 255 bytes" {
	zk_mount A
	is "$(stat -f -c %l "$A")" 255
	[ "$(stat -f -c %a "$A")" -gt 0 ]
	is "$(df --output=target "$A" | tail -n 1)" "$A"
}

@test "daemon: one whose mount was taken away leaves its successor alone" {
	local old

	zk create /f x
	zk_mount A
	exec 9<"$A/f"
	old=${MOUNT_PID[A]}
	fusermount3 -u -z "$A"
	zk_mount A 9<&-
	kill -TERM "$old"
	process_ends "$old"
	wait "$old"
	is_mounted "$A"
	is "$(timeout 10 cat "$A/f")" x
	exec 9<&-
}

@test "daemon: one whose mount was taken away ends though its successor hangs" {
	local old status=0

	zk create /f x
	zk_mount A
	exec 9<"$A/f"
	old=${MOUNT_PID[A]}
	fusermount3 -u -z "$A"
	zk_mount A 9<&-
	kill -STOP "${MOUNT_PID[A]}"
	exec 9<&-
	process_ends "$old" || status=$?
	kill -CONT "${MOUNT_PID[A]}"
	is "$status" 0 "whether it ended"
	wait "$old"
	is "$(timeout 10 cat "$A/f")" x
}

#!/usr/bin/env bats
# flock(2) and fcntl(2): locks of the whole cluster.
#
# The lock is /locks/x, reached by its file .lock. Who holds or waits has three
# znodes there if exclusive, two if shared, so that "these have joined" is a
# number of children, which a foreign client is told by a watch. Processes
# that get the lock write their name into the file `granted`. Descriptor 8 is
# the test shell's own.

load lib
load section

setup() {
	e2e_setup
	zk create /locks/x
	declare -gA CONTENDER=()
	: >granted
}

# contend NAME FILE [OPTIONS]: flock(1), which becomes a process that says
# NAME in `granted` and keeps the lock until `release NAME`: one process all
# along, that a signal can be sent to. (Of a shell's background, it would
# ignore SIGINT.)
contend() {
	local name=$1 file=$2

	shift 2
	mkfifo "$name.go"
	# shellcheck disable=SC2016 # for the inner shell
	env --default-signal=INT flock -F "$@" "$file" bash -c '
		echo "$0" >>granted
		read -r <"$0.go" || :' "$name" \
		</dev/null 2>"$name.err" 3>&- 4>&- 8>&- &
	CONTENDER[$name]=$!
}

release() {
	echo >"$1.go"
	wait "${CONTENDER[$1]}"
}

# kill_contender SIGNAL NAME
kill_contender() {
	kill "-$1" "${CONTENDER[$2]}"
	! wait "${CONTENDER[$2]}" 2>/dev/null
}

# joined EXCLUSIVE [SHARED [SECONDS [LOCK]]]: so many hold or wait.
joined() {
	zk await_children "${4:-/locks/x}" "$((3 * $1 + 2 * ${2:-0}))" \
		"${3:-10}" >/dev/null
}

order() {
	tr '\n' ' ' <granted
}

order_matches() {
	[ "$(order)" = "$1 " ]
}

# order_is NAME...: these got the lock, in this order.
order_is() {
	within 10 order_matches "$*" || is "$(order)" "$* "
}

# As order_is, where two that may go together do it in any order.
order_sorted_is() {
	[ "$(sort granted | tr '\n' ' ')" = "$* " ]
}

# busy COMMAND...: a try says that the lock is not free, and joins nothing.
busy() {
	local status=0

	"$@" || status=$?
	is "$status" 1 "$*"
}

# encoded PATH: the lock of a file.
encoded() {
	local name=${1//%/%25}

	echo "/locks/${name//\//%2F}"
}

# -- flock(1) ----------------------------------------------------------------

@test "flock: exclusive, over two mounts" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock"
	order_is one
	joined 1
	contend two "$B/locks/x/.lock"
	joined 2
	busy flock -n "$A/locks/x/.lock" true
	busy flock -n "$B/locks/x/.lock" true
	busy flock -sn "$B/locks/x/.lock" true
	is "$(order)" "one "
	release one
	order_is one two
	joined 1
	release two
	joined 0
	flock -n "$A/locks/x/.lock" true
	joined 0
}

@test "flock: -w waits so long, and leaves nothing" {
	local since status=0
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock"
	order_is one
	since=$(now)
	flock -w 0.3 -E 7 "$B/locks/x/.lock" true || status=$?
	is "$status" 7
	[ $(($(now) - since)) -ge 290 ]
	[ $(($(now) - since)) -lt 3000 ]
	joined 1
	flock -w 10 "$B/locks/x/.lock" echo two >>granted &
	joined 2
	release one
	wait $!
	order_is one two
	joined 0
}

@test "flock: when -u returns the lock is gone from the server" {
	local i
	zk_mount A
	exec 8<"$A/locks/x/.lock"
	for i in {1..20}; do
		flock 8
		is "$(zk ls /locks/x | wc -l)" 3 "round $i"
		flock -u 8
		is "$(zk ls /locks/x)" "" "round $i"
		flock -s 8
		is "$(zk ls /locks/x | wc -l)" 2 "round $i"
		flock -u 8
		is "$(zk ls /locks/x)" "" "round $i"
	done
	flock -u 8
	exec 8>&-
}

@test "flock: shared ones hold together, an exclusive one waits for all" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock" -s
	contend two "$B/locks/x/.lock" -s
	within 10 order_sorted_is one two
	joined 0 2
	flock -sn "$A/locks/x/.lock" true
	busy flock -n "$A/locks/x/.lock" true
	contend three "$B/locks/x/.lock"
	joined 1 2
	release one
	joined 1 1
	within 10 order_sorted_is one two
	release two
	within 10 order_sorted_is one three two
	release three
	joined 0
}

@test "flock: a shared one does not overtake an exclusive one that waits" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock" -s
	order_is one
	contend two "$A/locks/x/.lock"
	joined 1 1
	contend three "$B/locks/x/.lock" -s
	joined 1 2
	contend four "$A/locks/x/.lock" -s
	joined 1 3
	busy flock -sn "$B/locks/x/.lock" true
	is "$(order)" "one "
	release one
	order_is one two
	joined 1 2
	release two
	within 10 order_sorted_is four one three two
	release three
	release four
	joined 0
}

@test "flock: who waits shows in ls and cat, .lock does not" {
	local dir names
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock" -s
	order_is one
	contend two "$A/locks/x/.lock"
	joined 1 1
	for dir in "$A" "$B"; do
		mapfile -t names < <(ls -AU "$dir/locks/x")
		is "${#names[@]}" 2
		has "$(cat "$dir/locks/x/${names[0]}")" \
			"mode=shared state=held"
		has "$(cat "$dir/locks/x/${names[0]}")" \
			"pid=${CONTENDER[one]} "
		is "${names[1]}" "flock.${CONTENDER[two]}"
		has "$(cat "$dir/locks/x/${names[1]}")" \
			"mode=exclusive state=waiting"
	done
	release one
	order_is one two
	release two
	joined 0
	is "$(ls -A "$A/locks/x")" ""
}

@test "flock: conversion, both ways" {
	zk_mount A
	exec 8<"$A/locks/x/.lock"
	flock -s 8
	is "$(zk ls /locks/x | wc -l)" 2
	flock -x 8
	is "$(zk ls /locks/x | wc -l)" 3
	busy flock -sn "$A/locks/x/.lock" true
	flock -s 8
	is "$(zk ls /locks/x | wc -l)" 2
	flock -sn "$A/locks/x/.lock" true
	# It lets go first and joins the queue anew, as flock(2) has it.
	contend two "$A/locks/x/.lock"
	joined 1 1
	(flock -x 8 && echo me >>granted) 3>&- 4>&- &
	order_is two
	joined 2
	release two
	order_is two me
	wait $!
	flock -u 8
	joined 0
	# A conversion that would wait loses what was held.
	flock -s 8
	contend three "$A/locks/x/.lock" -s
	joined 0 2
	busy flock -xn 8
	joined 0 1
	release three
	exec 8>&-
	joined 0
}

@test "flock: again on the same descriptor is nothing new" {
	local before
	zk_mount A
	exec 8<"$A/locks/x/.lock"
	flock 8
	before=$(zk ls /locks/x)
	flock 8
	flock -n 8
	is "$(zk ls /locks/x)" "$before"
	flock -u 8
	is "$(zk ls /locks/x)" ""
	exec 8>&-
}

@test "flock: dup and fork share a lock, an open of one's own conflicts" {
	zk_mount A
	py '
x = A[0]
fd = os.open(x, O_RDONLY)
again = os.dup(fd)
own = os.open(x, O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
expect("OK", fcntl.flock, again, fcntl.LOCK_EX | fcntl.LOCK_NB)
expect("EAGAIN", fcntl.flock, own, fcntl.LOCK_EX | fcntl.LOCK_NB)
expect("EAGAIN", fcntl.flock, own, fcntl.LOCK_SH | fcntl.LOCK_NB)
# An unlock through what has no lock unlocks nothing.
fcntl.flock(own, fcntl.LOCK_UN)
expect("EAGAIN", fcntl.flock, own, fcntl.LOCK_EX | fcntl.LOCK_NB)
pid = os.fork()
if pid == 0:
    ok = err(fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB) == "OK"
    mine = os.open(x, O_RDONLY)
    ok &= err(fcntl.flock, mine, fcntl.LOCK_SH | fcntl.LOCK_NB) == "EAGAIN"
    os._exit(0 if ok else 1)
same(os.waitpid(pid, 0)[1], 0)
expect("EAGAIN", fcntl.flock, own, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.close(fd)
expect("EAGAIN", fcntl.flock, own, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(again, fcntl.LOCK_UN)
expect("OK", fcntl.flock, own, fcntl.LOCK_EX | fcntl.LOCK_NB)
' "$A/locks/x/.lock"
	joined 0
}

@test "flock: the last close releases it, be it a child's" {
	zk_mount A
	mkfifo child.go
	exec 8<"$A/locks/x/.lock"
	flock 8
	bash -c 'read -r <child.go || :' 3>&- 4>&- &
	exec 8>&-
	contend two "$A/locks/x/.lock"
	joined 2
	is "$(order)" ""
	echo >child.go
	order_is two
	release two
	joined 0
}

@test "flock: the death of the holder releases it" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock"
	order_is one
	contend two "$B/locks/x/.lock"
	joined 2
	kill_contender KILL one
	order_is one two
	joined 1
	release two
	joined 0
}

# -- signals -----------------------------------------------------------------

@test "flock: a waiter that is killed leaves nothing" {
	local signal mode
	zk_mount A
	contend one "$A/locks/x/.lock"
	order_is one
	for signal in KILL TERM HUP INT; do
		for mode in -x -s; do
			contend "$signal$mode" "$A/locks/x/.lock" "$mode"
			within 10 more_than_three
			kill_contender "$signal" "$signal$mode"
			joined 1 0 0.9
		done
	done
	fails "" timeout 0.3 flock "$A/locks/x/.lock" true
	joined 1 0 0.9
	# Nobody waits for one that is gone.
	contend dies "$A/locks/x/.lock"
	joined 2
	contend two "$A/locks/x/.lock"
	joined 3
	kill_contender KILL dies
	joined 2 0 0.9
	release one
	order_is one two
	release two
	joined 0
}

more_than_three() {
	[ "$(zk ls /locks/x | wc -l)" -gt 3 ]
}

@test "flock: a signal that is handled keeps the place in the queue" {
	local before pid restart
	zk_mount A
	for restart in False True; do
		: >granted
		rm -f ./*.go
		contend one "$A/locks/x/.lock"
		order_is one
		# The kernel restarts it (SA_RESTART), or python does.
		/usr/bin/python3 -c '
import fcntl, signal, sys
def handler(*_):
    with open("handled", "a") as file:
        file.write("x")
signal.signal(signal.SIGUSR1, handler)
signal.siginterrupt(signal.SIGUSR1, sys.argv[2] != "True")
with open(sys.argv[1]) as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open("granted", "a") as file:
        file.write("me\n")' "$A/locks/x/.lock" "$restart" 3>&- 4>&- &
		pid=$!
		joined 2
		contend last "$A/locks/x/.lock"
		joined 3
		before=$(zk stat /locks/x cversion)
		: >handled
		if [ "$restart" = False ]; then
			kill -USR1 "$pid"
			within 5 test -s handled
			: >handled
			kill -USR1 "$pid"
			within 5 test -s handled
		else
			# Python runs its handlers between calls only; that one
			# was interrupted and restarted shows in none of them.
			kill -USR1 "$pid"
			kill -USR1 "$pid"
		fi
		# Longer than the place of one that is gone is kept.
		fails "children" zk await_children /locks/x 100 1.5
		is "$(zk stat /locks/x cversion)" "$before"
		release one
		order_is one me last
		wait "$pid"
		release last
		joined 0
	done
}

# -- files -------------------------------------------------------------------

@test "flock: a file's lock is named after its path, and made on first use" {
	zk rmr /locks
	zk create /app/conf data
	zk create /app/100% data
	zk_mount A
	zk_mount B
	contend one "$A/app/conf"
	order_is one
	is "$(zk ls /locks)" "%2Fapp%2Fconf"
	joined 1 0 10 "$(encoded /app/conf)"
	busy flock -n "$B/app/conf" true
	busy flock -n "$B/locks/%2Fapp%2Fconf/.lock" true
	contend two "$B/app/conf"
	joined 2 0 10 "$(encoded /app/conf)"
	# Another file is another lock.
	flock -n "$B/app/100%" true
	zk exists /locks/%2Fapp%2F100%25
	release one
	order_is one two
	release two
	joined 0 0 10 "$(encoded /app/conf)"
	joined 0 0 10 "$(encoded /app/100%)"
	is "$(zk get /app/conf)" data
}

@test "flock: a file's lock whose directory comes and goes is taken" {
	zk rmr /locks
	zk create /app/conf data
	zk_mount A
	timeout 60 "$E2E_DIR/bin/reaper.py" "$SOURCE" "$A/app/conf" \
		"$(encoded /app/conf)" 3>&- 4>&-
}

@test "flock: a file's lock that cannot be made for want of the tree says so" {
	zk create /tree/conf data
	zk_mount A "" "$SOURCE/tree"
	exec 8<"$A/conf"
	zk rmr /tree
	fails "No such file" timeout 20 flock 8
	zk create /tree
	timeout 20 flock 8
	is "$(zk ls /tree/locks)" "%2Fconf"
	exec 8>&-
}

@test "flock: a file that is locked is read and written as any other" {
	local i
	zk create /app/count 0
	zk_mount A
	zk_mount B
	exec 8<>"$A/app/count"
	flock 8
	is "$(cat <&8)" 0
	echo 5 >"$A/app/count"
	is "$(zk get /app/count)" 5
	echo 6 >"$B/app/count"
	is "$(cat "$A/app/count")" 6
	exec 8>&-
	joined 0 0 10 "$(encoded /app/count)"
	echo 0 >"$A/app/count"
	for i in 1 2 3 4; do
		work count_up "$A/app/count" 8
		work count_up "$B/app/count" 8
	done
	finish_section
	is "$(zk get /app/count)" 64
	joined 0 0 10 "$(encoded /app/count)"
}

# count_up FILE ROUNDS: reads and writes back, under the file's own lock.
count_up() {
	local i n

	for ((i = 0; i < $2; i++)); do
		exec 8<"$1"
		flock 8
		n=$(zk get "/app/${1##*/}")
		echo $((n + 1)) >"$1"
		exec 8>&-
	done
}

@test "flock: an open-held lock and flock exclude each other" {
	zk_mount A
	zk_mount B
	exec 8>"$A/locks/x/me"
	busy flock -n "$A/locks/x/.lock" true
	busy flock -sn "$B/locks/x/.lock" true
	# Through the descriptor that holds it, it is held.
	timeout 5 flock 8
	timeout 5 flock -n 8
	timeout 5 flock -s 8
	timeout 5 flock -u 8
	is "$(zk ls /locks/x | wc -l)" 3
	contend two "$B/locks/x/.lock"
	joined 2
	exec 8>&-
	order_is two
	py 'for x in A:
    expect("EAGAIN", os.open, x, O_WRONLY | O_CREAT | O_NONBLOCK)
' "$A/locks/x/me" "$B/locks/x/me"
	release two
	joined 0
	exec 8<"$A/locks/x/.lock"
	flock -s 8
	py 'expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)
' "$A/locks/x/me"
	flock -u 8
	py 'expect("OK", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)
' "$A/locks/x/me"
	exec 8>&-
	joined 0
}

@test "flock: .lock joins nothing when it is opened" {
	zk_mount A
	is "$(ls -A "$A/locks/x")" ""
	py '
for flags in (O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC,
              O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_APPEND):
    fd = os.open(A[0], flags)
    if flags != O_RDONLY:
        expect("EPERM", os.write, fd, b"x")
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)
expect("EEXIST", os.open, A[0], O_WRONLY | O_CREAT | O_EXCL)
same(read_all(A[0]), b"")
' "$A/locks/x/.lock"
	is "$(zk ls /locks/x)" ""
	fails "Operation not permitted" rm -f "$A/locks/x/.lock"
	fails "Operation not permitted" mv "$A/locks/x/.lock" "$A/locks/x/y"
	[ -f "$A/locks/x/.lock" ]
	fails "No such file" flock -n "$A/locks/none/.lock" true
	rmdir "$A/locks/x"
}

# -- fcntl(2) ----------------------------------------------------------------

# What the tests of fcntl have in common; python says it is a second process
# by `other`.
FCNTL='
RD, WR, UN = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK

def lock(fd, kind, command=fcntl.F_SETLK, start=0, length=0):
    flock = struct.pack("hhqqi4x", kind, 0, start, length, 0)
    flock = fcntl.fcntl(fd, command, flock)
    return struct.unpack("hhqqi4x", flock)

def other(test):
    pid = os.fork()
    if pid == 0:
        try:
            test(os.open(A[-1], os.O_RDWR))
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    same(os.waitpid(pid, 0)[1], 0)

def other_says(wanted, *arguments):
    other(lambda fd: expect(wanted, lock, fd, *arguments))
'

@test "fcntl: exclusive and shared, of the whole file" {
	zk create /f data
	zk_mount A
	zk_mount B
	py "$FCNTL"'
for path in ("/f", "/locks/x/.lock"):
    A[-1] = A[1] + path
    fd = os.open(A[0] + path, os.O_RDWR)
    lock(fd, WR)
    other_says("EAGAIN", WR)
    other_says("EAGAIN", RD)
    lock(fd, WR)
    lock(fd, RD)
    other_says("OK", RD)
    other_says("EAGAIN", WR)
    lock(fd, UN)
    other_says("OK", WR)
    # What goes with the end of a process goes a moment later.
    lock(fd, WR, fcntl.F_SETLKW)
    # One that waits gets it.
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        mine = os.open(A[-1], os.O_RDWR)
        os.write(w, b"x")
        lock(mine, WR, fcntl.F_SETLKW)
        os._exit(7)
    os.read(r, 1)
    same(os.waitpid(pid, os.WNOHANG), (0, 0))
    lock(fd, UN)
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)
    os.close(fd)
' "$A" "$B" ""
	joined 0
	joined 0 0 10 "$(encoded /f)"
}

@test "fcntl: F_GETLK tells who is in the way" {
	zk create /f data
	zk_mount A
	py "$FCNTL"'
fd = os.open(A[0], os.O_RDWR)
me = os.getpid()
def says(asked, kind, pid):
    def test(mine):
        got = lock(mine, asked, fcntl.F_GETLK)
        same(got[0], kind)
        if kind != UN:
            same(got[2:], (0, 0, pid))
    other(test)
says(WR, UN, 0)
lock(fd, RD)
says(RD, UN, 0)
# The names of a shared one do not tell its process.
says(WR, RD, 0)
lock(fd, WR)
says(RD, WR, me)
says(WR, WR, me)
same(lock(fd, WR, fcntl.F_GETLK)[0], UN)
lock(fd, UN)
says(WR, UN, 0)
' "$A/f"
	joined 0 0 10 "$(encoded /f)"
}

@test "fcntl: any close of the file by the process releases it" {
	zk create /f data
	zk create /g data
	zk_mount A
	py "$FCNTL"'
fd = os.open(A[1], os.O_RDWR)
lock(fd, WR)
# Of another file, or by another process: no.
os.close(os.open(A[0], os.O_RDWR))
other(lambda mine: os.close(fd))
other_says("EAGAIN", WR)
os.close(os.open(A[1], os.O_RDONLY))
def free(mine):
    if not within(5, lambda: err(lock, mine, WR) == "OK"):
        sys.exit("not released")
other(free)
os.close(fd)
' "$A/g" "$A/f"
	joined 0 0 10 "$(encoded /f)"
}

@test "fcntl: the death of the process releases it" {
	zk create /f data
	zk_mount A
	py "$FCNTL"'
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    lock(os.open(A[0], os.O_RDWR), WR)
    os.write(w, b"x")
    signal.pause()
os.read(r, 1)
fd = os.open(A[0], os.O_RDWR)
expect("EAGAIN", lock, fd, WR)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
lock(fd, WR, fcntl.F_SETLKW)
' "$A/f"
	joined 0 0 10 "$(encoded /f)"
}

@test "fcntl: F_OFD_SETLK is of the open file" {
	zk create /f data
	zk_mount A
	py "$FCNTL"'
one = os.open(A[0], os.O_RDWR)
two = os.open(A[0], os.O_RDWR)
copy = os.dup(one)
lock(one, WR, fcntl.F_OFD_SETLK)
expect("EAGAIN", lock, two, WR, fcntl.F_OFD_SETLK)
expect("EAGAIN", lock, two, RD, fcntl.F_OFD_SETLK)
expect("OK", lock, copy, WR, fcntl.F_OFD_SETLK)
same(lock(two, WR, fcntl.F_OFD_GETLK)[0], WR)
# No close of another descriptor releases it, only the last of its own.
os.close(os.open(A[0], os.O_RDONLY))
os.close(one)
expect("EAGAIN", lock, two, WR, fcntl.F_OFD_SETLK)
os.close(copy)
lock(two, WR, fcntl.F_OFD_SETLKW)
three = os.open(A[0], os.O_RDWR)
lock(two, RD, fcntl.F_OFD_SETLK)
expect("OK", lock, three, RD, fcntl.F_OFD_SETLK)
lock(three, UN, fcntl.F_OFD_SETLK)
lock(two, UN, fcntl.F_OFD_SETLK)
expect("OK", lock, three, WR, fcntl.F_OFD_SETLK)
' "$A/f"
	joined 0 0 10 "$(encoded /f)"
}

@test "fcntl: a part of a file cannot be locked" {
	zk create /f data
	zk_mount A
	py "$FCNTL"'
fd = os.open(A[0], os.O_RDWR)
for start, length in ((0, 1), (1, 0), (1, 1), (1 << 40, 1)):
    for kind in (RD, WR):
        for command in (fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_GETLK,
                        fcntl.F_OFD_SETLK):
            expect("ENOLCK", lock, fd, kind, command, start, length)
expect("OK", lock, fd, WR)
' "$A/f"
	fails "no node" zk exists "$(encoded /f)"/x
	joined 0 0 10 "$(encoded /f)"
}

# -- with others -------------------------------------------------------------

# by_flock FILE ROUNDS
by_flock() {
	local i

	for ((i = 0; i < $2; i++)); do
		exec 9<"$1" || return 1
		flock 9 || return 1
		critical
		[ $((i % 2)) = 0 ] || flock -u 9 || return 1
		exec 9>&-
	done
}

# by_open FILE ROUNDS
by_open() {
	local i

	for ((i = 0; i < $2; i++)); do
		exec 9>"$1" || return 1
		critical
		exec 9>&-
	done
}

# by_shared FILE ROUNDS: nobody is in the critical section, and the counter
# does not move.
by_shared() {
	local i n m

	for ((i = 0; i < $2; i++)); do
		exec 9<"$1" || return 1
		flock -s 9 || return 1
		read -r n <counter
		[ ! -e marker ] || echo "shared overlap" >>overlaps
		read -r m <counter
		[ "$n" = "$m" ] || echo "shared overlap" >>overlaps
		flock -u 9 || return 1
		exec 9>&-
	done
}

@test "flock: stock kazoo locks exclude ours and are excluded" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock"
	order_is one
	fails "not acquired" zk lock /locks/x 0
	release one
	zk lock /locks/x 10
	busy flock -n "$A/locks/x/.lock" true
	busy flock -sn "$A/locks/x/.lock" true
	zk unlock /locks/x
	start_section
	work by_flock "$A/locks/x/.lock" 30
	work by_kazoo one 30
	work by_flock "$B/locks/x/.lock" 30
	work by_kazoo two 30
	finish_section
	is "$(<overlaps)" ""
	is "$(<counter)" 120
	joined 0
}

@test "flock: sixty processes over two mounts count right" {
	limit 120
	local i dir
	zk_mount A
	zk_mount B
	start_section
	for ((i = 0; i < 10; i++)); do
		for dir in "$A" "$B"; do
			work by_open "$dir/locks/x/w$i" 5
			work by_flock "$dir/locks/x/.lock" 5
			work by_shared "$dir/locks/x/.lock" 5
		done
	done
	finish_section
	is "$(<overlaps)" ""
	is "$(<counter)" 200
	joined 0
	is "$(ls -A "$A/locks/x")" ""
}

# -- loss --------------------------------------------------------------------

# start_told LOCK FILE: a process that holds both; for each line that it reads
# it says what its descriptors are good for. Of its own: whoever inherited
# them from a shell would, at its exit, wait for a daemon that is stopped.
start_told() {
	mkfifo told.go
	PY_LIMIT=60 py '
lock, file = os.open(A[0], O_RDONLY), os.open(A[1], os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
fcntl.flock(file, fcntl.LOCK_SH)
with open("granted", "a") as out:
    out.write("told\n")
with open("told.go") as go:
    for line in go:
        for fd in lock, file:
            if not within(5, lambda: err(os.pread, fd, 9, 0) == "EIO"):
                sys.exit("descriptor %d was not told" % fd)
        same(err(os.pwrite, file, b"x", 0), "EIO")
        print("EIO", flush=True)
# A descriptor that is locked again is good again.
fcntl.flock(lock, fcntl.LOCK_EX)
same(os.pread(lock, 8, 0), b"token=0x")
fcntl.flock(lock, fcntl.LOCK_UN)
print("again")' "$1" "$2" </dev/null >told.out 2>&1 3>&- 4>&- &
	CONTENDER[told]=$!
}

@test "flock: a lock whose session expires is lost, its descriptor says EIO" {
	local id fd
	zk create /f data
	zk_mount A session_timeout=0.8
	zk_mount B
	start_told "$A/locks/x/.lock" "$A/f"
	exec {fd}>told.go
	order_is told
	contend theirs "$B/locks/x/.lock"
	joined 2
	# (Of an exclusive one, flock(1) thinks that NFS wants another open for
	# EIO, and waits anew.)
	contend mine "$A/locks/x/.lock" -s
	joined 2 1
	id=${MOUNT_SESSION[A]}
	kill -STOP "${MOUNT_PID[A]}"
	order_is told theirs
	within 15 zk_session_gone "$id"
	joined 1
	kill -CONT "${MOUNT_PID[A]}"
	run ! wait "${CONTENDER[mine]}"
	has "$(<mine.err)" "Input/output error"
	echo >&"$fd"
	within 10 grep -q EIO told.out
	is "$(zk get /f)" data
	# What is opened anew is not concerned.
	is "$(cat "$A/f")" data
	flock -n "$A/f" true
	busy flock -n "$A/locks/x/.lock" true
	# Lost for ever, also with the new session.
	echo >&"$fd"
	within 10 line_count_is told.out 2
	release theirs
	exec {fd}>&-
	wait "${CONTENDER[told]}" || fail "$(<told.out)"
	is "$(<told.out)" $'EIO\nEIO\nagain'
	joined 0
	joined 0 0 10 "$(encoded /f)"
}

line_count_is() {
	[ "$(wc -l <"$1")" = "$2" ]
}

@test "flock: a lock deleted by an administrator is lost" {
	zk_mount A
	exec 8<"$A/locks/x/.lock"
	flock 8
	zk delete "/locks/x/$(zk ls /locks/x | grep lock-)"
	py 'if not within(5, lambda: err(os.pread, 8, 9, 0) == "EIO"):
    sys.exit("the holder was not told")'
	joined 0
	exec 8>&-
	flock -n "$A/locks/x/.lock" true
	joined 0
}

@test "flock: unmounting releases it at once" {
	local since
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/.lock"
	order_is one
	contend two "$B/locks/x/.lock"
	joined 2
	contend three "$A/locks/x/.lock"
	joined 3
	since=$(now)
	kill -TERM "${MOUNT_PID[A]}"
	order_is one two
	[ $(($(now) - since)) -lt 3000 ]
	daemon_ends A
	run ! wait "${CONTENDER[three]}"
	release one
	release two
	joined 0
}

@test "flock: the end of a process does not wait for a daemon that hangs" {
	local status=0
	zk create /f data
	zk_mount A
	py '
fds = [os.open(path, O_RDONLY) for path in A]
for fd in fds:
    fcntl.flock(fd, fcntl.LOCK_EX)
print(os.getpid(), flush=True)
signal.pause()' "$A/locks/x/.lock" "$A/f" >told.out &
	within 10 test -s told.out
	kill -STOP "${MOUNT_PID[A]}"
	kill -TERM "$(<told.out)"
	wait $! || status=$?
	kill -CONT "${MOUNT_PID[A]}"
	is "$status" 143
	joined 0
	zk await_children /locks/%2Ff 0 10
}

#!/usr/bin/env bats
# Bad input in a lock: processes and daemons that end or stop at any moment,
# names of every kind, and other clients that put there what they like and
# delete what is not theirs. Never two holders, never a hang, never anything
# left. What is lost on the way to the server: orphans.bats.
#
# The lock is /locks/x.

load lib
load proxy
load ways

setup() {
	ways_setup
}

# -- ends --------------------------------------------------------------------

# Each of many rounds: a holder gives the lock back while a process waits for
# it, which is killed at some moment about the grant. Then a third one gets it.
ROUNDS='
import random
from ways import *

def pause(seconds):
    select.select([], [], [], random.uniform(0, seconds))

def start(way, holder):
    pid = os.fork()
    if pid == 0:
        os.close(holder.fd)
        way.take()
        signal.pause()
    return pid

signal.alarm(60)
print("seed %d" % int(A[3]))
random.seed(int(A[3]))
for i in range(int(A[4])):
    holder, third = Open(A[1], "holder"), Open(A[1], "third")
    way = WAYS[A[2]](A[0], "dies")
    holder.take()
    pid = start(way, holder)
    pause(0.02)
    holder.free()
    pause(0.01)
    os.kill(pid, random.choice((signal.SIGTERM, signal.SIGKILL)))
    os.waitpid(pid, 0)
    # A directory is the mount`s, not the process`s.
    err(os.rmdir, way.entry)
    third.take()
    third.free()
'

@test "abuse: who is killed at any moment never keeps the lock" {
	local way
	zk_mount A
	zk_mount B
	for way in $WAYS; do
		[ "$way" = try ] ||
			PY_LIMIT=60 py "$ROUNDS" "$A/locks/x" "$B/locks/x" \
				"$way" "$RANDOM" "${ROUNDS_EACH:-12}"
	done
	nothing_left
}

# Its call ends with EINTR, and it does not try again.
INTERRUPTED='
from ways import *
class Interrupted(Exception):
    pass
def handler(*_):
    raise Interrupted
signal.signal(signal.SIGUSR1, handler)
try:
    WAYS[A[0]](A[1], A[0]).take()
except Interrupted:
    pass
open(A[2], "w").write("interrupted")
signal.pause()
'

@test "abuse: who is killed while its place is kept leaves nothing" {
	local way pid
	zk_mount A
	for way in open flock shared fcntl ofd; do
		taken holder open
		PY_LIMIT=30 py "$INTERRUPTED" "$way" "$A/locks/x" "$way.out" \
			3>&- 4>&- &
		children "$((3 + $(names_of "$way")))"
		pid=$(pgrep -P "$(pgrep -P $!)")
		kill -USR1 "$pid"
		within 10 test -s "$way.out"
		kill -KILL "$pid"
		! wait $!
		# Its turn comes, and it is not there.
		take next open
		free holder
		said next held
		free next
		nothing_left
	done
}

@test "abuse: the daemon ends before joins have arrived" {
	daemon_ends_while hold_back
}

@test "abuse: the daemon ends before the replies to joins" {
	daemon_ends_while hold_reply_back
}

@test "abuse: the daemon ends while many wait" {
	daemon_ends_while taken holder open
}

# daemon_ends_while COMMAND...
daemon_ends_while() {
	local way

	mount_by_proxy
	zk_mount B
	"$@"
	for way in open flock shared background fcntl ofd; do
		take "$way" "$way"
	done
	if [ "$1" = taken ]; then
		children 20
	else
		within 10 holds_back
	fi
	kill -TERM "${MOUNT_PID[A]}"
	daemon_ends A
	kill -CONT "$PROXY"
	for way in open flock shared background fcntl ofd; do
		process_ends "${TAKER[$way]}"
		grep -qE '^E' "$way.says"
	done
	if [ "$1" = taken ]; then
		hears holder
	fi
	works "$B"
}

# -- names -------------------------------------------------------------------

@test "abuse: names of every kind, by every call that could make one" {
	zk_mount A
	zk_mount B
	py '
from ways import until
here, there = A
new = O_WRONLY | O_CREAT

def taken_by(make, free, name):
    """What makes it holds the lock, under this name, until it is freed."""
    made = make(os.path.join(here, name))
    for directory in A:
        same(os.listdir(directory), [name])
        with open(directory + "/.queue") as file:
            lines = file.read().rstrip("\n").split("\n")
        same(len(lines), 2)
    expect("EAGAIN", os.open, there + "/try", new | O_NONBLOCK)
    free(made)
    until(lambda: os.listdir(there) == [] and
          not os.path.exists(os.path.join(here, name)))

def opens(flags):
    return lambda path: os.open(path, new | flags)

def makes(path):
    os.mkdir(path)
    return path

for name in ("n" * 128, "\u00e9" * 64, "0", "-1", "-", "--", "~", "#tmp#",
             "a b", " ", "0000000000", "00000000000", "x0000000001",
             "-0000000001", "x-2147483648", "a.b", "1.2.3", "_c_", "lock",
             "_c_00000000-0000-0000-0000-000000000000-", "%2f", "$HOME", "*",
             "READ", "__WRIT_"):
    for flags in 0, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK:
        taken_by(opens(flags), os.close, name)
    taken_by(makes, os.rmdir, name)

for error, names in {
        "ENAMETOOLONG": ("n" * 129, "\u00e9" * 65, "n" * 256),
        "EPERM": (".x", "..x", ".lock.swp", "..."),
        "EINVAL": ("__READ__x", "x__WRIT__0000000001", "-lock-0000000000",
                   "lock-", "a\nb", "\x7f", "a__lock__", "__rlock__b"),
}.items():
    for name in names:
        path = os.path.join(here, name)
        for flags in 0, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK:
            expect(error, os.open, path, new | flags)
        expect(error, os.mknod, path, 0o100600)
        expect(error, os.mkdir, path)
' "$A/locks/x" "$B/locks/x"
	nothing_left
}

@test "abuse: shells that make a file and close it, and mknod without an open" {
	zk_mount A
	for i in 1 2 3; do
		: >"$A/locks/x/n"
		echo note >"$A/locks/x/n"
		touch "$A/locks/x/n"
		py 'os.mknod(A[0], 0o100600)' "$A/locks/x/never$i"
	done
	fails "not permitted" mknod "$A/locks/x/p" p
	works
	is "$(ls -A "$A/locks/x")" ""
}

# -- the lock itself ---------------------------------------------------------

# told NAME: it was refused, or is told that it has lost what it had just got.
told() {
	grep -qxE 'EIO|lost' "$1.says" || {
		echo lost 1<>"$1.go"
		false
	}
}

@test "abuse: a lock that is removed under holders and waiters, and made again" {
	local how name names token last=0
	zk_mount A
	zk_mount B
	for how in removed "made again"; do
		taken holder flock
		token=$(token_of "$A")
		[ "$token" -gt "$last" ]
		last=$token
		names="open shared background fcntl ofd"
		for name in $names; do
			take "$name" "$name" "$A"
			take "${name}B" "$name" "$B"
		done
		children 31
		zk_as administrator rmr /locks/x
		[ "$how" = removed ] || zk create /locks/x
		hears holder
		for name in $names; do
			within 20 told "$name"
			within 20 told "${name}B"
		done
		if [ "$how" = removed ]; then
			fails "no node" zk exists /locks/x
			zk create /locks/x
		fi
		children 0
		taken next open "$B"
		token=$(token_of "$A")
		[ "$token" -gt "$last" ]
		last=$token
		free next
		free holder
		# Who was let in for a moment has lost it before it was asked.
		: >overlaps
		works "$A"
		works "$B"
	done
}

# token_of MOUNT: of the first in the queue.
token_of() {
	echo "$(($(awk 'NR == 2 { print $4 }' "$1/locks/x/.queue")))"
}

@test "abuse: a lock in use is not moved away, nor is what it stands in" {
	zk_mount A
	taken holder open
	take waiter flock
	children 6
	fails "" timeout 10 mv -T "$A/locks/x" "$A/locks/y"
	fails "" timeout 10 mv -T "$A/locks/x" "$A/y"
	fails "" timeout 10 mv -T "$A/locks" "$A/y"
	children 6
	is "$(<waiter.says)" ""
	free holder
	said waiter held
	free waiter
	nothing_left
}

# -- deleted by hand ---------------------------------------------------------

# by_hand NAME...: deleted by another client, of whose doing the mounts hear
# when they do.
by_hand() {
	local name

	for name in "$@"; do
		zk_as administrator delete "/locks/x/$name"
	done
}

# znode N: the name of the Nth in the queue's order.
znode() {
	zk ls /locks/x | sed -E 's/(.*)(.{10})/\2 &/' | sort |
		cut -d ' ' -f 2 | sed -n "$1p"
}

@test "abuse: each of a holder's three names is deleted by hand" {
	local i way
	zk_mount A
	zk_mount B
	for i in 1 2 3; do
		for way in open flock mkdir; do
			taken holder "$way" "$A"
			take here open "$A"
			children 6
			take there flock "$B"
			children 9
			by_hand "$(znode "$i")"
			said here held
			# Of one mount the first knows it before the next is
			# let in. What is left of it is gone by then.
			knows holder lost
			: >overlaps
			children 6
			is "$(<there.says)" ""
			free here
			said there held
			free there
			free holder
			nothing_left
		done
	done
}

# Its family of clients is let in by that, and by that alone.
@test "abuse: a stock client enters over a name that is gone, and is told of" {
	local way
	zk_mount A
	zk_mount B
	for way in open flock mkdir; do
		taken holder "$way" "$A"
		by_hand "$(znode 2)"
		zk_as kazoo lock /locks/x 20
		hears holder
		children 1
		take next open "$B"
		children 4
		is "$(<next.says)" ""
		zk_as kazoo unlock /locks/x
		said next held
		free next
		free holder
		nothing_left
	done
}

@test "abuse: each of a waiter's three names is deleted by hand" {
	local i
	zk_mount A
	zk_mount B
	for i in 1 2 3; do
		taken holder open "$A"
		take here open "$A"
		children 6
		take there flock "$B"
		children 9
		# The next is told before its turn.
		by_hand "$(znode "$((3 + i))")"
		said here EIO
		is "$(<there.says)" ""
		knows holder kept
		children 6
		free holder
		said there held
		free there
		works "$A"
	done
}

@test "abuse: a name of one who waits behind others is deleted by hand" {
	local i
	zk_mount A
	zk_mount B
	for i in 1 2 3; do
		taken holder open "$A"
		take here open "$A"
		children 6
		take there flock "$B"
		children 9
		by_hand "$(znode "$((6 + i))")"
		free holder
		said here held
		free here
		# It is told when it comes to its turn at the latest, and had
		# it come to that before any heartbeat, with the first.
		within 20 told there
		: >overlaps
		works "$A"
	done
}

# -- foreign children --------------------------------------------------------

@test "abuse: foreign children that are no contenders" {
	local name names long
	zk_mount A
	names=(.foo .lock.swp 0 -x '#tmp#' x-lock- lock README '~bak' 000000000
		-1 x_000000001 __lock__ __READ__ _c_short 'a b' 0000000000x
		_c_00000000-0000-0000-0000-000000000000-)
	for name in "${names[@]}"; do
		zk create "/locks/x/$name" "text of $name"
	done
	# A name that no file can have is not shown, and counts for nothing.
	long=$(printf 'n%.0s' {1..300})
	zk create "/locks/x/$long"
	taken me open
	is "$(find "$A/locks/x" -mindepth 1 ! -name me -printf '%f\n' | sort)" \
		"$(printf '%s\n' "${names[@]}" | sort)"
	for name in "${names[@]}"; do
		is "$(grep -o "text of.*" "$A/locks/x/$name")" \
			"text of $name"
		awk '{ print $NF }' "$A/locks/x/.queue" |
			grep -qxFe "${name// /_}"
		rm "$A/locks/x/$name"
	done
	is "$(ls -A "$A/locks/x")" me
	zk delete "/locks/x/$long"
	free me
	nothing_left
}

@test "abuse: foreign children that stand before all others" {
	local name long
	zk_mount A
	long=$(printf 'n%.0s' {1..300})0000000000
	for name in a-lock-0000000000 0000000000 00000000000 x-2147483648 \
		_c_x-lock-0000000000 .hidden0000000000 "$long"; do
		zk create "/locks/x/$name"
		py 'expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT |
		O_NONBLOCK)' "$A/locks/x/try"
		fails "File exists" mkdir "$A/locks/x/try"
		take me open
		children 4
		is "$(awk 'NR == 2 { print $1, $3, $NF }' "$A/locks/x/.queue")" \
			"1 held ${name:0:255}"
		is "$(<me.says)" ""
		if [ "$name" = "$long" ]; then
			is "$(ls -A "$A/locks/x")" me
			zk delete "/locks/x/$name"
		else
			cat "$A/locks/x/$name" >/dev/null
			rm "$A/locks/x/$name"
		fi
		said me held
		free me
		nothing_left
	done
	# And behind all others.
	zk create /locks/x/x2147483647
	taken me open
	free me
	rm "$A/locks/x/x2147483647"
	nothing_left
}

# -- stopped -----------------------------------------------------------------

# session_is_over ID: by the server's list of those that live. A server that
# does not answer says nothing.
session_is_over() {
	local living

	living=$(zk_sessions) && [ -n "$living" ] &&
		! grep -qxF "$1" <<<"$living"
}

@test "abuse: a mount that is stopped for longer than its session" {
	limit 240
	local holder way id
	zk_mount A session_timeout=0.8
	zk_mount B
	for holder in open flock mkdir; do
		id=$(session_of_a)
		taken holder "$holder"
		for way in try open flock shared background fcntl ofd; do
			take "$way" "$way"
		done
		said try EAGAIN
		children 20
		take theirs flock "$B"
		children 23
		kill -STOP "${MOUNT_PID[A]}"
		within 60 session_is_over "$id"
		said theirs held
		children 3
		kill -CONT "${MOUNT_PID[A]}"
		hears holder
		for way in open flock shared background fcntl ofd; do
			said "$way" EIO
		done
		# Who was stopped could not be told before.
		: >overlaps
		free holder
		take next "$holder"
		free theirs
		said next held
		free next
		nothing_left
	done
}

# -- crowds ------------------------------------------------------------------

# has_room MOUNT MIB: it never had more; what a sanitizer needs is not counted.
has_room() {
	case $ZKFS_BUILD in
	*asan*) return ;;
	esac
	[ "$(memory_of "$1")" -lt "$2" ] ||
		fail "$1 had $(memory_of "$1") MiB, more than $2"
}

# memory_of MOUNT: the most it ever had, in MiB.
memory_of() {
	echo "$(($(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
		"/proc/${MOUNT_PID[$1]}/status") / 1024))"
}

@test "abuse: ten thousand of another client stand before ours" {
	limit 180
	local before
	zk_mount A
	before=$(memory_of A)
	zk_as crowd sequentials /locks/x/foo- 10000
	take me open
	zk await_children /locks/x 10003 60 >/dev/null
	is "$(timeout 60 ls "$A/locks/x" | wc -l)" 10001
	is "$(timeout 60 awk 'END { print $1, $3, $NF }' "$A/locks/x/.queue")" \
		"10001 waiting me"
	is "$(<me.says)" ""
	zk_as crowd close
	zk await_children /locks/x 3 60 >/dev/null
	said me held
	has_room A $((before + 100))
	free me
	nothing_left
}

@test "abuse: a release is told to one, however many wait" {
	limit 120
	zk_mount A
	PY_LIMIT=100 py '
n = int(A[1])
def count(name):
    with open(A[0] + "/.zkfs/metrics") as metrics:
        return sum(int(line.split()[1]) for line in metrics
                   if line.startswith(name + " "))
LISTS = "zkfs_server_request_duration_seconds_count{request=\"children\"}"
EVENTS = "zkfs_watch_events_total"
lock = A[0] + "/locks/x"
holder = os.open(lock + "/holder", O_RDWR | O_CREAT)
fds = []
for i in range(n):
    fds.append(os.open(lock + "/.lock", O_RDONLY | os.O_NONBLOCK))
    expect("EINPROGRESS", fcntl.flock, fds[i], fcntl.LOCK_EX)
# Heartbeats come while they wait, and each may be told of once.
lists, events = count(LISTS), count(EVENTS)
# Each has its own, for its watch.
if lists > 3 + n + 1:
    sys.exit("%d lists to join" % lists)
os.close(holder)
for fd in fds:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    same(poller.poll(30000), [(fd, select.POLLIN)])
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)
lists, events = count(LISTS) - lists, count(EVENTS) - events
if lists > 3 or events > n + n // 10 + 20:
    sys.exit("%d releases: %d lists, %d events" % (n, lists, events))
' "$A" "${CROWD:-300}"
	nothing_left
}

# CROWD=10000 is the long form.
@test "abuse: thousands wait on two mounts, and all get it in their order" {
	limit 300
	local dir
	zk_mount A
	zk_mount B
	PY_LIMIT=240 py '
import resource
n = int(A[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (n + 64, n + 64))
holder = os.open(A[0] + "/holder", O_RDWR | O_CREAT)
fds = []
for i in range(n):
    fds.append(os.open(A[i % 2] + "/.lock", O_RDONLY | os.O_NONBLOCK))
    expect("EINPROGRESS", fcntl.flock, fds[i], fcntl.LOCK_EX)
print("joined %.1f s" % time.process_time(), file=sys.stderr)
for lock in A[:2]:
    same(len(os.listdir(lock)), n + 1)
    with open(lock + "/.queue") as file:
        same(len(file.readlines()), n + 2)
os.close(holder)
for i in range(n):
    poller = select.poll()
    poller.register(fds[i], select.POLLIN)
    same(poller.poll(30000), [(fds[i], select.POLLIN)])
    fcntl.flock(fds[i], fcntl.LOCK_EX)
    if i + 1 < n:
        poller = select.poll()
        poller.register(fds[i + 1], select.POLLIN)
        same(poller.poll(0), [])
    # Half of them leave all at once, from the last on.
    if i == n // 2:
        for fd in fds[:i:-1]:
            os.close(fd)
        os.close(fds[i])
        break
    os.close(fds[i])
' "$A/locks/x" "$B/locks/x" "${CROWD:-1000}"
	zk await_children /locks/x 0 120 >/dev/null
	works "$A"
	for dir in A B; do
		has_room "$dir" $((100 + ${CROWD:-1000} / 25))
	done
}

#!/usr/bin/env bats
# poll(2), select(2) and epoll(7): an event loop waits for a lock without being
# stopped by it, and hears of its loss. And user.zk.lock and user.zk.token: the
# state of a lock for who only looks.
#
# The lock is /locks/x; one that holds or waits exclusively has three znodes
# there, a shared one two.

load lib
load section

setup() {
	e2e_setup
	zk create /locks/x
}

# joined EXCLUSIVE [SHARED [LOCK]]: so many hold or wait.
joined() {
	zk await_children "${3:-/locks/x}" "$((3 * $1 + 2 * ${2:-0}))" 10 \
		>/dev/null
}

# What the Python tests share: a lock's file opened for the background.
LOOP='
from select import POLLIN, POLLOUT, POLLERR, POLLHUP
EX, SH, NB, UN = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB, fcntl.LOCK_UN
ALL = POLLIN | POLLOUT

def background(path):
    return os.open(path, O_RDONLY | O_NONBLOCK)

def events(fd, seconds=0, mask=ALL):
    poller = select.poll()
    poller.register(fd, mask)
    found = poller.poll(seconds * 1000)
    return found[0][1] if found else 0

def token(fd):
    word = os.pread(fd, 4096, 0).split()[0]
    same(word[:8], b"token=0x")
    return int(word[6:], 16)
'

# loop CODE ARGUMENT...
loop() {
	local code=$1

	shift
	py "$LOOP$code" "$@"
}

@test "poll: a lock that has to be waited for is waited for in the background" {
	zk_mount A
	zk_mount B
	loop '
mine, theirs = background(A[0]), os.open(A[1], O_RDONLY)
same(events(mine), ALL)
same(os.pread(mine, 99, 0), b"")
fcntl.flock(theirs, EX)
expect("EINPROGRESS", fcntl.flock, mine, EX)
expect("EALREADY", fcntl.flock, mine, EX)
expect("EAGAIN", fcntl.flock, mine, EX | NB)
same(events(mine, 0.1), 0)
same(os.pread(mine, 99, 0), b"")
first = token(theirs)
fcntl.flock(theirs, UN)
same(events(mine, 10), ALL)
fcntl.flock(mine, EX)
fcntl.flock(mine, EX | NB)
expect("EAGAIN", fcntl.flock, theirs, EX | NB)
if not token(mine) > first:
    sys.exit("the token did not grow")
if b" mode=exclusive state=held host=" not in os.pread(mine, 4096, 0):
    sys.exit("no line: %r" % os.pread(mine, 4096, 0))
fcntl.flock(mine, UN)
same(os.pread(mine, 99, 0), b"")
fcntl.flock(theirs, EX | NB)
' "$A/locks/x/.lock" "$B/locks/x/.lock"
	joined 0
}

@test "poll: a free lock is taken at once" {
	zk_mount A
	loop '
fd = background(A[0])
fcntl.flock(fd, EX)
same(events(fd), ALL)
fcntl.flock(fd, SH)
if b" mode=shared state=held" not in os.pread(fd, 4096, 0):
    sys.exit("no line: %r" % os.pread(fd, 4096, 0))
other = background(A[0])
fcntl.flock(other, SH)
expect("EINPROGRESS", fcntl.flock, other, EX)
same(events(other, 0.1), 0)
os.close(fd)
same(events(other, 10), ALL)
fcntl.flock(other, EX | NB)
' "$A/locks/x/.lock"
	joined 0
}

@test "poll: it keeps its place among those that wait in the call" {
	zk_mount A
	zk_mount B
	loop '
holder, mine = os.open(A[0], O_RDONLY), background(A[0])
fcntl.flock(holder, EX)
expect("EINPROGRESS", fcntl.flock, mine, EX)
later = os.fork()
if later == 0:
    fd = os.open(A[1], O_RDONLY)
    fcntl.flock(fd, EX)
    os._exit(int(err(fcntl.flock, mine, EX | NB) != "EAGAIN"))
if not within(10, lambda: len(os.listdir(A[2])) == 3):
    sys.exit("the third has not joined")
fcntl.flock(holder, UN)
same(events(mine, 10), ALL)
fcntl.flock(mine, EX)
same(os.waitpid(later, os.WNOHANG)[0], 0)
fcntl.flock(mine, UN)
same(os.waitpid(later, 0)[1], 0)
' "$A/locks/x/.lock" "$B/locks/x/.lock" "$A/locks/x"
	joined 0
}

@test "poll: LOCK_UN, a conversion, close and death end the wait" {
	zk_mount A
	zk_mount B
	exec 8<"$B/locks/x/.lock"
	flock 8
	loop '
fd = background(A[0])
expect("EINPROGRESS", fcntl.flock, fd, EX)
same(len(os.listdir(A[1])), 2)
fcntl.flock(fd, UN)
same(len(os.listdir(A[1])), 1)
same(events(fd), ALL)
expect("EINPROGRESS", fcntl.flock, fd, EX)
expect("EINPROGRESS", fcntl.flock, fd, SH)
expect("EALREADY", fcntl.flock, fd, SH)
same(len(os.listdir(A[1])), 2)
os.close(fd)
if not within(10, lambda: len(os.listdir(A[1])) == 1):
    sys.exit("close left it in the queue")
fd = background(A[0])
expect("EINPROGRESS", fcntl.flock, fd, EX)
' "$A/locks/x/.lock" "$A/locks/x"
	joined 1
	loop '
fd = background(A[0])
expect("EINPROGRESS", fcntl.flock, fd, EX)
os.kill(os.getpid(), signal.SIGKILL)' "$A/locks/x/.lock" || :
	joined 1
	exec 8<&-
	joined 0
}

@test "poll: epoll and select see it, level and edge" {
	zk_mount A
	loop '
holder = os.open(A[0], O_RDONLY)
fcntl.flock(holder, EX)
waiting = [background(A[0]) for _ in range(3)]
for fd in waiting:
    expect("EINPROGRESS", fcntl.flock, fd, EX)
edge = select.epoll()
edge.register(waiting[0], select.EPOLLIN | select.EPOLLET)
level = select.epoll()
level.register(waiting[1], select.EPOLLIN)
same(edge.poll(0.1), [])
same(level.poll(0.1), [])
same(select.select([waiting[2]], [], [], 0.1)[0], [])
fcntl.flock(holder, UN)
same(edge.poll(10), [(waiting[0], select.EPOLLIN)])
fcntl.flock(waiting[0], EX)
same(level.poll(0.1), [])
os.close(waiting[0])
same(level.poll(10), [(waiting[1], select.EPOLLIN)])
same(level.poll(0), [(waiting[1], select.EPOLLIN)])
os.close(waiting[1])
same(select.select([waiting[2]], [], [], 10)[0], [waiting[2]])
fcntl.flock(waiting[2], EX)
' "$A/locks/x/.lock"
	joined 0
}

@test "poll: only a handle that was opened so waits in the background" {
	zk_mount A
	exec 8<"$A/locks/x/.lock"
	flock 8
	loop '
fd = os.open(A[0], O_RDONLY)
os.set_blocking(fd, False)
def interrupted(*_):
    raise TimeoutError
signal.signal(signal.SIGALRM, interrupted)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    fcntl.flock(fd, EX)
    sys.exit("did not wait")
except TimeoutError:
    pass
# fcntl(2) has no such way to wait.
fd = os.open(A[0], os.O_RDWR | O_NONBLOCK)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    fcntl.lockf(fd, EX)
    sys.exit("did not wait")
except TimeoutError:
    pass
' "$A/locks/x/.lock"
	exec 8<&-
	joined 0
}

@test "poll: the lock of a file" {
	zk create /f data
	zk_mount A
	zk_mount B
	loop '
mine, theirs = background(A[0]), os.open(A[1], O_RDONLY)
same(events(mine), ALL)
fcntl.flock(theirs, SH)
expect("EINPROGRESS", fcntl.flock, mine, EX)
same(events(mine, 0.1), 0)
same(os.pread(mine, 99, 0), b"data")
os.close(theirs)
same(events(mine, 10), ALL)
fcntl.flock(mine, EX)
same(os.pread(mine, 99, 0), b"data")
' "$A/f" "$B/f"
	joined 0 0 /locks/%2Ff
}

# break_lock PATH: deletes all that is in the lock, as an administrator does,
# while the mount may clear up what is left of those that it has told.
break_lock() {
	local name

	for name in $(zk ls "$1"); do
		zk delete "$1/$name" 2>/dev/null || :
	done
}

@test "poll: a loss is POLLERR and POLLHUP, for who holds and who waits" {
	zk_mount A
	mkfifo go
	loop '
LOST = POLLERR | POLLHUP
held = os.open(A[0], O_WRONLY | O_CREAT)
waiting, shared = background(A[1]), background(A[1])
expect("EINPROGRESS", fcntl.flock, waiting, EX)
expect("EINPROGRESS", fcntl.flock, shared, SH)
same(events(held, 0.1, 0), 0)
same(events(held), POLLOUT | POLLIN)
print("ready", flush=True)
for fd in held, waiting, shared:
    same(events(fd, 10, 0), LOST)
    same(events(fd), LOST | ALL)
expect("EIO", os.pread, waiting, 9, 0)
expect("EIO", os.write, held, b"x")
# Asked again, it joins again, once what is lost has left.
os.close(held)
if not within(10, lambda: err(fcntl.flock, shared, SH | NB) == "OK"):
    sys.exit("the lock is not free")
same(events(shared), ALL)
expect("EINPROGRESS", fcntl.flock, waiting, EX)
fcntl.flock(shared, UN)
same(events(waiting, 10), ALL)
fcntl.flock(waiting, EX)
' "$A/locks/x/me" "$A/locks/x/.lock" >told.out &
	within 10 grep -q ready told.out
	joined 2 1
	break_lock /locks/x
	wait $!
	joined 0
}

@test "poll: the end of the session wakes, the end of the daemon too" {
	local id
	zk_mount A session_timeout=0.8
	zk_mount B
	loop '
held, waiting = os.open(A[0], O_WRONLY | O_CREAT), background(A[1])
expect("EINPROGRESS", fcntl.flock, waiting, EX)
print("ready", flush=True)
same(events(waiting, 30, 0), POLLERR | POLLHUP)
same(events(held, 30, 0), POLLERR | POLLHUP)
print("lost", flush=True)
os.close(held)
fcntl.flock(waiting, EX)
print("again", flush=True)
poller = select.poll()
poller.register(waiting, 0)
same(poller.poll(30000)[0][1] & POLLERR, POLLERR)
print("dead", flush=True)
os._exit(0)
' "$A/locks/x/me" "$A/locks/x/.lock" >told.out 2>&1 &
	within 10 grep -q ready told.out
	joined 2
	id=${MOUNT_SESSION[A]}
	kill -STOP "${MOUNT_PID[A]}"
	within 15 zk_session_gone "$id"
	flock -n "$B/locks/x/.lock" true
	kill -CONT "${MOUNT_PID[A]}"
	within 10 grep -q lost told.out
	within 10 grep -q again told.out || fail "$(<told.out)"
	zk_crash A
	within 10 grep -q dead told.out
	wait $!
	fusermount3 -u "$A"
	within 15 flock -n "$B/locks/x/.lock" true
}

@test "poll: what was written under a lock that is lost is not committed" {
	zk create /f data
	zk create /g data
	zk_mount A
	loop '
first, second = [os.open(path, os.O_RDWR) for path in A[:2]]
for fd in first, second:
    fcntl.flock(fd, EX)
    os.pwrite(fd, b"mine", 0)
print("ready", flush=True)
for fd in first, second:
    if not within(10, lambda: events(fd, 0, 0) == POLLERR | POLLHUP):
        sys.exit("not told")
expect("EIO", os.fsync, first)
expect("EIO", os.close, first)
expect("EIO", os.close, second)
' "$A/f" "$A/g" >told.out &
	within 10 grep -q ready told.out
	break_lock /locks/%2Ff
	break_lock /locks/%2Fg
	wait $!
	is "$(zk get /f)" data
	is "$(zk get /g)" data
	is "$(cat "$A/f")" data
	joined 0 0 /locks/%2Ff
}

# attr PATH NAME: an attribute's value, or the error's name.
attr() {
	py 'try:
    print(os.getxattr(A[0], "user.zk." + A[1]).decode())
except OSError as error:
    print(errno.errorcode[error.errno])' "$1" "$2"
}

@test "lock attributes: of an entry, on every mount" {
	local token
	zk_mount A
	zk_mount B
	is "$(attr "$A/locks/x/.lock" lock)" ENODATA
	exec 8>"$A/locks/x/me"
	read -r token _ <"$A/locks/x/me"
	is "$(attr "$A/locks/x/me" lock)" held
	is "$(attr "$B/locks/x/me" lock)" held
	is "token=$(attr "$A/locks/x/me" token)" "$token"
	is "token=$(attr "$B/locks/x/me" token)" "$token"
	loop '
fd = background(A[0])
expect("EINPROGRESS", fcntl.flock, fd, EX)
names = [name for name in os.listdir(A[1]) if name != "me"]
same(len(names), 1)
same(os.getxattr(A[1] + "/" + names[0], "user.zk.lock"), b"waiting")
if not (int(os.getxattr(A[1] + "/" + names[0], "user.zk.token"), 16) >
        int(os.getxattr(A[1] + "/me", "user.zk.token"), 16)):
    sys.exit("tokens are not in the order of the queue")
same(sorted(os.listxattr(A[1] + "/me")), ["user.zk.lock", "user.zk.token"])
' "$A/locks/x/.lock" "$B/locks/x"
	break_lock /locks/x
	# The name is gone, the descriptor is not.
	within 10 eval '[ "$(attr /dev/fd/8 lock)" = lost ]'
	is "$(attr /dev/fd/8 token)" ENODATA
	is "$(attr "$B/locks/x/me" lock)" ENOENT
	exec 8>&- || :
	is "$(attr "$A/locks/x/me" lock)" ENOENT
}

@test "lock attributes: of a file, through the descriptor that locks it" {
	zk create /f data
	zk_mount A
	zk_mount B
	loop '
ours, theirs = background(A[0]), os.open(A[1], O_RDONLY)
state = lambda fd: os.getxattr(fd, "user.zk.lock")
number = lambda fd: int(os.getxattr(fd, "user.zk.token"), 16)
expect("ENODATA", state, ours)
expect("ENODATA", number, ours)
for _ in range(50):
    fcntl.flock(theirs, EX)
    first = number(theirs)
    expect("EINPROGRESS", fcntl.flock, ours, EX)
    same((state(ours), state(theirs)), (b"waiting", b"held"))
    fcntl.flock(theirs, UN)
    expect("ENODATA", state, theirs)
    same(events(ours, 10), ALL)
    if not number(ours) > first:
        sys.exit("the token did not grow")
    same(state(ours), b"held")
    fcntl.flock(ours, UN)
expect("ENOTSUP", os.setxattr, ours, "user.zk.lock", b"held")
expect("ENOTSUP", os.removexattr, ours, "user.zk.token")
# Of several, the own.
fcntl.flock(ours, SH)
first = number(ours)
child = os.fork()
if child == 0:
    fd = os.open(A[0], O_RDONLY)
    fcntl.flock(fd, SH)
    os._exit(int(not number(fd) > first))
same(os.waitpid(child, 0)[1], 0)
same(state(ours), b"held")
same(number(ours), first)
' "$A/f" "$B/f"
}

@test "poll: a file that changes, as sysfs tells it" {
	zk create /f one
	zk_mount A
	loop '
from select import POLLPRI
fd, other = os.open(A[0], O_RDONLY), os.open(A[0], O_RDONLY)
same(os.read(fd, 9), b"one")
same(events(fd, 0.1, POLLPRI), 0)
same(events(fd), ALL)
epoll = select.epoll()
epoll.register(fd, select.EPOLLPRI)
same(epoll.poll(0.1), [])
print("ready", flush=True)
same(epoll.poll(10), [(fd, select.EPOLLPRI | select.EPOLLERR)])
# Level: until it is read again from the beginning.
same(events(fd, 0, POLLPRI), POLLPRI | POLLERR)
same(os.pread(fd, 9, 1), b"ne")
same(select.select([], [], [fd], 0)[2], [fd])
same(os.pread(fd, 9, 0), b"three")
same(events(fd, 0.1, POLLPRI), 0)
same(os.pread(fd, 9, 1), b"hree")
# A descriptor that nobody polls keeps what it has opened.
same(os.pread(other, 9, 0), b"one")
# What changed before the poll.
same(events(other, 10, POLLPRI), POLLPRI | POLLERR)
print("again", flush=True)
same(events(fd, 10, POLLPRI), POLLPRI | POLLERR)
expect("ESTALE", os.pread, fd, 9, 0)
' "$A/f" >told.out &
	within 10 grep -q ready told.out
	zk set /f three
	within 10 grep -q again told.out
	zk delete /f
	wait $!
}

@test "poll: a file that changes while the session is replaced" {
	zk create /f one
	zk create /g one
	zk_mount A session_timeout=0.8
	loop '
from select import POLLPRI
f, g = os.open(A[0], O_RDONLY), os.open(A[1], O_RDONLY)
same(events(f, 0, POLLPRI), 0)
same(events(g, 0, POLLPRI), 0)
poller = select.poll()
poller.register(f, POLLPRI)
poller.register(g, POLLPRI)
print("ready", flush=True)
same(poller.poll(20000), [(f, POLLPRI | POLLERR)])
same(os.pread(f, 9, 0), b"two")
print("again", flush=True)
same(poller.poll(10000), [(g, POLLPRI | POLLERR)])
same(os.pread(g, 9, 0), b"two")
' "$A/f" "$A/g" >told.out &
	within 10 grep -q ready told.out
	kill -STOP "${MOUNT_PID[A]}"
	within 15 zk_session_gone "${MOUNT_SESSION[A]}"
	zk set /f two
	kill -CONT "${MOUNT_PID[A]}"
	within 10 grep -q again told.out
	zk set /g two
	wait $!
}

@test "poll: a writer in conflict" {
	zk create /f one
	zk_mount A
	loop '
from select import POLLPRI
fd = os.open(A[0], os.O_RDWR)
same(events(fd, 0.1, POLLPRI), 0)
print("ready", flush=True)
same(events(fd, 10, POLLPRI), POLLPRI | POLLERR)
expect("ESTALE", os.write, fd, b"x")
' "$A/f" >told.out &
	within 10 grep -q ready told.out
	zk set /f two
	wait $!
}

@test "lock attributes: the timeout of the session, on any file" {
	zk create /f data
	zk_mount A session_timeout=3
	mkdir "$A/locks/x/held"
	py '
for path in "/", "/f", "/locks", "/locks/x", "/locks/x/.lock", "/locks/x/held":
    same(os.getxattr(A[0] + path, "user.zk.timeout"), b"3000")
expect("ENOTSUP", os.setxattr, A[0] + "/f", "user.zk.timeout", b"1")
expect("ENOTSUP", os.removexattr, A[0] + "/f", "user.zk.timeout")' "$A"
	rmdir "$A/locks/x/held"
}

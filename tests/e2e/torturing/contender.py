"""contender: a process that locks again and again, in one way after another,
and writes down what it is told.

The calls that wait are the C library's, so that a signal ends them with EINTR
as it does in a program, and not as Python would have it.
"""
import ctypes
import errno
import fcntl
import os
import random
import select
import signal
import time

from torturing.children import ENDS, die_with_parent, error_name, libc
from torturing.trace import Trace, now

LOCKS = ["l0", "l1", "l2"]
FILES = ["f0"]
F_LOCK = 1  # lockf(3)
AT_REMOVEDIR = 0x200  # unlinkat(2)


class Refused(Exception):
    """A call failed; args[0] is the error's name."""


class Lost(Exception):
    """A look failed; args[0] is the error's name."""


def check(result):
    if result < 0:
        raise Refused(error_name(ctypes.get_errno()))
    return result


class Way:
    """One way of locking: the lock's name in the tree, and one try."""
    mode = "exclusive"

    def __init__(self, rng, label):
        self.lock = rng.choice(LOCKS)
        self.label = label
        self.fd = -1

    def open(self, top, name, flags):
        """Once: who was interrupted asks again through the same handle."""
        if self.fd < 0:
            self.fd = check(libc.openat(top, os.fsencode(name),
                                        flags | os.O_CLOEXEC, 0o644))

    def look(self):
        """Returns the token, or None where this handle does not tell it."""
        text = os.pread(self.fd, 4096, 0).decode()
        if not text.startswith("token="):
            raise Refused("'%s' read" % text)
        return text.split()[0].partition("=")[2]

    def close(self):
        if self.fd >= 0:
            # It closes, whatever it answers; the loss was told already.
            libc.close(self.fd)
            self.fd = -1


class Open(Way):
    """open(2) of an entry for writing: returns when the lock is ours."""
    flags = 0

    def take(self, top):
        self.open(top, "locks/%s/%s" % (self.lock, self.label),
                  os.O_RDWR | os.O_CREAT | self.flags)


class TryOpen(Open):
    flags = os.O_NONBLOCK


class Flock(Way):
    """flock(2) on the virtual file of a lock."""
    flags = 0
    wait = 0

    def __init__(self, rng, label):
        super().__init__(rng, label)
        self.mode = rng.choice(["exclusive", "shared"])
        self.name = "locks/%s/.lock" % self.lock

    def take(self, top):
        kind = fcntl.LOCK_SH if self.mode == "shared" else fcntl.LOCK_EX
        self.open(top, self.name, os.O_RDWR | self.flags)
        self.flock(kind | self.wait)

    def flock(self, operation):
        check(libc.flock(self.fd, operation))


class TryFlock(Flock):
    wait = fcntl.LOCK_NB


class UnlockedFlock(Flock):
    """Gives up by LOCK_UN instead of by close."""

    def close(self):
        if self.fd >= 0:
            libc.flock(self.fd, fcntl.LOCK_UN)
        super().close()


class BackgroundFlock(Flock):
    """flock(2) of a handle that does not wait: poll(2) tells."""
    flags = os.O_NONBLOCK

    def flock(self, operation):
        if libc.flock(self.fd, operation) == 0:
            return
        error = error_name(ctypes.get_errno())
        if error != "EINPROGRESS":
            raise Refused(error)
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if poll.poll()[0][1] & select.POLLERR:
            # Lost, or the daemon is gone: a read tells which.
            check(libc.read(self.fd, ctypes.create_string_buffer(1), 1))
            raise Refused("NOT_LOST")
        super().flock(operation)


class FileFlock(Flock):
    """flock(2) on a regular file: the lock is named after its path."""

    def __init__(self, rng, label):
        super().__init__(rng, label)
        self.name = rng.choice(FILES)
        self.lock = "%2F" + self.name

    def look(self):
        os.pread(self.fd, 4096, 0)
        return os.getxattr(self.fd, "user.zk.token").decode()


class Lockf(Flock):
    """fcntl(2) locks on the whole file, by lockf(3): exclusive only."""

    def __init__(self, rng, label):
        super().__init__(rng, label)
        self.mode = "exclusive"

    def flock(self, operation):
        check(libc.lockf(self.fd, F_LOCK, ctypes.c_long(0)))


class Mkdir(Way):
    """mkdir(2) in a lock: a try, and the mount holds it, so that it stays when
    we are killed. The next one of our label removes it."""

    def take(self, top):
        self.fd = os.dup(top)
        self.name = "locks/%s/%s" % (self.lock, self.label)
        try:
            check(libc.mkdirat(self.fd, os.fsencode(self.name), 0o755))
        except Refused as refused:
            if refused.args[0] == "EEXIST":
                super().close()  # it is not ours to remove
            raise

    def look(self):
        path = "/proc/self/fd/%d/%s" % (self.fd, self.name)
        state = os.getxattr(path, "user.zk.lock").decode()
        if state != "held":
            raise OSError(errno.ENOENT, state)
        return os.getxattr(path, "user.zk.token").decode()

    def close(self):
        if self.fd >= 0:
            libc.unlinkat(self.fd, os.fsencode(self.name), AT_REMOVEDIR)
        super().close()


def sweep(mounts, label):
    """Removes what mkdir left behind."""
    for mount in mounts:
        for lock in LOCKS:
            libc.rmdir(os.fsencode("%s/locks/%s/%s" % (mount, lock, label)))


WAYS = {"open": Open, "open-try": TryOpen, "mkdir": Mkdir, "flock": Flock,
        "flock-poll": BackgroundFlock, "flock-try": TryFlock,
        "flock-unlock": UnlockedFlock, "flock-file": FileFlock,
        "lockf": Lockf}


class NoLock(Way):
    """The control: holds what it has not taken."""

    def take(self, top):
        pass

    def look(self):
        pass


class Contender:
    def __init__(self, settings, number, name, seed):
        self.settings = settings
        self.number = number
        self.rng = random.Random(seed)
        self.trace = Trace(settings.trace)
        self.name = name
        self.n = 0
        self.hold = None

    def say(self, event, **pairs):
        self.trace.say(self.hold, event, **pairs)

    def label(self):
        """Of the entries; the next process with our number has it again."""
        return "c%d" % self.number

    def on_mount(self, mount):
        """A descriptor of the mount's top, to work from."""
        try:
            top = os.open(mount, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Refused(error_name(error.errno)) from error
        try:
            if os.fstat(top).st_dev != self.settings.bare_device:
                return top
        except OSError as error:
            os.close(top)
            raise Refused(error_name(error.errno)) from error
        os.close(top)
        raise Refused("AWAY")  # the directory that is mounted over

    def take(self, way, mount):
        top = self.on_mount(mount)
        try:
            # A shell that was interrupted tries again at once.
            while True:
                try:
                    way.take(top)
                    return
                except Refused as refused:
                    if refused.args[0] != "EINTR" or self.rng.random() < 0.5:
                        raise
        finally:
            os.close(top)

    def look(self, way):
        while True:
            before = now()
            try:
                token = way.look()
                break
            except InterruptedError:
                pass
            except OSError as error:
                raise Lost(error_name(error.errno)) from error
        self.say("looked", at=before, **({"token": token} if token else {}))

    def seconds(self):
        """How long to hold: mostly short, sometimes beyond a session."""
        if self.settings.disobeys or self.rng.random() < 0.02:
            return self.rng.uniform(0, 1.5) * self.settings.session_seconds
        return self.rng.uniform(0, 0.1)

    def moments(self):
        """The moments of a critical section. Some cling to what they have
        while something is frozen or away: that is when it may be lost."""
        begin = time.monotonic()
        end = begin + self.seconds()
        limit = begin + 2.5 * self.settings.session_seconds
        clings = self.rng.random() < 0.7
        while time.monotonic() < end or (
                clings and self.settings.board.is_trouble() and
                time.monotonic() < limit):
            time.sleep(self.rng.uniform(0, 0.1))
            yield

    def keep(self, way):
        """The critical section: each deed rests on a look just before it."""
        self.look(way)
        for _ in self.moments():
            if self.settings.disobeys:
                self.say("looked")
            else:
                self.look(way)

    def try_once(self, kind, mount):
        self.n += 1
        self.hold = "%s.%d" % (self.name, self.n)
        way = WAYS.get(kind, NoLock)(self.rng, self.label())
        self.say("joins", lock=way.lock, mode=way.mode, way=kind,
                 mount=os.path.basename(mount))
        try:
            self.take(way, mount)
            self.say("acquired")
            self.settings.board.hold(self.number,
                                     self.settings.mounts.index(mount))
            self.keep(way)
            self.say("releases")
            return True
        except Refused as refused:
            self.say("failed", error=refused.args[0])
        except Lost as lost:
            self.say("lost", error=lost.args[0])
        finally:
            way.close()
            self.settings.board.let_go(self.number)
        return False

    def run(self):
        ways = self.settings.ways or sorted(WAYS)
        sweep(self.settings.mounts, self.label())
        while time.monotonic() < self.settings.until:
            self.try_once(self.rng.choice(ways),
                          self.rng.choice(self.settings.mounts))
            time.sleep(self.rng.uniform(0, 0.1))


def insist(contender, kind, mount, seconds):
    """When all is well again each mount has to get a lock."""
    end = time.monotonic() + seconds
    while not contender.try_once(kind, mount):
        time.sleep(contender.rng.uniform(0, 0.1))
        if time.monotonic() > end:
            contender.hold = "-"
            contender.say("stuck", what="%s_does_not_get_%s" % (
                os.path.basename(mount), kind))
            return


def fork(settings, number, name, seed, work):
    """Runs work(contender) in a new process; returns its pid."""
    settings.board.let_go(number)  # its predecessor may have been killed
    old = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
        return pid
    try:
        for end in ENDS:
            signal.signal(end, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        die_with_parent(signal.SIGKILL)
        contender = Contender(settings, number, name, seed)
        try:
            work(contender)
        except BaseException as error:  # pylint: disable=broad-except
            contender.trace.say("-", "wrong", what="%s: %r" % (name, error))
        os._exit(0)
    finally:
        os._exit(1)

"""locks: what is done with locks; as starving/acts."""
import errno
import fcntl
import os
import select
import threading

from starving.acts import OLD, SECONDS, Act, expect, listed, read_all, same
from starving.world import Wrong, wait_for

EX, SH, NB, UN = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB, fcntl.LOCK_UN


class Locking(Act):
    def __init__(self, world, n):
        super().__init__(world, n)
        self.znode = "/locks/%s-%s" % (type(self).__name__, n)
        self.path = world.path(self.znode)
        self.fds = []

    def prepare(self):
        self.world.make(self.znode)

    def open(self, name, flags=os.O_RDWR | os.O_CREAT):
        fd = os.open(self.path + name, flags, 0o666)
        self.fds.append(fd)
        return fd

    def end(self):
        for fd in self.fds:
            try:
                os.close(fd)
            except OSError as error:
                same(error.errno, errno.EBADF, errno.ENOMEM, errno.EIO)
        wait_for("nobody is left in the queue",
                 lambda: not self.world.names(self.znode))

    def free(self):
        """Somebody else can have it."""
        lock = self.world.zk.Lock(self.znode, "foreign")
        same(lock.acquire(timeout=SECONDS), True)
        lock.release()


@listed
class Lock(Locking):
    def act(self):
        fd = self.open("/me")
        same(os.pread(fd, 6, 0), b"token=")
        os.write(fd, b"note")
        same(os.pread(fd, 999, 0).startswith(b"token="), True)
        os.close(fd)

    def end(self):
        super().end()
        self.free()


@listed
class LockTried(Locking):
    def act(self):
        self.open("/me", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        expect(errno.EAGAIN, os.open, self.path + "/other",
               os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)


@listed
class LockDirectory(Locking):
    def act(self):
        os.mkdir(self.path + "/me")
        expect(errno.EEXIST, os.mkdir, self.path + "/other")
        os.stat(self.path + "/me")
        os.listdir(self.path)
        os.rmdir(self.path + "/me")

    def end(self):
        # It is the mount's, and stays until it is removed.
        for name in os.listdir(self.path):
            os.rmdir(self.path + "/" + name)
        super().end()


@listed
class FlockOfLock(Locking):
    def act(self):
        fd = self.open("/.lock", os.O_RDWR)
        fcntl.flock(fd, SH)
        fcntl.flock(fd, EX)
        fcntl.flock(fd, UN)


@listed
class FlockOfFile(Locking):
    """The lock is made, of the file's path."""

    def __init__(self, world, n):
        super().__init__(world, n)
        name = "%s-%s" % (type(self).__name__, n)
        self.path = world.path("/" + name)
        self.znode = "/locks/%2F" + name

    def prepare(self):
        self.world.make(self.path[len(self.world.mount):], OLD)

    def act(self):
        fd = self.open("", os.O_RDWR)
        fcntl.flock(fd, EX | NB)
        fcntl.flock(fd, UN)
        fcntl.lockf(fd, EX | NB)
        fcntl.lockf(fd, UN)

    def end(self):
        self.world.make(self.znode)
        super().end()


@listed
class Looks(Locking):
    """At a lock that others hold and wait for."""

    def prepare(self):
        super().prepare()
        self.held = self.open("/me")
        self.other = self.world.zk.create(
            self.znode + "/_c_11111111-1111-1111-1111-111111111111-lock-",
            b"other", ephemeral=True, sequence=True)

    def act(self):
        same(len(os.listdir(self.path)), 2)
        for name in os.listdir(self.path):
            os.stat(self.path + "/" + name)
            read_all(self.path + "/" + name)
            for attribute in os.listxattr(self.path + "/" + name):
                os.getxattr(self.path + "/" + name, attribute)
        same(len(read_all(self.path + "/.queue").splitlines()), 2, 3)
        for name in os.listdir(self.path):
            if name != "me":
                os.unlink(self.path + "/" + name)

    def check(self, error):
        same(os.pread(self.held, 6, 0), b"token=")
        if not error:
            same(self.world.exists(self.other), False)
        else:
            try:
                self.world.zk.delete(self.other)
            except Exception:  # pylint: disable=broad-except
                pass


class Waiting(Locking):
    """One waits in the background for what somebody else holds."""

    def prepare(self):
        super().prepare()
        self.lock = self.world.zk.Lock(self.znode, "foreign")
        same(self.lock.acquire(timeout=SECONDS), True)
        self.error = None

    def wait(self):
        raise NotImplementedError

    def run(self):
        try:
            self.wait()
        except OSError as error:
            self.error = error

    def act(self):
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        wait_for("one waits",
                 lambda: not thread.is_alive() or
                 len(self.world.names(self.znode)) > 1)
        same(thread.is_alive(), True, self.error is None)
        self.lock.release()
        thread.join(SECONDS)
        if thread.is_alive():
            raise Wrong("it waits for a lock that is free")
        if self.error:
            raise self.error

    def end(self):
        if self.lock.is_acquired:
            self.lock.release()
        super().end()
        self.free()


@listed
class LockWait(Waiting):
    def wait(self):
        self.open("/me")


@listed
class FlockWait(Waiting):
    def wait(self):
        fcntl.flock(self.open("/.lock", os.O_RDWR), EX)


@listed
class PollWait(Waiting):
    def wait(self):
        fd = self.open("/.lock", os.O_RDWR | os.O_NONBLOCK)
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        # What has failed in the background is begun anew by the next call.
        while True:
            try:
                fcntl.flock(fd, EX)
                return
            except OSError as error:
                if error.errno != errno.EINPROGRESS:
                    raise
            if not poller.poll(SECONDS * 1000):
                raise Wrong("poll does not tell of the lock")

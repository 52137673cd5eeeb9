"""alone: what the daemon does by itself, for nobody's request; as
starving/acts, with a lock that is held meanwhile."""
import ctypes
import errno
import os
import select
import signal
import socket

from starving.acts import NEW, OLD, Act, listed, read_all, same
from starving.locks import Locking
from starving.world import Wrong, wait_for

ALONE = []


def by_itself(cls):
    ALONE.append(cls)
    return cls


class Holding(Locking):
    """A lock is held, and a file is known."""

    def prepare(self):
        super().prepare()
        self.world.make("/known", OLD)
        wait_for("what is known",
                 lambda: read_all(self.world.path("/known")) == OLD)
        self.fd = self.open("/me")
        same(os.pread(self.fd, 6, 0), b"token=")

    def is_held(self):
        try:
            os.write(self.fd, b"x")
            return True
        except OSError as error:
            same(error.errno, errno.EIO)
            return False

    def check(self, error):
        """Held is what nobody else has; and what others do is seen."""
        if self.is_held():
            same(self.world.names(self.znode) != [], True)
        self.world.make("/known", NEW)
        wait_for("the new data",
                 lambda: read_all(self.world.path("/known")) == NEW)


@by_itself
class Beat(Holding):
    def act(self):
        called = self.world.memory.called()
        wait_for("some heartbeats", lambda: self.world.memory.has_failed() or
                 self.world.memory.called() > called + 12)

    def check(self, error):
        same(self.is_held(), True)
        super().check(error)


@by_itself
class Reconnect(Holding):
    def act(self):
        before = self.world.status("reconnects")
        with socket.create_connection(("127.0.0.1", self.world.orders)) as way:
            way.sendall(b"cut\n")
            same(way.recv(99), b"ok\n")
        self.world.settled(lambda: self.world.status("reconnects") != before)


@by_itself
class Expiry(Holding):
    def act(self):
        os.kill(self.world.pid, signal.SIGSTOP)
        try:
            wait_for("the end of the session",
                     lambda: not self.world.names(self.znode))
        finally:
            os.kill(self.world.pid, signal.SIGCONT)
        self.world.settled(
            lambda: self.world.status("session") != self.world.session)

        self.world.session = None

    def check(self, error):
        same(self.is_held(), False)
        super().check(error)


@listed
class Watched(Act):
    """inotify: not of that change, for want of memory, but of the next."""
    modify = 2

    def prepare(self):
        super().prepare()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK)
        os.stat(self.path)

    def act(self):
        number = self.libc.inotify_add_watch(
            self.fd, os.fsencode(self.path), self.modify)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        self.world.zk.set(self.znode, NEW)
        self.world.settle()

    def told(self):
        self.world.zk.set(self.znode, OLD)
        return select.select([self.fd], [], [], 0.5)[0]

    def check(self, error):
        if not error:
            wait_for("what inotify tells", self.told)

    def end(self):
        os.close(self.fd)

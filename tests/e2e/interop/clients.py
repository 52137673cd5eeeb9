"""clients: each way to take a lock, ours and other people's, behind one face.

A contender has try_lock() -> bool, lock(), unlock() and close(); it takes one
lock at a time, from one thread. `shared` is the mode of what it takes. What is
not ours has a ZooKeeper session of its own.
"""
import errno
import fcntl
import os
import select
import socket
import struct
import threading
import time
import uuid

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout, NoNodeError

LIMIT = 60  # seconds until a lock counts as never granted


class NotGranted(Exception):
    """A client that gave up waiting."""


class Contender:
    shared = False

    def waits(self, more):
        """Whether lock() is under way by now, and somebody has the lock; more:
        whether the queue has grown since."""
        return more

    def close(self):
        pass


# -- ours --------------------------------------------------------------------

class Open(Contender):
    """An entry of the lock, opened for writing."""

    def __init__(self, lock, name):
        self.path = os.path.join(lock, name)
        self.fd = None

    def open(self, flags):
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | flags)

    def try_lock(self):
        try:
            self.open(os.O_NONBLOCK)
            return True
        except BlockingIOError:
            return False

    def lock(self):
        self.open(0)

    def unlock(self):
        os.close(self.fd)


class Mkdir(Contender):
    """A directory made in the lock: it can be tried, and tried again."""

    def __init__(self, lock, name):
        self.path = os.path.join(lock, name)
        self.refused = False

    def waits(self, more):
        return self.refused

    def try_lock(self):
        try:
            os.mkdir(self.path)
            return True
        except FileExistsError:
            self.refused = True
            return False

    def lock(self):
        self.refused = False
        deadline = time.monotonic() + LIMIT
        while not self.try_lock():
            if time.monotonic() > deadline:
                raise NotGranted("mkdir")
            time.sleep(0.005)

    def unlock(self):
        os.rmdir(self.path)


class Flock(Contender):
    """flock(2) on the lock's file .lock."""
    flags = os.O_RDONLY

    def __init__(self, lock, _name):
        self.fd = os.open(os.path.join(lock, ".lock"), self.flags)

    def flock(self, flags):
        mode = fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX
        fcntl.flock(self.fd, mode | flags)

    def try_lock(self):
        try:
            self.flock(fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False

    def lock(self):
        self.flock(0)

    def unlock(self):
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def close(self):
        os.close(self.fd)


class PolledFlock(Flock):
    """flock(2) that waits in poll(2): EINPROGRESS tells who has joined the
    queue."""
    flags = os.O_RDONLY | os.O_NONBLOCK

    def lock(self):
        try:
            self.flock(0)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
            self.await_grant()
            self.flock(0)

    def await_grant(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if poll.poll(1000 * LIMIT) != [(self.fd, select.POLLIN)]:
            raise NotGranted("flock, in poll")


class SharedPolledFlock(PolledFlock):
    """flock -s."""
    shared = True


class SharedFlock(Flock):
    """flock -s."""
    shared = True


class FileFlock(Flock):
    """flock(2) on a file of the tree, which is `lock`."""

    def __init__(self, lock, _name):
        self.fd = os.open(lock, self.flags)


class SharedFileFlock(FileFlock):
    """flock -s."""
    shared = True


class Fcntl(Contender):
    """fcntl(2) on .lock, with locks of the open file description: those of
    the process would be one for all threads."""

    def __init__(self, lock, _name):
        self.fd = os.open(os.path.join(lock, ".lock"), os.O_RDWR)

    def fcntl(self, command, kind):
        # struct flock: type, whence, start, length, pid; length 0: all of it
        fcntl.fcntl(self.fd, command,
                    struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))

    def try_lock(self):
        try:
            self.fcntl(fcntl.F_OFD_SETLK, fcntl.F_WRLCK)
            return True
        except BlockingIOError:
            return False

    def lock(self):
        self.fcntl(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK)

    def unlock(self):
        self.fcntl(fcntl.F_OFD_SETLK, fcntl.F_UNLCK)

    def close(self):
        os.close(self.fd)


# -- Curator -----------------------------------------------------------------

class Curator(Contender):
    """One contender of CuratorServer.java."""
    kind = "mutex"
    port = None  # of the server, for all

    def __init__(self, hosts, path):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        self.send("%s %s %s" % (hosts, self.kind, path))

    def send(self, line):
        self.lines.write(line + "\n")
        self.lines.flush()

    def ask(self, line):
        self.send(line)
        answer = self.lines.readline().strip()
        if answer not in ("got", "busy", "done"):
            raise NotGranted("Curator: %s" % answer)
        return answer

    def try_lock(self):
        return self.ask("lock 0") == "got"

    def lock(self):
        if self.ask("lock %d" % LIMIT) != "got":
            raise NotGranted("Curator's %s" % self.kind)

    def unlock(self):
        self.ask("unlock")

    def close(self):
        self.lines.close()
        self.socket.close()


class CuratorRead(Curator):
    kind = "read"
    shared = True


class CuratorWrite(Curator):
    kind = "write"


# -- kazoo -------------------------------------------------------------------

class Session(Contender):
    """Something with a kazoo client of its own."""

    def __init__(self, hosts, path):
        self.client = KazooClient(hosts=hosts, timeout=10)
        self.client.start(timeout=20)
        self.path = path

    def close(self):
        self.client.stop()
        self.client.close()


IDENTIFIER = "a host\nand more"  # what a kazoo lock says of its owner


class Kazoo(Session):
    """kazoo's stock Lock."""
    recipe = "Lock"

    def __init__(self, hosts, path):
        super().__init__(hosts, path)
        self.held = getattr(self.client, self.recipe)(path, IDENTIFIER)

    def try_lock(self):
        return self.held.acquire(blocking=False)

    def lock(self):
        try:
            self.held.acquire(timeout=LIMIT)
        except LockTimeout as error:
            raise NotGranted("kazoo's %s" % self.recipe) from error

    def unlock(self):
        self.held.release()


class KazooWrite(Kazoo):
    recipe = "WriteLock"


class KazooRead(Kazoo):
    recipe = "ReadLock"
    shared = True


# -- Go ----------------------------------------------------------------------

class Go(Session):
    """An emulation of go-zookeeper/zk, Lock in lock.go, from 1.0.3 on: its
    name, how it reads other names, and that it fails at one it cannot read."""

    def __init__(self, hosts, path):
        super().__init__(hosts, path)
        self.node = None

    @staticmethod
    def sequence(name):
        parts = name.split("lock-")
        if len(parts) == 1:
            parts = name.split("__")
        return int(parts[-1])

    def join(self):
        prefix = "%s/_c_%s-lock-" % (self.path, uuid.uuid4().hex)
        self.node = self.client.create(prefix, b"", ephemeral=True,
                                       sequence=True)

    def predecessor(self):
        """The name next before ours, or None when we hold the lock."""
        own = self.sequence(self.node)
        lower = {}
        for name in self.client.get_children(self.path):
            number = self.sequence(name)
            if number < own:
                lower[number] = name
        return lower[max(lower)] if lower else None

    def wait_for(self, name):
        gone = threading.Event()
        try:
            self.client.get("%s/%s" % (self.path, name),
                            watch=lambda event: gone.set())
        except NoNodeError:
            return
        if not gone.wait(LIMIT):
            raise NotGranted("Go")

    def try_lock(self):
        """It has none; the least that behaves as one."""
        self.join()
        try:
            free = self.predecessor() is None
        except ValueError:
            self.unlock()
            raise
        if not free:
            self.unlock()
        return free

    def lock(self):
        self.join()
        while (name := self.predecessor()) is not None:
            self.wait_for(name)

    def unlock(self):
        self.client.delete(self.node)


class OldGo(Go):
    """The same before 1.0.3, and samuel/go-zookeeper, which it came from."""

    @staticmethod
    def sequence(name):
        return int(name.split("-")[-1])

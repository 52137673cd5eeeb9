"""tree: the locks as another client sees them, one that knows no zkfs."""
import time

from kazoo.client import KazooClient

from torturing.children import pause
from torturing.contender import FILES, LOCKS

CONNECT_SECONDS = 90  # on a machine with much else to do


class Tree:
    """A session for one question; kazoo's threads must not meet a fork."""

    def __init__(self, addresses, chroot):
        self.hosts = ",".join(addresses)
        self.chroot = chroot

    def __enter__(self):
        self.client = KazooClient(hosts=self.hosts, timeout=10)
        self.client.start(timeout=CONNECT_SECONDS)
        return self

    def __exit__(self, *error):
        self.client.stop()
        self.client.close()

    def prepare(self):
        with self:
            for lock in LOCKS:
                self.client.ensure_path("%s/locks/%s" % (self.chroot, lock))
            for name in FILES:
                self.client.create("%s/%s" % (self.chroot, name), b"data")

    def contenders(self):
        locks = self.chroot + "/locks"
        self.client.retry(self.client.sync, locks)
        return [(lock, name)
                for lock in self.client.retry(self.client.get_children, locks)
                for name in self.client.retry(self.client.get_children,
                                              locks + "/" + lock)]

    def left(self, seconds):
        """(lock, name) of who is still in a queue after so long."""
        limit = time.monotonic() + seconds
        with self:
            while True:
                found = self.contenders()
                if not found or time.monotonic() > limit:
                    return found
                pause(0.1)

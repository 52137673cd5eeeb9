"""world: one mount whose memory is short when it is told so, and a client that
knows nothing of it."""
import errno
import logging
import os
import re
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError

SECONDS = 20


class Wrong(Exception):
    """What must not be."""


def wait_for(what, test, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise Wrong("not within %s s: %s" % (seconds, what))
        time.sleep(0.002)


class World:
    def __init__(self, source, mount, memory, pid=0, orders=0):
        logging.disable()
        self.mount = mount
        self.pid = pid
        self.orders = orders  # the port of the way to the server
        self.memory = memory
        self.zk = KazooClient(hosts=source, timeout=20)
        self.zk.start(timeout=SECONDS)
        self.session = self.status("session")
        self.root = os.open(mount, os.O_RDONLY)

    def close(self):
        os.close(self.root)
        self.zk.stop()
        self.zk.close()

    def path(self, znode):
        return self.mount + znode

    def status(self, key):
        with open(self.path("/.zkfs/status"), encoding="utf-8") as file:
            return re.search("^%s: (.*)$" % key, file.read(), re.M).group(1)

    def make(self, path, data=b""):
        try:
            self.zk.create(path, data, makepath=True)
        except NodeExistsError:
            self.zk.set(path, data)

    def exists(self, path):
        return self.zk.exists(path) is not None

    def get(self, path):
        return self.zk.get(path)[0] or b""

    def names(self, path):
        return sorted(self.zk.get_children(path))

    def settle(self):
        """What was asked before is done, and what the server has told of it."""
        try:
            os.fsync(self.root)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
        # Needs no memory.
        os.statvfs(self.mount)

    def settled(self, test):
        """Waits for it, whatever there is no memory for meanwhile."""
        def tried():
            try:
                return test()
            except OSError as error:
                if error.errno not in (errno.ENOMEM, errno.ETIMEDOUT):
                    raise
                return False
        wait_for("it is over", tried)

    def lives(self):
        try:
            os.statvfs(self.mount)
            session = self.status("session")
        except OSError as error:
            raise Wrong("the daemon does not answer: %s" % error) from error
        if self.session and session != self.session:
            raise Wrong("the session is another")
        self.session = session

"""faults: what happens to a mount's session and connection. Each has two ends:
between them the mount is out of reach, and the others go on."""
import os
import re
import signal
import time

SECONDS = 30


def within(condition, words):
    limit = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(words)
        time.sleep(0.02)


def log_of(mount):
    with open(mount.root + ".log", encoding="utf-8", errors="replace") as file:
        return file.read()


class Expiry:
    """The daemon is stopped until the server has given its session up."""

    def __init__(self, mount, client):
        self.mount = mount
        self.client = client
        self.session = re.findall(r"new session (0x[0-9a-f]+)",
                                  log_of(mount))[-1]

    def begin(self):
        os.kill(self.mount.pid, signal.SIGSTOP)

    def end(self):
        try:
            within(lambda: self.session not in self.client.command(b"dump"),
                   "session %s does not expire" % self.session)
        finally:
            os.kill(self.mount.pid, signal.SIGCONT)


class Hang:
    """The way to the server is stopped until the mount gives it up."""

    def __init__(self, mount, client):
        self.mount = mount

    def lost(self):
        return log_of(self.mount).count("lost the connection")

    def begin(self):
        self.before = self.lost()
        os.kill(self.mount.proxy, signal.SIGSTOP)

    def end(self):
        try:
            within(lambda: self.lost() > self.before,
                   "the connection is not given up")
        finally:
            os.kill(self.mount.proxy, signal.SIGCONT)


def lose_next(mount, rng):
    """The next change by this mount, or what is answered to it, is lost with
    the connection. See bin/proxy.py."""
    os.kill(mount.proxy, rng.choice([signal.SIGUSR1, signal.SIGUSR2]))

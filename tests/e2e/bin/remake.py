#!/usr/bin/python3
"""remake: directories are removed and made again at full speed, through a mount
and by a foreign client, and turn into files and back, while inotify is told of
it all. After each round everybody stops, and every directory must be alive:
what is made in it succeeds.

    remake.py SOURCE MOUNTPOINT DIR [--locks]
              [--rounds N] [--seconds N] [--seed N]

With --locks the directories are locks. Who makes a file in one then holds it,
or waits, until another removes the file: that one's descriptor says EIO from
then on, and its close does, and an open that waits. Nothing else ever does.
SOURCE is HOST:PORT/CHROOT. Exit status 0, or 1 when a directory was dead or not
enough was done; `told` is printed by who has counted the events.
"""
import argparse
import collections
import errno
import logging
import os
import random
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

HELD_MAX = 64
NAMES = ["d%d" % n for n in range(6)]
# ECANCELED: a lock that is taken away from who waits for it. EPERM: one that is
# taken is not moved.
SANE = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ESTALE,
        errno.ENOTDIR, errno.EISDIR, errno.ECANCELED, errno.EPERM}


def foreign_acts(client, rng, top):
    path = top + "/" + rng.choice(NAMES)
    act = rng.choice(["create", "create", "delete", "again", "flip"])
    try:
        if act == "create":
            client.create(path)
        elif act == "delete":
            client.delete(path, recursive=True)
        elif act == "again":
            transaction = client.transaction()
            transaction.delete(path)
            transaction.create(path)
            transaction.commit()
        else:
            client.set(path, rng.choice([b"", b"text"]))
            client.create(path + "/x")
            client.delete(path + "/x")
    except KazooException:
        pass


class Holder:
    """Keeps directories open: the kernel then keeps what it thinks of them."""

    def __init__(self, rng, top):
        self.rng = rng
        self.top = top
        self.fds = collections.deque()

    def act(self):
        try:
            self.fds.append(os.open(self.top + "/" + self.rng.choice(NAMES),
                                    os.O_RDONLY | os.O_DIRECTORY))
        except OSError as error:
            if error.errno not in SANE:
                raise
        while len(self.fds) > HELD_MAX:
            os.close(self.fds.popleft())

    def close(self):
        while self.fds:
            os.close(self.fds.pop())


def make(path, losable):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        if not losable or error.errno != errno.EIO:
            raise
    os.unlink(path)


def local_acts(rng, top, losable):
    path = top + "/" + rng.choice(NAMES)
    act = rng.choice(["mkdir", "mkdir", "rmdir", "look", "make", "move"])
    try:
        if act == "mkdir":
            os.mkdir(path)
        elif act == "rmdir":
            os.rmdir(path)
        elif act == "look":
            os.listdir(top)
            os.stat(path)
        elif act == "make":
            make(path + "/f", losable)
        else:
            os.rename(path, top + "/" + rng.choice(NAMES))
    except OSError as error:
        if error.errno not in SANE:
            error.act = act
            raise


def run_until(end, act, *arguments):
    n = 0
    while time.monotonic() < end:
        act(*arguments)
        n += 1
    return n


def local(end, seed, top, losable):
    """A process of its own; ends with 0."""
    pid = os.fork()
    if pid:
        return pid
    try:
        n = run_until(end, local_acts, random.Random(seed), top, losable)
        os._exit(0 if n > 0 else 1)
    except OSError as error:
        print("remake: %s: %s" % (error.act, error), flush=True)
        os._exit(1)


def all_alive(client, znode, top):
    """Whether something can be made in each directory that there is."""
    fd = os.open(top, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    alive = True
    for name in client.get_children(znode):
        path = "%s/%s" % (top, name)
        if not os.path.isdir(path):
            continue
        try:
            os.close(os.open(path + "/f", os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            print("remake: %s is dead: %s" % (name, error), flush=True)
            alive = False
        try:
            os.unlink(path + "/f")
        except FileNotFoundError:
            pass  # in a lock it has gone with its descriptor
    return alive


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("mountpoint")
    parser.add_argument("directory")
    parser.add_argument("--locks", action="store_true")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    settings = parser.parse_args()
    logging.disable()
    client = KazooClient(hosts=settings.source)
    client.start(timeout=30)
    top = settings.mountpoint + "/" + settings.directory
    znode = "/" + settings.directory
    rng = random.Random(settings.seed)
    holder = Holder(random.Random(settings.seed), top)
    good = True

    def acts():
        foreign_acts(client, rng, znode)
        holder.act()

    for _ in range(settings.rounds):
        end = time.monotonic() + settings.seconds
        children = [local(end, rng.random(), top, settings.locks)
                    for _ in range(2)]
        done = run_until(end, acts)
        for pid in children:
            good = os.waitpid(pid, 0)[1] == 0 and good
        if done == 0:
            print("remake: the client has done nothing")
        # Twice: what is still to be told is told in between.
        good = all_alive(client, znode, top) and done > 0 and good
        time.sleep(0.1)
        good = all_alive(client, znode, top) and good
        if not good:
            break
    holder.close()
    client.stop()
    client.close()
    print("remake: seed %d: %s" % (settings.seed, "ok" if good else "WRONG"))
    return 0 if good else 1


sys.exit(main())

#!/usr/bin/python3
"""reaper: the directory of a lock comes and goes, and the one above it, as
containers that Curator makes and the server removes while they are empty; only
much more often. Meanwhile the file whose lock it is is locked.

    reaper.py SOURCE FILE LOCK [--rounds N]

SOURCE is HOST:PORT/CHROOT, LOCK the path of the directory. What the mount has
made is removed between the rounds only. Exit status 0; or 1 when a flock(2)
failed.
"""
import argparse
import contextlib
import fcntl
import logging
import os
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import (NodeExistsError, NoNodeError, NotEmptyError)


class Reaper(threading.Thread):
    """Removes only what it has made itself."""

    def __init__(self, client, paths):
        super().__init__(daemon=True)
        self.client = client
        self.paths = paths
        self.made = 0
        self.over = threading.Event()

    @contextlib.contextmanager
    def there(self, path):
        try:
            self.client.create(path)
        except (NodeExistsError, NoNodeError):
            yield
            return
        self.made += 1
        yield
        remove(self.client, path)

    def run(self):
        while not self.over.is_set():
            with self.there(self.paths[0]), self.there(self.paths[1]):
                pass


def remove(client, path):
    with contextlib.suppress(NoNodeError, NotEmptyError):
        client.delete(path)


def lock(path, flags):
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | flags)
        fcntl.flock(fd, fcntl.LOCK_UN)
        return True
    except OSError as error:
        print("reaper: flock: %s" % error, flush=True)
        return False
    finally:
        os.close(fd)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("file")
    parser.add_argument("lock")
    parser.add_argument("--rounds", type=int, default=50)
    settings = parser.parse_args()
    logging.disable()
    client = KazooClient(hosts=settings.source)
    client.start(timeout=30)
    paths = [os.path.dirname(settings.lock), settings.lock]
    reaper = Reaper(client, paths)
    reaper.start()
    good = True
    for number in range(settings.rounds):
        for path in reversed(paths):
            remove(client, path)
        # One that only tries looks first, and has two chances to meet nothing.
        good = lock(settings.file, fcntl.LOCK_NB * (number % 2)) and good
    reaper.over.set()
    reaper.join()
    print("reaper: %d made: %s" % (reaper.made, "ok" if good else "WRONG"))
    client.stop()
    client.close()
    return 0 if good and reaper.made > 0 else 1


sys.exit(main())

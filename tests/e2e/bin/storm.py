#!/usr/bin/python3
"""storm: others change what is read and watched here, as fast as they can.

    storm.py changes SOURCE DIR N    N changes of the files of DIR, whose znode
                                     is /d, while readers read: each must get on,
                                     and see no older version after a newer one
    storm.py flips SOURCE DIR N      DIR/f turns from file to directory and back
                                     N times, while readers look at it

SOURCE is HOST:PORT/CHROOT. Exit status 0 when all was well.
"""
import errno
import logging
import mmap
import os
import signal
import struct
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

FILES = 50
A_TIME = 100  # changes in one transaction
READERS = 3
CALL_SECONDS = 20
READS_MIN = 5
LONGEST = 60  # seconds that a storm goes on for those who have read less
SANE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ESTALE}


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


class Reader:
    """A process that looks, until it is told to end; then says how often."""

    def __init__(self, look):
        self.stop = mmap.mmap(-1, 1)  # shared
        self.looks = mmap.mmap(-1, 8)
        self.result, end = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(end)
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a call that stalls
        n, words = 0, ""
        try:
            while not self.stop[0]:
                signal.alarm(CALL_SECONDS)
                look(n)
                n += 1
                struct.pack_into("q", self.looks, 0, n)
        except (AssertionError, OSError) as error:
            words = repr(error)
        os.write(end, ("%d %s" % (n, words)).encode())
        os._exit(1 if words else 0)

    def gets_on(self):
        return struct.unpack_from("q", self.looks)[0] >= READS_MIN

    def end(self):
        """Whether it was well."""
        self.stop[0] = 1
        status = os.waitpid(self.pid, 0)[1]
        words = os.read(self.result, 4096).decode()
        print("reader: status %d, %s" % (status, words or "stalled"))
        return status == 0 and int(words.split()[0]) >= READS_MIN


def reads(top):
    newest = {}

    def look(n):
        path = "%s/f%d" % (top, n % FILES)
        number = int(read(path))
        assert number >= newest.get(path, 0), (path, number, newest[path])
        newest[path] = number
        os.stat(path)
        if n % 100 == 0:
            assert len(os.listdir(top)) == FILES
    return look


def changes(client, top, count):
    for n in range(FILES):
        client.create("/d/f%d" % n, b"0")
    readers = [Reader(reads(top)) for _ in range(READERS)]
    began = time.monotonic()
    under_way = []
    done = 0
    # Longer, if it is so fast that nobody could have read in the meantime.
    while done < count or (not all(reader.gets_on() for reader in readers) and
                           time.monotonic() < began + LONGEST):
        transaction = client.transaction()
        for n in range(A_TIME):
            transaction.set_data("/d/f%d" % (n % FILES), b"%d" % (done + n))
        under_way.append(transaction.commit_async())
        done += A_TIME
        if len(under_way) > 8:
            under_way.pop(0).get(timeout=60)
    for result in under_way:
        result.get(timeout=60)
    print("%d changes, %d a second" % (
        done, done / (time.monotonic() - began)))
    return all([reader.end() for reader in readers])


def flips(client, top, count):
    allowed = {b"", b"one", b"two"}

    def look(n):
        path = top + "/f"
        for call in (os.stat, os.listdir, read,
                     lambda path: read(path + "/.data")):
            try:
                got = call(path)
            except OSError as error:
                if error.errno not in SANE:
                    raise
            else:
                if isinstance(got, bytes):
                    assert got in allowed, got
                elif isinstance(got, list):
                    assert set(got) <= {".data", "x"}, got

    client.create("/d/f", b"one")
    readers = [Reader(look) for _ in range(READERS)]
    for n in range(count):
        try:
            client.create("/d/f/x")
            client.set("/d/f", (b"one", b"two", b"")[n % 3])
            client.delete("/d/f/x")
        except KazooException as error:
            print("client: %r" % error)
            return False
    return all([reader.end() for reader in readers])


def main():
    kind, source, top, count = sys.argv[1:]
    logging.disable()
    client = KazooClient(hosts=source, timeout=30)
    client.start(timeout=30)
    try:
        good = {"changes": changes, "flips": flips}[kind](client, top,
                                                          int(count))
    finally:
        client.stop()
        client.close()
    return 0 if good else 1


sys.exit(main())

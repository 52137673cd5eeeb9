#!/usr/bin/python3
"""ways.py: every way to take a lock, for tests that ask the same of each.

  ways.py WAY LOCK NAME    a process that takes the lock (a directory), and is
                           told by the FIFO NAME.go what to do with it

It writes what it has come to, a word a line, to the file NAME.says: "held", or
the name of the errno that ended its try; then, asked for "lost", the same word
as soon as it is told of the loss; asked for "now", that word or "kept"; then,
asked for "free", "freed", behind the
errno's name if that was not without one.

Who holds the lock of the cluster holds one of this machine besides, on the
file `section`: where that is not free, two had the lock, and the file
`overlaps` says so.
"""
import errno
import fcntl
import os
import select
import struct
import sys
import time

WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
LIMIT = 50  # seconds, for what has no event to wait for


def until(test):
    end = time.monotonic() + LIMIT
    while not test():
        if time.monotonic() > end:
            sys.exit("not in time")
        time.sleep(0.01)


class Way:
    """A handle whose last close gives the lock back."""
    shared = False

    def __init__(self, lock, name):
        self.entry = os.path.join(lock, name)
        self.file = os.path.join(lock, ".lock")
        self.fd = -1

    def is_lost(self):
        try:
            os.pread(self.fd, 4096, 0)
            return False
        except OSError as error:
            return error.errno in (errno.EIO, errno.ENOTCONN)

    def free(self):
        os.close(self.fd)


class Open(Way):
    """open(2) for writing"""
    flags = 0

    def take(self):
        self.fd = os.open(self.entry, os.O_RDWR | os.O_CREAT | self.flags)


class TryOpen(Open):
    """... that does not wait"""
    flags = os.O_NONBLOCK


class Flock(Way):
    """flock(2)"""
    kind = fcntl.LOCK_EX
    flags = 0

    def take(self):
        self.fd = os.open(self.file, os.O_RDWR | self.flags)
        self.lock()

    def lock(self):
        fcntl.flock(self.fd, self.kind)

    def free(self):
        if not self.is_lost():
            fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)


class SharedFlock(Flock):
    """flock(2), not alone"""
    shared = True
    kind = fcntl.LOCK_SH


class BackgroundFlock(Flock):
    """flock(2) that is waited for by poll(2)"""
    flags = os.O_NONBLOCK

    def lock(self):
        try:
            super().lock()
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            # Asked again after a loss, it would join again.
            if poll.poll()[0][1] & select.POLLERR:
                os.pread(self.fd, 1, 0)
            try:
                super().lock()
            except BlockingIOError:
                # It was there, and lost before this; this has joined anew.
                raise OSError(errno.EIO, "lost") from None


class Fcntl(Way):
    """fcntl(2), of the process"""
    command = fcntl.F_SETLKW

    def take(self):
        self.fd = os.open(self.file, os.O_RDWR)
        fcntl.fcntl(self.fd, self.command, WHOLE_FILE)


class OpenFileFcntl(Fcntl):
    """fcntl(2), of the open file"""
    command = fcntl.F_OFD_SETLKW


class Mkdir(Way):
    """mkdir(2), which tries until it succeeds"""

    def take(self):
        until(self.made)

    def made(self):
        try:
            os.mkdir(self.entry)
            return True
        except FileExistsError:
            return False

    def is_lost(self):
        return not os.path.isdir(self.entry)

    def free(self):
        if not self.is_lost():
            os.rmdir(self.entry)


WAYS = {
    "open": Open,
    "try": TryOpen,
    "flock": Flock,
    "shared": SharedFlock,
    "background": BackgroundFlock,
    "fcntl": Fcntl,
    "ofd": OpenFileFcntl,
    "mkdir": Mkdir,
}


def enter_section(shared):
    fd = os.open("section", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_NB |
                    (fcntl.LOCK_SH if shared else fcntl.LOCK_EX))
    except BlockingIOError:
        with open("overlaps", "a", encoding="ascii") as file:
            file.write("overlap\n")
    return fd


def main(way, lock, name):
    """Returns the exit status."""
    # Both ends, so that nobody waits for the other end to be opened.
    go = os.fdopen(os.open(name + ".go", os.O_RDWR))
    lock = WAYS[way](lock, name)
    with open(name + ".says", "a", 1, encoding="ascii") as says:
        try:
            lock.take()
        except OSError as error:
            says.write(errno.errorcode[error.errno] + "\n")
            return 1
        section = enter_section(lock.shared)
        says.write("held\n")
        for word in iter(go.readline, "free\n"):
            if word == "lost\n":
                until(lock.is_lost)
            if lock.is_lost() and section >= 0:
                os.close(section)
                section = -1
            says.write("lost\n" if lock.is_lost() else "kept\n")
        if section >= 0:
            os.close(section)
        try:
            lock.free()
        except OSError as error:
            says.write(errno.errorcode[error.errno] + "\n")
        says.write("freed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

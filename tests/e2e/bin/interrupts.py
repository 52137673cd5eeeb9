#!/usr/bin/python3
"""interrupts.py MOUNT WRITER READER PORT: each call that may have to ask a
server is made with every server hung, and again with every server dead, by a
process that is then sent a signal: it must fail with EINTR. And by one that is
killed: it must end. PORT is where the proxy takes orders.
"""
import ctypes
import errno
import os
import signal
import socket
import struct
import sys
import time
import traceback

top, writer, reader = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
LIMIT = 30  # seconds: of what comes at once
AT_FDCWD = -100


def order(line):
    with socket.create_connection(("127.0.0.1", int(sys.argv[4]))) as link:
        link.sendall(line.encode() + b"\n")
        answer = link.makefile().readline().strip()
    if answer != "ok":
        sys.exit("the proxy says: " + answer)


def call(name, *args):
    """The C library's, which Python would repeat."""
    result = getattr(libc, name)(*[os.fsencode(arg) if isinstance(arg, str)
                                   else arg for arg in args])
    return ctypes.get_errno() if result == -1 else 0


def path(name):
    return os.path.join(top, name)


def with_open(name, flags, call_of):
    """Python's own open(2) would begin again."""
    fd = libc.open(os.fsencode(name), flags)
    return call_of(fd) if fd >= 0 else ctypes.get_errno()


def write_through():
    """A version of its own: O_SYNC."""
    return with_open(path("g"), os.O_WRONLY | os.O_SYNC,
                     lambda fd: call("write", fd, b"x", 1))


def fsync():
    """What it asks to write may have to ask first."""
    return call("pwrite", writer, b"changed", 7, ctypes.c_long(0)) or \
        call("fsync", writer)


def close():
    fd = os.dup(writer)
    return call("pwrite", fd, b"changed", 7, ctypes.c_long(0)) or \
        call("close", fd)


def listing():
    return with_open(top, os.O_RDONLY | os.O_DIRECTORY, lambda fd: call(
        "getdents64", fd, ctypes.create_string_buffer(4096), 4096))


def sync():
    return with_open(top, os.O_RDONLY | os.O_DIRECTORY,
                     lambda fd: call("fsync", fd))


def lock():
    return call("fcntl", reader, 37, struct.pack("hhqqi4x", 0, 0, 0, 0, 0))


CALLS = {
    "stat": lambda: call("access", path("unknown"), 0),
    "open": lambda: call("open", path("g"), os.O_RDONLY),
    "create": lambda: call("open", path("n"), os.O_WRONLY | os.O_CREAT, 0o644),
    "truncate": lambda: call("truncate", path("g"), ctypes.c_long(1)),
    "touch": lambda: call("utimensat", AT_FDCWD, path("g"), None, 0),
    "mkdir": lambda: call("mkdir", path("e"), 0o755),
    "rmdir": lambda: call("rmdir", path("d")),
    "unlink": lambda: call("unlink", path("g")),
    "rename": lambda: call("rename", path("g"), path("h")),
    "list": listing,
    "sync": sync,
    "getxattr": lambda: call("getxattr", path("g"), "user.zk.version",
                             ctypes.create_string_buffer(64), 64),
    "write": write_through,
    "fsync": fsync,
    "close": close,
    "flock": lambda: call("flock", reader, 2),
    "fcntl": lock,
    "lock": lambda: call("open", path("locks/l/me"),
                         os.O_WRONLY | os.O_CREAT, 0o644),
    "try": lambda: call("mkdir", path("locks/l/me"), 0o755),
}


def fail(words):
    """By SIGKILL: an exit would close what is open, and wait for that."""
    print(words, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


class Attempt:
    """A process that makes one call, and tells how that ended."""

    def __init__(self, what):
        self.reader, end = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(end)
            os.set_blocking(self.reader, False)
            return
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        signal.siginterrupt(signal.SIGUSR1, True)
        os.write(end, bytes([CALLS[what]()]))
        os.kill(os.getpid(), signal.SIGKILL)

    def answer(self):
        """The call's error, or None: not yet, or never."""
        try:
            answer = os.read(self.reader, 1)
        except BlockingIOError:
            return None
        return answer[0] if answer else None

    def ended(self):
        return os.waitpid(self.pid, os.WNOHANG)[0] != 0


def waits(pid):
    try:
        with open("/proc/%d/wchan" % pid, encoding="ascii") as file:
            return file.read() == "request_wait_answer"
    except OSError:
        return False


def wait_until(words, condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > limit:
            fail("not in time: " + words)
        time.sleep(0.01)


def try_one(what, when, number):
    """Whether it had to wait."""
    began = time.monotonic()
    words = "%s, %s, %s" % (what, when, number.name)
    attempt = Attempt(what)
    seen = []

    def settled():
        seen.append(attempt.answer())
        return seen[-1] is not None or waits(attempt.pid)

    wait_until(words, settled)
    waited = seen[-1] is None
    # It may have been seen in the wait of a call before this one, and take the
    # signal in between: another one comes then. (A daemon that has ignored one
    # hears of no other: the kernel tells once a call.)
    sent = time.monotonic()
    if waited:
        os.kill(attempt.pid, number)

    def ended():
        nonlocal sent
        if attempt.ended():
            return True
        if waited and time.monotonic() > sent + 1:
            sent = time.monotonic()
            os.kill(attempt.pid, number)
        return False

    wait_until(words + ": it does not end", ended)
    if waited and number == signal.SIGUSR1:
        error = attempt.answer()
        if error != errno.EINTR:
            fail("%s: ended with %s" % (words, error))
    os.close(attempt.reader)
    print("%s: %s after %.1f s" % (
        words, "waited, and ended" if waited else "answered",
        time.monotonic() - began), flush=True)
    return waited


def try_all(when):
    """What is known, as an attribute may be, needs no server."""
    waited = sum(try_one(what, when, number) for what in CALLS
                 for number in (signal.SIGUSR1, signal.SIGKILL))
    print("%s: %d of %d had to wait" % (when, waited, 2 * len(CALLS)))
    if waited < 2 * len(CALLS) - 8:
        fail("too few")


sys.excepthook = lambda *error: fail("".join(
    traceback.format_exception(*error)))
for name in ("g", "d", "f"):
    os.stat(path(name))
order("stall")
try_all("hung")
order("refuse")
try_all("dead")
# What is open can be closed, and that be answered.
order("flow")
order("accept")

"""posix_calls: exact system calls for the tests, where the shell is too blunt.

A test says py 'CODE' ARGUMENT...: the code finds its arguments in A and this
module's names imported.
"""
# All names are for the tests. "from os" goes first: it has an open and a stat
# of its own.
# pylint: disable=unused-import,unused-wildcard-import,wildcard-import
# pylint: disable=redefined-builtin,wrong-import-order
from os import *  # noqa: F401,F403
from os import O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY
import builtins
import ctypes
import errno
import fcntl
import os
import select
import signal
import stat
import struct
import sys
import threading
import time

open = builtins.open
A = sys.argv[1:]


def err(function, *arguments, **named):
    """The name of the errno that a call fails with, or "OK"."""
    try:
        function(*arguments, **named)
        return "OK"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def expect(wanted, function, *arguments, **named):
    got = err(function, *arguments, **named)
    if got != wanted:
        sys.exit("%s%r: expected %s, got %s" % (
            getattr(function, "__name__", function), arguments, wanted, got))


def same(got, wanted):
    if got != wanted:
        sys.exit("expected %r, got %r" % (short(wanted), short(got)))


def short(value):
    if isinstance(value, (bytes, str)) and len(value) > 200:
        return value[:200]
    return value


def write_all(fd, data):
    """A large write comes in parts of up to 1 MiB."""
    while data:
        data = data[os.write(fd, data):]


def spew(path, data, flags=O_WRONLY | O_CREAT | O_TRUNC):
    fd = os.open(path, flags, 0o666)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def read_all(path):
    fd = os.open(path, O_RDONLY)
    try:
        parts = []
        while True:
            part = os.read(fd, 1 << 21)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(fd)


def renameat2(old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def within(seconds, test):
    """Tries until it is true; False when time is over."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def entries(fd, size):
    """What one getdents64 with a buffer of that size gives: (name, d_off)."""
    libc = ctypes.CDLL(None, use_errno=True)
    buf = ctypes.create_string_buffer(size)
    used = libc.getdents64(fd, buf, size)
    if used < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    found, at = [], 0
    while at < used:
        place, length = struct.unpack_from("=qH", buf, at + 8)
        name = buf.raw[at + 19:at + length].split(b"\0", 1)[0]
        found.append((os.fsdecode(name), place))
        at += length
    return found


def entries_to_end(fd, size):
    found, part = [], entries(fd, size)
    while part:
        found += part
        part = entries(fd, size)
    return found

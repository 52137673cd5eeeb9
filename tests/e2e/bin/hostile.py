#!/usr/bin/env python3
"""hostile: a server that speaks ZooKeeper's protocol, and lies.

    hostile.py PORTFILE MODEFILE

It listens on a port of 127.0.0.1, which it writes to PORTFILE. Its tree is a
root with the file "f" and the directory "d". What MODEFILE says by the time of
a request is how it is answered: "good", or one of the modes below.
"""

import os
import socket
import struct
import sys
import threading
import time

PING = -2
CREATE, EXISTS, GET, SET, GET_ACL = 1, 3, 4, 5, 6
SYNC, CHILDREN2, MULTI, REMOVE, CLOSE = 9, 12, 14, 18, -11
PING_OP, AUTH_OP, SET_WATCHES_OP = 11, 100, 101
NONODE = -101
INT_MAX, INT_MIN = 2**31 - 1, -2**31
# czxid mzxid ctime mtime version cversion aversion owner length children pzxid
STAT = struct.Struct(">qqqqiiiqiiq")

# What is answered to a connect, so that the client has to connect anew.
AT_CONNECT = ("timeout", "password", "expired", "garbage", "greet")

NAMES = [b"good", b"", b".", b"..", b"../../etc/passwd", b"a/b", b"/abs",
         b"x" * 300, b"nul\0here", b"twice", b"twice", b"\xff\xfe",
         b"new\nline", b".zkfs", b".data", b"y" * 70000]


def integer(value):
    return struct.pack(">i", value)


def string(value):
    return integer(len(value)) + value


def stat(length=0, children=0, version=0):
    return STAT.pack(1, 1, 1000, 1000, version, 0, 0, 0, length, children, 1)


def good_stat(path):
    if path in (b"/f", b"/"):
        return stat(5 if path == b"/f" else 0, 2 if path == b"/" else 0,
                    1 if path == b"/f" else 0)
    return stat() if path == b"/d" else None


def fields(body):
    length = struct.unpack_from(">i", body)[0]
    return body[4:4 + length], body[4 + length:]


def result(kind, path, body):
    """What an honest server says: the error and the record."""
    found = good_stat(path)
    if kind in (PING_OP, SET_WATCHES_OP, AUTH_OP, REMOVE):
        return 0, b""
    if kind == SYNC:
        return 0, string(path)
    if kind == MULTI:
        return 0, multi(body)
    if found is None:
        return NONODE, b""
    if kind == EXISTS:
        return 0, found
    if kind == GET:
        return 0, string(b"hello" if path == b"/f" else b"") + found
    if kind == CHILDREN2:
        names = [b"f", b"d"] if path == b"/" else []
        return 0, (integer(len(names)) + b"".join(map(string, names)) + found)
    if kind == GET_ACL:
        return 0, (integer(1) + integer(31) + string(b"world") +
                   string(b"anyone") + found)
    if kind == SET:
        return 0, found
    return 0, b""


def multi_header(kind, done=0, error=-1):
    return integer(kind) + bytes([done]) + integer(error)


def multi(body):
    """Answers each operation of the transaction with success."""
    out = b""
    while len(body) >= 9:
        kind, done = struct.unpack_from(">ib", body)
        body = body[9:]
        if done:
            break
        path, body = fields(body)
        if kind == CREATE:
            _, body = fields(body)
            count = struct.unpack_from(">i", body)[0]
            body = body[4:]
            for _ in range(count):
                body = body[4:]
                _, body = fields(body)
                _, body = fields(body)
            body = body[4:]
            out += multi_header(CREATE, 0, 0) + string(path)
        elif kind == SET:
            _, body = fields(body)
            body = body[4:]
            out += multi_header(SET, 0, 0) + stat(0, 0, 1)
        else:
            body = body[4:]
            out += multi_header(kind, 0, 0)
    return out + multi_header(-1, 1, -1)


def records(mode, kind, path, record):
    """The record as `mode` has it."""
    found = good_stat(path) or stat()
    if mode == "names" and kind == CHILDREN2:
        return (integer(len(NAMES)) + b"".join(map(string, NAMES)) + found)
    if mode.startswith("count") and kind == CHILDREN2:
        return integer(int(mode[5:])) + found
    if mode.startswith("count") and kind == GET_ACL:
        return integer(int(mode[5:])) + found
    if mode.startswith("length") and kind == GET:
        return integer(int(mode[6:])) + b"hello" + found
    if mode.startswith("length") and kind == CHILDREN2:
        return integer(1) + integer(int(mode[6:])) + found
    if mode.startswith("length") and kind == GET_ACL:
        return integer(1) + integer(31) + integer(int(mode[6:])) + found
    if mode.startswith("length") and kind == MULTI:
        return multi_header(CREATE, 0, 0) + integer(int(mode[6:]))
    if mode == "cut":
        return record[:len(record) // 2]
    if mode == "nothing":
        return b""
    if mode == "more":
        return record + b"\xaa" * 1000
    if mode == "stats" and kind in (EXISTS, GET, CHILDREN2, SET):
        lies = STAT.pack(-1, INT_MIN, -5, -2**63, 2**63 - 1, INT_MIN, INT_MAX,
                         -1, INT_MIN, INT_MIN, -1)
        return record[:len(record) - STAT.size] + lies
    if mode == "acl" and kind == GET_ACL:
        return (integer(3) + (integer(-1) + string(b"") + string(b"")) +
                (integer(0) + string(b"a:b,c\n") + string(b"\\,\xff")) +
                (integer(31) + string(b"x" * 70000) + string(b"y")) + found)
    if mode == "fewresults" and kind == MULTI:
        return multi_header(-1, 1, -1)
    if mode == "moreresults" and kind == MULTI:
        return record[:-9] * 5 + record[-9:]
    if mode == "otherresults" and kind == MULTI:
        return (multi_header(SET, 0, 0) + stat() +
                multi_header(CREATE, 0, 0) + string(b"z" * 2000) +
                multi_header(-1, 1, -1))
    if mode == "longresults" and kind == MULTI:
        return (multi_header(CREATE, 0, 0) + string(b"z" * 70000) +
                multi_header(-1, 1, -1))
    if mode == "noend" and kind == MULTI:
        return multi_header(CREATE, 0, 0) + string(b"/x")
    return record


def packet(xid, error, record, zxid=1):
    body = struct.pack(">iqi", xid, zxid, error) + record
    return integer(len(body)) + body


def event(kind, path):
    return packet(-1, 0, integer(kind) + integer(3) + string(path), -1)


class Connection:
    def __init__(self, sock, mode):
        self.sock, self.mode, self.held = sock, mode, b""
        self.greeted_as = ""

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def request(self):
        return self.take(struct.unpack(">i", self.take(4))[0])

    def greet(self):
        self.request()
        mode = self.greeted_as = self.mode()
        timeout = int(mode[7:]) if mode.startswith("timeout") else 4000
        password = b"p" * 16
        reply = integer(0) + integer(timeout) + struct.pack(">q", 0x1234)
        if mode.startswith("password"):
            reply += integer(int(mode[8:])) + password
        elif mode == "expired":
            reply = integer(0) * 2 + struct.pack(">q", 0) + string(password)
        elif mode == "garbage":
            reply = os.urandom(36)
        else:
            reply += string(password)
        if mode.startswith("greet"):
            self.sock.sendall(integer(int(mode[5:])) + reply)
        else:
            self.sock.sendall(integer(len(reply) + 1) + reply + b"\0")

    def answer(self, body):
        mode = self.mode()
        if mode.startswith(AT_CONNECT) and mode != self.greeted_as:
            raise EOFError
        xid, kind = struct.unpack_from(">ii", body)
        if kind == CLOSE:
            self.sock.sendall(packet(xid, 0, b""))
            raise EOFError
        path = b"/"
        rest = body[8:]
        if kind not in (PING_OP, MULTI, SET_WATCHES_OP, AUTH_OP):
            path, rest = fields(rest)
        error, record = result(kind, path, rest)
        if kind == PING_OP:
            self.sock.sendall(packet(xid, 0, b""))
            return
        record = records(mode, kind, path, record)
        out = packet(xid, error, record)
        if mode == "xid":
            out = packet(xid + 77, error, record)
        elif mode == "error":
            out = packet(xid, -12345, b"")
        elif mode == "twice":
            out += out
        elif mode.startswith("size"):
            out = integer(int(mode[4:])) + out[4:]
        elif mode == "order":
            out, self.held = (out + self.held if self.held else b""), \
                (b"" if self.held else out)
        elif mode == "events":
            out = (event(99, b"/f") + event(3, b"") + event(4, b"../..") +
                   event(2, b"x" * 70000) + event(-3, b"/f") + out)
        elif mode == "endless":
            while self.mode() == "endless":
                self.sock.sendall(packet(PING, 0, b"") * 1000)
        elif mode == "huge":
            self.sock.sendall(integer(INT_MAX))
            while self.mode() == "huge":
                self.sock.sendall(b"\0" * 65536)
                time.sleep(0.01)
        self.sock.sendall(out)

    def serve(self):
        try:
            self.greet()
            while True:
                self.answer(self.request())
        except (OSError, EOFError, struct.error):
            pass
        finally:
            self.sock.close()


def main():
    port_file, mode_file = sys.argv[1:]

    def mode():
        with open(mode_file, encoding="ascii") as file:
            return file.read().strip()

    listener = socket.create_server(("127.0.0.1", 0))
    with open(port_file + ".new", "w", encoding="ascii") as file:
        file.write("%d\n" % listener.getsockname()[1])
    os.rename(port_file + ".new", port_file)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=Connection(sock, mode).serve,
                         daemon=True).start()


if __name__ == "__main__":
    main()

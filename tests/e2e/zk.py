#!/usr/bin/python3
"""zk.py: the foreign client of the end-to-end tests, on top of kazoo.

As a server (zk.py serve PORTFILE) it listens on 127.0.0.1 and carries out
one command a connection, so that a command costs a millisecond and not the
start of an interpreter, and so that sessions stay open between commands.
As a command (zk.py run HOSTS SESSION COMMAND...) it does the same alone.

A request is the number of words in a line, then each word and a NUL: HOSTS,
SESSION (a name; one ZooKeeper session for each HOSTS and name), COMMAND,
ARGUMENTS. The answer is the exit status in a line, then the output.
"""
import os
import socketserver
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import (BadVersionError, KazooException, NoNodeError,
                              LockTimeout)
from kazoo.security import make_acl

CONNECT_SECONDS = 10
BATCH = 500  # requests in flight


class Failed(Exception):
    """A command that did what it was asked and has bad news."""


class Session:
    """One ZooKeeper session and what tests keep in it."""

    def __init__(self, hosts):
        self.client = KazooClient(hosts=hosts, timeout=10)
        self.client.start(timeout=CONNECT_SECONDS)
        self.locks = {}
        self.events = {}
        self.churns = {}

    def close(self):
        for churn in self.churns.values():
            churn.stop()
        self.client.stop()
        self.client.close()


class Recorder:
    """Records each event of one znode's data and what was found after it."""

    def __init__(self, client, path):
        self.client = client
        self.path = path
        self.lines = []
        self.changed = threading.Condition()
        client.get(path, watch=self.fired)

    def fired(self, event):
        if event.type == "NONE":
            return
        line = event.type
        try:
            data, stat = self.client.get(self.path, watch=self.fired)
            line += " %d %s" % (stat.version, data.decode("latin-1"))
        except NoNodeError:
            pass
        except KazooException as error:
            line += " %r" % error
        with self.changed:
            self.lines.append(line.rstrip("\n"))
            self.changed.notify_all()

    def wait(self, count, seconds):
        with self.changed:
            self.changed.wait_for(lambda: len(self.lines) >= count, seconds)
            return list(self.lines)


class Churn:
    """Creates and deletes children until it is stopped."""

    def __init__(self, client, path, count):
        self.client = client
        self.path = path
        self.count = count
        self.rounds = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        names = ["%s/churn%04d" % (self.path, i) for i in range(self.count)]
        while not self.ended.is_set():
            pipelined([self.client.create_async(n, b"x") for n in names])
            pipelined([self.client.delete_async(n) for n in names])
            self.rounds += 1

    def stop(self):
        self.ended.set()
        self.thread.join()
        return self.rounds


def pipelined(results):
    for result in results:
        try:
            result.get(timeout=30)
        except KazooException:
            pass


def data_of(words):
    """The data argument: text, @FILE, or nothing for empty."""
    if not words:
        return b""
    if words[0].startswith("@"):
        with open(words[0][1:], "rb") as file:
            return file.read()
    return words[0].encode("utf-8", "surrogateescape")


class Commands:
    """One method a command: (session, arguments) -> bytes."""

    @staticmethod
    def get(session, path):
        return session.client.get(path)[0] or b""

    @staticmethod
    def set(session, path, *data):
        stat = session.client.set(path, data_of(data))
        return b"%d\n" % stat.version

    @staticmethod
    def setv(session, path, version, *data):
        """set PATH on VERSION only"""
        try:
            session.client.set(path, data_of(data), int(version))
        except BadVersionError:
            raise Failed("bad version")
        return b""

    @staticmethod
    def create(session, path, *data):
        session.client.create(path, data_of(data), makepath=True)
        return b""

    @staticmethod
    def ephemeral(session, path, *data):
        session.client.create(path, data_of(data), ephemeral=True)
        return b""

    @staticmethod
    def sequential(session, path, *data):
        """An ephemeral sequential child; prints its path."""
        name = session.client.create(path, data_of(data), ephemeral=True,
                                     sequence=True)
        return name.encode() + b"\n"

    @staticmethod
    def sequentials(session, path, count):
        """COUNT of them, in batches in flight."""
        for start in range(0, int(count), BATCH):
            results = [session.client.create_async(path, ephemeral=True,
                                                   sequence=True)
                       for _ in range(min(BATCH, int(count) - start))]
            for result in results:
                result.get(timeout=30)
        return b""

    @staticmethod
    def delete(session, path):
        session.client.delete(path)
        return b""

    @staticmethod
    def rmr(session, path):
        session.client.delete(path, recursive=True)
        return b""

    @staticmethod
    def ls(session, path):
        names = sorted(session.client.get_children(path))
        return "".join(n + "\n" for n in names).encode(
            "utf-8", "surrogateescape")

    @staticmethod
    def exists(session, path):
        if not session.client.exists(path):
            raise Failed("no node")
        return b""

    @staticmethod
    def dump(session, path):
        """A line for each znode at and below PATH, sorted: the path, "dir",
        "file" (as the mounts tell them apart) or "ephemeral", the data."""
        lines, todo = [], [path]
        while todo:
            path = todo.pop()
            data, stat = session.client.get(path)
            names = session.client.get_children(path)
            todo += [path.rstrip("/") + "/" + name for name in names]
            kind = "dir"
            if stat.ephemeralOwner:
                kind = "ephemeral"
            elif not names and (stat.dataLength or stat.version):
                kind = "file"
            lines.append("%s %s %r\n" % (path, kind, data or b""))
        return "".join(sorted(lines)).encode("utf-8", "surrogateescape")

    @staticmethod
    def stat(session, path, *fields):
        """The fields asked for, one a line; all as NAME=VALUE with none."""
        stat = session.client.exists(path)
        if not stat:
            raise Failed("no node")
        if not fields:
            return "".join("%s=%s\n" % pair for pair in
                           zip(stat._fields, stat)).encode()
        return "".join("%d\n" % getattr(stat, f) for f in fields).encode()

    @staticmethod
    def protect(session, path, *words):
        """Sets the ACL: SCHEME NAME read write ... [-- SCHEME NAME ...]"""
        entries = [[]]
        for word in words:
            if word == "--":
                entries.append([])
            else:
                entries[-1].append(word)
        # NAME may be empty.
        acls = [make_acl(scheme, name, **{p: True for p in perms})
                for scheme, name, *perms in entries]
        session.client.set_acls(path, acls)
        return b""

    @staticmethod
    def acl(session, path):
        """The ACL, an entry a line: SCHEME NAME rwcda"""
        lines = ""
        for acl in session.client.get_acls(path)[0]:
            perms = "".join(letter for bit, letter in enumerate("rwcda")
                            if acl.perms >> bit & 1)
            lines += "%s %s %s\n" % (acl.id.scheme, acl.id.id, perms)
        return lines.encode()

    @staticmethod
    def auth(session, scheme, credentials):
        session.client.add_auth(scheme, credentials)
        return b""

    @staticmethod
    def fill(session, path, first, count, *data):
        """COUNT children n00000, n00001, ... in batches in flight."""
        session.client.ensure_path(path)
        todo = range(int(first), int(first) + int(count))
        for start in range(0, len(todo), BATCH):
            results = [session.client.create_async(
                "%s/n%05d" % (path, i), data_of(data))
                for i in todo[start:start + BATCH]]
            for result in results:
                result.get(timeout=30)
        return b""

    @staticmethod
    def churn(session, path, count):
        session.churns[path] = Churn(session.client, path, int(count))
        return b""

    @staticmethod
    def unchurn(session, path):
        """Stops it; prints how often all children came and went."""
        return b"%d\n" % session.churns.pop(path).stop()

    @staticmethod
    def watch(session, path):
        """Starts recording the events of PATH."""
        session.events[path] = Recorder(session.client, path)
        return b""

    @staticmethod
    def events(session, path, count, seconds):
        """What was recorded, when it is COUNT events or time is over."""
        lines = session.events[path].wait(int(count), float(seconds))
        return "".join(line + "\n" for line in lines).encode("latin-1")

    @staticmethod
    def await_gone(session, path, seconds):
        """Returns when the znode is gone."""
        gone = threading.Event()
        if session.client.exists(path, watch=lambda event: gone.set()):
            gone.wait(float(seconds))
            if session.client.exists(path):
                raise Failed("still there")
        return b""

    @staticmethod
    def await_children(session, path, count, seconds):
        """Returns when PATH has exactly COUNT children; prints them."""
        moved = threading.Condition()
        fired = []

        def watch(event):
            with moved:
                fired.append(event)
                moved.notify_all()

        end = time.monotonic() + float(seconds)
        while True:
            with moved:
                fired.clear()
            names = sorted(session.client.get_children(path, watch=watch))
            if len(names) == int(count):
                return "".join(n + "\n" for n in names).encode()
            with moved:
                left = end - time.monotonic()
                if not moved.wait_for(lambda: fired, left):
                    raise Failed("%d children: %s" % (len(names), names))

    @staticmethod
    def lock(session, path, seconds):
        """Takes kazoo's stock Lock; seconds 0: try only."""
        lock = session.client.Lock(path, "zk.py")
        try:
            taken = lock.acquire(blocking=float(seconds) > 0,
                                 timeout=float(seconds) or None)
        except LockTimeout:
            taken = False
        if not taken:
            raise Failed("not acquired")
        session.locks[path] = lock
        return b""

    @staticmethod
    def unlock(session, path):
        session.locks.pop(path).release()
        return b""

    @staticmethod
    def id(session):
        return b"0x%x\n" % session.client.client_id[0]


class Server:
    def __init__(self):
        self.sessions = {}
        self.guard = threading.Lock()

    def session(self, hosts, name):
        with self.guard:
            key = (hosts, name)
            if key not in self.sessions:
                self.sessions[key] = Session(hosts)
            return self.sessions[key]

    def close(self, hosts, name):
        with self.guard:
            session = self.sessions.pop((hosts, name), None)
        if session:
            session.close()

    def close_all(self, hosts):
        with self.guard:
            names = [key[1] for key in self.sessions if key[0] == hosts]
        for name in names:
            self.close(hosts, name)

    def run(self, words):
        """Returns (exit status, output)."""
        try:
            hosts, name, command, *arguments = words
            if command == "close":
                self.close(hosts, name)
                return 0, b""
            if command == "close_all":
                self.close_all(hosts)
                return 0, b""
            session = self.session(hosts, name)
            return 0, getattr(Commands, command)(session, *arguments)
        except Failed as error:
            return 1, ("zk.py: %s\n" % error).encode()
        except Exception as error:  # to the test, whatever it is
            return 2, ("zk.py: %s: %r\n" % (words, error)).encode()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        count = int(self.rfile.readline())
        raw = b""
        while raw.count(b"\0") < count:
            chunk = self.rfile.read1(65536)
            if not chunk:
                return
            raw += chunk
        words = raw.split(b"\0")[:count]
        status, output = self.server.commands.run(
            [os.fsdecode(word) for word in words])
        self.wfile.write(b"%d\n" % status + output)


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def serve(portfile):
    with Listener(("127.0.0.1", 0), Handler) as listener:
        listener.commands = Server()
        with open(portfile + ".new", "w", encoding="ascii") as file:
            file.write("%d\n" % listener.server_address[1])
        os.rename(portfile + ".new", portfile)
        listener.serve_forever()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        serve(sys.argv[2])
    elif len(sys.argv) > 4 and sys.argv[1] == "run":
        status, output = Server().run(sys.argv[2:])
        sys.stdout.buffer.write(output)
        sys.exit(status)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()

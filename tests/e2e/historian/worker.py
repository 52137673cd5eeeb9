"""worker: a process that changes files again and again, and writes down what
it is told. The name of an operation is what it writes."""
import errno
import os
import random
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from historian.story import UNKNOWN
from torturing.children import die_with_parent, error_name
from torturing.trace import Trace

FILES = 3
CLAIM_SECONDS = 0.5


class Worker:
    def __init__(self, settings, number, seed):
        self.settings = settings
        self.number = number
        self.rng = random.Random(seed)
        self.trace = Trace(settings.trace)
        self.n = 0
        self.mount = None
        self.life = None  # of a file of its own
        self.tried = set()  # claims

    def path(self, file):
        return os.path.join(self.mount, file)

    def attempt(self, what, call, *args, **pairs):
        """Whether it was done."""
        self.n += 1
        name = "w%d.%d" % (self.number, self.n)
        self.trace.say(name, "begins", what=what, **pairs)
        try:
            call(name, *args)
        except OSError as error:
            word = error_name(error.errno)
            self.trace.say(name, "unknown" if word in UNKNOWN else "failed",
                           error=word)
            return None if word in UNKNOWN else False
        self.trace.say(name, "done")
        return True

    # -- what is done --

    @staticmethod
    def write_all(fd, data):
        """All, and the close that tells whether it was stored."""
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, "short")
        except OSError:
            try:
                os.close(fd)
            except OSError:
                pass
            raise
        os.close(fd)

    def append(self):
        file = "logs/%d" % self.rng.randrange(FILES)

        def call(name):
            fd = os.open(self.path(file), os.O_WRONLY | os.O_APPEND)
            self.write_all(fd, name.encode() + b",")

        self.attempt("append", call, file=file)

    def rewrite(self, what, file, change):
        """What is read is replaced, unless somebody else was faster."""
        try:
            fd = os.open(self.path(file), os.O_RDWR)
        except OSError:
            return
        try:
            was = os.pread(fd, 4096, 0)
        except OSError:
            os.close(fd)
            return

        def call(name):
            data = change(name, was)
            try:
                os.ftruncate(fd, len(data))
            except OSError:
                os.close(fd)
                raise
            self.write_all(fd, data)

        self.attempt(what, call, file=file, prev=was.decode())

    def write(self):
        self.rewrite("write", "files/%d" % self.rng.randrange(FILES),
                     lambda name, was: name.encode())

    def count(self):
        self.rewrite("count", "counts/%d" % self.rng.randrange(2),
                     lambda name, was: b"%d" % (int(was) + 1))

    def claim(self):
        """Of those who try at about the same time one makes the file, and one
        moves the other one away."""
        left = self.settings.until - time.monotonic()
        n = int((self.settings.seconds - left) / CLAIM_SECONDS)
        if n in self.tried:
            return
        self.tried.add(n)

        def make(name):
            os.close(os.open(self.path(file),
                             os.O_CREAT | os.O_EXCL | os.O_WRONLY))

        file = "claims/%d" % n
        self.attempt("claim", make, file=file)
        jobs, to = "jobs/%d" % n, "taken/%d.%d" % (n, self.number)
        self.attempt("take", lambda name: os.rename(self.path(jobs),
                                                    self.path(to)),
                     file=jobs, to=to)

    def live(self):
        if self.life is None:
            self.life = ["lives/%d.%d" % (self.number, self.n), None]
        file, state = self.life
        moved = file + ".moved"
        if state is None:
            what, after = "make", file
        elif state == file and self.rng.random() < 0.5:
            what, after = "move", moved
        else:
            what, after = "remove", None

        def call(name):
            if what == "make":
                os.close(os.open(self.path(file), os.O_CREAT | os.O_EXCL |
                                 os.O_WRONLY))
            elif what == "move":
                os.rename(self.path(file), self.path(moved))
            else:
                os.unlink(self.path(state))

        done = self.attempt(what, call, file=file)
        if done:
            self.life[1] = after
        if done is None or self.rng.random() < 0.1:
            self.life = None  # nothing rests on what is not known

    def run(self):
        deeds = [self.append] * 4 + [self.write] * 3 + [self.count] * 2 + \
            [self.claim] + [self.live] * 3
        while time.monotonic() < self.settings.until:
            if self.life is None or self.mount is None or \
                    self.rng.random() < 0.1:
                self.mount = self.rng.choice(self.settings.mounts)
            self.rng.choice(deeds)()
            time.sleep(self.rng.uniform(0, self.settings.pause))


class Witness(Worker):
    """Makes znodes without zkfs: the servers must keep what they acknowledge."""

    def run(self):
        client = KazooClient(hosts=self.settings.hosts, timeout=10)
        client.start(timeout=60)
        while time.monotonic() < self.settings.until:
            self.attempt("witness", lambda name: self.make(client, name))
            time.sleep(self.settings.pause)
        client.stop()
        client.close()

    @staticmethod
    def make(client, name):
        try:
            client.create("/history/witness/" + name)
        except KazooException as error:
            raise OSError(errno.EIO, str(error)) from error


def fork(settings, number, kind=Worker):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(9)
        kind(settings, number, "%s-%d" % (settings.seed, number)).run()
        status = 0
    finally:
        os._exit(status)

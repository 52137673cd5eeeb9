#!/usr/bin/python3
"""stress.py: many processes do everything at once to two mounts of one tree.

Meanwhile signals hit them at any moment, the server is frozen and killed, a
foreign client changes what they work on, and a third mount comes and goes. It
is over after --seconds, and fails if any of this was seen:

  a file that is neither the old nor the new version (each says how long it is)
  an append that was acknowledged and is not there, or is there twice
  two holders of one lock; a contender that is left when all is over
  an errno that the operation has no business to answer
  a process that does not end; a mount that does not answer; a daemon that
  ended, or that does not end with 0 when it is unmounted

A worker's file in the work directory tells what it has seen. The server is
"frozen" for less than a third of the session timeout, and killed only while
--server-start can bring it back; sessions live on through both, so that each
lock that is lost was lost by zkfs.
"""
import argparse
import collections
import errno
import fcntl
import logging
import os
import random
import signal
import subprocess
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

WORKERS = 12
DIRS = ["", "d0", "d1", "d0/sub", "d1/sub", "d2"]
FILES = ["f0", "f1", "f2", "f3"]
LOCKS = ["l0", "l1"]
APPENDS = ["app/a0", "app/a1"]
SESSION_SECONDS = 4
END_SECONDS = 25  # for the last worker, and for a daemon to end

# What may be answered while names come and go, servers are away, and signals
# are handled. Not among them, above all: EBADF, ENOSYS, EFAULT, EFBIG.
ANY = {errno.ENOENT, errno.ESTALE, errno.EINTR, errno.ETIMEDOUT, errno.EIO,
       errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}
# Of the mount that comes and goes. While it is not there its directory is.
GOING = {errno.ENOTCONN, errno.ECONNABORTED, errno.ENODEV, errno.ENODATA}


class Interrupted(Exception):
    """A signal whose handler does not let the system call go on."""


def monotonic():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def hear_of_children():
    """What we block is not for programs that we start."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def is_alive(pid):
    """Whether any of its threads is, and with it its sockets."""
    try:
        threads = os.listdir("/proc/%d/task" % pid)
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            state = file.read().rpartition(")")[2].split()[0]
        return len(threads) > 1 or state not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pack(rng):
    body = bytes([rng.randrange(65, 91)]) * rng.choice([0, 10, 5000, 200000])
    return b"%08d:" % len(body) + body


def is_whole(data):
    return not data or (data[8:9] == b":" and len(data) - 9 == int(data[:8]))


class Worker:
    def __init__(self, args, number, generation):
        self.args = args
        self.rng = random.Random("%s-%d-%d" % (args.seed, number, generation))
        self.me = "%d.%d" % (number, generation)
        self.n = 0
        self.raises = self.rng.random() < 0.5
        self.armed = False
        self.log = os.open(os.path.join(args.work, "log"),
                           os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.mount = None
        self.acts = [getattr(self, name) for name in dir(self)
                     if name.startswith("do_")]

    def say(self, *words):
        os.write(self.log, (" ".join(map(str, words)) + "\n").encode())

    def on_signal(self, number, frame):
        if self.armed and self.raises:
            self.armed = False
            raise Interrupted()

    def path(self, *names):
        return os.path.join(self.mount, *names)

    def stays(self):
        return self.mount != self.args.mounts[-1]

    def any_dir(self):
        return self.path(self.rng.choice(DIRS))

    def any_file(self):
        return os.path.join(self.any_dir(), self.rng.choice(FILES))

    def whole(self, act):
        allowed = ANY | set(getattr(act, "errnos", ()))
        if not self.stays():
            allowed |= GOING
        outcome = "ok"
        try:
            act()
        except Interrupted:
            outcome = "interrupted"
        except OSError as error:
            outcome = errno.errorcode[error.errno]
            if error.errno not in allowed:
                self.say("BAD", act.__name__, error)
        self.say("DID", act.__name__, outcome)

    def run(self):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, self.on_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        while monotonic() < self.args.until:
            self.n += 1
            self.mount = self.rng.choice(self.args.mounts)
            act = self.rng.choice(self.acts)
            try:
                self.armed = True
                self.whole(act)
                self.armed = False
            except Interrupted:
                pass
            # A handler may have raised between the call and the variable.
            os.closerange(self.log + 1, self.log + 40)

    # -- files --

    def do_write(self):
        flags = self.rng.choice([0, 0, os.O_EXCL, os.O_SYNC])
        fd = os.open(self.any_file(),
                     os.O_WRONLY | os.O_CREAT | os.O_TRUNC | flags)
        data = pack(self.rng)
        # What an interrupted program has written by half and then closes is
        # a version, and so is each write with O_SYNC.
        cut = 0
        if not self.raises and flags != os.O_SYNC:
            cut = self.rng.randrange(len(data))
        if cut:
            os.write(fd, data[:cut])
        os.write(fd, data[cut:])
        if self.rng.random() < 0.2:
            os.fsync(fd)
        os.close(fd)

    def do_read(self):
        fd = os.open(self.any_file(), os.O_RDONLY)
        data = b""
        while True:
            part = os.read(fd, self.rng.choice([100, 65536, 1 << 20]))
            if not part:
                break
            data += part
        os.close(fd)
        if not is_whole(data) and self.stays():
            self.say("BAD", "torn", len(data), data[:20])

    def do_rewrite(self):
        fd = os.open(self.any_file(), os.O_RDWR)
        old = os.read(fd, 1 << 20)
        if not is_whole(old) and self.stays():
            self.say("BAD", "torn", len(old), old[:20])
        os.ftruncate(fd, 0)
        os.pwrite(fd, pack(self.rng), 0)
        os.close(fd)

    def do_append(self):
        name = self.rng.choice(APPENDS)
        line = "%s.%d" % (self.me, self.n)
        fd = os.open(self.path(name), os.O_WRONLY | os.O_APPEND)
        self.say("TRY", name, line)
        os.write(fd, (line + "\n").encode())
        os.close(fd)
        self.say("ACK", name, line)

    def do_truncate(self):
        os.truncate(self.path("t%d" % self.rng.randrange(2)),
                    self.rng.randrange(5000))

    def do_touch(self):
        fd = os.open(self.path("t%d" % self.rng.randrange(2)),
                     os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)
        os.close(fd)
        os.utime(self.any_file())

    def do_stat(self):
        path = self.any_file()
        os.stat(path)
        os.getxattr(path, "user.zk.version")
        os.statvfs(self.mount)

    # -- names --

    def do_rename(self):
        os.rename(self.any_file(), self.any_file())
    do_rename.errnos = (errno.EXDEV,)

    def do_rename_dir(self):
        os.rename(self.any_dir(), self.any_dir())
    do_rename_dir.errnos = (errno.EXDEV, errno.EINVAL, errno.EBUSY)

    def do_unlink(self):
        os.unlink(self.any_file())

    def do_mkdir(self):
        os.mkdir(self.any_dir())

    def do_rmdir(self):
        os.rmdir(self.any_dir())
    do_rmdir.errnos = (errno.EBUSY,)

    def do_list(self):
        seen = set()
        with os.scandir(self.any_dir()) as entries:
            for entry in entries:
                if entry.name in seen:
                    self.say("BAD", "listed twice:", entry.name)
                seen.add(entry.name)
                if self.rng.random() < 0.3:
                    entry.stat(follow_symlinks=False)

    def do_sync_dir(self):
        fd = os.open(self.any_dir(), os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)

    def do_data(self):
        path = os.path.join(self.any_dir(), ".data")
        if self.rng.random() < 0.7:
            fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.write(fd, b"of a directory")
            os.close(fd)
        else:
            os.unlink(path)

    # -- locks --

    def enter(self, lock, kind):
        """Where only one may be, or only readers; the kernel ends this with
        the process."""
        gate = os.open(os.path.join(self.args.work, lock),
                       os.O_RDWR | os.O_CREAT)
        limit = monotonic() + 0.2
        while True:
            try:
                fcntl.flock(gate, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # One that was killed may be on its way out.
                if monotonic() > limit:
                    self.say("BAD", "two holders of", lock + ":", self.me,
                             "and", os.pread(gate, 200, 0))
                    break
        os.ftruncate(gate, 0)
        os.pwrite(gate, self.me.encode(), 0)
        return gate

    def hold(self, lock, fd):
        gate = self.enter(lock, fcntl.LOCK_EX)
        try:
            if self.rng.random() < 0.3:
                os.write(fd, b"note")
            if self.rng.random() < 0.3:
                os.lseek(fd, 0, os.SEEK_SET)
                os.read(fd, 4096)
        finally:
            os.close(gate)
        if self.rng.random() < 0.1:
            os.unlink(self.path("locks", lock, self.label()))

    def label(self):
        return "w%d" % (int(self.me.split(".", maxsplit=1)[0]) % 5)

    def lock(self, flags):
        lock = self.rng.choice(LOCKS)
        fd = os.open(self.path("locks", lock, self.label()),
                     os.O_RDWR | os.O_CREAT | flags)
        try:
            self.hold(lock, fd)
        finally:
            os.close(fd)

    def do_lock(self):
        self.lock(0)
    do_lock.errnos = (errno.ECANCELED,)

    do_lock2 = do_lock

    def do_try_lock(self):
        self.lock(os.O_NONBLOCK)
    do_try_lock.errnos = (errno.ECANCELED, errno.EAGAIN)

    def flock(self, take, lock, path):
        """By flock(2) or fcntl(2): `path` stands for `lock`."""
        kind = self.rng.choice([fcntl.LOCK_EX, fcntl.LOCK_SH])
        fd = os.open(path, os.O_RDWR)
        take(fd, kind | self.rng.choice([0, 0, fcntl.LOCK_NB]))
        os.close(self.enter(lock, kind))
        if self.rng.random() < 0.2:
            # From one kind to the other there is a moment without.
            kind = fcntl.LOCK_EX + fcntl.LOCK_SH - kind
            take(fd, kind)
            os.close(self.enter(lock, kind))
        if self.rng.random() < 0.5:
            take(fd, fcntl.LOCK_UN)
        os.close(fd)

    def do_flock(self):
        name = "t%d" % self.rng.randrange(2)
        self.flock(fcntl.flock, name, self.path(name))
    do_flock.errnos = (errno.EAGAIN,)

    def do_lockf(self):
        name = "t%d" % self.rng.randrange(2)
        self.flock(fcntl.lockf, name, self.path(name))
    do_lockf.errnos = (errno.EAGAIN,)

    def do_flock_lock(self):
        lock = self.rng.choice(LOCKS)
        self.flock(fcntl.flock, lock, self.path("locks", lock, ".lock"))
    do_flock_lock.errnos = (errno.EAGAIN,)

    def do_look_at_lock(self):
        path = self.path("locks", self.rng.choice(LOCKS))
        for name in os.listdir(path):
            fd = os.open(os.path.join(path, name), os.O_RDONLY)
            os.read(fd, 4096)
            os.close(fd)


class Stress:
    def __init__(self, args):
        self.args = args
        self.rng = random.Random(args.seed)
        self.workers = {}  # pid: number
        self.generations = [0] * WORKERS
        self.daemons = {}
        self.bad = []
        self.zk = KazooClient(args.source, timeout=10)

    def blame(self, *words):
        self.bad.append(" ".join(map(str, words)))

    # -- what there is --

    def mount(self, path):
        os.makedirs(path, exist_ok=True)
        with open(path + ".log", "ab") as log:
            self.daemons[path] = subprocess.Popen(
                [self.args.zkfs, "-f", "-o",
                 "session_timeout=%d" % SESSION_SECONDS,
                 self.args.source, path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=hear_of_children)
        limit = monotonic() + 20
        while not os.path.ismount(path):
            if monotonic() > limit or self.daemons[path].poll() is not None:
                sys.exit("cannot mount on " + path)
            self.wait(0.05)

    def wait(self, seconds):
        """Until a child ends, at most so long."""
        signal.sigtimedwait([signal.SIGCHLD], seconds)

    def unmount(self, path, *flags):
        if subprocess.run(["fusermount3", "-u", *flags, path],
                          check=False, preexec_fn=hear_of_children
                          ).returncode != 0:
            self.blame("cannot unmount", path)
            self.daemons[path].terminate()
        self.ends(path)

    def ends(self, path):
        daemon = self.daemons.pop(path)
        try:
            status = daemon.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.blame("the daemon of", path, "does not end")
            daemon.kill()
            return
        if status != 0:
            self.blame("the daemon of", path, "ended with", status)
            with open(path + ".log", encoding="utf-8") as log:
                self.blame("its log ends so:\n" + log.read()[-1000:])

    def start_worker(self, number):
        self.generations[number] += 1
        # Until it is ready for them.
        signal.pthread_sigmask(signal.SIG_BLOCK,
                               [signal.SIGINT, signal.SIGUSR1])
        pid = os.fork()
        if pid == 0:
            try:
                Worker(self.args, number, self.generations[number]).run()
                os._exit(0)
            except BaseException as error:  # pylint: disable=broad-except
                os.write(2, ("worker: %r\n" % error).encode())
                os._exit(70)
        signal.pthread_sigmask(signal.SIG_UNBLOCK,
                               [signal.SIGINT, signal.SIGUSR1])
        self.workers[pid] = number

    def reap(self):
        for pid in list(self.workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done:
                continue
            number = self.workers.pop(pid)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
                self.blame("worker", number, "ended with", status >> 8)
            if monotonic() < self.args.until:
                self.start_worker(number)

    # -- what happens to it --

    def hit(self):
        pid = self.rng.choice(list(self.workers))
        os.kill(pid, self.rng.choice([signal.SIGUSR1] * 6 +
                                     [signal.SIGINT, signal.SIGKILL]))

    def meddle(self):
        path = "/" + "/".join(filter(None, [self.rng.choice(DIRS),
                                            self.rng.choice(FILES)]))
        try:
            act = self.rng.randrange(4)
            if act == 0:
                self.zk.set_async(path, pack(self.rng))
            elif act == 1:
                self.zk.delete_async(path)
            elif act == 2:
                self.zk.create_async(path, pack(self.rng))
            else:
                self.zk.set_async("/" + self.rng.choice(DIRS), b"data")
        except KazooException:
            pass

    def freeze(self):
        pid = self.server()
        if not pid:
            return
        os.kill(pid, signal.SIGSTOP)
        try:
            self.wait(self.rng.uniform(0.05, self.args.freeze))
        finally:
            os.kill(pid, signal.SIGCONT)

    def server(self):
        if not self.args.server_pid:
            return None
        with open(self.args.server_pid, encoding="ascii") as file:
            return int(file.read())

    def restart(self):
        pid = self.server()
        if pid and self.args.server_start:
            os.kill(pid, signal.SIGKILL)
            while is_alive(pid):
                self.wait(0.01)
            subprocess.run(self.args.server_start, shell=True, check=True,
                           stdin=subprocess.DEVNULL,
                           preexec_fn=hear_of_children)

    def remount(self):
        last = self.args.mounts[-1]
        # Away at once with all that is under way, or when the last has left.
        if self.rng.random() < 0.5:
            self.daemons[last].terminate()
            self.ends(last)
        else:
            self.unmount(last, "-z")
        self.mount(last)

    # -- from first to last --

    def prepare(self):
        _, slash, chroot = self.args.source.partition("/")
        self.zk.start(timeout=20)
        if chroot:
            self.zk.chroot = ""
            self.zk.ensure_path(slash + chroot)
            self.zk.chroot = slash + chroot
        for path in ["/locks/" + lock for lock in LOCKS] + ["/app"]:
            self.zk.ensure_path(path)
        for path in APPENDS + ["t0", "t1"]:
            self.zk.create("/" + path, b"\n")
        for path in self.args.mounts:
            self.mount(path)

    def run(self):
        big = []
        next_big = monotonic() + 2
        self.args.until = monotonic() + self.args.seconds
        for number in range(WORKERS):
            self.start_worker(number)
        while monotonic() < self.args.until:
            self.wait(self.rng.uniform(0, 0.05))
            self.reap()
            if self.workers:
                self.hit()
            self.meddle()
            if monotonic() > next_big:
                if not big:
                    big = [self.freeze, self.freeze, self.restart,
                           self.remount]
                    self.rng.shuffle(big)
                big.pop()()
                next_big = monotonic() + self.rng.uniform(0.5, 2.5)

    def end(self):
        limit = monotonic() + END_SECONDS
        while self.workers and monotonic() < limit:
            self.wait(0.1)
            self.reap()
        for pid in self.workers:
            self.blame("worker", pid, "does not end:", *self.where(pid))
            os.kill(pid, signal.SIGKILL)

    @staticmethod
    def where(pid):
        words = []
        for name in ("wchan", "syscall", "stack"):
            try:
                with open("/proc/%d/%s" % (pid, name),
                          encoding="ascii") as file:
                    words.append(file.read())
            except OSError:
                pass
        return words

    def check_locks(self):
        for lock in self.zk.retry(self.zk.get_children, "/locks"):
            limit = monotonic() + 5
            while True:
                left = self.zk.retry(self.zk.get_children, "/locks/" + lock)
                if not left:
                    break
                if monotonic() > limit:
                    self.blame("left in", lock + ":", left)
                    break
                self.wait(0.05)

    def check_log(self):
        tried, acked = {}, {}
        done = collections.Counter()
        with open(os.path.join(self.args.work, "log"),
                  encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if words[0] == "DID":
                    done[words[1], words[2]] += 1
                elif words[0] == "BAD":
                    self.blame(line.strip())
                elif words[0] == "TRY":
                    tried.setdefault(words[1], set()).add(words[2])
                elif words[0] == "ACK":
                    acked.setdefault(words[1], set()).add(words[2])
        n = 0
        for name in APPENDS:
            lines = self.zk.retry(self.zk.get, "/" + name)[0]
            lines = lines.decode().split()
            if len(lines) != len(set(lines)):
                self.blame("appended twice to", name)
            lost = acked.get(name, set()) - set(lines)
            if lost:
                self.blame("lost from", name + ":", *sorted(lost))
            if set(lines) - tried.get(name, set()):
                self.blame("from nowhere in", name)
            n += len(lines)
        print("%d acts, %d appends, %d workers" % (
            sum(done.values()), n, sum(self.generations)))
        for act in sorted({act for act, outcome in done}):
            if not done[act, "ok"]:
                self.blame("never succeeded:", act)
            print(" ", act, *sorted("%s:%d" % (outcome, number)
                                    for (name, outcome), number
                                    in done.items() if name == act))

    def finish(self):
        for path in self.args.mounts:
            if self.daemons[path].poll() is not None:
                self.blame("the daemon of", path, "has ended with",
                           self.daemons[path].returncode)
                continue
            try:
                os.listdir(path)
            except OSError as error:
                self.blame(path, "does not answer:", error)
        self.check_locks()
        self.check_log()
        for path in self.args.mounts:
            if path in self.daemons:
                self.unmount(path)
        self.zk.stop()
        self.zk.close()
        for words in self.bad[:50]:
            print(words)
        return 1 if self.bad else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--zkfs", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", default=str(time.time_ns()))
    parser.add_argument("--freeze", type=float, default=SESSION_SECONDS / 4,
                        help="longest; beyond a session timeout locks "
                        "are lost while held")
    parser.add_argument("--server-pid", help="file")
    parser.add_argument("--server-start", help="command")
    args = parser.parse_args()
    args.work = os.path.abspath(args.work)
    args.mounts = [os.path.join(args.work, name) for name in "ABC"]
    os.makedirs(args.work, exist_ok=True)
    print("seed", args.seed, flush=True)
    # It tells of each connection that is lost, which is what we are about.
    logging.disable()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    stress = Stress(args)
    stress.prepare()
    try:
        stress.run()
    finally:
        stress.end()
    sys.exit(stress.finish())


main()

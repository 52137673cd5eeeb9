"""acts: what is done to a mount, one class each, and what must be true after it
whatever failed. One object is one time: prepare() and check() have memory
enough, act() has not."""
import errno
import os
import select

from starving.world import Wrong, wait_for

SECONDS = 20
OLD, NEW = b"old", b"new!"

ACTS = []


def listed(cls):
    ACTS.append(cls)
    return cls


def same(got, *wanted):
    if got not in wanted:
        raise Wrong("expected %r, got %r" % (wanted, got))


def read_all(path, flags=0):
    fd = os.open(path, os.O_RDONLY | flags)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def write(path, data, flags):
    fd = os.open(path, os.O_WRONLY | flags, 0o666)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def expect(number, function, *arguments):
    """It fails so; or for want of memory, which is the caller's to see."""
    try:
        function(*arguments)
    except OSError as error:
        if error.errno == number:
            return
        raise
    raise Wrong("%s%r succeeded" % (function.__name__, arguments))


class Act:
    # What else may be answered for want of memory.
    errnos = ()

    def __init__(self, world, n):
        self.world = world
        self.znode = "/%s/%s" % (type(self).__name__, n)
        self.path = world.path(self.znode)

    def prepare(self):
        self.world.make(self.znode, OLD)

    def act(self):
        raise NotImplementedError

    def check(self, error):
        """error is None when it was done."""

    def end(self):
        """Lets go of what it holds, whatever has happened."""


# -- reading -----------------------------------------------------------------

@listed
class Lookup(Act):
    def act(self):
        same(os.stat(self.path).st_size, len(OLD))


@listed
class Absent(Act):
    def prepare(self):
        self.world.make(self.znode + "/there", OLD)

    def act(self):
        for _ in range(2):
            expect(errno.ENOENT, os.stat, self.path + "/missing")

    def check(self, error):
        self.world.make(self.znode + "/missing", NEW)
        wait_for("what was missing is shown",
                 lambda: os.path.exists(self.path + "/missing"))


@listed
class Read(Act):
    def act(self):
        same(read_all(self.path), OLD)

    def check(self, error):
        same(read_all(self.path), OLD)


@listed
class List(Act):
    names = ["a", "b", "dir", "c" * 200]

    def prepare(self):
        for name in self.names:
            self.world.make(self.znode + "/" + name, OLD)
        self.world.make(self.znode + "/dir/below", OLD)

    def act(self):
        same(sorted(os.listdir(self.path)), sorted(self.names))
        with os.scandir(self.path) as entries:
            for entry in entries:
                entry.stat()


@listed
class Statfs(Act):
    def act(self):
        os.statvfs(self.path)


@listed
class Attributes(Act):
    def act(self):
        for name in os.listxattr(self.path):
            os.getxattr(self.path, name)


# -- writing -----------------------------------------------------------------

class Writing(Act):
    before, after = OLD, NEW

    def check(self, error):
        want = [self.after] + [self.before] * (error is not None)
        same(self.world.get(self.znode), *want)
        same(read_all(self.path), *want)


@listed
class Write(Writing):
    def act(self):
        write(self.path, NEW, os.O_TRUNC)


@listed
class Fsync(Writing):
    after = NEW + NEW

    def act(self):
        fd = os.open(self.path, os.O_RDWR)
        try:
            os.pwrite(fd, NEW, 0)
            os.pwrite(fd, NEW, len(NEW))
            os.fsync(fd)
            same(os.pread(fd, 99, 0), self.after)
        finally:
            os.close(fd)

    def check(self, error):
        same(self.world.get(self.znode), OLD, NEW, self.after)
        if not error:
            super().check(error)


@listed
class Synced(Writing):
    def act(self):
        write(self.path, NEW, os.O_TRUNC | os.O_SYNC)


@listed
class Append(Writing):
    after = OLD + NEW

    def act(self):
        write(self.path, NEW, os.O_APPEND)


@listed
class AppendOnConflict(Writing):
    """Somebody else was faster: what there is is read, and tried again."""
    before, after = NEW, NEW + OLD

    def act(self):
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            self.world.zk.set(self.znode, NEW)
            os.write(fd, OLD)
        except BaseException:
            self.world.zk.set(self.znode, NEW)
            raise
        finally:
            os.close(fd)

    def check(self, error):
        same(self.world.get(self.znode), self.after,
             *[self.before, OLD] * (error is not None))


@listed
class Truncate(Writing):
    after = OLD[:1]

    def act(self):
        os.truncate(self.path, 1)


@listed
class Touch(Writing):
    after = OLD

    def act(self):
        os.utime(self.path)


@listed
class Large(Writing):
    after = bytes(range(256)) * 2000

    def act(self):
        write(self.path, self.after, os.O_TRUNC)

    def check(self, error):
        same(len(self.world.get(self.znode)), len(self.after),
             *[len(OLD)] * (error is not None))


@listed
class Unlinked(Act):
    """A file that is written until it is closed, and is then gone."""

    def act(self):
        fd = os.open(self.path, os.O_RDWR)
        try:
            os.unlink(self.path)
            os.write(fd, NEW)
            same(os.pread(fd, 99, 0), NEW)
        finally:
            os.close(fd)

    def check(self, error):
        if not error:
            same(self.world.exists(self.znode), False)


# -- names -------------------------------------------------------------------

class Making(Act):
    """Of what is made below it."""
    name = "/made"

    def prepare(self):
        self.world.make(self.znode + "/there", OLD)

    def check(self, error):
        there = self.world.exists(self.znode + self.name)
        if not error:
            same(there, True)
        if there:
            os.stat(self.path + self.name)
        else:
            expect(errno.ENOENT, os.stat, self.path + self.name)


@listed
class Create(Making):
    def act(self):
        write(self.path + self.name, NEW, os.O_CREAT | os.O_EXCL)

    def check(self, error):
        super().check(error)
        if self.world.exists(self.znode + self.name):
            same(self.world.get(self.znode + self.name), NEW,
                 *[b""] * (error is not None))


@listed
class Mkdir(Making):
    def act(self):
        os.mkdir(self.path + self.name)


class Removing(Act):
    def check(self, error):
        if not error:
            same(self.world.exists(self.znode), False)
        same(os.path.exists(self.path), self.world.exists(self.znode))


@listed
class Unlink(Removing):
    def act(self):
        os.unlink(self.path)


@listed
class Rmdir(Removing):
    def prepare(self):
        self.world.make(self.znode)

    def act(self):
        os.rmdir(self.path)


class Moving(Act):
    source, target, below = "/from", "/to", ""

    def prepare(self):
        self.world.make(self.znode + "/there")
        self.world.make(self.znode + self.source + self.below, OLD)

    def act(self):
        os.rename(self.path + self.source, self.path + self.target)

    def check(self, error):
        source = self.world.exists(self.znode + self.source)
        target = self.world.exists(self.znode + self.target)
        same((source, target), (False, True),
             *[(True, False)] * (error is not None))
        name = self.target if target else self.source
        same(self.world.get(self.znode + name + self.below), OLD)
        same(read_all(self.path + name + self.below), OLD)
        other = self.source if target else self.target
        expect(errno.ENOENT, os.stat, self.path + other)


@listed
class Rename(Moving):
    pass


@listed
class RenameDirectory(Moving):
    below = "/in/it"


@listed
class RenameOnto(Moving):
    def prepare(self):
        super().prepare()
        self.world.make(self.znode + self.target, NEW)

    def check(self, error):
        source = self.world.exists(self.znode + self.source)
        got = self.world.get(self.znode + self.target)
        same((source, got), (False, OLD),
             *[(True, NEW)] * (error is not None))
        same(read_all(self.path + self.target), got)


@listed
class Refused(Making):
    def act(self):
        expect(errno.EPERM, os.symlink, "x", self.path + self.name)
        expect(errno.EPERM, os.mkfifo, self.path + self.name)
        expect(errno.EPERM, os.link, self.path + "/there",
               self.path + self.name)

    def check(self, error):
        same(self.world.exists(self.znode + self.name), False)


@listed
class Acl(Act):
    attribute = "user.zk.acl"
    text = b"world:anyone:crdwa,ip:127.0.0.1:r"

    def act(self):
        os.getxattr(self.path, self.attribute)
        os.setxattr(self.path, self.attribute, self.text)

    def check(self, error):
        want = [2] + [1] * (error is not None)
        same(len(self.world.zk.get_acls(self.znode)[0]), *want)


# -- what others do ----------------------------------------------------------

@listed
class Changed(Act):
    """It is shown, whatever there was no memory for."""

    def prepare(self):
        super().prepare()
        self.world.make(self.znode + ".dir/one", OLD)
        same(read_all(self.path), OLD)
        same(os.listdir(self.path + ".dir"), ["one"])
        os.stat(self.path + ".dir/one")

    def act(self):
        self.world.zk.set(self.znode, NEW)
        self.world.zk.create(self.znode + ".dir/two", OLD)
        self.world.zk.delete(self.znode + ".dir/one")
        self.world.settle()
        same(read_all(self.path), OLD, NEW)

    def check(self, error):
        wait_for("the new data", lambda: read_all(self.path) == NEW, 8)
        wait_for("the new name",
                 lambda: os.listdir(self.path + ".dir") == ["two"], 8)
        wait_for("the old name's end",
                 lambda: not os.path.exists(self.path + ".dir/one"), 8)


@listed
class Polled(Act):
    def prepare(self):
        super().prepare()
        self.fd = os.open(self.path, os.O_RDONLY)
        same(os.pread(self.fd, 99, 0), OLD)
        self.poller = select.poll()
        self.poller.register(self.fd, select.POLLPRI | select.POLLERR)

    def act(self):
        self.poller.poll(0)
        self.world.zk.set(self.znode, NEW)
        if not self.poller.poll(SECONDS * 1000):
            raise Wrong("poll has not told of the change")

    def end(self):
        os.close(self.fd)


# -- control files -----------------------------------------------------------

@listed
class Control(Act):
    def prepare(self):
        pass

    def act(self):
        for name in os.listdir(self.world.path("/.zkfs")):
            same(len(read_all(self.world.path("/.zkfs/" + name))) > 99, True)

"""mount: looks and changes through one mount point, each with a time limit."""
import errno
import os
import signal
import stat

from modelling.znodes import DATA_NAME

# The server is away, or the session has ended under it.
AWAY = {errno.ETIMEDOUT, errno.EIO}
ABSENT = {errno.ENOENT, errno.ENOTDIR}
LARGEST = 1 << 21


class Stalled(Exception):
    """A call that did not return in time."""


def on_alarm(number, frame):
    raise Stalled()


class Limit:
    """with Limit(SECONDS): calls that must have returned by then."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *error):
        signal.setitimer(signal.ITIMER_REAL, 0)


def read_whole(fd):
    return os.pread(fd, LARGEST, 0)


class Mount:
    def __init__(self, name, path, pid, limit):
        self.name = name
        self.root = path
        self.pid = pid
        self.limit = limit
        self.proxy = None  # pid of what is between it and its server
        self.lost_file = None  # which that writes when it has lost a change

    def at(self, path):
        return self.root + path

    # -- looking --

    def stat(self, path):
        with Limit(self.limit):
            try:
                st = os.stat(self.at(path))
            except OSError as error:
                if error.errno in ABSENT:
                    return ("absent",)
                raise
        if stat.S_ISDIR(st.st_mode):
            # The root answers without its server, with what was known last.
            return ("dir", st.st_mtime_ns if path else None)
        return ("file", st.st_size, st.st_mtime_ns)

    def open(self, path):
        """A descriptor, or how it looks if there is none."""
        with Limit(self.limit):
            try:
                return os.open(self.at(path), os.O_RDONLY), None
            except OSError as error:
                if error.errno in ABSENT:
                    return None, ("absent",)
                raise

    def read(self, path):
        fd, seen = self.open(path)
        if seen:
            return seen
        try:
            with Limit(self.limit):
                return ("data", read_whole(fd))
        except IsADirectoryError:
            return ("dir", None)
        finally:
            os.close(fd)

    def own_data(self, path):
        return self.read(path + "/" + DATA_NAME)

    def list(self, path):
        with Limit(self.limit):
            try:
                return ("names", frozenset(os.listdir(self.at(path))))
            except NotADirectoryError:
                return ("nodir",)
            except FileNotFoundError:
                return ("absent",)

    def barrier(self, path=""):
        """sync DIR. Whether it was one: the directory may have gone."""
        with Limit(self.limit):
            try:
                fd = os.open(self.at(path), os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                if path and error.errno in ABSENT:
                    return False
                raise
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        return True

    # -- changing --

    def change(self, change):
        """Returns the errno, or 0."""
        with Limit(self.limit):
            try:
                getattr(self, "do_" + change.kind)(change)
                return 0
            except OSError as error:
                return error.errno

    def do_mkdir(self, change):
        os.mkdir(self.at(change.path))

    def do_create(self, change):
        os.close(os.open(self.at(change.path),
                         os.O_WRONLY | os.O_CREAT | os.O_EXCL))

    def do_write(self, change):
        self.spew(change.path, change.data,
                  os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def do_append(self, change):
        self.spew(change.path, change.data, os.O_WRONLY | os.O_APPEND)

    def do_write_data(self, change):
        self.spew(change.path + "/" + DATA_NAME, change.data,
                  os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def do_truncate(self, change):
        os.truncate(self.at(change.path), change.data)

    def do_unlink(self, change):
        os.unlink(self.at(change.path))

    def do_unlink_data(self, change):
        os.unlink(self.at(change.path) + "/" + DATA_NAME)

    def do_rmdir(self, change):
        os.rmdir(self.at(change.path))

    def do_rename(self, change):
        os.rename(self.at(change.path), self.at(change.other))

    def spew(self, path, data, flags):
        fd = os.open(self.at(path), flags, 0o666)
        try:
            if data:
                os.write(fd, data)
            else:
                # As shells do: an emptied file is committed by the second.
                os.close(os.dup(fd))
        except OSError:
            try:
                os.close(fd)
            except OSError:
                pass
            raise
        os.close(fd)


class Liar(Mount):
    """Now and then shows what it has shown before: a control."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.shown = {}
        self.calls = 0

    def read(self, path):
        seen = super().read(path)
        self.calls += 1
        before = self.shown.setdefault(path, seen)
        return before if self.calls % 10 == 0 else seen

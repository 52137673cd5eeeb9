"""mounts: zkfs daemons that may be frozen, killed and asked to end.

The torturer itself never touches what is mounted: it might hang. Whether a
mount is there is asked of the kernel's list.
"""
import os
import signal
import subprocess

from torturing.children import die_with_parent, pause, within

MOUNT_SECONDS = 40
END_SECONDS = 20


def connections_below(directory):
    """(minor number of the FUSE connection, mount point), the newest first."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if fields[4].startswith(directory + "/"):
                found.append((fields[2].partition(":")[2], fields[4]))
    return list(reversed(found))


def detach(path):
    return subprocess.run(["timeout", "20", "fusermount3", "-u", "-z", path],
                          check=False, capture_output=True).returncode == 0


class Mount:
    """One mount point, and the daemon of the day."""

    def __init__(self, zkfs, options, source, path):
        self.command = [zkfs, "-f", "-o", options, source, path]
        self.path = path
        self.name = os.path.basename(path)
        self.daemon = None
        self.frozen = False
        self.leaving = []  # were asked to end, and may take their time
        os.makedirs(path)

    def is_mounted(self):
        return any(path == self.path for _, path in
                   connections_below(os.path.dirname(self.path)))

    def is_up(self):
        return self.daemon is not None and not self.frozen

    def start(self):
        with open(self.path + ".log", "ab") as log:
            self.daemon = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: die_with_parent(signal.SIGTERM))

    def appears(self, seconds):
        """A daemon that finds no server gives up: another one is started."""
        def is_there():
            if self.daemon.poll() is not None:
                self.start()
            return self.is_mounted()
        return within(seconds, is_there)

    def freeze(self):
        self.frozen = True
        self.daemon.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.frozen = False
        self.daemon.send_signal(signal.SIGCONT)

    def kill(self):
        """As a crash does; what is left mounted answers ENOTCONN."""
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None
        self.frozen = False

    def ask_to_end(self, by_signal):
        """By SIGTERM at once with all that is open, or when that is closed."""
        if self.is_mounted() and not by_signal:
            detach(self.path)
        else:
            self.daemon.terminate()
        self.leaving.append(self.daemon)
        self.daemon = None

    def start_again(self):
        """The daemon has gone, and maybe left its mount."""
        if self.is_mounted():
            detach(self.path)
        self.start()

    def statuses(self, seconds):
        """How the daemons ended that were asked to; None: not yet."""
        within(seconds, lambda: all(daemon.poll() is not None
                                    for daemon in self.leaving))
        return [daemon.poll() for daemon in self.leaving]

    def crashed(self):
        """Whether the daemon that was mounted ended by itself."""
        return self.daemon is not None and self.daemon.poll() is not None and \
            self.is_mounted()

    def daemons(self):
        """All that may be running."""
        current = [self.daemon] if self.daemon else []
        return [daemon for daemon in self.leaving + current
                if daemon.poll() is None]


def end_by_force(mounts, directory):
    """In three steps: as they should end, without the kernel's connections,
    and as nobody can refuse. None may wait for another that is frozen."""
    def none_left():
        return not any(mount.daemons() for mount in mounts)

    for mount in mounts:
        for daemon in mount.daemons():
            daemon.send_signal(signal.SIGCONT)
            daemon.terminate()
    if not within(5, none_left):
        force_away(directory)
    for mount in mounts:
        for daemon in mount.daemons():
            daemon.kill()
    if not within(5, none_left):
        print("torture: a daemon of '%s' does not die" % directory)
    force_away(directory)


def force_away(directory, fusectl="/sys/fs/fuse/connections"):
    """Whatever is still mounted below: who waits in it is let go."""
    for number, path in connections_below(directory):
        try:
            with open("%s/%s/abort" % (fusectl, number), "w",
                      encoding="ascii") as file:
                file.write("1")
        except OSError:
            pass  # not mounted on every machine
        subprocess.run(["timeout", "20", "umount", "-l", path], check=False,
                       capture_output=True)
    pause(0)

"""torturer: who starts all of it, lets it happen, and looks at what is left."""
import os
import random
import signal
import sys
import time

from torturing import contender
from torturing.children import pause, send, within
from torturing.ensemble import Ensemble
from torturing.faults import Faults
from torturing.judge import Judge
from torturing.mounts import END_SECONDS, MOUNT_SECONDS, Mount, end_by_force
from torturing.trace import Trace, read
from torturing.tree import Tree

SERVICE_SECONDS = 60
INSIST_SECONDS = 90  # on a machine with much else to do
CHROOT = "/torture"


class Torture:
    def __init__(self, settings):
        self.settings = settings
        self.rng = random.Random(settings.seed)
        self.trace = Trace(settings.trace)
        self.ensemble = Ensemble(settings.work)
        self.mounts = [self.new_mount(i) for i in range(settings.n_mounts)]
        self.faults = Faults(self.rng, self.trace, self.ensemble, self.mounts,
                             settings.session_seconds)
        settings.board = self.faults.board
        self.pids = {}  # of contenders: their number
        self.n_forked = 0

    def new_mount(self, number):
        """One server each, as long as there are some; then all of them."""
        addresses = [server.address() for server in self.ensemble.servers]
        if number < len(addresses):
            addresses = [addresses[number]]
        settings = self.settings
        return Mount(settings.zkfs,
                     "session_timeout=%g" % settings.session_seconds,
                     ",".join(addresses) + CHROOT,
                     os.path.join(settings.work, "m%d" % number))

    def stuck(self, what):
        self.trace.say("-", "stuck", what=what)

    # -- beginning --

    def begin(self):
        self.ensemble.start()
        if not self.ensemble.await_service(SERVICE_SECONDS):
            sys.exit("torture: the servers do not serve: see " +
                     self.settings.work)
        self.tree().prepare()
        for mount in self.mounts:
            mount.start()
        for mount in self.mounts:
            if not mount.appears(MOUNT_SECONDS):
                sys.exit("torture: '%s' is not mounted" % mount.path)
        self.settings.mounts = [mount.path for mount in self.mounts]
        self.settings.bare_device = os.stat(self.settings.work).st_dev

    def tree(self):
        return Tree([server.address() for server in self.ensemble.servers],
                    CHROOT)

    # -- contenders --

    def fork(self, number, work):
        self.n_forked += 1
        name = "c%d.%d" % (number, self.n_forked)
        pid = contender.fork(self.settings, number, name,
                             "%s-%s" % (self.settings.seed, name), work)
        self.pids[pid] = number
        return pid

    def start_contender(self, number):
        settings = self.settings
        settings.ways = None
        if settings.control == "nolock" and number < 2:
            settings.ways = ["nolock"]
        self.fork(number, lambda one: one.run())

    def reap(self):
        ended = [(pid, number) for pid, number in self.pids.items()
                 if os.waitpid(pid, os.WNOHANG)[0]]
        for pid, _ in ended:
            del self.pids[pid]
        return [number for _, number in ended]

    def all_end(self, seconds):
        def none_left():
            self.reap()
            return not self.pids
        return within(seconds, none_left)

    # -- the middle --

    def one_turn(self):
        for number in self.reap():
            self.start_contender(number)
        self.faults.run_due()
        if self.rng.random() < 0.15:
            self.faults.hit(list(self.pids))
        for mount in self.mounts:
            if mount.crashed():
                self.trace.say("-", "daemon", mount=mount.name,
                               status=mount.daemon.returncode)
                mount.kill()
                mount.start_again()
            elif mount.daemon and mount.daemon.poll() is not None:
                mount.start_again()  # found no server
        for name in self.ensemble.died():
            sys.exit("torture: server %s ended by itself" % name)

    def noticed(self):
        """What a control waits for."""
        return self.settings.control != "none" and \
            Judge(read(self.settings.trace)).overlaps()

    def torment(self):
        """Whether it is worth while to go on to the end."""
        next_fault = time.monotonic() + 1
        next_look = time.monotonic() + 2
        self.settings.until = time.monotonic() + self.settings.seconds
        for number in range(self.settings.contenders):
            self.start_contender(number)
        while time.monotonic() < self.settings.until:
            pause(self.rng.uniform(0, 0.1))
            self.one_turn()
            if time.monotonic() > next_fault:
                self.faults.next()
                next_fault = time.monotonic() + self.rng.uniform(0.3, 2)
            if time.monotonic() > next_look:
                if self.noticed():
                    return False
                next_look = time.monotonic() + 2
        return True

    # -- the end --

    def heal(self):
        self.faults.heal()
        for pid in self.pids:
            send(pid, signal.SIGCONT)
        if not self.ensemble.await_service(SERVICE_SECONDS):
            self.stuck("the_servers")
        for mount in self.mounts:
            if not mount.appears(MOUNT_SECONDS):
                self.stuck("mounting_" + mount.name)

    def end_contenders(self, seconds=0):
        """Each has at most a wait, which others' sessions end, before it."""
        if not self.all_end(END_SECONDS + seconds +
                            3 * self.settings.session_seconds):
            for pid in self.pids:
                self.stuck("contender_%d:%s" % (pid, where(pid)))
                send(pid, signal.SIGKILL)
        self.all_end(END_SECONDS)

    def sweep(self):
        """After those that were killed and had no successor."""
        for number in range(self.settings.contenders):
            self.fork(number, lambda one: contender.sweep(
                self.settings.mounts, one.label()))
        self.end_contenders()

    def all_get_a_lock(self):
        """Nothing that was killed or frozen may block anybody for ever."""
        number = self.settings.contenders
        for mount in self.mounts:
            for kind in contender.WAYS:
                self.fork(number, lambda one, kind=kind, path=mount.path:
                          contender.insist(one, kind, path, INSIST_SECONDS))
                number += 1
        self.end_contenders(INSIST_SECONDS)

    def look_at_tree(self, when):
        for lock, name in self.tree().left(
                END_SECONDS if when == "mounted" else 0):
            self.trace.say("-", "left", lock=lock, name=name)

    def unmount(self):
        for mount in self.mounts:
            if mount.daemon:
                mount.ask_to_end(False)
        for mount in self.mounts:
            for status in mount.statuses(END_SECONDS):
                if status is None:
                    self.stuck("daemon_of_" + mount.name)
                else:
                    self.trace.say("-", "daemon", mount=mount.name,
                                   status=status)

    def finish(self):
        self.heal()
        self.end_contenders()
        self.sweep()
        self.all_get_a_lock()
        self.look_at_tree("mounted")
        self.unmount()
        self.look_at_tree("unmounted")
        self.trace.say("-", "end")

    def clean_up(self):
        """Also when it was broken off in the middle."""
        for pid in list(self.pids):
            send(pid, signal.SIGKILL)
        end_by_force(self.mounts, self.settings.work)
        self.all_end(5)
        self.ensemble.stop()


def where(pid):
    words = []
    for name in ("wchan", "syscall"):
        try:
            with open("/proc/%d/%s" % (pid, name), encoding="ascii") as file:
                words.append(file.read())
        except OSError:
            pass
    return "_".join(words)

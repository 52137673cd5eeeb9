"""driver: starts servers, ways, mounts and workers, lets it happen, makes all
well again, and writes down what is in the tree."""
import os
import random
import signal
import sys
import time

from kazoo.client import KazooClient

from historian import worker
from historian.faults import Faults
from historian.ways import Ways
from torturing.children import pause, send, within
from torturing.ensemble import Ensemble
from torturing.mounts import END_SECONDS, MOUNT_SECONDS, Mount, end_by_force
from torturing.trace import Trace

CHROOT = "/history"
SERVICE_SECONDS = 60
CONNECT_SECONDS = 90
FIRST = {"logs": b"", "files": b"first", "counts": b"0"}


class Driver:
    def __init__(self, settings):
        self.settings = settings
        self.rng = random.Random(settings.seed)
        self.trace = Trace(settings.trace)
        self.ensemble = Ensemble(settings.work)
        self.ways = []
        self.mounts = []
        self.pids = []
        self.faults = None

    def kazoo(self):
        client = KazooClient(
            hosts=",".join(server.address()
                           for server in self.ensemble.servers),
            timeout=20)
        client.start(timeout=CONNECT_SECONDS)
        return client

    def prepare(self):
        client = self.kazoo()
        for name in ("claims", "jobs", "taken", "lives", "witness"):
            client.ensure_path(CHROOT + "/" + name)
        for i in range(int(self.settings.seconds / worker.CLAIM_SECONDS) + 1):
            client.create_async("%s/jobs/%d" % (CHROOT, i), b"job")
        for name, data in FIRST.items():
            client.ensure_path(CHROOT + "/" + name)
            for i in range(worker.FILES):
                path = "%s/%s/%d" % (CHROOT, name, i)
                client.create(path, data)
                if not data:  # else it is a directory to zkfs
                    client.set(path, data)
        client.stop()
        client.close()

    def begin(self):
        settings = self.settings
        self.ensemble.start()
        if not self.ensemble.await_service(SERVICE_SECONDS):
            sys.exit("the servers do not serve: see " + settings.work)
        self.prepare()
        settings.hosts = ",".join(server.address()
                                  for server in self.ensemble.servers)
        for i in range(settings.n_mounts):
            ways = Ways("m%d" % i, settings.work, self.ensemble.servers)
            ways.start()
            self.ways.append(ways)
            mount = Mount(settings.zkfs, "session_timeout=%g%s" % (
                settings.session_seconds, settings.options and
                "," + settings.options), ways.addresses() + CHROOT,
                os.path.join(settings.work, "m%d" % i))
            mount.start()
            self.mounts.append(mount)
        for mount in self.mounts:
            if not mount.appears(MOUNT_SECONDS):
                sys.exit("'%s' is not mounted" % mount.path)
        settings.mounts = [mount.path for mount in self.mounts]
        self.faults = Faults(self.rng, self.trace, self.ensemble, self.mounts,
                             self.ways, settings)

    def reap(self):
        self.pids = [pid for pid in self.pids
                     if not os.waitpid(pid, os.WNOHANG)[0]]
        return not self.pids

    def look_at_daemons(self):
        for mount in self.mounts:
            if mount.daemon and mount.daemon.poll() is not None:
                sys.exit("the daemon of %s has ended with %d" % (
                    mount.name, mount.daemon.returncode))

    def torment(self):
        settings = self.settings
        settings.until = time.monotonic() + settings.seconds
        self.pids = [worker.fork(settings, i) for i in range(settings.workers)]
        self.pids += [worker.fork(settings, settings.workers + i,
                                  worker.Witness)
                      for i in range(settings.witnesses)]
        due = time.monotonic() + 1
        while time.monotonic() < settings.until:
            pause(0.05)
            self.faults.run_due()
            self.look_at_daemons()
            if time.monotonic() > due and settings.faults:
                self.faults.next()
                due = time.monotonic() + self.rng.uniform(
                    0.2, 2) * settings.faults

    def finish(self):
        self.faults.heal()
        if not self.ensemble.await_service(SERVICE_SECONDS):
            self.trace.say("-", "stuck", what="servers")
        if not within(90, self.reap):
            for pid in self.pids:
                self.trace.say("-", "stuck", what="worker_%d" % pid)
                send(pid, signal.SIGKILL)
            within(20, self.reap)
        for mount in self.mounts:
            mount.ask_to_end(False)
        for mount in self.mounts:
            for status in mount.statuses(END_SECONDS):
                self.trace.say("-", "daemon", mount=mount.name, status=status)
        self.write_down()
        self.trace.say("-", "end")

    def write_down(self):
        client = self.kazoo()
        client.sync(CHROOT)
        for top in client.get_children(CHROOT):
            for name in client.get_children("%s/%s" % (CHROOT, top)):
                data, stat = client.get("%s/%s/%s" % (CHROOT, top, name))
                self.trace.say("-", "holds", file="%s/%s" % (top, name),
                               data=data.decode(), version=stat.version)
        client.stop()
        client.close()

    def clean_up(self):
        for pid in self.pids:
            send(pid, signal.SIGKILL)
        end_by_force(self.mounts, self.settings.work)
        within(5, self.reap)
        for ways in self.ways:
            ways.stop()
        self.ensemble.stop()

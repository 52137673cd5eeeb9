#!/usr/bin/python3
"""outage.py ZKFS BENCH-OUTAGE WORK ROUNDS: how long until the next write is
answered when the leader is killed, the server at the other end hangs, or the
connection is cut: on a mount and by a bare client, at the same time. Prints a
line a round and fault: FAULT OURS BARE, in milliseconds.
"""
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))

from historian.ways import Ways  # noqa: E402
from kazoo.client import KazooClient  # noqa: E402
from torturing.children import die_with_parent  # noqa: E402
from torturing.ensemble import Ensemble  # noqa: E402
from torturing.mounts import Mount, end_by_force  # noqa: E402

SESSION_MS = 4000
zkfs, outage, work, rounds = *sys.argv[1:4], int(sys.argv[4])


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class Writer:
    """One that writes, and the ways it has."""

    def __init__(self, name, servers, command):
        self.name = name
        self.log = os.path.join(work, name + ".log")
        self.servers = servers
        self.ways = Ways(name, work, servers)
        self.ways.start()
        self.command = command
        self.process = None

    def start(self):
        with open(self.log + ".writer", "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=log,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL))
        if self.process.stdout.readline() != b"ready\n":
            sys.exit("no write: " + read(self.log + ".writer"))

    def server(self):
        port = re.findall(r"connected to [0-9.]+:(\d+)",
                          read(self.log) if os.path.exists(self.log) else
                          read(self.log + ".writer"))[-1]
        return self.servers[self.ways.ports.index(int(port))]

    def gap(self):
        self.process.terminate()
        return float(self.process.stdout.read())


def measure(writers, fault, seconds):
    for writer in writers:
        writer.start()
    time.sleep(0.3)
    for writer in writers:
        writer.process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    fault()
    time.sleep(seconds)
    return [writer.gap() for writer in writers]


def well(ensemble):
    ensemble.heal()
    if not ensemble.await_service(60):
        sys.exit("the servers do not serve")


def main():
    ensemble = Ensemble(work)
    ensemble.start()
    mount = None
    writers = []
    try:
        well(ensemble)
        client = KazooClient(ensemble.servers[0].address())
        client.start(60)
        for name in ("/ours", "/bare"):
            client.create(name, b"x" * 10)
        client.stop()
        client.close()
        ours = Writer("ours", ensemble.servers, None)
        bare = Writer("bare", ensemble.servers, None)
        writers = [ours, bare]
        mount = Mount(zkfs, "session_timeout=%g" % (SESSION_MS / 1000),
                      ours.ways.addresses(), os.path.join(work, "ours"))
        mount.start()
        if not mount.appears(40):
            sys.exit("not mounted")
        ours.command = [outage, "file", mount.path + "/ours"]
        bare.command = [outage, "bare", bare.ways.addresses(), "/bare",
                        str(SESSION_MS)]
        for _ in range(rounds):
            gaps = measure(writers, lambda: ensemble.leader().kill(), 4)
            well(ensemble)
            print("kill-leader %g %g" % tuple(gaps), flush=True)
            hung = []
            for writer in writers:
                gaps = measure(writers, lambda w=writer: w.server().freeze(),
                               5)
                hung.append(gaps[writers.index(writer)])
                well(ensemble)
            print("hung-server %g %g" % tuple(hung), flush=True)
            gaps = measure(writers, lambda: [writer.ways.order("cut")
                                             for writer in writers], 1)
            print("cut %g %g" % tuple(gaps), flush=True)
    finally:
        for writer in writers:
            if writer.process and writer.process.poll() is None:
                writer.process.kill()
            writer.ways.stop()
        if mount:
            end_by_force([mount], work)
        ensemble.stop()


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
main()

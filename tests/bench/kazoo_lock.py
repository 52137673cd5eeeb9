#!/usr/bin/python3
"""What a lock costs with kazoo's Lock.

    kazoo_lock.py HOSTS DIR

Reads commands, and answers each with the median in microseconds:

    cycle N       acquire and release of a free lock
    handover N    from the release by one to the other's having it; two
                  processes, N times each
"""
import mmap
import os
import statistics
import struct
import sys
import time

from kazoo.client import KazooClient

PAUSE = 0.001


def connect(hosts):
    client = KazooClient(hosts=hosts, timeout=10)
    client.start()
    return client


def cycle(client, path, n):
    lock = client.Lock(path)
    samples = []
    for _ in range(n):
        since = time.monotonic_ns()
        lock.acquire()
        lock.release()
        samples.append(time.monotonic_ns() - since)
    return samples


class Side:
    """One of two processes, as tests/bench/handover.c takes turns."""

    def __init__(self, lock, second, hear, tell, shared):
        self.lock, self.second = lock, second
        self.hear, self.tell, self.shared = hear, tell, shared
        self.samples = []

    def await_other(self):
        while True:
            time.sleep(PAUSE)
            if len(self.lock.contenders()) >= 2:
                break
        time.sleep(PAUSE)

    def take_turns(self, n):
        if self.second:
            os.read(self.hear, 1)
        for i in range(n):
            last = self.second and i == n - 1
            self.lock.acquire()
            now = time.monotonic_ns()
            since, = struct.unpack_from("q", self.shared)
            if since:
                self.samples.append(now - since)
            os.write(self.tell, b"x")
            if not last:
                self.await_other()
            struct.pack_into("q", self.shared, 0, time.monotonic_ns())
            self.lock.release()
            if not last:
                os.read(self.hear, 1)


def handover(hosts, path, n):
    """The samples of the first process only: they are every second one."""
    shared = mmap.mmap(-1, 8)
    to_first, to_second = os.pipe(), os.pipe()
    pid = os.fork()
    second = pid == 0
    client = connect(hosts)
    side = Side(client.Lock(path), second,
                (to_second if second else to_first)[0],
                (to_first if second else to_second)[1], shared)
    side.take_turns(n)
    client.stop()
    if second:
        os._exit(0)
    os.waitpid(pid, 0)
    for fd in to_first + to_second:
        os.close(fd)
    return side.samples


def main():
    hosts, path = sys.argv[1:]
    for line in sys.stdin:
        what, n = line.split()
        if what == "cycle":
            client = connect(hosts)
            samples = cycle(client, path, int(n))
            client.stop()
            client.close()
        else:
            samples = handover(hosts, path, int(n))
        print("%.2f" % (statistics.median(samples) / 1000), flush=True)


main()

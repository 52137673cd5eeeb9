#!/usr/bin/python3
"""interop.py: whether zkfs and the clients of others keep each other out.

    interop.py row WAY LOCK...    WAY of taking our locks against each client
    interop.py mounts LOCK...     all our ways, through mounts that differ
    interop.py oldgo LOCK...      the Go clients that cannot read kazoo's names
    interop.py entries LOCK...    what ls, cat and .queue tell of theirs, and rm
    interop.py containers DIR...  locks that the server removes when it can
    interop.py death LOCK LOCK    the daemon of the first mount is killed
    interop.py control LOCK...    locks that do not exclude: it must be noticed
    interop.py detector           the detector alone
    interop.py table              the rows so far, for people

LOCK is the directory of a lock in a mount; through each of them somebody
contends. The others find it at --path. First two at a time: one holds, the other tries, waits, and
gets it when the first has let go. Then all at once, each going through a
critical section that notices whoever is not alone in it (section.py), one
section for each family of clients, since these need not exclude each other.
Nothing may be left in the queue.
"""
import argparse
import collections
import os
import random
import signal
import sys
import threading
import time

import clients
from section import Section

# What becomes of two: each waits for the other; neither does; ours waits for
# theirs and theirs does not for ours; what must never be.
EXCLUDED, TOGETHER, ONE_SIDED = "excluded", "together", "one-sided"
BROKEN = "BROKEN"

TRIES = 0.4  # how many of the crowd's locks are tried first

# sees: the -o locknames= that makes our exclusive locks visible to it; none:
# all of them do. shared: the same of our shared locks; None: nothing does.
# crowd: how many of them go into the crowd. kazoo 2.8.0's ReadLock waits for
# writers that came after it, who wait for it: with a third nobody moves.
Client = collections.namedtuple("Client", "make family sees shared crowd")

CLIENTS = {
    "Curator mutex": Client(clients.Curator, "mutex", {"curator"}, None, 2),
    "Curator read": Client(clients.CuratorRead, "rw", {"curator-rw"},
                           {"curator", "curator-rw"}, 2),
    "Curator write": Client(clients.CuratorWrite, "rw", {"curator-rw"},
                            {"curator", "curator-rw"}, 2),
    "kazoo Lock": Client(clients.Kazoo, "kazoo", {"kazoo"}, None, 2),
    "kazoo read": Client(clients.KazooRead, "kazoo", {"kazoo"}, {"kazoo"}, 0),
    "kazoo write": Client(clients.KazooWrite, "kazoo-write", {"kazoo"},
                          {"kazoo"}, 2),
    "Go (emulated)": Client(clients.Go, "go", set(), set(), 2),
}
FAMILIES = sorted({client.family for client in CLIENTS.values()})

WAYS = {
    "open": [clients.Open],
    "mkdir": [clients.Mkdir],
    "flock": [clients.Flock],
    "flock -s": [clients.SharedFlock],
    "flock of a file": [clients.FileFlock],
    "fcntl": [clients.Fcntl],
    "flock, poll": [clients.PolledFlock],
    "flock -s, poll": [clients.SharedPolledFlock],
    "all of them": [clients.Open, clients.Mkdir, clients.Flock,
                    clients.SharedFlock, clients.PolledFlock, clients.Fcntl],
}


def promised(shared, client, locknames):
    """What the manual says of our lock and one of theirs."""
    if shared and client.make.shared:
        return TOGETHER
    sees = client.shared if shared else client.sees
    if sees is None or (sees and not sees & locknames):
        return ONE_SIDED
    return EXCLUDED


def promised_ours(one, other):
    return TOGETHER if one.shared and other.shared else EXCLUDED


# -- two at a time -----------------------------------------------------------

class Observer(clients.Session):
    """Looks at the queue from outside."""

    def queued(self):
        return len(self.client.get_children(self.path))


class Meeting:
    """Two contenders, and who looks at the queue."""

    def __init__(self, observer):
        self.observer = observer

    def keeps_out(self, holder, other):
        """Whether `other` cannot have it while `holder` does; it then gets it
        after that."""
        holder.lock()
        if other.try_lock():
            other.unlock()
            holder.unlock()
            return False
        self.hand_over(holder, other)
        return True

    def hand_over(self, holder, waiter):
        before = self.observer.queued()
        granted = threading.Event()
        failures = []

        def wait():
            try:
                waiter.lock()
                granted.set()
            except Exception as error:  # to the thread that asked
                failures.append(error)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        until(lambda: failures or
              waiter.waits(self.observer.queued() > before))
        early = granted.is_set()
        holder.unlock()
        thread.join(clients.LIMIT)
        if failures:
            raise failures[0]
        if early or not granted.is_set():
            give_up("%s %s" % (name_of(waiter), "was granted too soon"
                               if early else "waits for ever"))
        waiter.unlock()

    def result(self, ours, theirs):
        out = self.keeps_out(ours, theirs), self.keeps_out(theirs, ours)
        return {(True, True): EXCLUDED, (False, False): TOGETHER,
                (False, True): ONE_SIDED}.get(out, BROKEN)


def name_of(contender):
    return type(contender).__name__


def give_up(words):
    """At once: a thread that hangs in a system call cannot be joined."""
    print("interop.py: " + words, flush=True)
    os._exit(1)


def until(condition):
    deadline = time.monotonic() + clients.LIMIT
    while not condition():
        if time.monotonic() > deadline:
            give_up("not in time")
        time.sleep(0.01)


# -- all at once -------------------------------------------------------------

class Member:
    """Somebody in the crowd, and the sections that are forbidden to others
    while they hold the lock."""

    def __init__(self, contender, sections):
        self.contender = contender
        self.sections = sections
        self.rounds = 0


class Crowd:
    def __init__(self, sections):
        self.sections = sections
        self.members = []
        self.failures = []
        self.pause = 0.01

    def add(self, contender, names):
        if isinstance(contender, clients.Mkdir):
            # It gets nothing while there is a queue: so that there is none,
            # now and then.
            self.pause = 0.2
        self.members.append(Member(contender,
                                   [self.sections[name] for name in names]))

    @staticmethod
    def tried(contender):
        """Sometimes only tries: most clients then join the queue, look, and
        leave it, so that a place in the middle is empty all of a sudden."""
        return random.random() < TRIES and contender.try_lock()

    def pass_through(self, member, who):
        shared = member.contender.shared
        visits = [section.inside(who, shared) for section in member.sections]
        if not self.tried(member.contender):
            member.contender.lock()
        for visit in visits:
            visit.__enter__()
        time.sleep(random.uniform(0.0005, 0.002))
        for visit in visits:
            visit.__exit__(None, None, None)
        member.contender.unlock()

    def work(self, member, number, start, goes_on):
        who = "%s-%d" % (name_of(member.contender), number)
        try:
            start.wait()
            while goes_on(member):
                self.pass_through(member, who)
                member.rounds += 1
                time.sleep(random.uniform(0, self.pause))
        except Exception as error:  # to run()
            self.failures.append("%s: %r" % (who, error))

    def run(self, goes_on):
        start = threading.Barrier(len(self.members))
        threads = [threading.Thread(
            target=self.work, args=(member, number, start, goes_on),
            daemon=True) for number, member in enumerate(self.members)]
        deadline = time.monotonic() + 2 * clients.LIMIT
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
        hung = ["%s after %d" % (name_of(member.contender), member.rounds)
                for thread, member in zip(threads, self.members)
                if thread.is_alive()]
        if hung:
            give_up("these hang: %s; %s" % (", ".join(hung), self.failures))

    def problems(self):
        for name, section in self.sections.items():
            if section.overlaps:
                yield "%s: %d overlaps, such as %s" % (
                    name, len(section.overlaps), section.overlaps[0])
            wanted = sum(member.rounds for member in self.members
                         if section in member.sections
                         and not member.contender.shared)
            if section.count() != wanted:
                yield "%s: counted %d of %d" % (name, section.count(), wanted)
        yield from self.failures

    def rounds(self):
        return sum(member.rounds for member in self.members)


# -- the commands ------------------------------------------------------------

class Interop:
    def __init__(self, options):
        self.options = options
        self.observer = Observer(options.hosts, options.path)
        self.contenders = []
        self.bad = []

    def locknames(self):
        names = set(self.options.locknames.split(":"))
        return {"curator", "kazoo", "curator-rw"} if "all" in names else names

    def theirs(self, client, path=None):
        self.contenders.append(client.make(self.options.hosts,
                                           path or self.options.path))
        return self.contenders[-1]

    def ours(self, way, number):
        """The NUMBERth contender; they take turns with the mounts."""
        lock = self.options.locks[number % len(self.options.locks)]
        self.contenders.append(way(lock, "%s-%d" % (way.__name__, number)))
        return self.contenders[-1]

    def check(self, condition, *words):
        if not condition:
            self.bad.append(" ".join(words))

    def crowd(self, families):
        return Crowd({name: Section(os.path.join(self.options.work, name))
                      for name in families})

    def finish(self, crowd):
        """Runs it for so many rounds each, and nothing may be left."""
        crowd.run(lambda member: member.rounds < self.options.rounds)
        self.bad += crowd.problems()
        until(lambda: not self.observer.queued())

    def end(self):
        for contender in self.contenders + [self.observer]:
            contender.close()
        for words in self.bad:
            print("interop.py: " + words)
        return 1 if self.bad else 0

    # Our locks and everybody else's.

    def meet_clients(self, way):
        ours = self.ours(way, 0)
        for name, client in CLIENTS.items():
            result = Meeting(self.observer).result(ours, self.theirs(client))
            wanted = promised(way.shared, client, self.locknames())
            self.check(result == wanted, "%s and %s:" % (way.__name__, name),
                       result, "and not", wanted)
            yield result

    @staticmethod
    def kinds_of(way):
        """An exclusive and a shared way to the same lock."""
        if way is clients.FileFlock:
            return clients.FileFlock, clients.SharedFileFlock
        return clients.Open, clients.SharedFlock

    def meet_ours(self, way):
        """Through another mount, exclusive and shared."""
        ours = self.ours(way, 0)
        for other in self.kinds_of(way):
            result = Meeting(self.observer).result(ours, self.ours(other, 1))
            wanted = promised_ours(way, other)
            self.check(result == wanted, way.__name__, "and", other.__name__,
                       "of another mount:", result, "and not", wanted)
            yield result

    def kept_out(self, way):
        """The families none of which may be in with such a lock of ours, or
        only shared with shared."""
        names = self.locknames()
        return [family for family in FAMILIES
                if all(promised(way.shared, client, names) != ONE_SIDED
                       for client in CLIENTS.values()
                       if client.family == family and client.crowd)]

    def meet_crowd(self, ways):
        crowd = self.crowd(FAMILIES + ["ours"])
        for way in ways:
            for _ in range(4 if len(ways) == 1 else 2):
                crowd.add(self.ours(way, len(crowd.members)),
                          self.kept_out(way) + ["ours"])
        for client in CLIENTS.values():
            for _ in range(client.crowd):
                crowd.add(self.theirs(client), [client.family])
        self.finish(crowd)
        return crowd

    def row(self):
        ways = WAYS[self.options.way]
        cells = ["-"] * (len(CLIENTS) + 2)
        if len(ways) == 1:
            cells = [*self.meet_clients(ways[0]), *self.meet_ours(ways[0])]
        crowd = self.meet_crowd(ways)
        with open(self.options.table, "a", encoding="utf-8") as table:
            print(self.title(), *cells, "%d: %d overlaps" % (
                crowd.rounds(), sum(len(section.overlaps) for section in
                                    crowd.sections.values())),
                  sep="\t", file=table)

    def title(self):
        names = self.options.locknames
        return ", ".join([self.options.way, *self.options.note] +
                         [names] * (names != "all"))

    # Mounts with different names for their locks.

    def mounts(self):
        crowd = self.crowd(["ours"])
        for way in (clients.Open, clients.Mkdir, clients.SharedFlock):
            for number, _ in enumerate(self.options.locks):
                crowd.add(self.ours(way, number), ["ours"])
        self.finish(crowd)

    # A Go client that fails at a name says so, and never overlaps.

    def oldgo(self):
        ours = self.ours(clients.Open, 0)
        go = clients.OldGo(self.options.hosts, self.options.path)
        self.contenders.append(go)
        if "kazoo" in self.locknames():
            ours.lock()
            try:
                go.try_lock()
                self.check(False, "an old Go client reads all our names")
            except ValueError:
                pass
            ours.unlock()
        else:
            result = Meeting(self.observer).result(ours, go)
            self.check(result == EXCLUDED, "an old Go client:", result)

    # Their entries in our listing.

    def entries(self):
        """One an entry, which tells who has it, and whose rm breaks it."""
        lock = self.options.locks[0]
        ours = self.ours(clients.Open, 0)
        for name, client in CLIENTS.items():
            holder = self.theirs(client)
            holder.lock()
            entries = os.listdir(lock)
            self.check(len(entries) == 1, name, "is listed as", str(entries))
            self.check_entry(lock, entries[0], name, client)
            self.check(not ours.try_lock(), name, "is not waited for")
            os.unlink(os.path.join(lock, entries[0]))
            ours.lock()
            ours.unlock()
            until(lambda: not self.observer.queued())

    def check_entry(self, lock, entry, name, client):
        node = "%s/%s" % (self.options.path, entry)
        token = "0x%016x" % self.observer.client.exists(node).czxid
        mode = "shared" if client.make.shared else "exclusive"
        with open(os.path.join(lock, entry), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.check(len(lines) == 1 and lines[0].split()[:3] == [
            "token=" + token, "mode=" + mode, "state=held"],
            name, "reads", str(lines))
        with open(os.path.join(lock, ".queue"), encoding="utf-8") as file:
            fields = [line.split() for line in file][1:]
        self.check(len(fields) == 1 and len(fields[0]) == 11 and
                   fields[0][:4] == ["1", mode, "held", token] and
                   fields[0][-1] == entry, name, "queues as", str(fields))

    # Curator makes the directory of a lock as a container, which the server
    # removes when it is empty; whoever comes next makes it anew.

    def containers(self):
        """LOCKS are directories with files; the lock is what flock makes of
        the file's name."""
        for name in sorted(os.listdir(self.options.locks[0])):
            self.container(name, "/locks/%2F" + name)

    def container(self, name, path):
        theirs = [self.theirs(CLIENTS["Curator mutex"], path)
                  for _ in range(2)]
        for contender in theirs:
            contender.lock()
            contender.unlock()
        until(lambda: not self.observer.client.exists(path))
        section = Section(os.path.join(self.options.work, name))
        crowd = Crowd({name: section})
        crowd.pause = 0.1
        for contender in theirs:
            crowd.add(contender, [name])
        for directory in self.options.locks:
            self.contenders.append(clients.FileFlock(
                os.path.join(directory, name), name))
            crowd.add(self.contenders[-1], [name])
        crowd.run(lambda member: member.rounds < 6)
        self.bad += crowd.problems()

    # A mount that dies with the lock, and with a place in the queue.

    def death(self):
        holder = self.ours(clients.Open, 0)
        holder.lock()
        queue = [self.theirs(CLIENTS["kazoo Lock"]),
                 self.ours(clients.Open, 2),  # dies, too
                 self.ours(clients.Open, 1),
                 self.theirs(CLIENTS["Curator mutex"]),
                 self.theirs(CLIENTS["Go (emulated)"])]
        order = []
        threads = [self.join_queue(waiter, order) for waiter in queue]
        os.kill(self.options.daemon, signal.SIGKILL)
        for thread in threads:
            thread.join(clients.LIMIT)
        wanted = [waiter for waiter in queue if waiter is not queue[1]]
        self.check(order == wanted, "the lock went to",
                   str([name_of(waiter) for waiter in order]))

    def join_queue(self, waiter, order):
        """Returns when it waits; it is put into `order` when it is granted."""
        before = self.observer.queued()

        def wait():
            try:
                waiter.lock()
            except OSError:  # of the mount that has died
                return
            order.append(waiter)
            waiter.unlock()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        until(lambda: self.observer.queued() > before)
        return thread

    # Whether it would be noticed.

    def control(self):
        """Ours at one lock and theirs at another."""
        crowd = self.crowd(FAMILIES)
        self.observer.client.create("/locks/y")
        for number in range(2):
            crowd.add(self.ours(clients.Open, number), FAMILIES)
        for client in CLIENTS.values():
            for _ in range(client.crowd):
                crowd.add(self.theirs(client, "/locks/y"), [client.family])
        deadline = time.monotonic() + clients.LIMIT
        crowd.run(lambda member: time.monotonic() < deadline and not all(
            section.overlaps for section in crowd.sections.values()))
        for name, section in crowd.sections.items():
            self.check(section.overlaps, "nobody noticed an overlap:", name)
        self.check(not crowd.failures, *crowd.failures)


def noticed(directory, first, second):
    """The overlaps and the count of two that are in together."""
    section = Section(directory)
    with section.inside("first", first):
        with section.inside("second", second):
            pass
    return len(section.overlaps), section.count()


def detector(work):
    """Two writers lose an update; readers may be together."""
    writer, reader = False, True
    wanted = {(writer, writer): (1, 1), (writer, reader): (1, 1),
              (reader, writer): (2, 1), (reader, reader): (0, 0)}
    for number, (pair, seen) in enumerate(wanted.items()):
        got = noticed(os.path.join(work, str(number)), *pair)
        if got != seen:
            print("interop.py: the detector says %r of %r" % (got, pair))
            return 1
    return 0


def print_table(file):
    heads = ["", *CLIENTS, "zkfs", "zkfs, shared", "crowd"]
    with open(file, encoding="utf-8") as lines:
        rows = [heads] + [line.rstrip("\n").split("\t") for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print(" | ".join(map(str.ljust, row, widths)).rstrip())
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hosts", help="HOST:PORT/CHROOT")
    parser.add_argument("--path", default="/locks/x", help="of the lock")
    parser.add_argument("--work", help="a directory on the local disk")
    parser.add_argument("--curator", type=int, help="CuratorServer's port")
    parser.add_argument("--table", help="where a row goes")
    parser.add_argument("--rounds", type=int, help="of each contender")
    parser.add_argument("--locknames", default="all", help="of all mounts")
    parser.add_argument("--daemon", type=int, help="a mount's, to be killed")
    parser.add_argument("--note", action="append", default=[],
                        help="to be said of the row")
    parser.add_argument("command")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    if options.command == "detector":
        return detector(options.work)
    if options.command == "table":
        return print_table(options.table)
    if options.command == "row":
        options.way = options.words.pop(0)
    options.locks = options.words
    clients.Curator.port = options.curator
    interop = Interop(options)
    getattr(interop, options.command)()
    return interop.end()


if __name__ == "__main__":
    sys.exit(main())

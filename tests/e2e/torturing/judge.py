"""judge: what a trace says about the locks. It knows of no server, no mount.

A holder has the lock for certain from the time its call returned to the last
time before which ("looked" is the time BEFORE the look) a look at its handle
succeeded: the lock was ours when the look was answered, which was later. So
whatever the machine delays, no interval is longer than the truth.

Wrong are: two such intervals of one lock with a time in common, unless both
are shared; a token that is not greater than that of each earlier holder that
it excludes; and whatever else the torturer found when all was over.
"""
import collections

SHOWN = 20

# Why a try may fail. The server was away too long (ETIMEDOUT), the session
# expired or the lease ended under a waiter (EIO), the lock was busy (EAGAIN,
# EEXIST), a signal was handled (EINTR), the daemon was killed or its mount
# taken away.
FAILURES = {"EAGAIN", "EEXIST", "EINTR", "EIO", "ETIMEDOUT", "ENOTCONN",
            "ECONNABORTED", "AWAY"}
# Why a look may: the lock is lost; or the daemon is gone, and the lock with it.
LOSSES = {"EIO", "ENOTCONN", "ECONNABORTED"}
# An attribute that is looked at by path is not there any more, or no server
# says so.
LOSSES_OF = {"mkdir": {"ENOENT", "ENODATA", "ESTALE", "ETIMEDOUT"},
             "flock-file": {"ENODATA"}}


class Hold:
    """One try, from its lines."""

    def __init__(self, name):
        self.name = name
        self.lock = self.mode = self.way = self.mount = None
        self.start = self.end = self.token = None
        self.outcome = "open"  # nothing more was heard: it was killed

    def joins(self, line):
        for key in ("lock", "mode", "way", "mount"):
            setattr(self, key, line.pairs[key])

    def acquired(self, line):
        self.start = line.time
        self.outcome = "acquired"

    def looked(self, line):
        token = line.pairs.get("token")
        if token:
            self.token = int(token, 16)
        if line.time >= self.start:
            self.end = line.time

    def lost(self, line):
        self.outcome = "lost:" + line.pairs["error"]

    def failed(self, line):
        self.outcome = "failed:" + line.pairs["error"]

    def releases(self, line):
        self.outcome = "released"

    def is_certain(self):
        return self.end is not None

    def excludes(self, other):
        return "exclusive" in (self.mode, other.mode)

    def __str__(self):
        return "%s (%s by %s on %s, %d-%d, token %s)" % (
            self.name, self.mode, self.way, self.mount, self.start, self.end,
            "unknown" if self.token is None else hex(self.token))


class Judge:
    def __init__(self, lines):
        self.holds = {}
        self.counts = collections.Counter()
        self.bad = []
        self.ended = False
        for line in lines:
            self.take(line)
        self.judge()

    def take(self, line):
        if line.hold != "-":
            if line.hold not in self.holds:
                self.holds[line.hold] = Hold(line.hold)
            getattr(self.holds[line.hold], line.event)(line)
        else:
            getattr(self, "take_" + line.event)(line)

    def take_fault(self, line):
        self.counts["fault", line.pairs["what"]] += 1

    def take_hit(self, line):
        self.counts["hit", line.pairs["signal"]] += 1

    def take_left(self, line):
        self.blame("left", "left in '%s': %s" % (line.pairs["lock"],
                                                 line.pairs["name"]))

    def take_stuck(self, line):
        self.blame("stuck", "stuck: " + line.pairs["what"])

    def take_wrong(self, line):
        self.blame("wrong", "wrong: " + line.pairs["what"])

    def take_daemon(self, line):
        self.counts["daemons"] += 1
        if line.pairs["status"] != "0":
            self.blame("daemon", "the daemon of '%s' ended with %s" % (
                line.pairs["mount"], line.pairs["status"]))

    def take_end(self, line):
        self.ended = True

    def blame(self, kind, words):
        self.counts["bad", kind] += 1
        self.bad.append(words)

    # -- the rules --

    def judge(self):
        locks = collections.defaultdict(list)
        for hold in self.holds.values():
            self.judge_outcome(hold)
            if hold.is_certain():
                locks[hold.lock].append(hold)
        for lock in sorted(locks):
            holds = sorted(locks[lock], key=lambda hold: hold.start)
            self.judge_overlaps(lock, holds)
            self.judge_tokens(lock, holds)
        if not self.ended:
            self.blame("end", "the trace has no end")

    def judge_outcome(self, hold):
        kind, _, error = hold.outcome.partition(":")
        losses = LOSSES | LOSSES_OF.get(hold.way, set())
        if kind == "failed" and error not in FAILURES or \
                kind == "lost" and error not in losses:
            self.blame("errno", "%s by %s: %s is no answer" % (
                hold.name, hold.way, error))

    def judge_overlaps(self, lock, holds):
        current = []
        for hold in holds:
            current = [old for old in current if old.end >= hold.start]
            for old in current:
                if hold.excludes(old):
                    self.blame("overlap", "overlap in '%s': %s and %s" % (
                        lock, old, hold))
            current.append(hold)

    def judge_tokens(self, lock, holds):
        newest = {"exclusive": None, "shared": None}
        for hold in holds:
            if hold.token is None:
                continue
            for old in newest.values():
                if old and hold.excludes(old) and hold.token <= old.token:
                    self.blame("token", "token in '%s': %s after %s" % (
                        lock, hold, old))
            old = newest[hold.mode]
            if old is None or hold.token > old.token:
                newest[hold.mode] = hold

    # -- what is told --

    def overlaps(self):
        return self.counts["bad", "overlap"]

    def table(self):
        rows = collections.defaultdict(collections.Counter)
        for hold in self.holds.values():
            row = rows[hold.way]
            kind, _, error = hold.outcome.partition(":")
            row["tries"] += 1
            row["got"] += hold.start is not None
            row["lost"] += kind == "lost"
            if error in ("EAGAIN", "EEXIST"):
                row["busy"] += 1
            elif error in ("EINTR", "EIO", "ETIMEDOUT"):
                row[error] += 1
            elif error:
                row["gone"] += 1
            row["killed"] += kind in ("open", "acquired")
        columns = ["tries", "got", "lost", "killed", "busy", "EINTR", "EIO",
                   "ETIMEDOUT", "gone"]
        yield "%-14s" % "way" + "".join("%10s" % name for name in columns)
        for way in sorted(rows):
            yield "%-14s" % way + "".join("%10d" % rows[way][name]
                                          for name in columns)

    def counted(self, kind):
        return " ".join("%s:%d" % (key[1], count) for key, count in
                        sorted(self.counts.items(), key=str)
                        if key[0] == kind) or "none"

    def summary(self):
        certain = [hold for hold in self.holds.values() if hold.is_certain()]
        tokens = sum(hold.token is not None for hold in certain)
        yield from self.table()
        yield "faults         " + self.counted("fault")
        yield "signals        " + self.counted("hit")
        yield "holders        %d certain, %d with a token" % (
            len(certain), tokens)
        yield "daemons ended  %d" % self.counts["daemons"]
        yield "wrong          " + self.counted("bad")
        yield from self.bad[:SHOWN]
        yield "FAILED" if self.bad else "PASSED"

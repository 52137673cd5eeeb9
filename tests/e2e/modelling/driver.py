"""driver: one thing after the other, at random, by a seed.

Each change is made by one of the mounts or by the foreign client. What comes of
it must be what the model says, and the tree then be what the model makes of it.
A mount that cannot know the newest tree yet may fail in its own way, if it then
has changed nothing. Between changes, mounts are looked at (modelling/history).
"""
import collections
import errno
import os
import random
import time

from modelling.changes import (Change, Fails, concerns, differences, loosely,
                               nodes_of, strictly)
from modelling.faults import Expiry, Hang, lose_next
from modelling.foreign import Foreign
from modelling.history import History, View, Wrong, brief
from modelling.mount import AWAY, Stalled, read_whole
from modelling.znodes import (DEPTH, PATHS, ROOT, ancestors_of, is_dir, is_near,
                              parent_of)

BY_MOUNT = ["mkdir", "create", "write", "write", "write", "append", "truncate",
            "unlink", "rmdir", "rename", "rename", "write_data", "unlink_data"]
BY_CLIENT = ["zk_create", "zk_create", "zk_create", "zk_set", "zk_set",
             "zk_delete", "zk_delete", "zk_recreate", "zk_ephemeral"]
LOOKS = ["stat", "stat", "read", "read", "list", "own_data"]
# What a mount may answer that knows an older tree.
SANE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
        errno.ENOTEMPTY, errno.ESTALE, errno.EPERM, errno.EINVAL}
SIZES = [0, 0, 1, 10, 100, 2000, 70000]  # beyond ZKFS_CACHE_DATA_MAX
SETTLE_SECONDS = 10
FDS_MAX = 8
LOG_LINES = 30


def word(code):
    return errno.errorcode.get(code, "success") if code else "success"


def is_open_dir(fd):
    """Without asking the mount."""
    try:
        os.pread(fd, 0, 0)
        return False
    except IsADirectoryError:
        return True


class Held:
    """A descriptor, and what it may show: its first reading tells which of the
    versions there were it has, all others the same."""

    def __init__(self, mount, path, fd, allowed):
        self.mount = mount
        self.path = path
        self.fd = fd
        self.allowed = allowed


class Driver:
    def __init__(self, settings, mounts):
        self.settings = settings
        self.rng = random.Random(settings.seed)
        self.mounts = mounts
        self.foreign = Foreign(settings.source)
        self.history = History()
        self.views = {mount: View(mount.name, self.history) for mount in mounts}
        self.held = []
        self.log = collections.deque(maxlen=3000)
        self.counts = collections.Counter()
        self.number = 0
        self.began = time.monotonic()
        self.fault = None  # its mount is out of reach
        self.shaky = {}  # mount -> until when it must be well again
        self.armed = set()  # mounts that are to lose a change

    # -- the log --

    def note(self, who, words, paths):
        self.log.append((time.monotonic() - self.began, self.history.step, who,
                         words, paths))

    def look_noted(self, mount, path, words):
        self.note(mount.name, "  " + words, {path})

    def story(self, path):
        """What was seen of it, and what was done to it and near it."""
        def belongs(paths):
            if path is None or isinstance(paths, set):
                return path is None or path in paths
            return any(is_near(path, other) for other in paths)
        lines = ["%8.3f s step %d %s: %s" % (when, step, who, words)
                 for when, step, who, words, paths in self.log
                 if belongs(paths)]
        return lines[-LOG_LINES:]

    # -- looking --

    def reachable(self):
        return [mount for mount in self.mounts
                if not self.fault or mount is not self.fault.mount]

    def look(self, mount, path, kind):
        try:
            seen = getattr(mount, kind)(path)
        except OSError as error:
            self.away(mount, path, "%s %s" % (kind, path), error)
            return
        self.counts[kind, seen[0]] += 1
        self.look_noted(mount, path, "%s %s: %r" % (kind, path or "/",
                                                    brief(seen)))
        self.views[mount].shows(path, seen, kind)

    def away(self, mount, path, words, error):
        """It did not answer: it may, for a while after a fault."""
        self.counts["away", word(error.errno)] += 1
        self.note(mount.name, "%s: %s" % (words, word(error.errno)), [path])
        if error.errno == errno.ESTALE and not self.is_calm(mount, path):
            return  # what was opened is not there any more
        if mount not in self.shaky or error.errno not in AWAY:
            raise Wrong(path, "%s: %s: %s" % (mount.name, words, error))

    def is_calm(self, mount, path):
        return all(self.views[mount].is_sure(above)
                   for above in ancestors_of(path) + [path])

    def look_about(self):
        mount = self.rng.choice(self.reachable())
        for _ in range(self.rng.randrange(1, 6)):
            self.look(mount, self.any_path(), self.rng.choice(LOOKS))

    def any_path(self):
        if self.rng.random() < 0.7:
            return self.rng.choice(sorted(self.history.tree))
        return self.rng.choice(PATHS)

    def walk(self, mount):
        """All of it, in any order."""
        looks = [(path, kind) for path in [ROOT] + PATHS
                 for kind in sorted(set(LOOKS))]
        self.rng.shuffle(looks)
        for path, kind in looks:
            self.look(mount, path, kind)

    # -- descriptors that stay open --

    def open(self):
        mount = self.rng.choice(self.reachable())
        path = self.any_path()
        try:
            fd, _ = mount.open(path)
        except OSError as error:
            self.away(mount, path, "open " + path, error)
            return
        if fd is None:
            return
        if len(self.held) >= FDS_MAX or is_open_dir(fd):
            os.close(fd)
            return
        floor = self.views[mount].floor(path)
        allowed = {znode.data
                   for _, znode in self.history.since(path, floor) if znode}
        self.note(mount.name, "open " + path, [path])
        self.held.append(Held(mount, path, fd, allowed))

    def reread(self):
        held = [held for held in self.held if held.mount in self.reachable()]
        if not held:
            return
        one = self.rng.choice(held)
        data = read_whole(one.fd)
        self.counts["descriptor", "read"] += 1
        # At the end of an empty file it is read on what was appended.
        if data not in one.allowed and b"" not in one.allowed:
            raise Wrong(one.path, "%s: descriptor of %s shows %r, not one of "
                        "%r" % (one.mount.name, one.path, brief(data),
                                [brief(other) for other in one.allowed]))
        one.allowed = {data}
        if self.rng.random() < 0.3:
            os.close(one.fd)
            self.held.remove(one)

    # -- barriers --

    def barrier(self, mount):
        """Whether it was one."""
        path = self.any_path() if self.rng.random() < 0.3 else ROOT
        try:
            if not mount.barrier(path):
                return False
        except OSError as error:
            self.away(mount, path, "sync " + path, error)
            return False
        self.note(mount.name, "sync " + (path or "/"), PATHS + [ROOT])
        self.counts["barrier", "success"] += 1
        self.shaky.pop(mount, None)
        self.views[mount].barrier()
        return True

    def barrier_and_walk(self):
        mount = self.rng.choice(self.reachable())
        if self.barrier(mount) and self.rng.random() < 0.6:
            self.walk(mount)

    def settle(self):
        """Without a barrier it comes to the same, and soon."""
        mount = self.rng.choice(self.reachable())
        if mount in self.shaky:
            return
        limit = time.monotonic() + SETTLE_SECONDS
        strict = View(mount.name, self.history)
        strict.barrier()
        strict.kept = self.views[mount].kept
        while True:
            self.walk(mount)
            try:
                for path in [ROOT] + PATHS:
                    strict.shows(path, mount.stat(path), "stat")
                    strict.shows(path, mount.list(path), "list")
                break
            except Wrong:
                if time.monotonic() > limit:
                    raise
        self.counts["settled", "success"] += 1

    # -- changing --

    def data(self):
        self.number += 1
        return b"%06d:" % self.number + b"x" * self.rng.choice(SIZES)

    def invent(self, kinds):
        kind = self.rng.choice(kinds)
        other = data = None
        if kind in ("mkdir", "create") or \
                kind == "zk_create" and self.rng.random() < 0.8:
            path = self.rng.choice(PATHS)
        else:
            path = self.any_path() or self.rng.choice(PATHS)
        if kind == "rename":
            deepest = max([p.count("/") for p in PATHS if p in
                           self.history.tree and is_near(p, path)] +
                          [path.count("/")])
            room = DEPTH - (deepest - path.count("/"))
            other = self.rng.choice([p for p in PATHS if p.count("/") <= room])
        elif kind == "truncate":
            size = len(self.history.tree[path].data) \
                if path in self.history.tree else 0
            data = self.rng.choice([n for n in (0, 3, 8, 50) if n != size])
        elif kind in ("mkdir", "create", "unlink", "rmdir", "unlink_data",
                      "zk_delete"):
            pass
        elif kind == "append" or self.rng.random() < 0.8:
            data = self.data()
        else:
            data = b""
        return Change(kind, path, other, data)

    def knows_newest(self, mount, change):
        """Whether it must know all that the change depends on."""
        view, tree = self.views[mount], self.history.tree
        if mount in self.shaky:
            return False
        for path in change.path, change.other or change.path:
            for near in PATHS:
                if near != path and not near.startswith(path + "/"):
                    continue
                if not view.is_quiet(near):
                    return False
            for above in ancestors_of(path):
                states = view.history.since(above, view.floor(above))
                if len({(z and z.czxid, z and is_dir(z))
                        for _, z in states}) > 1:
                    return False
            for near in PATHS:
                # One that is shown as a directory, and is none.
                if is_near(near, path) and near in tree and \
                        view.may_be_kept(near, tree[near]) and \
                        (not is_dir(tree[near]) or not tree[near].data):
                    return False
        return True

    def advance(self):
        """Takes the new tree over. Returns the one before and what differs."""
        before = self.history.tree
        after = self.foreign.tree()
        if after == before:
            return before, []
        return before, self.history.becomes(after)

    def judge(self, change, expected, before, changed):
        """The server's tree is the one that is expected."""
        found = differences(expected, before, self.history.tree)
        if found:
            raise Wrong(changed[0] if changed else change.path,
                        "after %s: %s" % (self.words(change), "; ".join(found)))

    @staticmethod
    def words(change):
        return " ".join([change.kind, change.path] +
                        [str(brief(x)) for x in change[2:] if x is not None])

    def change_by_client(self):
        change = self.invent(BY_CLIENT)
        before = nodes_of(self.history.tree)
        try:
            expected, wanted = loosely(before, change), 0
        except Fails as fails:
            expected, wanted = before, fails.code
        got = self.foreign.change(change)
        old, changed = self.advance()
        self.note("client", "%s: %s" % (self.words(change), word(got)),
                  changed + [change.path])
        self.counts[change.kind, word(got)] += 1
        # A server has an order of its own in which it looks at what is wrong.
        if bool(got) != bool(wanted):
            raise Wrong(change.path, "%s by the client: %s, not %s" % (
                self.words(change), word(got), word(wanted)))
        self.judge(change, expected, old, changed)

    def change_by_mount(self):
        mounts = [m for m in self.reachable() if m not in self.shaky]
        if not mounts:
            return
        mount = self.rng.choice(mounts)
        change = self.invent(BY_MOUNT)
        knows = self.knows_newest(mount, change)
        before = nodes_of(self.history.tree)
        outcomes = self.outcomes(before, change, knows)
        got = mount.change(change)
        if mount in self.armed and self.has_lost(mount):
            outcomes = self.with_loss(outcomes, before, change)
        old, changed = self.advance()
        self.note(mount.name, "%s: %s%s" % (
            self.words(change), word(got), "" if knows else " (may not know)"),
            changed + [change.path] + [change.other] * bool(change.other))
        self.counts[change.kind, word(got)] += 1
        if got not in outcomes:
            raise Wrong(change.path, "%s by %s: %s, not %s" % (
                self.words(change), mount.name, word(got),
                " or ".join(word(code) for code in outcomes)))
        self.judge_any(change, outcomes[got], old, changed)
        self.follow(mount, change, got, changed, knows)
        if not got and change.kind == "rename":
            self.follow_moved(mount, change, old, knows)

    def outcomes(self, before, change, knows):
        """errno -> the trees that there may be with it."""
        try:
            if knows:
                return {0: [strictly(before, change)]}
            outcomes = {code: [before] for code in SANE}
            outcomes[0] = [loosely(before, change)]
            return outcomes
        except Fails as fails:
            if knows:
                return {fails.code: [before]}
            # The same file may be moved onto itself by two names of old.
            return {code: [before] for code in SANE}

    def judge_any(self, change, trees, before, changed):
        for expected in trees[:-1]:
            if not differences(expected, before, self.history.tree):
                return
        self.judge(change, trees[-1], before, changed)

    def follow(self, mount, change, got, changed, knew):
        """What the mount must know from here on, and what it keeps."""
        view = self.views[mount]
        if change.kind in ("write_data", "unlink_data"):
            view.keep(change.path)
        if got:
            return
        view.changed(changed, knew)
        if change.kind == "mkdir":
            view.keep(change.path)
        elif change.kind in ("unlink", "rmdir"):
            view.keep(parent_of(change.path))
        elif change.kind == "rename" and change.path != change.other:
            view.keep(parent_of(change.path))

    def follow_moved(self, mount, change, before, knew):
        view = self.views[mount]
        for path in PATHS:
            # A name that is not there may have moved along, too.
            if path != change.path and not path.startswith(change.path + "/"):
                continue
            target = change.other + path[len(change.path):]
            view.has_moved(target, before.get(path), knew)
            if path not in before:
                continue
            if view.may_be_kept(path, before[path]):
                view.keep(target)

    # -- faults --

    def has_lost(self, mount):
        """Whether its proxy has met the change that it was to lose."""
        try:
            os.unlink(mount.lost_file)
        except FileNotFoundError:
            return False
        self.armed.discard(mount)
        self.be_shaky(mount)
        self.counts["fault", "lost"] += 1
        return True

    @staticmethod
    def with_loss(outcomes, before, change):
        """Where it cannot be known whether it was done the answer is EIO."""
        outcomes = dict(outcomes)
        outcomes[errno.EIO] = [before]
        try:
            if change.kind == "write" and change.path not in before:
                # Made, and then not written.
                outcomes[errno.EIO].append(
                    loosely(before, change._replace(kind="create")))
            outcomes[errno.EIO].append(loosely(before, change))
        except Fails:
            pass
        return outcomes

    def be_shaky(self, mount):
        self.shaky[mount] = time.monotonic() + 30

    def disturb(self):
        proxied = [mount for mount in self.mounts if mount.proxy and
                   mount not in self.armed and mount not in self.shaky]
        kind = self.rng.choice(["expiry", "hang", "lose", "lose", "lose"])
        if kind == "expiry":
            self.begin(Expiry(self.rng.choice(self.mounts),
                              self.foreign.client))
        elif proxied and kind == "hang":
            self.begin(Hang(self.rng.choice(proxied), self.foreign.client))
        elif proxied:
            mount = self.rng.choice(proxied)
            self.armed.add(mount)
            lose_next(mount, self.rng)

    def begin(self, fault):
        self.note(fault.mount.name, type(fault).__name__ + " begins",
                  PATHS + [ROOT])
        fault.begin()
        self.fault = fault
        for _ in range(self.rng.randrange(30)):
            self.act()
        fault.end()
        self.fault = None
        self.counts["fault", type(fault).__name__] += 1
        self.note(fault.mount.name, type(fault).__name__ + " ends",
                  PATHS + [ROOT])
        self.be_shaky(fault.mount)

    def recover(self):
        for mount, until in list(self.shaky.items()):
            if time.monotonic() > until:
                raise Wrong(ROOT, "%s does not get well" % mount.name)
            if self.rng.random() < 0.2:
                self.barrier(mount)

    # -- from first to last --

    def act(self):
        acts = {self.look_about: 40, self.change_by_client: 25,
                self.change_by_mount: 30, self.barrier_and_walk: 4,
                self.settle: 1, self.open: 6, self.reread: 8}
        self.rng.choices(list(acts), list(acts.values()))[0]()

    def steps(self):
        self.history.becomes(self.foreign.tree())
        for mount in self.mounts:
            self.barrier(mount)
        end = time.monotonic() + self.settings.seconds
        done = 0
        while time.monotonic() < end and done != self.settings.steps:
            self.act()
            self.recover()
            if self.settings.faults and self.rng.random() < 0.01:
                self.disturb()
            done += 1
        return done

    def finish(self):
        for mount in self.mounts:
            limit = time.monotonic() + 30
            while not self.barrier(mount):
                if time.monotonic() > limit:
                    raise Wrong(ROOT, "%s: no barrier" % mount.name)
            self.walk(mount)
        for held in self.held:
            os.close(held.fd)

    def run(self):
        """Returns 0, or 1 and says what was wrong."""
        try:
            done = self.steps()
            self.finish()
        except (Wrong, Stalled) as error:
            print("WRONG at step %d, seed %s" % (self.history.step,
                                                self.settings.seed))
            path = getattr(error, "path", None)
            print(error.words if path is not None else "a call did not return")
            print("\n".join(self.story(path)))
            return 1
        finally:
            if self.fault:
                self.fault.end()
            self.foreign.close()
        print("%d acts, %d changes, seed %s" % (done, self.history.step,
                                                self.settings.seed))
        for kind in sorted({kind for kind, _ in self.counts}):
            print(" ", kind, *sorted("%s:%d" % (outcome, n) for (
                other, outcome), n in self.counts.items() if other == kind))
        return 0

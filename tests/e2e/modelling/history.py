"""history: which states each znode had at which step, and whether what a mount
shows may be one of them.

The promise, for each mount and znode: after a barrier it shows the state that
was current then, or a later one; it never shows an older one after a newer one;
and its own changes it shows at once. So there is a step for each znode below
which it must not fall: its floor.

Where no watch covers it the kernel may keep for a moment what a name means, and
its attributes, while a reader is given newer content. So there is a floor for
the type, for attributes and for content; what one of them has shown binds the
others a moment later. A barrier, and an own change, bind all at once.
"""
import time

from modelling.znodes import ancestors_of, is_dir, listing_of, time_of

# KEEP_DIR_MS of fs/ops/name.c, and what the kernel keeps under a watch: as long
# as a session of the tests lives; and what a call takes.
KEPT_SECONDS = 10 + 4 + 2
MOMENT = 0.3  # the longest of the kernel time-outs in fs/ops/fs.h, and a bit


class Wrong(Exception):
    """Something was seen that must not be: the path, and words."""

    def __init__(self, path, words):
        super().__init__(words)
        self.path = path
        self.words = words


class History:
    """The states of all znodes; a step is a change that somebody made."""

    def __init__(self):
        self.step = 0
        self.tree = {}  # path -> Znode, now
        self.states = {}  # path -> [(step from which on, Znode or None)]

    def becomes(self, tree):
        """One step on. Returns the paths that have changed."""
        self.step += 1
        changed = [path for path in set(tree) | set(self.tree)
                   if tree.get(path) != self.tree.get(path)]
        for path in changed:
            self.states.setdefault(path, [(0, None)]).append(
                (self.step, tree.get(path)))
        self.tree = tree
        return changed

    def changed_at(self, path):
        return self.states.get(path, [(0, None)])[-1][0]

    def since(self, path, floor):
        """(step, state), the oldest first, of those that were current at the
        floor or later."""
        states = self.states.get(path, [(0, None)])
        first = max(i for i, (step, _) in enumerate(states) if step <= floor)
        return states[first:]


class View:
    """What one mount may show."""

    def __init__(self, name, history):
        self.name = name
        self.history = history
        self.barrier_at = 0
        self.floors = {}  # path -> step, for all that it shows
        self.attributes = {}  # path -> step, for these alone
        self.contents = {}
        self.binding = []  # (when, path, step): contents that become floors
        self.kept = {}  # path -> (until, czxid)
        self.moved = {}  # path -> (until, Znode)
        self.blurred = {}  # path -> until
        self.unsure = {}  # path -> step of an own change made in ignorance

    def floor(self, path):
        now = time.monotonic()
        while self.binding and self.binding[0][0] < now:
            _, bound, step = self.binding.pop(0)
            self.raise_to(bound, step)
        return max(self.barrier_at, self.floors.get(path, 0))

    def raise_to(self, path, step):
        self.floors[path] = max(step, self.floors.get(path, 0))

    def floors_of(self, kind):
        return self.attributes if kind == "stat" else self.contents

    def barrier(self):
        self.barrier_at = self.history.step
        self.floors.clear()
        self.attributes.clear()
        self.contents.clear()
        self.binding.clear()
        self.unsure.clear()
        self.moved.clear()
        self.blurred.clear()

    def changed(self, paths, knew):
        """This mount has made the newest change, of these. Did it know what was
        there before? If not it need not know the type now."""
        for path in paths:
            if knew:
                self.raise_to(path, self.history.step)
            else:
                self.unsure[path] = self.history.step
                self.attributes[path] = self.history.step
                self.contents[path] = self.history.step

    def is_quiet(self, path):
        """Nobody else has changed it since this mount must know of it."""
        return self.history.changed_at(path) <= self.floor(path)

    def is_sure(self, path):
        return self.is_quiet(path) and \
            self.history.changed_at(path) != self.unsure.get(path)

    def has_moved(self, path, znode, knew):
        """This mount has made it of that one. The kernel moves the old one's
        attributes along, and may keep them for a moment; what it moves when it
        does not know the newest is not told by the path it now has."""
        until = time.monotonic() + MOMENT
        self.moved[path] = (until, znode)
        if not knew:
            self.blurred[path] = until

    # A directory that was worked on by way of this mount stays one there for a
    # while, though it may be a file by the type rule: `rm -r` and `tar -x`
    # need that.

    def keep(self, path):
        znode = self.history.tree.get(path)
        if znode:
            self.kept[path] = (time.monotonic() + KEPT_SECONDS, znode.czxid)

    def may_be_kept(self, path, znode):
        until, czxid = self.kept.get(path, (0, 0))
        return znode is not None and znode.czxid == czxid and \
            time.monotonic() < until

    # What is seen by a look, which is one of
    #   stat      ("absent",)  ("dir", mtime)  ("file", size, mtime)
    #   read      ("absent",)  ("dir", None)  ("data", bytes)
    #   list      ("absent",)  ("nodir",)  ("names", frozenset)
    #   own_data  ("absent",)  ("data", bytes): reading .data in it
    #   way       ("dir", None): something was found below it
    #
    # A name is resolved first, and then opened and read: the type may be that
    # of a state, and the content that of a later one.

    def fits_type(self, path, znode, seen, kind):
        what = seen[0]
        if znode is None:
            return what in ("absent", "nodir")
        if what == "absent":
            return kind == "own_data" and not is_dir(znode)
        if what in ("dir", "names") or kind == "own_data":
            return is_dir(znode) or self.may_be_kept(path, znode)
        return not is_dir(znode)

    def fits_content(self, path, znode, seen, kind):
        what, *rest = seen
        if what == "absent" and kind == "own_data" and znode:
            # Before there is any it is not there in one that is kept, or was
            # until another came that has its name.
            return not is_dir(znode) or not znode.data and \
                time.monotonic() < self.kept.get(path, (0, 0))[0]
        if what == "absent" or znode is None:
            # readdir(3) says of a directory that was removed: it is empty.
            return znode is None and seen in (("absent",), ("nodir",),
                                              ("names", frozenset()))
        if what == "names":
            return rest[0] == listing_of(znode)
        if what == "data":
            return rest[0] == znode.data
        return what == "nodir" or self.fits_attributes(path, znode, seen)

    def fits_attributes(self, path, znode, seen):
        candidates = [znode]
        until, moved = self.moved.get(path, (0, None))
        if time.monotonic() < until:
            candidates.append(moved)
        return any(seen == ("dir", time_of(z, True)) or
                   seen == ("file", len(z.data), time_of(z, False))
                   for z in candidates if z)

    def fits(self, path, states, seen, kind):
        """The oldest steps that type and content can be from; or None."""
        typed = None
        least = max(self.floor(path), self.floors_of(kind).get(path, 0))
        for i, (step, znode) in enumerate(states):
            ends = states[i + 1][0] if i + 1 < len(states) else None
            if self.fits_type(path, znode, seen, kind):
                typed = step if typed is None else typed
                if seen in (("absent",), ("nodir",), ("dir", None)):
                    return typed, 0  # the name tells that
            elif typed is None and seen == ("absent",) and kind != "stat":
                typed = step  # it is when it is opened that it has gone
            if typed is not None and (ends is None or ends > least) and \
                    self.fits_content(path, znode, seen, kind):
                return typed, step
        return None

    def shows(self, path, seen, kind):
        """It was seen now; raises Wrong if it may not be."""
        if time.monotonic() < self.blurred.get(path, 0):
            return
        floor = self.floor(path)
        states = self.history.since(path, floor)
        steps = self.fits(path, states, seen, kind)
        if steps:
            # The oldest that it can be: no more is known.
            self.raise_to(path, steps[0])
            shown = self.floors_of(kind)
            shown[path] = max(steps[1], shown.get(path, 0))
            self.binding.append((time.monotonic() + MOMENT, path, steps[1]))
            self.shows_way_to(path, seen, kind)
            return
        raise Wrong(path, "%s: %s of %s: %r, not one of\n%s\nsince step %d" % (
            self.name, kind, path or "/", brief(seen),
            "\n".join("  from step %d: %r" % (step, brief(znode))
                      for step, znode in states), floor))

    def shows_way_to(self, path, seen, kind):
        """Whoever shows a znode shows that what is above it is a directory."""
        if seen[0] in ("absent", "nodir"):
            return
        for above in ancestors_of(path) + [path] * (kind == "own_data"):
            self.shows(above, ("dir", None), "way")


def brief(value):
    """Large data is known by its beginning and its size."""
    if isinstance(value, bytes) and len(value) > 24:
        return value[:24] + b"... (%d bytes)" % len(value)
    if hasattr(value, "_fields"):
        return type(value)(*[brief(item) for item in value])
    if isinstance(value, tuple):
        return tuple(brief(item) for item in value)
    return value

"""checker: holds what was said of each operation against the tree that is left
of it all. It knows of no server, no mount. Wrong are

  missing  said to be done, and not in the tree
  twice    in the tree more than once
  won      said to have failed, and in the tree
  two      of those of whom one alone can have succeeded, two were told so
  servers  a client that does not use zkfs was told so, and it is missing: then
           the rest proves nothing
  other    something nobody has done; or stuck; or a daemon that failed

Appends: each line of a log is an operation's name. Writes: each replaces the
version it has read, and names its writer, who has written down whose version
that was; so the last one leads back to the first, and all that took effect are
on that way, each once, and as many as the file has versions. Counts: a number
is raised by one, so that two may write the same; it cannot be smaller than the
number of those who were told it was done, nor larger by more than those who
know nothing. Claims and takes: of all who make a name, or move a file away,
one succeeds. Lives: one worker makes a file, moves it and removes it, until it
does not know how that ended.
"""
import collections

SHOWN = 20


class Checker:
    def __init__(self, story):
        self.story = story
        self.wrong = collections.defaultdict(list)
        if not story.complete:
            self.say("other", "the story has no end")
        for trouble in story.troubles:
            self.say("other", trouble)
        self.appends()
        self.writes()
        self.counts()
        self.claims()
        self.takes()
        self.lives()
        for one in story.operations.values():
            if one.what == "witness" and one.is_done() and \
                    "witness/" + one.name not in story.tree:
                self.say("servers", one)

    def say(self, kind, words):
        self.wrong[kind].append(str(words))

    def data(self, file):
        return self.story.tree.get(file, ("", 0))[0]

    def judge(self, operation, times):
        """How often it has taken effect."""
        if times > 1:
            self.say("twice", operation)
        elif times == 0 and operation.is_done():
            self.say("missing", operation)
        elif times == 1 and operation.is_failed():
            self.say("won", operation)

    def appends(self):
        for file, operations in self.story.by_file("append").items():
            lines = collections.Counter(self.data(file).split(",")[:-1])
            for operation in operations:
                self.judge(operation, lines.pop(operation.name, 0))
            for line in lines:
                self.say("other", "%s: '%s' was written by nobody" % (
                    file, line))

    def writes(self):
        for file, operations in self.story.by_file("write").items():
            by_name = {operation.name: operation for operation in operations}
            way = []
            name = self.data(file)
            while name in by_name and name not in way:
                way.append(name)
                name = by_name[name].prev
            if name != "first":
                self.say("other", "%s: '%s' was written by nobody" % (
                    file, name))
            for operation in operations:
                self.judge(operation, way.count(operation.name))
            version = self.story.tree.get(file, ("", 0))[1]
            if version != len(way):
                self.say("twice", "%s has version %d after %d writes" % (
                    file, version, len(way)))

    def counts(self):
        for file, operations in self.story.by_file("count").items():
            done = sum(one.is_done() for one in operations)
            unknown = sum(one.outcome == "unknown" for one in operations)
            value = int(self.data(file) or 0)
            if value < done:
                self.say("missing", "%s is %d, %d were told it was raised" % (
                    file, value, done))
            if value > done + unknown:
                self.say("won", "%s is %d, %d were told it was raised, %d "
                         "were told nothing" % (file, value, done, unknown))

    def one_of(self, operations, effect):
        """Of these at most one can have taken effect; `effect` says whether
        one has, or None when that is not seen any more."""
        done = [one for one in operations if one.is_done()]
        unknown = [one for one in operations if one.outcome == "unknown"]
        for one in done[1:]:
            self.say("two", "%s; and %s" % (done[0], one))
        if effect is True and not done and not unknown:
            self.say("won", operations[0])
        if effect is False and done:
            self.say("missing", done[0])
        return done, unknown

    def claims(self):
        """A claim makes a file, for good."""
        for file, operations in self.story.by_file("claim").items():
            self.one_of(operations, file in self.story.tree)

    def takes(self):
        """A take moves a file away, to a name of its own."""
        for file, operations in self.story.by_file("take").items():
            taken = [one for one in operations
                     if one.target in self.story.tree]
            self.one_of(operations, bool(taken))
            for one in operations:
                self.judge(one, int(one in taken))
            if len(taken) + (file in self.story.tree) != 1:
                self.say("twice" if taken else "missing", file)

    def lives(self):
        for file, operations in self.story.by_file("make", "move",
                                                   "remove").items():
            moved = file + ".moved"
            found = {name for name in (file, moved) if name in self.story.tree}
            states = {None}
            for one in operations:
                after = {self.after(one, state, file, moved)
                         for state in states}
                if one.is_done():
                    states = after
                elif one.outcome == "unknown":
                    states |= after
            if len(found) > 1:
                self.say("twice", operations[-1])
            elif (found.pop() if found else None) not in states:
                self.say("missing" if operations[-1].is_done() else "won",
                         operations[-1])

    @staticmethod
    def after(one, state, file, moved):
        return {"make": file, "move": moved, "remove": None}[one.what]

    def bad(self):
        return sum(len(found) for found in self.wrong.values())

    def is_void(self):
        return bool(self.wrong["servers"])

    def summary(self):
        totals = collections.defaultdict(collections.Counter)
        for one in self.story.operations.values():
            totals[one.what]["all"] += 1
            totals[one.what][one.outcome if one.is_done() else
                             "%s %s" % (one.outcome, one.error)] += 1
        for what, counts in sorted(totals.items()):
            yield "%-7s %s" % (what, ", ".join(
                "%s %d" % pair for pair in counts.most_common()))
        yield "faults  " + ", ".join("%s %d" % pair for pair in
                                     self.story.faults.most_common())
        yield "wrong   " + ", ".join("%s %d" % (
            kind, len(self.wrong[kind]))
            for kind in ("missing", "twice", "won", "two", "servers", "other"))
        if self.is_void():
            yield "void    the servers have lost what they had acknowledged"
        for kind, found in self.wrong.items():
            for words in found[:SHOWN]:
                yield "  %s: %s" % (kind, words)

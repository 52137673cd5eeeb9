"""story: what a worker writes down, and reading it again. It is a trace (see
torturing/trace.py) of these lines, TIME and HOLD first; HOLD names one
operation, and that name is what the operation writes:

    begins  what= [file= prev= to=]   about to do it
    done                              it was said to be done
    failed  error=                    ... not to be done
    unknown error=                    ... neither

    fault   what= [target=]           something was done to the cluster
    stuck   what=                     does not do what it has to
    daemon  mount= status=            of a zkfs that was not killed
    holds   file= data= version=      found in the tree when all was over
    end                               all was looked at
"""
import collections

from torturing.trace import read

# An error after which it is not known whether the change was made, as zkfs(8)
# says; all others say that nothing was changed.
UNKNOWN = {"EIO", "EINTR", "ECONNABORTED", "ENOTCONN"}


class Operation:
    def __init__(self, name, pairs):
        self.name = name
        self.what = pairs["what"]
        self.file = pairs.get("file", "")
        self.prev = pairs.get("prev", "")
        self.target = pairs.get("to", "")
        self.outcome = "unknown"
        self.error = "killed"

    def is_done(self):
        return self.outcome == "done"

    def is_failed(self):
        return self.outcome == "failed"

    def __str__(self):
        return "%s %s %s%s: %s" % (
            self.name, self.what, self.file,
            " to " + self.target if self.target else "",
            self.outcome if self.is_done() else
            "%s (%s)" % (self.outcome, self.error))


class Story:
    def __init__(self, path):
        self.operations = {}
        self.tree = {}  # file: (data, version)
        self.troubles = []
        self.faults = collections.Counter()
        self.complete = False
        for line in read(path):
            getattr(self, "on_" + line.event)(line)

    def on_begins(self, line):
        self.operations[line.hold] = Operation(line.hold, line.pairs)

    def on_done(self, line):
        self.operations[line.hold].outcome = "done"

    def on_failed(self, line):
        operation = self.operations[line.hold]
        operation.error = line.pairs["error"]
        operation.outcome = "failed"

    def on_unknown(self, line):
        operation = self.operations[line.hold]
        operation.error = line.pairs["error"]

    def on_fault(self, line):
        self.faults[line.pairs["what"]] += 1

    def on_stuck(self, line):
        self.troubles.append("stuck: " + line.pairs["what"])

    def on_daemon(self, line):
        if line.pairs["status"] != "0":
            self.troubles.append("daemon %(mount)s: %(status)s" % line.pairs)

    def on_holds(self, line):
        self.tree[line.pairs["file"]] = (line.pairs["data"],
                                         int(line.pairs["version"]))

    def on_end(self, line):
        self.complete = True

    def by_file(self, *whats):
        """In the order in which they began."""
        files = collections.defaultdict(list)
        for operation in self.operations.values():
            if operation.what in whats:
                files[operation.file].append(operation)
        return files

"""trace: what is written down while locks are tortured, and reading it again.

    TIME HOLD EVENT [KEY=VALUE]...

TIME is CLOCK_BOOTTIME in nanoseconds, which all processes of the host share.
HOLD names one try of one process to get one lock; "-" is the torturer. A line
is one write to a file opened O_APPEND, so that no line is torn by another
process, nor by the SIGKILL of its own.

    joins      lock= mode=exclusive|shared way= mount=    about to ask for it
    acquired             it is ours; TIME is after the call returned
    looked     [token=]  TIME is BEFORE a look at the handle that succeeded
    lost       error=    a look was told that the lock is lost
    failed     error=    it was not given to us
    releases             about to give it up

    fault      what= [target=]          something was done to the cluster
    hit        signal= [pid=]           ... to a process that locks
    left       lock= name=              found in the tree when all was over
    stuck      what=                    does not do what it has to
    daemon     mount= status=           of a zkfs that was not killed
    wrong      what=                    an answer that is none of those above
    end                                 all was looked at
"""
import os
import time


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Trace:
    """Writes one."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT |
                          os.O_CLOEXEC, 0o644)

    def say(self, hold, event, at=None, **pairs):
        words = ["%d" % (now() if at is None else at), hold, event]
        words += ["%s=%s" % (key, "_".join(str(value).split()))
                  for key, value in pairs.items()]
        os.write(self.fd, (" ".join(words) + "\n").encode())


class Line:
    def __init__(self, text):
        words = text.split()
        self.time, self.hold, self.event = int(words[0]), words[1], words[2]
        self.pairs = dict(word.split("=", 1) for word in words[3:])


def read(path):
    """The lines of a trace that is complete, or is being written."""
    with open(path, encoding="utf-8") as file:
        return [Line(text) for text in file if text.endswith("\n")]

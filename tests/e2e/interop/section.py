"""section: a critical section on the local disk, that trusts no lock.

Who is in it exclusively has the file `writer`, made with O_EXCL; who is in it
shared has a file in `readers`. Each makes its own and then looks for those of
others, so that of two who are in it together at least the second sees it. A
writer also increments `counter` in two steps, which two at once do wrongly; a
reader sees to it that `counter` stands still.
"""
import contextlib
import os
import threading

WIDTH = 12


class Section:
    def __init__(self, directory):
        self.writer = os.path.join(directory, "writer")
        self.readers = os.path.join(directory, "readers")
        self.counter = os.path.join(directory, "counter")
        self.overlaps = []
        self.guard = threading.Lock()
        os.makedirs(self.readers)
        self.set_count(0)

    def count(self):
        with open(self.counter, encoding="ascii") as file:
            return int(file.read())

    def set_count(self, number):
        with open(self.counter, "r+" if os.path.exists(self.counter) else "w",
                  encoding="ascii") as file:
            file.write("%*d" % (WIDTH, number))

    def overlap(self, *words):
        with self.guard:
            self.overlaps.append(" ".join(words))

    @contextlib.contextmanager
    def inside(self, who, shared):
        """For a `with`: in it, who is in the section."""
        with self.reading(who) if shared else self.writing(who):
            yield

    @contextlib.contextmanager
    def writing(self, who):
        own = True
        try:
            os.close(os.open(self.writer, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            own = False
            self.overlap(who, "beside a writer")
        for other in os.listdir(self.readers):
            self.overlap(who, "beside the reader", other)
        number = self.count()
        yield
        self.set_count(number + 1)
        if own:
            os.unlink(self.writer)

    @contextlib.contextmanager
    def reading(self, who):
        marker = os.path.join(self.readers, who)
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        if os.path.exists(self.writer):
            self.overlap(who, "beside a writer")
        number = self.count()
        yield
        if self.count() != number:
            self.overlap(who, "and the counter moved")
        os.unlink(marker)

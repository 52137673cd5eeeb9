"""board: what the torturer and all contenders see of each other at once, so
that what is done is done to those who hold a lock. A byte each, in memory that
is shared with whoever is forked later; wrong for a moment is no harm.
"""
import mmap

SIZE = 256


class Board:
    def __init__(self):
        self.troubles = mmap.mmap(-1, 1)  # how many faults last
        self.holders = mmap.mmap(-1, SIZE)  # contender: mount + 1, or 0

    def trouble(self, change):
        self.troubles[0] = max(0, min(self.troubles[0] + change, 255))

    def is_trouble(self):
        return self.troubles[0] > 0

    def hold(self, contender, mount):
        self.holders[contender % SIZE] = mount + 1

    def let_go(self, contender):
        self.holders[contender % SIZE] = 0

    def mounts(self):
        """The numbers of those through which something is held."""
        return sorted({mount - 1 for mount in self.holders[:] if mount})

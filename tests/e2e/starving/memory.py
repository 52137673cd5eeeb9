"""memory: what the daemon's allocations are told: see tests/fault/shared.c."""
import mmap
import struct

COUNTDOWN, FAILED, CALLED, PLACE = 0, 8, 16, 24
BYTES = 32


class Memory:
    def __init__(self, name):
        with open(name, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), BYTES)

    def word(self, offset):
        return struct.unpack_from("=q", self.map, offset)[0]

    def set_word(self, offset, value):
        struct.pack_into("=q", self.map, offset, value)

    def arm(self, number):
        """The NUMBER-th allocation from now on fails; 1 is the next."""
        self.set_word(FAILED, 0)
        self.set_word(COUNTDOWN, number)

    def has_failed(self):
        return self.word(FAILED) > 0

    def disarm(self):
        """None fails any more. Returns whether one has, and where."""
        self.set_word(COUNTDOWN, 0)
        return self.has_failed(), self.word(PLACE)

    def called(self):
        return self.word(CALLED)

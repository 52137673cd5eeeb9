#!/usr/bin/python3
"""set_counter.py DATADIR PATH=COUNT...: patches the newest snapshot of a
ZooKeeper server that does not run, so that COUNT children have been made below
PATH: the next sequential one gets that number. Making two billion takes weeks.

The layout is that of FileSnap and DataTree.serialize() of ZooKeeper 3.8, with
-Dzookeeper.digest.enabled=false: a header, the sessions, the ACLs, then each
znode as path, data, ACL and StatPersisted, up to the path "/"; last an Adler-32
of all that, and "/" again.
"""
import glob
import os
import struct
import sys
import zlib

STAT = struct.Struct(">qqqqiiiqq")
CVERSION = 5  # after czxid mzxid ctime mtime version


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, form):
        value, = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def buffer(self):
        length = max(self.take("i"), 0)
        self.at += length
        return bytes(self.data[self.at - length:self.at])


def skip_to_znodes(reader):
    magic, version = reader.take("i"), reader.take("i")
    if magic != 0x5a4b534e or version != 2:  # "ZKSN"
        sys.exit("not a snapshot")
    reader.take("q")
    for _ in range(reader.take("i")):
        reader.at += 12  # a session's id and time-out
    for _ in range(reader.take("i")):
        reader.take("q")
        for _ in range(reader.take("i")):
            reader.take("i")
            reader.buffer()
            reader.buffer()


def patch(data, counts):
    reader = Reader(data)
    skip_to_znodes(reader)
    while True:
        path = reader.buffer().decode()
        if path == "/":
            break
        reader.buffer()
        reader.take("q")
        if path in counts:
            stat = list(STAT.unpack_from(data, reader.at))
            stat[CVERSION] = counts.pop(path)
            STAT.pack_into(data, reader.at, *stat)
        reader.at += STAT.size
    end = reader.at
    if counts:
        sys.exit("not there: %s" % ", ".join(counts))
    if len(data) != end + 13 or reader.take("q") == 0:
        sys.exit("more in it than is known")
    struct.pack_into(">q", data, end, zlib.adler32(data[:end]))


def main():
    counts = {}
    for argument in sys.argv[2:]:
        path, count = argument.rsplit("=", 1)
        counts[path] = int(count)
    files = glob.glob(os.path.join(sys.argv[1], "version-2", "snapshot.*"))
    newest = max(files, key=lambda name: int(name.rsplit(".", 1)[1], 16))
    with open(newest, "r+b") as file:
        data = bytearray(file.read())
        patch(data, counts)
        file.seek(0)
        file.write(data)


main()

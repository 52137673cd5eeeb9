#!/usr/bin/python3
"""proxy.py FILE [IP:]PORT...: ways to servers that do what they are told.

One way to each PORT of 127.0.0.1, each with a port of its own (on IP, if one
is given, else on 127.0.0.1; "IP:PORT@OWN" asks for the port OWN). FILE
then has a line with the port for orders, and one with the ports of the ways.
An order is a line, answered by "ok"; it concerns all ways, or with "N:" before
it the N-th one only (from 1):

  cut              ends every connection
  stall, flow      nothing passes, either way, and connections stay; and again
  mute, speak      what the server says is thrown away; and connections that
                   lost something by that are ended
  refuse, accept   connections are ended and refused; and again
  swallow, accept  connections are ended, and new ones get no answer at all,
                   not even that of the kernel (its queue is full)
  delay MS         each reply is late by so much
  blind            new connections are of bytes, not of packets: for TLS
  lose request N   the next N changes do not reach the server, and end their
  lose reply N     connection; or they do, and their replies do not come back
  hold request     the next change, and all behind it, until "go"; or its reply
  hold reply       and all behind that; or what comes behind its reply
  hold rest
  go
  lost             answered by the number of what was lost or held until now

The signals of tests that have one way: SIGUSR1 "lose reply 1", SIGUSR2 "lose
request 1", SIGHUP "hold request", SIGWINCH "hold reply", SIGCONT "go". Each
makes the file FILE.armed when it was heard; a line in FILE.lost says that it
was done. A request is the length of the rest, xid, type (zookeeper.jute,
RequestHeader); a reply begins with its length and xid.
"""
import asyncio
import os
import resource
import signal
import socket
import struct
import sys

# create, delete, setData, setACL, multi, create2 (ZooDefs.OpCode)
CHANGES = {1, 2, 5, 7, 14, 15}


class Orders:
    """What one way is to do."""

    def __init__(self, way):
        self.way = way
        self.mute = False
        self.blind = False
        self.delay = 0
        self.lose = {"request": 0, "reply": 0}
        self.hold = {"request": 0, "reply": 0, "rest": 0}
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.going = asyncio.Event()
        self.done = 0  # lost or held

    def note(self):
        self.done += 1
        with open(self.way.proxy.file + ".lost", "a",
                  encoding="ascii") as file:
            file.write("lost\n")

    def take(self, which, what):
        """Whether this change is one of those that an order is about."""
        if which[what] == 0:
            return False
        which[what] -= 1
        return True

    async def held(self):
        self.note()
        self.going.clear()
        await self.going.wait()


async def packet(reader):
    """A whole packet, or four bytes if it is none (a 4lw and its answer)."""
    try:
        data = await reader.readexactly(4)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            return error.partial
        raise
    length = struct.unpack(">i", data)[0]
    if not 0 <= length <= 1 << 24:
        return data
    return data + await reader.readexactly(length)


class Link:
    """One connection and its other half."""

    def __init__(self, orders, client, server):
        self.orders = orders
        self.client = client  # (reader, writer)
        self.server = server
        self.robbed = False  # something was thrown away
        self.lost = set()  # xids of what was changed and is not told
        self.held = set()
        self.last = set()

    def close(self):
        for _, writer in (self.client, self.server):
            writer.transport.abort()

    async def requests(self):
        reader, writer = self.client[0], self.server[1]
        data = await packet(reader)
        while True:
            await self.orders.flowing.wait()
            writer.write(data)
            await writer.drain()
            data = await packet(reader)
            if len(data) < 12:
                continue
            xid, kind = struct.unpack(">ii", data[4:12])
            if kind not in CHANGES:
                continue
            if self.orders.take(self.orders.lose, "request"):
                self.orders.note()
                return
            if self.orders.take(self.orders.hold, "request"):
                await self.orders.held()
            if self.orders.take(self.orders.lose, "reply"):
                self.lost.add(xid)
            if self.orders.take(self.orders.hold, "reply"):
                self.held.add(xid)
            if self.orders.take(self.orders.hold, "rest"):
                self.last.add(xid)

    async def replies(self):
        reader, writer = self.server[0], self.client[1]
        while True:
            data = await packet(reader)
            if self.orders.delay:
                await asyncio.sleep(self.orders.delay / 1000)
            await self.orders.flowing.wait()
            xid = struct.unpack(">i", data[4:8])[0] if len(data) >= 8 else 0
            if xid in self.lost:
                self.orders.note()
                return
            if xid in self.held:
                self.held.remove(xid)
                await self.orders.held()
            if self.orders.mute:
                self.robbed = True
                continue
            writer.write(data)
            await writer.drain()
            if xid in self.last:
                self.last.remove(xid)
                await self.orders.held()

    async def bytes(self, source, target):
        while data := await source[0].read(1 << 16):
            target[1].write(data)
            await target[1].drain()

    async def run(self):
        async def pump(work):
            try:
                await work
            except (OSError, asyncio.IncompleteReadError):
                pass

        ways = (self.bytes(self.client, self.server),
                self.bytes(self.server, self.client)) if self.orders.blind \
            else (self.requests(), self.replies())
        requests, replies = (asyncio.ensure_future(pump(way)) for way in ways)
        await asyncio.wait([requests, replies],
                           return_when=asyncio.FIRST_COMPLETED)
        if requests.done() and self.lost:
            # The client is gone, and what it was to lose is not lost yet.
            await asyncio.wait([replies], timeout=5)
        for task in (requests, replies):
            task.cancel()
        self.close()


class Way:
    def __init__(self, proxy, word):
        self.proxy = proxy
        target, _, own = word.partition("@")
        self.ip, _, port = target.rpartition(":")
        self.ip = self.ip or "127.0.0.1"
        self.target = int(port)
        self.port = int(own or 0)
        self.orders = Orders(self)
        self.links = set()
        self.listener = None
        self.server = None
        self.plugs = []

    async def listen(self):
        # Of what it accepts asyncio sets TCP_NODELAY, as the servers do, only
        # where the protocol is named: else an event and the reply behind it are
        # 40 ms apart.
        self.listener = socket.socket(proto=socket.IPPROTO_TCP)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.ip, self.port))
        self.port = self.listener.getsockname()[1]
        self.server = await asyncio.start_server(self.accepted,
                                                 sock=self.listener)

    async def accepted(self, reader, writer):
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link(self.orders, (reader, writer), server)
        self.links.add(link)
        try:
            await link.run()
        finally:
            self.links.discard(link)

    def cut(self, which=lambda link: True):
        for link in list(self.links):
            if which(link):
                link.close()

    async def stop(self):
        for plug in self.plugs:
            plug.close()
        self.plugs = []
        if self.listener:
            if self.server:
                self.server.close()
                self.server = None
            self.listener.close()
            self.listener = None
        self.cut()

    async def swallow(self):
        """Nobody accepts, and the queue for that is full: the kernel drops
        what asks for a connection."""
        await self.stop()
        self.listener = socket.socket(proto=socket.IPPROTO_TCP)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.ip, self.port))
        self.listener.listen(0)
        for _ in range(4):
            plug = socket.socket()
            plug.setblocking(False)
            plug.connect_ex((self.ip, self.port))
            self.plugs.append(plug)

    async def obey(self, words):
        orders = self.orders
        if words == ["cut"]:
            self.cut()
        elif words == ["stall"]:
            orders.flowing.clear()
        elif words == ["flow"]:
            orders.flowing.set()
        elif words == ["mute"]:
            orders.mute = True
        elif words == ["speak"]:
            orders.mute = False
            self.cut(lambda link: link.robbed)
        elif words == ["refuse"]:
            await self.stop()
        elif words == ["swallow"]:
            await self.swallow()
        elif words == ["accept"]:
            if not self.server:
                await self.stop()
                await self.listen()
        elif words == ["blind"]:
            orders.blind = True
        elif words[0] == "delay":
            orders.delay = float(words[1])
        elif words[0] == "lose":
            orders.lose[words[1]] = int(words[2])
        elif words[0] == "hold":
            orders.hold[words[1]] = 1
        elif words == ["go"]:
            orders.going.set()
        elif words != ["lost"]:
            return "unknown: " + " ".join(words)
        return "ok"


class Proxy:
    def __init__(self, file, targets):
        self.file = file
        self.ways = [Way(self, word) for word in targets]

    async def order(self, line):
        which, colon, rest = line.partition(":")
        ways = [self.ways[int(which) - 1]] if colon else self.ways
        words = (rest if colon else line).split()
        answers = [await way.obey(words) for way in ways]
        if words == ["lost"]:
            return str(sum(way.orders.done for way in ways))
        return answers[0]

    async def take_orders(self, reader, writer):
        try:
            while line := await reader.readline():
                answer = await self.order(line.decode().strip())
                writer.write((answer + "\n").encode())
                await writer.drain()
        except (OSError, ValueError, IndexError, KeyError) as error:
            writer.write(("%r\n" % error).encode())
        writer.close()

    def on_signal(self, line):
        async def obey():
            await self.order(line)
            with open(self.file + ".armed", "w", encoding="ascii"):
                pass
        self.task = asyncio.ensure_future(obey())

    async def run(self):
        loop = asyncio.get_running_loop()
        for number, line in ((signal.SIGUSR1, "lose reply 1"),
                             (signal.SIGUSR2, "lose request 1"),
                             (signal.SIGHUP, "hold request"),
                             (signal.SIGWINCH, "hold reply"),
                             (signal.SIGCONT, "go")):
            loop.add_signal_handler(number, self.on_signal, line)
        for way in self.ways:
            await way.listen()
        control = await asyncio.start_server(self.take_orders, "127.0.0.1", 0)
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write("%d\n%s\n" % (
                control.sockets[0].getsockname()[1],
                " ".join(str(way.port) for way in self.ways)))
        os.rename(self.file + ".new", self.file)
        await asyncio.Event().wait()


limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
asyncio.run(Proxy(sys.argv[1], sys.argv[2:]).run())

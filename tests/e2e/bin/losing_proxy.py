#!/usr/bin/python3
"""losing_proxy.py PORTFILE TARGETPORT: a way to the server that loses replies.

It passes everything on, until a signal makes it break the connection at the
next request that changes something:

  SIGUSR1  when the server has answered it: done, and the reply is lost
  SIGUSR2  before the server has seen it: not done
  SIGHUP   not at all: it is passed on when SIGCONT comes
  SIGWINCH not at all: its reply is passed on when SIGCONT comes

It makes the file PORTFILE.armed when it has heard of that, writes a line to
PORTFILE.lost when it has done it, and is harmless again. A request is the
length of the rest, xid, type (zookeeper.jute, RequestHeader); a reply begins
with its length and xid.
"""
import os
import signal
import socket
import struct
import sys
import threading

# create, delete, setData, setACL, multi, create2 (ZooDefs.OpCode)
CHANGES = {1, 2, 5, 7, 14, 15}


class Link:
    """One connection and its other half."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", proxy.target))
        self.lost = None  # xid of the request whose reply is to be lost
        self.held = None  # of the one whose reply is to be held back
        for pump in (self.pump_requests, self.pump_replies):
            threading.Thread(target=pump, daemon=True).start()

    def close(self):
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def packet(source):
        """A whole packet, or what there is if it is none (a 4lw)."""
        data = source.recv(4, socket.MSG_WAITALL)
        if len(data) < 4:
            return b""
        length = struct.unpack(">i", data)[0]
        if not 0 <= length <= 1 << 24:
            return data
        return data + source.recv(length, socket.MSG_WAITALL)

    def pump_requests(self):
        try:
            first = self.packet(self.client)
            self.server.sendall(first)
            while first:
                data = self.packet(self.client)
                if not data:
                    break
                xid, kind = struct.unpack(">ii", data[4:12])
                mode = kind in CHANGES and self.proxy.take()
                if mode == signal.SIGUSR2:
                    self.proxy.note()
                    break
                if mode == signal.SIGHUP:
                    self.proxy.hold()
                if mode == signal.SIGUSR1:
                    self.lost = xid
                if mode == signal.SIGWINCH:
                    self.held = xid
                self.server.sendall(data)
        except OSError:
            pass
        if self.lost is None:
            self.close()

    def pump_replies(self):
        try:
            while True:
                data = self.packet(self.server)
                if not data:
                    break
                xid = struct.unpack(">i", data[4:8])[0] \
                    if len(data) >= 8 else None
                if xid is not None and xid == self.lost:
                    self.proxy.note()
                    break
                if xid is not None and xid == self.held:
                    self.proxy.hold()
                self.client.sendall(data)
        except OSError:
            pass
        self.close()


class Proxy:
    def __init__(self, portfile, target):
        self.portfile = portfile
        self.target = target
        self.mode = None
        self.lock = threading.Lock()
        self.go_on = threading.Event()

    def on_continue(self, number, frame):
        self.go_on.set()

    def on_signal(self, number, frame):
        self.mode = number
        with open(self.portfile + ".armed", "w", encoding="ascii"):
            pass

    def take(self):
        with self.lock:
            mode, self.mode = self.mode, None
        return mode

    def note(self):
        with open(self.portfile + ".lost", "a", encoding="ascii") as file:
            file.write("lost\n")

    def hold(self):
        self.go_on.clear()
        self.note()
        self.go_on.wait()

    def run(self):
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP,
                       signal.SIGWINCH):
            signal.signal(number, self.on_signal)
        signal.signal(signal.SIGCONT, self.on_continue)
        listener = socket.create_server(("127.0.0.1", 0))
        with open(self.portfile + ".new", "w", encoding="ascii") as file:
            file.write("%d\n" % listener.getsockname()[1])
        os.rename(self.portfile + ".new", self.portfile)
        while True:
            client = listener.accept()[0]
            try:
                Link(self, client)
            except OSError:
                client.close()


Proxy(sys.argv[1], int(sys.argv[2])).run()

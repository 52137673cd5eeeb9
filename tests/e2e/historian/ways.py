"""ways: the proxy between one mount and the servers (bin/proxy.py)."""
import os
import socket
import subprocess
import sys

from torturing.children import die_with_parent, within

PROXY = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "bin", "proxy.py")


class Ways:
    def __init__(self, name, directory, servers):
        self.name = name
        self.file = os.path.join(directory, name + ".proxy")
        self.servers = servers
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, PROXY, self.file] +
            [str(server.port) for server in self.servers],
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(9))
        if not within(30, lambda: os.path.exists(self.file)):
            sys.exit("no proxy: " + self.file)
        with open(self.file, encoding="ascii") as file:
            self.control = int(file.readline())
            self.ports = [int(word) for word in file.readline().split()]

    def addresses(self):
        return ",".join("127.0.0.1:%d" % port for port in self.ports)

    def order(self, line):
        with socket.create_connection(("127.0.0.1", self.control),
                                      timeout=30) as link:
            link.sendall(line.encode() + b"\n")
            answer = link.makefile().readline().strip()
        if answer != "ok" and not answer.isdigit():
            sys.exit("the proxy says of '%s': %s" % (line, answer))
        return answer

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()

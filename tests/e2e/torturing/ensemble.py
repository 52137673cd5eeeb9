"""ensemble: three ZooKeeper servers on 127.0.0.1 that may be killed and frozen.

What they write stays when a server is killed, since the kernel has it: forceSync
would only add the disk's time.
"""
import os
import random
import signal
import socket
import subprocess

from torturing.children import die_with_parent, pause, within

TICK_MS = 500
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
        "-Xmx256m", "-Dzookeeper.forceSync=no",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
JARS = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"]
# A new leader is looked for when the old one was silent for syncLimit ticks.
CONFIG = """\
dataDir=%(dir)s
clientPortAddress=127.0.0.1
clientPort=%(port)d
tickTime=%(tick)d
initLimit=20
syncLimit=4
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=*
%(peers)s
"""


def free_ports(count):
    """Below the range that the kernel gives to outgoing connections, so that
    they are still free when a server comes back."""
    ports = []
    while len(ports) < count:
        port = random.randrange(21000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class Server:
    def __init__(self, number, port, directory):
        self.name = "s%d" % number
        self.port = port
        self.directory = directory
        self.process = None
        self.frozen = False

    def address(self):
        return "127.0.0.1:%d" % self.port

    def start(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(
                JAVA + ["-cp", ":".join(JARS),
                        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                        os.path.join(self.directory, "zoo.cfg")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL))

    def is_up(self):
        return self.process is not None and not self.frozen

    def kill(self):
        self.frozen = False
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        self.frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.frozen = False
        self.process.send_signal(signal.SIGCONT)

    def mode(self):
        """ "leader", "follower", or None: it serves no one."""
        try:
            with socket.create_connection(("127.0.0.1", self.port),
                                          timeout=0.5) as link:
                link.settimeout(0.5)
                link.sendall(b"srvr")
                text = b""
                while part := link.recv(4096):
                    text += part
        except OSError:
            return None
        for line in text.decode().splitlines():
            if line.startswith("Mode: "):
                return line[len("Mode: "):]
        return None


class Ensemble:
    def __init__(self, directory, count=3):
        ports = free_ports(3 * count)
        self.servers = []
        peers = "".join("server.%d=127.0.0.1:%d:%d\n" % (
            i + 1, ports[count + i], ports[2 * count + i])
            for i in range(count))
        for i in range(count):
            path = os.path.join(directory, "s%d" % (i + 1))
            os.makedirs(path)
            with open(os.path.join(path, "myid"), "w",
                      encoding="ascii") as file:
                file.write("%d\n" % (i + 1))
            with open(os.path.join(path, "zoo.cfg"), "w",
                      encoding="ascii") as file:
                file.write(CONFIG % {"dir": path, "port": ports[i],
                                     "tick": TICK_MS, "peers": peers})
            self.servers.append(Server(i + 1, ports[i], path))

    def start(self):
        for server in self.servers:
            server.start()

    def serves(self):
        return all(server.mode() for server in self.servers)

    def await_service(self, seconds):
        return within(seconds, self.serves)

    def up(self):
        return [server for server in self.servers if server.is_up()]

    def leader(self):
        for server in self.up():
            if server.mode() == "leader":
                return server
        return None

    def heal(self):
        for server in self.servers:
            if server.frozen:
                server.thaw()
            if server.process is None:
                server.start()

    def stop(self):
        for server in self.servers:
            server.kill()

    def died(self):
        """Servers that ended by themselves."""
        pause(0)
        return [server.name for server in self.servers
                if server.process and server.process.poll() is not None]

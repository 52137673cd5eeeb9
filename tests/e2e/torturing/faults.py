"""faults: what is done to servers, daemons and contenders, and made good again.

Each fault is dealt from a shuffled deck, so that a short run has seen all of
them, and several may last at the same time. What ends a fault is a step that
is due later. A quorum is never away for longer than QUORUM_SECONDS.
"""
import heapq
import signal
import time

from torturing.board import Board
from torturing.children import send

QUORUM_SECONDS = 3


class Faults:
    def __init__(self, rng, trace, ensemble, mounts, session_seconds):
        self.board = Board()
        self.rng = rng
        self.trace = trace
        self.ensemble = ensemble
        self.mounts = mounts
        self.session_seconds = session_seconds
        self.steps = []  # heap of (when, number, what to do)
        self.n = 0
        self.deck = []
        self.no_quorum_until = 0

    # -- steps --

    def later(self, seconds, step):
        self.n += 1
        heapq.heappush(self.steps, (time.monotonic() + seconds, self.n, step))

    def run_due(self):
        while self.steps and self.steps[0][0] <= time.monotonic():
            heapq.heappop(self.steps)[2]()

    def trouble_for(self, seconds, undo):
        """Contenders know that something is going on until it is undone."""
        def calm():
            undo()
            self.board.trouble(-1)

        self.board.trouble(1)
        self.later(seconds, calm)

    def heal(self):
        """All that was begun is ended, and who is not there is started."""
        while self.steps:
            heapq.heappop(self.steps)[2]()
        self.ensemble.heal()
        for mount in self.mounts:
            if mount.frozen:
                mount.thaw()
            if mount.daemon is None:
                mount.start_again()

    def say(self, what, *targets):
        self.trace.say("-", "fault", what=what,
                       target=",".join(target.name for target in targets))

    def next(self):
        if not self.deck:
            self.deck = [self.kill_server, self.kill_leader, self.kill_two,
                         self.kill_all, self.freeze_server,
                         self.freeze_server_long, self.freeze_server_long,
                         self.freeze_server_long, self.freeze_leader,
                         self.freeze_all, self.freeze_daemon,
                         self.freeze_daemon_long, self.freeze_daemon_long,
                         self.kill_daemon, self.kill_daemon, self.end_daemon,
                         self.detach_daemon]
            self.rng.shuffle(self.deck)
        self.deck.pop()()

    # -- servers --

    def down(self, what, servers, how, undo, seconds):
        """How long: without a quorum it is kept short."""
        servers = [server for server in servers if server and server.is_up()]
        left = len(self.ensemble.up()) - len(servers)
        if not servers or (left < 2 and
                           time.monotonic() < self.no_quorum_until):
            return
        if left < 2:
            seconds = min(seconds, QUORUM_SECONDS)
            self.no_quorum_until = time.monotonic() + 3 * QUORUM_SECONDS
        self.say(what, *servers)
        for server in servers:
            how(server)
            self.trouble_for(seconds, lambda server=server: undo(server))

    def kill(self, what, servers, seconds):
        self.down(what, servers, lambda server: server.kill(),
                  lambda server: server.process or server.start(), seconds)

    def freeze(self, what, servers, seconds):
        self.down(what, servers, lambda server: server.freeze(),
                  lambda server: server.frozen and server.thaw(), seconds)

    def kill_server(self):
        self.kill("kill-server", [self.a_server()],
                  self.rng.uniform(0, 4))

    def kill_leader(self):
        self.kill("kill-leader", [self.ensemble.leader()],
                  self.rng.uniform(0, 4))

    def kill_two(self):
        self.kill("kill-two", self.rng.sample(self.ensemble.servers, 2),
                  self.rng.uniform(0, QUORUM_SECONDS))

    def kill_all(self):
        self.kill("kill-all", self.ensemble.servers,
                  self.rng.uniform(0, QUORUM_SECONDS))

    def a_server(self):
        """Preferably one that a holder's mount cannot do without."""
        servers = self.ensemble.servers
        wanted = [servers[i] for i in self.board.mounts() if i < len(servers)]
        return self.rng.choice(wanted or servers)

    def freeze_server(self):
        self.freeze("freeze-server", [self.a_server()],
                    self.rng.uniform(0, 1) * self.session_seconds)

    def freeze_server_long(self):
        """Who has no other server is cut off beyond the session's end."""
        self.freeze("freeze-server-long", [self.a_server()],
                    self.rng.uniform(1.2, 2) * self.session_seconds)

    def freeze_leader(self):
        self.freeze("freeze-leader", [self.ensemble.leader()],
                    self.rng.uniform(0, 1.5) * self.session_seconds)

    def freeze_all(self):
        self.freeze("freeze-all", self.ensemble.servers,
                    self.rng.uniform(0, QUORUM_SECONDS))

    # -- daemons --

    def a_daemon(self):
        up = [mount for mount in self.mounts
              if mount.is_up() and mount.is_mounted()]
        wanted = [self.mounts[i] for i in self.board.mounts()
                  if self.mounts[i] in up]
        return self.rng.choice(wanted or up) if up else None

    def freeze_for(self, what, seconds):
        mount = self.a_daemon()
        if mount:
            self.say(what, mount)
            mount.freeze()
            self.trouble_for(seconds, lambda: mount.frozen and mount.thaw())

    def freeze_daemon(self):
        self.freeze_for("freeze-daemon",
                        self.rng.uniform(0, 0.9) * self.session_seconds)

    def freeze_daemon_long(self):
        """Beyond its session."""
        self.freeze_for("freeze-daemon-long",
                        self.rng.uniform(1.2, 2) * self.session_seconds)

    def bring_back(self, mount):
        if mount.daemon is None:
            mount.start_again()

    def kill_daemon(self):
        mount = self.a_daemon()
        if mount:
            self.say("kill-daemon", mount)
            mount.kill()
            self.later(self.rng.uniform(0, 3), lambda: self.bring_back(mount))

    def end_daemon(self):
        mount = self.a_daemon()
        if mount:
            self.say("end-daemon", mount)
            mount.ask_to_end(True)
            self.later(self.rng.uniform(1, 3), lambda: self.bring_back(mount))

    def detach_daemon(self):
        mount = self.a_daemon()
        if mount:
            self.say("detach-daemon", mount)
            mount.ask_to_end(False)
            self.later(self.rng.uniform(0, 3), lambda: self.bring_back(mount))

    # -- contenders --

    def hit(self, pids):
        """A signal to one of them, whatever it is doing."""
        if not pids:
            return
        pid = self.rng.choice(pids)
        number = self.rng.choice([signal.SIGUSR1] * 5 + [
            signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
        self.trace.say("-", "hit", signal=number.name, pid=pid)
        send(pid, number)
        if number == signal.SIGSTOP:
            self.later(self.rng.uniform(0, 0.5),
                       lambda: send(pid, signal.SIGCONT))

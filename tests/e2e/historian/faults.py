"""faults: what is done to servers, ways and daemons while a history is made.
Daemons are frozen, not killed: what is on its way when one is killed may come
to the tree at any later time, by a server that is frozen then.

Servers have one trouble at a time, and the next one when all have caught up:
ZooKeeper 3.8.0 itself loses what it has acknowledged when a leader is killed
while another server is frozen, or is about to follow (ZOOKEEPER-4643, 4646;
"Cannot send TRUNC to peer" stands in the log then). With `overlap` a second
trouble may begin in a first one all the same, and a witness that does not use
zkfs shows whether that has happened.
"""
from torturing import faults


class Faults(faults.Faults):
    def __init__(self, rng, trace, ensemble, mounts, ways, settings):
        super().__init__(rng, trace, ensemble, mounts,
                         settings.session_seconds)
        self.ways = ways
        self.overlap = settings.overlap

    def next(self):
        if not self.deck:
            self.deck = [self.lose_reply] * 5 + [self.lose_request] * 3 + [
                self.cut, self.cut, self.stall, self.stall_long, self.mute,
                self.mute, self.delay, self.refuse, self.swallow,
                self.kill_server, self.kill_leader, self.kill_two,
                self.kill_all, self.freeze_server, self.freeze_server_long,
                self.freeze_leader, self.freeze_leader, self.freeze_all,
                self.freeze_daemon, self.freeze_daemon_long]
            self.rng.shuffle(self.deck)
        self.deck.pop()()

    def heal(self):
        super().heal()
        for ways in self.ways:
            for line in ("flow", "speak", "accept", "delay 0", "go",
                         "lose reply 0", "lose request 0"):
                ways.order(line)

    def down(self, what, servers, how, undo, seconds):
        if self.overlap or self.ensemble.serves():
            super().down(what, servers, how, undo, seconds)

    def on_a_way(self, what, begin, end=None, seconds=0):
        ways = self.rng.choice(self.ways)
        self.say(what, ways)
        ways.order(begin)
        if end:
            self.later(seconds, lambda: ways.order(end))

    def session(self, least, most):
        return self.rng.uniform(least, most) * self.session_seconds

    def lose_reply(self):
        self.on_a_way("lose-reply", "lose reply %d" % self.rng.randint(1, 3))

    def lose_request(self):
        self.on_a_way("lose-request", "lose request 1")

    def cut(self):
        self.on_a_way("cut", "cut")

    def stall(self):
        self.on_a_way("stall", "stall", "flow", self.session(0, 0.9))

    def stall_long(self):
        self.on_a_way("stall-long", "stall", "flow", self.session(1.2, 2))

    def mute(self):
        self.on_a_way("mute", "mute", "speak", self.session(0, 1))

    def delay(self):
        self.on_a_way("delay", "delay %d" % self.rng.randint(1, 300),
                      "delay 0", self.session(0, 1))

    def refuse(self):
        self.on_a_way("refuse", "refuse", "accept", self.session(0, 0.9))

    def swallow(self):
        self.on_a_way("swallow", "swallow", "accept", self.session(0, 0.9))

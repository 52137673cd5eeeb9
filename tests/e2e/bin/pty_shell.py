"""pty_shell: an interactive bash on a terminal of its own, as a user has it."""
import os
import pty
import select
import sys
import time

SECONDS = 15


class Shell:
    """Types and reads. What is typed is echoed, and must not be taken for
    what is expected."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="prompt> ", TERM="dumb", HISTFILE="")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.unread = ""
        self.seen = ""  # on the way to what was expected last
        self.expect("prompt> ")

    def type(self, text, end="\r"):
        os.write(self.fd, (text + end).encode())

    def key(self, letter):
        """With the control key."""
        self.type(chr(ord(letter) - ord("A") + 1), end="")

    def expect(self, text):
        """Reads on until it comes."""
        end = time.monotonic() + SECONDS
        while text not in self.unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                sys.exit("no %r in %r" % (text, self.unread))
            try:
                self.unread += os.read(self.fd, 4096).decode()
            except OSError:  # EIO: the shell has ended
                sys.exit("no %r before the end: %r" % (text, self.unread))
        self.seen, self.unread = self.unread.split(text, 1)

    def run(self, line, *texts):
        """Types a line; its output has each text, and then there is a
        prompt."""
        self.type(line)
        for text in texts:
            self.expect(text)
        self.expect("prompt> ")

    def wait_for_job(self, state):
        """The shell tells of its jobs when it pleases: when it is asked, or
        before a prompt; of each end once."""
        end = time.monotonic() + SECONDS
        while True:
            self.type("jobs; echo that=$?")
            seen = ""
            for text in "that=0", "prompt> ":
                self.expect(text)
                seen += self.seen
            if state in seen:
                return
            if time.monotonic() > end:
                sys.exit("no job: %s" % state)

    def status(self, wanted):
        """Of the last command."""
        self.run("echo status=$?", "status=%d\r" % wanted)

    def close(self):
        self.type("exit")
        os.waitpid(self.pid, 0)
        os.close(self.fd)

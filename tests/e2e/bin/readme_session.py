#!/usr/bin/python3
"""readme_session: types the first session of README.md, and compares.

    readme_session.py README DIRECTORY

The blocks marked `console` under "A first session" are typed as they stand into
interactive shells that start in DIRECTORY; what they answer must be what the
page shows, but for what is different each time: numbers of processes and
tokens, names of hosts and commands, times, the home directory. Prints what came
back, and ends with 1 at the first difference.

A line is typed into the shell that its prompt names: "b$" is one shell, "$" and
"a$" are another. "(waits)" in place of output is a command that does not return,
and "(has it)" says where it does.
"""
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

SECONDS = 30
PROMPT = "~prompt~ "
# What differs from one time to the next: each is cut down to its name.
DIFFERS = [r"(token=)0x[0-9a-f]+", r"(pid[= ])\d+", r"(uid=)\d+",
           r"(host=)\S+", r"(comm=)\S+", r"(since=)\S+"]


class Shell:
    """An interactive bash on a terminal that echoes nothing."""

    def __init__(self, directory):
        main, other = pty.openpty()
        mode = termios.tcgetattr(other)
        mode[1] &= ~termios.OPOST
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(other, termios.TCSANOW, mode)
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=other, stdout=other, stderr=other, cwd=directory,
            start_new_session=True,
            env=dict(os.environ, PS1=PROMPT, PS2="", PWD=directory))
        os.close(other)
        self.fd = main
        self.unread = ""
        self.answer()

    def type(self, line):
        os.write(self.fd, (line + "\n").encode())

    def hear(self, seconds):
        """Whether there is more; False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return None
        try:
            more = os.read(self.fd, 65536).decode()
        except OSError:  # EIO: the shell has ended
            more = ""
        self.unread += more
        return bool(more)

    def answer(self):
        """What comes before the next prompt, or the end."""
        end = time.monotonic() + SECONDS
        while PROMPT not in self.unread:
            heard = self.hear(max(0, end - time.monotonic()))
            if heard is None:
                sys.exit("no prompt after %r" % self.unread)
            if not heard:
                break
        answer, _, self.unread = self.unread.partition(PROMPT)
        return answer

    def is_waiting(self):
        while self.hear(0):
            pass
        return not self.unread


class Step:
    """A command, and what is to come of it."""

    def __init__(self, shell, line):
        self.shell = shell
        self.lines = [line]
        self.output = []


def steps(page):
    """The session's commands in their order."""
    begin = page.index("\n## A first session")
    part = page[begin:page.index("\n## ", begin + 1)]
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", part, re.S | re.M):
        last = {}
        for line in block.splitlines():
            side = len(line) - len(line.lstrip()) > 20
            line = line.strip() if side else line
            prompt = re.match(r"(\w*)\$ (.*)", line)
            if prompt:
                name = "b" if prompt.group(1) == "b" else "a"
                found.append(Step(name, prompt.group(2)))
                last[side] = found[-1]
            elif line.startswith("> "):
                last[side].lines.append(line[2:])
            elif line == "(has it)":
                found.append(Step(last[side].shell, None))
                last[side] = found[-1]
            else:
                last[side].output.append(line)
    return found


def same_each_time(text):
    for pattern in DIFFERS:
        text = re.sub(pattern, r"\1...", text)
    return text.replace(os.environ["HOME"] + "/", "/home/you/")


def await_entry(shell, line):
    """Until who waits in `exec 9> ENTRY` is in the queue."""
    entry = os.path.join(os.readlink("/proc/%d/cwd" % shell.process.pid),
                         line.split()[-1])
    end = time.monotonic() + SECONDS
    while os.path.basename(entry) not in os.listdir(os.path.dirname(entry)):
        if time.monotonic() > end:
            sys.exit("%s is not in the queue" % entry)
        select.select([], [], [], 0.02)
    if not shell.is_waiting():
        sys.exit("%r does not wait: %r" % (line, shell.unread))


def play(step, shell):
    """Types it, and returns what came back."""
    for line in step.lines:
        if line is not None:
            print("%s$ %s" % (step.shell, line))
            shell.type(line)
    if step.output == ["(waits)"]:
        await_entry(shell, step.lines[0])
        return "(waits)\n"
    answer = shell.answer().expandtabs()
    return answer[:-5] if step.lines == ["exit"] else answer


def main(page, directory):
    shells = {}
    with open(page, encoding="utf-8") as file:
        found = steps(file.read())
    for step in found:
        if step.shell not in shells:
            shells[step.shell] = Shell(directory)
        answer = play(step, shells[step.shell])
        sys.stdout.write(answer)
        sys.stdout.flush()
        shown = "".join(line + "\n" for line in step.output)
        if same_each_time(answer) != same_each_time(shown):
            sys.exit("not as the page has it: %r" % shown)
    print("%d commands" % len(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""start: the n-th allocation of a start fails, for every n. Either the mount is
there, and answers; or there is one line that says why not, and the exit status
says so too, and nothing is mounted."""
import errno
import os
import subprocess

from starving.world import Wrong, wait_for

SECONDS = 20
MOST = 400


def is_mounted(path):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return any(line.split()[4] == path for line in file)


def end(process):
    """Returns its exit status and what it has said."""
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said.decode("utf-8", "replace")


def serves(path):
    """Whether it is mounted, and not taken away again."""
    try:
        os.stat(path + "/.zkfs/status")
        return True
    except OSError as error:
        return error.errno == errno.ENOMEM


def check_failed(path, status, said):
    if status <= 0:
        raise Wrong("exit status %d: %r" % (status, said))
    lines = said.splitlines()
    # What was done, and what was survived, is told before.
    if not lines or [line for line in lines[:-1]
                     if "connected to" not in line and "ignoring" not in line]:
        raise Wrong("not one line: %r" % said)
    if is_mounted(path):
        raise Wrong("a mount is left")


def one(settings, memory, number):
    """Returns whether an allocation has failed."""
    path = settings.mount
    options = ["-o", settings.options] if settings.options else []
    memory.arm(number)
    with subprocess.Popen(
            [settings.start, "-f", *options, settings.source, path],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_for("it is mounted, or has ended",
                 lambda: process.poll() is not None or is_mounted(path))
        answers = serves(path)
        failed, _ = memory.disarm()
        if answers:
            os.listdir(path)
            process.terminate()
            status, said = end(process)
            if status != 0:
                raise Wrong("exit status %d: %r" % (status, said))
        else:
            check_failed(path, *end(process))
            if not failed:
                raise Wrong("it does not start though there is memory")
    return failed


def start(settings, memory):
    for number in range(1, MOST, settings.stride):
        try:
            if not one(settings, memory, number):
                print("Start", number - 1)
                return 0
        except (Wrong, OSError) as wrong:
            print("WRONG: allocation %d, at %x: %s" % (
                number, memory.disarm()[1], wrong))
            return 1
    return 1

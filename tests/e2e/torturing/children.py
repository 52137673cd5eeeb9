"""children: processes that do not outlive the torturer, and waiting for them."""
import ctypes
import errno
import os
import signal
import time

PR_SET_PDEATHSIG = 1
# What ends the torturer, in good order.
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number):
    """For a child that was just forked. (The signal comes when the thread that
    forked it ends: the torturer has one.)"""
    libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    # A ^C in the terminal is the torturer's alone.
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def pause(seconds):
    """Until a child ends (SIGCHLD is blocked), or so long."""
    signal.sigtimedwait([signal.SIGCHLD], max(seconds, 0))


def within(seconds, condition):
    """Whether it came true in time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        pause(0.02)
    return True


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def error_name(number):
    return errno.errorcode.get(number, str(number))

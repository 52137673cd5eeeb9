#!/usr/bin/env bats
# zkfs-lock in an interactive shell: the terminal, ^C, ^Z, fg and bg are the
# command's, as if zkfs-lock were not there.

load lib
load locking

setup() {
	e2e_setup
	zk create /locks
	zk_mount A
	# What is run in the shell. (The second by bash: dash has its children
	# by vfork(2), and when they are stopped at once dash cannot be.)
	cat >ask <<-'END'
		echo "begun"
		while [ "$x" != end ]; do
			read -r x </dev/tty
			echo "got-$x"
		done
		exit 6
	END
	cat >trapping <<-'END'
		trap 'echo interrupted; exit 7' INT
		trap 'echo terminated; exit 8' TERM
		trap 'echo continued' CONT
		echo begun
		while :; do sleep 0.05; done
	END
}

# shell CODE: `shell` is an interactive one; $lock takes the lock there, and
# $try says whether it is free.
shell() {
	PY_LIMIT=50 PYTHONPATH=$PYTHONPATH:$E2E_DIR/bin py '
from pty_shell import Shell
shell = Shell()
shell.run("export lock=\"%s %s\"" % (A[0], A[1]))
shell.run("export try=\"%s -n -E 42 %s true\"" % (A[0], A[1]))
'"$1"'
shell.close()
' "$LOCK" "$A/locks/x"
}

@test "lock, terminal: the command may read it" {
	shell '
for name in "sh ask", "bash ask", "sh ask 2>/dev/null":
    shell.type("$lock " + name)
    shell.expect("begun")
    shell.type("end")
    shell.expect("got-end")
    shell.status(6)
# An interactive shell has a process group of its own.
shell.run("$lock bash --norc --noprofile -i")
shell.run("$try; echo status=$?", "status=42\r")
shell.run("exit 5")
shell.status(5)
shell.run("$try")
shell.status(0)'
	joined 0
}

@test "lock, terminal: ^C and ^\\ are for the command" {
	shell '
shell.type("$lock bash trapping")
shell.expect("begun")
shell.key("C")
shell.expect("interrupted")
shell.status(7)
shell.type("$lock sh ask")
shell.expect("begun")
shell.key("\\")
shell.expect("prompt> ")
shell.status(128 + signal.SIGQUIT)'
	joined 0
}

@test "lock, terminal: ^Z stops it all, the lock stays; fg and bg go on" {
	shell '
shell.type("$lock sh ask")
shell.expect("begun")
for _ in range(3):
    shell.key("Z")
    shell.expect("Stopped")
    shell.expect("prompt> ")
    shell.run("$try")
    shell.status(42)
    # It is stopped again, by the terminal that it has not got.
    shell.run("bg")
    shell.wait_for_job("Stopped")
    shell.type("fg")
    shell.expect("ask")
    shell.type("again")
    shell.expect("got-again")
shell.type("end")
shell.expect("got-end")
shell.status(6)
shell.run("$try")
shell.status(0)'
	joined 0
}

@test "lock, terminal: a job in the background gets it with fg" {
	shell '
shell.type("$lock sh ask &")
shell.expect("begun")
shell.wait_for_job("Stopped")
shell.type("fg")
shell.expect("ask")
shell.type("end")
shell.expect("got-end")
shell.status(6)'
	joined 0
}

@test "lock, terminal: a stopped job can be ended" {
	shell '
shell.type("$lock bash trapping")
shell.expect("begun")
shell.key("Z")
shell.expect("Stopped")
shell.expect("prompt> ")
shell.type("kill %1")
shell.expect("terminated")
shell.wait_for_job("Exit 8")'
	joined 0
}

@test "lock, terminal: in a pipe it is for whoever asks for it" {
	shell '
# The last one, as a pager does.
shell.type("$lock sh -c \"echo data\" | sh -c \". ./ask; cat\"")
shell.expect("begun")
shell.type("end")
shell.expect("got-end")
shell.status(6)
# The command itself.
shell.type("$lock sh ask | cat")
shell.expect("begun")
shell.type("end")
shell.expect("got-end")
shell.status(0)
# Who has not asked for it is interrupted all the same, and stopped.
shell.type("$lock bash trapping | cat")
shell.expect("begun")
shell.key("Z")
shell.expect("Stopped")
shell.expect("prompt> ")
shell.run("$try")
shell.status(42)
shell.type("fg")
shell.expect("continued")
shell.key("C")
shell.expect("prompt> ")
shell.run("$try")
shell.status(0)'
	joined 0
}

@test "lock, terminal: lost while it is stopped, it does not go on" {
	shell '
shell.type("$lock bash trapping")
shell.expect("begun")
shell.key("Z")
shell.expect("Stopped")
shell.expect("prompt> ")
directory = os.path.dirname(A[1]) + "/x"
for name in os.listdir(directory):
    os.unlink(directory + "/" + name)
shell.run("fg", "the lock is lost")
shell.status(75)'
	joined 0
}

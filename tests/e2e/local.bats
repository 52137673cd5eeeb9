#!/usr/bin/env bats
# The set-up commands: zkfs-local and quickstart.

load lib

setup() {
	e2e_setup
	export HOME=$BATS_TEST_TMPDIR/home
	# A space and a quote, as in some people's names.
	export XDG_STATE_HOME="$BATS_TEST_TMPDIR/it's state"
	mkdir -p "$HOME"
	bin=$BATS_TEST_TMPDIR/bin
	mkdir "$bin"
	cp "$E2E_TOP/packaging/zkfs-local" "$bin/"
	ln -s "$ZKFS" "$bin/zkfs"
	PATH=$bin:$PATH
}

teardown() {
	local rc=0 dir

	# A mount may be dead or busy by now.
	while read -r _ dir; do
		fusermount3 -uz "$dir" || :
	done < <(connections_below "$BATS_TEST_TMPDIR/")
	timeout 30 zkfs-local stop >/dev/null 2>&1 || :
	if [ -s "$BATS_TEST_TMPDIR/open_dir" ]; then
		dir=$(<"$BATS_TEST_TMPDIR/open_dir")
		XDG_STATE_HOME=$dir timeout 30 zkfs-local stop || rc=1
		rm -rf --one-file-system -- "${dir:?}"
	fi
	e2e_teardown || rc=1
	if pgrep -f "$BATS_TEST_TMPDIR.*zoo.cfg"; then
		echo "a server is left"
		rc=1
	fi
	return "$rc"
}

local_command() {
	timeout 50 "$bin/zkfs-local" "$@" 3>&- 4>&-
}

server_pid() {
	cat "$XDG_STATE_HOME/zkfs/pid"
}

@test "zkfs-local: start, write, stop, start again: the data is there" {
	run -0 local_command start
	has "$output" "started at 127.0.0.1:"
	has "$output" "$HOME/zk"
	echo kept >"$HOME/zk/f"
	local port
	port=$(cat "$XDG_STATE_HOME/zkfs/port")
	run -0 local_command stop
	has "$output" "unmounted"
	has "$output" "stopped"
	is "$(connections_below "$BATS_TEST_TMPDIR/")" ""
	run -0 local_command start
	is "$(cat "$HOME/zk/f")" kept
	is "$(cat "$XDG_STATE_HOME/zkfs/port")" "$port" "the port"
	local_command stop
}

@test "zkfs-local: status tells what runs, by words and exit status" {
	run -3 local_command status
	has "$output" "server   stopped"
	local_command start
	run -0 local_command status
	has "$output" "server   runs at 127.0.0.1:"
	has "$output" "mount    $HOME/zk"
	run -0 local_command status "$HOME/zk"
	run -3 local_command status "$HOME/other"
	has "$output" "not mounted"
	local_command stop
	run -3 local_command status
}

@test "zkfs-local: start twice says what runs already, quickly" {
	local_command start
	local pid before
	pid=$(server_pid)
	before=$(now)
	run -0 local_command start
	[ $(($(now) - before)) -lt 3000 ]
	has "$output" "runs already"
	has "$output" "mounted already"
	is "$(server_pid)" "$pid"
	is "$(daemons_below "$BATS_TEST_TMPDIR" | wc -l)" \
		"$(daemons_below "$HOME/zk" | wc -l)"
}

@test "zkfs-local: a second mount point; stop of one leaves the other" {
	local_command start "$HOME/one"
	local_command start "$HOME/two and a space"
	echo x >"$HOME/one/f"
	is "$(cat "$HOME/two and a space/f")" x
	run -0 local_command stop "$HOME/one"
	has "$output" "runs on for"
	is "$(cat "$HOME/two and a space/f")" x
	run -1 local_command stop "$HOME/nowhere"
	has "$output" "is not a mount of this server"
	run -0 local_command stop
	has "$output" "stopped"
}

@test "zkfs-local: -n starts the server only, -o goes to zkfs" {
	local_command start -n
	run -0 local_command status
	has "$output" "mount    none"
	local_command start -o ro -o fmask=077
	fails "Read-only file system" touch "$HOME/zk/f"
	local_command stop
}

@test "zkfs-local: a relative mount point and a symbolic link" {
	mkdir real
	ln -s real link
	local_command start link/zk
	echo x >real/zk/f
	run -0 local_command status "$PWD/real/zk"
	run -0 local_command stop link/zk
	has "$output" "stopped"
}

@test "zkfs-local: a stale pid file is harmless" {
	local_command start
	local_command stop
	# A process that lives and is not ours.
	echo $$ >"$XDG_STATE_HOME/zkfs/pid"
	run -3 local_command status
	run -0 local_command stop
	has "$output" "stopped already"
	kill -0 $$
	echo garbage >"$XDG_STATE_HOME/zkfs/pid"
	run -0 local_command start
	has "$output" "started"
	local_command stop
}

@test "zkfs-local: a server killed is started again under the mount" {
	local_command start
	echo kept >"$HOME/zk/f"
	local pid
	pid=$(server_pid)
	kill -KILL "$pid"
	process_ends "$pid"
	run -3 local_command status
	has "$output" "server   stopped"
	run -0 local_command start
	has "$output" "started at"
	has "$output" "mounted already"
	within 10 grep -q kept "$HOME/zk/f"
	local_command stop
}

@test "zkfs-local: a mount whose zkfs was killed is replaced" {
	local_command start
	echo kept >"$HOME/zk/f"
	pkill -KILL -f "$ZKFS .*$HOME/zk" || kill_daemons
	within 5 no_daemon
	run -1 local_command status
	has "$output" "dead"
	run -0 local_command start
	is "$(cat "$HOME/zk/f")" kept
	run -0 local_command status
	local_command stop
}

kill_daemons() {
	local pid

	for pid in $(daemons_below "$HOME/zk"); do
		kill -KILL "$pid"
	done
}

no_daemon() {
	[ -z "$(daemons_below "$HOME/zk")" ]
}

@test "zkfs-local: stop of a busy mount says who holds it" {
	local_command start
	mkdir "$HOME/zk/d"
	(cd "$HOME/zk/d" && exec sleep 50) 3>&- 4>&- &
	local holder=$!
	within 5 is_inside "$holder" "$HOME/zk/d"
	run -1 local_command stop
	has "$output" "'$HOME/zk' is in use by sleep ($holder)"
	# Nothing was stopped.
	run -0 local_command status
	kill "$holder"
	wait "$holder" || :
	run -0 local_command stop
}

is_inside() {
	[ "$(readlink "/proc/$1/cwd")" = "$2" ]
}

@test "zkfs-local: a port taken by somebody else is not used" {
	local_command start -n
	local port
	port=$(cat "$XDG_STATE_HOME/zkfs/port")
	local_command stop
	py '
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(A[0])))
s.listen()
open("taken", "w").close()
time.sleep(60)' "$port" 3>&- 4>&- &
	within 10 test -e taken
	run -0 local_command start -n
	has "$output" "started"
	[ "$(cat "$XDG_STATE_HOME/zkfs/port")" != "$port" ]
	local_command stop
}

@test "zkfs-local: a port bound after we looked is found out" {
	# Bound and not listening: only the server notices.
	mkdir -p "$XDG_STATE_HOME/zkfs"
	py '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
open("port", "w").write("%d\n" % s.getsockname()[1])
os.rename("port", A[0])
time.sleep(60)' "$XDG_STATE_HOME/zkfs/port" 3>&- 4>&- &
	within 10 test -s "$XDG_STATE_HOME/zkfs/port"
	local port
	port=$(cat "$XDG_STATE_HOME/zkfs/port")
	run -0 local_command start -n
	[ "$(cat "$XDG_STATE_HOME/zkfs/port")" != "$port" ]
	local_command stop
}

@test "zkfs-local: several starts at once make one server and one mount" {
	local pids=() pid i
	for i in 1 2 3 4; do
		local_command start >"start.$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	is "$(cat start.? | grep -c "started at")" 1
	is "$(connections_below "$BATS_TEST_TMPDIR/" | wc -l)" 1
	local_command stop
}

@test "zkfs-local: errors are one line that says what to do" {
	run -1 env XDG_STATE_HOME=relative "$bin/zkfs-local" status
	is "${#lines[@]}" 1
	touch file
	run -1 local_command start file/zk
	is "${#lines[@]}" 1
	has "$output" "no such directory"
	rm "$bin/zkfs"
	hash -r
	run -1 env PATH=/usr/bin:/bin:/usr/sbin:/sbin "$bin/zkfs-local" start
	has "${lines[-1]}" "no zkfs beside"
	local_command stop
	# A mount that zkfs refuses: its own words, in one line.
	ln -s "$ZKFS" "$bin/zkfs"
	run -1 local_command start -o nonesuch=1
	has "${lines[-1]}" nonesuch
}

# In a mount namespace of its own: as_nobody COMMAND...
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
		env HOME="$open_dir" XDG_STATE_HOME="$open_dir" "$@"
}

@test "zkfs-local: no /dev/fuse, or no access to it, says what to do" {
	[ "$(id -u)" = 0 ] || skip "needs root to take the device away"
	# A place that nobody may enter; the test's own directory is not.
	open_dir=$(mktemp -d /tmp/zkfs-open.XXXXXX)
	echo "$open_dir" >open_dir
	mkdir "$open_dir/bin"
	cp "$bin/zkfs-local" "$ZKFS" "$open_dir/bin"
	chown -R 65534:65534 "$open_dir"
	export open_dir
	export -f as_nobody
	# shellcheck disable=SC2016 # for the inner shell
	run -1 unshare -m bash -c 'touch nofuse && chmod 0 nofuse &&
		mount --bind nofuse /dev/fuse && cd / &&
		as_nobody "$open_dir/bin/zkfs-local" start'
	has "${lines[-1]}" "as root: chmod 0666 /dev/fuse"
	as_nobody "$open_dir/bin/zkfs-local" stop
	# shellcheck disable=SC2016 # for the inner shell
	run -1 unshare -m bash -c 'mkdir dev && cd dev &&
		for f in null random urandom zero; do
			touch $f && mount --bind /dev/$f $f || exit; done
		mount --rbind . /dev && cd / &&
		as_nobody "$open_dir/bin/zkfs-local" start'
	has "${lines[-1]}" "modprobe fuse"
	as_nobody "$open_dir/bin/zkfs-local" stop
}

@test "quickstart: builds, starts, says what to try; again it is quick" {
	limit 200
	rsync -a --exclude '/build*' --exclude /.git "$E2E_TOP/" checkout/
	local before
	run -0 timeout 150 checkout/packaging/quickstart 3>&- 4>&-
	has "$output" "zkfs is built"
	has "$output" "conflict"
	has "$output" "$HOME/zk"
	before=$(now)
	run -0 timeout 50 checkout/packaging/quickstart 3>&- 4>&-
	[ $(($(now) - before)) -lt 10000 ]
	has "$output" "packages are installed already"
	has "$output" "zkfs is built already"
	has "$output" "runs already"
	try_lines "$output"
	run -0 checkout/packaging/zkfs-local stop
}

# pretend COMMAND SCRIPT: what PATH finds first under that name; its calls are
# written down.
pretend() {
	printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\n%s\n' "$1" "$PWD" "$2" \
		>"$bin/$1"
	chmod +x "$bin/$1"
}

@test "quickstart: what is missing is installed, with sudo if need be" {
	cp -r "$E2E_TOP/packaging" checkout
	pretend dpkg-query 'case $4 in meson) exit 1 ;; esac; echo installed'
	pretend apt-get ''
	pretend sudo '[ "$1" = -v ] || exec "$@"'
	# There is nothing to build here: that is where it shall end.
	run -1 timeout 50 checkout/quickstart
	has "$output" "packages are installed: meson"
	grep -qx 'apt-get update -q' calls
	grep -qx 'apt-get install .*--no-install-recommends .* meson' calls
	run ! grep sudo calls
	: >calls
	pretend id 'echo 1000'
	run -1 timeout 50 checkout/quickstart
	grep -qx 'sudo apt-get update -q' calls
	grep -qx 'apt-get install .* meson' calls
}

@test "quickstart: not root and no sudo: it says what root has to type" {
	cp -r "$E2E_TOP/packaging" checkout
	pretend dpkg-query 'case $4 in meson) exit 1 ;; esac; echo installed'
	pretend apt-get ''
	pretend id 'echo 1000'
	local tool
	for tool in bash dirname readlink grep tail cat timeout; do
		ln -s "$(command -v "$tool")" "$bin/"
	done
	run -1 env PATH="$bin" timeout 50 checkout/quickstart
	has "$output" \
		"run as root: apt-get install --no-install-recommends meson"
	run ! grep apt-get calls
}

@test "quickstart: a build that fails is shown, and ends it" {
	cp -r "$E2E_TOP/packaging" checkout
	pretend dpkg-query 'echo installed'
	run -1 timeout 50 checkout/quickstart
	has "$output" "failed: meson setup"
	run -3 local_command status
}

# What quickstart ($1: its output) tells to type does what it says.
try_lines() {
	local what line

	: >tried
	while read -r what line; do
		case $what in
		write) bash -c "$line" && is "$(cat "$HOME/zk/hello")" \
			"it works" ;;
		read) is "$(bash -c "$line")" "it works" ;;
		conflict) has "$(bash -c "$line" 2>&1)" "Stale file handle" ;;
		lock) is "$(timeout 20 bash -c "$line")" me ;;
		*) continue ;;
		esac
		echo "$what" >>tried
	done < <(grep "$HOME/zk/" <<<"$1")
	is "$(tr '\n' ' ' <tried)" "write read conflict lock "
}

#!/usr/bin/env bash
# lib.bash: what every file of the end-to-end suite loads.
#
# A test has its own znode tree (the chroot /FILE-NUMBER), mounts it where it
# likes (zk_mount A: the mount point is then "$A"), and looks at it from the
# other side through a client that knows nothing of zkfs (zk get /path).
# Whatever it does, teardown takes away its processes and mounts, by force in
# the end, and fails the test if force was needed, if a daemon did not end
# with 0, or if a sanitizer had something to say.
#
# A test that takes longer than its limit is ended by a watchdog, which first
# writes down where everybody stands (stacks), then aborts the FUSE
# connections: a process stuck in the kernel cannot be killed otherwise.

bats_require_minimum_version 1.5.0

ZKFS_BUILD=${ZKFS_BUILD:-build}
case $ZKFS_BUILD in
/*) ;;
*) ZKFS_BUILD=$E2E_TOP/$ZKFS_BUILD ;;
esac
ZKFS=$ZKFS_BUILD/zkfs
export PYTHONPATH=$E2E_DIR PYTHONDONTWRITEBYTECODE=1
# shellcheck source=tests/e2e/ask.bash
. "$E2E_DIR/ask.bash"

# -- what a test says --------------------------------------------------------

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# is ACTUAL EXPECTED [WORDS]
is() {
	[ "$1" = "$2" ] ||
		fail "${3:+$3: }expected $(printf %q "$2"), got $(printf %q "$1")"
}

# has TEXT PART
has() {
	[[ $1 == *"$2"* ]] ||
		fail "expected $(printf %q "$2") in $(printf %q "$1")"
}

# fails WORDS COMMAND...: it must fail and say WORDS.
fails() {
	local words=$1 output status=0

	shift
	output=$("$@" 2>&1 </dev/null) || status=$?
	[ "$status" -ne 0 ] || fail "succeeded: $*" || return 1
	has "$output" "$words"
}

# within SECONDS COMMAND...: tries until it succeeds; for what has no event
# that a shell could wait for. A look costs some processes: the longer it takes,
# the less often.
within() {
	local start=${EPOCHREALTIME/./} limit=$(($1 * 1000000)) spent pause

	shift
	until "$@"; do
		spent=$((${EPOCHREALTIME/./} - start))
		[ "$spent" -lt "$limit" ] ||
			fail "not in time: $*" || return 1
		pause=$((20000 + spent / 8))
		[ "$pause" -le 250000 ] || pause=250000
		printf -v pause 0.%06d "$pause"
		read -rt "$pause" <>"$E2E_IDLE" || :
	done
}

# Milliseconds since the epoch.
now() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# py CODE ARGUMENT...: exact system calls; see posix.py.
py() {
	local code=$1

	shift
	timeout "${PY_LIMIT:-30}" /usr/bin/python3 -c \
		"from posix_calls import *
$code" "$@"
}

# holding CODE ARGUMENT...: CODE in the background, by a process that has what
# is open for itself: no child of the shell must close a copy of it while the
# daemon is stopped. It calls ready(), which returns when the test says so.
holding() {
	local code=$1

	shift
	PY_LIMIT=100 py 'import time

def ready():
    open("ready", "x").close()
    while not os.path.exists("go"):
        time.sleep(0.01)

'"$code" "$@" &
	# shellcheck disable=SC2034 # for the tests
	HOLDER=$!
	within 30 test -e ready
}

# -- the other side ----------------------------------------------------------

# zk COMMAND...: one command of zk.py in the test's tree, by the session
# "foreign"; zk_as NAME COMMAND...: by a session of that name. What zk has
# changed the mounts have heard of when it returns (each `sync DIR` is a
# barrier): most tests are not about how soon that is.
zk() {
	zk_as foreign "$@" || return
	case $1 in
	get | ls | exists | stat | dump | id | watch | events | acl | await_*) ;;
	*) all_mounts_know ;;
	esac
}

all_mounts_know() {
	local name

	for name in "${!MOUNT_PID[@]}"; do
		is_running "${MOUNT_PID[$name]}" || continue
		timeout 1 sync "${MOUNT_DIR[$name]}" 2>/dev/null || :
	done
}

# Whether a process is there, and not stopped.
is_running() {
	local state

	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) &&
		[ -n "$state" ] && [ "$state" != T ]
}

zk_as() {
	zk_at "$SOURCE" "$@"
}

# zk_at HOSTS SESSION COMMAND...
zk_at() {
	ask_servers "$@"
}

# The ids of the sessions that live, sorted.
zk_sessions() {
	zk_word dump "$@" | grep -oE '0x[0-9a-f]+' | sort -u
}

zk_session_gone() {
	! zk_sessions "${@:2}" | grep -qxF "$1"
}

# -- mounts ------------------------------------------------------------------

# zk_mount NAME [OPTIONS [SOURCE]]: sets $NAME to the mount point,
# MOUNT_PID[NAME] to the daemon and MOUNT_SESSION[NAME] to its session.
zk_mount() {
	local name=$1 options=session_timeout=4${2:+,$2} source=${3:-$SOURCE}
	local dir=$BATS_TEST_TMPDIR/$1 port before

	port=${source#*:}
	port=${port%%[!0-9]*}
	mkdir -p "$dir"
	before=$(zk_sessions "$port")
	"$ZKFS" -f -o "$options" "$source" "$dir" 3>&- 4>&- </dev/null \
		>"$dir.log" 2>&1 &
	MOUNT_PID[$name]=$!
	MOUNT_DIR[$name]=$dir
	within 20 mount_is_up_or_dead "$name"
	is_mounted "$dir" || fail "'$name' is not mounted: $(cat "$dir.log")"
	printf -v "$name" %s "$dir"
	# shellcheck disable=SC2034 # for the tests
	MOUNT_SESSION[$name]=$(comm -13 <(echo "$before") \
		<(zk_sessions "$port") | head -n 1)
}

mount_is_up_or_dead() {
	is_mounted "${MOUNT_DIR[$1]}" || ! kill -0 "${MOUNT_PID[$1]}" 2>/dev/null
}

# Whether the kernel lists a mount there; touches nothing.
is_mounted() {
	grep -qF " $1 " /proc/self/mountinfo
}

# zk_umount NAME: as a user does; the daemon must end with 0.
zk_umount() {
	fusermount3 -u "${MOUNT_DIR[$1]}" && daemon_ends "$1"
}

# The daemon ends within 10 s, with 0; it is then forgotten.
daemon_ends() {
	local pid=${MOUNT_PID[$1]} status=0

	process_ends "$pid" || fail "zkfs of '$1' (pid $pid) does not end" ||
		return 1
	unset "MOUNT_PID[$1]"
	wait "$pid" || status=$?
	is "$status" 0 "exit status of zkfs of '$1'"
}

process_ends() {
	timeout 10 tail -s 0.02 --pid="$1" -f /dev/null
}

# Kills the daemon of a mount with SIGKILL. The dead mount is the test's.
zk_crash() {
	local pid=${MOUNT_PID[$1]}

	kill -KILL "$pid"
	wait "$pid" || :
	unset "MOUNT_PID[$1]"
}

# The FUSE connections of the mounts below a directory.
connections_below() {
	local fields

	while read -r -a fields; do
		case ${fields[4]} in
		"$1"*) echo "${fields[2]#*:} ${fields[4]}" ;;
		esac
	done </proc/self/mountinfo
}

# -- the end of a test -------------------------------------------------------

descendants() {
	local pid

	for pid in $(pgrep -P "$1"); do
		echo "$pid"
		descendants "$pid"
	done
}

# Processes that a test's processes left behind: nobody's descendants, but
# still in the test's directory. Not daemons and servers, which have an end of
# their own.
strays() {
	local dir

	while read -r dir; do
		case $(cat "$dir/comm" 2>/dev/null) in
		zkfs | zkfs-emitter | java | '') ;;
		*) echo "${dir#/proc/}" ;;
		esac
	done < <(find /proc/[0-9]*/cwd -maxdepth 0 \
		-lname "$BATS_TEST_TMPDIR*" -printf '%h\n' 2>/dev/null)
}

show_process() {
	local pid=$1

	[ -e "/proc/$pid" ] || return 0
	echo "--- $(tr '\0' ' ' <"/proc/$pid/cmdline") (pid $pid)," \
		"$(grep -s State "/proc/$pid/status")," \
		"in $(cat "/proc/$pid/wchan" 2>/dev/null)"
	cat "/proc/$pid/stack" 2>/dev/null || :
}

show_daemon() {
	show_process "$1"
	if command -v gdb >/dev/null; then
		timeout 20 gdb -p "$1" -batch -nx -ex 'thread apply all bt' \
			2>/dev/null </dev/null | grep -E '^(Thread|#)' || :
	fi
}

abort_mounts() {
	local number dir

	while read -r number dir; do
		echo 1 >"$E2E_FUSECTL/$number/abort" || :
		umount -l "$dir" || :
	done < <(connections_below "$BATS_TEST_TMPDIR/") 2>/dev/null
}

watchdog_barks() {
	local pid

	echo "the test took longer than $2 s; this is where it stood:"
	for pid in $(descendants "$1"); do
		case $(readlink "/proc/$pid/exe") in
		"$ZKFS") show_daemon "$pid" ;;
		*) show_process "$pid" ;;
		esac
	done
}

# Ends what the test shell $1 started, until teardown says it is over.
watchdog() {
	local pid

	read -rt "$2" <>"$E2E_IDLE" || :
	watchdog_barks "$1" "$2" >"$BATS_TEST_TMPDIR/overdue" 2>&1
	while :; do
		abort_mounts
		for pid in $(descendants "$1"); do
			[ "$pid" = "$BASHPID" ] || kill -KILL "$pid" || :
		done 2>/dev/null
		read -rt 1 <>"$E2E_IDLE" || :
	done
}

# limit SECONDS: how long this test may take from now.
limit() {
	local shell=$BASHPID

	stop_watchdog
	watchdog "$shell" "$1" 3>&- 4>&- </dev/null &
	WATCHDOG=$!
}

stop_watchdog() {
	if [ -n "${WATCHDOG:-}" ]; then
		kill "$WATCHDOG" 2>/dev/null || :
		wait "$WATCHDOG" 2>/dev/null || :
		WATCHDOG=
	fi
}

# Takes a mount away in the orderly way.
stop_mount() {
	local pid=${MOUNT_PID[$1]}

	# A test may have stopped it.
	kill -CONT "$pid" 2>/dev/null || :
	kill -TERM "$pid" 2>/dev/null || :
	daemon_ends "$1" && return
	[ ! -e "/proc/$pid" ] || show_daemon "$pid"
	return 1
}

# Daemons that went to the background are nobody's children.
daemons_below() {
	local pid

	for pid in $(pgrep -x zkfs); do
		if tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qF "$1"; then
			echo "$pid"
		fi
	done 2>/dev/null
}

# The watchdogs of the mounts below a directory; what has ended has no title.
watchdogs_below() {
	local pid

	for pid in $(pgrep -x zkfs-watchdog); do
		if tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qF "$1"; then
			echo "$pid"
		fi
	done 2>/dev/null
}

no_watchdogs() {
	[ -z "$(watchdogs_below "$BATS_TEST_TMPDIR")" ]
}

stop_daemons_below() {
	local pid rc=0

	for pid in $(daemons_below "$1"); do
		kill -CONT "$pid" 2>/dev/null
		kill -TERM "$pid" 2>/dev/null
		process_ends "$pid" && continue
		echo "zkfs (pid $pid) does not end"
		show_daemon "$pid"
		kill -KILL "$pid"
		rc=1
	done
	return "$rc"
}

sanitizers_are_silent() {
	if grep -lsE '(Address|Leak|Thread)Sanitizer|runtime error:' \
		"$BATS_TEST_TMPDIR"/*.log "$BATS_TEST_TMPDIR"/sanitizer.*; then
		cat "$BATS_TEST_TMPDIR"/sanitizer.* 2>/dev/null
		return 1
	fi
}

e2e_setup() {
	# shellcheck disable=SC2034 # MOUNT_SESSION is for the tests
	declare -gA MOUNT_PID=() MOUNT_DIR=() MOUNT_SESSION=()

	E2E_IDLE=$BATS_TEST_TMPDIR/idle # nothing is ever written to it
	mkfifo "$E2E_IDLE"
	# A daemon in the background has no stderr.
	local log=log_path=$BATS_TEST_TMPDIR/sanitizer
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}$log
	export UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}$log
	export TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}$log
	limit "${E2E_LIMIT:-60}"
	TREE=/$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER
	SOURCE=127.0.0.1:$E2E_PORT$TREE
	zk_at "127.0.0.1:$E2E_PORT" root create "$TREE"
	cd "$BATS_TEST_TMPDIR" || return 1
}

e2e_teardown() {
	# Not in $(...), where BASHPID is the substitution's own.
	local rc=0 name pid shell=$BASHPID

	cd / || rc=1
	stop_watchdog
	if [ -s "$BATS_TEST_TMPDIR/overdue" ]; then
		cat "$BATS_TEST_TMPDIR/overdue"
		rc=1
	fi
	# Background jobs of the test first: they may keep a mount busy.
	for pid in $(descendants "$shell") $(strays); do
		[[ " ${MOUNT_PID[*]} " == *" $pid "* ]] ||
			[[ $(cat "/proc/$pid/comm") == zkfs-@(watchdog|emitter) ]] ||
			kill -KILL "$pid" || :
	done 2>/dev/null
	for name in "${!MOUNT_PID[@]}"; do
		stop_mount "$name" || rc=1
	done
	stop_daemons_below "$BATS_TEST_TMPDIR" || rc=1
	# That of a daemon that was killed ends behind it.
	within 5 no_watchdogs || rc=1
	if [ -n "$(connections_below "$BATS_TEST_TMPDIR/")" ]; then
		echo "mounts are left: $(connections_below \
			"$BATS_TEST_TMPDIR/")"
		rc=1
		abort_mounts
	fi
	sanitizers_are_silent || rc=1
	zk_at "$SOURCE" '' close_all || rc=1
	[ -n "${BATS_TEST_COMPLETED:-}" ] && [ "$rc" = 0 ] ||
		tail -n 25 "$BATS_TEST_TMPDIR"/*.log 2>/dev/null || :
	return "$rc"
}

# Nothing may be left at the end of a file.
e2e_teardown_file() {
	local rc=0

	if [ -n "$(connections_below "$BATS_RUN_TMPDIR/")" ]; then
		fail "mounts are left: $(connections_below "$BATS_RUN_TMPDIR/")" ||
			rc=1
	fi
	if [ -n "$(daemons_below "$BATS_RUN_TMPDIR")" ]; then
		fail "daemons are left: $(daemons_below "$BATS_RUN_TMPDIR")" ||
			rc=1
	fi
	if grep -lsz "^$BATS_RUN_TMPDIR.*zoo.cfg" /proc/[0-9]*/cmdline; then
		fail "a server is left" || rc=1
	fi
	return "$rc"
}

setup() {
	e2e_setup
}

teardown() {
	e2e_teardown
}

teardown_file() {
	e2e_teardown_file
}

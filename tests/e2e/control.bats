#!/usr/bin/env bats
# /.zkfs: what a mount tells of itself. Counts are compared between two reads
# and to the last one, where a request of a user is one request and nothing
# else asks the like.

load lib
load own_server

# status KEY [MOUNT]
status() {
	timeout 5 awk -v key="$1" -F ': ' '$1 == key { print $2 }' \
		"${2:-$A}/.zkfs/status"
}

# says KEY VALUE [MOUNT]
says() {
	[ "$(status "$1" "${3:-$A}")" = "$2" ]
}

prometheus() {
	/usr/bin/python3 "$E2E_DIR/bin/prometheus.py" "$@"
}

# before, later: reads all metrics of $A, or of another mount.
before() {
	timeout 5 cat "${1:-$A}/.zkfs/metrics" >metrics.before
}

later() {
	timeout 5 cat "${1:-$A}/.zkfs/metrics" >metrics.later
	prometheus later metrics.before metrics.later
}

# 0 for a series that is not there (errors that never happened).
value() {
	prometheus get "$@" 2>/dev/null || echo 0
}

# grew SERIES BY: from before to later.
grew() {
	is "$(($(value metrics.later "$1") - $(value metrics.before "$1")))" \
		"$2" "$1"
}

# ops OP BY, errors OP ERRNO BY, asked REQUEST BY
ops() {
	grew "zkfs_request_duration_seconds_count{op=\"$1\"}" "$2"
}

errors() {
	grew "zkfs_request_errors_total{op=\"$1\",errno=\"$2\"}" "$3"
}

asked() {
	grew "zkfs_server_request_duration_seconds_count{request=\"$1\"}" "$2"
}

# has_asked REQUEST BY: by now.
has_asked() {
	later
	asked "$@"
}

# waits FILE: a process that opens it for writing.
waits() {
	bash -c 'exec 9>"$1"; read -r <>"$2"' bash "$1" "$E2E_IDLE" \
		3>&- 4>&- 8>&- </dev/null 2>/dev/null &
}

@test "control: it is found, not listed, and lists its files" {
	zk create /f x
	zk_mount A
	is "$(ls -A "$A")" f
	is "$(find "$A" -mindepth 1)" "$A/f"
	is "$(ls -A "$A/.zkfs")" "metrics
status"
	is "$(find "$A/.zkfs" -type d)" "$A/.zkfs"
	is "$(find "$A/.zkfs" -type f | sort)" "$A/.zkfs/metrics
$A/.zkfs/status"
	is "$(cd "$A/.zkfs" && stat -c '%a %s %h' . status metrics)" "555 0 1
444 0 1
444 0 1"
	[ ! -e "$A/.zkfs/none" ]
	[ ! -e "$A/f/.zkfs" ]
	zk create /d
	zk create /d/.zkfs value
	is "$(cat "$A/d/.zkfs")" value
}

@test "control: nothing in it can be changed, by root either" {
	local target

	zk_mount A
	for target in "$A/.zkfs/status" "$A/.zkfs/metrics"; do
		py 'expect("EACCES", os.open, A[0], O_WRONLY)' "$target"
		py 'expect("EACCES", os.open, A[0], O_RDWR)' "$target"
		py 'expect("EACCES", os.open, A[0], O_RDONLY | O_TRUNC)' \
			"$target"
		py 'expect("EPERM", os.unlink, A[0])' "$target"
		py 'expect("EPERM", os.rename, A[0], A[1])' "$target" "$A/x"
		py 'expect("EPERM", os.rename, A[0], A[1])' "$target" \
			"$A/.zkfs/x"
		py 'expect("EPERM", os.chmod, A[0], 0o666)' "$target"
		py 'expect("EPERM", os.truncate, A[0], 0)' "$target"
		py 'expect("EPERM", os.utime, A[0])' "$target"
		py 'expect("EPERM", os.link, A[0], A[1])' "$target" "$A/x"
		py 'expect("ENODATA", os.getxattr, A[0], "user.zk.version")' \
			"$target"
		py 'expect("ENOTSUP", os.setxattr, A[0], "user.a", b"")' \
			"$target"
		py 'same(os.listxattr(A[0]), [])' "$target"
	done
	py 'expect("EPERM", os.mkdir, A[0])' "$A/.zkfs/d"
	py 'expect("EPERM", os.open, A[0], O_WRONLY | O_CREAT)' "$A/.zkfs/f"
	py 'expect("EPERM", os.symlink, "a", A[0])' "$A/.zkfs/l"
	py 'expect("EPERM", os.rmdir, A[0])' "$A/.zkfs"
	py 'expect("EPERM", os.rename, A[0], A[1])' "$A/.zkfs" "$A/x"
	py 'expect("EEXIST", os.mkdir, A[0])' "$A/.zkfs"
	py 'expect("EISDIR", spew, A[0], b"")' "$A/.zkfs"
	zk create /f x
	py 'expect("EPERM", os.rename, A[0], A[1])' "$A/f" "$A/.zkfs/f"
	is "$(zk ls /)" f
}

# The lock of a path is one for all mounts; these files are each mount's own.
@test "control: its files are not for locking" {
	zk create /locks
	zk_mount A
	py 'expect("ENOLCK", fcntl.flock, open(A[0]), fcntl.LOCK_EX)' \
		"$A/.zkfs/status"
	py 'expect("ENOLCK", fcntl.lockf, open(A[0]), fcntl.LOCK_SH)' \
		"$A/.zkfs/status"
	is "$(zk ls /locks)" ""
}

@test "control: ctlname= gives it another name, or none" {
	zk create /.zkfs mine
	zk_mount A
	zk_mount B ctlname=@control
	zk_mount C ctlname=
	# The znode of that name is hidden.
	is "$(ls -A "$A")" ""
	is "$(cat "$B/.zkfs" "$C/.zkfs")" minemine
	is "$(ls -A "$B")" .zkfs
	is "$(ls -A "$C")" .zkfs
	is "$(ls "$B/@control")" "$(ls "$A/.zkfs")"
	[ ! -e "$C/@control" ]
}

@test "control: what the status says is so" {
	zk_mount A timeo=7
	is "$(status version)" "$("$ZKFS" --version | cut -d ' ' -f 2)"
	is "$(status source)" "$SOURCE"
	is "$(status mountpoint)" "$A"
	is "$(status state)" connected
	is "$(status server)" "127.0.0.1:$E2E_PORT"
	is "$(status session)" "${MOUNT_SESSION[A]}"
	is "$(status session_timeout_seconds)" 4.000
	is "$(status request_timeout_seconds)" 7.000
	is "$(status reconnects)" 0
	within 10 says lease alive
	zk create /f x
	exec 8<"$A/f" 7<"$A/.zkfs/status"
	is "$(status open_files)" 1
	# This one, and the one that is being read is not yet.
	is "$(status open_texts)" 1
	exec 8<&- 7<&-
	within 10 says open_files 0
	# Each line is a key and a value; keys do not come twice, but for limits
	# and locks.
	is "$(grep -vE '^limit: [a-z_]+( (used|max|refused)=[0-9]+){3}$' \
		"$A/.zkfs/status" | grep -vcE '^[a-z_]+: [^ ]+$')" 0
	is "$(cut -d : -f 1 "$A/.zkfs/status" | sort | uniq -d)" limit
}

@test "control: an open file keeps what it had" {
	zk_mount A
	py '
with open(A[0]) as first:
    head = first.read(10)
    with open(A[0]) as second:
        later = second.read()
    rest = first.read()
opens = lambda text: int(text.split("_count{op=\"OPEN\"} ")[1].split()[0])
same(opens(later), opens(head + rest) + 1)
' "$A/.zkfs/metrics"
}

@test "control: locks are shown with their holder, and who waits is counted" {
	local token

	zk create /locks
	zk create /locks/x
	zk_mount A
	zk_mount B
	exec 8>"$A/locks/x/holder"
	token=$(cut -d ' ' -f 1 <"$A/locks/x/holder")
	is "$(status locks_held)" 1
	has "$(status lock)" "mode=exclusive $token pid=$$ held_seconds="
	has "$(status lock)" " path=/locks/x entry=holder"
	waits "$B/locks/x/waiter"
	within 20 says locks_waiting 1 "$B"
	is "$(status locks_held "$B")" 0
	is "$(status lock "$B")" ""
	is "$(status requests_pending "$B")" 1
	before "$B"
	is "$(value metrics.before 'zkfs_locks{state="waiting"}')" 1
	is "$(value metrics.before zkfs_requests_pending)" 1
	exec 8>&-
	within 20 says locks_held 1 "$B"
	within 20 says locks_held 0
	later "$B"
	grew zkfs_lock_wait_seconds_count 1
	grew 'zkfs_locks{state="waiting"}' -1
	grew 'zkfs_locks{state="held"}' 1
	# As long as the request that waited.
	py 'same(A[0] == A[1] or float(A[0]) <= float(A[1]), True)' \
		"$(value metrics.later zkfs_lock_wait_seconds_sum)" \
		"$(value metrics.later \
			'zkfs_request_duration_seconds_sum{op="OPEN"}')"
}

@test "control: tries that fail, and locks that are lost, are counted" {
	zk create /locks
	zk create /locks/x
	zk_mount A
	zk_mount B
	exec 8>"$A/locks/x/holder"
	before "$B"
	py 'expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)' \
		"$B/locks/x/late"
	py 'expect("EEXIST", os.mkdir, A[0])' "$B/locks/x/late"
	later "$B"
	grew zkfs_locks_busy_total 2
	errors OPEN EAGAIN 1
	grew zkfs_lock_wait_seconds_count 0
	before
	rm "$B/locks/x/holder"
	within 20 says locks_held 0
	later
	grew zkfs_locks_lost_total 1
	exec 8>&-
}

@test "control: thousands may wait while it is read" {
	local waiter

	zk create /locks
	zk create /locks/x
	zk_mount A
	exec 8>"$A/locks/x/holder"
	py '
def wait(i):
    err(os.open, "%s/w%d" % (A[0], i), O_WRONLY | O_CREAT)
threading.stack_size(1 << 18)
for i in range(1000):
    threading.Thread(target=wait, args=(i,), daemon=True).start()
signal.pause()
' "$A/locks/x" 8>&- &
	waiter=$!
	within 30 says locks_waiting 1000
	is "$(status requests_pending)" 1000
	before
	prometheus check metrics.before
	kill "$waiter"
	wait "$waiter" || :
	within 30 says requests_pending 0
	within 30 says locks_waiting 0
	exec 8>&-
}

@test "control: the requests of a user are counted, each once" {
	zk create /d
	zk create /d/a x
	zk_mount A
	before
	py 'os.mkdir(A[0] + "/1"); os.mkdir(A[0] + "/2"); os.mkdir(A[0] + "/3")
os.rmdir(A[0] + "/1"); os.rmdir(A[0] + "/2")
expect("ENOTEMPTY", os.rmdir, A[0])
os.unlink(A[0] + "/a")
os.statvfs(A[0]); os.statvfs(A[0])
expect("EPERM", os.symlink, "a", A[0] + "/l")
fd = os.open(A[0] + "/f", O_WRONLY | O_CREAT)
os.write(fd, b"abc"); os.write(fd, b"de")
os.fsync(fd)
os.rename(A[0] + "/f", A[0] + "/g")
os.close(fd)' "$A/d"
	later
	ops MKDIR 3
	ops RMDIR 3
	errors RMDIR ENOTEMPTY 1
	ops UNLINK 1
	ops STATFS 2
	ops SYMLINK 1
	errors SYMLINK EPERM 1
	ops MKNOD 1
	ops WRITE 2
	ops FSYNC 1
	ops RENAME 1
	grew zkfs_written_bytes_total 5
	# Each directory and the file made, and the rename.
	asked multi 5
	asked delete 4
	asked set 1
	grew 'zkfs_server_request_errors_total{request="delete",error="NOTEMPTY"}' 1
	grew zkfs_conflicts_total 0
	grew zkfs_connections_total 0
}

@test "control: what is read is counted" {
	zk create /f 0123456789
	zk_mount A
	before
	cat "$A/f" >/dev/null
	later
	# The metrics themselves were read too.
	grew zkfs_read_bytes_total $((10 + $(stat -c %s metrics.before)))
}

@test "control: what the cache saves is counted" {
	zk create /f 0123456789
	zk_mount A
	# From the second time on a name that is not there is watched.
	cat "$A/f" >/dev/null
	[ ! -e "$A/none" ] && [ ! -e "$A/none" ] && [ ! -e "$A/none" ]
	is "$(status cached_bytes)" 10
	is "$(status cached_absent_names)" 1
	[ "$(status cached_nodes)" -gt 0 ]
	before
	cat "$A/f" >/dev/null
	later
	grew 'zkfs_cache_requests_total{cache="data",result="hit"}' 1
	grew 'zkfs_cache_requests_total{cache="data",result="miss"}' 0
	asked get 0
	asked exists 0
	zk set /f x
	within 20 says cached_bytes 0
	later
	[ "$(value metrics.later zkfs_watch_events_total)" -gt \
		"$(value metrics.before zkfs_watch_events_total)" ]
}

@test "control: conflicts are counted" {
	zk create /f x
	zk_mount A
	before
	py '
fd = os.open(A[0], O_WRONLY)
subprocess = __import__("subprocess")
subprocess.check_call(["bash", "-c", A[1]])
expect("ESTALE", lambda: (os.write(fd, b"mine"), os.fsync(fd)))
os.fsync(os.open(os.path.dirname(A[0]), O_RDONLY))
expect("ESTALE", os.write, fd, b"mine")
expect("ESTALE", os.close, fd)
' "$A/f" "$(declare -f zk_as zk_at ask_servers)
SOURCE='$SOURCE'; zk_as foreign set /f theirs"
	later
	grew zkfs_conflicts_total 1
	is "$(zk get /f)" theirs
	# One that nobody wrote to is none.
	before
	exec 8>>"$A/f" 7<>"$A/f"
	zk set /f newer
	exec 8>&- 7>&-
	later
	grew zkfs_conflicts_total 0
}

@test "control: metrics are as Prometheus takes them" {
	zk create /locks
	zk create /locks/x
	zk_mount A
	# Each type of sample, with values in them.
	exec 8>"$A/locks/x/me"
	before
	prometheus check metrics.before
	fails "" cat "$A/none"
	later
	exec 8>&-
	prometheus check metrics.later
	errors LOOKUP ENOENT 1
	has "$(<metrics.later)" "zkfs_info{version="
}

@test "control: odd characters of the mount's name are quoted" {
	local odd="a\"b\\c d"

	mkdir "$odd"
	"$ZKFS" -o session_timeout=4 "$SOURCE" "$PWD/$odd"
	cat "$odd/.zkfs/metrics" >metrics.before
	prometheus check metrics.before
	has "$(<metrics.before)" 'a\"b\\c d"} 1'
	has "$(cat "$odd/.zkfs/status")" 'a"b\134c\040d'
	fusermount3 -u "$odd"
}

@test "control: pages that are wrong are found to be so" {
	local page

	while IFS= read -r page; do
		# shellcheck disable=SC2059 # a page is a format
		printf "$page" >page
		! prometheus check page 2>/dev/null ||
			fail "taken: $page" || return 1
	done <<'PAGES'
# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a 1
# TYPE zkfs_a gauge\nzkfs_a 1\n
zkfs_a 1\n
# HELP zkfs_a A.\n# TYPE zkfs_a counter\nzkfs_a 1\n
# HELP zkfs_a_total A.\n# TYPE zkfs_a_total gauge\nzkfs_a_total 1\n
# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a 1\nzkfs_a 1\n
# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a 1\n\n
# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a{b="1} 1\n
# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a{b="1",b="2"} 1\n
# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a -1\n
# HELP zkfs_a_ms A.\n# TYPE zkfs_a_ms gauge\nzkfs_a_ms 1\n
# HELP zkfs_s_seconds A.\n# TYPE zkfs_s_seconds histogram\nzkfs_s_seconds 1\n
# HELP zkfs_s_seconds A.\n# TYPE zkfs_s_seconds histogram\nzkfs_s_seconds_bucket{le="1"} 1\nzkfs_s_seconds_sum 1\nzkfs_s_seconds_count 1\n
# HELP zkfs_s_seconds A.\n# TYPE zkfs_s_seconds histogram\nzkfs_s_seconds_bucket{le="1"} 2\nzkfs_s_seconds_bucket{le="+Inf"} 1\nzkfs_s_seconds_sum 1\nzkfs_s_seconds_count 1\n
# HELP zkfs_s_seconds A.\n# TYPE zkfs_s_seconds histogram\nzkfs_s_seconds_bucket{le="+Inf"} 1\nzkfs_s_seconds_sum 1\nzkfs_s_seconds_count 2\n
PAGES
	printf '# HELP zkfs_a A.\n# TYPE zkfs_a gauge\nzkfs_a{b="\\"\\\\"} 1\n' \
		>page
	prometheus check page
}

@test "control: it answers at once with every server dead" {
	own_server
	zk create /f x
	zk_mount A
	is "$(cat "$A/f")" x
	own_server_kill
	within 20 says state reconnecting
	at_once cat "$A/.zkfs/status" "$A/.zkfs/metrics"
	at_once ls -la "$A/.zkfs"
	is "$(status server)" none
	before
	prometheus check metrics.before
	is "$(value metrics.before zkfs_connected)" 0
	within 20 says lease lost
}

@test "control: it answers at once with a server that hangs" {
	local asker

	own_server
	zk create /f x
	zk_mount A
	at_once cat "$A/.zkfs/status"
	own_server_stop
	# A look-up holds the root's lock meanwhile.
	timeout 20 cat "$A/none" 2>/dev/null &
	asker=$!
	within 20 says requests_pending 1
	at_once cat "$A/.zkfs/status" "$A/.zkfs/metrics"
	[ "$(status server_requests_sent)" -gt 0 ]
	kill -CONT "$OWN_PID"
	wait "$asker" || :
	within 20 says requests_pending 0
}

# How many of an operation took no longer than SECONDS.
no_longer_than() {
	value metrics.later \
		"zkfs_request_duration_seconds_bucket{op=\"$1\",le=\"$2\"}"
}

@test "control: the root's attributes wait for no server that hangs" {
	local known
	own_server
	zk create /f x
	# The kernel asks for them before it lets anybody in.
	zk_mount A default_permissions,cache_nodes=0
	at_once cat "$A/.zkfs/status"
	own_server_stop
	before
	later
	known=$(no_longer_than GETATTR 0.001)
	py 'for i in range(10):
    time.sleep(0.11) # what the kernel keeps of them is over
    os.stat(A[0] + "/.zkfs/status")
' "$A"
	later
	[ "$(no_longer_than GETATTR 0.001)" -ge $((known + 5)) ]
	kill -CONT "$OWN_PID"
	# And they are not for ever what they were.
	known=$(stat -c %Y%z "$A")
	zk_as new set / now
	within 20 differs "$known" stat -c %Y%z "$A"
}

differs() {
	local before=$1

	shift
	[ "$("$@")" != "$before" ]
}

@test "control: reconnects and expiries are counted" {
	own_server
	zk_mount A
	before
	own_server_kill
	within 20 says state reconnecting
	own_server_start
	within 20 says state connected
	later
	grew zkfs_connections_total 1
	grew zkfs_sessions_expired_total 0
	is "$(status reconnects)" 1
	is "$(status session)" "${MOUNT_SESSION[A]}"
	# The daemon sleeps for longer than its session lasts.
	kill -STOP "${MOUNT_PID[A]}"
	within 30 zk_session_gone "${MOUNT_SESSION[A]}" "$OWN_PORT"
	kill -CONT "${MOUNT_PID[A]}"
	within 20 says sessions_expired 1
	within 20 says state connected
	later
	grew zkfs_sessions_expired_total 1
	[ "$(status session)" != "${MOUNT_SESSION[A]}" ]
}

@test "control: a queue of one mount costs no list of it" {
	local waiters=()

	zk create /locks/x
	zk_mount A
	exec 8<"$A/locks/x/.lock"
	timeout 10 flock 8
	before
	for _ in {1..6}; do
		timeout 30 flock "$A/locks/x/.lock" true 3>&- 4>&- 8>&- &
		waiters+=($!)
	done
	zk await_children /locks/x 21 10 >/dev/null
	# A contender watches itself, by its own list, and the one before it.
	within 10 has_asked get 6
	asked multi 6
	asked children 6
	before
	exec 8<&-
	wait "${waiters[@]}"
	zk await_children /locks/x 0 10 >/dev/null
	later
	asked multi 7
	asked children 0
	asked get 0
}

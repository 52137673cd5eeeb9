#!/usr/bin/env bats
# inotify: what others change is told to who watches, once, and as if it had
# been done here; what is done here is told as on any other filesystem.

load lib
load proxy

ZKFS_REMAKE_ROUNDS=${ZKFS_REMAKE_ROUNDS:-4}

setup() {
	e2e_setup
}

# The emitter's process of a daemon.
emitter_of() {
	pgrep -P "$1" -x zkfs-emitter
}

# listen DIR EVENTS [OPTION...]: inotifywait, which writes lines of
# NAME EVENT,... to ./events; returns when it listens.
listen() {
	local dir=$1 events=$2

	shift 2
	: >events
	inotifywait -m -q -e "$events" --format '%w%f %e' "$@" "$dir" \
		>>events 2>listen.log 3>&- 4>&- &
	LISTENER=$!
	within 20 listens "$LISTENER" "$dir"
}

# Whether a process has a watch on a directory: its inode number is in the
# descriptor's fdinfo, in hexadecimal. And the mount has looked around.
listens() {
	local ino

	printf -v ino %x "$(stat -c %i "$2")"
	grep -qsE "^inotify .*ino:$ino " "/proc/$1/fdinfo"/* && noticed "$1" &&
		settled
}

# Whether the mount has seen all that a process watches; with -o inotify it does
# not look.
noticed() {
	local n

	n=$(cat "/proc/$1/fdinfo"/* 2>/dev/null | grep -c "^inotify ")
	[ -n "${WHETHER_OR_NOT-}" ] ||
		grep -qx "zkfs_watched_nodes $n" "$A/.zkfs/metrics"
}

# Of all that the kernel knows, whether somebody watches or not.
mount_all() {
	WHETHER_OR_NOT=1
	zk_mount A inotify
}

# The mount has looked at all that it observes.
settled() {
	grep -qx 'zkfs_observed_names_due 0' "$A/.zkfs/metrics"
}

# heard LINE: with what stands before the name in the mount left out.
heard() {
	events | grep -qxF "$1"
}

events() {
	sed "s|^$A/||" events
}

told() {
	within 20 heard "$1" || fail "not told of '$1', but: $(events)"
}

tells() {
	local n

	n=$(events | grep -cxF "$1") || :
	is "$n" "$2" "how often '$1' was told, of $(events)"
}

follows_changes() {
	zk create /d/f one
	zk create /d/g
	"$1" A
	listen "$A/d" modify,close_write,create,delete,attrib,move
	zk set /d/f two
	told "d/f MODIFY"
	told "d/f CLOSE_WRITE,CLOSE"
	is "$(cat "$A/d/f")" two
	zk create /d/n new
	told "d/n CREATE"
	told "d/n CLOSE_WRITE,CLOSE"
	is "$(cat "$A/d/n")" new
	zk create /d/s
	told "d/s CREATE,ISDIR"
	zk delete /d/f
	told "d/f DELETE"
	[ ! -e "$A/d/f" ]
	zk delete /d/s
	told "d/s DELETE,ISDIR"
	is "$(ls "$A/d" | tr '\n' ' ')" "g n "
}

@test "inotify: data, names and directories that others change" {
	follows_changes zk_mount
}

@test "inotify: data, names and directories that others change, with -o inotify" {
	follows_changes mount_all
}

follows_directories() {
	zk create /d/sub/f one
	"$1" A
	listen "$A/d" modify,create,delete -r
	zk set /d/sub/f two
	told "d/sub/f MODIFY"
	zk create /d/new
	told "d/new CREATE,ISDIR"
	within 20 listens "$LISTENER" "$A/d/new"
	zk create /d/new/x
	told "d/new/x CREATE,ISDIR"
	zk delete /d/new/x
	told "d/new/x DELETE,ISDIR"
	zk delete /d/new
	told "d/new DELETE,ISDIR"
	tells "d/new CREATE,ISDIR" 1
	tells "d/sub/f MODIFY" 1
}

@test "inotify: -r follows directories that others make" {
	follows_directories zk_mount
}

@test "inotify: -r follows directories that others make, with -o inotify" {
	follows_directories mount_all
}

@test "inotify: a file that is watched itself, to its end" {
	zk create /f one
	zk_mount A
	listen "$A/f" modify,close_write,delete_self
	zk set /f two
	told "f MODIFY"
	told "f CLOSE_WRITE,CLOSE"
	zk delete /f
	told "f DELETE_SELF"
}

# What a user does in the directory $1; the events in the order of the calls.
act() {
	echo one >"$1/new"
	echo two >>"$1/new"
	mkdir "$1/sub"
	mv "$1/new" "$1/moved"
	mv "$1/moved" "$1/sub/there"
	rm "$1/sub/there"
	rmdir "$1/sub"
	: >>"$1/last"
	rm "$1/last"
}

tells_own_once() {
	local expected
	mountpoint -q /dev/shm
	A=$(mktemp -d /dev/shm/zkfs-inotify.XXXXXX)
	: >events
	inotifywait -m -q --format '%f %e' "$A" >events 2>/dev/null 3>&- 4>&- &
	LISTENER=$!
	within 20 listens_plainly
	act "$A"
	within 5 grep -qxF "last DELETE" events
	expected=$(<events)
	kill "$LISTENER"
	rmdir "$A"
	zk create /d
	"$1" A
	listen "$A/d" all_events
	act "$A/d"
	told "d/last DELETE"
	within 5 settled
	# What is told later than it is settled comes before this.
	zk create /d/end
	told "d/end CREATE,ISDIR"
	is "$(events | sed 's|^d/||' | grep -v ISDIR | grep -v ^end)" \
		"$(grep -v ISDIR <<<"$expected")"
	tells "d/sub CREATE,ISDIR" 1
	tells "d/sub DELETE,ISDIR" 1
}

@test "inotify: what is done here is told as on tmpfs, and once" {
	tells_own_once zk_mount
}

@test "inotify: what is done here is told as on tmpfs, and once, with -o inotify" {
	tells_own_once mount_all
}

listens_plainly() {
	grep -qs '^inotify ' "/proc/$LISTENER/fdinfo"/*
}

@test "inotify: an ACL that others change is told with the next change of the file" {
	zk create /d/f one
	zk create /d/g one
	zk_mount A
	listen "$A/d" attrib,modify,create
	zk protect /d/f world anyone read write admin
	zk set /d/f two
	told "d/f MODIFY"
	told "d/f ATTRIB"
	# What is set here is told by the kernel, and once.
	setfattr -n user.zk.acl -v 'world:anyone:rwa' "$A/d/g"
	told "d/g ATTRIB"
	zk set /d/g two
	told "d/g MODIFY"
	zk create /d/last x
	told "d/last CREATE"
	tells "d/f ATTRIB" 1
	tells "d/g ATTRIB" 1
	is "$(stat -c %a "$A/d/f")" 644
}

@test "inotify: of two mounts each tells what the other does" {
	zk create /d
	zk_mount A
	zk_mount B
	listen "$A/d" create,delete,close_write,modify,move
	echo one >"$B/d/f"
	told "d/f CREATE"
	told "d/f CLOSE_WRITE,CLOSE"
	is "$(cat "$A/d/f")" one
	mv "$B/d/f" "$B/d/g"
	told "d/f DELETE"
	told "d/g CREATE"
	rm "$B/d/g"
	told "d/g DELETE"
	tells "d/f CREATE" 1
	tells "d/f DELETE" 1
	tells "d/g CREATE" 1
}

@test "inotify: a directory's data, and a file that becomes a directory" {
	zk create /d/sub/x
	zk create /d/f data
	zk_mount A
	listen "$A/d" modify,create,delete -r
	zk set /d/sub text
	told "d/sub/.data MODIFY"
	# Who looks at it more than once has its children watched.
	for _ in 1 2 3 4; do
		py 'print(os.stat(sys.argv[1]).st_size)' "$A/d/f"
		ls -l "$A/d"
	done
	zk create /d/f/child
	told "d/f DELETE"
	told "d/f CREATE,ISDIR"
	[ -d "$A/d/f" ]
}

@test "inotify: a storm is told as one or a few, and not answered by another" {
	local n version
	zk create /d/f 0
	zk_mount A
	listen "$A/d" close_write
	for n in {1..200}; do
		zk_as foreign set /d/f "$n"
	done
	within 5 last_is 200
	within 5 settled
	zk create /d/end 1
	told "d/end CLOSE_WRITE,CLOSE"
	n=$(events | grep -cxF "d/f CLOSE_WRITE,CLOSE")
	[ "$n" -ge 1 ] && [ "$n" -le 200 ]
	# Not a word of it has reached the server.
	version=$(zk stat /d/f version)
	is "$version" 200
}

last_is() {
	[ "$(cat "$A/d/f")" = "$1" ]
}

@test "inotify: changes made while the emitter is stopped are told later" {
	local pid
	zk create /d/f one
	zk_mount A
	pid=$(emitter_of "${MOUNT_PID[A]}")
	listen "$A/d" modify,create
	kill -STOP "$pid"
	zk set /d/f two
	zk create /d/g new
	is "$(cat "$A/d/f")" two
	is "$(cat "$A/d/g")" new
	echo three >"$A/d/h"
	rm "$A/d/h"
	within 5 settled
	zk set /d/f three
	within 5 settled
	tells "d/f MODIFY" 0
	kill -CONT "$pid"
	told "d/g CREATE"
	told "d/f MODIFY"
}

@test "inotify: changes made while there is no connection are told after it" {
	zk create /d/f one
	zk create /d/gone
	mount_by_proxy
	listen "$A/d" modify,create,delete
	kill -STOP "$PROXY"
	zk_as foreign set /d/f two
	zk_as foreign create /d/new
	zk_as foreign delete /d/gone
	within 10 grep -q "lost the connection" "$A.log"
	kill -CONT "$PROXY"
	within 10 heard "d/f MODIFY"
	told "d/new CREATE,ISDIR"
	told "d/gone DELETE,ISDIR"
	within 10 settled
	tells "d/f MODIFY" 1
	tells "d/new CREATE,ISDIR" 1
}

@test "inotify: the emitter killed, the daemon goes on and says so once" {
	local pid
	zk create /d/f one
	zk_mount A
	pid=$(emitter_of "${MOUNT_PID[A]}")
	is "$(ps -o args= -p "$pid")" "zkfs-emitter $A"
	kill -KILL "$pid"
	within 5 grep -q "the emitter (pid $pid) has ended" "$A.log"
	[ ! -e "/proc/$pid" ]
	zk set /d/f two
	is "$(cat "$A/d/f")" two
	echo three >"$A/d/f"
	zk delete /d/f
	[ ! -e "$A/d/f" ]
	is "$(grep -c "the emitter" "$A.log")" 1
}

@test "inotify: the emitter ends with a daemon that is killed" {
	local pid
	zk_mount A
	pid=$(emitter_of "${MOUNT_PID[A]}")
	kill -STOP "$pid"
	zk_crash A
	process_ends "$pid"
	umount "$A"
}

@test "inotify: with -o noinotify, and with -o ro, there is no emitter" {
	zk create /d/f one
	WHETHER_OR_NOT=1
	zk_mount A noinotify
	zk_mount B inotify,ro
	[ -z "$(emitter_of "${MOUNT_PID[A]}")" ]
	[ -z "$(emitter_of "${MOUNT_PID[B]}")" ]
	listen "$A/d" modify,create
	zk set /d/f two
	zk create /d/g
	is "$(cat "$A/d/f")" two
	echo three >>"$A/d/f"
	told "d/f MODIFY"
	tells "d/f MODIFY" 1
	tells "d/g CREATE,ISDIR" 0
}

@test "inotify: what is mounted over the mount point is left alone" {
	zk create /d/f one
	zk_mount A
	ls -l "$A/d"
	within 5 settled
	mkdir over
	mkdir over/d
	echo mine >over/d/f
	mount --bind over "$A"
	zk create /d/g new
	zk delete /d/f
	zk create /marker
	exec 8<over/d
	is "$(ls over/d)" f
	umount "$A"
	exec 8<&-
	within 5 settled
	is "$(ls "$A/d")" g
	is "$(ls over over/d | tr '\n' ' ')" "over: d  over/d: f "
}

@test "inotify: a mount that is watched can be unmounted" {
	zk create /d/f one
	zk_mount A
	listen "$A/d" modify,unmount
	zk set /d/f two
	told "d/f MODIFY"
	within 5 zk_umount A
	within 5 grep -q UNMOUNT events
}

@test "inotify: tail -F goes on with a file that others replace" {
	zk create /f "one
"
	zk_mount A
	timeout 40 tail -n +1 -F "$A/f" >tailed 2>/dev/null 3>&- 4>&- &
	within 10 grep -qx one tailed
	zk delete /f
	zk create /f "two
"
	within 20 grep -qx two tailed
}

# remade OPTIONS DIR [--locks]: what bin/remake.py does, with somebody who
# watches.
remade() {
	local told

	limit $((ZKFS_REMAKE_ROUNDS + 160))
	zk create /r/keep/x
	zk create /locks/keep/x
	zk_mount A inotify${1:+,$1}
	inotifywait -m -q -r "$A" >>watched 2>/dev/null 3>&- 4>&- &
	timeout $((ZKFS_REMAKE_ROUNDS + 120)) "$E2E_DIR/bin/remake.py" \
		"$SOURCE" "$A" "${@:2}" --rounds "$ZKFS_REMAKE_ROUNDS" \
		--seed "${ZKFS_REMAKE_SEED:-$RANDOM}" 3>&- 4>&-
	told=$(sed -n 's/^zkfs_events_total{outcome="emitted"} //p' \
		"$A/.zkfs/metrics")
	[ "$told" -gt "$ZKFS_REMAKE_ROUNDS" ] || fail "only $told were told"
}

@test "inotify: no directory is dead that was made anew" {
	remade "" r
}

@test "inotify: no directory is dead that was made anew, and nothing cached" {
	remade cache_nodes=0 r
}

@test "inotify: no lock's directory is dead that was made anew" {
	remade "" locks --locks
}

@test "inotify: a lock that is made anew is the one that a shell stands in" {
	zk create /locks/l
	zk_mount A
	listen "$A/locks" create,delete
	cd "$A/locks/l"
	zk delete /locks/l
	within 20 settled
	zk create /locks/l
	within 20 settled
	exec 9>me
	exec 9>&-
	cd "$BATS_TEST_TMPDIR"
	tells "locks/l DELETE,ISDIR" 0
}

observes() {
	grep -qx "zkfs_observed_names $1" "$A/.zkfs/metrics"
}

@test "inotify: what nobody watches costs the server nothing" {
	local n
	for n in {1..20}; do
		zk_as foreign create "/d/f$n" "$n"
		zk_as foreign create "/e/f$n" "$n"
	done
	zk_mount A
	ls -lR "$A" >/dev/null
	listen "$A/d" modify
	# The directory, and what is in it.
	observes 21
	zk set /d/f7 new
	told "d/f7 MODIFY"
	kill "$LISTENER"
	within 20 observes 0
}

# Whether the process has a watch: what descriptors it has is found anew.
watches() {
	grep -qs "^inotify " "/proc/$1/fdinfo/"*
}

@test "inotify: who has a watch since a moment hears of what was changed since" {
	zk create /d/f one
	zk create /d/g one
	zk_mount A
	ls -l "$A/d"
	is "$(cat "$A/d/f")" one
	: >events
	kill -STOP "$(emitter_of "${MOUNT_PID[A]}")"
	inotifywait -m -q -e modify,create --format '%w%f %e' "$A/d" \
		>>events 2>listen.log 3>&- 4>&- &
	LISTENER=$!
	within 20 watches "$LISTENER"
	zk_as foreign set /d/f two
	zk_as foreign create /d/n
	kill -CONT "$(emitter_of "${MOUNT_PID[A]}")"
	told "d/f MODIFY"
	told "d/n CREATE,ISDIR"
	tells "d/g MODIFY" 0
	tells "d/f MODIFY" 1
}

#!/usr/bin/env bats
# What is cached under watches: what another client changes is seen, by whatever
# call, and what is unchanged costs nothing.
#
# Each kind of change is made by a client that is no mount, after the mount has
# looked so often that it and the kernel keep all they can (warm), and is
# looked for with every call that tells it. The same tests run on a mount that
# caches nothing: then it is the test that is wrong.

load lib
load proxy

setup() {
	e2e_setup
}

# Without the barrier that the other tests have.
zk() {
	zk_as foreign "$@"
}

# warm PATH...: looked at until it is kept; names that do not exist, too.
warm() {
	local path i

	for i in 1 2 3 4; do
		for path; do
			stat "$path" >/dev/null 2>&1 || :
			{ ls -l "$path" && cat "$path"; } >/dev/null 2>&1 || :
		done
	done
}

# seen COMMAND...: it comes true, and soon.
seen() {
	within 5 "$@"
}

content_is() {
	[ "$(cat "$1")" = "$2" ]
}

listing_is() {
	[ "$(ls -A "$1" | tr '\n' ' ')" = "$2" ]
}

size_is() {
	[ "$(stat -c %s "$1")" = "$2" ]
}

is_absent() {
	! stat "$1" >/dev/null 2>&1
}

gone() {
	[ ! -e "$1" ] || fail "$1 is there"
}

# The changes, on the mount point A.

see_data() {
	zk create /f one
	warm "$A/f"
	zk set /f three
	seen content_is "$A/f" three
	seen size_is "$A/f" 5
	zk set /f ""
	seen size_is "$A/f" 0
	seen content_is "$A/f" ""
}

see_names() {
	zk create /d/x 1
	warm "$A/d" "$A/d/x" "$A/d/y"
	zk create /d/y 2
	seen test -e "$A/d/y"
	seen listing_is "$A/d" "x y "
	warm "$A/d" "$A/d/x" "$A/d/y"
	zk delete /d/x
	seen is_absent "$A/d/x"
	seen listing_is "$A/d" "y "
	# Opened by name, too.
	fails "No such file" cat "$A/d/x"
}

see_types() {
	local ino
	zk create /t data
	warm "$A/t"
	ino=$(stat -c %i "$A/t")
	[ -f "$A/t" ]
	exec 8<"$A/t"
	zk create /t/child 1
	seen test -d "$A/t"
	seen listing_is "$A/t" ".data child "
	[ "$(stat -c %i "$A/t")" != "$ino" ]
	# Who had it open goes on with the file.
	is "$(cat <&8)" data
	exec 8<&-
	warm "$A/t" "$A/t/child"
	zk delete /t/child
	seen test -f "$A/t"
	is "$(cat "$A/t")" data
	# An empty directory that is written becomes a file.
	zk create /e
	warm "$A/e"
	[ -d "$A/e" ]
	zk set /e now
	seen test -f "$A/e"
	seen content_is "$A/e" now
}

see_incarnations() {
	local ino
	zk create /r old
	warm "$A/r"
	ino=$(stat -c %i "$A/r")
	zk delete /r
	zk create /r new
	seen content_is "$A/r" new
	[ "$(stat -c %i "$A/r")" != "$ino" ]
	# A directory with what is below it.
	zk create /q/a/b deep
	warm "$A/q" "$A/q/a" "$A/q/a/b"
	zk rmr /q
	zk create /q/a/b again
	seen content_is "$A/q/a/b" again
}

see_times() {
	local before
	zk create /m/f 1
	warm "$A/m" "$A/m/f"
	before=$(stat -c %y "$A/m")
	zk create /m/g 2
	seen differs "$before" stat -c %y "$A/m"
	before=$(stat -c %y "$A/m/f")
	zk set /m/f 1
	seen differs "$before" stat -c %y "$A/m/f"
}

differs() {
	local before=$1

	shift
	[ "$("$@")" != "$before" ]
}

see_all() {
	see_data
	see_names
	see_types
	see_incarnations
	see_times
}

@test "cache: what another client changes is seen" {
	zk_mount A
	see_all
}

@test "cache: the same without one" {
	zk_mount A cache_nodes=0
	see_all
}

@test "cache: the same with room for two nodes, and for no watch" {
	zk_mount A cache_nodes=2,cache_data=4
	see_all
	zk_umount A
	for path in f d t e r q m; do
		zk rmr "/$path"
	done
	zk_mount A watch_paths=0
	see_all
}

@test "cache: what one mount changes the other sees" {
	zk_mount A
	zk_mount B
	mkdir "$B/d"
	echo one >"$B/f"
	warm "$A/f" "$A/d" "$A/d/x" "$A/g"
	echo three >"$B/f"
	seen content_is "$A/f" three
	echo x >"$B/d/x"
	seen content_is "$A/d/x" x
	warm "$A/f" "$A/d" "$A/d/x" "$A/g"
	mv "$B/f" "$B/g"
	seen is_absent "$A/f"
	seen content_is "$A/g" three
	warm "$A/d/x"
	mv "$B/d" "$B/e"
	seen is_absent "$A/d"
	seen is_absent "$A/d/x"
	seen content_is "$A/e/x" x
	warm "$A/e" "$A/e/x"
	rm -r "$B/e"
	seen is_absent "$A/e"
	seen is_absent "$A/e/x"
}

@test "cache: a mount sees its own changes at once" {
	zk_mount A
	mkdir "$A/d"
	for i in 1 2 3 4 5; do
		echo "$i" >"$A/d/f"
		is "$(cat "$A/d/f")" "$i"
		is "$(stat -c %s "$A/d/f")" 2
		warm "$A/d/f" "$A/d/g" "$A/d"
		echo "$i$i" >"$A/d/f"
		is "$(cat "$A/d/f")" "$i$i"
		is "$(stat -c %s "$A/d/f")" 3
		warm "$A/d/f" "$A/d/g" "$A/d"
		mv "$A/d/f" "$A/d/g"
		is "$(cat "$A/d/g")" "$i$i"
		gone "$A/d/f"
		is "$(ls "$A/d")" g
		warm "$A/d/f" "$A/d/g" "$A/d"
		mv "$A/d" "$A/e"
		is "$(cat "$A/e/g")" "$i$i"
		gone "$A/d/g"
		warm "$A/e/g" "$A/e/h" "$A/d"
		mv "$A/e" "$A/d"
		gone "$A/e/g"
		: >"$A/d/h"
		is "$(stat -c %s "$A/d/h")" 0
		warm "$A/d/h"
		rm "$A/d/g" "$A/d/h"
		gone "$A/d/g"
		is "$(ls -A "$A/d")" ""
	done
	warm "$A/d" "$A/no"
	mkdir "$A/no"
	[ -d "$A/no" ]
	rmdir "$A/no" "$A/d"
	gone "$A/no"
	is "$(ls -A --ignore=zookeeper "$A")" ""
}

# By the name alone: access(2) asks for no attributes.
has_no_name() {
	py 'sys.exit(os.access(A[0], os.F_OK))' "$1"
}

@test "cache: a name is let go when nothing watches it any more" {
	local i
	zk_mount A
	for i in 1 2 3; do
		echo one >"$A/f"
		warm "$A/f"
		# This uses up the watch: once, and again and again.
		echo two >"$A/f"
		[ "$i" = 1 ] || echo three >"$A/f"
		zk delete /f
		seen has_no_name "$A/f"
	done
}

# What a change does to what is seen of /p/f by another client, in a table:
#
#   NAME; before; the change; cat; stat; ls of /p; whether poll tells
#
# before and change are commands of zk, with / between; `-`: nothing, or that it
# is not there.
readonly changes='
data; create /p/f one; set /p/f three; three; regular file 5; f; tells
data, to nothing; create /p/f one; set /p/f; ; regular empty file 0; f; tells
creation; create /p/g 1; create /p/f one; one; regular file 3; f g; -
creation of a directory; create /p/g 1; create /p/f; -; directory 0; f g; -
deletion; create /p/f one / create /p/g 1; delete /p/f; -; -; g; tells
made again; create /p/f one; delete /p/f / create /p/f three; three; regular file 5; f; tells
made again as a directory; create /p/f one; delete /p/f / create /p/f; -; directory 0; f; tells
file to directory; create /p/f one; create /p/f/kid 1; -; directory 0; f; -
directory to file; create /p/f one / create /p/f/kid 1; delete /p/f/kid; one; regular file 3; f; -
empty directory to file; create /p/f; set /p/f now; now; regular file 3; f; -
its ACL; create /p/f one; protect /p/f world anyone read write; one; regular file 3; f; -
moved away; create /p/f one; create /p/g one / delete /p/f; -; -; g; tells
moved here; create /p/g one; create /p/f one / delete /p/g; one; regular file 3; f; -
moved onto it; create /p/f one / create /p/g three; set /p/f three / delete /p/g; three; regular file 5; f; tells
'

# commands LIST: each of them.
commands() {
	local command words

	[ "$1" != - ] || return 0
	while IFS= read -r command; do
		read -ra words <<<"$command"
		zk "${words[@]}"
	done <<<"${1// \/ /$'\n'}"
}

# reads PATH WORDS: `-`: it cannot be read as a file.
reads() {
	if [ "$2" = - ]; then
		! cat "$1" >/dev/null 2>&1
	else
		content_is "$1" "$2"
	fi
}

# looks PATH WORDS
looks() {
	if [ "$2" = - ]; then
		is_absent "$1" && [ ! -e "$1" ]
	else
		[ -e "$1" ] && [ "$(stat -c '%F %s' "$1" 2>/dev/null)" = "$2" ]
	fi
}

# polled PATH: goes on when it is told of a change there.
polled() {
	# Not what the last one has left: it may begin late.
	: >polled.out
	py '
fd = os.open(A[0], os.O_RDONLY)
os.pread(fd, 99, 0)
watch = select.poll()
watch.register(fd, select.POLLPRI)
print("ready", flush=True)
same(watch.poll(20000), [(fd, select.POLLPRI | select.POLLERR)])
' "$1" >polled.out 2>&1 &
	POLLED=$!
	within 20 grep -q ready polled.out
}

see_change() {
	local f=$A/p/f

	commands "$2"
	warm "$A" "$A/p" "$f" "$A/p/g"
	[ "$7" = - ] || polled "$f"
	commands "$3"
	seen reads "$f" "$4"
	seen looks "$f" "$5"
	seen listing_is "$A/p" "$6 "
	if [ "$7" != - ]; then
		wait "$POLLED" || fail "$1: poll: $(cat polled.out)"
	fi
	zk rmr /p
	seen is_absent "$A/p"
}

see_changes() {
	local name before change content stat names told n=0

	while IFS=';' read -r name before change content stat names told; do
		[ -n "$name" ] || continue
		see_change "$name" "${before# }" "${change# }" "${content# }" \
			"${stat# }" "${names# }" "${told# }"
		n=$((n + 1))
	done <<<"$changes"
	is "$n" 14
}

@test "cache: every kind of change, by every call" {
	limit 180
	zk_mount A
	see_changes
}

@test "cache: every kind of change, by every call, without a cache" {
	limit 180
	zk_mount A cache_nodes=0
	see_changes
}

@test "cache: the data of a directory" {
	local options
	for options in '' cache_nodes=0; do
		zk_mount A "$options"
		zk create /d/x 1
		warm "$A/d" "$A/d/.data" "$A/d/x"
		zk set /d text
		seen content_is "$A/d/.data" text
		seen listing_is "$A/d" ".data x "
		seen size_is "$A/d/.data" 4
		warm "$A/d" "$A/d/.data" "$A/d/x"
		zk set /d ""
		seen listing_is "$A/d" "x "
		zk_umount A
		zk rmr /d
	done
}

# Of this mount, at the server.
watched_paths() {
	zk_word wchc | awk -v id="${MOUNT_SESSION[A]}" '
		/^0x/ { ours = $1 == id; next }
		ours && NF { print $1 }'
}

is_watched() {
	watched_paths | grep -q "/$1\$"
}

at_most() {
	[ "$("${@:2}" | wc -l)" -le "$1" ]
}

@test "cache: the paths over the budget are let go, the oldest first" {
	local i
	for i in {10..49}; do
		zk create "/w/$i" "$i"
	done
	# Some ten files: a path is of 13 bytes, and counted with 4 more, twice.
	zk_mount A watch_paths=400
	for i in {10..49}; do
		warm "$A/w/$i"
	done
	within 20 at_most 23 watched_paths
	is_watched 49
	! is_watched 10 || fail "the oldest is watched still"
	# What is used again comes back.
	warm "$A/w/10" "$A/w/10"
	within 20 is_watched 10
	within 20 at_most 23 watched_paths
	# And all of it is right.
	for i in {10..49}; do
		zk set "/w/$i" "new$i"
	done
	for i in {10..49}; do
		is "$(cat "$A/w/$i")" "new$i"
	done
	zk delete /w/10
	seen is_absent "$A/w/10"
}

# On both mounts at once: what is written under a lock rests on what the one
# before has written.
@test "cache: a counter under a lock" {
	local mount pids=()
	zk create /locks/x
	zk create /n 0
	zk_mount A
	zk_mount B
	# shellcheck disable=SC2016 # for the inner shells
	for mount in "$A" "$B" "$A" "$B"; do
		for _ in {1..25}; do
			flock "$mount/locks/x/.lock" bash -ec \
				'echo $(($(<"$0/n") + 1)) >"$0/n"' "$mount"
		done &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "$(zk get /n)" 100
}

@test "cache: an absent name under a renamed directory" {
	zk_mount A
	mkdir "$A/d"
	echo x >"$A/d/x"
	warm "$A/d/x" "$A/d/no"
	mv "$A/d" "$A/e"
	warm "$A/e/no" "$A/d/no"
	zk create /e/no now
	zk create /d/no later
	seen content_is "$A/e/no" now
	seen content_is "$A/d/no" later
}

@test "cache: open for writing rests on what is cached, and conflicts are seen" {
	zk create /f one
	zk_mount A
	warm "$A/f"
	mkfifo go
	py '
fd = os.open(A[0], os.O_RDWR)
same(os.read(fd, 9), b"one")
print("ready", flush=True)
sys.stdin.readline()
expect("ESTALE", os.write, fd, b"x")
expect("ESTALE", os.close, fd)
' "$A/f" <go >told.out 2>&1 &
	exec 8>go
	within 10 grep -q ready told.out
	zk set /f two
	seen content_is "$A/f" two
	echo >&8
	exec 8>&-
	wait $!
	is "$(zk get /f)" two
}

@test "cache: a write to what is cached asks nothing before it" {
	zk create /f one
	zk_mount A
	warm "$A/f"
	py '
def looks():
    with open(A[1]) as metrics:
        return [line for line in metrics if "exists" in line and
                line.startswith("zkfs_server_request_duration_seconds_count")]

fd = os.open(A[0], os.O_WRONLY | os.O_TRUNC)
before = looks()
same(len(before), 1)
os.write(fd, b"two")
same(looks(), before)
os.close(fd)
' "$A/f" "$A/.zkfs/metrics"
	is "$(zk get /f)" two
}

@test "cache: after a reconnect only what is true is believed" {
	local path
	for path in same changed gone; do
		zk create "/$path" "$path"
	done
	zk create /d/x 1
	mount_by_proxy session_timeout=4
	warm "$A/same" "$A/changed" "$A/gone" "$A/new" "$A/d" "$A/d/x"
	# Nobody is told of a connection that hangs, for a while.
	kill -STOP "$PROXY"
	within 10 grep -q "lost the connection" A.log
	zk set /changed else
	zk delete /gone
	zk create /new new
	zk create /d/y 1
	zk delete /d/x
	kill -CONT "$PROXY"
	within 10 content_is "$A/same" same
	is "$(cat "$A/changed")" else
	gone "$A/gone"
	is "$(cat "$A/new")" new
	is "$(ls "$A/d")" y
	gone "$A/d/x"
}

@test "cache: while the server is away nothing that is cached is answered" {
	zk create /f data
	mount_by_proxy session_timeout=4,timeo=1
	warm "$A/f" "$A/no"
	kill -STOP "$PROXY"
	# Until the connection is given up, it is.
	is "$(cat "$A/f")" data
	within 10 grep -q "lost the connection" A.log
	fails "Connection timed out" cat "$A/f"
	fails "Connection timed out" stat "$A/f"
	fails "Connection timed out" stat "$A/no"
	kill -CONT "$PROXY"
	within 10 content_is "$A/f" data
	is_absent "$A/no"
}

stale_for() {
	[ "$(getfattr --only-values -n user.zk.stale "$1")" -ge "$2" ]
} 2>/dev/null

is_current() {
	! getfattr -n user.zk.stale "$1" >/dev/null 2>&1
}

# served REQUEST: how many of the kind have been answered.
served() {
	sed -n "s/^zkfs_server_request_duration_seconds_count{request=\"$1\"} //p" \
		"$A/.zkfs/metrics"
}

@test "cache: -o stale shows what was known while the server is away" {
	local i gets
	zk create /f data
	zk create /d/x 1
	zk create /d/gone 1
	zk create /changed one
	zk create /locks/x
	mount_by_proxy stale,session_timeout=1,timeo=1.5
	warm "$A" "$A/f" "$A/no" "$A/changed" "$A/d" "$A/d/x" "$A/d/gone"
	is_current "$A/f"
	fails "No such attribute" getfattr -n user.zk.stale "$A/f"
	kill -STOP "$PROXY"
	within 10 grep -q "lost the connection" A.log
	zk_as other set /changed three
	zk_as other delete /d/gone
	zk_as other create /no now
	# What the kernel kept for a second is over, too.
	within 20 stale_for "$A/f" 2
	for i in 1 2; do
		is "$(cat "$A/f" "$A/changed")" dataone
		is "$(stat -c %s "$A/changed")" 3
		is "$(ls "$A/d")" $'gone\nx'
		is_absent "$A/no"
		is "$(getfattr --only-values -n user.zk.version "$A/f")" 0
	done
	stale_for "$A/d" 2
	fails "Connection timed out" cat "$A/d/other"
	fails "Connection timed out" sync "$A/d"
	fails "Connection timed out" bash -c 'echo x >"$1"' bash "$A/f"
	fails "Connection timed out" bash -c 'echo x >>"$1"' bash "$A/f"
	fails "Connection timed out" rm "$A/d/x"
	fails "Connection timed out" mkdir "$A/e"
	fails "Connection timed out" flock "$A/f" true
	fails "Connection timed out" flock "$A/locks/x/.lock" true
	kill -CONT "$PROXY"
	within 20 is_current "$A/f"
	within 20 content_is "$A/changed" three
	is "$(ls "$A/d")" x
	is_absent "$A/d/gone"
	is "$(cat "$A/no")" now
	is "$(zk get /f)" data
	# What has not changed is not fetched again.
	gets=$(served get)
	is "$(cat "$A/f")" data
	is "$(served get)" "$gets"
	is_current "$A/f"
}

@test "cache: after a reconnect only what has changed is fetched again" {
	local i before
	for i in 1 2 3 4 5 6 7 8; do
		zk create "/$i" one
	done
	mount_by_proxy session_timeout=4
	warm "$A"/[1-8]
	kill -STOP "$PROXY"
	within 10 grep -q "lost the connection" A.log
	zk_as other set /3 three
	kill -CONT "$PROXY"
	within 20 stat "$A/1" >/dev/null 2>&1
	before=$(served get)
	is "$(cat "$A"/[1-8])" oneonethreeoneoneoneoneone
	is "$(($(served get) - before))" 1
}

@test "cache: a listing that is known costs nothing from the second time on" {
	local before
	zk create /d/x 1
	zk_mount A
	warm "$A"
	# The first one, of a directory that nobody has looked at.
	is "$(ls "$A/d")" x
	ls "$A/d" >/dev/null
	before=$(served children)
	is "$(ls "$A/d")" x
	is "$(served children)" "$before"
	zk create /d/y 1
	is "$(ls "$A/d")" $'x\ny'
	zk delete /d/x
	# Watched again by a look at the directory, and not by a listing.
	stat "$A/d" >/dev/null
	stat "$A/d" >/dev/null
	is "$(ls "$A/d")" y
}

# stats: requests to the server that bring one Stat each.
stats() {
	echo $(($(served exists) + $(served get)))
}

# frames KIND: how many requests of the kind have come from the kernel.
frames() {
	sed -n "s/^zkfs_request_duration_seconds_count{op=\"$1\"} //p" \
		"$A/.zkfs/metrics"
}

@test "cache: who looks at what it lists asks once for each, and gets it by the listing" {
	local before names dir
	for dir in a b c; do
		zk fill "/$dir" 0 500 x
	done
	zk_mount A
	before=$(stats)
	names=$(frames LOOKUP)
	is "$(find "$A" -type f -size 1c | wc -l)" 1500
	[ $(($(stats) - before)) -le 1520 ] ||
		fail "$(($(stats) - before)) requests for 1,500 files"
	# All of the second directory and the third come with their listings;
	# of the first only as many as go into one part of it.
	[ $(($(frames LOOKUP) - names)) -le 500 ] ||
		fail "$(($(frames LOOKUP) - names)) names were looked up"
}

@test "cache: who only lists a large directory does not wait for what is in it" {
	local before
	zk fill /d 0 2000 x
	zk_mount A
	before=$(stats)
	is "$(command ls -U "$A/d" | wc -l)" 2000
	[ $(($(stats) - before)) -le 300 ] ||
		fail "$(($(stats) - before)) requests for names alone"
}

@test "cache: nor after the session has expired" {
	zk create /f one
	zk create /d/x 1
	zk_mount A session_timeout=0.8
	warm "$A/f" "$A/d" "$A/d/x" "$A/d/y"
	kill -STOP "${MOUNT_PID[A]}"
	within 15 zk_session_gone "${MOUNT_SESSION[A]}"
	zk set /f three
	zk delete /d/x
	zk create /d/y 1
	kill -CONT "${MOUNT_PID[A]}"
	within 10 content_is "$A/f" three
	is "$(ls "$A/d")" y
	is_absent "$A/d/x"
	size_is "$A/f" 5
}

@test "cache: sync DIR and -o sync_open see all that was done before" {
	local i
	zk create /f 0
	zk create /d
	zk_mount A
	zk_mount B sync_open
	for i in $(seq 30); do
		zk set /f "$i"
		zk create "/d/$i"
		is "$(cat "$B/f")" "$i"
		sync "$A/d"
		is "$(cat "$A/f")" "$i"
		[ -d "$A/d/$i" ]
		! [ -e "$A/d/$((i + 1))" ] || fail "too early"
		! [ -e "$A/d/$((i + 1))" ] || fail "too early"
		is "$(stat -c %s "$A/f")" "${#i}"
	done
}

@test "cache: a name that is kept too long shows no older version" {
	local i
	zk create /d/f first
	zk_mount A cache_nodes=0
	for i in 1 2 3 4 5; do
		zk set /d/f first
		sync "$A"
		exec 7<"$A/d/f"
		ls -l "$A/d" >/dev/null
		printf one >"$A/d/f"
		zk delete /d/f
		zk create /d/f seventh
		[ "$(stat -c %s "$A/d/f")" != 5 ] || fail "the first is back"
		exec 7<&-
	done
}

@test "cache: a directory whose data is written here has changed at once" {
	local i before
	zk create /d/x 1
	zk_mount A
	zk_mount B cache_nodes=0
	for i in 1 2 3; do
		for dir in "$A/d" "$B/d"; do
			before=$(stat -c %y "$dir")
			echo "$i" >"$dir/.data"
			[ "$(stat -c %y "$dir")" != "$before" ] ||
				fail "still of $before"
		done
	done
}

@test "cache: sync DIR ends what the kernel keeps for a moment without a watch" {
	local i options
	for options in cache_nodes=0 cache_nodes=1 ''; do
		zk create /d
		zk create /f one
		zk create /x/y/z 1
		zk_mount A "$options"
		for i in 1 2 3; do
			# As it is kept by a look-up, and by a listing.
			[ -d "$A/d" ]
			ls -l "$A" "$A/x" >/dev/null
			stat "$A/x/y/z" >/dev/null
			zk set /d now
			zk set /f seven77
			zk rmr /x
			sync "$A"
			is "$(stat -c '%F %s' "$A/d" "$A/f")" \
				$'regular file 3\nregular file 7'
			gone "$A/x/y/z"
			gone "$A/x/y"
			is "$(ls "$A")" $'d\nf'
			zk rmr /d
			zk create /d
			zk set /f one
			zk create /x/y/z 1
			sync "$A"
			is "$(stat -c '%F %s' "$A/d" "$A/f")" \
				$'directory 0\nregular file 3'
			is "$(cat "$A/x/y/z")" 1
		done
		zk_umount A
		zk rmr /d
		zk rmr /f
		zk rmr /x
	done
}

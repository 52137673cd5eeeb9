#!/usr/bin/env bats
# mkdir of a name in a lock is a try-lock that the mount holds; rmdir gives it
# back.

load lib
load proxy
load section

setup() {
	e2e_setup
	zk create /locks/x
}

# in_queue COUNT: so many contenders (of three names each) are in the lock.
in_queue() {
	zk await_children /locks/x "$((3 * $1))" 10 >/dev/null
}

# The newest transaction of the server: whether anything was written.
last_zxid() {
	zk_word srvr | grep Zxid
}

is_gone() {
	[ ! -e "$1" ]
}

# -- taking and giving back --------------------------------------------------

@test "mkdir: it takes a free lock, and rmdir gives it back" {
	zk_mount A
	mkdir "$A/locks/x/me"
	[ -d "$A/locks/x/me" ]
	is "$(stat -c %F "$A/locks/x/me")" directory
	is "$(ls -A "$A/locks/x/me")" ""
	in_queue 1
	rmdir "$A/locks/x/me"
	# At the server, and not soon.
	is "$(zk ls /locks/x)" ""
	[ ! -e "$A/locks/x/me" ]
	mkdir "$A/locks/x/me"
	rmdir "$A/locks/x/me"
}

@test "mkdir: a busy lock is EEXIST, whoever has it and whatever the name" {
	local dir
	zk_mount A
	zk_mount B
	mkdir "$A/locks/x/me"
	for dir in "$A" "$B"; do
		py '
for name in "me", "you", "-", "me.lock":
    expect("EEXIST", os.mkdir, A[0] + "/locks/x/" + name)
expect("EAGAIN", os.open, A[0] + "/locks/x/you",
       O_WRONLY | O_CREAT | O_NONBLOCK)' "$dir"
		fails "File exists" mkdir "$dir/locks/x/you"
		fails "File exists" mkdir -p "$dir/locks/x/you"
		fails "" flock -n "$dir/locks/x/.lock" true
		fails "" flock -ns "$dir/locks/x/.lock" true
	done
	rmdir "$A/locks/x/me"
	exec 8>"$B/locks/x/opened"
	for dir in "$A" "$B"; do
		py 'for name in "opened", "you":
    expect("EEXIST", os.mkdir, A[0] + "/locks/x/" + name)' "$dir"
	done
	exec 8>&-
	in_queue 0
	exec 8<"$B/locks/x/.lock"
	flock -s 8
	py 'expect("EEXIST", os.mkdir, A[0])' "$A/locks/x/you"
	flock -u 8
	py 'os.mkdir(A[0])
expect("EEXIST", os.mkdir, A[0])' "$A/locks/x/you"
	exec 8<&-
	rmdir "$A/locks/x/you"
	zk sequential /locks/x/foreign-
	fails "File exists" mkdir "$A/locks/x/you"
}

@test "mkdir: on other mounts it is an entry, and tells who has it" {
	local text
	zk_mount A
	zk_mount B
	mkdir "$A/locks/x/me" &
	wait $!
	is "$(stat -c %F "$B/locks/x/me")" "regular empty file"
	is "$(ls "$A/locks/x")" me
	is "$(ls "$B/locks/x")" me
	text=$(cat "$B/locks/x/me")
	has "$text" "mode=exclusive state=held host=$(uname -n) pid=$! uid=0"
	has "$text" " comm=mkdir since=20"
	is "$(py 'for dir in A:
    for name in os.listxattr(dir):
        print(os.getxattr(dir, name).decode())' "$A/locks/x/me")" \
		"held
$(expr "$text" : 'token=\(0x[0-9a-f]*\) ')"
	fails "Not a directory" rmdir "$B/locks/x/me"
	fails "Is a directory" rm "$A/locks/x/me"
	is "$(find "$A/locks/x" -mindepth 1 -type d)" "$A/locks/x/me"
	is "$(find "$B/locks/x" -mindepth 1 -type f)" "$B/locks/x/me"
	rmdir "$A/locks/x/me"
}

@test "mkdir: it holds the lock against those who wait, in their order" {
	local waiter
	zk_mount A
	zk_mount B
	mkdir "$A/locks/x/me"
	bash -c 'exec 9>"$1" && echo opened >>granted' bash "$B/locks/x/you" \
		3>&- 4>&- &
	waiter=$!
	in_queue 2
	[ ! -e granted ]
	is "$(ls -U "$A/locks/x" | tr '\n' ' ')" "me you "
	# No place for a mkdir in front of those who wait.
	rmdir "$A/locks/x/me"
	wait "$waiter"
	is "$(<granted)" opened
	in_queue 0
}

@test "mkdir: many locks at a time, each with its own name" {
	local i
	zk_mount A
	for i in 1 2 3 4 5; do
		zk create "/locks/l$i"
		mkdir "$A/locks/l$i/me"
	done
	is "$(ls -d "$A"/locks/l?/me | wc -l)" 5
	rmdir "$A/locks/l3/me"
	is "$(zk ls /locks/l3)" ""
	[ -d "$A/locks/l2/me" ] && [ -d "$A/locks/l4/me" ]
	rmdir "$A"/locks/l[1245]/me
}

@test "mkdir: -p makes the lock too, and is content with what is held here" {
	zk_mount A
	mkdir -p "$A/locks/new/me"
	is "$(zk ls /locks/new | wc -l)" 3
	is "$(zk stat /locks/new ephemeralOwner)" 0
	# The hazard that zkfs-locks(7) tells of.
	mkdir -p "$A/locks/new/me"
	rmdir "$A/locks/new/me"
	rmdir "$A/locks/new"
}

@test "mkdir: -m and chmod change nothing" {
	zk_mount A
	mkdir -m 700 "$A/locks/x/me"
	is "$(stat -c %a "$A/locks/x/me")" 755
	chmod 700 "$A/locks/x/me"
	touch "$A/locks/x/me"
	is "$(stat -c %a "$A/locks/x/me")" 755
	rmdir "$A/locks/x/me"
	zk_umount A
	zk_mount A strict
	mkdir "$A/locks/x/me"
	fails "not permitted" chmod 700 "$A/locks/x/me"
	chmod 755 "$A/locks/x/me"
	rmdir "$A/locks/x/me"
}

@test "mkdir: nothing can be made in it, nor can it be moved" {
	zk create /f data
	zk create /d
	zk_mount A
	mkdir "$A/locks/x/me"
	py '
me = A[0] + "/locks/x/me"
for name in "f", ".data", ".lock", ".queue":
    expect("EPERM", os.open, me + "/" + name, O_WRONLY | O_CREAT)
    expect("EPERM", os.mkdir, me + "/" + name)
    expect("ENOENT", os.open, me + "/" + name, O_RDONLY)
    expect("ENOENT", os.unlink, me + "/" + name)
    expect("ENOENT", os.rmdir, me + "/" + name)
expect("EPERM", os.symlink, "target", me + "/l")
expect("EPERM", os.link, A[0] + "/f", me + "/l")
expect("EPERM", os.rename, A[0] + "/f", me + "/f")
expect("EPERM", os.rename, me, A[0] + "/away")
expect("EPERM", os.rename, A[0] + "/d", me)
expect("EPERM", os.rename, me, A[0] + "/locks/x/other")
expect("EISDIR", os.unlink, me)
expect("EISDIR", os.open, me, O_WRONLY)
expect("EISDIR", os.open, me, O_WRONLY | O_CREAT)
same(os.listdir(me), [])
fd = os.open(me, O_RDONLY)
os.fsync(fd)
os.close(fd)
' "$A"
	is "$(zk ls /locks/x | wc -l)" 3
	rm -r "$A/locks/x/me"
	is "$(zk ls /locks/x)" ""
}

@test "mkdir: names are those that an open may have" {
	zk_mount A
	py '
x = A[0] + "/locks/x/"
for name in ("a__READ__", "__WRIT__b", "lock-", "a__rlock__", "a\tb", b"\xff"):
    expect("EINVAL", os.mkdir, os.fsencode(x) + os.fsencode(name))
for name in ".x", ".data":
    expect("EPERM", os.mkdir, x + name)
for name in ".lock", ".queue":
    expect("EEXIST", os.mkdir, x + name)
expect("ENAMETOOLONG", os.mkdir, x + "n" * 129)
expect("ENAMETOOLONG", os.mkdir, x + "n" * 256)
for name in "n" * 128, "a b", "\u00e4", "-", "x.lock":
    os.mkdir(x + name)
    same(os.listdir(x), [name])
    os.rmdir(x + name)
expect("ENOENT", os.mkdir, A[0] + "/locks/nowhere/me")
' "$A"
	is "$(zk ls /locks/x)" ""
}

@test "mkdir: rmdir of what is not held here" {
	zk_mount A
	zk_mount B
	fails "No such file" rmdir "$A/locks/x/nobody"
	mkdir "$A/locks/x/me"
	fails "No such file" rmdir "$A/locks/x/nobody"
	fails "not empty" rmdir "$A/locks/x"
	fails "Not a directory" rmdir "$A/locks/x/.lock"
	fails "Not a directory" rmdir "$B/locks/x/me"
	rmdir "$A/locks/x/me"
	exec 8>"$A/locks/x/me"
	fails "Not a directory" rmdir "$A/locks/x/me"
	exec 8>&-
}

@test "mkdir: rm -r of the lock gives it back" {
	zk_mount A
	mkdir "$A/locks/x/me"
	rm -r "$A/locks/x"
	fails "no node" zk exists /locks/x
	fails "No such file" mkdir "$A/locks/x/me"
}

@test "mkdir: the end of the mount gives all back" {
	zk_mount A
	zk_mount B
	mkdir "$A/locks/x/me"
	zk_umount A
	mkdir "$B/locks/x/me"
	rmdir "$B/locks/x/me"
}

# -- what it costs -----------------------------------------------------------

@test "mkdir: a poller writes nothing" {
	local before i dir
	zk_mount A
	zk_mount B
	mkdir "$A/locks/x/me"
	before=$(last_zxid)
	for dir in "$A" "$B"; do
		for ((i = 0; i < 20; i++)); do
			! mkdir "$dir/locks/x/poll$i" 2>/dev/null
			! mkdir "$dir/locks/x/me" 2>/dev/null
		done
	done
	is "$(last_zxid)" "$before"
	rmdir "$A/locks/x/me"
}

# packets: how many the server has heard so far.
packets() {
	zk_word mntr | awk '$1 == "zk_packets_received" { print $2 }'
}

@test "mkdir: a poller asks for one list at a time" {
	local before i cost
	zk_mount A session_timeout=60
	zk ephemeral /locks/x/foreign-0000000000
	fails "File exists" mkdir "$A/locks/x/me"
	before=$(packets)
	for ((i = 0; i < 50; i++)); do
		! mkdir "$A/locks/x/me" 2>/dev/null
	done
	cost=$(($(packets) - before))
	# Names on the way there, and a heartbeat now and then.
	[ "$cost" -le 150 ] || fail "50 tries: $cost requests"
}

# -- loss --------------------------------------------------------------------

# told_of_loss: the name is gone, and can be made again.
told_of_loss() {
	within 10 is_gone "$A/locks/x/me"
	fails "No such file" rmdir "$A/locks/x/me"
	is "$(ls "$A/locks/x")" "${1:-}"
}

@test "mkdir: broken by rm on another mount, the directory is gone" {
	zk_mount A
	zk_mount B
	mkdir "$A/locks/x/me"
	cd "$A/locks/x/me"
	rm "$B/locks/x/me"
	mkdir "$B/locks/x/you"
	told_of_loss you
	within 5 eval '! stat . 2>/dev/null'
	cd "$BATS_TEST_TMPDIR"
	rmdir "$B/locks/x/you"
	mkdir "$A/locks/x/me"
	[ -d "$A/locks/x/me" ]
	rmdir "$A/locks/x/me"
}

@test "mkdir: deleted by an administrator, nothing is left of it" {
	zk_mount A
	mkdir "$A/locks/x/me"
	zk delete "/locks/x/$(zk ls /locks/x | grep lock-)"
	in_queue 0
	told_of_loss
	mkdir "$A/locks/x/me"
	zk rmr /locks/x
	within 10 is_gone "$A/locks/x/me"
	fails "no node" zk exists /locks/x
}

@test "mkdir: a daemon that was stopped shows no directory that it has lost" {
	local id
	zk_mount A session_timeout=0.8
	zk_mount B
	mkdir "$A/locks/x/me"
	id=${MOUNT_SESSION[A]}
	kill -STOP "${MOUNT_PID[A]}"
	within 15 zk_session_gone "$id"
	mkdir "$B/locks/x/you"
	kill -CONT "${MOUNT_PID[A]}"
	# At once: not within some time.
	[ ! -d "$A/locks/x/me" ]
	told_of_loss you
	fails "File exists" mkdir "$A/locks/x/me"
	rmdir "$B/locks/x/you"
	within 10 mkdir "$A/locks/x/me"
	rmdir "$A/locks/x/me"
}

@test "mkdir: with the server away it is given up before another can have it" {
	local id
	mount_by_proxy session_timeout=2
	zk_mount B
	mkdir "$A/locks/x/me"
	id=${MOUNT_SESSION[A]}
	# The names above need a server.
	exec 7<"$A/locks/x"
	kill -STOP "$PROXY"
	py 'same(err(os.stat, "me", dir_fd=7), "OK")
if not within(10, lambda: err(os.stat, "me", dir_fd=7) == "ENOENT"):
    sys.exit(err(os.stat, "me", dir_fd=7))
same(err(os.rmdir, "me", dir_fd=7), "ENOENT")'
	exec 7<&-
	# By the lease: the server does not know yet.
	fails "File exists" mkdir "$B/locks/x/you"
	within 15 zk_session_gone "$id"
	mkdir "$B/locks/x/you"
	kill -CONT "$PROXY"
	within 10 ls "$A/locks/x"
	told_of_loss you
	rmdir "$B/locks/x/you"
	within 10 mkdir "$A/locks/x/me"
	rmdir "$A/locks/x/me"
}

@test "mkdir: a daemon that is killed leaves the lock to the next" {
	local id
	zk_mount A session_timeout=0.8
	zk_mount B
	mkdir "$A/locks/x/me"
	id=${MOUNT_SESSION[A]}
	zk_crash A
	fails "" rmdir "$A/locks/x/me"
	within 15 zk_session_gone "$id"
	mkdir "$B/locks/x/me"
	umount -l "$A"
	rmdir "$B/locks/x/me"
}

# ended_by SIGNAL PID: of a child of the test.
ended_by() {
	local status=0

	wait "$2" || status=$?
	is "$(kill -l "$status")" "$1"
}

# -- the server away ---------------------------------------------------------

@test "mkdir: with the server away it fails soon, and leaves nothing" {
	local since took
	mount_by_proxy timeo=3
	since=$(now)
	kill -STOP "$PROXY"
	fails "" mkdir "$A/locks/x/me"
	took=$(($(now) - since))
	[ "$took" -lt 2800 ] || fail "took $took ms"
	kill -CONT "$PROXY"
	within 10 mkdir "$A/locks/x/other"
	is "$(ls "$A/locks/x")" other
	rmdir "$A/locks/x/other"
	in_queue 0
}

@test "mkdir: rmdir with the server away fails soon, and is made good" {
	local since took
	mount_by_proxy timeo=3
	mkdir "$A/locks/x/me"
	cd "$A/locks/x"
	since=$(now)
	kill -STOP "$PROXY"
	fails "timed out" rmdir me
	took=$(($(now) - since))
	[ "$took" -lt 2800 ] || fail "took $took ms"
	# It is still there, and can be tried again.
	[ -d me ]
	kill -CONT "$PROXY"
	rmdir me || [ ! -e me ]
	is "$(zk ls /locks/x)" ""
	cd "$BATS_TEST_TMPDIR"
}

@test "mkdir: a reply that is lost is resolved" {
	mount_by_proxy
	reply_lost mkdir "$A/locks/x/me"
	in_queue 1
	[ -d "$A/locks/x/me" ]
	reply_lost rmdir "$A/locks/x/me"
	is "$(zk ls /locks/x)" ""
	request_lost mkdir "$A/locks/x/me"
	in_queue 1
	request_lost rmdir "$A/locks/x/me"
	is "$(zk ls /locks/x)" ""
}

@test "mkdir: one that is killed or out of time leaves nothing" {
	local pid signal since took
	mount_by_proxy timeo=3
	for signal in KILL TERM; do
		hold_back
		mkdir "$A/locks/x/me" 3>&- 4>&- &
		pid=$!
		within 5 holds_back
		kill "-$signal" "$pid"
		# It is let go though the server has not answered.
		ended_by "$signal" "$pid"
		kill -CONT "$PROXY"
		within 10 mkdir "$A/locks/x/you"
		is "$(ls "$A/locks/x")" you
		rmdir "$A/locks/x/you"
		in_queue 0
	done
	hold_back
	since=$(now)
	fails "timed out" mkdir "$A/locks/x/me"
	took=$(($(now) - since))
	[ "$took" -lt 2800 ] || fail "took $took ms"
	holds_back
	kill -CONT "$PROXY"
	within 10 mkdir "$A/locks/x/you"
	is "$(ls "$A/locks/x")" you
	rmdir "$A/locks/x/you"
	in_queue 0
}

@test "mkdir: an rmdir that is killed gives back" {
	local pid
	mount_by_proxy timeo=3
	mkdir "$A/locks/x/me"
	hold_back
	rmdir "$A/locks/x/me" 3>&- 4>&- &
	pid=$!
	within 5 holds_back
	kill -KILL "$pid"
	ended_by KILL "$pid"
	kill -CONT "$PROXY"
	in_queue 0
	within 5 is_gone "$A/locks/x/me"
}

# -- races -------------------------------------------------------------------

# by_mkdir DIR ROUNDS
by_mkdir() {
	local i

	for ((i = 0; i < $2; i++)); do
		within 50 mkdir "$1" 2>/dev/null || return 1
		critical
		rmdir "$1" || return 1
	done
}

# by_open FILE ROUNDS
by_open() {
	local i

	for ((i = 0; i < $2; i++)); do
		exec 9>"$1" || return 1
		critical
		exec 9>&-
	done
}

# by_flock FILE ROUNDS
by_flock() {
	local i

	exec 9<"$1"
	for ((i = 0; i < $2; i++)); do
		flock 9 || return 1
		critical
		flock -u 9
	done
}

@test "mkdir: of fifty at once one wins, on each mount and name" {
	local i dir round
	zk_mount A
	zk_mount B
	for round in same different; do
		: >won
		WORKERS=()
		mkfifo "go.$round"
		for ((i = 0; i < 50; i++)); do
			dir=$A
			[ $((i % 2)) = 0 ] || dir=$B
			dir=$dir/locks/x/$([ "$round" = same ] || echo "$i-")me
			bash -c 'read -r <"$1"
				mkdir "$2" 2>/dev/null && echo "$2" >>won
				:' bash "go.$round" "$dir" 3>&- 4>&- &
			WORKERS+=($!)
		done
		exec 8>"go.$round"
		for ((i = 0; i < 50; i++)); do
			echo
		done >&8
		finish_section
		exec 8>&-
		is "$(wc -l <won)" 1
		in_queue 1
		rmdir "$(<won)"
	done
}

@test "mkdir: fifty processes that poll count exactly" {
	limit 180
	zk_mount A
	zk_mount B
	echo 0 >counter
	PY_LIMIT=120 py '
import random
def work(name):
    for _ in range(4):
        while err(os.mkdir, name) != "OK":
            select.select([], [], [], random.uniform(0.01, 0.1))
        with open("counter") as file:
            count = int(file.read())
        with open("counter", "w") as file:
            file.write(str(count + 1))
        os.rmdir(name)
for i in range(50):
    if os.fork() == 0:
        work(A[i % 2] + "/locks/x/" + ("same" if i % 3 else str(i)))
        os._exit(0)
for i in range(50):
    same(os.wait()[1], 0)' "$A" "$B"
	is "$(<counter)" 200
	in_queue 0
}

@test "mkdir: it excludes mkdir, open, flock and kazoo, and they it" {
	limit 180
	zk_mount A
	zk_mount B
	start_section
	work by_mkdir "$A/locks/x/same" 15
	work by_mkdir "$A/locks/x/same" 15
	work by_mkdir "$A/locks/x/other" 15
	work by_mkdir "$B/locks/x/same" 15
	work by_open "$A/locks/x/opens" 15
	work by_open "$B/locks/x/opens" 15
	work by_flock "$A/locks/x/.lock" 15
	work by_flock "$B/locks/x/.lock" 15
	work by_kazoo one 15
	finish_section
	is "$(<overlaps)" ""
	is "$(<counter)" 135
	in_queue 0
}

#!/usr/bin/env bats
# Locks: a name in a lock, opened for writing, is the lock.
#
# The lock is /locks/x. A contender makes three znodes, so that "two have
# joined" is "the lock has six children", which a foreign client is told by a
# watch. Processes that get the lock write their name into the file `granted`.
# Descriptor 8 is a lock that the test's own shell holds.

load lib
load section

setup() {
	e2e_setup
	zk create /locks/x
	declare -gA CONTENDER=()
	: >granted
}

# contend NAME FILE: a process that opens FILE for writing, says so in
# `granted` when it returns, and keeps it until `release NAME`.
contend() {
	mkfifo "$1.go"
	bash -c 'exec 9>"$2" || exit
		echo "$1" >>granted
		read -r <"$1.go" || :' bash "$1" "$2" \
		</dev/null 2>"$1.err" 3>&- 4>&- 8>&- &
	CONTENDER[$1]=$!
}

release() {
	echo >"$1.go"
	wait "${CONTENDER[$1]}"
}

# kill_contender SIGNAL NAME
kill_contender() {
	kill "-$1" "${CONTENDER[$2]}"
	! wait "${CONTENDER[$2]}" 2>/dev/null
}

# joined COUNT [SECONDS]: so many are in the queue.
joined() {
	zk await_children /locks/x "$((3 * $1))" "${2:-10}" >/dev/null
}

# stays_joined COUNT: nobody comes or goes for longer than an interrupted
# open's place is kept.
stays_joined() {
	local before

	joined "$1"
	before=$(zk stat /locks/x cversion)
	fails "children" zk await_children /locks/x 100 1.5
	is "$(zk stat /locks/x cversion)" "$before"
}

order() {
	tr '\n' ' ' <granted
}

order_matches() {
	[ "$(order)" = "$1 " ]
}

# order_is NAME...: these got the lock, in this order.
order_is() {
	within 10 order_matches "$*" || is "$(order)" "$* "
}

contender_exits() {
	! kill -0 "${CONTENDER[$1]}" 2>/dev/null
}

# -- joining and releasing ---------------------------------------------------

@test "lock: mkdir -p makes one: an empty persistent znode" {
	zk_mount A
	mkdir -p "$A/locks/new"
	is "$(zk stat /locks/new ephemeralOwner numChildren dataLength)" \
		$'0\n0\n0'
	is "$(ls -A "$A/locks/new")" ""
	rmdir "$A/locks/new"
	fails "no node" zk exists /locks/new
}

@test "lock: an open for writing waits for the close of the one before" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	contend two "$A/locks/x/two"
	joined 2
	has "$(cat "$A/locks/x/two")" state=waiting
	is "$(order)" "one "
	release one
	order_is one two
	has "$(cat "$A/locks/x/two")" state=held
	release two
	joined 0
	is "$(ls -A "$A/locks/x")" ""
}

@test "lock: first come, first served, over two mounts" {
	local name n=1
	zk_mount A
	zk_mount B
	contend a "$A/locks/x/a"
	order_is a
	for name in b c d e f; do
		n=$((n + 1))
		if [ $((n % 2)) = 0 ]; then
			contend "$name" "$B/locks/x/$name"
		else
			contend "$name" "$A/locks/x/$name"
		fi
		joined "$n"
	done
	# `ls -U` shows the queue in its order, from either side.
	is "$(ls -U "$A/locks/x" | tr '\n' ' ')" "a b c d e f "
	is "$(ls -U "$B/locks/x" | tr '\n' ' ')" "a b c d e f "
	for name in a b c d e f; do
		release "$name"
	done
	order_is a b c d e f
	joined 0
}

@test "lock: one open file is one contender, whatever its name" {
	zk_mount A
	contend one "$A/locks/x/same"
	order_is one
	contend two "$A/locks/x/same"
	joined 2
	is "$(order)" "one "
	release one
	order_is one two
	release two
}

@test "lock: locks are independent of each other" {
	zk create /locks/y
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	contend two "$A/locks/y/two"
	order_is one two
	release one
	release two
}

@test "lock: it is released by the last close, be it a child's" {
	zk_mount A
	mkfifo child.go
	exec 8>"$A/locks/x/parent"
	bash -c 'read -r <child.go || :' 3>&- 4>&- &
	exec 8>&-
	contend two "$A/locks/x/two"
	stays_joined 2
	is "$(order)" ""
	echo >child.go
	order_is two
	release two
}

@test "lock: O_RDWR, O_APPEND, O_TRUNC and O_EXCL join as O_WRONLY does" {
	zk_mount A
	py '
x = A[0] + "/locks/x/me"
for flags in (O_RDWR | O_CREAT, O_WRONLY | O_APPEND | O_CREAT,
              O_WRONLY | O_TRUNC | O_CREAT, O_WRONLY | O_CREAT | O_EXCL):
    fd = os.open(x, flags)
    expect("EAGAIN", os.open, A[0] + "/locks/x/you",
           O_WRONLY | O_CREAT | O_NONBLOCK)
    expect("EEXIST", os.open, x, O_WRONLY | O_CREAT | O_EXCL)
    os.close(fd)
    # close(2) is not waited for by the kernel.
    if not within(5, lambda: not os.path.exists(x)):
        sys.exit("still there")
' "$A"
	joined 0
}

@test "lock: the death of the holder releases it" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/one"
	order_is one
	contend two "$B/locks/x/two"
	joined 2
	kill_contender KILL one
	order_is one two
	joined 1
	release two
}

@test "lock: a waiter that is killed leaves nothing, and nobody waits for it" {
	local signal n=0
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	for signal in KILL TERM HUP; do
		n=$((n + 1))
		contend "killed$n" "$A/locks/x/killed$n"
		joined 2
		kill_contender "$signal" "killed$n"
		joined 1 0.9
	done
	contend dies "$A/locks/x/dies"
	joined 2
	contend two "$A/locks/x/two"
	joined 3
	kill_contender KILL dies
	joined 2 0.9
	release one
	order_is one two
	release two
	joined 0
}

@test "lock: rm of the holder's own entry releases it, its handle says EIO" {
	zk_mount A
	exec 8<>"$A/locks/x/me"
	contend two "$A/locks/x/two"
	joined 2
	rm "$A/locks/x/me"
	# rm waits until it is done: no event is needed.
	is "$(zk ls /locks/x | wc -l)" 3
	order_is two
	py 'same(err(os.write, 8, b"x"), "EIO")
same(err(os.pread, 8, 99, 0), "EIO")
same(err(os.fsync, 8), "EIO")'
	exec 8>&-
	release two
	joined 0
}

@test "lock: rm of a waiting entry takes it out, its open says ECANCELED" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	py '
fd = err(os.open, A[0], O_WRONLY | O_CREAT)
print(fd)' "$A/locks/x/waits" >answer &
	joined 2
	rm "$A/locks/x/waits"
	wait $!
	is "$(<answer)" ECANCELED
	joined 1
	[ ! -e "$A/locks/x/waits" ]
	release one
}

@test "lock: rm of another mount's entry breaks it, its handle says EIO" {
	zk_mount A
	zk_mount B
	exec 8<>"$A/locks/x/me"
	contend two "$B/locks/x/two"
	joined 2
	rm "$B/locks/x/me"
	order_is two
	py 'if not within(5, lambda: err(os.write, 8, b"x") == "EIO"):
    sys.exit("the holder was not told")
same(err(os.pread, 8, 99, 0), "EIO")
same(err(os.fsync, 8), "EIO")'
	# It is not ours any more, and its close takes away nobody else's.
	exec 8>&-
	joined 1
	has "$(cat "$B/locks/x/two")" state=held
	release two
}

@test "lock: rm of a foreign waiter's entry takes it out" {
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/one"
	order_is one
	contend two "$A/locks/x/two"
	joined 2
	rm "$B/locks/x/two"
	joined 1
	within 5 contender_exits two
	has "$(<two.err)" "Input/output error"
	is "$(order)" "one "
	release one
}

@test "lock: rm of what is not there is ENOENT" {
	zk_mount A
	fails "No such file" rm "$A/locks/x/nobody"
	exec 8>"$A/locks/x/me"
	fails "No such file" rm "$A/locks/x/nobody"
	exec 8>&-
}

@test "lock: a lock in use is not removed by rmdir, but by rm -r" {
	zk_mount A
	exec 8>"$A/locks/x/me"
	fails "not empty" rmdir "$A/locks/x"
	rm -r "$A/locks/x"
	fails "no node" zk exists /locks/x
	py 'same(err(os.write, 8, b"x"), "EIO")'
	exec 8>&-
	fails "No such file" py 'os.open(A[0], O_WRONLY | O_CREAT)' \
		"$A/locks/x/me"
}

# -- trying ------------------------------------------------------------------

@test "lock: O_NONBLOCK on a busy lock is EAGAIN, and writes nothing" {
	local before
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/one"
	order_is one
	before=$(zk stat /locks/x)
	for dir in "$A" "$B"; do
		py '
for name in "try", "one":
    expect("EAGAIN", os.open, A[0] + "/locks/x/" + name,
           O_WRONLY | O_CREAT | O_NONBLOCK)' "$dir"
		fails "temporarily unavailable" \
			dd if=/dev/null of="$dir/locks/x/try" oflag=nonblock
		[ ! -e "$dir/locks/x/try" ]
	done
	is "$(zk stat /locks/x)" "$before"
	release one
}

# asked KIND: how many requests of that kind the mount has had answered.
asked() {
	sed -n "s/^zkfs_server_request_duration_seconds_count{request=\"$1\"} //p" \
		"${2:-$A}/.zkfs/metrics"
}

# costs LISTS TRANSACTIONS COMMAND...: no more lists, and just as many
# transactions, the cheapest time of some: a machine that is slow between the
# look-up of a call and the rest of it makes a look count for nothing. One list
# is that of the directory, for its attributes.
costs() {
	local i lists transactions most=$(($1 + 1)) wanted=$2

	shift 2
	for ((i = 0; i < 20; i++)); do
		lists=$(asked children)
		transactions=$(asked multi)
		"$@"
		lists=$(($(asked children) - lists))
		transactions=$(($(asked multi) - transactions))
		[ "$lists" -gt "$most" ] ||
			[ "$transactions" != "$wanted" ] || return 0
		"${AFTERWARDS:-true}"
	done
	fail "$lists lists, $transactions transactions: $*"
}

tries() {
	py 'expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)' \
		"$1"
}

# Each is a system call, which looks the name up first.
@test "lock: to try a busy lock costs one list" {
	local name
	zk_mount A
	zk_mount B
	contend one "$B/locks/x/one"
	order_is one
	for name in new new one one new; do
		costs 1 0 tries "$A/locks/x/$name"
	done
	for name in other other; do
		costs 1 0 fails "File exists" mkdir "$A/locks/x/$name"
	done
	# Beside the holder, whose mount was alone, it is known without.
	release one
	joined 0
	contend two "$A/locks/x/two"
	order_is one two
	for name in new new two; do
		costs 0 0 tries "$A/locks/x/$name"
	done
	costs 0 0 fails "File exists" mkdir "$A/locks/x/other"
	release two
	joined 0
}

# settled: what the mount asks for by itself has been answered.
settled() {
	joined 0
	sync "$A/locks/x"
	[ ! -e "$A/nothing$RANDOM" ]
}

takes() {
	exec 8>"$1"
}

looks_absent() {
	[ ! -e "$1" ]
}

gives_back() {
	exec 8>&-
	settled
}

@test "lock: a free lock is taken without looking first, when it is known" {
	local name
	zk_mount A
	exec 8>"$A/locks/x/first"
	gives_back
	# The second list is that of our own name, for its watch.
	for name in me me other me; do
		AFTERWARDS=gives_back costs 2 1 takes "$A/locks/x/$name"
		looks_absent "$A/locks/x/nobody"
		gives_back
		looks_absent "$A/locks/x/$name"
	done
}

@test "lock: who comes to a lock that was known to be free is seen" {
	local i
	zk_mount A
	zk_mount B
	exec 8>"$A/locks/x/first"
	exec 8>&-
	settled
	for i in 1 2 3; do
		[ ! -e "$A/locks/x/b" ]
		mkdir "$B/locks/x/b"
		sync "$A/locks/x"
		[ -e "$A/locks/x/b" ]
		tries "$A/locks/x/me"
		fails "File exists" mkdir "$A/locks/x/me"
		rmdir "$B/locks/x/b"
		sync "$A/locks/x"
		[ ! -e "$A/locks/x/b" ]
		exec 8>"$A/locks/x/me"
		fails "temporarily unavailable" \
			dd if=/dev/null of="$B/locks/x/b" oflag=nonblock
		exec 8>&-
		settled
	done
	# A child that is no contender, and a znode's own name.
	zk create /locks/x/stray
	[ -e "$A/locks/x/stray" ]
	zk delete /locks/x/stray
	[ ! -e "$A/locks/x/stray" ]
	exec 8>"$A/locks/x/me"
	[ -e "$A/locks/x/$(zk ls /locks/x | head -n 1)" ]
	exec 8>&-
	joined 0
}

@test "lock: O_NONBLOCK on a free lock takes it" {
	zk_mount A
	zk_mount B
	py '
mine = os.open(A[0] + "/locks/x/mine", O_WRONLY | O_CREAT | O_NONBLOCK)
for dir in A:
    expect("EAGAIN", os.open, dir + "/locks/x/try",
           O_WRONLY | O_CREAT | O_NONBLOCK)
os.close(mine)
if not within(5, lambda: err(os.open, A[1] + "/locks/x/try",
                             O_WRONLY | O_CREAT | O_NONBLOCK) == "OK"):
    sys.exit("not released")' "$A" "$B"
	joined 0
}

@test "lock: touch is a try and a release" {
	zk_mount A
	touch "$A/locks/x/n"
	joined 0
	exec 8>"$A/locks/x/me"
	before=$(zk stat /locks/x cversion)
	touch "$A/locks/x/n" || :
	is "$(zk stat /locks/x cversion)" "$before"
	exec 8>&-
	joined 0
}

# -- signals -----------------------------------------------------------------

# signal_times N PID: SIGUSR1, each time after the one before was taken.
signal_times() {
	local i

	for ((i = 0; i < $1; i++)); do
		kill -USR1 "$2"
		within 5 not_pending "$2"
	done
}

not_pending() {
	! grep -qE '^(SigPnd|ShdPnd):.*[2367abef]..$' "/proc/$1/status"
}

# end_jobs: what shells do not see as an error of theirs, and what every
# script with a background job has to expect.
end_jobs() {
	local i

	for i in 1 2 3; do
		echo >"job$i"
	done
}

# keeps_its_place INTERRUPT...: the waiter `two` against a third contender.
keeps_its_place() {
	local before
	joined 2
	contend three "$A/locks/x/three"
	joined 3
	before=$(zk ls /locks/x)
	"$@"
	stays_joined 3
	is "$(zk ls /locks/x)" "$before"
	release one
	order_is one two
	release two
	order_is one two three
	release three
	joined 0
	is "$(<two.err)" ""
}

start_shell() {
	mkfifo two.go job1 job2 job3
	"$@" -c 'trap : USR1
		for i in 1 2 3; do
			(read -r line <job$i) &
		done
		exec 9>"$1" || exit
		echo two >>granted
		read -r line <two.go || :' sh "$A/locks/x/two" \
		</dev/null 2>two.err 3>&- 4>&- &
	CONTENDER[two]=$!
}

# PEP 475: an open that was interrupted is tried again.
start_python() {
	mkfifo two.go
	/usr/bin/python3 -c '
from posix_calls import *
signal.signal(signal.SIGUSR1, lambda *_: None)
fd = os.open(A[0], O_WRONLY | O_CREAT)
with open("granted", "a") as file:
    file.write("two\n")
with open("two.go") as file:
    file.read()' "$A/locks/x/two" </dev/null 2>two.err 3>&- 4>&- &
	CONTENDER[two]=$!
}

@test "lock: a trap of bash keeps the place in the queue" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_shell bash
	keeps_its_place signal_times 5 "${CONTENDER[two]}"
}

@test "lock: the end of a job keeps the place of bash in the queue" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_shell bash
	keeps_its_place end_jobs
}

# (dash takes a trap for the end of its open.)
@test "lock: the end of a job keeps the place of dash in the queue" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_shell dash
	keeps_its_place end_jobs
}

@test "lock: a signal handled by python keeps the place in the queue" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_python
	keeps_its_place signal_times 5 "${CONTENDER[two]}"
}

# Its open ends with EINTR and is not tried again; the process lives on.
start_giving_up() {
	/usr/bin/python3 -c '
from posix_calls import *
class Interrupted(Exception):
    pass
def handler(*_):
    raise Interrupted
signal.signal(signal.SIGUSR1, handler)
try:
    os.open(A[0], O_WRONLY | O_CREAT)
except Interrupted:
    print("interrupted", flush=True)
signal.pause()' "$A/locks/x/two" </dev/null >two.out 2>two.err 3>&- 4>&- &
	CONTENDER[two]=$!
}

@test "lock: the place of who does not try again is kept for a second" {
	local since took
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_giving_up
	joined 2
	since=$(now)
	kill -USR1 "${CONTENDER[two]}"
	within 5 grep -q interrupted two.out
	joined 1 5
	took=$(($(now) - since))
	[ "$took" -ge 800 ] && [ "$took" -lt 3000 ] || fail "took $took ms"
	kill -0 "${CONTENDER[two]}"
	is "$(ls "$A/locks/x")" one
	release one
}

@test "lock: who gave up does not hold up those behind it" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_giving_up
	joined 2
	contend three "$A/locks/x/three"
	joined 3
	kill -USR1 "${CONTENDER[two]}"
	within 5 grep -q interrupted two.out
	# Its turn comes while its place is kept: nobody is there to take it.
	release one
	order_is one three
	release three
	joined 0
}

@test "lock: a waiter that is stopped steps aside, and joins anew" {
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	start_python
	joined 2
	kill -STOP "${CONTENDER[two]}"
	joined 1 5
	contend three "$A/locks/x/three"
	joined 2
	kill -CONT "${CONTENDER[two]}"
	joined 3
	release one
	order_is one three
	release three
	order_is one three two
	release two
	joined 0
}

@test "lock: timeout(1) ends a wait" {
	local status=0
	zk_mount A
	exec 8>"$A/locks/x/me"
	timeout 0.3 bash -c 'exec 9>"$1"' bash "$A/locks/x/late" 8>&- ||
		status=$?
	is "$status" 124
	joined 1 0.9
	exec 8>&-
}

# -- looking -----------------------------------------------------------------

@test "lock: an entry tells its state to who reads it, on every mount" {
	local dir text id='^token=0x[0-9a-f]{16} mode=exclusive '
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/one"
	order_is one
	contend two "$B/locks/x/two"
	joined 2
	for dir in "$A" "$B"; do
		text=$(timeout 5 cat "$dir/locks/x/one")
		[[ $text =~ ${id}state=held\  ]]
		has "$text" " host=$(uname -n) pid=${CONTENDER[one]} uid=0"
		has "$text" " comm=bash since=20"
		text=$(timeout 5 cat "$dir/locks/x/two")
		[[ $text =~ ${id}state=waiting\  ]]
		has "$text" " pid=${CONTENDER[two]} "
	done
	release one
	release two
}

@test "lock: scanners neither join nor wait" {
	local before
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/one"
	order_is one
	contend two "$A/locks/x/two"
	joined 2
	before=$(zk stat /locks/x)
	for dir in "$A" "$B"; do
		is "$(timeout 10 grep -rc mode=exclusive "$dir/locks" | sort)" \
			"$dir/locks/x/one:1
$dir/locks/x/two:1"
		timeout 10 find "$dir/locks" -type f -exec cat {} + >/dev/null
		timeout 10 tar -C "$dir" -cf - locks >/dev/null
		timeout 10 ls -lR "$dir/locks" >/dev/null
		timeout 10 cp -r "$dir/locks" copy
		has "$(<copy/x/two)" state=waiting
		rm -r copy
	done
	is "$(zk stat /locks/x)" "$before"
	is "$(order)" "one "
	release one
	release two
}

@test "lock: the token is the contender's czxid, and grows" {
	local dir token last=0 name
	zk_mount A
	zk_mount B
	for dir in "$A" "$B" "$A" "$B"; do
		exec 8<>"$dir/locks/x/me"
		read -r token _ <&8
		token=$((${token#token=}))
		[ "$token" -gt "$last" ]
		last=$token
		name=$(zk ls /locks/x | grep lock-)
		is "$(zk stat "/locks/x/$name" czxid)" "$token"
		has "$(cat "$A/locks/x/me")" \
			"$(printf 'token=0x%016x ' "$token")"
		exec 8>&-
		joined 0
	done
}

@test "lock: a note written to a held handle shows in its entry" {
	zk_mount A
	zk_mount B
	exec 8<>"$A/locks/x/me"
	echo "backup of db1" >&8
	has "$(cat "$B/locks/x/me")" " note=backup of db1"
	has "$(cat "$A/locks/x/me")" " note=backup of db1"
	has "$(cat <&8)" " note=backup of db1"
	echo 4711 >&8
	has "$(cat "$B/locks/x/me")" " note=4711"
	# Whatever it says, it stays one line.
	py 'os.write(8, b"a\nb\033\n")'
	is "$(wc -l <"$B/locks/x/me")" 1
	has "$(cat "$B/locks/x/me")" " note=a b?"
	has "$(py 'print(os.pread(8, 999, 0))')" " note=a b?"
	py 'same(err(os.write, 8, bytes(4097)), "EFBIG")'
	# What goes on with a line is no note of its own.
	printf 'step ' >&8
	printf '3 ' >&8
	echo of 7 >&8
	has "$(cat "$B/locks/x/me")" " note=step 3 of 7"
	echo "step 4" >&8
	has "$(cat "$B/locks/x/me")" " note=step 4"
	exec 8>&-
	joined 0
}

@test "lock: closing it does not wait for the daemon" {
	zk_mount A
	exec 8>"$A/locks/x/me"
	kill -STOP "${MOUNT_PID[A]}"
	within 10 grep -q "^State:.T" "/proc/${MOUNT_PID[A]}/task/"*/status
	PY_LIMIT=5 py 'os.close(8)' || fail "close waits"
	kill -CONT "${MOUNT_PID[A]}"
	exec 8>&-
	joined 0
}

@test "lock: an entry has attributes, and setting them changes nothing" {
	zk_mount A
	exec 8>"$A/locks/x/me"
	is "$(stat -c %F "$A/locks/x/me")" "regular empty file"
	before=$(zk stat /locks/x)
	chmod 600 "$A/locks/x/me"
	is "$(zk stat /locks/x)" "$before"
	exec 8>&-
}

# -- names -------------------------------------------------------------------

@test "lock: a contender is three names, made in one transaction" {
	local names name uuid n=0 first czxid owner last=
	zk_mount A
	exec 8>"$A/locks/x/night.1"
	uuid='[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}'
	uuid+='-[0-9a-f]{12}'
	mapfile -t names < <(zk ls /locks/x | sed -E 's/(.*)(.{10})/\2 &/' |
		sort | cut -d ' ' -f 2)
	is "${#names[@]}" 3
	[[ ${names[0]} =~ ^_c_${uuid}-.*\.$$\.night\.1-lock-[0-9]{10}$ ]]
	[[ ${names[1]} =~ ^_c_${uuid}-kazoo__lock__[0-9]{10}$ ]]
	[[ ${names[2]} =~ ^_c_${uuid}-__WRIT__[0-9]{10}$ ]]
	first=$((10#${names[0]: -10}))
	czxid=$(zk stat "/locks/x/${names[0]}" czxid)
	for name in "${names[@]}"; do
		is "$((10#${name: -10}))" "$((first + n))"
		n=$((n + 1))
		is "$(zk stat "/locks/x/$name" czxid)" "$czxid"
		owner=$(zk stat "/locks/x/$name" ephemeralOwner)
		is "$(printf 0x%x "$owner")" "${MOUNT_SESSION[A]}"
		is "${name:0:40}" "${last:-${name:0:40}}"
		last=${name:0:40}
	done
	is "$(ls "$A/locks/x")" night.1
	exec 8>&-
	joined 0
}

@test "lock: -o locknames= cuts the names down" {
	zk_mount A locknames=curator
	exec 8>"$A/locks/x/me"
	is "$(zk ls /locks/x | wc -l)" 1
	has "$(zk ls /locks/x)" .me-lock-
	exec 8>&-
	joined 0
}

@test "lock: a foreign child with a sequence number goes first" {
	local name
	zk_mount A
	for name in foo-0000000000 item0000000000 \
		"0123456789abcdef0123456789abcdef__lock__0000000000" \
		x-144115188075855873-0000000000; do
		: >granted
		rm -f me.*
		zk ephemeral "/locks/x/$name" who
		py 'expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT |
		O_NONBLOCK)' "$A/locks/x/try"
		is "$(ls "$A/locks/x")" "$name"
		has "$(cat "$A/locks/x/$name")" "state=held who"
		contend me "$A/locks/x/me"
		zk await_children /locks/x 4 10
		is "$(order)" ""
		has "$(cat "$A/locks/x/me")" state=waiting
		zk delete "/locks/x/$name"
		order_is me
		release me
		joined 0
	done
}

@test "lock: a foreign child behind us waits for us" {
	zk_mount A
	exec 8>"$A/locks/x/me"
	zk sequential /locks/x/foo-
	has "$(cat "$A/locks/x/me")" state=held
	has "$(cat "$A"/locks/x/foo-*)" state=waiting
	exec 8>&-
}

@test "lock: children without a sequence number count for nothing" {
	local name
	zk_mount A
	for name in README 0 lock foo-123 x-lock- 00000000000x; do
		zk create "/locks/x/$name" text
	done
	exec 8>"$A/locks/x/me"
	has "$(cat "$A/locks/x/me")" state=held
	# They are shown, and can be read and removed.
	has "$(cat "$A/locks/x/README")" text
	is "$(ls "$A/locks/x" | wc -l)" 7
	for name in README 0 lock foo-123 x-lock- 00000000000x; do
		rm "$A/locks/x/$name"
	done
	joined 1
	exec 8>&-
}

@test "lock: nothing else can be made in a lock" {
	zk create /f data
	zk create /d
	zk_mount A
	py '
x = A[0] + "/locks/x/"
new = O_WRONLY | O_CREAT
expect("EPERM", os.symlink, "target", x + "l")
expect("EPERM", os.link, A[0] + "/f", x + "f")
expect("EPERM", os.rename, A[0] + "/f", x + "f")
expect("EPERM", os.rename, A[0] + "/d", x + "d")
expect("EPERM", os.mkfifo, x + "p")
expect("EPERM", os.open, x + ".x", new)
expect("EPERM", os.open, x + ".lock.swp", new)
for name in ("a__READ__", "__WRIT__b", "lock-", "my-lock-1", "a__lock__",
             "a__rlock__", "a\tb", b"\xff"):
    expect("EINVAL", os.open, os.fsencode(x) + os.fsencode(name), new)
expect("ENAMETOOLONG", os.open, x + "n" * 129, new)
expect("ENAMETOOLONG", os.open, x + "n" * 256, new)
os.close(os.open(x + "n" * 128, new))
fd = os.open(x + "held", new)
expect("EPERM", os.rename, x + "held", A[0] + "/away")
expect("EPERM", os.rename, x + "held", x + "other")
expect("ENOTDIR", os.rmdir, x + "held")
os.close(fd)
' "$A"
	fails "not permitted" mkdir -p "$A/locks/x/y/z"
	rmdir "$A/locks/x/y"
	fails "not permitted" touch "$A/locks/x/.x"
	fails "not permitted" mv "$A/f" "$A/locks/x/"
	fails "not permitted" ln -s f "$A/locks/x/f"
	joined 0
	is "$(zk get /f)" data
	zk exists /d
}

@test "lock: a name that is made and never opened fades" {
	zk_mount A
	before=$(zk stat /locks/x)
	py 'os.mknod(A[0], 0o100600)' "$A/locks/x/never"
	is "$(ls "$A/locks/x")" ""
	within 10 test ! -e "$A/locks/x/never"
	is "$(zk stat /locks/x)" "$before"
}

# -- others ------------------------------------------------------------------

# by_open FILE ROUNDS
by_open() {
	local i

	for ((i = 0; i < $2; i++)); do
		exec 9>"$1" || return 1
		critical
		exec 9>&-
	done
}

@test "lock: stock kazoo locks exclude ours and are excluded" {
	zk_mount A
	zk_mount B
	start_section
	work by_open "$A/locks/x/a" 40
	work by_kazoo one 40
	work by_open "$B/locks/x/b" 40
	work by_kazoo two 40
	finish_section
	is "$(<overlaps)" ""
	is "$(<counter)" 160
	joined 0
}

@test "lock: what does not take the lock is caught by that test" {
	zk_mount A
	start_section
	work by_kazoo one 3
	work without_lock
	work without_lock
	within 30 test -s overlaps
	finish_section
}

@test "lock: kazoo waits for ours, and ours for kazoo's" {
	zk_mount A
	exec 8>"$A/locks/x/me"
	fails "not acquired" zk lock /locks/x 0
	exec 8>&-
	zk lock /locks/x 10
	py 'expect("EAGAIN", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)' \
		"$A/locks/x/me"
	contend me "$A/locks/x/me"
	zk await_children /locks/x 4 10
	is "$(order)" ""
	zk unlock /locks/x
	order_is me
	release me
}

@test "lock: two hundred waiters over two mounts get it once each" {
	limit 120
	local i dir pids=() threads
	zk_mount A
	zk_mount B
	threads=$(grep ^Threads: "/proc/${MOUNT_PID[A]}/status")
	contend first "$A/locks/x/first"
	order_is first
	for ((i = 0; i < 200; i++)); do
		dir=$A
		[ $((i % 2)) = 0 ] || dir=$B
		bash -c 'exec 9>"$1" || exit
			(set -C && : >marker) || echo overlap >>overlaps
			echo "${1##*/}" >>granted
			rm marker' bash "$dir/locks/x/w$i" 3>&- 4>&- &
		pids+=($!)
	done
	joined 201 60
	# No thread for them (the loop, the notifier, and what is a sanitizer's).
	for dir in A B; do
		grep -qx "$threads" "/proc/${MOUNT_PID[$dir]}/status"
	done
	# The mount serves others all the while.
	echo data >"$A/file"
	is "$(<"$B/file")" data
	is "$(ls "$A/locks/x" | wc -l)" 201
	release first
	for i in "${pids[@]}"; do
		wait "$i"
	done
	[ ! -e overlaps ]
	is "$(tail -n +2 granted | sort)" \
		"$(printf 'w%d\n' {0..199} | sort)"
	joined 0
}

@test "lock: an open that waits blocks nobody else in its directory" {
	local since
	zk_mount A
	contend one "$A/locks/x/one"
	order_is one
	contend two "$A/locks/x/two"
	joined 2
	since=$(now)
	is "$(timeout 10 ls "$A/locks/x" | tr '\n' ' ')" "one two "
	timeout 10 stat "$A/locks/x" "$A/locks/x/two" >/dev/null
	timeout 10 test ! -e "$A/locks/x/nobody"
	timeout 10 touch "$A/locks/x/try" || :
	timeout 10 mkdir "$A/locks/y"
	fails "File exists" timeout 10 mkdir "$A/locks/x/d"
	fails "not permitted" timeout 10 mv "$A/locks/x/one" "$A/locks/x/three"
	timeout 10 rm "$A/locks/x/two"
	[ $(($(now) - since)) -lt 5000 ]
	release one
}

# -- loss --------------------------------------------------------------------

@test "lock: the lock of a daemon that is killed goes to the next" {
	local id
	zk_mount A session_timeout=0.8
	zk_mount B
	exec 8>"$A/locks/x/me"
	contend two "$B/locks/x/two"
	joined 2
	id=${MOUNT_SESSION[A]}
	zk_crash A
	py 'same(err(os.write, 8, b"x"), "ENOTCONN")'
	# Not before the session is over, which nobody could close.
	order_is two
	within 15 zk_session_gone "$id"
	joined 1
	exec 8>&-
	umount -l "$A"
	release two
}

# Not the test's shell: each child of it that ends flushes the handle, which
# waits for a daemon that is stopped.
start_told() {
	mkfifo told.go
	/usr/bin/python3 -c '
from posix_calls import *
fd = os.open(A[0], O_RDWR | O_CREAT)
with open("granted", "a") as file:
    file.write("told\n")
for _ in range(2):
    with open("told.go") as file:
        file.read()
    same(err(os.write, fd, b"x"), "EIO")
    same(err(os.pread, fd, 99, 0), "EIO")
    same(err(os.fsync, fd), "EIO")
    print("EIO", flush=True)' "$A/locks/x/told" </dev/null >told.out 2>&1 \
		3>&- 4>&- &
	CONTENDER[told]=$!
}

@test "lock: a holder whose session expires is told EIO, so are its waiters" {
	local id
	zk_mount A session_timeout=0.8
	zk_mount B
	start_told
	order_is told
	contend theirs "$B/locks/x/theirs"
	joined 2
	contend mine "$A/locks/x/mine"
	joined 3
	id=${MOUNT_SESSION[A]}
	kill -STOP "${MOUNT_PID[A]}"
	order_is told theirs
	within 15 zk_session_gone "$id"
	joined 1
	kill -CONT "${MOUNT_PID[A]}"
	within 10 contender_exits mine
	has "$(<mine.err)" "Input/output error"
	echo >told.go
	within 5 grep -q EIO told.out
	is "$(order)" "told theirs "
	# For ever, also while the mount goes on with a new session.
	contend again "$A/locks/x/again"
	joined 2
	release theirs
	order_is told theirs again
	release told
	is "$(<told.out)" $'EIO\nEIO'
	has "$(cat "$A/locks/x/again")" state=held
	release again
	joined 0
}

@test "lock: a daemon that was stopped grants nothing of an old session" {
	local id
	zk_mount A session_timeout=0.8
	zk_mount B
	start_told
	order_is told
	contend mine "$A/locks/x/mine"
	joined 2
	contend theirs "$B/locks/x/theirs"
	joined 3
	id=${MOUNT_SESSION[A]}
	kill -STOP "${MOUNT_PID[A]}"
	order_is told theirs
	within 15 zk_session_gone "$id"
	# What A hears first is that `told` has gone, of whom `mine` was next.
	kill -CONT "${MOUNT_PID[A]}"
	within 10 contender_exits mine
	has "$(<mine.err)" "Input/output error"
	is "$(order)" "told theirs "
	echo >told.go
	within 5 grep -q EIO told.out
	release told
	release theirs
	joined 0
}

@test "lock: a contender deleted by an administrator is lost" {
	local name
	zk_mount A
	exec 8<>"$A/locks/x/me"
	name=$(zk ls /locks/x | grep lock-)
	zk delete "/locks/x/$name"
	py 'if not within(5, lambda: err(os.write, 8, b"x") == "EIO"):
    sys.exit("the holder was not told")'
	# Its other names go too: a lock half held hangs other clients.
	joined 0
	contend two "$A/locks/x/two"
	order_is two
	exec 8>&-
	release two
}

@test "lock: a lock that is removed under its holder is lost" {
	zk_mount A
	exec 8<>"$A/locks/x/me"
	zk rmr /locks/x
	py 'if not within(5, lambda: err(os.write, 8, b"x") == "EIO"):
    sys.exit("the holder was not told")'
	exec 8>&-
	fails "No such file" ls "$A/locks/x"
	fails "no node" zk exists /locks/x
}

@test "lock: without the right to join there is no lock, and no wait" {
	zk protect /locks/x world anyone read
	zk_mount A
	py 'expect("EACCES", os.open, A[0], O_WRONLY | O_CREAT)
expect("EACCES", os.open, A[0], O_WRONLY | O_CREAT | O_NONBLOCK)
' "$A/locks/x/me"
	is "$(ls -A "$A/locks/x")" ""
	is "$(zk ls /locks/x)" ""
}

@test "lock: unmounting releases it at once" {
	local since
	zk_mount A
	zk_mount B
	contend one "$A/locks/x/one"
	order_is one
	contend two "$B/locks/x/two"
	joined 2
	since=$(now)
	kill -TERM "${MOUNT_PID[A]}"
	order_is one two
	[ $(($(now) - since)) -lt 3000 ]
	daemon_ends A
	release one
	release two
}

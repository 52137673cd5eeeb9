#!/usr/bin/env bats
# LOCK/.queue: who holds a lock and who waits for it, as a table.

load lib
load proxy

COLUMNS_OF_QUEUE="pos mode state token session host pid user command since entry"

setup() {
	e2e_setup
	zk create /locks/x
}

# queue MOUNT COLUMN...: these columns, without the titles.
queue() {
	local file=$1/locks/x/.queue wanted

	shift
	wanted=" $* "
	timeout 20 cat "$file" | awk -v wanted="$wanted" '
	NF != 11 { exit 1 }
	NR == 1 { for (i = 1; i <= NF; i++) title[i] = $i; next }
	{
		line = ""
		for (i = 1; i <= NF; i++)
			if (index(wanted, " " title[i] " "))
				line = line (line == "" ? "" : " ") $i
		print line
	}'
}

# in_queue COUNT: so many names are in the lock.
in_queue() {
	zk await_children /locks/x "$1" 10 >/dev/null
}

# waits FILE: a process that opens it for writing.
waits() {
	bash -c 'exec 9>"$1"; read -r <>"$2"' bash "$1" "$E2E_IDLE" \
		3>&- 4>&- 8>&- </dev/null 2>/dev/null &
}

# The one child of the lock whose name has this in it.
znode() {
	zk ls /locks/x | grep -e "$1"
}

hex() {
	printf "0x%x\n" "$(zk stat "/locks/x/$1" "$2")"
}

@test "queue: of a free lock it is the titles alone" {
	zk_mount A
	is "$(cat "$A/locks/x/.queue")" "$COLUMNS_OF_QUEUE"
	is "$(ls -A "$A/locks/x")" ""
}

@test "queue: it tells who holds and who waits, on every mount" {
	local dir name waiter
	zk_mount A
	zk_mount B
	exec 8>"$A/locks/x/holder"
	in_queue 3
	waits "$B/locks/x/waiter"
	waiter=$!
	in_queue 6
	for dir in "$A" "$B"; do
		is "$(queue "$dir" pos mode state entry)" \
			"1 exclusive held holder
2 exclusive waiting waiter"
		is "$(queue "$dir" host user command)" "$(uname -n) 0 bash
$(uname -n) 0 bash"
		is "$(queue "$dir" pid)" "$$
$waiter"
		is "$(queue "$dir" session)" "${MOUNT_SESSION[A]}
${MOUNT_SESSION[B]}"
		is "$(queue "$dir" token)" "$(
			for name in holder waiter; do
				printf '0x%016x\n' "$(zk stat \
					"/locks/x/$(znode ".$name-lock")" \
					czxid)"
			done
		)"
		for name in holder waiter; do
			has "$(cat "$dir/locks/x/$name")" "since=$(
				queue "$dir" since entry |
					awk -v n="$name" '$2 == n { print $1 }'
			)"
		done
	done
	exec 8>&-
	within 10 eval '[ "$(queue "$A" state)" = held ]'
	is "$(queue "$A" pos entry)" "1 waiter"
}

@test "queue: several shared ones hold, and those behind a writer wait" {
	zk_mount A
	exec 7<"$A/locks/x/.lock"
	exec 8<"$A/locks/x/.lock"
	flock -s 7
	flock -s 8
	waits "$A/locks/x/writer"
	in_queue 7
	flock -s "$A/locks/x/.lock" true 3>&- 4>&- 7>&- 8>&- &
	in_queue 9
	is "$(queue "$A" pos mode state)" "1 shared held
2 shared held
3 exclusive waiting
4 shared waiting"
	is "$(queue "$A" user command)" "$(printf '0 %s\n' flock flock bash flock)"
	# Shared names on the wire say nothing of who it is.
	has "$(queue "$A" entry | head -n 1)" __READ__
	exec 7>&- 8>&-
}

@test "queue: a lock of mkdir is there, with the process that made it" {
	local pid
	zk_mount A
	mkdir "$A/locks/x/me" &
	pid=$!
	wait "$pid"
	is "$(queue "$A" pos mode state pid command entry)" \
		"1 exclusive held $pid mkdir me"
	rmdir "$A/locks/x/me"
	is "$(queue "$A")" ""
}

@test "queue: other clients, and children that are no contenders" {
	zk_mount A
	zk ephemeral /locks/x/_c_1-lock-0000000000 10.0.0.7
	zk create /locks/x/README "do not touch"
	zk create "/locks/x/a b"
	waits "$A/locks/x/me"
	in_queue 6
	queue "$A" pos mode state host pid user command entry >table
	is "$(head -n 2 table)" \
		"1 exclusive held 10.0.0.7 - - - _c_1-lock-0000000000
2 exclusive waiting $(uname -n) $! 0 bash me"
	is "$(tail -n +3 table | sort)" "- - - - - - - a_b
- - - do_not_touch - - - README"
	is "$(queue "$A" session entry | grep README)" "0x0 README"
	is "$(queue "$A" session | head -n 1)" \
		"$(hex _c_1-lock-0000000000 ephemeralOwner)"
	[[ $(queue "$A" since | head -n 1) =~ ^20..-..-..T..:..:..Z$ ]]
}

@test "queue: a contender that may not be read is there" {
	zk_mount A
	zk ephemeral /locks/x/foo-0000000000 secret
	zk protect /locks/x/foo-0000000000 digest \
		"u:$(printf 'u:p' | openssl sha1 -binary | base64)" read
	is "$(queue "$A" pos mode state token host entry)" \
		"1 exclusive held - - foo-0000000000"
}

@test "queue: the columns stand below each other" {
	local at
	zk_mount A
	exec 8>"$A/locks/x/me"
	waits "$A/locks/x/a-much-longer-name"
	in_queue 6
	cat "$A/locks/x/.queue" >table
	is "$(wc -l <table)" 3
	# Where a title begins, a blank stands before in each line.
	for word in mode state token session host pid user command since entry; do
		at=$(head -n 1 table | awk -v w=" $word" '{ print index($0, w) }')
		is "$(cut -c "$at" table | sort -u)" " " "before $word"
		[[ $(cut -c "$((at + 1))" table | tr -d '\n') == *[!\ ]* ]]
	done
	exec 8>&-
}

@test "queue: what was opened is what is read, in any way" {
	zk_mount A
	exec 8>"$A/locks/x/me"
	exec 7<"$A/locks/x/.queue"
	exec 8>&-
	within 10 eval '[ -z "$(queue "$A" pos)" ]'
	has "$(cat <&7)" " me"
	exec 7<&-
	exec 8>"$A/locks/x/me"
	cat "$A/locks/x/.queue" >table
	is "$(tail -n 1 "$A/locks/x/.queue")" "$(tail -n 1 table)"
	is "$(tail -c 20 "$A/locks/x/.queue")" "$(tail -c 20 table)"
	is "$(head -n 1 "$A/locks/x/.queue")" "$(head -n 1 table)"
	is "$(dd if="$A/locks/x/.queue" bs=7 status=none)" "$(<table)"
	is "$(grep -c held "$A/locks/x/.queue")" 1
	cp "$A/locks/x/.queue" copy
	cmp table copy
	py 'fd = os.open(A[0], O_RDONLY)
text = builtins.open("table", "rb").read()
same(os.pread(fd, 9, 5), text[5:14])
same(os.pread(fd, 9999, 0), text)
same(os.pread(fd, 9, len(text)), b"")' "$A/locks/x/.queue"
	exec 8>&-
}

@test "queue: it is neither written, made, moved nor removed" {
	zk_mount A
	py '
x = A[0] + "/locks/x/"
for flags in O_WRONLY, O_RDWR, O_WRONLY | O_CREAT, O_WRONLY | O_TRUNC:
    expect("EACCES", os.open, x + ".queue", flags)
expect("EEXIST", os.open, x + ".queue", O_WRONLY | O_CREAT | O_EXCL)
expect("EEXIST", os.mkdir, x + ".queue")
expect("EPERM", os.unlink, x + ".queue")
expect("ENOTDIR", os.rmdir, x + ".queue")
expect("EPERM", os.rename, x + ".queue", x + "q")
same(stat.S_IMODE(os.stat(x + ".queue").st_mode) & 0o222, 0)
same(os.listdir(x), [])
# Nor is it anywhere else.
expect("ENOENT", os.open, A[0] + "/locks/.queue", O_RDONLY)
expect("ENOENT", os.open, A[0] + "/.queue", O_RDONLY)
' "$A"
	is "$(zk ls /locks/x)" ""
}

@test "queue: looking at it changes nothing, and joins nothing" {
	local before
	zk_mount A
	exec 8>"$A/locks/x/me"
	before=$(zk stat /locks/x)
	queue "$A" pos
	is "$(zk stat /locks/x)" "$before"
	exec 8>&-
}

@test "queue: there is none of a lock that is gone" {
	zk_mount A
	cd "$A/locks/x"
	zk rmr /locks/x
	fails "" cat .queue
	cd "$BATS_TEST_TMPDIR"
	fails "No such file" cat "$A/locks/x/.queue"
}

@test "queue: two thousand who wait" {
	limit 120
	zk_mount A
	zk sequentials /locks/x/foo- 2000
	is "$(queue "$A" state | sort | uniq -c | tr -s ' ')" " 1 held
 1999 waiting"
	is "$(queue "$A" pos)" "$(seq 2000)"
	queue "$A" entry | sort -cu
}

@test "queue: what goes while it is read is left out" {
	local i
	zk_mount A
	exec 8>"$A/locks/x/me"
	zk churn /locks/x 300
	for ((i = 0; i < 30; i++)); do
		timeout 20 cat "$A/locks/x/.queue" >table
		is "$(awk 'NF != 11 || $4 == "-"' table)" ""
		is "$(awk '$1 == 1 { print $3, $11 }' table)" "held me"
	done
	[ "$(zk unchurn /locks/x)" -gt 1 ]
	exec 8>&-
}

@test "queue: an open of it waits for a server, and can be interrupted" {
	local pid
	mount_by_proxy timeo=2
	zk sequentials /locks/x/foo- 200
	cd "$A/locks/x"
	is "$(queue "$A" pos | wc -l)" 200
	kill -STOP "$PROXY"
	fails "timed out" timeout 10 cat .queue
	cat .queue >/dev/null 2>&1 3>&- 4>&- &
	pid=$!
	within 5 waits_in_fuse "$pid"
	kill -KILL "$pid"
	wait "$pid" || is "$(kill -l $?)" KILL
	kill -CONT "$PROXY"
	within 10 ls . >/dev/null
	is "$(queue "$A" pos | wc -l)" 200
	cd "$BATS_TEST_TMPDIR"
}

# Whether a process waits for the answer to a request of its own.
waits_in_fuse() {
	[ "$(cat "/proc/$1/wchan" 2>/dev/null)" = request_wait_answer ]
}

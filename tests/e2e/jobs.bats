#!/usr/bin/env bats
# The jobs of zkfs-jobs(7), as a user copies them from there, on two mounts that
# stand for two hosts. What each promises is asked of ZooKeeper itself or of the
# other mount; where that is the point, so is what goes wrong without it.

load lib

PAGE=$E2E_TOP/packaging/man/zkfs-jobs.7
JOBS=$E2E_DIR/jobs

setup() {
	e2e_setup
	PATH=$ZKFS_BUILD:$JOBS:$PATH
	zk create /locks
	zk create /app
	zk_mount A inotify
	zk_mount B inotify
}

# on MOUNT COMMAND...: on that host.
on() {
	Z=${MOUNT_DIR[$1]} timeout 50 "${@:2}"
}

# at_once CALL...: all at the same time; each must succeed.
at_once() {
	local call pids=() pid

	for call in "$@"; do
		# The words of a call have no blanks in them.
		# shellcheck disable=SC2086
		$call 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}

# Whether the lock has so many contenders, by what ZooKeeper has of them.
contenders() {
	local n

	n=$(zk ls "/locks/$1" 2>/dev/null | grep -c -- '-lock-') || :
	[ "$n" = "$2" ]
}

# A program in PATH that is called as NAME, with the text on standard input.
program() {
	mkdir -p bin
	PATH=$PWD/bin:$PATH
	cat >"bin/$1"
	chmod +x "bin/$1"
}

says() {
	grep -qxF -- "$2" "$1"
}

example_names() {
	sed -n 's/^\.\\" example //p' "$PAGE" | sort
}

example() {
	awk -v name="$1" '
		/^\.\\" example/ { mine = $3 == name; next }
		/^\.Bd/ { inside = mine; next }
		/^\.Ed/ { inside = mine = 0 }
		inside { gsub(/\\&/, ""); gsub(/\\e/, "\\"); print }' "$PAGE"
}

@test "jobs: the manual shows what is run here" {
	local name
	is "$(example_names)" "$(LC_ALL=C ls "$JOBS" | sort)"
	for name in $(example_names); do
		# All behind the comment at the top.
		sed '1,/^$/d' "$JOBS/$name" | diff - <(example "$name") ||
			fail "of $name"
		grep -qE "^@test .*|(^|[ \"|(])$name( |\$)" \
			"$BATS_TEST_FILENAME" || fail "$name is not run"
	done
}

# -- locks -------------------------------------------------------------------

@test "jobs: once: one host does it, and its status is the command's" {
	program report <<-'END'
		#!/bin/sh
		echo "$Z" >>ran
		exit "$(cat status)"
	END
	# What goes wrong without: clocks differ, and the second comes later.
	echo 0 >status
	on A zkfs-lock -n -E 0 "$A/locks/nightly" report
	on B zkfs-lock -n -E 0 "$B/locks/nightly" report
	is "$(wc -l <ran)" 2
	# It fails, and the next host tries.
	echo 7 >status
	: >ran
	run -7 on A once report
	is "$(<ran)" "$A"
	run ! zk exists /app/nightly.done
	echo 0 >status
	: >ran
	at_once "on A once report" "on B once report"
	on B once report
	is "$(wc -l <ran)" 1
	is "$(zk get /app/nightly.done)" "$(date +%F)"
	contenders nightly 0
}

@test "jobs: hold: until the shell ends, however it does" {
	local holder
	zk create /locks/deploy
	mkfifo go
	Z=$A hold cat go >held 9>&- &
	holder=$!
	within 20 grep -q 'alone, with token=0x' held
	contenders deploy 1
	Z=$B hold echo mine >next &
	within 20 contenders deploy 2
	[ ! -s next ]
	# Its child goes on, and does not hold what it got no descriptor of.
	kill -KILL "$holder"
	within 20 says next mine
	wait $!
	# What goes wrong otherwise.
	# shellcheck disable=SC2016 # the shell's
	Z=$A bash -c 'exec 9<>"$Z/locks/deploy/x"; cat go & kill -KILL $$' || :
	within 20 contenders deploy 1
	grep -q held "$B/locks/deploy/.queue"
	echo >go
	within 20 contenders deploy 0
}

@test "jobs: guarded: the command is ended when the lock is lost" {
	local job status=0
	# flock(1) never looks again.
	zk create /locks/import
	mkfifo go
	flock "$A/locks/import/.lock" sh -c 'echo up >flocked; cat go; echo on >flocked' &
	within 20 says flocked up
	break_lock
	Z=$B zkfs-lock "$B/locks/import" true
	echo >go
	wait $!
	says flocked on
	# This does.
	Z=$A guarded sh -c 'echo up >guarded; cat go; echo on >guarded' 2>told &
	job=$!
	within 20 says guarded up
	break_lock
	wait "$job" || status=$?
	is "$status" 75
	has "$(<told)" "lost the lock; the import is stopped"
	says guarded up
	run -3 on B guarded sh -c 'exit 3'
}

# By the other host.
break_lock() {
	rm "$B/locks/import/$(ls "$B/locks/import")"
}

@test "jobs: who: holds it and who waits" {
	zk create /locks/nightly
	exec 8>"$A/locks/nightly/a"
	sleep 100 8>"$B/locks/nightly/b" &
	within 20 contenders nightly 2
	run -0 on A who
	is "${#lines[@]}" 2
	[[ ${lines[0]} =~ ^held:\ bash,\ pid\ $BASHPID\ of\ .+,\ since\ 20 ]] ||
		[[ ${lines[0]} =~ ^held:\ bash,\ pid\ [0-9]+\ of ]] ||
		fail "$output"
	[[ ${lines[1]} == "waiting: "*"pid $! of"* ]] || fail "$output"
	exec 8>&-
	within 20 first_is_held
}

first_is_held() {
	[[ $(on B who) == "held: "* ]]
}

@test "jobs: leader: one at a time, and another when it ends" {
	local daemon
	program daemon <<-'END'
		#!/bin/sh
		echo "$Z $$ $ZKFS_LOCK_TOKEN" >>led
		exec sleep 100
	END
	: >led
	Z=$A leader daemon &
	Z=$B leader daemon &
	within 20 contenders leader 2
	is "$(wc -l <led)" 1
	read -r _ daemon _ <led
	kill -KILL "$daemon"
	within 20 ruled 2
	# The lock is taken away from whoever has it.
	read -r _ daemon _ < <(tail -n 1 led)
	rm "$(leader_entry)"
	within 20 ruled 3
	run ! kill -0 "$daemon"
	# Later ones have larger tokens.
	sort -c -k 3 led
}

ruled() {
	[ "$(wc -l <led)" = "$1" ]
}

leader_entry() {
	awk -v dir="$B/locks/leader" '$3 == "held" { print dir "/" $11 }' \
		"$B/locks/leader/.queue"
}

# -- configuration -----------------------------------------------------------

@test "jobs: config: a setting, its default, and an error" {
	zk create /app/conf "workers = 4"
	is "$(on A config)" 4
	zk set /app/conf "mode = a"
	is "$(on A config)" 1
	zk protect /app/conf world anyone write create delete admin
	# Not on A, which has it in its cache: nobody is told of an ACL.
	run ! on B config
	has "$output" "Permission denied"
	# What goes wrong without: the default, by mistake.
	# shellcheck disable=SC2016 # sh's
	is "$(on B sh -c 'w=$(sed -n "s/^workers = //p" "$Z/app/conf"); echo ${w:-1}' \
		2>&1)" "sed: can't read $B/app/conf: Permission denied"$'\n1'
}

@test "jobs: watch.py: each change is read, without inotify" {
	zk create /app/conf.json '{"workers": 1}'
	Z=$A watch.py >seen &
	within 20 says seen "workers 1"
	zk set /app/conf.json '{"workers": 2}'
	within 20 says seen "workers 2"
	echo '{"workers": 3}' >"$B/app/conf.json"
	within 20 says seen "workers 3"
	echo '{"workers": 4}' >"$A/app/conf.json"
	within 20 says seen "workers 4"
	is "$(tr -d '\n' <seen)" "workers 1workers 2workers 3workers 4"
}

# Answers of the server under test.
ask() {
	local fd

	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return
	printf 'GET / HTTP/1.0\r\n\r\n' >&"$fd"
	timeout 10 tail -n 1 <&"$fd"
	exec {fd}>&-
}

answers() {
	[ "$(ask 2>/dev/null)" = "$1" ]
}

@test "jobs: reload-nginx: includes of the mount, reloaded, if they are right" {
	local port nginx
	nginx=$(PATH=$PATH:/usr/sbin:$E2E_TOP/build-tools/usr/sbin command -v nginx) ||
		skip "no nginx"
	port=$(py 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >nginx.conf <<-END
		pid $PWD/nginx.pid;
		error_log $PWD/nginx.log;
		events {}
		http {
			access_log off;
			client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2;
			fastcgi_temp_path $PWD/t3; uwsgi_temp_path $PWD/t4;
			scgi_temp_path $PWD/t5;
			server { listen 127.0.0.1:$port; include $A/nginx/*.conf; }
		}
	END
	program nginx <<-END
		#!/bin/sh
		exec "$nginx" -p "$PWD" -e "$PWD/nginx.log" -c "$PWD/nginx.conf" "\$@"
	END
	zk create /nginx/a.conf 'location / { return 200 "one"; }'
	nginx 3>&- 4>&-
	within 20 answers one
	Z=$A reload-nginx >reload.log 2>&1 3>&- 4>&- &
	within 20 listens_to "$A/nginx"
	# From the other host.
	echo 'location / { return 200 "two"; }' >"$B/nginx/a.conf"
	within 20 answers two
	zk set /nginx/a.conf 'location / { return 200 "three"; } oops'
	within 20 grep -q 'test failed' reload.log
	answers two
	zk set /nginx/a.conf 'location / { return 200 "four"; }'
	within 20 answers four
	nginx -s quit
	within 20 gone "$PWD/nginx.pid"
}

gone() {
	[ ! -e "$1" ]
}

# Whether an inotify instance has a watch on it, and the mount has looked around.
listens_to() {
	local ino

	printf -v ino %x "$(stat -c %i "$1")"
	grep -qsE "^inotify .*ino:$ino " /proc/[0-9]*/fdinfo/* &&
		grep -qx 'zkfs_observed_names_due 0' "$A/.zkfs/metrics"
}

# What changes while entr runs its command is not told, by entr itself: each
# change is made again until it is.
changes_to() {
	says seen "$1" && return
	"${@:2}"
	read -rt 1 <>"$E2E_IDLE" || :
	says seen "$1"
}

by_rename() {
	printf '%s' "$1" >"$B/app/new"
	mv "$B/app/new" "$B/app/conf"
}

@test "jobs: reload-entr: what another host changes, replaces, too" {
	command -v entr >/dev/null || skip "no entr"
	zk create /app/conf one
	program reload <<-'END'
		#!/bin/sh
		cat "$Z/app/conf" >>seen
		echo >>seen
	END
	Z=$A reload-entr reload </dev/null &
	# At its start, so that it misses nothing that was before.
	within 20 says seen one
	within 20 changes_to two zk set /app/conf two
	within 20 changes_to three by_rename three
	within 20 changes_to four zk set /app/conf four
}

# What systemd asks inotify for: PathChanged= of systemd.path(5), src/core/path.c.
PATH_CHANGED=delete_self,move_self,attrib,close_write,create,delete,move

@test "jobs: a path unit hears of what another host does" {
	zk create /app/conf one
	inotifywait -mq -e "$PATH_CHANGED" "$A/app/conf" >heard 2>&1 3>&- &
	within 20 listens_to "$A/app/conf"
	zk set /app/conf two
	within 20 grep -q CLOSE_WRITE heard
	zk delete /app/conf
	within 20 grep -q DELETE_SELF heard
}

@test "jobs: follow: what others append, and the file that comes after it" {
	zk create /app/log one$'\n'
	Z=$A follow >seen 2>/dev/null &
	within 20 says seen one
	echo two >>"$B/app/log"
	within 20 says seen two
	echo three >>"$A/app/log"
	within 20 says seen three
	mv "$B/app/log" "$B/app/log.1"
	echo four >"$B/app/log"
	within 30 says seen four
	is "$(tr '\n' ' ' <seen)" "one two three four "
}

# -- changing ----------------------------------------------------------------

# While what is given runs, another host changes the file.
@test "jobs: sed -i and mv overwrite what they have not seen" {
	zk create /app/conf $'workers = 4\nmode = a\n'
	mkfifo go
	# sed reads its second file, go, with the first one's result written:
	# the rename onto conf comes after that.
	sed -i -e '$r go' -e 's/mode = a/mode = b/' "$A/app/conf" &
	within 20 temporary_is_there
	printf 'workers = 99\nmode = a\n' >"$B/app/conf"
	echo "# end" >go
	wait $!
	is "$(zk get /app/conf)" $'workers = 4\nmode = b\n# end' # 99 is lost
}

temporary_is_there() {
	zk ls /app | grep -q ^sed
}

@test "jobs: vim tells of a change, and writes nothing without being asked" {
	zk create /app/conf $'workers = 4\nmode = a\n'
	on A vim -u NONE -es -c '%s/mode = a/mode = b/' \
		-c "!echo 'workers = 99' >'$B/app/conf'" -c 'w' -c 'q!' "$A/app/conf" || :
	is "$(zk get /app/conf)" "workers = 99"
	zk set /app/conf $'workers = 4\nmode = a\n'
	on A vim -u NONE -es -c '%s/mode = a/mode = b/' -c 'wq' "$A/app/conf"
	is "$(zk get /app/conf)" $'workers = 4\nmode = b'
	is "$(zk ls /app)" conf
}

# Eight at once on two hosts, each of another key.
@test "jobs: change: of many at once none is lost" {
	zk create /app/conf $'workers = 4\n'
	zk create /app/conf.json '{"workers": 4, "name": "x"}'
	on A change
	is "$(zk get /app/conf)" "workers = 8"
	is "$(zk get /app/conf.json | jq -c .)" '{"workers":8,"name":"x"}'
	at_once "sets $A a1 1" "sets $A a2 2" "sets $A a3 3" "sets $A a4 4" \
		"sets $B b1 1" "sets $B b2 2" "sets $B b3 3" "sets $B b4 4"
	is "$(zk get /app/conf.json | jq '[.[] | numbers] | add')" 28
}

# sets MOUNTPOINT KEY NUMBER
sets() {
	timeout 50 zkfs-update "$1/app/conf.json" jq ".$2 = $3"
}

@test "jobs: change-together: under a lock that all take" {
	zk create /app/conf $'workers = 4\nn = 0\n'
	at_once "on A change-together" "sed_locked" "on A change-together"
	is "$(zk get /app/conf)" $'workers = 8\nn = 1\ndebug = 0'
	within 20 contenders %2Fapp%2Fconf 0
}

sed_locked() {
	timeout 50 flock "$B/app/conf" \
		sed -i 's/^n = .*/n = 1/' "$B/app/conf"
}

@test "jobs: edit: merges what others did, and asks where it cannot" {
	zk create /app/conf $'a\nb\nc\n'
	# The editor of a user, who waits in the middle.
	program editor <<-'END'
		#!/bin/sh
		grep -q '<<<<<<<' "$1" && { printf 'asked\n' >"$1"; exit; }
		sed -i 's/c/C/' "$1"
		eval "$MEANWHILE"
	END
	export EDITOR=editor
	edits "sed s/a/A/"
	is "$(zk get /app/conf)" $'A\nb\nC'
	zk set /app/conf $'a\nb\nc\n'
	edits "sed s/c/other/"
	is "$(zk get /app/conf)" asked
	# An editor that fails has changed nothing.
	MEANWHILE='exit 1' run ! edits_alone
	is "$(zk get /app/conf)" asked
	edits_alone
	is "$(zk ls /app)" conf
}

# With a terminal, and another host that runs the filter meanwhile.
edits() {
	export MEANWHILE="zkfs-update '$B/app/conf' $1"
	edits_alone
}

edits_alone() {
	on A script -qec "edit '$A/app/conf'" /dev/null </dev/null
}

@test "jobs: expire: by the time that ZooKeeper has" {
	command -v faketime >/dev/null || skip "no faketime"
	zk create /app/done/old one
	zk create /app/done/dir/old two
	zk create /app/done/empty
	on A expire
	is "$(zk ls /app/done)" $'dir\nold' # empty is
	NO_FAKE_STAT=1 on A faketime -f +20d expire
	is "$(zk ls /app/done)" $'dir\nold'
	NO_FAKE_STAT=1 on B faketime -f +32d expire
	is "$(zk ls /app/done)" ""
	zk exists /app/done
}

# -- waiting -----------------------------------------------------------------

# How many requests the server had from the mount A.
requests_of_A() {
	awk '/^zkfs_server_request_duration_seconds_count/ &&
		!/sync|ping/ { n += $2 } END { print n }' "$A/.zkfs/metrics"
}

@test "jobs: wait-poll and wait-inotify: until another host makes it" {
	local before waiter
	# It is watched from the second look on.
	[ ! -e "$A/app/ready" ] && [ ! -e "$A/app/ready" ]
	[ ! -e "$A/app/ready" ]
	before=$(requests_of_A)
	for _ in {1..50}; do [ ! -e "$A/app/ready" ] || false; done
	is "$(requests_of_A)" "$before" "requests for 50 looks"
	Z=$A wait-poll &
	waiter=$!
	Z=$A wait-inotify &
	within 20 listens_to "$A/app"
	kill -0 "$waiter" && kill -0 $!
	zk create /app/ready
	wait "$waiter"
	wait $!
}

# -- trees -------------------------------------------------------------------


# A tree with all that is easily lost.
plant() {
	zk create /app/plain value
	zk create '/app/a b/*[x]?\y' "odd name"
	zk create /app/empty-dir
	: >"$A/app/empty-file"
	zk create /app/dir "data of a directory"
	zk create /app/dir/child "$(printf 'line\n\nend')"
	head -c 100000 /dev/urandom >random
	zk create /app/random "@$PWD/random"
	zk create /app/dir2 "@$PWD/random"
	zk create /app/dir2/sub/deep x
	zk_as foreign ephemeral "/app/lives [x]" now
}

@test "jobs: backup, restore and compare: byte for byte" {
	plant
	zk create /locks/nightly
	exec 7>"$B/locks/nightly/me"
	is "$(on A ephemerals)" "./app/lives [x]"
	on A backup saved.tar
	run ! grep -q locks <(tar -tf saved.tar)
	zk_at "127.0.0.1:$E2E_PORT" root create "$TREE-2"
	zk_mount C '' "$SOURCE-2"
	on C restore saved.tar
	zk_as foreign delete "/app/lives [x]"
	diff <(zk dump /app) <(zk_at "$SOURCE-2" x dump /app)
	on A compare "$A" "$C"
	zk_at "$SOURCE-2" x set /app/dir2 "other data"
	sync "$C"
	run -1 on A compare "$A" "$C"
	is "$output" "Binary files $A/app/dir2/.data and $C/app/dir2/.data differ"
	exec 7>&-
}

@test "jobs: mirror: to a directory, to another cluster, and again" {
	local before
	plant
	on A mirror "$A" "$PWD/copy"
	[ ! -e 'copy/app/lives [x]' ]
	[ "$(<copy/app/dir/.data)" = "data of a directory" ]
	zk_at "127.0.0.1:$E2E_PORT" root create "$TREE-2"
	zk_mount C '' "$SOURCE-2"
	on A mirror "$A" "$C"
	zk_as foreign delete "/app/lives [x]"
	diff <(zk dump /app) <(zk_at "$SOURCE-2" x dump /app)
	# What is there already is left alone, what is not here is removed.
	before=$(zk_at "$SOURCE-2" x stat /app/random version mzxid)
	zk set /app/plain changed
	zk rmr /app/dir2
	zk_at "$SOURCE-2" x create /app/extra/node
	sync "$C"
	on A mirror "$A" "$C"
	diff <(zk dump /app) <(zk_at "$SOURCE-2" x dump /app)
	is "$(zk_at "$SOURCE-2" x stat /app/random version mzxid)" "$before"
	on A mirror "$PWD/copy" "$C"
	on A compare "$PWD/copy" "$C"
}

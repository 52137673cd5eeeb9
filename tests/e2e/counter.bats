#!/usr/bin/env bats
# Sequence numbers that have grown large. They have 32 bits, and near their end
# a server gives one number to two clients; so a lock that nobody else is in gets
# new ones, and near the end nobody joins.
#
# To make that many would take weeks: the server is stopped, its snapshot is
# patched, and it is started again. Each test has a lock of its own,
# /locks/TEST, with numbers as the table in setup_file says.

load lib
load proxy

HALF=$((1 << 30))
REFUSED=$(((1 << 31) - 1000000)) # beyond this one
LAST=$(((1 << 31) - 1))

# A server of this file's own.
local_server() {
	XDG_STATE_HOME=$E2E_COUNTED ZKFS_LOCAL_TICK=200 \
		ZKFS_LOCAL_JAVA_OPTIONS="-Dzookeeper.forceSync=no
			-Dzookeeper.digest.enabled=false" \
		timeout 60 "$E2E_TOP/packaging/zkfs-local" "$@" 3>&- 4>&-
}

setup_file() {
	local name counts=()
	local -A table=(
		[alone]=$((HALF + 1)) [small]=$((HALF - 2)) [waited]=$((HALF + 1))
		[foreign]=$((HALF + 1)) [stands]=$((HALF + 1))
		[bound]=$REFUSED [refused]=$((REFUSED + 1)) [last]=$LAST
		[held]=$((LAST - 100)) [acl]=$((HALF + 1)) [hidden]=$((HALF + 1))
		[lost]=$((HALF + 1)) [unsent]=$((HALF + 1))
		[written]=$((HALF + 1)) [mkdir]=$((HALF + 1))
		[flock]=$LAST
	)

	E2E_COUNTED=$E2E_STATE/counted
	mkdir "$E2E_COUNTED"
	local_server start -n
	E2E_PORT=$(<"$E2E_COUNTED/zkfs/port")
	export E2E_COUNTED E2E_PORT
	for name in "${!table[@]}"; do
		zk_at "127.0.0.1:$E2E_PORT" '' create "/wound/locks/$name"
		counts+=("/wound/locks/$name=${table[$name]}")
	done
	# The foreign client forgets a server that goes away.
	zk_at "127.0.0.1:$E2E_PORT" '' close_all
	# A server takes a snapshot when it starts.
	local_server stop
	local_server start -n
	local_server stop
	/usr/bin/python3 "$E2E_DIR/bin/set_counter.py" \
		"$E2E_COUNTED/zkfs/data" "${counts[@]}"
	local_server start -n
	is "$(<"$E2E_COUNTED/zkfs/port")" "$E2E_PORT"
}

teardown_file() {
	local_server stop
}

setup() {
	e2e_setup
	zk_at "$SOURCE" '' close_all
	TREE=/wound
	SOURCE=127.0.0.1:$E2E_PORT$TREE
}

teardown() {
	e2e_teardown
}

# numbers LOCK: of the names in it, lowest first.
numbers() {
	zk ls "/locks/$1" | sed -E 's/.*(lock-|__|[0-9]-)(-?[0-9]{10})$/\2/' |
		sort -n | tr '\n' ' '
}

is_empty() {
	[ -z "$(zk ls "/locks/$1")" ]
}

# take LOCK: descriptor 9 is the lock, of the mount A.
take() {
	exec 9>"$A/locks/$1/me"
}

# give_back LOCK: and nothing is left in it.
give_back() {
	exec 9>&-
	within 10 is_empty "$1"
}

token() {
	local line

	read -r line <"$A/locks/$1/me"
	echo "${line%% *}"
}

# begins_anew LOCK: who takes it next has the first numbers there are.
begins_anew() {
	take "$1"
	is "$(numbers "$1")" "0000000000 0000000001 0000000002 "
	give_back "$1"
}

@test "counter: who is alone with a large number leaves small ones behind" {
	local before after

	zk_mount A
	take alone
	is "$(numbers alone)" "$((HALF + 1)) $((HALF + 2)) $((HALF + 3)) "
	before=$(token alone)
	give_back alone
	has "$(cat A.log)" "/locks/alone\": its sequence numbers had grown large"
	is "$(zk stat /locks/alone version)" 0
	is "$(zk stat /locks/alone ephemeralOwner)" 0
	take alone
	is "$(numbers alone)" "0000000000 0000000001 0000000002 "
	after=$(token alone)
	[ "$((after))" -gt "$((before))" ]
	give_back alone
	# Once is enough: these are small.
	is "$(grep -c "had grown large" A.log)" 1
}

@test "counter: what is written in the lock's directory stays" {
	zk_mount A
	take written
	zk set /locks/written "what it is for"
	give_back written
	has "$(cat A.log)" "/locks/written\": its sequence numbers had grown"
	is "$(zk get /locks/written)" "what it is for"
	is "$(zk stat /locks/written version)" 1
	is "$(zk stat /locks/written cversion)" 0
}

@test "counter: numbers up to the half of all are not large" {
	zk_mount A
	take small
	give_back small
	take small
	is "$(numbers small)" "$((HALF + 1)) $((HALF + 2)) $((HALF + 3)) "
	give_back small
	begins_anew small
}

@test "counter: while anybody waits the numbers go on, the last one mends them" {
	local waiter

	zk_mount A
	zk_mount B
	take waited
	mkfifo go
	bash -c 'exec 9>"$1"; echo granted >granted; read -r <go' bash \
		"$B/locks/waited/second" 3>&- 4>&- 9>&- &
	waiter=$!
	zk await_children /locks/waited 6 10 >/dev/null
	exec 9>&-
	within 10 test -s granted
	is "$(numbers waited)" "$((HALF + 4)) $((HALF + 5)) $((HALF + 6)) "
	echo >go
	wait "$waiter"
	within 10 is_empty waited
	begins_anew waited
}

@test "counter: another client's contender keeps the numbers" {
	zk_mount A
	take foreign
	zk_as other ephemeral /locks/foreign/x-1-1073742000
	exec 9>&-
	zk await_children /locks/foreign 1 10 >/dev/null
	zk_as other delete /locks/foreign/x-1-1073742000
	take foreign
	is "$(numbers foreign)" "$((HALF + 5)) $((HALF + 6)) $((HALF + 7)) "
	give_back foreign
	# kazoo's own lock goes on in the directory that is new.
	zk lock /locks/foreign 5
	fails "temporarily unavailable" py \
		'os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)' \
		"$A/locks/foreign/me"
	zk unlock /locks/foreign
	take foreign
	is "$(numbers foreign)" "0000000001 0000000002 0000000003 "
	give_back foreign
}

@test "counter: who stands in the lock, or has its file open, notices nothing" {
	zk_mount A
	zk_mount B
	is "$(timeout 10 ls "$B/locks/stands")" ""
	timeout 10 stat "$B/locks/stands" >/dev/null
	cd "$A/locks/stands"
	exec 8<.lock 7<"$B/locks/stands/.lock"
	exec 9>me
	exec 9>&-
	within 10 is_empty stands
	is "$(zk stat /locks/stands cversion)" 0
	exec 9>me
	is "$(numbers stands)" "0000000000 0000000001 0000000002 "
	is "$(timeout 10 ls)" me
	within 10 bash -c '[ "$(timeout 10 ls "$1")" = me ]' bash \
		"$B/locks/stands"
	fails "temporarily unavailable" py \
		'os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)' \
		"$B/locks/stands/other"
	fails "" timeout 10 flock -n 8
	fails "" timeout 10 flock -n 7
	exec 9>&-
	timeout 10 flock 8
	fails "" timeout 10 flock -n 7
	timeout 10 flock -u 8
	timeout 10 flock 7
	is "$(timeout 10 stat -c %F .)" directory
	exec 7<&- 8<&-
	within 10 is_empty stands
	cd "$BATS_TEST_TMPDIR"
}

@test "counter: near the end nobody joins, and an idle lock is mended at once" {
	local name

	zk_mount A
	take bound
	is "$(numbers bound)" "$REFUSED $((REFUSED + 1)) $((REFUSED + 2)) "
	give_back bound
	begins_anew bound
	for name in refused last; do
		fails "Value too large" bash -c 'exec 9>"$1"' bash \
			"$A/locks/$name/me"
		is "$(zk ls "/locks/$name")" ""
		begins_anew "$name"
	done
}

@test "counter: flock near the end is refused and mends the lock" {
	zk_mount A
	exec 8<"$A/locks/flock/.lock"
	fails "Value too large" timeout 10 flock 8
	is "$(zk ls /locks/flock)" ""
	timeout 10 flock 8
	is "$(numbers flock)" "0000000000 0000000001 0000000002 "
	exec 8<&-
	within 10 is_empty flock
}

@test "counter: near the end, and somebody else holds: refused until it is free" {
	local i

	zk_mount A
	zk_as other lock /locks/held 5
	for i in 1 2; do
		fails "Value too large" bash -c 'exec 9>"$1"' bash \
			"$A/locks/held/me"
		is "$(zk ls /locks/held | wc -l)" 1
	done
	zk_as other unlock /locks/held
	fails "Value too large" bash -c 'exec 9>"$1"' bash "$A/locks/held/me"
	begins_anew held
}

@test "counter: the lock keeps its ACL" {
	zk_mount A
	zk protect /locks/acl world anyone read write create delete
	is "$(zk acl /locks/acl)" "world anyone rwcd"
	take acl
	give_back acl
	begins_anew acl
	is "$(zk acl /locks/acl)" "world anyone rwcd"
	is "$(zk stat /locks/acl aversion)" 0
}

@test "counter: an ACL that is not shown is not lost: the numbers go on" {
	local i

	zk_mount A
	zk protect /locks/hidden world anyone read write create delete -- \
		digest "me:016djjlksVQS5RgX3M7biBGyYwY=" \
		read write create delete admin
	for i in 0 3; do
		take hidden
		is "$(numbers hidden)" \
			"$((HALF + i + 1)) $((HALF + i + 2)) $((HALF + i + 3)) "
		give_back hidden
	done
	is "$(grep -c "cannot begin anew: Permission denied" A.log)" 1
	zk auth digest me:secret
	is "$(zk acl /locks/hidden)" "world anyone rwcd
digest me:016djjlksVQS5RgX3M7biBGyYwY= rwcda"
	# To one who may see it, it is not in the way.
	(umask 077 && echo "digest me:secret" >authfile)
	zk_mount B "authfile=$PWD/authfile"
	exec 9>"$B/locks/hidden/me"
	give_back hidden
	begins_anew hidden
	is "$(zk acl /locks/hidden)" "world anyone rwcd
digest me:016djjlksVQS5RgX3M7biBGyYwY= rwcda"
}

@test "counter: the answer to a renewal, or the renewal itself, is lost" {
	mount_by_proxy
	take lost
	reply_lost give_back lost
	begins_anew lost

	take unsent
	request_lost give_back unsent
	# It has left plainly; that it could not renew is for the next one.
	take unsent
	is "$(numbers unsent)" "$((HALF + 4)) $((HALF + 5)) $((HALF + 6)) "
	give_back unsent
	begins_anew unsent
}

@test "counter: rmdir of a lock by mkdir renews too" {
	zk_mount A
	mkdir "$A/locks/mkdir/me"
	rmdir "$A/locks/mkdir/me"
	is "$(zk ls /locks/mkdir)" ""
	mkdir "$A/locks/mkdir/me"
	is "$(numbers mkdir)" "0000000000 0000000001 0000000002 "
	rmdir "$A/locks/mkdir/me"
}

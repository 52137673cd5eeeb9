#!/usr/bin/env bats
# Orphans: whatever becomes of who wants a lock, and whenever, nothing of it is
# left in the queue, where it would keep all others waiting for ever. The same
# is asked of each way to take a lock (ways.py).
#
# The lock is /locks/x.

load lib
load proxy
load ways

setup() {
	ways_setup
}

# -- joining -----------------------------------------------------------------

@test "orphan: a join that is lost, or its reply, is granted in the end" {
	local way
	mount_by_proxy
	for way in $WAYS; do
		reply_lost taken one "$way"
		children "$(names_of "$way")"
		free one
		children 0
		request_lost taken two "$way"
		children "$(names_of "$way")"
		free two
		nothing_left
	done
}

@test "orphan: a join that is lost, or its reply, waits for its turn" {
	local way
	mount_by_proxy
	zk_mount B
	for way in open flock shared background fcntl ofd; do
		taken holder open "$B"
		reply_lost joins one "$way" 3
		request_lost joins two open "$((3 + $(names_of "$way")))"
		free holder
		said one held
		free one
		said two held
		free two
		nothing_left
	done
}

# joins NAME WAY BEFORE: it joins those who make so many names.
joins() {
	take "$1" "$2"
	children "$(($3 + $(names_of "$2")))"
}

@test "orphan: who dies before its join has arrived leaves nothing" {
	dies_joining hold_back
}

@test "orphan: who dies before the reply to its join leaves nothing" {
	dies_joining hold_reply_back
}

# dies_joining HOLD...
dies_joining() {
	local way signal

	mount_by_proxy
	for way in $WAYS; do
		for signal in TERM KILL; do
			"$@"
			take dies "$way"
			within 10 holds_back
			die "$signal" dies
			kill -CONT "$PROXY"
			works
		done
	done
}

@test "orphan: a join whose reply takes longer than the lease leaves nothing" {
	local way
	# Long enough for the client to try another connection, too.
	mount_by_proxy session_timeout=0.8,timeo=20
	for way in $WAYS; do
		hold_reply_back
		take one "$way"
		within 10 holds_back
		within 20 over one
		kill -CONT "$PROXY"
		works
	done
}

# over NAME...: each was refused, or has the lock and gives it back.
over() {
	local name rc=0

	for name in "$@"; do
		if [ "$(tail -n 1 "$name.says")" = held ]; then
			free "$name"
		fi
		[ -s "$name.says" ] || rc=1
	done
	return "$rc"
}

@test "orphan: a session that is over takes its joins along" {
	local hold way id
	# Long enough for all to be on their way before the connection is given up.
	mount_by_proxy session_timeout=3,timeo=20
	zk_mount B
	for hold in hold_back hold_reply_back; do
		id=$(session_of_a)
		"$hold"
		for way in $WAYS; do
			take "$way" "$way"
		done
		within 10 holds_back
		kill -STOP "$PROXY"
		within 10 zk_session_gone "$id"
		works "$B"
		kill -CONT "$PROXY"
		# shellcheck disable=SC2086 # words
		within 20 over $WAYS
		works
	done
}

# -- leaving -----------------------------------------------------------------

@test "orphan: a delete that is lost, or its reply, is made good" {
	local way
	mount_by_proxy
	for way in $WAYS; do
		taken one "$way"
		reply_lost leaves one
		taken two "$way"
		request_lost leaves two
		nothing_left
	done
}

# leaves NAME
leaves() {
	free "$1"
	children 0
	within 10 holds_back
}

@test "orphan: who dies while its delete is held back leaves nothing" {
	local hold way signal
	mount_by_proxy
	for hold in hold_back hold_reply_back; do
		for way in $WAYS; do
			taken dies "$way"
			"$hold"
			echo free 1<>dies.go
			within 10 holds_back
			# Who just closes does not wait for it.
			kill -KILL "${TAKER[dies]}" 2>/dev/null || :
			process_ends "${TAKER[dies]}"
			kill -CONT "$PROXY"
			works
		done
	done
}

@test "orphan: who finds that it was deleted already is content" {
	local way
	mount_by_proxy
	for way in $WAYS; do
		taken one "$way"
		hold_back
		echo free 1<>one.go
		within 10 holds_back
		# shellcheck disable=SC2046 # words
		deleted_by_hand $(zk ls /locks/x)
		kill -CONT "$PROXY"
		said one freed
		works
	done
}

# deleted_by_hand NAME...: by another client, of whose doing the mounts hear
# when they do.
deleted_by_hand() {
	local name

	for name in "$@"; do
		zk_as administrator delete "/locks/x/$name"
	done
}

@test "orphan: who may not be deleted is deleted as soon as it may be" {
	local way COUNT=0
	zk_mount A session_timeout=1
	for way in $WAYS; do
		taken "$way" "$way"
		zk protect /locks/x world anyone read write create admin
		# The user need not wait for it, but others do.
		free "$way"
		take next open
		children "$(($(names_of "$way") + 3))"
		within 10 refusals "$((COUNT += 1))"
		is "$(<next.says)" ""
		zk protect /locks/x world anyone read write create delete admin
		said next held
		free next
		nothing_left
	done
	# Once each, however often it was tried.
	refusals "$COUNT"
	has "$(<A.log)" 'zkfs: "/locks/x": cannot take "open" out of the queue: '\
'Permission denied; trying again until it is done'
}

# refusals COUNT: the log tells of so many.
refusals() {
	[ "$(grep -c "out of the queue: Permission denied" A.log)" = "$1" ]
}

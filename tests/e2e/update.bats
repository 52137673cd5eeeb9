#!/usr/bin/env bats
# zkfs-update on mounts: many at once, over hosts, lose no update.

load lib

UPDATE=$ZKFS_BUILD/zkfs-update

@test "update: it filters a file and makes one version" {
	zk create /n 41
	zk_mount A
	# shellcheck disable=SC2016 # for awk
	"$UPDATE" "$A/n" awk '{ print $1 + 1 }'
	is "$(zk get /n)" 42
	is "$(zk stat /n version)" 1
}

@test "update: 200 at once over two mounts count to 200" {
	limit 150
	zk create /n 0
	zk_mount A
	zk_mount B
	local i
	for i in {1..200}; do
		if ((i % 2)); then
			echo "$A/n"
		else
			echo "$B/n"
		fi
	done >paths
	# shellcheck disable=SC2016 # for awk
	xargs -P 200 -I '{}' timeout 120 "$UPDATE" '{}' \
		awk '{ print $1 + 1 }' <paths
	is "$(zk get /n)" 200
	# One version for each update: nothing was applied twice.
	is "$(zk stat /n version)" 200
}

@test "update: a foreign client between read and write is not overwritten" {
	zk create /n 1
	zk_mount A
	mkfifo gate
	# The filter of the first try waits until the other client has written.
	# shellcheck disable=SC2016 # for the inner shell
	"$UPDATE" "$A/n" sh -c 'read -r n; [ "$ZKFS_UPDATE_TRY" != 1 ] ||
		{ echo >started; read -r go <"$0"; }; echo $((n + 1))' \
		"$PWD/gate" &
	local update=$!
	within 10 test -e started
	zk set /n 100
	echo >gate
	wait "$update"
	is "$(zk get /n)" 101
	is "$(zk stat /n version)" 2
}

@test "update: -r limits the tries, and 75 says they are used up" {
	zk create /n 1
	zk_mount A
	mkfifo gate
	# shellcheck disable=SC2016 # for the inner shell
	"$UPDATE" -r 1 "$A/n" sh -c 'cat; echo >started; read -r go <"$0"
		echo mine' "$PWD/gate" &
	local update=$! status=0
	within 10 test -e started
	zk set /n theirs
	echo >gate
	wait "$update" || status=$?
	is "$status" 75
	is "$(zk get /n)" theirs
}

@test "update: a command that fails writes nothing" {
	zk create /n old
	zk_mount A
	run -7 "$UPDATE" "$A/n" sh -c 'echo half; exit 7'
	is "$(zk get /n)" old
	is "$(zk stat /n version)" 0
}

@test "update: data next to the largest, both ways" {
	head -c 1000000 /dev/urandom >blob
	zk create /n "@$PWD/blob"
	zk_mount A
	"$UPDATE" "$A/n" tac -s x
	tac -s x blob | cmp - "$A/n"
	cp "$A/n" before
	run ! "$UPDATE" "$A/n" sh -c 'cat; head -c 200000 /dev/zero'
	cmp before "$A/n"
}

@test "update: -o sync and an appended file work as well" {
	zk create /n 0
	zk_mount A sync
	# shellcheck disable=SC2016 # for awk
	seq 1 30 | xargs -P 10 -I '{}' timeout 60 "$UPDATE" "$A/n" \
		awk '{ print $1 + 1 }'
	is "$(zk get /n)" 30
}

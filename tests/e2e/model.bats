#!/usr/bin/env bats
# Random changes through several mounts and by a foreign client, and whether
# what each mount shows may be shown: what is asked for stands at the top of
# `model` beside this file. A failure names its seed: ZKFS_MODEL_SEED=N does
# much the same again, ZKFS_MODEL_SECONDS=N longer.

load lib
load proxy

seconds=${ZKFS_MODEL_SECONDS:-12}

model() {
	local arguments=() name

	for name in "${!MOUNT_PID[@]}"; do
		arguments+=(--mount
			"$name=${MOUNT_DIR[$name]},${MOUNT_PID[$name]}${WAY[$name]-}")
	done
	# Those who watch hear of it all, and read what they hear of.
	inotifywait -m -q -r "${MOUNT_DIR[A]}" >>events 2>/dev/null 3>&- 4>&- &
	timeout $((seconds + 150)) "$E2E_DIR/model" --source "$SOURCE" \
		--seconds "$seconds" --seed "${ZKFS_MODEL_SEED:-$RANDOM}" \
		"${arguments[@]}" "$@" 3>&- 4>&-
}

setup() {
	declare -gA WAY=()
	e2e_setup
	limit $((seconds + 240))
}

@test "model: mounts show what may be shown" {
	zk_mount A
	zk_mount B
	model
}

@test "model: what inotify tells of changes nothing of that" {
	zk_mount A inotify
	zk_mount B inotify,cache_nodes=0
	zk_mount C noinotify
	model
}

@test "model: nor do connections that are lost, and sessions that expire" {
	mount_by_proxy inotify
	WAY[A]=,$PROXY
	zk_mount B inotify
	model --faults --proxy-file "$BATS_TEST_TMPDIR/proxy"
}

@test "model: a mount that shows what was is noticed" {
	local output status=0

	zk_mount A
	output=$(model --lie) || status=$?
	is "$status" 1
	has "$output" "WRONG at step"
}

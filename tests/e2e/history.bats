#!/usr/bin/env bats
# What mounts were told, against the tree (tests/e2e/history). A failure names
# its seed: ZKFS_HISTORY_SEED=N does much the same again,
# ZKFS_HISTORY_SECONDS=N longer.

load lib

# It has mounts and servers of its own.
setup() {
	# shellcheck disable=SC2034 # lib's
	declare -gA MOUNT_PID=() MOUNT_DIR=()
	E2E_IDLE=$BATS_TEST_TMPDIR/idle
	mkfifo "$E2E_IDLE"
	limit 60
	cd "$BATS_TEST_TMPDIR" || return 1
	# shellcheck disable=SC2034 # lib's
	SOURCE=127.0.0.1:$E2E_PORT
}

history_() {
	/usr/bin/python3 -B "$E2E_DIR/history" "$@" 3>&- 4>&-
}

# -- the checker: lines of a story, and what it must say of them -------------

line() {
	echo "$((++TIME))" "$@" >>story
}

# op NAME OUTCOME WHAT KEY=VALUE...
op() {
	local name=$1 outcome=$2 what=$3

	shift 3
	line "$name" begins "what=$what" "$@"
	case $outcome in
	done) line "$name" "done" ;;
	*) line "$name" "${outcome%:*}" "error=${outcome#*:}" ;;
	esac
}

# checked [KIND COUNT]: that, and nothing else, is wrong.
checked() {
	local output status=0 kind

	line - end
	output=$(history_ --check story) || status=$?
	for kind in missing twice won two servers other; do
		if [ "$kind" = "${1:-}" ]; then
			has "$output" "$kind $2"
		else
			has "$output" "$kind 0"
		fi
	done
	case ${1:-} in
	'') is "$status" 0 ;;
	servers) is "$status" 4 ;;
	*) is "$status" 1 ;;
	esac
	rm story
}

@test "history: the checker: appends" {
	op a "done" append file=logs/0
	op b unknown:EIO append file=logs/0
	op c unknown:EIO append file=logs/0
	op d failed:ETIMEDOUT append file=logs/0
	line - holds file=logs/0 data=a,c, version=3
	checked
	op a "done" append file=logs/0
	line - holds file=logs/0 data= version=1
	checked missing 1
	op a "done" append file=logs/0
	line - holds file=logs/0 data=a,a, version=3
	checked twice 1
	op a failed:ETIMEDOUT append file=logs/0
	line - holds file=logs/0 data=a, version=2
	checked won 1
	op a "done" append file=logs/0
	line - holds file=logs/0 data=a,z, version=2
	checked other 1
}

@test "history: the checker: writes and counts" {
	op a "done" write file=files/0 prev=first
	op b failed:ESTALE write file=files/0 prev=first
	op c unknown:EIO write file=files/0 prev=a
	line - holds file=files/0 data=c version=2
	checked
	op a "done" write file=files/0 prev=first
	op b "done" write file=files/0 prev=first
	line - holds file=files/0 data=b version=1
	checked missing 1
	op a failed:ESTALE write file=files/0 prev=first
	line - holds file=files/0 data=a version=1
	checked won 1
	op a "done" write file=files/0 prev=first
	line - holds file=files/0 data=a version=2
	checked twice 1
	op a "done" count file=counts/0 prev=0
	op b "done" count file=counts/0 prev=0
	op c unknown:EIO count file=counts/0 prev=0
	line - holds file=counts/0 data=1 version=1
	checked missing 1
	op a failed:ESTALE count file=counts/0 prev=0
	line - holds file=counts/0 data=1 version=1
	checked won 1
}

@test "history: the checker: claims, takes and lives" {
	op a "done" claim file=claims/0
	op b failed:EEXIST claim file=claims/0
	line - holds file=claims/0 data= version=1
	op c "done" take file=jobs/0 to=taken/0.c
	op d failed:ENOENT take file=jobs/0 to=taken/0.d
	line - holds file=taken/0.c data=job version=1
	op e "done" make file=lives/0
	op f "done" move file=lives/0
	op g unknown:EIO remove file=lives/0
	line - holds file=lives/0.moved data= version=1
	checked
	op a "done" claim file=claims/0
	op b "done" claim file=claims/0
	line - holds file=claims/0 data= version=1
	checked two 1
	op a failed:EEXIST claim file=claims/0
	line - holds file=claims/0 data= version=1
	checked won 1
	op a "done" take file=jobs/0 to=taken/0.a
	line - holds file=jobs/0 data=job version=0
	checked missing 2
	op a failed:ENOENT take file=jobs/0 to=taken/0.a
	line - holds file=taken/0.a data=job version=0
	checked won 2
	op a "done" make file=lives/0
	op b "done" remove file=lives/0
	line - holds file=lives/0 data= version=1
	checked missing 1
	op a "done" make file=lives/0
	op b failed:ETIMEDOUT remove file=lives/0
	checked won 1
}

@test "history: the checker: what is stuck, fails, or has no end" {
	line - stuck what=worker
	checked other 1
	line - daemon mount=m0 status=-11
	checked other 1
	op a "done" witness
	op b "done" witness
	line - holds file=witness/a data= version=0
	checked servers 1
	op a "done" append file=logs/0
	line - holds file=logs/0 data=a, version=2
	has "$(history_ --check story)" "the story has no end"
}

# -- the thing itself --------------------------------------------------------

@test "history: nothing lost, nothing twice, no conflict with oneself" {
	local seconds=${ZKFS_HISTORY_SECONDS:-20}

	limit $((seconds + 320))
	history_ --zkfs "$ZKFS" --work "$BATS_TEST_TMPDIR/work" \
		--seconds "$seconds" --seed "${ZKFS_HISTORY_SEED:-$RANDOM}"
}

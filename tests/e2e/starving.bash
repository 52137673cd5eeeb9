#!/usr/bin/env bash
# starving.bash: the daemon whose n-th allocation fails when the test says so
# (tests/fault), and `starve` beside this file, which says so. Loaded after lib.

stride=${ZKFS_STARVE_STRIDE:-6}

starving_setup() {
	limit $((30 + 600 / stride))
	export ZKFS_FAULT=$BATS_TEST_TMPDIR/memory
	head -c 32 /dev/zero >"$ZKFS_FAULT"
	# shellcheck disable=SC2034 # lib's
	ZKFS=$ZKFS_BUILD/tests/fault/zkfs
}

# starve MOUNTPOINT ARGUMENT...
starve() {
	local mount=$1

	shift
	timeout $((20 + 600 / stride)) /usr/bin/python3 "$E2E_DIR/starve" \
		--source "$SOURCE" --mount "$mount" --memory "$ZKFS_FAULT" \
		--stride "$stride" "$@" 3>&- 4>&-
}

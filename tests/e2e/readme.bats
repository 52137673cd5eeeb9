#!/usr/bin/env bats
# README's first session, typed as it stands, on a private server that the
# set-up command has started.

load lib

setup() {
	E2E_LIMIT=150 e2e_setup
	export HOME=$BATS_TEST_TMPDIR/home
	export XDG_STATE_HOME=$HOME/.local/state
	mkdir -p "$HOME/zkfs/packaging"
	cp "$E2E_TOP/packaging/zkfs-local" "$HOME/zkfs/packaging/"
	ln -s "$ZKFS_BUILD" "$HOME/zkfs/build"
}

teardown() {
	local rc=0

	timeout 30 "$HOME/zkfs/packaging/zkfs-local" stop >/dev/null 2>&1 || rc=1
	e2e_teardown || rc=1
	return "$rc"
}

@test "readme: the first session is as it is shown" {
	ZKFS_LOCAL_JAVA_OPTIONS=-Dzookeeper.forceSync=no timeout 60 \
		"$HOME/zkfs/packaging/zkfs-local" start 3>&- 4>&-
	run timeout 80 "$E2E_DIR/bin/readme_session.py" \
		"$E2E_TOP/README.md" "$HOME/zkfs" 3>&- 4>&-
	[ "$status" = 0 ] || fail "$output"
	has "$output" "commands"
	# Nothing of it is left running.
	within 10 no_server
	is "$(connections_below "$BATS_TEST_TMPDIR/")" ""
}

no_server() {
	! pgrep -f "$BATS_TEST_TMPDIR.*zoo.cfg"
}

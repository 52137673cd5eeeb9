#!/usr/bin/env bats
# Everything at once, and signals, a server that freezes and dies, a foreign
# client, and a mount that comes and goes. What is asked of it stands at the
# top of bin/stress.py. A failure names its seed: ZKFS_STRESS_SEED=N does much
# the same again, ZKFS_STRESS_SECONDS=N longer.

load lib

setup() {
	OWN=$BATS_TEST_TMPDIR/own
	e2e_setup
}

teardown() {
	local rc=0 pid

	pid=$(cat "$OWN/zkfs/pid")
	kill -CONT "$pid" || :
	e2e_teardown || rc=1
	kill -KILL "$pid" || :
	process_ends "$pid" || rc=1
	return "$rc"
}

# The command that starts a server of the test's own, which may be killed.
own_server_command() {
	cat <<-END
		XDG_STATE_HOME='$OWN' ZKFS_LOCAL_TICK=200 \
			ZKFS_LOCAL_JAVA_OPTIONS=-Dzookeeper.forceSync=no \
			timeout 60 '$E2E_TOP/packaging/zkfs-local' start -n \
			</dev/null >/dev/null
	END
}

@test "stress: all at once, by many, under signals and without a server" {
	local command port seconds=${ZKFS_STRESS_SECONDS:-15}

	limit $((seconds + 75))
	command=$(own_server_command)
	bash -c "$command" 3>&- 4>&-
	port=$(<"$OWN/zkfs/port")
	/usr/bin/python3 "$E2E_DIR/bin/stress.py" --zkfs "$ZKFS" \
		--source "127.0.0.1:$port/stress" --work "$BATS_TEST_TMPDIR/work" \
		--seconds "$seconds" --seed "${ZKFS_STRESS_SEED:-$RANDOM}" \
		--server-pid "$OWN/zkfs/pid" \
		--server-start "$command" 3>&- 4>&-
}

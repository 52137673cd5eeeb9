#!/usr/bin/env bats
# A server that speaks the protocol and lies (bin/hostile.py): whatever it says
# ends in errors to those who ask. The daemon lives, nobody waits for longer than
# the time limits, no name leads out of the directory, memory stays what it was;
# and as soon as the server is honest again all is well.

load lib

setup() {
	# shellcheck disable=SC2034 # lib's
	[ -z "${E2E_LONG:-}" ] || E2E_LIMIT=600
	e2e_setup
	echo good >mode
	"$E2E_DIR/bin/hostile.py" port mode 3>&- 4>&- &
	SERVER=$!
	within 20 test -e port
	mkdir A
	"$ZKFS" -f -o session_timeout=1,timeo=1,cache_nodes=0 \
		"127.0.0.1:$(cat port)" A 3>&- 4>&- </dev/null >A.log 2>&1 &
	MOUNT_PID[A]=$!
	# shellcheck disable=SC2034 # lib's
	MOUNT_DIR[A]=$PWD/A
	within 20 mount_is_up_or_dead A
	is "$(cat A/f)" hello
}

teardown() {
	kill "$SERVER" || :
	e2e_teardown
}

# All at once, each with a limit: 137 is who had to be killed.
ask_everything() {
	local job status pids=()
	local -a jobs=("ls -la A" "cat A/f" "stat A/f" "touch A/f" "mkdir A/x"
		"getfattr -n user.zk.acl A/f" "rm A/f" "mv A/d A/g"
		"flock -n A/f true" "mkdir -p A/locks/l"
		"setfattr -n user.zk.acl -v world:anyone:r A/f")

	for job in "${jobs[@]}"; do
		# shellcheck disable=SC2086
		timeout -s KILL 20 $job >"out.${job%% *}" 2>&1 3>&- 4>&- &
		pids+=($!)
	done
	for job in "${pids[@]}"; do
		status=0
		wait "$job" || status=$?
		[ "$status" -ne 137 ] || fail "$1: somebody waited for ever"
	done
}

serves_again() {
	[ "$(timeout -s KILL 10 cat A/f 2>/dev/null)" = hello ]
}

lie() {
	local mode

	for mode; do
		echo "$mode" >mode
		ask_everything "$mode"
		kill -0 "${MOUNT_PID[A]}" || fail "$mode: the daemon has died"
		echo good >mode
		within 30 serves_again || fail "$mode: it does not recover"
	done
	# The peak, in kB; sanitizers need more.
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/${MOUNT_PID[A]}/status")" -lt 700000 ]
}

# Catches: names that are used as they come.
@test "hostile: names that lead elsewhere, or twice to one, are not shown so" {
	echo names >mode
	ls -a A >list 2>list.errors || :
	if grep -q / list || [ "$(grep -cx '\.\.' list)" -gt 1 ] ||
		grep -q 'passwd\|abs\|xxxx' list; then
		fail "$(cat list)"
	fi
	lie names
}

# also MODE...: in the long form, E2E_LONG=1.
also() {
	[ -z "${E2E_LONG:-}" ] || lie "$@"
}

# Catches: lengths and counts that the client library believes: it loops, copies
# from nowhere, or asserts.
@test "hostile: counts and lengths that are negative, or past the end" {
	lie count2147483647 length-2
	also count-1 count-5 count1000000 length-1 length-2147483648 \
		length2147483647 length70000
}

@test "hostile: packets that are cut, padded or empty, and their length" {
	lie cut size-5
	grep -q "127.0.0.1 port $(cat port) has sent what is no ZooKeeper protocol \
(.*); dropping the connection, trying the next server" A.log
	also nothing more size0 size3 size100000000 size2147483647
}

@test "hostile: transactions with other results than operations" {
	lie moreresults
	also fewresults otherresults longresults noend
}

@test "hostile: replies out of order, twice, to nobody, and of no known error" {
	lie order stats events
	also xid twice error acl
}

# Catches: a loop that serves the server alone, and memory that it fills.
@test "hostile: data without an end" {
	lie endless
	also huge
}

@test "hostile: answers to a connect" {
	lie timeout0 password-1
	also timeout-1 timeout2147483647 timeout-2147483648 password0 \
		password1000000 garbage greet-1 greet5 greet2147483647 expired
}

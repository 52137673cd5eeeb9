#!/usr/bin/env bats
# Locks under torture: what is done stands at the top of `torture` beside this
# file, what is asked for at the top of torturing/judge.py. A failure names its
# seed: ZKFS_TORTURE_SEED=N does much the same again, ZKFS_TORTURE_SECONDS=N
# longer.

load lib

torture() {
	"$E2E_DIR/torture" "$@"
}

# -- the judge: forged traces ------------------------------------------------

# hold NAME MODE FROM TO [TOKEN]: the lines of one who had the lock "x".
hold() {
	cat >>trace <<-END
		$(($3 - 1)) $1 joins lock=x mode=$2 way=forged mount=A
		$3 $1 acquired
		$3 $1 looked${5:+ token=$5}
		$4 $1 looked${5:+ token=$5}
		$4 $1 releases
	END
}

line() {
	printf '%s\n' "$*" >>trace
}

# judged KIND...: these are wrong, each once, and nothing else. Ends the trace.
judged() {
	local status=0 expected='' kind output

	for kind; do
		expected+="$kind:1 "
	done
	line 9999 - end
	output=$(torture --judge trace) || status=$?
	rm trace
	expected=${expected% }
	has "$output" "wrong          ${expected:-none}"$'\n'
	is "$status" "$(($# > 0))" "exit status"
}

@test "torture: the judge has nothing against those who take turns" {
	hold a exclusive 10 20 0x1
	hold b exclusive 21 30 0x2
	hold c shared 40 60 0x4
	hold d shared 50 70 0x3
	hold e exclusive 80 90 0x10
	line 95 f joins lock=x mode=shared way=forged mount=A
	line 96 f failed error=EINTR
	line 97 - daemon mount=A status=0
	judged
}

@test "torture: the judge sees two in one lock" {
	hold a exclusive 10 20
	hold b exclusive 20 30
	judged overlap
	hold a exclusive 10 40
	hold b shared 20 30
	judged overlap
	hold a shared 10 20
	hold b exclusive 15 30
	judged overlap
}

@test "torture: the judge sees one who is overtaken by the third" {
	hold a shared 10 100
	hold b shared 20 30
	hold c exclusive 90 95
	judged overlap
}

@test "torture: the judge counts nobody longer than it had the lock for sure" {
	# It was told too late that it had it: never a look that succeeded.
	line 9 a joins lock=x mode=exclusive way=forged mount=A
	line 50 a acquired
	line 70 a lost error=EIO
	hold b exclusive 45 60
	# Its last look was before the other came; what it did later is its own.
	hold c exclusive 70 80
	line 100 c lost error=EIO
	hold d exclusive 81 90
	judged
}

@test "torture: the judge sees a token that does not grow" {
	hold a exclusive 10 20 0x5
	hold b exclusive 30 40 0x4
	judged token
	hold a exclusive 10 20 0x5
	hold b exclusive 30 40 0x5
	judged token
	hold a exclusive 10 20 0x5
	hold b shared 30 40 0x4
	judged token
	hold a shared 10 20 0x7
	hold b shared 12 20 0x5
	hold c exclusive 30 40 0x6
	judged token
}

@test "torture: the judge sees what is left, stuck, wrong, or failed" {
	line 1 - left lock=x name=_c_1-lock-0000000001
	judged left
	line 1 - stuck what=contender_17
	judged stuck
	line 1 - wrong what=TypeError
	judged wrong
	line 1 - daemon mount=A status=-11
	judged daemon
	line 1 a joins lock=x mode=shared way=forged mount=A
	line 2 a failed error=ENOSYS
	judged errno
	hold a exclusive 10 20
	line 30 a lost error=EBADF
	judged errno
}

@test "torture: the judge wants the end of a trace" {
	hold a exclusive 10 20
	fails "the trace has no end" torture --judge trace
}

# -- the controls: what breaks the rules is noticed --------------------------

control() {
	limit 360
	torture --zkfs "$ZKFS" --work "$BATS_TEST_TMPDIR/work" --seconds 60 \
		--seed "${ZKFS_TORTURE_SEED:-$RANDOM}" --control "$1" 3>&- 4>&-
}

@test "torture: who takes no lock is noticed" {
	control nolock
}

@test "torture: faults make those overlap who do not hear of a loss" {
	control disobey
}

# -- the thing itself --------------------------------------------------------

@test "torture: never two in one lock, and nothing left of anybody" {
	local seconds=${ZKFS_TORTURE_SECONDS:-25}

	limit $((seconds + 320))
	torture --zkfs "$ZKFS" --work "$BATS_TEST_TMPDIR/work" \
		--seconds "$seconds" --seed "${ZKFS_TORTURE_SEED:-$RANDOM}" \
		3>&- 4>&-
}

is_under_way() {
	[ "$(connections_below "$PWD/work" | wc -l)" = 4 ] &&
		grep -qs looked work/trace
}

@test "torture: broken off, it leaves no process and no mount" {
	local pid status=0

	limit 120
	"$E2E_DIR/torture" --zkfs "$ZKFS" --work "$PWD/work" --seconds 100 \
		>out 2>&1 3>&- 4>&- &
	pid=$!
	within 60 is_under_way
	kill -TERM "$pid"
	wait "$pid" || status=$?
	is "$status" 1
	has "$(cat out)" "ended by signal 15"
	is "$(connections_below "$PWD/work")" ""
	fails "" pgrep -f "$PWD/work"
}

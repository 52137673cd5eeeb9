#!/usr/bin/env bats
# The examples of zkfs-locks(7), taken out of the page and run as they stand.

load lib

setup() {
	e2e_setup
	zk create /locks/nightly
	zk_mount A
	zk_mount B
	export Z=$A HOSTNAME=here
	example_names >names
}

PAGE=$E2E_TOP/packaging/man/zkfs-locks.7

example_names() {
	sed -n 's/^\.\\" example \([^ ]*\) .*/\1/p' "$PAGE"
}

# example NAME: its text.
example() {
	awk -v name="$1" '
		$2 == "example" { mine = $3 == name; next }
		/^\.Bd/ { inside = mine; next }
		/^\.Ed/ { inside = mine = 0 }
		inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print }' "$PAGE"
}

# Runs it in all its shells, or by its language.
run_example() {
	local kind shell

	kind=$(sed -n "s/^\\.\\\\\" example $1 //p" "$PAGE")
	example "$1" >"$1.$kind"
	[ -s "$1.$kind" ] || fail "no such example: $1"
	case $kind in
	sh)
		for shell in bash dash; do
			echo "$shell:"
			timeout 20 "$shell" -e "$1.sh" || return
		done
		;;
	python) timeout 20 /usr/bin/python3 "$1.python" ;;
	c)
		gcc -Wall -Wno-format-truncation -o "$1.bin" "$1.c"
		timeout 20 "./$1.bin"
		;;
	esac
}

nobody_is_left() {
	[ -z "$(zk ls /locks/nightly)" ]
}

@test "manual: every example is run here" {
	is "$(tr '\n' ' ' <names)" \
		"open try mkdir flock poll queue loss-sh loss-c loss-python "
}

@test "manual: the ways to lock" {
	is "$(run_example open)" $'bash:\nholding\ndash:\nholding'
	is "$(run_example try)" busy
	is "$(run_example mkdir)" $'bash:\nholding\ndash:\nholding'
	has "$(run_example flock)" \
		$'bash:\nholding\nholding with others\nnobody else counts\ndash:'
	within 10 nobody_is_left
	has "$(run_example poll)" "holding token=0x"
	within 10 nobody_is_left
}

@test "manual: they wait for each other" {
	local name
	for name in open mkdir flock poll; do
		exec 8>"$B/locks/nightly/there"
		run_example "$name" >"$name.out" 2>&1 8>&- &
		within 10 grep -q 'state=held\|there' "$A/locks/nightly/.queue"
		[ ! -s "$name.out" ] || is "$(<"$name.out")" bash:
		exec 8>&-
		wait $!
		has "$(<"$name.out")" holding
		within 10 nobody_is_left
	done
}

@test "manual: who holds it" {
	local output
	output=$(run_example queue)
	has "$output" "pos"
	has "$output" "state=held"
	has "$output" "held"
	within 10 nobody_is_left
}

# told NAME: the example holds, and says so when its lock is broken.
told() {
	local names

	run_example "$1" >"$1.out" 2>&1 &
	within 10 grep -q holding "$1.out"
	names=$(ls "$B/locks/nightly")
	rm "$B/locks/nightly/$names"
	within 10 grep -q lost "$1.out"
	wait $!
	within 10 nobody_is_left
}

@test "manual: a loss is told" {
	told loss-c
	told loss-python
	is "$(run_example loss-sh)" \
		$'bash:\nstep one\nstep two\ndash:\nstep one\nstep two'
}

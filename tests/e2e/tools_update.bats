#!/usr/bin/env bats
# zkfs-update on a plain directory: exit statuses, what COMMAND sees, data of
# every size both ways. Conflicts are injected into its system calls; those of
# a real mount are in update.bats.

bats_require_minimum_version 1.5.0

TOP=$(readlink -f -- "${BATS_TEST_FILENAME%/*}/../..")
BUILD=${ZKFS_BUILD:-build}
[[ $BUILD = /* ]] || BUILD=$TOP/$BUILD
UPDATE=$BUILD/zkfs-update

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	printf '41\n' >n
}

# Nothing here takes long; what hangs ends with 124.
update() {
	timeout 20 "$UPDATE" "$@"
}

# same FILE TEXT
same() {
	printf '%s' "$2" | cmp - "$1"
}

# With the LIST of strace's injections, e.g. fsync:error=ESTALE:when=1.
update_with() {
	local list=$1 args=() one

	command -v strace >/dev/null || skip "no strace"
	for one in $list; do
		args+=(-e "inject=$one")
	done
	shift
	# LeakSanitizer, if it is in there, is a tracer itself.
	ASAN_OPTIONS=detect_leaks=0 timeout 20 strace -qq -o trace \
		-e trace=open,openat,ftruncate,pwrite64,fsync,close \
		"${args[@]}" "$UPDATE" "$@"
}

@test "update: counts" {
	update n awk '{print $1 + 1}'
	same n $'42\n'
}

@test "update: COMMAND is no shell's, and gets its arguments as they are" {
	# shellcheck disable=SC2016 # printf's
	update n printf '%s|' '$HOME' 'a  b' '' '*' -r
	same n '$HOME|a  b||*|-r|'
}

@test "update: the number of the try" {
	# shellcheck disable=SC2016 # sh's
	update n sh -c 'echo "$ZKFS_UPDATE_TRY"'
	same n $'1\n'
}

@test "update: COMMAND fails, nothing is written" {
	run -3 update n sh -c 'echo half; exit 3'
	run -137 update n sh -c 'echo half; kill -KILL $$'
	run -143 update n sh -c 'echo half; kill $$'
	run -1 update n false
	run -75 update n sh -c 'exit 75'
	same n $'41\n'
}

@test "update: COMMAND cannot be run" {
	run -127 update n ./missing
	[ "$output" = "zkfs-update: ./missing: No such file or directory" ]
	run -127 update n no-such-command-anywhere
	: >plain
	run -126 update n ./plain
	[ "$output" = "zkfs-update: ./plain: Permission denied" ]
	same n $'41\n'
}

@test "update: usage" {
	for args in "" n "-r n cat" "-r 0 n cat" "-r -1 n cat" "-r 1x n cat" \
		"-r 99999999999999999999 n cat" "-r" "-x n cat" "--nothing"; do
		# shellcheck disable=SC2086 # several words
		run -1 update $args
		[ "${#lines[@]}" = 1 ]
		[[ $output = "zkfs-update: "* ]]
	done
	same n $'41\n'
	run -0 update --help
	[[ ${lines[0]} = "usage: zkfs-update "* ]]
	run -0 update --version
	[[ $output =~ ^zkfs-update\ [0-9] ]]
}

@test "update: options of COMMAND are its own" {
	update -r 3 n sed -e s/41/-r/
	same n $'-r\n'
	update -- n sed -e s/r/x/
	same n $'-x\n'
}

@test "update: FILE that is none" {
	run -1 update missing cat
	[ "$output" = "zkfs-update: missing: No such file or directory" ]
	[ ! -e missing ]
	run -1 update . cat
	[[ $output = "zkfs-update: .: "* ]]
	run -1 update /dev/null cat
	[ "$output" = "zkfs-update: /dev/null: not a regular file" ]
}

@test "update: shorter, longer, empty" {
	update n printf %s longer-than-it-was
	same n longer-than-it-was
	update n printf %s short
	same n short
	update n true
	same n ""
	update n printf %s again
	same n again
}

@test "update: nothing to change is no write" {
	touch -d 2001-01-01 n
	before=$(stat -c %y n)
	update n cat
	[ "$(stat -c %y n)" = "$before" ]
	update n printf '41\n'
	[ "$(stat -c %y n)" = "$before" ]
}

@test "update: bytes of every kind" {
	head -c 70000 /dev/urandom >random
	cp random n
	update n tac -s ''
	update n cat
	cp random want
	tac -s '' want | cmp - n
}

@test "update: a megabyte both ways at once, to a COMMAND that echoes" {
	head -c 1048576 /dev/urandom >n
	cp n before
	update n sh -c 'cat; echo end'
	head -c 1048576 n | cmp - before
	[ "$(tail -c 4 n)" = end ]
}

@test "update: COMMAND writes all before it reads" {
	head -c 1048576 /dev/zero >n
	update n sh -c 'head -c 1048576 /dev/zero; wc -c'
	[ "$(tail -c 8 n)" = 1048576 ]
}

@test "update: COMMAND reads all before it writes" {
	head -c 3000000 /dev/urandom >n
	sort n >want
	update n sort
	cmp n want
}

@test "update: COMMAND does not read" {
	head -c 1048576 /dev/zero >n
	update n echo enough
	same n $'enough\n'
	head -c 1048576 /dev/zero >n
	update n sh -c 'exec <&-; sleep 0.1; echo closed'
	same n $'closed\n'
	head -c 1048576 /dev/zero >n
	update n head -c 3
	cmp n <(printf '\0\0\0')
}

@test "update: COMMAND closes its output and goes on" {
	update n sh -c 'echo out; exec >&-; cat >side'
	same n $'out\n'
	same side $'41\n'
}

@test "update: COMMAND gets SIGPIPE as we got it" {
	update n sh -c 'grep SigIgn /proc/self/status'
	default=$(cat n)
	(
		trap '' PIPE
		update n sh -c 'grep SigIgn /proc/self/status'
	)
	ignored=$(cat n)
	# SIGPIPE is 13: bit 12.
	[ $((0x${default##*[[:space:]]} & 0x1000)) -eq 0 ]
	[ $((0x${ignored##*[[:space:]]} & 0x1000)) -ne 0 ]
}

@test "update: COMMAND holds no descriptor of ours" {
	update n sh -c 'readlink /proc/$$/fd/* | grep -c "/n$" || true'
	same n $'0\n'
}

@test "update: started with its standard files closed" {
	update n awk '{print $1 + 1}' <&- >&- 2>&-
	same n $'42\n'
}

@test "update: output without end" {
	run -1 update n yes
	[[ $output = "zkfs-update: output of yes: "* ]]
	same n $'41\n'
}

@test "update: a full disk" {
	# /dev/full is no regular file; a limit is as good.
	run -1 bash -c 'ulimit -f 1; trap "" XFSZ
		exec timeout 20 "$1" n head -c 5000 /dev/zero' \
		bash "$UPDATE"
	[[ $output = "zkfs-update: n: File too large"* ]]
}

@test "update: a conflict in any of its calls is tried again" {
	for call in ftruncate pwrite64 fsync; do
		echo longer >n
		# shellcheck disable=SC2016 # sh's
		update_with "$call:error=ESTALE:when=1" n \
			sh -c 'echo "$ZKFS_UPDATE_TRY"'
		same n $'2\n'
		grep -q "^$call(.*ESTALE.*INJECTED" trace
	done
}

@test "update: a conflict at open is tried again" {
	# The first open of a program is its loader's.
	nth=$(strace -qq -e trace=openat "$UPDATE" n cat 2>&1 |
		grep -nm 1 '"n"' | cut -d : -f 1) || skip "no strace"
	update_with "openat:error=ESTALE:when=$nth" n \
		awk '{print $1 + ENVIRON["ZKFS_UPDATE_TRY"]}'
	same n $'43\n'
	grep -q '"n".*ESTALE.*INJECTED' trace
}

@test "update: each try reads anew and knows its number" {
	# shellcheck disable=SC2016 # sh's
	update_with fsync:error=ESTALE:when=1..3 n \
		sh -c 'read -r i; echo "$((i + 100))"; echo "$ZKFS_UPDATE_TRY" >>tries'
	same tries $'1\n2\n3\n4\n'
	# Unlike a zkfs mount this directory has kept what was "refused".
	same n $'441\n'
}

@test "update: the tries are used up" {
	run -75 update_with fsync:error=ESTALE -r 3 n date +%N
	[ "$output" = \
		"zkfs-update: n: still in conflict after 3 tries" ]
	[ "$(grep -c fsync trace)" -eq 3 ]
	run -75 update_with fsync:error=ESTALE -r 1 n date +%N
	[ "$(grep -c fsync trace)" -eq 1 ]
}

@test "update: a conflict of a COMMAND that then fails" {
	# shellcheck disable=SC2016 # sh's
	run -4 update_with fsync:error=ESTALE n \
		sh -c 'echo "$ZKFS_UPDATE_TRY"; [ "$ZKFS_UPDATE_TRY" -lt 3 ] || exit 4'
	same n $'2\n'
}

@test "update: other errors are not tried again" {
	for error in EIO ETIMEDOUT EDQUOT EACCES; do
		run -1 update_with "fsync:error=$error" n date +%N
		[[ $output = "zkfs-update: n: "* ]]
		[ "$(grep -c fsync trace)" -eq 1 ]
	done
	run -1 update_with fsync:error=EIO n date +%N
	[ "$output" = \
		"zkfs-update: n: Input/output error; it may have been written" ]
}

@test "update: interrupted calls go on" {
	update_with "fsync:error=EINTR:when=1..2 pwrite64:error=EINTR:when=1" n \
		printf %s good
	same n good
	[ "$(grep -c fsync trace)" -eq 3 ]
}

@test "update: a signal ends it and nothing is written" {
	mkfifo started never
	"$UPDATE" n sh -c 'echo half; echo >started; read -r _ <never' 3>&- &
	pid=$!
	read -r _ <started
	kill "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 143 ]
	# COMMAND is on its own now.
	timeout 5 sh -c 'echo >never'
	same n $'41\n'
}

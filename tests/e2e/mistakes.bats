#!/usr/bin/env bats
# Command lines that are wrong, of each of the programs. (Those of fstab are in
# mount.bats, and what can be wrong with a mount in daemon.bats.)

load lib

# Neither a server nor a mount.
setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export XDG_STATE_HOME=$PWD/state HOME=$PWD
	PATH=${ZKFS%/*}:$PATH
	[ -e "$ZKFS_BUILD/build.ninja" ] && PATH=$E2E_TOP/packaging:$PATH
	mkdir m
	: >file
	: >secret
	chmod 644 secret
}

teardown() {
	is "$(ls -A)" $'file\nlines\nm\nsecret' "what is left"
}

# Of each line: the exit status, the command, and what is said, which is all
# that is said.
wrong() {
	cat <<-'END'
		2|zkfs|zkfs: a source and a mount point are needed; see 'zkfs --help'
		2|zkfs h|zkfs: a source and a mount point are needed; see 'zkfs --help'
		2|zkfs h m more|zkfs: unexpected argument 'more'; see 'zkfs --help'
		2|zkfs --verison|zkfs: unknown option '--verison'; see 'zkfs --help'
		2|zkfs -fx h m|zkfs: unknown option '-x'; see 'zkfs --help'
		2|zkfs h m -o|zkfs: option '-o' needs a value
		2|zkfs -o allow_ohter h m|zkfs: unknown option 'allow_ohter'; did you mean 'allow_other'?
		2|zkfs -o bogus h m|zkfs: unknown option 'bogus'; 'zkfs --help' lists all
		1|zkfs h none|zkfs: mount point '$PWD/none': No such file or directory; create it first
		1|zkfs h file|zkfs: mount point '$PWD/file': Not a directory
		1|zkfs -o authfile=none h m|zkfs: authfile '$PWD/none': No such file or directory
		1|zkfs -o authfile=secret h m|zkfs: authfile '$PWD/secret': may be read by others than its owner (chmod 600)
		1|zkfs 127.0.0.1:1 m|zkfs: cannot reach ZooKeeper at 127.0.0.1:1: Connection refused; is a server running there?
		1|zkfs 127.0.0.1:x m|zkfs: invalid port in "127.0.0.1:x"
		64|zkfs-lock|zkfs-lock: a lock and a command are needed; see 'zkfs-lock --help'
		64|zkfs-lock l|zkfs-lock: a command is needed; see 'zkfs-lock --help'
		64|zkfs-lock l -c|zkfs-lock: -c takes one argument, a line for the shell; see 'zkfs-lock --help'
		64|zkfs-lock --nonblok l true|zkfs-lock: unknown option '--nonblok'; see 'zkfs-lock --help'
		64|zkfs-lock -nq l true|zkfs-lock: unknown option '-q'; see 'zkfs-lock --help'
		64|zkfs-lock -w|zkfs-lock: option '-w' needs a value; see 'zkfs-lock --help'
		64|zkfs-lock --timeout|zkfs-lock: option '--timeout' needs a value; see 'zkfs-lock --help'
		64|zkfs-lock --shared=1 l true|zkfs-lock: option '--shared' takes no value; see 'zkfs-lock --help'
		64|zkfs-lock -w soon l true|zkfs-lock: not a number of seconds: soon
		66|zkfs-lock m true|zkfs-lock: m: not on a zkfs mount
		1|zkfs-update|zkfs-update: a file and a command are needed; see 'zkfs-update --help'
		1|zkfs-update file|zkfs-update: a file and a command are needed; see 'zkfs-update --help'
		1|zkfs-update --trys=3 file cat|zkfs-update: unknown option '--trys=3'; see 'zkfs-update --help'
		1|zkfs-update -q file cat|zkfs-update: unknown option '-q'; see 'zkfs-update --help'
		1|zkfs-update -r|zkfs-update: option '-r' needs a value; see 'zkfs-update --help'
		1|zkfs-update -r x file cat|zkfs-update: not a number of tries: x
		1|zkfs-update none cat|zkfs-update: none: No such file or directory
		1|zkfs-local|zkfs-local: what to do is missing: start, stop or status; see 'zkfs-local help'
		1|zkfs-local strat|zkfs-local: unknown command 'strat'; see 'zkfs-local help'
		1|zkfs-local start one two|zkfs-local: unexpected argument 'two'; see 'zkfs-local help'
		1|zkfs-local start -q|zkfs-local: unknown option '-q'; see 'zkfs-local help'
		1|zkfs-local start -o|zkfs-local: option '-o' needs a value; see 'zkfs-local help'
		1|zkfs-local stop -n|zkfs-local: 'stop' takes no option '-n'; see 'zkfs-local help'
	END
}

@test "mistakes: each gets one line of what, where and what to do" {
	local want command said got status
	wrong >lines
	while IFS='|' read -r want command said; do
		status=0
		# shellcheck disable=SC2086 # a command's words
		got=$(timeout 30 $command 2>&1 </dev/null) || status=$?
		is "$status" "$want" "$command: $got" || return
		is "$got" "${said//'$PWD'/$PWD}" "$command" || return
	done <lines
}

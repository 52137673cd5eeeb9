#!/usr/bin/env bash
# ways.bash: processes that take a lock in any way (ways.py). Loaded after lib.
# The lock is /locks/x.

# shellcheck disable=SC2034 # for the tests
WAYS="open try flock shared background fcntl ofd mkdir"

ways_setup() {
	e2e_setup
	zk create /locks/x
	declare -gA TAKER=()
	LAST=
	: >overlaps
}

# take NAME WAY [MOUNT]: on the mount $A, without waiting for it.
take() {
	rm -f "$1.go" "$1.says"
	mkfifo "$1.go"
	: >"$1.says"
	/usr/bin/python3 "$E2E_DIR/ways.py" "$2" "${3:-$A}/locks/x" "$1" \
		</dev/null 2>"$1.err" 3>&- 4>&- 8>&- &
	TAKER[$1]=$!
}

# take_another WAY [MOUNT]: under a new name, $LAST.
take_another() {
	COUNT=$((${COUNT:-0} + 1))
	LAST=$1$COUNT
	take "$LAST" "$@"
}

# said NAME WORD: it has come to this.
said() {
	within 20 grep -qx "$2" "$1.says" ||
		fail "'$1' said: $(tr '\n' ' ' <"$1.says")$(<"$1.err")"
}

# taken NAME WAY [MOUNT]
taken() {
	take "$@"
	said "$1" held
}

# hears NAME: it is told of the loss.
hears() {
	echo lost 1<>"$1.go"
	said "$1" lost
}

# knows NAME WORD: asked now, it says so.
knows() {
	echo now 1<>"$1.go"
	said "$1" "$2"
}

free() {
	echo free 1<>"$1.go"
	said "$1" freed
	wait "${TAKER[$1]}"
}

# die SIGNAL NAME: it ends at once, by that.
die() {
	kill "-$1" "${TAKER[$2]}"
	process_ends "${TAKER[$2]}" || fail "'$2' does not end" || return 1
	! wait "${TAKER[$2]}" 2>/dev/null
}

# names_of WAY: how many znodes one makes.
names_of() {
	[ "$1" = shared ] && echo 2 || echo 3
}

# children COUNT [SECONDS]: of the lock, as another client sees it.
children() {
	zk await_children /locks/x "$1" "${2:-20}" >/dev/null
}

# nothing_left: the lock is empty, and never had two holders.
nothing_left() {
	children 0
	is "$(<overlaps)" ""
}

# works [MOUNT]: who comes now gets the lock, alone.
works() {
	taken after open "${1:-$A}"
	children 3
	free after
	nothing_left
}

# The newest session of the mount A.
session_of_a() {
	grep -oE 'new session 0x[0-9a-f]+' A.log | tail -n 1 | cut -d ' ' -f 3
}

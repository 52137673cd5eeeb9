#!/usr/bin/env bats
# bash completion, driven as Readline drives it.

load lib

setup() {
	export PATH=${ZKFS%/*}:$PATH
	cd "$BATS_TEST_TMPDIR" || return
	if [ -e "$ZKFS_BUILD/build.ninja" ]; then
		COMPLETIONS=$E2E_TOP/packaging/completions/zkfs
	else
		COMPLETIONS=/usr/share/bash-completion/completions/zkfs
	fi
}

teardown() {
	:
}

# completed LINE: what is offered at its end, sorted, in one line. Words are
# cut where Readline cuts them: the first regular expression of its own.
completed() {
	bash --norc -c '
		shopt -s extglob
		[ ! -r /usr/share/bash-completion/bash_completion ] ||
			. /usr/share/bash-completion/bash_completion
		. "$1"
		compopt() { :; } # only inside a completion of its own
		COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
		mapfile -t COMP_WORDS < <(grep -oE "[=:]+|[^ =:]+" <<<"$2")
		[[ $2 != *[\ ] ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		[ "${2%% *}" != mount ] || complete -F _zkfs_mount mount
		spec=$(complete -p "${2%% *}") || exit
		spec=${spec##*-F }
		"${spec%% *}" "${2%% *}" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$COMPLETIONS" "$1" 2>&1 |
		LC_ALL=C sort | tr '\n' ' '
}

@test "completion: the mount options are zkfs's own" {
	local all
	all=$("$ZKFS" --dump-config | sed -n 's/^options=//p' | tr ' ' '\n' |
		LC_ALL=C sort | tr '\n' ' ')
	is "$(completed "zkfs -o ")" "$all"
	is "$(completed "zkfs h:1 /m -o ")" "$all"
	is "$(completed "mount.zkfs h:1 /m -o ")" "$all"
	is "$(completed "zkfs-local start -o ")" "$all"
}

@test "completion: one of several options, and its value" {
	is "$(completed "zkfs -o lockr")" "lockroot= "
	is "$(completed "zkfs -o ro,lockr")" "ro,lockroot= "
	# Readline replaces what is behind the last "=" or ":".
	is "$(completed "zkfs -o timeo=3,lockr")" "3,lockroot= "
	is "$(completed "zkfs -o locknames=cur")" "curator curator-rw "
	is "$(completed "zkfs -o ro,locknames=kazoo:cur")" "curator curator-rw "
	is "$(completed "zkfs -o uid=nobo")" "nobody "
	is "$(completed "zkfs -o uid=nobody,gid=nogr")" "nogroup "
	is "$(completed "zkfs -o timeo=")" " "
}

@test "completion: flags, and the mount point" {
	mkdir dir
	: >file
	is "$(completed "zkfs --d")" "--dump-config "
	is "$(completed "zkfs h:1 d")" "dir "
	is "$(completed "zkfs -f -o ro h:1,h:2/a d")" "dir "
	is "$(completed "zkfs d")" " "
	is "$(completed "zkfs h:1 f")" " "
	is "$(completed "mount.fuse.zkfs h /m -t f")" "fuse.zkfs "
	is "$(completed "zkfs-local s")" "start status stop "
	is "$(completed "zkfs-local start d")" "dir "
}

@test "completion: zkfs-lock and zkfs-update, and what they run" {
	mkdir dir
	: >file
	is "$(completed "zkfs-lock --sh")" "--shared "
	is "$(completed "zkfs-lock -w 3 d")" "dir "
	is "$(completed "zkfs-lock -w ")" " "
	is "$(completed "zkfs-lock dir --")" "-- --command "
	has " $(completed "zkfs-lock -n dir basenam")" " basename "
	is "$(completed "zkfs-update -r 3 fi")" "file "
	has " $(completed "zkfs-update file basenam")" " basename "
}

@test "completion: mount, for who asks for it" {
	[ -r /usr/share/bash-completion/completions/mount ] ||
		skip "no completion of mount(8)"
	is "$(completed "mount -t zkfs h:1 /m -o lockr")" "lockroot= "
	is "$(completed "mount -t fuse.zkfs -o ro,timeo=3,sta")" "3,stale "
	# All else is its own.
	is "$(completed "mount -t ext4 /dev/x /m -o lockr")" " "
	has " $(completed "mount --fa")" " --fake "
	has " $(completed "mount -t zkfs --fst")" " --fstab "
}

# Each flag in the completion is in --help, and each of --help in it.
@test "completion: the flags are those of --help" {
	local name
	for name in zkfs zkfs-lock zkfs-update; do
		is "$(completed "$name -" | tr ' ' '\n' | sed 's/=$//' |
			sort -u)" \
			"$("${ZKFS%/*}/$name" --help | flags | sort -u)" "$name"
	done
}

# The flags that a help text lists, at the beginning of its lines; -c stands
# behind the lock.
flags() {
	grep -oE '^ +-[^ ]+( [A-Z]+)?(, +-[^ ]+)*' |
		grep -oE -e '--?[a-zA-Z][a-z-]*' |
		grep -vxE -e '-c|--command'
}

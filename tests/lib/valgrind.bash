# shellcheck shell=bash disable=SC2034,SC2154
# valgrind: some of the end-to-end tests with the daemon under memcheck, on the
# build with gcc, as it is installed. Not among the groups that run without
# being named: it takes minutes, and the sanitizers see nearly all of it.

valgrind_needs=(valgrind)
valgrind_suite=(read locks)

# In the place of the build's programs: the daemon is run by valgrind. What it
# says goes to files, an empty one a process that it has nothing against. Those
# of a daemon's helpers are theirs alone, as they are forked only.
valgrind_programs() {
	local name
	mkdir "$scratch/memcheck" || return
	for name in zkfs-lock zkfs-update; do
		ln -s "$top/build/$name" "$scratch/memcheck/" || return
	done
	cat >"$scratch/memcheck/zkfs" <<-END
		#!/bin/sh
		exec valgrind --quiet --leak-check=full --num-callers=25 \\
			--show-leak-kinds=definite,indirect \\
			--log-file='$scratch/memcheck/log.%p' '$top/build/zkfs' "\$@"
	END
	chmod +x "$scratch/memcheck/zkfs"
}

# Lines that begin with "--" are of valgrind itself, of system calls, say, that
# it does not know.
valgrind_is_silent() {
	! grep -h '^==' "$scratch"/memcheck/log.*
}

group_valgrind() {
	local name
	valgrind_programs || return
	for name in "${valgrind_suite[@]}"; do
		ZKFS_BUILD=$scratch/memcheck TMPDIR=$scratch E2E_LIMIT=600 \
			PY_LIMIT=300 \
			limited 1800 bats --formatter tap "tests/e2e/$name.bats" \
			>"$scratch/memcheck/$name.tap"
		count_tap "$scratch/memcheck/$name.tap"
	done
	check "memcheck has looked" compgen -G "$scratch/memcheck/log.*"
	check "memcheck is silent" valgrind_is_silent
}

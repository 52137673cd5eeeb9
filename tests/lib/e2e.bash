# shellcheck shell=bash disable=SC2154
# e2e: the bats suite, a file at a time, on the build it is told. Each file has
# a directory for its temporary files, so that what it leaves mounted is found.

e2e_limit=600

# What is mounted below a directory, the deepest first.
mounts_below() {
	awk -v top="$1/" 'index($5, top) == 1 { print $5 }' \
		/proc/self/mountinfo | sort -r
}

# A mount that outlives its test is a failure, and must not outlive this run.
check_mounts() {
	local left mount
	left=$(mounts_below "$1")
	[ -n "$left" ] || return 0
	while IFS= read -r mount; do
		echo "left mounted: $mount"
		timeout 20 umount -l "$mount"
	done <<<"$left"
	count_fail
}

# A daemon in the background has no stderr: sanitizers write to files.
check_sanitizers() {
	local report found=0
	for report in "$1"/sanitizer.*; do
		[ -e "$report" ] || continue
		found=1
		cat "$report"
	done
	[ "$found" -eq 0 ] || count_fail
}

# Usage: group_e2e BUILD FILE
group_e2e() {
	local kind=$1 file=$2 dir=${build_dirs[$1]} status=0
	local tmp=$scratch/e2e.$kind.${file##*/}
	mkdir -p "$tmp" || return
	ZKFS_BUILD=$top/$dir TMPDIR=$tmp \
		ASAN_OPTIONS=$asan_options:log_path=$tmp/sanitizer \
		UBSAN_OPTIONS=$ubsan_options:log_path=$tmp/sanitizer \
		limited "$e2e_limit" bats --formatter tap "$file" \
		>"$tmp/out.tap" || status=$?
	count_tap "$tmp/out.tap"
	check_mounts "$tmp"
	check_sanitizers "$tmp"
	return "$status"
}

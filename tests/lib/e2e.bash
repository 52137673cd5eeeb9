# shellcheck shell=bash disable=SC2154
# e2e: the bats suite, a file at a time, on the build it is told. Each file has
# a directory for its temporary files, so that what it leaves mounted is found.

e2e_limit=900

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

# Usage: run_bats BUILD TMP ARG...; TAP goes to stdout.
run_bats() {
	local dir=${build_dirs[$1]} tmp=$2
	shift 2
	ZKFS_BUILD=$top/$dir TMPDIR=$tmp \
		ASAN_OPTIONS=$asan_options:log_path=$tmp/sanitizer \
		UBSAN_OPTIONS=$ubsan_options:log_path=$tmp/sanitizer \
		TSAN_OPTIONS=$tsan_options:log_path=$tmp/sanitizer \
		limited "$e2e_limit" bats --formatter tap "$@"
}

# What names the tests that have failed in a file of TAP, for bats -f. Nothing
# where a second run would tell nothing: when not all of them were run, or many
# have failed.
unsteady_max=2
failed_pattern() {
	local plan names
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$1")
	[ "$plan" = "$(grep -cE '^(not )?ok ' "$1")" ] || return
	names=$(sed -n 's/^not ok [0-9]* //p' "$1")
	[ -n "$names" ] && [ "$(wc -l <<<"$names")" -le "$unsteady_max" ] ||
		return
	sed 's/[][(){}.*+?^$|\\]/\\&/g; s/.*/^&$/' <<<"$names" | paste -sd '|'
}

# Usage: group_e2e BUILD FILE. Of these tests time is a part: one that fails is
# run once more, with what else the machine does then. If it passes it has
# passed, and is named as unsteady; what it said is in the log. What leaves a
# mount or a sanitizer's report behind has failed for good.
group_e2e() {
	local kind=$1 file=$2 status=0 again
	local tmp=$scratch/e2e.$kind.${file##*/}
	mkdir -p "$tmp" || return
	run_bats "$kind" "$tmp" "$file" >"$tmp/out.tap" || status=$?
	again=$([ "$status" -ne 1 ] || failed_pattern "$tmp/out.tap")
	if [ -n "$again" ]; then
		status=0
		run_bats "$kind" "$tmp" -f "$again" "$file" \
			>"$tmp/again.tap" || status=$?
		merge_tap "$tmp/out.tap" "$tmp/again.tap"
	else
		count_tap "$tmp/out.tap"
	fi
	check_mounts "$tmp"
	check_sanitizers "$tmp"
	return "$status"
}

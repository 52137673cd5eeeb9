# shellcheck shell=bash disable=SC2154
# meson: the tests that meson knows, a suite at a time. Test cases are counted
# from the report that meson writes, so that each line of TAP is one.

meson_suites=(unit sim fuzz session mount)

# Usage: group_meson BUILD SUITE
group_meson() {
	local suite=$2 dir=${build_dirs[$1]} status=0 counts
	rm -f "$dir/meson-logs/testlog-$suite.junit.xml"
	# Beside others some of them take long.
	limited 1800 meson test -C "$dir" --no-rebuild --suite "$suite" \
		--timeout-multiplier 4 \
		--print-errorlogs --logbase "testlog-$suite" || status=$?
	counts=$(python3 tests/lib/junit.py \
		"$dir/meson-logs/testlog-$suite.junit.xml") || return
	# shellcheck disable=SC2034
	read -r passed failed skipped <<<"$counts"
	return "$status"
}

# Every test belongs to a suite that is run here.
group_suites() {
	check "each meson test is in a suite of: ${meson_suites[*]}" \
		limited 60 python3 tests/lib/suites.py build "${meson_suites[@]}"
}

# The same targets under libFuzzer, which goes where the coverage grows; a few
# seconds each, as a guard against what is easy to reach. With ZKFS_FUZZ_SECONDS
# it is so many, and what was new is kept in tests/fuzz/corpus, cut down to what
# the coverage needs.
group_libfuzzer() {
	local target name corpus seconds=${ZKFS_FUZZ_SECONDS:-5}
	for target in build-asan/tests/fuzz/*-libfuzzer; do
		name=${target##*/}
		corpus=tests/fuzz/corpus/${name%-libfuzzer}
		mkdir -p "$scratch/$name" "$corpus" || return
		check "$name" limited $((seconds + 60)) "$target" \
			-max_total_time="$seconds" -max_len=4096 -timeout=10 \
			-verbosity=0 -artifact_prefix="$logs/$name-" \
			"$scratch/$name" "$corpus"
		[ -z "${ZKFS_FUZZ_SECONDS-}" ] ||
			check "$name: the corpus" limited 300 "$target" \
				-merge=1 -use_counters=0 -max_len=4096 \
				-verbosity=0 "$corpus" "$scratch/$name"
		rmdir --ignore-fail-on-non-empty "$corpus"
	done
}

# shellcheck shell=bash disable=SC2154
# build: the builds that the tests use, each made at most once a run.
#
#   build        gcc
#   build-clang  clang; its compile_commands.json serves clang-tidy
#   build-asan   clang with AddressSanitizer and UndefinedBehaviorSanitizer,
#                and the fuzz targets with libFuzzer
#   build-tsan   clang with ThreadSanitizer; only for who asks for it

declare -A build_dirs=([gcc]=build [clang]=build-clang [asan]=build-asan
	[tsan]=build-tsan)
# The exit status of those that were made in this run.
declare -A build_status=()

# Sets up anew or again: tests are found when meson runs, so that a new test
# is only seen by a reconfigured build. One that another meson has made, or
# that was broken off, is made anew.
setup_build() {
	local dir=$1
	shift
	set -- "$dir" -Dwerror=true -Dtests=true "$@"
	if [ -e "$dir/build.ninja" ]; then
		quietly limited 120 meson setup --reconfigure "$@" && return
	fi
	if [ -d "$dir/meson-private" ]; then
		quietly limited 120 meson setup --wipe "$@"
	else
		quietly limited 120 meson setup "$@"
	fi
}

# Runs a command and shows what it says only when it fails.
quietly() {
	local status=0
	"$@" >"$scratch/quiet" 2>&1 || status=$?
	[ "$status" -eq 0 ] || cat "$scratch/quiet"
	return "$status"
}

make_build() {
	local kind=$1 dir=${build_dirs[$1]}
	case $kind in
	gcc)
		CC=gcc setup_build "$dir" || return
		;;
	clang)
		CC=clang setup_build "$dir" || return
		;;
	asan)
		CC=clang setup_build "$dir" -Dfuzz=true -Db_lundef=false \
			-Db_sanitize=address,undefined \
			-Dc_args='-fno-sanitize-recover=all -fno-omit-frame-pointer' ||
			return
		;;
	tsan)
		CC=clang setup_build "$dir" -Db_lundef=false \
			-Db_sanitize=thread \
			-Dc_args=-fno-omit-frame-pointer || return
		;;
	esac
	limited 600 ninja --quiet -k 0 -C "$dir"
}

# A group: one build, one test.
group_build() {
	make_build "$1" && count_pass
}

# What is installed does not depend on where it was built: the programs of the
# build with gcc again, from a copy of the sources in another place, in a
# directory of another depth.
group_same() {
	local copy=$scratch/a/copy/of/it name
	mkdir -p "$copy" || return
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' name; do
			[ ! -f "$name" ] || printf '%s\0' "$name"
		done | tar --null -T - -c -f - | tar -C "$copy" -x -f - || return
	(cd "$copy" && CC=gcc setup_build "$scratch/other") || return
	limited 600 ninja --quiet -C "$scratch/other" zkfs zkfs-lock zkfs-update
	for name in zkfs zkfs-lock zkfs-update; do
		check "$name is the same" cmp "build/$name" "$scratch/other/$name"
	done
}

# Makes a build that a group needs, as a group of its own before it.
need_build() {
	local kind=$1
	if [ -z "${build_status[$kind]-}" ]; then
		build_status[$kind]=0
		run_group "build/$kind" group_build "$kind" ||
			build_status[$kind]=1
	fi
	[ "${build_status[$kind]}" -eq 0 ]
}

# Runs in place of a group whose build is broken.
group_no_build() {
	echo "there is no build $1"
	return 1
}

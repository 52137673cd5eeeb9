# shellcheck shell=bash disable=SC2154
# lint: what can be said about the sources without running them.

# The files of the tree that match the patterns, new ones included.
source_files() {
	git ls-files -z --cached --others --exclude-standard -- "$@" |
		while IFS= read -r -d '' file; do
			# One that is deleted but not yet committed is listed.
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done | sort -u
}

group_layers() {
	check "includes point down" limited 60 tests/layers.py
	limited 60 tests/layers.py --self-test >"$logs/layers.tap"
	count_tap "$logs/layers.tap"
}

# The test runner's own test.
group_runner() {
	limited 120 tests/lib/selftest >"$logs/runner.tap"
	count_tap "$logs/runner.tap"
}

# Each header, twice, as the only thing of a source: it includes what it
# needs and bears being included again.
group_headers() {
	local header compiler cflags version
	read -ra cflags < <(pkg-config --cflags fuse3)
	# libfuse wants to be told which of its interfaces is meant.
	version=$(grep -oh -m 1 -e '-DFUSE_USE_VERSION=[0-9]*' \
		meson.build fs/meson.build fs/ops/meson.build | head -n 1)
	[ -z "$version" ] || cflags+=("$version")
	cflags+=(-std=gnu17 -D_GNU_SOURCE -I. -Wall -Wextra -Wshadow
		-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
		-Wno-unused-parameter -Werror -Wfatal-errors -fsyntax-only -x c -)
	while IFS= read -r header; do
		for compiler in gcc clang; do
			check "$compiler $header" \
				header_alone "$header" "$compiler" "${cflags[@]}"
		done
	done < <(source_files 'fs/*.h' 'include/*.h')
}

header_alone() {
	local header=$1
	shift
	printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
		timeout 60 "$@"
}

group_format() {
	local files
	mapfile -t files < <(source_files '*.c' '*.h')
	check "clang-format -i FILE; ${#files[@]} files" \
		format_all "${files[@]}"
}

format_all() {
	printf '%s\0' "$@" >"$scratch/formatted"
	limited 120 xargs -0 -a "$scratch/formatted" -P "$(nproc)" -n 25 \
		clang-format --dry-run --Werror --ferror-limit=1
}

# Only what is compiled can be looked at: the files that the build knows.
group_tidy() {
	compiled_files build-clang >"$scratch/compiled" || return
	check "clang-tidy, $(wc -l <"$scratch/compiled") files" \
		limited 1200 xargs -a "$scratch/compiled" -P "$(nproc)" -n 1 \
		clang-tidy --quiet -p build-clang
}

compiled_files() {
	python3 - "$1/compile_commands.json" <<-'END'
		import json, os, sys
		files = {os.path.relpath(os.path.join(e['directory'], e['file']))
		         for e in json.load(open(sys.argv[1]))}
		print('\n'.join(sorted(files)))
	END
}

group_cppcheck() {
	check "cppcheck" limited 300 cppcheck --quiet -j "$(nproc)" \
		--enable=warning,performance,portability,style \
		--inline-suppr --suppressions-list=tests/lib/cppcheck.txt \
		--library=posix --error-exitcode=1 -I. -D_GNU_SOURCE fs tests
}

# Scripts are known by their first line, parts of them by their name.
shell_scripts() {
	local file first
	while IFS= read -r file; do
		case $file in
		*.bash | *.sh | packaging/completions/*)
			echo "$file"
			continue
			;;
		esac
		IFS= read -r first 2>/dev/null <"$file" || continue
		case $first in
		'#!'*/bash | '#!'*/sh | '#!'*env\ bash | '#!'*env\ sh)
			echo "$file"
			;;
		esac
	done < <(source_files)
}

# To shellcheck each @test is a subshell that changes variables of the next, and
# a file that a test reads and writes a mistake.
group_shell() {
	local file
	while IFS= read -r file; do
		check "$file" limited 60 shellcheck -x -P SCRIPTDIR "$file"
	done < <(shell_scripts)
	while IFS= read -r file; do
		check "$file" \
			limited 60 shellcheck -s bats -x -P SCRIPTDIR \
			-e SC2030,SC2031,SC2094 "$file"
	done < <(source_files '*.bats')
}

group_python() {
	local file
	while IFS= read -r file; do
		check "$file" limited 60 python3 -c \
			'import sys; compile(open(sys.argv[1]).read(), *sys.argv[1:], "exec")' \
			"$file"
	done < <(source_files '*.py')
}

# What mandoc has to say of a page, but that it is one of section 8 with a list
# of errnos.
page_is_right() {
	local said
	said=$(timeout 60 mandoc -T lint -W warning "$1" 2>&1 |
		grep -v 'unexpected section: Sh ERRORS')
	[ -z "$said" ] || echo "$said"
	[ -z "$said" ]
}

# And groff, by which man(1) shows it.
page_is_shown() {
	local said
	said=$(LC_ALL=C.UTF-8 MANWIDTH=80 timeout 60 man --warnings -E UTF-8 \
		-l "$1" 2>&1 >/dev/null)
	[ -z "$said" ] || echo "$said"
	[ -z "$said" ]
}

group_manual() {
	local page
	check "zkfs(8) and --help are true" \
		limited 60 tests/lib/manual.py build/zkfs
	check "so are zkfs-lock(1) and its like" tools_are_documented
	for page in packaging/man/*; do
		check "$page" page_is_right "$page"
		check "$page is shown" page_is_shown "$page"
	done
}

# The flags of --help are items of the page, and those of the page are known to
# the program: some have more names than one.
tools_are_documented() {
	local name flag status=0
	for name in lock update; do
		"build/zkfs-$name" --help | grep -E '^  +-' |
			grep -oE -e '(^|[ ,])--?[A-Za-z][a-z-]*' |
			tr -d ' ,' | sort -u >"$scratch/help"
		sed -n 's/^\.It Fl //p' "packaging/man/zkfs-$name.1" |
			sed 's/ , /\n/g' | sed 's/^Fl //; s/ .*//; s/^/-/' |
			sort -u >"$scratch/page"
		while IFS= read -r flag; do
			echo "zkfs-$name(1) has no $flag"
			status=1
		done < <(comm -23 "$scratch/help" "$scratch/page")
		while IFS= read -r flag; do
			grep -qF "\"${flag#--}\"" "fs/tools/$name.c" && continue
			echo "zkfs-$name knows no $flag"
			status=1
		done < <(comm -13 "$scratch/help" "$scratch/page")
	done
	return "$status"
}

# shellcheck shell=sh disable=SC2034 # much of it is for the scripts
# mutating.sh: what the scripts have in common that put mistakes into a recipe,
# one at a time, and see whether its simulation fails on each.
#
# A mutation that changes nothing, or does not compile, is an error of the
# script: the source has moved on, and the mutation must follow it.

src=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

cc=${CC:-cc}
cflags="-std=gnu17 -D_GNU_SOURCE -O1 -I$src"
chosen=" $* "
caught=0
failed=0

compile() { # SOURCE OBJECT
	# shellcheck disable=SC2086 # a list of flags
	$cc $cflags -c "$1" -o "$2"
}

# compile_others FILE...: what no mutation changes, to other-N.o.
compile_others() {
	n=0
	for file; do
		n=$((n + 1))
		compile "$src/$file" "$tmp/other-$n.o"
	done
}

# is_chosen NAME: all are when none was named.
is_chosen() {
	case $chosen in
	"  " | *" $1 "*) return 0 ;;
	*) return 1 ;;
	esac
}

# make_mutant NAME PART SED-EXPRESSION...: mutant.o, of fs/core/PART.c.
make_mutant() {
	mutation=$1
	cp "$src/fs/core/$2.c" "$tmp/mutant.c"
	shift 2
	for expression; do
		cp "$tmp/mutant.c" "$tmp/before.c"
		sed -i -E "$expression" "$tmp/mutant.c"
		if cmp -s "$tmp/before.c" "$tmp/mutant.c"; then
			echo "$mutation: no longer applies: $expression" >&2
			exit 2
		fi
	done
	compile "$tmp/mutant.c" "$tmp/mutant.o"
}

# missed NAME, bitten NAME: the simulation has passed, or failed; its words are
# in the log.
missed() {
	echo "NOT CAUGHT  $1"
	failed=$((failed + 1))
}

bitten() {
	caught=$((caught + 1))
	echo "caught      $1: $(grep -aE 'violated|FAILED|ssertion' \
		"$tmp/log" | head -n 1)"
}

# The last line, and the script's status.
finish() {
	echo "$caught caught, $failed not"
	[ "$failed" -eq 0 ]
}

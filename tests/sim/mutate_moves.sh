#!/bin/sh
# mutate_moves.sh: proves that sim_moves bites, as mutate.sh does for the lock
# recipe. Each mutation is a mistake that does a rename or a truncation twice,
# or tells what is not so.
#
#	tests/sim/mutate_moves.sh [FILE:NAME...]	(all by default; CC is honoured)
set -eu

# shellcheck source=tests/sim/mutating.sh
. "$(dirname "$0")/mutating.sh"

seeds=${SEEDS:-5000}
parts="move rewrite outcome"

# mutate PART:NAME SED-EXPRESSION
mutate() {
	is_chosen "$1" || return 0
	part=${1%%:*}
	make_mutant "$1" "$part" "$2"
	others=
	for other in $parts; do
		[ "$other" = "$part" ] || others="$others $tmp/$other.o"
	done
	# shellcheck disable=SC2086 # a list of files
	$cc "$tmp/sim.o" "$tmp/error.o" $others "$tmp/mutant.o" -o "$tmp/mutant"
	if timeout 60 "$tmp/mutant" 1 "$seeds" >"$tmp/log" 2>&1; then
		missed "$1"
	else
		bitten "$1"
	fi
}

for part in $parts; do
	compile "$src/fs/core/$part.c" "$tmp/$part.o"
done
compile "$src/fs/base/error.c" "$tmp/error.o"
compile "$src/tests/sim/sim_moves.c" "$tmp/sim.o"
$cc "$tmp"/*.o -o "$tmp/plain"
"$tmp/plain" 1 "$seeds" || {
	echo "the recipe itself fails" >&2
	exit 1
}

# -- rename --

mutate move:lost-is-sent-again \
	's/return ZKFS_MOVE_LOOK_SOURCE;/return zkfs_move_again(move);/'
mutate move:lost-is-done \
	's/return ZKFS_MOVE_LOOK_SOURCE;/return ZKFS_MOVE_DONE;/'
mutate move:lost-is-failed \
	's/return ZKFS_MOVE_LOOK_SOURCE;/return failed(move, -ETIMEDOUT);/'
mutate move:lost-is-unknown \
	's/return ZKFS_MOVE_LOOK_SOURCE;/return unknown(move);/'
mutate move:source-gone-is-done \
	's/return ZKFS_MOVE_LOOK_TARGET;/return ZKFS_MOVE_DONE;/'
mutate move:not-looked-is-failed \
	'/zkfs_move_found_source/,/^}/ s/return unknown\(move\)/return failed(move, -ETIMEDOUT)/'
mutate move:target-not-looked-is-done \
	's/if \(known \&\&/if (!known ||/'
mutate move:target-other-is-failed \
	'/zkfs_move_found_target/,/^}/ s/return unknown\(move\)/return failed(move, -ESTALE)/'
mutate move:target-is-replaced-blindly \
	's/move->replaces = target;/move->replaces = false;/'
mutate move:conflict-is-unknown \
	's/case ZKFS_E_BADVERSION:$/case ZKFS_E_BADVERSION: return unknown(move);/'
mutate move:not-sent-is-told \
	'/case ZKFS_E_UNSENT:/d'
mutate move:refusal-is-done \
	's/return failed\(move, zkfs_error_to_errno\(error\)\);/return ZKFS_MOVE_DONE;/'
mutate outcome:any-source-is-the-old-one \
	's/return found \&\& found->czxid == czxid \? ZKFS_OUTCOME_NOT_DONE/return found ? ZKFS_OUTCOME_NOT_DONE/'
mutate outcome:no-source-is-the-old-one \
	's/return found \&\& found->czxid == czxid \? ZKFS_OUTCOME_NOT_DONE/return false ? ZKFS_OUTCOME_NOT_DONE/'
mutate outcome:any-target-is-ours \
	's/if \(!found \|\| found->data_length/if (!found) return ZKFS_OUTCOME_UNKNOWN; if (false \&\& found->data_length/'
mutate outcome:target-by-length-alone \
	's/found->version != moved_version\(was, source, is_file\)/false/'
mutate outcome:target-by-version-alone \
	's/found->data_length != source->data_length/false/'
mutate outcome:target-has-another-version \
	's/return was \? was->version \+ 1 : 1;/return 1;/'

mutate outcome:a-directory-is-set-at-once \
	's/return source->version > 0;/return 1;/'
mutate outcome:a-directory-is-never-set \
	's/return source->version > 0;/return 0;/'
mutate outcome:a-directory-stays-what-it-is \
	's/\(found->czxid == was->czxid\) != is_file/found->czxid != was->czxid/'
mutate outcome:the-old-directory-is-the-new-one \
	's/if \(was \&\& \(found->czxid == was->czxid\) != is_file\)/if (is_file \&\& was \&\& found->czxid != was->czxid)/'

# -- truncate --

mutate rewrite:lost-is-done \
	's/^	if \(!error\)$/	if (!error || error == ZKFS_E_LOST)/; s/\|\| \(error == ZKFS_E_LOST \&\& in_time\)//'
mutate rewrite:lost-is-not-done \
	's/rewrite->doubt \|= error == ZKFS_E_LOST;//'
mutate rewrite:refused-is-not-done \
	's/rewrite->doubt \? -EIO : zkfs_error_to_errno\(error\)/zkfs_error_to_errno(error)/'
mutate rewrite:doubt-is-forgotten \
	's/rewrite->doubt \|= error == ZKFS_E_LOST;/rewrite->doubt = error == ZKFS_E_LOST;/'
mutate rewrite:lag-is-not-done \
	's/^	if \(stat->version == rewrite->version\)$/	if (stat->version == rewrite->version) rewrite->doubt = false;\n&/'
mutate rewrite:next-is-ours \
	's/return same;/return 1;/'
mutate rewrite:next-is-never-ours \
	's/return same;/return 0;/'
mutate rewrite:later-is-not-done \
	's/if \(stat->version - rewrite->version != 1\)/if (false)/'
mutate rewrite:gone-is-not-done \
	's/if \(error \|\| stat->czxid != rewrite->czxid\)/if (false)/'
mutate rewrite:not-sent-is-told \
	's/ error == ZKFS_E_UNSENT \|\|//'
mutate rewrite:conflict-is-done \
	's/if \(error == ZKFS_E_BADVERSION \|\|/if (error == ZKFS_E_BADVERSION) return ZKFS_REWRITE_DONE; if (/'

finish

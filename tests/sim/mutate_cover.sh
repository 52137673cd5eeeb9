#!/bin/sh
# mutate_cover.sh: proves that cover_sim bites, as mutate.sh does for the lock
# recipe. Each mutation is a mistake that shows what is not so, or keeps it.
#
#	tests/sim/mutate_cover.sh [NAME...]	(all by default; CC is honoured)
set -eu

# shellcheck source=tests/sim/mutating.sh
. "$(dirname "$0")/mutating.sh"

runs=${RUNS:-1000}

# bites PROGRAM: in one of the two ways to be without a connection.
bites() {
	! timeout 120 "$1" 1 "$runs" 5000 >"$tmp/log" 2>&1 ||
		! timeout 120 "$1" --stale 1 "$runs" 5000 >"$tmp/log" 2>&1
}

# mutate NAME FILE SED-EXPRESSION
mutate() {
	is_chosen "$1" || return 0
	make_mutant "$1" "$2" "$3"
	case $2 in
	cover) plain=$tmp/tree.o ;;
	*) plain=$tmp/cover.o ;;
	esac
	$cc "$tmp"/other-*.o "$plain" "$tmp/mutant.o" -o "$tmp/mutant"
	if bites "$tmp/mutant"; then
		bitten "$1"
	else
		missed "$1"
	fi
}

compile_others fs/base/buf.c fs/base/hash.c fs/core/attr.c \
	tests/sim/cover_sim.c tests/sim/cover_server.c
compile "$src/fs/core/cover.c" "$tmp/cover.o"
compile "$src/fs/core/tree.c" "$tmp/tree.o"
$cc "$tmp"/*.o -o "$tmp/plain"
if bites "$tmp/plain"; then
	cat "$tmp/log" >&2
	echo "the cache itself fails" >&2
	exit 1
fi

# -- what is believed --

mutate fired-is-live cover \
	'/^unsigned zkfs_cover_fired/,/^}/ s/cover->live\[half\] = false;//'
mutate answered-is-live cover \
	's/cover->live\[ask->half\] = live;/cover->live[ask->half] = true;/'
mutate attributes-without-children cover \
	'/^bool zkfs_cover_has_attr/,/^}/ s/\(is_shown\(cover, ZKFS_COVER_CHILD\) \|\| childless\(type, stat\)\)/true/'
mutate attributes-without-data cover \
	'/^bool zkfs_cover_has_attr/,/^}/ s/is_shown\(cover, ZKFS_COVER_DATA\) \&\&//'
mutate a-file-for-ever cover \
	'/^bool zkfs_cover_has_name/,/^}/ s/keeps_type\(type, stat\)/true/'
mutate a-directory-with-data-for-ever cover \
	's/stat->version == 0 \&\&$/true \&\&/; s/stat->data_length == 0\);/true);/'
mutate data-without-a-watch cover \
	'/^struct zkfs_buf \*zkfs_cover_data/,/^}/ s/is_shown\(cover, ZKFS_COVER_DATA\)/true/'
mutate old-data-is-kept cover \
	's/if \(half == ZKFS_COVER_DATA \&\& event != ZKFS_ZK_UNWATCHED\)/if (false)/; s/cover->mzxid != stat->mzxid/false/'
mutate data-is-found-unlooked cover \
	's/cover->mzxid != stat->mzxid/false/'
mutate listed-without-a-watch cover \
	's/cover->listed = cover->live\[ZKFS_COVER_CHILD\];/cover->listed = true;/; s/return cover->listed \&\& is_shown\(cover, ZKFS_COVER_CHILD\);/return cover->listed;/'
mutate listed-for-ever cover \
	'/^unsigned zkfs_cover_fired/,/^}/ s/cover->listed = false;//'

# -- what the kernel is told --

mutate promise-is-forgotten cover \
	's/cover->promised \|= \(uint8_t\)what;//'
mutate attributes-are-not-told cover \
	'/^unsigned zkfs_cover_fired/,/^}/ s/unsigned what = ZKFS_COVER_ATTR;/unsigned what = 0;/'
mutate deletion-is-not-told cover \
	'/case ZKFS_ZK_DELETED:/,/break;/ s/what \|= ZKFS_COVER_NAME;//'
mutate flip-by-child-is-not-told cover \
	'/case ZKFS_ZK_CHILD:/,/break;/ s/what \|= ZKFS_COVER_NAME;/;/'
mutate flip-by-write-is-not-told cover \
	's/if \(type == ZKFS_TYPE_DIR \|\| !calm\)/if (!calm)/'
mutate name-is-not-watched-again cover \
	's/return tell\(cover, what\) \| ZKFS_COVER_REARM;/return tell(cover, what);/'
mutate letting-go-is-not-told cover \
	'/^unsigned zkfs_cover_revoke/,/^}/ s/return tell\(.*\);/return 0;/'

# -- without a connection --

mutate lost-is-live cover \
	'/^void zkfs_cover_lost/,/^}/ s/cover->live\[half\] = false;//'
mutate stale-for-ever cover \
	'/^unsigned zkfs_cover_found/,/^}/ s/cover->stale\[half\] = false;//'
mutate end-of-stale-is-not-told cover \
	'/^unsigned zkfs_cover_found/,/^}/ s/return tell\(.*\);/return 0;/'
mutate stale-listing-is-kept cover \
	'/^unsigned zkfs_cover_found/,/^}/ s/cover->listed = false;/;/'
mutate unwatched-is-not-told cover \
	'/case ZKFS_ZK_DELETED:/,/break;/ s/case ZKFS_ZK_UNWATCHED:/return tell(cover, ZKFS_COVER_NAME); case ZKFS_ZK_UNWATCHED: return 0;/'

# -- incarnations --

mutate made-again-is-the-same tree \
	's/return node->czxid == czxid;/return true;/'
mutate another-type-is-the-same tree \
	's/if \(node->type != type\)/if (false)/'
mutate older-replies-are-believed tree \
	's/if \(!is_older\(stat, \&node->stat\)\)/if (is_older(stat, \&node->stat) || node->stat.czxid == 0)/'

finish

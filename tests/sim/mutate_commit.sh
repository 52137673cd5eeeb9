#!/bin/sh
# mutate_commit.sh: proves that sim_commit bites, as mutate.sh does for the
# lock recipe. Each mutation is a mistake that loses, doubles or tears a write.
#
#	tests/sim/mutate_commit.sh [NAME...]	(all by default; CC is honoured)
set -eu

# shellcheck source=tests/sim/mutating.sh
. "$(dirname "$0")/mutating.sh"

seeds=${SEEDS:-5000}

# mutate NAME SED-EXPRESSION
mutate() {
	is_chosen "$1" || return 0
	make_mutant "$1" commit "$2"
	$cc "$tmp"/other-*.o "$tmp/mutant.o" -o "$tmp/mutant"
	if timeout 120 "$tmp/mutant" 1 "$seeds" >"$tmp/log" 2>&1; then
		missed "$1"
	else
		bitten "$1"
	fi
}

compile_others fs/base/buf.c fs/base/error.c tests/sim/sim_commit.c
compile "$src/fs/core/commit.c" "$tmp/plain.o"
$cc "$tmp"/*.o -o "$tmp/plain"
rm "$tmp/plain.o"
"$tmp/plain" 1 "$seeds" || {
	echo "the recipe itself fails" >&2
	exit 1
}

# -- lost replies --

mutate lost-is-done \
	'/case ZKFS_E_LOST:$/,/send_get/ { s/commit->doubt = true;/return committed(commit, commit->version + 1, false);/; }'
mutate lost-is-not-done \
	'/^	case ZKFS_E_LOST:$/,/send_get/ { s/return send_get\(commit\)/return put_off(commit, -EIO)/; s/commit->doubt = true;//; }'
mutate read-too-early-is-believed \
	's/if \(since == 0\)/commit->doubt = since != 0; if (since == 0)/'
mutate next-version-is-ours \
	's/if \(is_payload\(commit, data\)\)/if (is_payload(commit, data) || since == 1)/'
mutate next-version-is-never-ours \
	's/if \(is_payload\(commit, data\)\)/if (false)/'
mutate later-version-is-appended-to \
	's/if \(since > 1\)/if (since > 1 \&\& !payload_appends(commit))/'
mutate later-version-is-ours \
	's/!begins_with_payload\(commit, data\)\)/false)/'
mutate later-version-is-the-newest \
	's/next_version\(commit->version\), true/next_version(commit->version), false/; s/^	if \(since > 1\)$/	if (since > 1 \&\& payload_appends(commit) \&\& begins_with_payload(commit, data)) return committed(commit, version, false);\n&/'
mutate doubt-is-timed-out \
	's/^	if \(commit->doubt\)$/	if (false)/'
mutate doubt-forgets-what-came-after \
	's/commit->again = commit->dirty;/commit->again = false;/'
mutate own-event-is-a-conflict-in-doubt \
	's/if \(commit->in_flight \|\| commit->doubt \|\|/if (commit->in_flight ||/'
mutate own-event-is-a-conflict \
	's/if \(commit->in_flight \|\| commit->doubt \|\|/if (/'

# -- appends --

mutate append-takes-later-writes-twice \
	's/return zkfs_buf_unref\(buf\);/&/; s/if \(commit->payload_tail == tail_len\)/if (true)/'
mutate append-keeps-old-base \
	's/^	commit->base_len = len;$//'
mutate append-of-all-again \
	's/^	commit->base_len = length\(commit->payload\);$//'
mutate truncation-is-appended \
	's/^	commit->bound = true;$//'
mutate truncation-in-flight-is-appended \
	's/^	if \(commit->bound\)$/	if (false)/'
mutate truncation-put-off-is-appended \
	's/^	commit->bound \|= commit->payload_bound;$//'
mutate kernel-offset-of-append \
	's/^	if \(commit->flags \& ZKFS_COMMIT_APPEND\)$/	if (false)/'

# -- what is committed when --

mutate write-in-flight-is-clean \
	'/^	commit->version = version;$/ s/$/ commit->dirty = false;/'
mutate put-off-is-clean \
	'/^	if \(commit->doubt\) \{$/,/^}/ s/commit->dirty = true;//'
mutate child-commits \
	's/commit->writer == owner;$/true;/'
mutate second-writer-is-forgotten \
	's/commit->many_writers = true;$//'
mutate killed-commits \
	's/^	if \(commit->abandoned\)$/	if (false)/'
mutate killed-for-ever \
	's/^	commit->abandoned = false;$//'
mutate any-death-abandons \
	's/if \(!commit->has_writer \|\| commit->writer == owner\)/if (true)/'
mutate bare-truncation-is-forgotten \
	's/if \(cause == ZKFS_COMMIT_RELEASE \|\| commit->doubt\)/if (commit->dirty \&\& cause == ZKFS_COMMIT_RELEASE)/'

# -- failures --

mutate failure-is-not-sticky \
	's/^	commit->failed = error;$/	commit->failed = error == -ESTALE ? 0 : error;/'
mutate failed-is-committed \
	'/^static int fail\(/,/^}/ s/commit->dirty = false;//; s/if \(commit->failed\) \{/if (false) {/'
mutate loss-is-not-told \
	's/commit->error = commit->failed;/commit->error = 0;/'
mutate too-big-is-sent \
	's/commit->payload_tail > commit->limit - len/false/'
mutate unlinked-is-sent \
	's/^	if \(commit->unlinked\) \{$/	if (false) {/'
mutate conflict-sets-anyway \
	's/return give_up\(commit, -ESTALE\);$/return put_off(commit, -ESTALE);/'

finish

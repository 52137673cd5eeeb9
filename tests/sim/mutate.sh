#!/bin/sh
# mutate.sh: proves that the simulation bites. Each mutation below is a mistake
# that lock clients have really made; it is put into a copy of the recipe, and
# the simulation must fail on it. The recipe as it is must pass.
#
#	tests/sim/mutate.sh [NAME...]		(all by default; CC is honoured)
set -eu

# shellcheck source=tests/sim/mutating.sh
. "$(dirname "$0")/mutating.sh"

steps=${STEPS:-150000}
seeds=${SEEDS:-"11 12"}

# The parts a mutation may change; all others are compiled once.
parts="names lease queue lockq lockq_meet lockq_own lockq_recipe lockq_renew
	lockq_twins"
others="fs/base/hash.c fs/base/path.c fs/base/error.c fs/base/util.c
	tests/sim/server.c tests/sim/port.c tests/sim/lockq_sim.c
	tests/sim/lockq_user.c tests/sim/lockq_foreign.c tests/sim/lockq_daemon.c
	tests/sim/lockq_check.c"

# Runs all configurations; fails with the first that fails.
simulate() { # PROGRAM LOG
	for seed in $seeds; do
		for config in all foreign storm calm wound wiped robbed; do
			"$1" --config "$config" --seed "$seed" \
				--steps "$steps" >"$2" 2>&1 || return 1
		done
	done
}

# mutate NAME PART SED-EXPRESSION...: the part without the expression's lines.
mutate() {
	name=$1 part=$2
	shift 2
	is_chosen "$name" || return 0
	make_mutant "$name" "$part" "$@"

	objects=
	for p in $parts; do
		[ "$p" = "$part" ] || objects="$objects $tmp/$p.o"
	done
	# shellcheck disable=SC2086 # lists of files
	$cc "$tmp"/other-*.o $objects "$tmp/mutant.o" -o "$tmp/mutant"

	if simulate "$tmp/mutant" "$tmp/log"; then
		missed "$name"
	else
		bitten "$name"
	fi
}

# shellcheck disable=SC2086 # a list of files
compile_others $others
for p in $parts; do
	compile "$src/fs/core/$p.c" "$tmp/$p.o"
done
$cc "$tmp"/*.o -o "$tmp/plain"
if ! simulate "$tmp/plain" "$tmp/log"; then
	cat "$tmp/log"
	echo "the recipe itself fails" >&2
	exit 1
fi
echo "passes      the recipe as it is"

# -- whom to wait for --

mutate watch-first queue \
	's/for \(size_t i = queue->n_entries; i > 0; i--\)/for (size_t i = 1; i <= queue->n_entries; i++)/'
mutate shared-does-not-block queue \
	's/if \(mode == ZKFS_LOCK_SHARED \&\& entry->mode/if (entry->mode/'
mutate foreign-names-ignored queue \
	's/if \(zkfs_names_parse\(names\[i\], \&items\[n\]\.parts\)\)/if (names[i][0] == 95 \&\& zkfs_names_parse(names[i], \&items[n].parts))/'
mutate recipe-names-ignored queue \
	's/if \(zkfs_names_parse\(names\[i\], \&items\[n\]\.parts\)\)/if (zkfs_names_parse(names[i], \&items[n].parts) \&\& items[n].parts.family)/'
mutate one-gone-is-all-gone lockq_recipe \
	'/^void zkfs_lockq_blocker_gone/,/^}/ s/(next_blocker\(lockq\)|zkfs_lockq_want\(lockq, ZKFS_LOCKQ_ASK_LIST\));/{ lockq->clear = true; zkfs_lockq_try_grant(lockq); }/'
mutate kept-two-are-all lockq_recipe \
	's/if \(lockq->many\)/if (lockq->many \&\& lockq->over)/'
mutate changed-is-gone lockq \
	's/if \(event != ZKFS_ZK_DELETED\)/if (event != ZKFS_ZK_DELETED \&\& (event != ZKFS_ZK_CHANGED || ask == ZKFS_LOCKQ_ASK_OWN))/'
mutate downgrade-overlooked lockq_recipe \
	's/bool relist = may_downgrade\(lockq, queue\), many = true;/bool relist = false, many = true;/'
mutate kazoo-name-not-made names \
	's/if \(families \& ZKFS_FAMILY_KAZOO\)$/if (families == ZKFS_FAMILY_KAZOO)/'

# -- when to grant --

mutate granted-by-a-dead-connection lockq \
	's/if \(event != ZKFS_ZK_DELETED\)/if (event != ZKFS_ZK_DELETED \&\& (event != ZKFS_ZK_UNWATCHED || ask == ZKFS_LOCKQ_ASK_OWN))/'
mutate granted-without-own-names lockq_own \
	's/^\treturn n == own->n_names;/\treturn true;/'
mutate granted-unwatched lockq \
	's/!lockq->connected \|\| !lockq->own_watched/!lockq->connected/' \
	's/if \(!lockq->wanted\[ask\] \|\|/if (ask == ZKFS_LOCKQ_ASK_OWN || !lockq->wanted[ask] ||/'

# -- lost replies, and what is left --

mutate lost-join-ignored lockq_recipe \
	'/case ZKFS_E_LOST:$/,/break/ s/join_unknown\(lockq, 0\);/join_failed(lockq, -EIO);/'
mutate joins-again-without-looking lockq_recipe \
	'/case ZKFS_E_LOST:$/,/break/ s/join_unknown\(lockq, 0\);/{ lockq->ours = ZKFS_OURS_NONE; zkfs_lockq_want(lockq, ZKFS_LOCKQ_ASK_JOIN); }/'
mutate no-sync-before-looking lockq \
	's/zkfs_lockq_want\(lockq, ZKFS_LOCKQ_ASK_SYNC\);/;/'
mutate lost-try-stays lockq_recipe \
	'/if \(entry \&\& lockq->config\.try\)/,/else/ s/zkfs_lockq_end\(lockq, -EAGAIN, ZKFS_LOCKQ_BUSY\);/{ lockq->error = -EAGAIN; zkfs_lockq_move(lockq, ZKFS_LOCKQ_LEAVING); lockq->after = ZKFS_LOCKQ_BUSY; zkfs_lockq_left(lockq); }/'
mutate try-waits lockq_recipe \
	's/if \(entry \&\& lockq->config\.try\)/if (entry \&\& lockq->config.try \&\& lockq->over)/'
mutate leaves-before-the-join-is-known lockq \
	's/if \(lockq->ours == ZKFS_OURS_NONE\)$/if (lockq->ours == ZKFS_OURS_NONE || lockq->ours == ZKFS_OURS_PENDING)/'
mutate forgets-the-kazoo-names lockq_own \
	's/if \(own->names\[i\]\.made\)$/if (own->names[i].made \&\& (i == 0 || !strstr(own->names[i].path, "kazoo")))/'
mutate lost-leave-is-done lockq_recipe \
	'/^static void reply_leave/,/^}/ s/case ZKFS_E_OK:/case ZKFS_E_OK: case ZKFS_E_LOST:/' \
	'/^static void reply_leave/,/^}/ s/^\tcase ZKFS_E_LOST:$//'
mutate half-left-is-done lockq_recipe \
	'/^static void reply_leave/,/^}/ s/case ZKFS_E_OK:/case ZKFS_E_OK: case ZKFS_E_NONODE:/' \
	'/^static void reply_leave/,/^}/ s/^\tcase ZKFS_E_NONODE:$/\tcase ZKFS_E_NODEEXISTS:/'

# -- deafness --

mutate blocker-not-asked-again lockq \
	's/if \(event != ZKFS_ZK_DELETED\)/if (event == ZKFS_ZK_UNWATCHED \&\& ask == ZKFS_LOCKQ_ASK_BLOCKER) return; if (event != ZKFS_ZK_DELETED)/'
mutate own-not-asked-again lockq \
	's/if \(event != ZKFS_ZK_DELETED\)/if (event == ZKFS_ZK_UNWATCHED \&\& ask == ZKFS_LOCKQ_ASK_OWN) return; if (event != ZKFS_ZK_DELETED)/'
mutate own-end-overlooked lockq \
	'/^void zkfs_lockq_fired/,/^}/ s/zkfs_lockq_lost\(lockq\);/if (zkfs_lockq_is_twin(ask)) zkfs_lockq_lost(lockq);/'
mutate blocker-gone-before-asked lockq_recipe \
	'/^static void reply_blocker/,/^}/ s/zkfs_lockq_blocker_gone\(lockq\);/(void)0;/'

# -- the lease (mutate_lease.sh has all of it) --

mutate lease-outlives-the-session lease \
	's/return lease->shortest_ms - lease->shortest_ms \/ 16;/return lease->shortest_ms + lease->shortest_ms \/ 4;/'
mutate lease-by-one-heartbeat lease \
	's/^\treturn j \? j->sent_ms/\treturn m ? m->sent_ms/'
mutate lease-over-is-nothing lockq \
	'/^void zkfs_lockq_lose/,/^}/ s/if \(zkfs_lockq_is_queued\(lockq\)\)/if (lockq->over)/'

# -- contenders of one session --

mutate held-by-anybody lockq_meet \
	'/^static bool is_blocker/,/^}/ s/return lockq->blocker \&\&/return lockq->blocker; return/'
mutate held-is-waited-for lockq_meet \
	's/other->has_held \&\&/true \&\&/'
mutate held-by-readers lockq_meet \
	's/other->config\.mode == ZKFS_LOCK_EXCLUSIVE;/true;/'
mutate before-is-right-before lockq_meet \
	's/return other->own\.last == lockq->own\.sequence - 1;/return other->own.last < lockq->own.sequence;/'
mutate only-one-before-us lockq_meet \
	's/lockq->many = true;/lockq->many = false;/'
mutate of-another-directory lockq_meet \
	's/return lockq->blocker_held \&\& lockq->blocker_seen/return lockq->blocker_held/'

# -- the names beside the primary --

mutate twins-not-watched lockq_twins \
	's/if \(lockq->state == ZKFS_LOCKQ_HELD \|\| is_next\(lockq\)\)/if (is_next(lockq))/'
mutate twins-not-asked-again lockq_twins \
	's/if \(lockq->twins\[i\] != ZKFS_TWIN_WATCHED \&\&/if (lockq->twins[i] == ZKFS_TWIN_MADE \&\&/'
mutate twin-gone-before-asked lockq_twins \
	'/case ZKFS_E_NONODE:/,/break/ s/zkfs_lockq_lost\(lockq\);/(void)0;/'
mutate twin-end-overlooked lockq \
	's/else if \(ask == ZKFS_LOCKQ_ASK_BLOCKER\)/else if (zkfs_lockq_is_twin(ask)) return; else if (ask == ZKFS_LOCKQ_ASK_BLOCKER)/'
mutate twins-not-seen-before-the-grant lockq_twins \
	's/if \(!lockq->old \|\|/if (lockq->old || !lockq->old ||/'
mutate twins-seen-long-ago lockq_twins \
	'/^void zkfs_lockq_twins_stale/,/^}/ s/lockq->twins\[i\] = ZKFS_TWIN_MADE;/;/'
mutate unwatched-not-polled lockq_twins \
	's/if \(lockq->unwatched\[ask\] \&\& !lockq->busy\[ask\]\)/if (lockq->over)/'

# -- a crowd --

mutate far-is-near lockq_meet \
	's/!lockq->far;/true;/'
mutate far-is-not-many lockq_meet \
	's/lockq->far = !is_right_before\(lockq, other\);/{ lockq->far = !is_right_before(lockq, other); lockq->many = !lockq->far; }/'
mutate held-by-who-never-did lockq_meet \
	's/if \(!holds_alone\(lockq\)\)/if (lockq->over)/'
mutate holders-have-gone lockq_meet \
	's/holder->gone = lockq->ours == ZKFS_OURS_NONE;/holder->gone = true;/'
mutate none-between-a-holder-and-us lockq_recipe \
	's/BLOCKERS_KEPT, \&kept, \&many\)/1, \&kept, \&many)/' \
	's/lockq->many = many \|\| kept/lockq->many = lockq->over || kept/'

# -- numbers that begin anew --

mutate near-end-accepted lockq_renew \
	's/return sequence < 0 \|\| sequence > NEAR_END;/return false;/'
mutate negative-is-small lockq_renew \
	's/return sequence < 0 \|\| sequence > NEAR_END;/return sequence > NEAR_END;/'
mutate never-renewed lockq_renew \
	's/return sequence < 0 \|\| sequence > LARGE;/return false;/'
mutate refused-join-does-not-renew lockq_renew \
	's/return sequence < 0 \|\| sequence > LARGE;/return sequence > LARGE \&\& sequence <= NEAR_END;/'
mutate renewed-without-its-data lockq_renew \
	's/\.len = renew->len,/.len = 0,/'
mutate renewed-without-its-acl lockq_renew \
	's/\.acl = renew->acl,/.acl = NULL,/' \
	's/\.acl_len = renew->acl_len,/.acl_len = 0,/'
mutate renewed-over-a-write lockq_renew \
	's/\.version = renew->stat\.version,/.version = ZKFS_ZK_ANY_VERSION,/'
mutate renewed-as-never-written lockq_renew \
	's/if \(renew->stat\.version > 0\)/if (0)/'
mutate refused-renewal-is-done lockq_renew \
	'/case ZKFS_E_NOTEMPTY:/,/return true/ s/leave_plainly\(lockq, 0\);/zkfs_lockq_left(lockq);/'
mutate lost-renewal-is-done lockq_renew \
	'/^bool zkfs_lockq_renew_refused/,/^}/ s/^\tcase ZKFS_E_LOST:$/\tcase ZKFS_E_LOST: zkfs_lockq_left(lockq); return true;/'
finish

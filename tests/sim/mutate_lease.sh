#!/bin/sh
# mutate_lease.sh: proves that lease-sim bites, as mutate.sh does for the lock
# recipe. Each mutation is a mistake that believes in a lock for too long, loses
# it too soon, or leaves the loop asleep or spinning. Those that chance finds too
# seldom are found by tests/unit/test_lease.c.
#
#	tests/sim/mutate_lease.sh [NAME...]	(all by default; CC is honoured)
set -eu

# shellcheck source=tests/sim/mutating.sh
. "$(dirname "$0")/mutating.sh"

runs=${RUNS:-100}
seed=${SEED:-1}

others="tests/sim/lease_sim.c tests/sim/lease_event.c
	tests/sim/lease_ensemble.c tests/sim/lease_daemon.c
	tests/sim/lease_trouble.c tests/sim/lease_check.c"

# Runs all configurations, shortly and then at length; fails with the first that
# fails.
simulate() { # PROGRAM LOG
	for percent in 5 100; do
		for each in needed:1 unneeded:1 changing:1 storm:5 leaders:5 \
			followers:10 all:20; do
			timeout 240 "$1" --config "${each%:*}" --seed "$seed" \
				--runs $((runs * ${each#*:} * percent / 100)) \
				>"$2" 2>&1 || return 1
		done
	done
}

# mutate NAME SED-EXPRESSION
mutate() {
	is_chosen "$1" || return 0
	make_mutant "$1" lease "$2"
	$cc "$tmp"/other-*.o "$tmp/mutant.o" -o "$tmp/mutant"
	if simulate "$tmp/mutant" "$tmp/log"; then
		missed "$1"
	else
		bitten "$1"
	fi
}

# shellcheck disable=SC2086 # a list of files
compile_others $others
compile "$src/fs/core/lease.c" "$tmp/plain.o"
$cc "$tmp"/*.o -o "$tmp/plain"
rm "$tmp/plain.o"
simulate "$tmp/plain" "$tmp/log" || {
	cat "$tmp/log"
	echo "the lease itself fails" >&2
	exit 1
}
echo "passes      the lease as it is"

# -- what is proved --

mutate one-heartbeat \
	's/return j \? j->sent_ms/j = m; &/'
mutate two-heartbeats-no-wait \
	's/^	j = k \?.*/	j = k;/'
mutate two-heartbeats \
	's/^	k = m \?.*/	k = m;/'
mutate third-not-after-the-answer \
	's/beat->acked_after_id < before_id/beat->id < before_id/'
mutate no-wait-for-a-ping \
	's/k->sent_ms - ping_gap\(lease\)/k->sent_ms/'
mutate wait-for-half-of-it \
	's/return lease->newest_ms \/ 4 \+/return lease->newest_ms \/ 8 +/'
mutate failed-is-answered \
	's/^		beat->id = 0;/		beat->acked_ms = lease->now_ms, beat->acked_after_id = lease->last_id, prove(lease, proved(lease));/'
mutate created-when-connected \
	's/^	prove\(lease, begun_ms\);/	prove(lease, lease->now_ms);/'
mutate revalidated-when-connected \
	's/prove\(lease, begun_ms - ping_gap\(lease\)\);/prove(lease, lease->now_ms);/'
mutate revalidated-by-the-new-leader \
	's/prove\(lease, begun_ms - ping_gap\(lease\)\);/prove(lease, begun_ms);/'
mutate base-goes-back \
	's/^	if \(base_ms <= lease->base_ms\)$/	if (base_ms == ZKFS_LEASE_UNKNOWN)/'

# -- how long it lasts --

mutate all-of-the-timeout \
	's/return lease->shortest_ms - .*/return lease->shortest_ms;/'
mutate half-of-the-drift \
	's/return lease->shortest_ms - .*/return lease->shortest_ms - lease->shortest_ms \/ 32;/'
mutate longest-timeout \
	's/timeout_ms < lease->shortest_ms/timeout_ms > lease->shortest_ms/'
mutate newest-timeout \
	's/if \(timeout_ms < lease->shortest_ms\)//'
mutate first-timeout \
	's/timeout_ms < lease->shortest_ms/false/'
mutate end-later-by-one \
	's/lease->now_ms >= lease->base_ms \+/lease->now_ms > lease->base_ms +/'
mutate too-short \
	's/return lease->shortest_ms - .*/return lease->shortest_ms \/ 4 * 3;/'

# -- losing --

mutate loss-keeps-the-epoch \
	'/^static void lose\(/,/^}/ s/lease->epoch\+\+;//'
mutate loss-is-not-noticed \
	's/if \(lease->alive \&\& over\(lease\)\)/if (false)/'
mutate loss-is-taken-back \
	'/^void zkfs_lease_acked\(/,/^}/ s/pass\(lease, now_ms\);/lease->now_ms = now_ms;/'
mutate loss-by-a-tick-only \
	'/^bool zkfs_lease_alive\(/,/^}/ s/pass\(lease, now_ms\);//'
mutate new-session-keeps-the-lease \
	'/^static void new_session\(/,/^}/ { s/lose\(lease\);//; s/lease->base_ms = ZKFS_LEASE_UNKNOWN;//; }'
mutate tick-forgets-to-tell \
	's/moved = lease->told != lease->epoch;/moved = false;/'
mutate tick-tells-again \
	's/lease->told = lease->epoch;//'

# -- when to do what --

mutate disconnected-ignored \
	's/lease->connected = false;//'
mutate in-flight-unbounded \
	's/^	    in_flight\(\&lease->beats\[next.*/	    false)/'
mutate failed-stays-in-flight \
	's/if \(beat->id == id \&\& in_flight\(beat\)\)/if (false)/'
mutate heartbeats-too-rare \
	's/lease->needed \? 12 : 8/lease->needed ? 6 : 8/'
mutate idle-heartbeats-too-rare \
	's/lease->needed \? 12 : 8/lease->needed ? 12 : 6/'
mutate always-due \
	's/^	lease->sent_ms = lease->now_ms;//'
mutate deadline-without-the-loss \
	's/return zkfs_clock_earlier\(due_ms, .*/return due_ms;/'
mutate deadline-without-the-heartbeat \
	's/return zkfs_clock_earlier\(due_ms, (.*)\);/return \1;/'
mutate deadline-without-the-debt \
	's/if \(lease->told != lease->epoch\)/if (false)/'
mutate deadline-too-late \
	's/return zkfs_clock_earlier\(due_ms, (.*)\);/return zkfs_clock_earlier(due_ms, \1 + 1);/'
mutate deadline-too-early \
	's/return zkfs_clock_earlier\(due_ms, (.*)\);/return zkfs_clock_earlier(due_ms, \1 - 1);/'

finish

/*
 * heartbeat: see heartbeat.h.
 */
#include "fs/ops/heartbeat.h"

#include "fs/base/clock.h"
#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/ops/contender.h"
#include "fs/ops/fs.h"

void zkfs_heartbeat_init(struct zkfs_fs *fs)
{
	zkfs_lease_init(&fs->heartbeat.lease);
	for (size_t i = 0; i < ZKFS_LEASE_BEATS; i++)
		fs->heartbeat.beats[i].fs = fs;
	zkfs_heartbeat_session(fs);
}

void zkfs_heartbeat_fini(struct zkfs_fs *fs)
{
	for (size_t i = 0; i < ZKFS_LEASE_BEATS; i++)
		zkfs_zk_cancel(fs->zk, &fs->heartbeat.beats[i].req);
}

void zkfs_heartbeat_session(struct zkfs_fs *fs)
{
	struct zkfs_lease *lease = &fs->heartbeat.lease;
	int64_t begun = zkfs_zk_begun_ms(fs->zk), now = zkfs_clock_ms();

	if (zkfs_zk_connected(fs->zk))
		zkfs_lease_session(
			lease, zkfs_zk_generation(fs->zk),
			zkfs_zk_timeout_ms(fs->zk),
			begun == ZKFS_NEVER ? ZKFS_LEASE_UNKNOWN : begun, now);
	else
		zkfs_lease_disconnected(lease, now);
}

uint64_t zkfs_heartbeat_epoch(const struct zkfs_fs *fs)
{
	return zkfs_lease_epoch(&fs->heartbeat.lease);
}

/* The epoch has moved: who joined in an earlier one has lost. */
static void tell_losers(struct zkfs_fs *fs)
{
	uint64_t epoch = zkfs_heartbeat_epoch(fs);

	zkfs_list_for_each_safe(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);

		if (contender->started && contender->epoch != epoch)
			zkfs_contender_lose(contender);
	}
}

void zkfs_heartbeat_check(struct zkfs_fs *fs)
{
	if (zkfs_lease_tick(&fs->heartbeat.lease, zkfs_clock_ms()))
		tell_losers(fs);
}

bool zkfs_heartbeat_alive(struct zkfs_fs *fs)
{
	return zkfs_lease_alive(&fs->heartbeat.lease, zkfs_clock_ms());
}

/* Those that wait for the lease to be granted, and those whose delete a server
 * has refused, have another go; all look after what they do not watch. */
static void tell_all(struct zkfs_fs *fs)
{
	zkfs_list_for_each_safe(it, &fs->contenders) {
		struct zkfs_contender *contender =
			zkfs_list_entry(it, struct zkfs_contender, link);
		enum zkfs_lockq_state state =
			zkfs_lockq_state(contender->lockq);

		bool due = zkfs_lockq_beat(contender->lockq);

		if (state == ZKFS_LOCKQ_LEAVING)
			zkfs_lockq_session(contender->lockq,
					   zkfs_zk_connected(fs->zk),
					   zkfs_zk_generation(fs->zk));
		if (due || state == ZKFS_LOCKQ_LEAVING ||
		    (state == ZKFS_LOCKQ_HELD && !contender->granted))
			zkfs_contender_settle(contender);
	}
}

static void on_beat(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct zkfs_heartbeat_beat *beat =
		zkfs_container_of(req, struct zkfs_heartbeat_beat, req);
	struct zkfs_fs *fs = beat->fs;
	uint64_t id = beat->id;

	beat->id = 0;
	if (reply->error) {
		zkfs_lease_failed(&fs->heartbeat.lease, id);
		return;
	}
	zkfs_lease_acked(&fs->heartbeat.lease, id, zkfs_clock_ms());
	zkfs_heartbeat_check(fs);
	tell_all(fs);
}

static void send(struct zkfs_fs *fs, struct zkfs_heartbeat_beat *beat)
{
	int64_t now = zkfs_clock_ms();

	beat->id = zkfs_lease_sent(&fs->heartbeat.lease, now);
	beat->req = (struct zkfs_zk_req){
		.kind = ZKFS_ZK_SYNC,
		.path = "/",
		.generation = zkfs_zk_generation(fs->zk),
		.deadline_ms = now + zkfs_zk_timeout_ms(fs->zk),
		.done = on_beat,
	};
	zkfs_zk_submit(fs->zk, &beat->req);
}

void zkfs_heartbeat_tick(struct zkfs_fs *fs)
{
	struct zkfs_lease *lease = &fs->heartbeat.lease;

	zkfs_lease_need(lease, !zkfs_list_empty(&fs->contenders),
			zkfs_clock_ms());
	for (size_t i = 0; i < ZKFS_LEASE_BEATS; i++) {
		if (!zkfs_lease_due(lease, zkfs_clock_ms()))
			break;
		if (fs->heartbeat.beats[i].id == 0)
			send(fs, &fs->heartbeat.beats[i]);
	}
	zkfs_heartbeat_check(fs);
}

int64_t zkfs_heartbeat_deadline(const struct zkfs_fs *fs)
{
	return zkfs_lease_deadline(&fs->heartbeat.lease);
}

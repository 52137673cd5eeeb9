/*
 * lockq_user: drives lockqs as a caller does: what next() yields is submitted,
 * replies, watches and the session's changes are passed on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/lockq_world.h"

#define DEADLINE_MS 2000

bool user_is(const struct user *user, enum zkfs_lockq_state state)
{
	return user->lockq && zkfs_lockq_state(user->lockq) == state;
}

/* A grant must rest on a list that still had all our names, and be news. */
static void check_grant(struct user *user)
{
	if (!zkfs_zk_connected(user->client->zk))
		violated(user->world, "user %u is granted while disconnected",
			 user->slot);
	/* None at all was needed if the join's reply was news enough. */
	user->world->unlisted += user->n_lists == 0;
	if (user->robbed && user->robbed_beats)
		violated(user->world,
			 "user %u is granted, though it had lost a name when a "
			 "heartbeat was answered",
			 user->slot);
	if (user->n_lists && user->n_made && user->n_listed != user->n_made)
		violated(user->world,
			 "user %u is granted by a list without its names",
			 user->slot);
}

static struct zkfs_lockq_holders *holders_of(struct user *user)
{
	return &user->client->holders[user->lock];
}

static void note_state(struct user *user)
{
	struct world *world = user->world;
	enum zkfs_lockq_state state = zkfs_lockq_state(user->lockq);

	if (state == user->seen)
		return;
	if (state == ZKFS_LOCKQ_HELD) {
		check_grant(user);
		zkfs_lockq_note(holders_of(user), user->lockq);
		user->held_since = user->n_beats;
	}
	world->moves[user->seen][state]++;
	trace(world, "user %u (%" PRIx64 "): %s -> %s", user->slot, user->id,
	      zkfs_lockq_state_name(user->seen), zkfs_lockq_state_name(state));
	user->seen = state;
	user_try_grant(user);
}

void user_try_grant(struct user *user)
{
	if (user->granted || !user_is(user, ZKFS_LOCKQ_HELD) ||
	    !daemon_may_grant(user->client, user->epoch))
		return;
	trace(user->world, "user %u is granted", user->slot);
	user->granted = true;
	user->world->grants++;
}

static void done(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply);

static void submit(struct user *user, const struct zkfs_lockq_request *request)
{
	struct user_req *slot = &user->reqs[request->ask];
	struct zkfs_zk *zk = user->client->zk;

	slot->user = user;
	slot->ask = request->ask;
	slot->req = (struct zkfs_zk_req){
		.kind = request->kind,
		.path = request->path,
		.ops = request->ops,
		.n_ops = request->n_ops,
		.generation = request->generation,
		.deadline_ms = user->deadline ? user->world->server->now_ms +
							DEADLINE_MS
					      : INT64_MAX,
		.done = done,
	};
	if (request->ask == ZKFS_LOCKQ_ASK_JOIN)
		user->robbed = false;
	zkfs_zk_unwatch(zk, &user->watches[request->ask].watch);
	if (request->watch &&
	    !(user->world->config->unwatched &&
	      sim_random_chance(&user->world->random,
				user->world->config->unwatched)))
		slot->req.watch = &user->watches[request->ask].watch;
	trace(user->world, "user %u asks %d of %s", user->slot, request->ask,
	      request->path);
	zkfs_zk_submit(zk, &slot->req);
}

static void pump(struct user *user)
{
	struct zkfs_lockq_request request;

	while (zkfs_lockq_next(user->lockq, &request))
		submit(user, &request);
	note_state(user);
}

static void count_names(struct user *user, enum zkfs_lockq_ask ask,
			const struct zkfs_zk_reply *reply)
{
	const char *prefix = zkfs_lockq_prefix(user->lockq);

	if (reply->error)
		return;
	if (ask == ZKFS_LOCKQ_ASK_JOIN)
		user->n_made = user->reqs[ask].req.n_ops;
	if (ask != ZKFS_LOCKQ_ASK_LIST)
		return;
	user->n_lists++;
	user->n_listed = 0;
	for (size_t i = 0; i < reply->n_names; i++)
		user->n_listed +=
			!strncmp(reply->names[i], prefix, strlen(prefix));
}

/* The others of its mount in the same lock. */
static bool is_mate(const struct user *user, const struct user *other)
{
	return other != user && other->lockq && other->client == user->client &&
	       other->lock == user->lock;
}

static void meet(struct user *user)
{
	for (unsigned i = 0; i < N_USERS; i++) {
		const struct user *other = &user->world->users[i];

		if (is_mate(user, other))
			zkfs_lockq_meet(user->lockq, other->lockq);
	}
}

/* What is read serves all. */
static void share(struct user *user, const struct zkfs_zk_reply *reply)
{
	struct zkfs_queue queue;

	if (reply->error ||
	    zkfs_queue_parse(reply->names, reply->n_names, &queue) < 0)
		return;
	for (unsigned i = 0; i < N_USERS; i++) {
		struct user *other = &user->world->users[i];

		if (!is_mate(user, other) ||
		    !zkfs_lockq_needs_list(other->lockq))
			continue;
		zkfs_lockq_share(other->lockq, &queue);
		user->world->shared_lists +=
			!zkfs_lockq_needs_list(other->lockq);
		pump(other);
	}
	zkfs_queue_fini(&queue);
}

static bool has_mates(const struct user *user)
{
	for (unsigned i = 0; i < N_USERS; i++)
		if (is_mate(user, &user->world->users[i]))
			return true;
	return false;
}

static void done(struct zkfs_zk_req *req, const struct zkfs_zk_reply *reply)
{
	struct user_req *slot = zkfs_container_of(req, struct user_req, req);
	struct user *user = slot->user;

	trace(user->world, "user %u: reply to %d: %s", user->slot, slot->ask,
	      zkfs_error_words(reply->error));
	if (slot->ask == ZKFS_LOCKQ_ASK_JOIN && reply->error == ZKFS_E_LOST)
		user->world->lost_joins++;
	count_names(user, slot->ask, reply);
	user->unwatched_since[slot->ask] =
		reply->error || reply->watched ? 0 : user->n_beats + 1;
	if (slot->ask == ZKFS_LOCKQ_ASK_BLOCKER) {
		meet(user);
		if (reply->error == ZKFS_E_NONODE)
			zkfs_lockq_recall(user->lockq, holders_of(user));
	}
	zkfs_lockq_reply(user->lockq, slot->ask, reply);
	if (slot->ask == ZKFS_LOCKQ_ASK_JOIN)
		meet(user);
	pump(user);
	if (slot->ask == ZKFS_LOCKQ_ASK_LIST)
		share(user, reply);
}

static void fired(struct zkfs_zk_watch *watch, enum zkfs_zk_event event)
{
	struct user_watch *slot =
		zkfs_container_of(watch, struct user_watch, watch);

	trace(slot->user->world, "user %u: watch of %d: event %d",
	      slot->user->slot, slot->ask, event);
	if (slot->ask == ZKFS_LOCKQ_ASK_BLOCKER) {
		meet(slot->user);
		if (event == ZKFS_ZK_DELETED)
			zkfs_lockq_recall(slot->user->lockq,
					  holders_of(slot->user));
	}
	zkfs_lockq_fired(slot->user->lockq, slot->ask, event);
	pump(slot->user);
}

void user_session(struct user *user)
{
	zkfs_lockq_session(user->lockq, zkfs_zk_connected(user->client->zk),
			   zkfs_zk_generation(user->client->zk));
	pump(user);
}

void user_beat(struct user *user, uint64_t sent_step)
{
	user->n_beats++;
	(void)zkfs_lockq_beat(user->lockq);
	pump(user);
	if (!user->robbed || sent_step <= user->robbed_step)
		return;
	user->robbed_step = user->world->step;
	user->robbed_beats++;
	if (user_is(user, ZKFS_LOCKQ_HELD) && user->robbed_beats > 2)
		violated(user->world,
			 "user %u holds %u heartbeats after it lost a name",
			 user->slot, user->robbed_beats);
}

static unsigned choose_families(struct world *world)
{
	/* With one kind of name missing, that kind of client does not see us:
	 * so it is asked for, and no promise of ours. */
	if (world->config->foreign)
		return ZKFS_FAMILY_ALL;
	return 1 + sim_random_below(&world->random, ZKFS_FAMILY_ALL);
}

/* Lock, mode, try and deadline are set. */
static bool begin(struct user *user)
{
	struct world *world = user->world;
	struct zkfs_zk *zk = user->client->zk;
	struct zkfs_lockq_config config = {
		.label = "job",
		.host = "host.example",
		.pid = 100 + (long)user->slot,
		.data = "host=host.example",
	};

	user->id = ++world->last_id * N_USERS + user->slot;
	user->session = sim_port_session(zk);
	user->leaving = user->given_up = user->tampered = false;
	user->granted = user->robbed = false;
	/* An epoch that is over, though nobody was told yet, is none. */
	(void)daemon_may_grant(user->client, 0);
	user->epoch = zkfs_lease_epoch(&user->client->lease);
	user->token_checked = false;
	user->robbed_beats = user->n_beats = user->held_since = 0;
	memset(user->unwatched_since, 0, sizeof(user->unwatched_since));
	user->n_made = user->n_listed = user->n_lists = 0;
	user->seen = ZKFS_LOCKQ_IDLE;

	config.lock = world->locks[user->lock].path;
	config.mode = user->mode;
	config.try = user->try;
	config.free = user->try && user->id / N_USERS % 2;
	config.behind = has_mates(user);
	config.crowd = config.behind && user->id / N_USERS % 4 > 0;
	config.families = choose_families(world);
	config.random = user->id;
	user->lockq = zkfs_lockq_new(&config);
	if (!user->lockq)
		abort();
	trace(world, "user %u starts %" PRIx64 ": lock %u%s%s", user->slot,
	      user->id, user->lock,
	      user->mode == ZKFS_LOCK_SHARED ? " shared" : "",
	      user->try ? " try" : "");
	zkfs_lockq_start(user->lockq, zkfs_zk_generation(zk),
			 zkfs_zk_session_id(zk));
	pump(user);
	return true;
}

bool user_start(struct user *user)
{
	struct world *world = user->world;
	const struct config *config = world->config;

	if (user->lockq || !zkfs_zk_connected(user->client->zk))
		return false;
	user->lock = sim_random_below(&world->random, N_LOCKS);
	user->mode = sim_random_chance(&world->random, config->shared)
			     ? ZKFS_LOCK_SHARED
			     : ZKFS_LOCK_EXCLUSIVE;
	user->try = sim_random_chance(&world->random, config->try);
	user->deadline = sim_random_chance(&world->random, config->deadline);
	return begin(user);
}

bool user_start_plain(struct user *user, unsigned lock)
{
	user->lock = lock;
	user->mode = ZKFS_LOCK_EXCLUSIVE;
	user->try = user->deadline = false;
	return begin(user);
}

void user_leave(struct user *user)
{
	trace(user->world, "user %u leaves", user->slot);
	user->leaving = true;
	zkfs_lockq_leave(user->lockq);
	pump(user);
}

void user_give_up(struct user *user)
{
	trace(user->world, "user %u: the lease is over", user->slot);
	user->given_up = true;
	zkfs_lockq_lose(user->lockq);
	pump(user);
}

/* Whether this end was right. */
static void check_end(struct user *user)
{
	struct world *world = user->world;
	const struct lock *lock = &world->locks[user->lock];
	int error = zkfs_lockq_error(user->lockq);
	bool lost = !user->session->alive || user->given_up;
	bool right = false;

	switch (zkfs_lockq_state(user->lockq)) {
	case ZKFS_LOCKQ_GONE:
		right = user->leaving;
		break;
	case ZKFS_LOCKQ_BUSY:
		right = user->try && error == -EAGAIN;
		break;
	case ZKFS_LOCKQ_FAILED:
		right = (error == -EIO && lost) ||
			(error == -ETIMEDOUT && user->deadline) ||
			(error == -ENOENT && user->try && lock->wiped) ||
			(error == -EOVERFLOW && lock->wound_far);
		world->refused += error == -EOVERFLOW;
		break;
	default:
		break;
	}
	if (!right)
		violated(world, "user %u ends %s (%s) for no reason",
			 user->slot,
			 zkfs_lockq_state_name(zkfs_lockq_state(user->lockq)),
			 strerror(-error));
}

bool user_reap(struct user *user)
{
	enum zkfs_lockq_state state = zkfs_lockq_state(user->lockq);

	if (state != ZKFS_LOCKQ_GONE && state != ZKFS_LOCKQ_BUSY &&
	    state != ZKFS_LOCKQ_FAILED)
		return false;

	check_end(user);
	zkfs_lockq_note(holders_of(user), user->lockq);
	if (zkfs_lockq_renewed(user->lockq) < 0)
		violated(user->world, "user %u could not renew: %s", user->slot,
			 strerror(-zkfs_lockq_renewed(user->lockq)));
	user->world->renewals += zkfs_lockq_renewed(user->lockq) == 1;
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		zkfs_zk_cancel(user->client->zk, &user->reqs[i].req);
		zkfs_zk_unwatch(user->client->zk, &user->watches[i].watch);
	}
	user->lockq = zkfs_lockq_free(user->lockq);
	return true;
}

/* A name is read once, as this is asked of every znode after every step. */
struct contender_name name_of(struct sim_node *node)
{
	struct contender_name name;

	if (node->tag == 0) {
		/* _c_SSSSSSSS-SSSS-8SSS-vSrr-rrrrrrrrrrrr-: foreign UUIDs are
		 * of version 4 here, as Curator's are. */
		name.ours =
			!strncmp(node->name, "_c_", 3) && node->name[17] == '8';
		name.id = name.ours ? strtoull(node->name + 27, NULL, 16) : 0;
		name.shared = contender_is_shared(node->name);
		name.number = contender_number(node->name);
		node->tag = 1 | (uint64_t)name.ours << 1 |
			    (uint64_t)name.shared << 2 | name.id << 3 |
			    (uint64_t)(uint32_t)name.number << 32;
		return name;
	}
	name.ours = node->tag >> 1 & 1;
	name.shared = node->tag >> 2 & 1;
	name.id = (node->tag & UINT32_MAX) >> 3;
	name.number = (int32_t)(node->tag >> 32);
	return name;
}

struct user *user_of(struct world *world, struct sim_node *node, bool *ret_ours)
{
	struct contender_name name = name_of(node);
	struct user *user = &world->users[name.id % N_USERS];

	*ret_ours = name.ours;
	return name.ours && user->lockq && user->id == name.id ? user : NULL;
}

void user_init(struct world *world, unsigned slot)
{
	struct user *user = &world->users[slot];

	user->world = world;
	user->slot = slot;
	user->client = &world->clients[slot % N_CLIENTS];
	for (int i = 0; i < _ZKFS_LOCKQ_ASK_N; i++) {
		user->watches[i].user = user;
		user->watches[i].ask = (enum zkfs_lockq_ask)i;
		user->watches[i].watch.fired = fired;
	}
}

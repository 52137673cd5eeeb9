/*
 * lockq_check: what must hold after every step, by the server's truth.
 *
 *   one holder    one exclusive holder, or only shared ones, foreigners too
 *   belief        who was granted the lock and finds its lease alive has it:
 * the servers have not given its session up, and no other believes the same
 *   order         a holder has nobody before it who conflicts with it
 *   no orphan     each znode of ours belongs to a contender that is not over
 *   nobody deaf   who waits has a request under way or a live watch, or has
 *                 been told that the connection is gone, or that there was no
 *                 room for the watch, and then asks with the next heartbeat;
 *                 who holds has all its names so from the first heartbeat on
 *   nobody fooled who has lost a name is not granted, or told so, a heartbeat
 *                 later (user_beat(), check_grant())
 *   no herd       no two exclusive waiters watch the same znode, but for one
 *                 that has left its list for later
 *   token         is the primary's czxid, and grows from holder to holder
 *   numbers       of a holder are not near their end, where they repeat; after
 *                 a drain one who is alone leaves small ones behind
 *   directory     keeps what was written to it, its ACL, and is persistent
 *
 * A holder counts while its session lives on the server and its primary is
 * there; what a client cannot know yet the lease bounds. Contenders
 * that the admin has robbed of a znode are excused where that znode is what
 * others go by.
 */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/lockq_world.h"

#define NEAR_END (INT64_C(0x80000000) - 1000000)
#define LARGE	 (INT64_C(1) << 30)

struct contender {
	struct sim_node *node;
	struct user *user; /* NULL: a foreigner's */
	int64_t number;
	bool shared;
};

struct view {
	struct contender all[MAX_CONTENDER];
	size_t n;
	struct contender *primary[N_USERS]; /* of those that hold */
};

static bool holds(const struct user *user, unsigned lock)
{
	return user_is(user, ZKFS_LOCKQ_HELD) && user->lock == lock &&
	       user->session->alive;
}

/* A session that is over at the servers is known to be by then. */
void check_belief(struct world *world)
{
	unsigned exclusive[N_LOCKS] = {0}, shared[N_LOCKS] = {0};

	for (unsigned i = 0; i < N_USERS; i++) {
		const struct user *user = &world->users[i];

		if (!user->granted || !user_is(user, ZKFS_LOCKQ_HELD) ||
		    !daemon_believes(user->client, user->epoch))
			continue;
		if (!user->session->alive)
			violated(world,
				 "user %u believes, but its session is over",
				 user->slot);
		if (user->tampered)
			continue;
		if (user->mode == ZKFS_LOCK_SHARED)
			shared[user->lock]++;
		else
			exclusive[user->lock]++;
	}
	for (unsigned i = 0; i < N_LOCKS; i++)
		if (exclusive[i] > 1 || (exclusive[i] && shared[i]))
			violated(
				world,
				"%u exclusive and %u shared holders believe in "
				"lock %u",
				exclusive[i], shared[i], i);
}

static void check_orphan(struct world *world, const struct user *user,
			 const struct sim_node *node)
{
	enum zkfs_lockq_state state;

	if (!user)
		violated(world, "orphan: %s", node->path);
	state = zkfs_lockq_state(user->lockq);
	if (state == ZKFS_LOCKQ_GONE || state == ZKFS_LOCKQ_BUSY ||
	    state == ZKFS_LOCKQ_FAILED || state == ZKFS_LOCKQ_IDLE)
		violated(world, "orphan: %s of a contender that is %s",
			 node->path, zkfs_lockq_state_name(state));
}

static void look(struct world *world, unsigned lock, struct view *view)
{
	view->n = 0;
	memset(view->primary, 0, sizeof(view->primary));
	zkfs_list_for_each(it, &lock_node(world, lock)->children) {
		struct sim_node *node =
			zkfs_list_entry(it, struct sim_node, sibling);
		struct contender *c = &view->all[view->n];
		const char *primary;
		bool ours;

		if (!sim_node_lives(node))
			continue;
		if (++view->n == MAX_CONTENDER)
			violated(world, "too many contenders");
		*c = (struct contender){
			.node = node,
			.user = user_of(world, node, &ours),
			.number = name_of(node).number,
			.shared = name_of(node).shared,
		};
		if (!ours)
			continue;
		check_orphan(world, c->user, node);
		primary = zkfs_lockq_primary(c->user->lockq);
		if (holds(c->user, lock) && primary &&
		    !strcmp(primary, node->path))
			view->primary[c->user->slot] = c;
	}
}

/* As it was made, but for what was written to it; and always there. */
static void check_directory(struct world *world, unsigned lock)
{
	const struct sim_node *node = lock_node(world, lock);
	const struct lock *truth = &world->locks[lock];

	if (!node)
		violated(world, "lock %u has no directory", lock);
	if (strcmp(node->data, truth->data) != 0 ||
	    (truth->data[0] && node->stat.version == 0))
		violated(world, "lock %u: \"%s\" was written, \"%s\" is there",
			 lock, truth->data, node->data);
	if (node->acl_len != sizeof(LOCK_ACL) ||
	    memcmp(node->acl, LOCK_ACL, sizeof(LOCK_ACL)) != 0 ||
	    node->stat.ephemeral_owner)
		violated(world, "lock %u: its ACL or its kind has changed",
			 lock);
}

static void check_first(struct world *world, const struct view *view,
			const struct contender *holder)
{
	for (size_t i = 0; i < view->n; i++) {
		const struct contender *c = &view->all[i];

		/* A number past the end is no place in the queue, and will be
		 * given back. */
		if (c->user == holder->user || c->number > holder->number ||
		    (c->user && c->number < 0) ||
		    (c->shared && holder->shared) ||
		    (c->user && c->user->tampered))
			continue;
		violated(world, "user %u holds, but %s is before %s",
			 holder->user->slot, c->node->path, holder->node->path);
	}
}

static void check_foreign(struct world *world, const struct contender *holder,
			  unsigned lock)
{
	for (unsigned i = 0; i < N_FOREIGNERS; i++) {
		const struct foreigner *f = &world->foreigners[i];

		if (!foreigner_holds(f) || f->lock != lock ||
		    holder->user->tampered)
			continue;
		if (contender_is_shared(f->path) && holder->shared)
			continue;
		violated(world, "two holders: user %u and foreigner %u (%s)",
			 holder->user->slot, i, f->path);
	}
}

static void check_token(struct world *world, const struct contender *holder)
{
	struct user *user = holder->user;
	struct lock *lock = &world->locks[user->lock];
	int64_t token = zkfs_lockq_token(user->lockq);

	if (!token || user->token_checked)
		return;
	user->token_checked = true;
	if (token != holder->node->stat.czxid)
		violated(world,
			 "user %u: token %" PRId64 ", but czxid %" PRId64,
			 user->slot, token, holder->node->stat.czxid);
	if (token <= lock->last_exclusive)
		violated(world, "user %u: token %" PRId64 " after %" PRId64,
			 user->slot, token, lock->last_exclusive);
	if (!holder->shared)
		lock->last_exclusive = token;
}

static void check_lock(struct world *world, unsigned lock)
{
	unsigned exclusive = 0, shared = 0;
	struct view view;

	check_directory(world, lock);
	look(world, lock, &view);
	for (unsigned i = 0; i < N_USERS; i++) {
		const struct contender *holder = view.primary[i];

		if (!holder)
			continue;
		if (holder->user->mode == ZKFS_LOCK_SHARED)
			shared++;
		else
			exclusive++;
		if (holder->number < 0 || holder->number > NEAR_END)
			violated(world, "user %u holds number %" PRId64,
				 holder->user->slot, holder->number);
		check_first(world, &view, holder);
		check_foreign(world, holder, lock);
		check_token(world, holder);
	}
	if (exclusive > 1 || (exclusive && shared))
		violated(world,
			 "lock %u has %u exclusive and %u shared holders", lock,
			 exclusive, shared);
}

static bool under_way(const struct user *user, enum zkfs_lockq_ask ask)
{
	return user->reqs[ask].req.active;
}

static bool listens(const struct user *user, enum zkfs_lockq_ask ask)
{
	return under_way(user, ask) || user->watches[ask].watch.live ||
	       user->unwatched_since[ask] == user->n_beats + 1;
}

/* It has as many names as its join made. */
static bool listens_for_twins(const struct user *user)
{
	return user->n_beats == user->held_since ||
	       ((user->n_made < 2 || listens(user, ZKFS_LOCKQ_ASK_SECOND)) &&
		(user->n_made < 3 || listens(user, ZKFS_LOCKQ_ASK_THIRD)));
}

static bool is_deaf(const struct user *user)
{
	bool joins = under_way(user, ZKFS_LOCKQ_ASK_JOIN) ||
		     under_way(user, ZKFS_LOCKQ_ASK_SYNC) ||
		     under_way(user, ZKFS_LOCKQ_ASK_LIST);

	switch (zkfs_lockq_state(user->lockq)) {
	case ZKFS_LOCKQ_LOOKING:
	case ZKFS_LOCKQ_LISTING:
		return !under_way(user, ZKFS_LOCKQ_ASK_LIST);
	case ZKFS_LOCKQ_JOINING:
		return !joins;
	case ZKFS_LOCKQ_WAITING:
		return !listens(user, ZKFS_LOCKQ_ASK_OWN) ||
		       (!listens(user, ZKFS_LOCKQ_ASK_BLOCKER) &&
			!under_way(user, ZKFS_LOCKQ_ASK_LIST) &&
			!under_way(user, ZKFS_LOCKQ_ASK_OWN) &&
			!under_way(user, ZKFS_LOCKQ_ASK_SECOND) &&
			!under_way(user, ZKFS_LOCKQ_ASK_THIRD));
	case ZKFS_LOCKQ_HELD:
		return !listens(user, ZKFS_LOCKQ_ASK_OWN) ||
		       !listens_for_twins(user);
	case ZKFS_LOCKQ_LEAVING:
		return !joins && !under_way(user, ZKFS_LOCKQ_ASK_LEAVE) &&
		       !under_way(user, ZKFS_LOCKQ_ASK_DIR) &&
		       !under_way(user, ZKFS_LOCKQ_ASK_ACL);
	default:
		return false;
	}
}

static void check_user(struct world *world, const struct user *user)
{
	enum zkfs_lockq_state state = zkfs_lockq_state(user->lockq);

	if (zkfs_zk_connected(user->client->zk) && is_deaf(user))
		violated(world, "user %u is deaf while %s", user->slot,
			 zkfs_lockq_state_name(state));
	if (user->given_up &&
	    (state == ZKFS_LOCKQ_LISTING || state == ZKFS_LOCKQ_WAITING ||
	     state == ZKFS_LOCKQ_HELD))
		violated(world, "user %u is %s, though its lease was over",
			 user->slot, zkfs_lockq_state_name(state));
	if (user->try && state == ZKFS_LOCKQ_WAITING)
		violated(world, "user %u waits, but was to try", user->slot);
	if (state == ZKFS_LOCKQ_LOST && user->session->alive &&
	    !user->tampered && !user->given_up)
		violated(world, "user %u is lost for no reason", user->slot);
}

/* The znode it watches, of a waiter whose place nobody else can mistake. */
static const char *watched(const struct user *user)
{
	if (!user_is(user, ZKFS_LOCKQ_WAITING) ||
	    user->mode != ZKFS_LOCK_EXCLUSIVE || user->tampered ||
	    !user->session->alive ||
	    !user->watches[ZKFS_LOCKQ_ASK_BLOCKER].watch.live)
		return NULL;
	return user->reqs[ZKFS_LOCKQ_ASK_BLOCKER].req.path;
}

static void check_herd(struct world *world)
{
	const char *paths[N_USERS];
	bool far[N_USERS];

	for (unsigned i = 0; i < N_USERS; i++) {
		paths[i] = watched(&world->users[i]);
		far[i] = paths[i] &&
			 zkfs_lockq_needs_list(world->users[i].lockq);
		for (unsigned j = 0; paths[i] && j < i; j++)
			if (paths[j] && far[i] == far[j] &&
			    !strcmp(paths[i], paths[j]))
				violated(world, "users %u and %u both watch %s",
					 j, i, paths[i]);
	}
}

void check_all(struct world *world)
{
	for (unsigned i = 0; i < N_LOCKS; i++)
		check_lock(world, i);
	check_herd(world);
	for (unsigned i = 0; i < N_USERS; i++)
		if (world->users[i].lockq)
			check_user(world, &world->users[i]);
}

void check_drained(struct world *world)
{
	for (unsigned i = 0; i < N_LOCKS; i++)
		zkfs_list_for_each(it, &lock_node(world, i)->children) {
			struct sim_node *node =
				zkfs_list_entry(it, struct sim_node, sibling);

			if (sim_node_lives(node))
				violated(world, "left over: %s", node->path);
		}
}

void check_mended(struct world *world)
{
	for (unsigned i = 0; i < N_LOCKS; i++)
		if (lock_node(world, i)->counter > LARGE + ZKFS_NAMES_MAX)
			violated(world,
				 "lock %u was left by one who was alone, but "
				 "its numbers are at %" PRId32,
				 i, lock_node(world, i)->counter);
}

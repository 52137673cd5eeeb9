/*
 * cover_sim: the state machine of the cache (core/cover with core/tree), driven
 * as ops/cache drives it, between a kernel that keeps what it was promised and
 * a server that changes (cover_server).
 *
 * After each step:
 *   belief    what a live watch covers is what the server said at the moment of
 *             the last thing that was heard from it, exactly
 *   promise   so is what the kernel keeps: whatever has changed was told
 *   order     nobody is shown an older version after a newer one
 *   honesty   what is shown without a connection says so (-o stale)
 *
 *	cover-sim [--stale] SEED RUNS STEPS
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/core/cover.h"
#include "fs/core/tree.h"
#include "tests/sim/cover_server.h"
#include "tests/sim/memory.h"

#define OPS_MAX 8

enum op_kind {
	OP_FREE,
	OP_LOOKUP,
	OP_GETATTR,
	OP_OPEN,
	OP_LIST,
	OP_REARM,
};

struct cached {
	struct zkfs_cover cover;
	struct zkfs_node *node; /* referenced; NULL: not yet, or let go */
	int path;
	bool live[_ZKFS_COVER_HALF_N]; /* subscribed */
	int rearm;		       /* op, or -1 */
	struct cached *next;
};

struct op {
	enum op_kind kind;
	int path;
	uint64_t id; /* of the node; LOOKUP: of its parent */
	enum zkfs_zk_kind asks;
	struct cached *cached; /* whose watch it arms */
	struct zkfs_cover_ask ask;
	bool sent;
	uint64_t serial;
};

/* What the kernel keeps of a name. */
struct kept {
	uint64_t id; /* 0: nothing */
	bool entry;  /* it may go by the name */
	bool attr;   /* and by these */
	struct zkfs_stat stat;
	bool listing;
	int64_t list_pzxid;
	int32_t list_cversion;
};

static struct sim_random chance;
static struct cover_server server;
static struct zkfs_tree tree;
static struct cached *all_cached;
static struct op ops[OPS_MAX];
static struct kept kernel[PATHS];
static size_t shown_last[PATHS]; /* index of the state */
static bool connected, with_stale;
static int64_t now_ms;
static uint64_t last_serial;
static uint64_t seed, n_steps, n_hits, n_kernel, n_stale;

static void violated(const char *what, int path)
{
	(void)printf("seed %" PRIu64 ": violated: %s at %s\n", seed, what,
		     places[path].path);
	exit(1);
}

/* -- what users are shown -- */

static bool same_stat(const struct zkfs_stat *a, const struct zkfs_stat *b)
{
	return a->czxid == b->czxid && a->mzxid == b->mzxid &&
	       a->pzxid == b->pzxid && a->version == b->version &&
	       a->num_children == b->num_children;
}

static bool matches(const struct state *state, const struct zkfs_stat *stat,
		    int64_t mzxid)
{
	if (!stat && mzxid == 0)
		return !state->exists;
	return state->exists && (stat ? same_stat(&state->stat, stat)
				      : state->stat.mzxid == mzxid);
}

/* What is shown is the first state that it can be after the one before. */
static void shown_state(int path, const struct zkfs_stat *stat, int64_t mzxid)
{
	for (size_t i = shown_last[path]; i < server.n_states[path]; i++)
		if (matches(&server.states[path][i], stat, mzxid)) {
			shown_last[path] = i;
			return;
		}
	violated("an older version after a newer one", path);
}

/* NULL: that it is not there. */
static void shown(int path, const struct zkfs_stat *stat)
{
	shown_state(path, stat, 0);
}

static void shown_data(int path, int64_t mzxid)
{
	shown_state(path, NULL, mzxid);
}

/* -- the kernel -- */

static void kernel_forget(int path)
{
	struct kept *kept = &kernel[path];

	for (int i = 0; i < PATHS; i++)
		if (places[i].parent == path && kernel[i].id)
			kernel_forget(i);
	if (kept->id)
		zkfs_tree_forget(&tree, kept->id, 1);
	*kept = (struct kept){0};
}

static void kernel_take(int path, struct zkfs_node *node)
{
	if (kernel[path].id != node->id) {
		kernel_forget(path);
		kernel[path].id = node->id;
		zkfs_tree_looked_up(node);
	}
}

static int path_of(const struct zkfs_node *node)
{
	char *text = zkfs_tree_path(node);

	for (int i = 0; i < PATHS; i++)
		if (strcmp(places[i].path, text) == 0) {
			free(text);
			return i;
		}
	abort();
}

static void tell(const struct zkfs_node *node, unsigned what)
{
	struct kept *kept = &kernel[path_of(node)];

	/* The name is told whatever it means to the kernel by now. */
	if (what & ZKFS_COVER_NAME)
		kept->entry = false;
	if ((what & ZKFS_COVER_ATTR) && kept->id == node->id)
		kept->attr = false;
}

/* -- the cache, as ops/cache has it -- */

static void submit(int op, enum zkfs_zk_kind kind, struct cached *cached,
		   const struct zkfs_cover_ask *ask)
{
	ops[op].asks = kind;
	ops[op].ask = *ask;
	ops[op].cached = ask->arms ? cached : NULL;
	ops[op].sent = false;
	ops[op].serial = ++last_serial;
	if (ask->arms)
		zkfs_cover_asked(&cached->cover, ask);
}

/* Two of a kind for one name at a time: users are several, but few. */
static int op_new(enum op_kind kind, int path, uint64_t id)
{
	int place = -1, n = 0;

	for (int i = 0; i < OPS_MAX; i++) {
		n += ops[i].kind == kind && ops[i].path == path;
		if (ops[i].kind == OP_FREE)
			place = i;
	}
	if (place < 0 || n >= 2)
		return -1;
	ops[place] = (struct op){.kind = kind, .path = path, .id = id};
	return place;
}

static bool is_asked(const struct cached *cached)
{
	return cached->cover.asked[0] || cached->cover.asked[1];
}

static void cached_free(struct cached *cached)
{
	struct cached **at = &all_cached;

	while (*at != cached)
		at = &(*at)->next;
	*at = cached->next;
	zkfs_cover_fini(&cached->cover);
	free(cached);
}

static void given_up(struct op *op)
{
	struct cached *cached = op->cached;

	op->cached = NULL;
	if (!cached)
		return;
	cached->live[op->ask.half] = false;
	zkfs_cover_answered(&cached->cover, &op->ask, NULL, false);
	if (!cached->node && !is_asked(cached))
		cached_free(cached);
}

static void rearm_end(struct cached *cached)
{
	struct op *op;

	if (cached->rearm < 0)
		return;
	op = &ops[cached->rearm];
	cached->rearm = -1;
	if (op->cached) {
		cached->live[op->ask.half] = false;
		zkfs_cover_answered(&cached->cover, &op->ask, NULL, false);
	}
	op->kind = OP_FREE;
}

static void let_go(struct cached *cached)
{
	struct zkfs_node *node = cached->node;

	tell(node, zkfs_cover_revoke(&cached->cover));
	node->cached = NULL;
	cached->node = NULL;
	rearm_end(cached);
	for (int half = 0; half < _ZKFS_COVER_HALF_N; half++)
		if (!cached->cover.asked[half])
			cached->live[half] = false;
	if (!is_asked(cached))
		cached_free(cached);
	zkfs_tree_unref(&tree, node);
}

static struct cached *cached_at(const struct zkfs_node *node)
{
	return (struct cached *)node->cached;
}

static void on_displaced(struct zkfs_node *node, bool moved)
{
	let_go(cached_at(node));
}

static void attach(struct cached *cached, struct zkfs_node *node)
{
	cached->node = zkfs_tree_ref(node);
	node->cached = (struct zkfs_cached *)cached;
}

static struct cached *cached_of(struct zkfs_node *node, int path)
{
	struct cached *cached;

	if (node && !node->current)
		return NULL;
	if (node && node->cached)
		return cached_at(node);
	cached = sim_zalloc(sizeof(*cached));
	zkfs_cover_init(&cached->cover);
	cached->path = path;
	cached->rearm = -1;
	cached->next = all_cached;
	all_cached = cached;
	if (node)
		attach(cached, node);
	return cached;
}

static void ask(int op, struct zkfs_node *node, bool want_data)
{
	static const struct zkfs_stat unknown;
	struct cached *cached = cached_of(node, ops[op].path);
	struct zkfs_cover_ask next = {.kind = want_data ? ZKFS_ZK_GET
							: ZKFS_ZK_EXISTS};

	if (cached)
		next = zkfs_cover_next(
			&cached->cover, node ? node->type : ZKFS_TYPE_FILE,
			node ? &node->stat : &unknown, want_data, now_ms);
	submit(op, next.kind, cached, &next);
	if (cached && !cached->node && !next.arms)
		cached_free(cached);
}

static void ask_children(int op, struct zkfs_node *node)
{
	struct cached *cached = cached_of(node, ops[op].path);
	struct zkfs_cover_ask next = {
		.kind = ZKFS_ZK_CHILDREN,
		.half = ZKFS_COVER_CHILD,
		.arms = cached && !cached->cover.live[ZKFS_COVER_CHILD] &&
			!cached->cover.asked[ZKFS_COVER_CHILD],
	};

	submit(op, ZKFS_ZK_CHILDREN, cached, &next);
}

static void answered(struct op *op, struct zkfs_node *node,
		     const struct zkfs_stat *stat)
{
	struct cached *cached = op->cached;

	if (!cached)
		return;
	if (!cached->node && !node->cached && node->current)
		attach(cached, node);
	if (cached->node != node) {
		given_up(op);
		return;
	}
	op->cached = NULL;
	zkfs_cover_answered(&cached->cover, &op->ask, stat,
			    cached->live[op->ask.half]);
}

static bool is_steady(const struct zkfs_node *node)
{
	return node->cached && node->current &&
	       node->type == zkfs_attr_type(&node->stat, false);
}

static bool has_attr(const struct zkfs_node *node)
{
	return is_steady(node) && zkfs_cover_has_attr(&cached_at(node)->cover,
						      node->type, &node->stat);
}

static struct zkfs_buf *data_of(const struct zkfs_node *node)
{
	return is_steady(node) ? zkfs_cover_data(&cached_at(node)->cover)
			       : NULL;
}

/* The data of a version is its mzxid. */
static void keep(struct zkfs_node *node, int64_t mzxid)
{
	struct zkfs_buf *buf;

	if (!is_steady(node) || !cached_at(node)->cover.live[ZKFS_COVER_DATA])
		return;
	buf = zkfs_buf_new(&mzxid, sizeof(mzxid));
	if (!buf)
		abort();
	zkfs_cover_keep(&cached_at(node)->cover, buf, &node->stat);
	zkfs_buf_unref(buf);
}

static int64_t data_mzxid(const struct zkfs_buf *buf)
{
	int64_t mzxid;

	memcpy(&mzxid, buf->data, sizeof(mzxid));
	return mzxid;
}

static void revoke(struct cached *cached)
{
	unsigned what = cached->cover.promised;

	cached->cover.promised = 0;
	tell(cached->node, what);
}

static void rearm(struct cached *cached)
{
	const struct zkfs_cover_ask again = {
		.kind = ZKFS_ZK_EXISTS, .half = ZKFS_COVER_DATA, .arms = true};
	int op = -1;

	if (cached->rearm < 0 && !cached->cover.asked[ZKFS_COVER_DATA])
		op = op_new(OP_REARM, cached->path, cached->node->id);
	if (op < 0) {
		revoke(cached);
		return;
	}
	cached->rearm = op;
	submit(op, ZKFS_ZK_EXISTS, cached, &again);
}

static void fire(struct cached *cached, enum zkfs_cover_half half,
		 enum zkfs_zk_event event)
{
	struct zkfs_node *node = cached->node;
	unsigned what;

	cached->live[half] = false;
	if (!node)
		return;
	if (event == ZKFS_ZK_UNWATCHED && with_stale) {
		zkfs_cover_lost(&cached->cover, half);
		return;
	}
	what = zkfs_cover_fired(&cached->cover, half, event, node->type,
				&node->stat, now_ms);
	tell(node, what);
	if (what & ZKFS_COVER_REARM)
		rearm(cached);
}

/* -- requests of the kernel -- */

static void answer_attr(int path, struct zkfs_node *node)
{
	struct kept *kept = &kernel[path];

	kept->attr = has_attr(node);
	kept->stat = node->stat;
	if (kept->attr)
		zkfs_cover_promise(&cached_at(node)->cover, ZKFS_COVER_ATTR);
	shown(path, &node->stat);
}

static void answer_entry(int path, struct zkfs_node *node)
{
	if (node->type != zkfs_attr_type(&node->stat, false))
		violated("a file is shown as a directory, or so", path);
	kernel_take(path, node);
	answer_attr(path, node);
	kernel[path].entry =
		is_steady(node) && zkfs_cover_has_name(&cached_at(node)->cover,
						       node->type, &node->stat);
	if (kernel[path].entry)
		zkfs_cover_promise(&cached_at(node)->cover, ZKFS_COVER_NAME);
}

static struct zkfs_node *parent_node(int path)
{
	int parent = places[path].parent;

	return parent < 0 ? tree.root : zkfs_tree_get(&tree, kernel[parent].id);
}

static void look_up(int path)
{
	struct zkfs_node *parent = parent_node(path);
	struct zkfs_node *known;
	int op;

	if (!parent || parent->type != ZKFS_TYPE_DIR)
		return;
	known = zkfs_tree_find(&tree, parent, places[path].name);
	if (known && has_attr(known)) {
		n_hits++;
		n_stale += zkfs_cover_is_stale(&cached_at(known)->cover);
		answer_entry(path, known);
		return;
	}
	op = op_new(OP_LOOKUP, path, parent->id);
	if (op >= 0)
		ask(op, known,
		    !known || (known->type == ZKFS_TYPE_FILE &&
			       !(is_steady(known) &&
				 cached_at(known)->cover.live[0])));
}

static void get_attr(int path)
{
	struct zkfs_node *node = zkfs_tree_get(&tree, kernel[path].id);
	int op;

	if (has_attr(node)) {
		n_hits++;
		answer_attr(path, node);
		return;
	}
	op = op_new(OP_GETATTR, path, node->id);
	if (op >= 0)
		ask(op, node, false);
}

static void open_file(int path)
{
	struct zkfs_node *node = zkfs_tree_get(&tree, kernel[path].id);
	struct zkfs_buf *data = data_of(node);
	int op;

	if (node->type != ZKFS_TYPE_FILE)
		return;
	if (data) {
		n_hits++;
		shown_data(path, data_mzxid(data));
		return;
	}
	op = op_new(OP_OPEN, path, node->id);
	if (op >= 0)
		ask(op, node, true);
}

static bool keeps_listing(const struct zkfs_node *node)
{
	return is_steady(node) &&
	       zkfs_cover_has_children(&cached_at(node)->cover);
}

static void list(int path)
{
	struct zkfs_node *node = zkfs_tree_get(&tree, kernel[path].id);
	int op;

	if (node->type != ZKFS_TYPE_DIR)
		return;
	if (keeps_listing(node) && kernel[path].listing)
		return; /* the kernel's copy: see check_kernel() */
	kernel[path].listing = false;
	op = op_new(OP_LIST, path, node->id);
	if (op >= 0)
		ask_children(op, node);
}

/* One path walk of the kernel: the first thing that it has to ask for. */
static void walk(int path)
{
	int parent = places[path].parent;
	struct kept *kept = &kernel[path];

	if (parent >= 0 && !kernel[parent].entry) {
		walk(parent);
		return;
	}
	if (!kept->id || !kept->entry) {
		look_up(path);
		return;
	}
	switch (sim_random_below(&chance, 3)) {
	case 0:
		if (!kept->attr) {
			get_attr(path);
			return;
		}
		n_kernel++;
		shown(path, &kept->stat);
		return;
	case 1:
		open_file(path);
		return;
	default:
		list(path);
	}
}

/* -- replies -- */

static void on_lookup(struct op *op, const struct state *found)
{
	struct zkfs_node *parent = zkfs_tree_get(&tree, op->id);
	struct zkfs_node *node, *old;

	if (!parent || parent != parent_node(op->path)) {
		given_up(op); /* the kernel has forgotten it */
		return;
	}
	if (!found->exists) {
		given_up(op);
		old = zkfs_tree_find(&tree, parent, places[op->path].name);
		if (old)
			zkfs_tree_detach(&tree, old);
		kernel_forget(op->path);
		shown(op->path, NULL);
		return;
	}
	node = zkfs_tree_intern(&tree, parent, places[op->path].name,
				zkfs_attr_type(&found->stat, false),
				found->stat.czxid);
	zkfs_tree_saw(node, &found->stat, now_ms);
	answered(op, node, &found->stat);
	if (op->asks == ZKFS_ZK_GET && node->type == ZKFS_TYPE_FILE)
		keep(node, found->stat.mzxid);
	answer_entry(op->path, node);
	zkfs_tree_unref(&tree, node);
}

/* The node that an op is about, if what was found is it; the kernel looks the
 * name up again otherwise (ESTALE). */
static struct zkfs_node *node_of(struct op *op, const struct state *found)
{
	struct zkfs_node *node = zkfs_tree_get(&tree, op->id);

	if (node && kernel[op->path].id != op->id)
		node = NULL;
	if (node && (!found->exists || node->czxid != found->stat.czxid)) {
		kernel[op->path].entry = false;
		node = NULL;
	}
	if (!node)
		given_up(op);
	return node;
}

static void on_getattr(struct op *op, const struct state *found)
{
	struct zkfs_node *node = node_of(op, found);

	if (!node)
		return;
	zkfs_tree_saw(node, &found->stat, now_ms);
	answered(op, node, &found->stat);
	answer_attr(op->path, node);
}

static bool on_open(struct op *op, const struct state *found)
{
	const struct zkfs_cover_ask plain = {.kind = ZKFS_ZK_GET};
	struct zkfs_node *node = node_of(op, found);

	if (!node)
		return true;
	if (zkfs_attr_type(&found->stat, false) != ZKFS_TYPE_FILE) {
		given_up(op);
		return true;
	}
	zkfs_tree_saw(node, &found->stat, now_ms);
	answered(op, node, &found->stat);
	if (op->asks == ZKFS_ZK_EXISTS && !data_of(node)) {
		submit((int)(op - ops), ZKFS_ZK_GET, NULL, &plain);
		return false;
	}
	if (op->asks == ZKFS_ZK_GET)
		keep(node, found->stat.mzxid);
	shown_data(op->path, op->asks == ZKFS_ZK_GET
				     ? found->stat.mzxid
				     : data_mzxid(data_of(node)));
	return true;
}

static void on_list(struct op *op, const struct state *found)
{
	struct zkfs_node *node = node_of(op, found);

	if (!node)
		return;
	zkfs_tree_saw(node, &found->stat, now_ms);
	answered(op, node, &found->stat);
	if (node->cached)
		zkfs_cover_listed(&cached_at(node)->cover);
	kernel[op->path].listing = true;
	kernel[op->path].list_cversion = found->stat.cversion;
	kernel[op->path].list_pzxid = found->stat.pzxid;
}

static void on_rearmed(struct op *op, const struct state *found)
{
	struct zkfs_node *node = zkfs_tree_get(&tree, op->id);
	struct cached *cached = cached_at(node);

	if (found->exists && node->czxid == found->stat.czxid) {
		zkfs_tree_saw(node, &found->stat, now_ms);
		answered(op, node, &found->stat);
	}
	rearm_end(cached);
	if (!zkfs_cover_has_name(&cached->cover, node->type, &node->stat))
		revoke(cached);
}

static void on_reply(const struct message *message)
{
	struct op *op = &ops[message->flight.op];
	const struct state *found = &message->state;
	bool done = true;

	if (op->cached &&
	    (found->exists || message->flight.kind == ZKFS_ZK_EXISTS))
		op->cached->live[op->ask.half] = true;
	switch (op->kind) {
	case OP_LOOKUP:
		on_lookup(op, found);
		break;
	case OP_GETATTR:
		on_getattr(op, found);
		break;
	case OP_OPEN:
		done = on_open(op, found);
		break;
	case OP_LIST:
		on_list(op, found);
		break;
	case OP_REARM:
		on_rearmed(op, found);
		break;
	case OP_FREE:
		break;
	}
	if (done)
		op->kind = OP_FREE;
}

static void fire_all(int path, enum zkfs_zk_event event)
{
	for (int half = 0; half < _ZKFS_COVER_HALF_N; half++) {
		struct cached *next;

		if (event == ZKFS_ZK_CHILD && half == ZKFS_COVER_DATA)
			continue;
		if ((event == ZKFS_ZK_CHANGED || event == ZKFS_ZK_CREATED) &&
		    half == ZKFS_COVER_CHILD)
			continue;
		for (struct cached *at = all_cached; at; at = next) {
			next = at->next;
			if (at->live[half] && (path < 0 || at->path == path))
				fire(at, (enum zkfs_cover_half)half, event);
		}
	}
}

/* -- steps -- */

static bool step_send(void)
{
	for (int i = 0; i < OPS_MAX; i++) {
		struct op *op = &ops[i];

		if (op->kind == OP_FREE || op->sent)
			continue;
		server.wire[server.n_wire++] = (struct flight){
			op->asks, op->path, op->cached != NULL, i, op->serial};
		op->sent = true;
	}
	return true;
}

static bool step_deliver(void)
{
	struct message message;
	const struct op *op;

	if (!cover_server_deliver(&server, &message))
		return false;
	op = &ops[message.flight.op];
	if (message.is_event)
		fire_all(message.flight.path, message.event);
	else if (op->kind != OP_FREE && op->serial == message.flight.serial)
		on_reply(&message); /* else it was given up meanwhile */
	return true;
}

static void step_notice(void)
{
	while (step_deliver())
		;
	connected = false;
	for (int i = 0; i < OPS_MAX; i++)
		ops[i].sent = false;
	fire_all(-1, ZKFS_ZK_UNWATCHED);
	for (struct cached *at = all_cached; at && !with_stale; at = at->next)
		if (at->rearm >= 0) {
			rearm_end(at);
			revoke(at);
		}
}

static void step_connect(void)
{
	cover_server_link(&server);
	connected = true;
	for (struct cached *at = all_cached; at; at = at->next)
		if (at->node)
			tell(at->node, zkfs_cover_found(&at->cover));
}

static void step_let_go(void)
{
	struct cached *at = all_cached;

	for (uint32_t n = sim_random_below(&chance, 4); at && n > 0; n--)
		at = at->next;
	if (at && at->node)
		let_go(at);
}

static void step_connection(void)
{
	if (server.linked)
		cover_server_cut(&server);
	else if (connected)
		step_notice();
	else
		step_connect();
}

/* In some runs little changes, in others more than can be cached. */
static void step_change(void)
{
	if (sim_random_below(&chance, 8) <= seed % 8)
		cover_server_change(&server);
}

static void step(void)
{
	uint32_t n = sim_random_below(&chance, 1000);

	now_ms += sim_random_below(&chance, 20);
	if (n < 350)
		walk((int)sim_random_below(&chance, PATHS));
	else if (n < 500)
		(void)cover_server_execute(&server);
	else if (n < 700)
		(void)step_deliver();
	else if (n < 860)
		(void)cover_server_advance(&server);
	else if (n < 960)
		step_change();
	else if (n < 980)
		kernel_forget((int)sim_random_below(&chance, PATHS));
	else if (n < 990)
		step_let_go();
	else if (n < 993 || !server.linked)
		step_connection();
	if (connected && server.linked)
		(void)step_send();
}

/* -- what must hold -- */

static void check_cached(const struct cached *at)
{
	const struct zkfs_node *node = at->node;
	const struct state *is =
		cover_server_at(&server, at->path, server.seen);
	bool stale = zkfs_cover_is_stale(&at->cover);

	if (stale && connected)
		violated("stale with a connection", at->path);
	if (stale || !node->current)
		return;
	if (!connected && (at->cover.live[0] || at->cover.live[1]))
		violated("live without a connection", at->path);
	if (has_attr(node) &&
	    (!is->exists || !same_stat(&is->stat, &node->stat)))
		violated("attributes are believed that are not so", at->path);
	if (is_steady(node) &&
	    zkfs_cover_has_name(&at->cover, node->type, &node->stat) &&
	    (!is->exists || is->stat.czxid != node->czxid ||
	     zkfs_attr_type(&is->stat, false) != node->type))
		violated("a name is believed that is not so", at->path);
	if (data_of(node) &&
	    (!is->exists || data_mzxid(data_of(node)) != is->stat.mzxid))
		violated("data is believed that is not so", at->path);
}

/* What the kernel keeps it may show: without a connection only if that was
 * asked for, and then it is what the daemon would show. */
static void check_kernel(int path)
{
	const struct kept *kept = &kernel[path];
	const struct zkfs_node *node = zkfs_tree_get(&tree, kept->id);
	const struct state *is = cover_server_at(&server, path, server.seen);

	if (!kept->id)
		return;
	if (!connected && !with_stale && (kept->entry || kept->attr))
		violated("kept without a connection", path);
	/* Of a file that was written the kernel keeps the name while it is
	 * looked at again. */
	if (node->cached && cached_at(node)->rearm >= 0)
		return;
	if (kept->entry && (!is->exists || is->stat.czxid != node->czxid ||
			    zkfs_attr_type(&is->stat, false) != node->type))
		violated("a name is kept that is not so", path);
	if (kept->attr && (!is->exists || !same_stat(&is->stat, &kept->stat)))
		violated("attributes are kept that are not so", path);
	if (kept->listing && node->current && keeps_listing(node) &&
	    (!is->exists || kept->list_pzxid != is->stat.pzxid ||
	     kept->list_cversion != is->stat.cversion))
		violated("a listing is kept that is not so", path);
}

static void check(void)
{
	for (const struct cached *at = all_cached; at; at = at->next)
		if (at->node)
			check_cached(at);
	for (int i = 0; i < PATHS; i++)
		check_kernel(i);
}

static void run(uint64_t steps)
{
	chance.state = seed;
	cover_server_init(&server, &chance);
	(void)zkfs_tree_init(&tree);
	tree.displaced = on_displaced;
	connected = true;
	now_ms = 1;
	memset(ops, 0, sizeof(ops));
	memset(kernel, 0, sizeof(kernel));
	memset(shown_last, 0, sizeof(shown_last));
	for (uint64_t i = 0; i < steps && cover_server_has_room(&server); i++) {
		step();
		check();
		n_steps++;
	}
	tree.displaced = NULL;
	while (all_cached) {
		struct cached *at = all_cached;

		if (at->node)
			at->node->cached = NULL;
		all_cached = at->next;
		zkfs_cover_fini(&at->cover);
		free(at);
	}
	zkfs_tree_fini(&tree);
}

int main(int argc, char **argv)
{
	uint64_t first, runs, steps;

	if (argc > 1 && strcmp(argv[1], "--stale") == 0) {
		with_stale = true;
		argc--;
		argv++;
	}
	if (argc != 4)
		errx(2, "usage: cover-sim [--stale] SEED RUNS STEPS");
	first = strtoull(argv[1], NULL, 10);
	runs = strtoull(argv[2], NULL, 10);
	steps = strtoull(argv[3], NULL, 10);
	for (seed = first; seed < first + runs; seed++)
		run(steps);
	(void)printf("%" PRIu64 " steps: %" PRIu64 " answers from the cache, "
		     "%" PRIu64 " of them stale, %" PRIu64 " from the kernel\n",
		     n_steps, n_hits, n_stale, n_kernel);
	/* A simulation in which nothing is cached proves nothing. */
	return n_hits > runs && n_kernel > runs && (!with_stale || n_stale) ? 0
									    : 1;
}

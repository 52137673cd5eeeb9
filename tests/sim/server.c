/*
 * server: see the header. Memory failure ends a simulation, nothing else.
 */
#include "tests/sim/server.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "tests/sim/memory.h"

struct session_watch {
	struct zkfs_link link;
	char *path;
	bool child;
};

/* -- znodes -- */

static uint64_t hash_path(const char *path)
{
	return zkfs_hash_bytes(0, path, strlen(path));
}

static struct sim_node *find_at(const struct sim_server *server,
				const char *path, int64_t view)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&server->nodes, hash_path(path));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct sim_node *node =
			zkfs_container_of(it, struct sim_node, by_path);

		if (node->stat.czxid <= view && view < node->dzxid &&
		    !strcmp(node->path, path))
			return node;
	}
	return NULL;
}

struct sim_node *sim_server_find(const struct sim_server *server,
				 const char *path)
{
	return find_at(server, path, server->zxid);
}

static struct sim_node *node_new(struct sim_server *server,
				 struct sim_node *parent, const char *path)
{
	struct sim_node *node = sim_zalloc(sizeof(*node));

	node->path = sim_strdup(path);
	node->name = strrchr(node->path, '/') + 1;
	node->parent = parent;
	node->dzxid = SIM_FOREVER;
	zkfs_list_init(&node->children);
	zkfs_hash_add(&server->nodes, &node->by_path, hash_path(path));
	if (parent)
		zkfs_list_append(&parent->children, &node->sibling);
	return node;
}

static void node_free(struct sim_server *server, struct sim_node *node)
{
	zkfs_hash_remove(&server->nodes, &node->by_path);
	zkfs_list_remove(&node->sibling);
	free(node->acl);
	free(node->data);
	free(node->path);
	free(node);
}

/* -- the log: what views have not passed yet -- */

static void log_change(struct sim_server *server, enum zkfs_zk_event event,
		       struct sim_node *node)
{
	if (server->log_len == server->log_cap) {
		server->log_cap = server->log_cap ? 2 * server->log_cap : 64;
		server->log = realloc(server->log,
				      server->log_cap * sizeof(*server->log));
		if (!server->log)
			abort();
	}
	server->log[server->log_len++] = (struct sim_change){
		.zxid = server->zxid, .event = event, .node = node};
}

static int64_t oldest_view(const struct sim_server *server)
{
	int64_t oldest = server->zxid;

	zkfs_list_for_each(it, &server->sessions) {
		struct sim_session *session =
			zkfs_list_entry(it, struct sim_session, link);

		if (session->alive && session->seen < oldest)
			oldest = session->seen;
	}
	return oldest;
}

/* Forgets what every client has been told of; a dead znode goes with the
 * change that ended it. */
static void trim_log(struct sim_server *server)
{
	int64_t oldest = oldest_view(server);
	size_t n = 0;

	while (n < server->log_len && server->log[n].zxid <= oldest)
		n++;
	for (size_t i = 0; i < n; i++)
		if (server->log[i].event == ZKFS_ZK_DELETED)
			node_free(server, server->log[i].node);
	server->log_len -= n;
	if (server->log_len > 0 && n > 0)
		memmove(server->log, server->log + n,
			server->log_len * sizeof(*server->log));
}

/* -- watches -- */

static void add_watch(struct sim_session *session, const char *path, bool child)
{
	struct session_watch *watch;

	zkfs_list_for_each(it, &session->watches) {
		watch = zkfs_list_entry(it, struct session_watch, link);
		if (watch->child == child && !strcmp(watch->path, path))
			return;
	}
	watch = sim_zalloc(sizeof(*watch));
	watch->path = sim_strdup(path);
	watch->child = child;
	zkfs_list_append(&session->watches, &watch->link);
}

static void watch_free(struct session_watch *watch)
{
	zkfs_list_remove(&watch->link);
	free(watch->path);
	free(watch);
}

static void fire(struct sim_session *session, const char *path, bool child,
		 enum zkfs_zk_event event)
{
	zkfs_list_for_each_safe(it, &session->watches) {
		struct session_watch *watch =
			zkfs_list_entry(it, struct session_watch, link);
		struct sim_event *message;

		if (watch->child != child || strcmp(watch->path, path) != 0)
			continue;
		message = sim_zalloc(sizeof(*message));
		message->event = event;
		message->child = child;
		message->path = sim_strdup(path);
		zkfs_list_append(&session->events, &message->link);
		watch_free(watch);
		return;
	}
}

static void pass_change(struct sim_session *session,
			const struct sim_change *change)
{
	const struct sim_node *node = change->node;

	fire(session, node->path, false, change->event);
	if (change->event == ZKFS_ZK_CHANGED)
		return;
	if (change->event == ZKFS_ZK_DELETED)
		fire(session, node->path, true, ZKFS_ZK_DELETED);
	fire(session, node->parent->path, true, ZKFS_ZK_CHILD);
}

/* The first change in the log that is newer than `view`. */
static size_t newer_than(const struct sim_server *server, int64_t view)
{
	size_t low = 0, high = server->log_len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (server->log[middle].zxid <= view)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The replica applies all that belongs to one zxid at once. */
bool sim_server_advance(struct sim_server *server, struct sim_session *session)
{
	size_t i = newer_than(server, session->view);
	bool found = i < server->log_len;

	session->view = found ? server->log[i].zxid : server->zxid;
	for (; i < server->log_len && server->log[i].zxid == session->view; i++)
		pass_change(session, &server->log[i]);
	return found;
}

static void catch_up(struct sim_server *server, struct sim_session *session)
{
	while (sim_server_advance(server, session))
		;
}

/* -- single changes, with what is needed to take them back -- */

struct undo {
	enum zkfs_zk_op_kind kind;
	struct sim_node *node;
	struct zkfs_stat stat;
	char *data;
};

/* A number of 32 bits that is stored only when it has grown (DataTree,
 * createNode), so that it sticks at its end; but creates that are under way
 * count on from each other (PrepRequestProcessor), past the end too. */
static int32_t take_number(struct sim_server *server, struct sim_node *parent)
{
	if (!server->pipelined && parent->counted != server->zxid)
		parent->outstanding = parent->counter;
	parent->counted = server->zxid;
	return parent->outstanding;
}

static void count(struct sim_node *parent, uint32_t by)
{
	parent->outstanding = (int32_t)((uint32_t)parent->outstanding + by);
}

static void store_count(struct sim_node *parent)
{
	if (parent->outstanding > parent->counter)
		parent->counter = parent->outstanding;
}

static enum zkfs_error make(struct sim_server *server,
			    struct sim_session *session, struct zkfs_zk_op *op,
			    struct undo *undo)
{
	char path[1024], dir[1024];
	struct sim_node *parent, *node;
	char *slash;

	(void)snprintf(dir, sizeof(dir), "%s", op->path);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	parent = find_at(server, dir, SIM_FOREVER - 1);
	if (!parent)
		return ZKFS_E_NONODE;
	if (parent->stat.ephemeral_owner)
		return ZKFS_E_NOCHILDREN;

	if (op->flags & ZKFS_ZK_SEQUENCE)
		(void)snprintf(path, sizeof(path), "%s%010" PRId32, op->path,
			       take_number(server, parent));
	else
		(void)snprintf(path, sizeof(path), "%s", op->path);
	if (find_at(server, path, SIM_FOREVER - 1))
		return ZKFS_E_NODEEXISTS;
	if (!(op->flags & ZKFS_ZK_SEQUENCE))
		(void)take_number(server, parent);

	node = node_new(server, parent, path);
	node->data = sim_memdup(op->data, op->len);
	node->acl = sim_memdup(op->acl, op->acl_len);
	node->acl_len = op->acl_len;
	node->stat = (struct zkfs_stat){
		.czxid = server->zxid,
		.mzxid = server->zxid,
		.pzxid = server->zxid,
		.ctime_ms = server->now_ms,
		.mtime_ms = server->now_ms,
		.data_length = (int32_t)op->len,
		.ephemeral_owner =
			op->flags & ZKFS_ZK_EPHEMERAL ? session->id : 0,
	};
	count(parent, 1);
	parent->stat.cversion++;
	parent->stat.num_children++;
	parent->stat.pzxid = server->zxid;
	(void)snprintf(op->name, sizeof(op->name), "%s", node->name);
	undo->node = node;
	return ZKFS_E_OK;
}

static enum zkfs_error take(struct sim_server *server, struct sim_node *node,
			    struct undo *undo)
{
	if (node->stat.num_children > 0)
		return ZKFS_E_NOTEMPTY;

	node->dzxid = server->zxid;
	node->parent->stat.num_children--;
	node->parent->stat.cversion++;
	node->parent->stat.pzxid = server->zxid;
	undo->node = node;
	return ZKFS_E_OK;
}

static enum zkfs_error set(struct sim_server *server, struct sim_node *node,
			   struct zkfs_zk_op *op, struct undo *undo)
{
	undo->node = node;
	undo->stat = node->stat;
	undo->data = node->data;
	node->data = sim_memdup(op->data, op->len);
	node->stat.data_length = (int32_t)op->len;
	node->stat.version++;
	node->stat.mzxid = server->zxid;
	node->stat.mtime_ms = server->now_ms;
	op->stat = node->stat;
	return ZKFS_E_OK;
}

static enum zkfs_error apply(struct sim_server *server,
			     struct sim_session *session, struct zkfs_zk_op *op,
			     struct undo *undo)
{
	struct sim_node *node;

	undo->kind = op->kind;
	if (op->kind == ZKFS_ZK_OP_CREATE)
		return make(server, session, op, undo);

	node = find_at(server, op->path, SIM_FOREVER - 1);
	if (!node)
		return ZKFS_E_NONODE;
	if (op->version != ZKFS_ZK_ANY_VERSION &&
	    op->version != node->stat.version)
		return ZKFS_E_BADVERSION;
	if (op->kind == ZKFS_ZK_OP_DELETE)
		return take(server, node, undo);
	if (op->kind == ZKFS_ZK_OP_SET)
		return set(server, node, op, undo);
	return ZKFS_E_OK;
}

static void take_back(struct sim_server *server, struct undo *undo)
{
	struct sim_node *node = undo->node;

	switch (undo->kind) {
	case ZKFS_ZK_OP_CREATE:
		node->parent->stat.num_children--;
		node->parent->stat.cversion--;
		count(node->parent, (uint32_t)-1);
		node_free(server, node);
		break;
	case ZKFS_ZK_OP_DELETE:
		node->dzxid = SIM_FOREVER;
		node->parent->stat.num_children++;
		node->parent->stat.cversion--;
		break;
	case ZKFS_ZK_OP_SET:
		free(node->data);
		node->data = undo->data;
		node->stat = undo->stat;
		break;
	case ZKFS_ZK_OP_CHECK:
		break;
	}
}

static void settle(struct sim_server *server, struct undo *undo)
{
	static const enum zkfs_zk_event events[] = {
		[ZKFS_ZK_OP_CREATE] = ZKFS_ZK_CREATED,
		[ZKFS_ZK_OP_DELETE] = ZKFS_ZK_DELETED,
		[ZKFS_ZK_OP_SET] = ZKFS_ZK_CHANGED,
	};

	if (undo->kind == ZKFS_ZK_OP_CHECK)
		return;
	if (undo->kind == ZKFS_ZK_OP_SET)
		free(undo->data);
	if (undo->kind == ZKFS_ZK_OP_CREATE)
		store_count(undo->node->parent);
	log_change(server, events[undo->kind], undo->node);
}

/* All or nothing. A transaction that fails takes a zxid, too. */
static enum zkfs_error transact(struct sim_server *server,
				struct sim_session *session,
				struct zkfs_zk_op *ops, size_t n_ops,
				size_t *ret_failed)
{
	struct undo *undo = sim_zalloc((n_ops + 1) * sizeof(*undo));
	enum zkfs_error error = ZKFS_E_OK;
	size_t n;

	server->zxid++;
	for (n = 0; n < n_ops; n++) {
		error = apply(server, session, &ops[n], &undo[n]);
		if (error)
			break;
	}

	for (size_t i = 0; i < n_ops; i++)
		ops[i].error = error && i != n ? ZKFS_E_ROLLEDBACK : error;
	if (error) {
		*ret_failed = n;
		while (n > 0)
			take_back(server, &undo[--n]);
	} else {
		for (size_t i = 0; i < n_ops; i++)
			settle(server, &undo[i]);
	}
	free(undo);
	return error;
}

struct sim_node *sim_server_create(struct sim_server *server,
				   struct sim_session *owner, const char *path,
				   bool sequence)
{
	struct zkfs_zk_op op = {.kind = ZKFS_ZK_OP_CREATE,
				.path = path,
				.data = "",
				.flags = (owner ? ZKFS_ZK_EPHEMERAL : 0) |
					 (sequence ? ZKFS_ZK_SEQUENCE : 0)};
	size_t failed;

	if (transact(server, owner, &op, 1, &failed))
		return NULL;
	return server->log[server->log_len - 1].node;
}

static bool change_one(struct sim_server *server, struct sim_node *node,
		       enum zkfs_zk_op_kind kind, const char *text)
{
	struct zkfs_zk_op op = {.kind = kind,
				.path = node->path,
				.data = text,
				.len = strlen(text),
				.version = ZKFS_ZK_ANY_VERSION};
	size_t failed;

	return transact(server, NULL, &op, 1, &failed) == ZKFS_E_OK;
}

bool sim_server_delete(struct sim_server *server, struct sim_node *node)
{
	return change_one(server, node, ZKFS_ZK_OP_DELETE, "");
}

bool sim_server_touch(struct sim_server *server, struct sim_node *node)
{
	return sim_server_set(server, node, "");
}

bool sim_server_set(struct sim_server *server, struct sim_node *node,
		    const char *text)
{
	return change_one(server, node, ZKFS_ZK_OP_SET, text);
}

void sim_server_set_acl(struct sim_node *node, const void *acl, size_t len)
{
	free(node->acl);
	node->acl = sim_memdup(acl, len);
	node->acl_len = len;
}

/* -- calls -- */

static void list_children(struct sim_node *node, int64_t view,
			  struct sim_answer *answer)
{
	size_t n = 0;

	zkfs_list_for_each(it, &node->children)
		n++;
	answer->names = sim_zalloc((n + 1) * sizeof(*answer->names));
	zkfs_list_for_each(it, &node->children) {
		struct sim_node *child =
			zkfs_list_entry(it, struct sim_node, sibling);

		if (child->stat.czxid <= view && view < child->dzxid)
			answer->names[answer->n_names++] =
				sim_strdup(child->name);
	}
}

static void look_up(struct sim_server *server, struct sim_session *session,
		    struct sim_call *call, struct sim_answer *answer)
{
	struct sim_node *node = find_at(server, call->path, session->view);

	if (call->watch && (node || call->kind == ZKFS_ZK_EXISTS))
		add_watch(session, call->path, call->kind == ZKFS_ZK_CHILDREN);
	if (!node) {
		answer->error = ZKFS_E_NONODE;
		return;
	}

	answer->has_stat = true;
	answer->stat = node->stat;
	if (call->kind == ZKFS_ZK_GET) {
		answer->len = (size_t)node->stat.data_length;
		answer->data = sim_memdup(node->data, answer->len);
	} else if (call->kind == ZKFS_ZK_GET_ACL) {
		answer->len = node->acl_len;
		answer->data = sim_memdup(node->acl, answer->len);
	} else if (call->kind == ZKFS_ZK_CHILDREN) {
		list_children(node, session->view, answer);
	}
}

static void change(struct sim_server *server, struct sim_session *session,
		   struct sim_call *call, struct sim_answer *answer)
{
	answer->error = transact(server, session, call->ops, call->n_ops,
				 &answer->failed);
	if (call->kind == ZKFS_ZK_SET && !answer->error) {
		answer->has_stat = true;
		answer->stat = call->ops[0].stat;
	}
	catch_up(server, session);
}

void sim_server_execute(struct sim_server *server, struct sim_session *session,
			struct sim_call *call, struct sim_answer *ret_answer)
{
	*ret_answer = (struct sim_answer){.error = ZKFS_E_OK};

	assert(session->alive);
	switch (call->kind) {
	case ZKFS_ZK_EXISTS:
	case ZKFS_ZK_GET:
	case ZKFS_ZK_CHILDREN:
	case ZKFS_ZK_GET_ACL:
		look_up(server, session, call, ret_answer);
		break;
	case ZKFS_ZK_SYNC:
		catch_up(server, session);
		break;
	case ZKFS_ZK_SET:
	case ZKFS_ZK_DELETE:
	case ZKFS_ZK_MULTI:
		change(server, session, call, ret_answer);
		break;
	case ZKFS_ZK_SET_ACL: /* no recipe does */
	case _ZKFS_ZK_KIND_N:
		abort();
	}
	ret_answer->zxid = session->view;
	trim_log(server);
}

void sim_answer_fini(struct sim_answer *answer)
{
	for (size_t i = 0; i < answer->n_names; i++)
		free(answer->names[i]);
	free(answer->names);
	free(answer->data);
	*answer = (struct sim_answer){.error = ZKFS_E_OK};
}

/* -- sessions -- */

struct sim_session *sim_server_open(struct sim_server *server)
{
	struct sim_session *session = sim_zalloc(sizeof(*session));

	session->id = 0x100000000 + ++server->last_session;
	session->alive = true;
	session->view = session->seen = server->zxid;
	zkfs_list_init(&session->watches);
	zkfs_list_init(&session->events);
	zkfs_list_append(&server->sessions, &session->link);
	return session;
}

void sim_server_unlink(struct sim_session *session)
{
	session->linked = false;
	zkfs_list_for_each_safe(it, &session->watches)
		watch_free(zkfs_list_entry(it, struct session_watch, link));
}

void sim_server_relink(struct sim_session *session, int64_t view)
{
	assert(session->alive && view >= session->seen);
	session->linked = true;
	session->view = view;
}

static void expire_below(struct sim_server *server, struct sim_node *node,
			 int64_t id)
{
	struct undo undo;

	zkfs_list_for_each(it, &node->children)
		expire_below(server,
			     zkfs_list_entry(it, struct sim_node, sibling), id);
	if (!sim_node_lives(node) || node->stat.ephemeral_owner != id)
		return;
	if (take(server, node, &undo) == ZKFS_E_OK)
		log_change(server, ZKFS_ZK_DELETED, node);
}

void sim_server_expire(struct sim_server *server, struct sim_session *session)
{
	assert(session->alive);
	sim_server_unlink(session);
	session->alive = false;
	server->zxid++;
	expire_below(server, server->root, session->id);
	trim_log(server);
}

static void session_free(struct sim_session *session)
{
	sim_server_unlink(session);
	zkfs_list_for_each_safe(it, &session->events) {
		struct sim_event *event =
			zkfs_list_entry(it, struct sim_event, link);

		zkfs_list_remove(&event->link);
		free(event->path);
		free(event);
	}
	zkfs_list_remove(&session->link);
	free(session);
}

struct sim_server *sim_server_new(void)
{
	struct sim_server *server = sim_zalloc(sizeof(*server));

	if (zkfs_hash_init(&server->nodes) < 0)
		abort();
	zkfs_list_init(&server->sessions);
	server->root = node_new(server, NULL, "/");
	return server;
}

static void free_below(struct sim_server *server, struct sim_node *node)
{
	zkfs_list_for_each_safe(it, &node->children)
		free_below(server,
			   zkfs_list_entry(it, struct sim_node, sibling));
	node_free(server, node);
}

struct sim_server *sim_server_free(struct sim_server *server)
{
	free_below(server, server->root);
	zkfs_list_for_each_safe(it, &server->sessions)
		session_free(zkfs_list_entry(it, struct sim_session, link));
	zkfs_hash_fini(&server->nodes);
	free(server->log);
	free(server);
	return NULL;
}

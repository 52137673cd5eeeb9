/*
 * cover_server: see the header.
 */
#include "tests/sim/cover_server.h"

#include <assert.h>
#include <string.h>

const struct place places[PATHS] = {
	{"/a", "a", -1}, {"/a/x", "x", 0},   {"/a/y", "y", 0},
	{"/b", "b", -1}, {"/a/x/z", "z", 1}, {"/b/x", "x", 3},
};

void cover_server_init(struct cover_server *server, struct sim_random *random)
{
	memset(server, 0, sizeof(*server));
	server->random = random;
	server->linked = true;
	for (int i = 0; i < PATHS; i++)
		server->n_states[i] = 1; /* it does not exist */
}

bool cover_server_has_room(const struct cover_server *server)
{
	for (int i = 0; i < PATHS; i++)
		if (server->n_states[i] + 4 > STATES_MAX)
			return false;
	return server->n_changes + 8 <= CHANGES_MAX &&
	       server->n_inbound + 8 <= INBOUND_MAX;
}

const struct state *cover_server_newest(const struct cover_server *server,
					int path)
{
	return &server->states[path][server->n_states[path] - 1];
}

const struct state *cover_server_at(const struct cover_server *server, int path,
				    int64_t zxid)
{
	const struct state *state = cover_server_newest(server, path);

	while (state->zxid > zxid)
		state--;
	return state;
}

/* -- changes -- */

/* The state of this transaction, to be changed further. */
static struct state *edit(struct cover_server *server, int path)
{
	struct state *newest =
		&server->states[path][server->n_states[path] - 1];

	if (newest->zxid == server->zxid)
		return newest;
	newest[1] = newest[0];
	newest[1].zxid = server->zxid;
	server->n_states[path]++;
	return &newest[1];
}

static void note(struct cover_server *server, int path,
		 enum zkfs_zk_event event)
{
	server->changes[server->n_changes++] =
		(struct change){server->zxid, path, event};
}

static void count_child(struct cover_server *server, int path, int by)
{
	int parent = places[path].parent;
	struct state *state;

	if (parent < 0)
		return;
	state = edit(server, parent);
	state->stat.num_children += by;
	state->stat.cversion++;
	state->stat.pzxid = server->zxid;
	note(server, parent, ZKFS_ZK_CHILD);
}

static void create(struct cover_server *server, int path, bool ephemeral)
{
	struct state *state = edit(server, path);

	state->exists = true;
	state->stat = (struct zkfs_stat){
		.czxid = server->zxid,
		.mzxid = server->zxid,
		.pzxid = server->zxid,
		.ephemeral_owner = ephemeral ? 7 : 0,
		.data_length = (int32_t)sim_random_below(server->random, 2) * 5,
	};
	note(server, path, ZKFS_ZK_CREATED);
	count_child(server, path, 1);
}

static void delete (struct cover_server *server, int path)
{
	edit(server, path)->exists = false;
	note(server, path, ZKFS_ZK_DELETED);
	count_child(server, path, -1);
}

static void set(struct cover_server *server, int path)
{
	struct state *state = edit(server, path);

	state->stat.mzxid = server->zxid;
	state->stat.version++;
	state->stat.data_length = (int32_t)sim_random_below(server->random, 3);
	note(server, path, ZKFS_ZK_CHANGED);
}

void cover_server_change(struct cover_server *server)
{
	struct sim_random *random = server->random;
	int path = (int)sim_random_below(random, PATHS);
	int parent = places[path].parent;
	const struct state *state = cover_server_newest(server, path);
	const struct state *above =
		parent < 0 ? NULL : cover_server_newest(server, parent);
	bool ephemeral = sim_random_chance(random, 2000);

	if (above && (!above->exists || above->stat.ephemeral_owner))
		return;
	server->zxid++;
	if (!state->exists) {
		create(server, path, ephemeral);
	} else if (state->stat.num_children > 0 ||
		   sim_random_chance(random, 5000)) {
		set(server, path);
	} else {
		delete (server, path);
		/* In one transaction, too. */
		if (sim_random_chance(random, 3000))
			create(server, path, ephemeral);
	}
}

/* -- the session -- */

static struct message *push(struct cover_server *server)
{
	struct message *message = &server->inbound[server->n_inbound++];

	assert(server->n_inbound <= INBOUND_MAX);
	*message = (struct message){.view = server->view};
	return message;
}

static void push_event(struct cover_server *server, const struct change *change)
{
	struct message *message = push(server);

	message->is_event = true;
	message->view = server->view - 1;
	message->event = change->event;
	message->flight.path = change->path;
}

static void fire(struct cover_server *server, const struct change *change)
{
	bool *armed = server->armed[change->path];
	bool data = armed[ZKFS_COVER_DATA] && change->event != ZKFS_ZK_CHILD;
	bool child =
		armed[ZKFS_COVER_CHILD] && (change->event == ZKFS_ZK_CHILD ||
					    change->event == ZKFS_ZK_DELETED);

	if (data)
		armed[ZKFS_COVER_DATA] = false;
	if (child)
		armed[ZKFS_COVER_CHILD] = false;
	if (data || child)
		push_event(server, change);
}

bool cover_server_advance(struct cover_server *server)
{
	size_t before = server->n_inbound;

	if (!server->linked || server->view == server->zxid)
		return false;
	server->view++;
	while (server->passed < server->n_changes &&
	       server->changes[server->passed].zxid <= server->view)
		fire(server, &server->changes[server->passed++]);
	/* A transaction is heard of when its last event is. */
	if (server->n_inbound > before)
		server->inbound[server->n_inbound - 1].view++;
	return true;
}

bool cover_server_execute(struct cover_server *server)
{
	struct flight flight = server->wire[0];
	struct message *message;
	bool exists;

	if (!server->linked || server->n_wire == 0)
		return false;
	server->n_wire--;
	memmove(server->wire, server->wire + 1,
		server->n_wire * sizeof(flight));
	message = push(server);
	message->flight = flight;
	message->state = *cover_server_at(server, flight.path, server->view);
	exists = message->state.exists;
	if (flight.watch && (exists || flight.kind == ZKFS_ZK_EXISTS))
		server->armed[flight.path][flight.kind == ZKFS_ZK_CHILDREN
						   ? ZKFS_COVER_CHILD
						   : ZKFS_COVER_DATA] = true;
	return true;
}

bool cover_server_deliver(struct cover_server *server, struct message *ret)
{
	if (server->n_inbound == 0)
		return false;
	*ret = server->inbound[0];
	server->n_inbound--;
	memmove(server->inbound, server->inbound + 1,
		server->n_inbound * sizeof(*ret));
	server->seen = ret->view;
	return true;
}

void cover_server_cut(struct cover_server *server)
{
	server->linked = false;
	server->n_wire = 0;
	server->n_inbound = sim_random_below(server->random,
					     (uint32_t)server->n_inbound + 1);
	memset(server->armed, 0, sizeof(server->armed));
}

void cover_server_link(struct cover_server *server)
{
	server->linked = true;
	server->n_inbound = 0;
	server->view =
		server->seen +
		sim_random_below(server->random,
				 (uint32_t)(server->zxid - server->seen) + 1);
	server->passed = 0;
	while (server->passed < server->n_changes &&
	       server->changes[server->passed].zxid <= server->view)
		server->passed++;
}

/*
 * lockq_foreign: contenders of other programs. Each makes the one name its
 * program makes and waits for the lower names its program looks at, and no
 * others, so that they honour us only if we have made the name of their kind.
 * They act on the server directly and see it as it is.
 *
 * A writer of Curator's read-write lock may downgrade: it makes a reader's
 * znode that has its own old number, then deletes the writer's (Curator since
 * 5.5.0). That is the one way in which a contender can appear before others
 * that were there first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/lockq_world.h"

/* A '-' before the digits is a sign when the prefix is complete without. */
int64_t contender_number(const char *name)
{
	const char *digits = name + strlen(name) - 10;
	bool negative =
		digits[-1] == '-' && (digits[-2] == '-' || digits[-2] == '_');

	return strtoll(digits - negative, NULL, 10);
}

struct sim_node *lock_node(struct world *world, unsigned i)
{
	struct lock *lock = &world->locks[i];

	if (!lock->node || lock->node_zxid != world->server->zxid)
		lock->node = sim_server_find(world->server, lock->path);
	lock->node_zxid = world->server->zxid;
	return lock->node;
}

bool contender_is_shared(const char *name)
{
	return strstr(name, "__READ__") || strstr(name, "__rlock__");
}

static bool sees(enum foreign_kind kind, const char *name)
{
	bool read = strstr(name, "__READ__"), write = strstr(name, "__WRIT__");
	bool rlock = strstr(name, "__rlock__"), lock = strstr(name, "__lock__");

	switch (kind) {
	case FOREIGN_CURATOR:
		/* The stock mutex does not see readers and overlaps them:
		 * known, and not to be cured by names. */
		return strstr(name, "lock-") || read;
	case FOREIGN_KAZOO_WRITE:
		return lock || rlock;
	case FOREIGN_KAZOO_READ:
		return lock;
	case FOREIGN_RW_WRITE:
		return read || write;
	case FOREIGN_RW_READ:
		return write;
	default:
		return true;
	}
}

static void make_prefix(struct world *world, struct foreigner *f, char *out,
			size_t size)
{
	uint64_t a = sim_random_u64(&world->random);
	uint64_t b = sim_random_u64(&world->random);
	char uuid[64];

	(void)snprintf(uuid, sizeof(uuid),
		       "_c_%08x-%04x-4%03x-9%03x-%012" PRIx64 "-",
		       (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
		       (unsigned)a & 0xfff, (unsigned)(b >> 48) & 0xfff,
		       b & UINT64_C(0xffffffffffff));
	switch (f->kind) {
	case FOREIGN_CURATOR:
		(void)snprintf(out, size, "%slock-", uuid);
		break;
	case FOREIGN_KAZOO_WRITE:
		(void)snprintf(out, size,
			       "%016" PRIx64 "%016" PRIx64 "__lock__", a, b);
		break;
	case FOREIGN_KAZOO_READ:
		(void)snprintf(out, size,
			       "%016" PRIx64 "%016" PRIx64 "__rlock__", a, b);
		break;
	case FOREIGN_RW_WRITE:
		(void)snprintf(out, size, "%s__WRIT__", uuid);
		break;
	case FOREIGN_RW_READ:
		(void)snprintf(out, size, "%s__READ__", uuid);
		break;
	default:
		(void)snprintf(out, size, "x-%" PRIu64 "-", a % 1000000);
		break;
	}
}

static void join(struct foreigner *f)
{
	struct world *world = f->world;
	char prefix[100], path[150];
	struct sim_node *node;

	f->kind = sim_random_below(&world->random, FOREIGN_N);
	f->lock = sim_random_below(&world->random, N_LOCKS);
	make_prefix(world, f, prefix, sizeof(prefix));
	(void)snprintf(path, sizeof(path), "%s/%s", world->locks[f->lock].path,
		       prefix);
	node = sim_server_create(world->server, f->session, path, true);
	if (!node)
		abort();
	(void)snprintf(f->path, sizeof(f->path), "%s", node->path);
	f->state = FOREIGN_QUEUED;
	trace(world, "foreigner %u joins: %s", f->number, f->path);
}

static bool is_first(const struct foreigner *f)
{
	int64_t number = contender_number(f->path);

	zkfs_list_for_each(it, &lock_node(f->world, f->lock)->children) {
		struct sim_node *node =
			zkfs_list_entry(it, struct sim_node, sibling);

		if (sim_node_lives(node) && sees(f->kind, node->name) &&
		    contender_number(node->name) < number)
			return false;
	}
	return true;
}

static void drop(struct foreigner *f, char *path)
{
	struct sim_node *node = sim_server_find(f->world->server, path);

	trace(f->world, "foreigner %u deletes %s", f->number, path);
	if (!node || !sim_server_delete(f->world->server, node))
		abort();
	path[0] = '\0';
}

/* The twin is no sequential znode: its name is made up. */
static void downgrade(struct foreigner *f)
{
	struct world *world = f->world;
	char prefix[100];

	f->kind = FOREIGN_RW_READ;
	make_prefix(world, f, prefix, sizeof(prefix));
	(void)snprintf(f->twin, sizeof(f->twin), "%s/%s%010" PRId64,
		       world->locks[f->lock].path, prefix,
		       contender_number(f->path));
	if (!sim_server_create(world->server, f->session, f->twin, false))
		abort();
	f->state = FOREIGN_DOWNGRADING;
	trace(world, "foreigner %u downgrades: %s", f->number, f->twin);
}

static void end_downgrade(struct foreigner *f)
{
	drop(f, f->path);
	memcpy(f->path, f->twin, sizeof(f->path));
	f->twin[0] = '\0';
	f->state = FOREIGN_HELD;
}

static void hold(struct foreigner *f)
{
	if (f->kind == FOREIGN_RW_WRITE &&
	    sim_random_below(&f->world->random, 2)) {
		downgrade(f);
		return;
	}
	drop(f, f->path);
	f->state = FOREIGN_ABSENT;
}

bool foreigner_step(struct foreigner *f)
{
	struct world *world = f->world;

	switch (f->state) {
	case FOREIGN_ABSENT:
		if (world->draining)
			return false;
		join(f);
		break;
	case FOREIGN_QUEUED:
		if (is_first(f)) {
			f->state = FOREIGN_HELD;
			world->foreign_grants++;
			trace(world, "foreigner %u holds", f->number);
		} else if (sim_random_below(&world->random, 8) == 0) {
			drop(f, f->path);
			f->state = FOREIGN_ABSENT;
		}
		break;
	case FOREIGN_HELD:
		hold(f);
		break;
	case FOREIGN_DOWNGRADING:
		end_downgrade(f);
		break;
	}
	return true;
}

void foreigner_lost(struct world *world, const char *path)
{
	for (unsigned i = 0; i < N_FOREIGNERS; i++) {
		struct foreigner *f = &world->foreigners[i];

		if (!strcmp(f->path, path) && f->state != FOREIGN_DOWNGRADING) {
			f->path[0] = '\0';
			f->state = FOREIGN_ABSENT;
		} else if (!strcmp(f->path, path)) {
			memcpy(f->path, f->twin, sizeof(f->path));
			f->twin[0] = '\0';
			f->state = FOREIGN_HELD;
		} else if (f->twin[0] && !strcmp(f->twin, path)) {
			f->twin[0] = '\0';
			drop(f, f->path);
			f->state = FOREIGN_ABSENT;
		}
	}
}

bool foreigner_holds(const struct foreigner *f)
{
	return f->state == FOREIGN_HELD || f->state == FOREIGN_DOWNGRADING;
}

void foreigner_init(struct world *world, unsigned number)
{
	struct foreigner *f = &world->foreigners[number];

	f->world = world;
	f->number = number;
	f->session = sim_server_open(world->server);
	f->session->seen = SIM_FOREVER; /* it never asks about the past */
}

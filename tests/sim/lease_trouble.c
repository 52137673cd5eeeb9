/*
 * lease_trouble: what can go wrong goes wrong, at any moment; and how all of it
 * comes to an end. See lease_world.h.
 */
#include "fs/base/util.h"
#include "tests/sim/lease_world.h"

static int64_t timeout_us(const struct world *world)
{
	return world->timeout_ms * 1000;
}

/* In a calm run all hops of a heartbeat take its share of the time together. */
static int64_t calm_us(struct world *world, const struct link *link)
{
	const struct daemon *daemon = &world->daemon;
	int64_t all_us = timeout_us(world) / world->config->answered - 5000;
	bool direct = server_leads(world, daemon->server);
	bool ours = link == &daemon->out || link == &daemon->in;

	if (link == &world->terms[world->term].think)
		return 0;
	return ours && direct ? all_us / 2 : all_us / 4;
}

void link_mood(struct world *world, struct link *link)
{
	static const unsigned parts[] = {5000, 5000, 1000, 1000, 50, 12};
	static const unsigned slow[] = {4, 2, 1};
	unsigned n = ZKFS_ARRAY_SIZE(parts);

	if (world->config->calm)
		link->slow_us = calm_us(world, link);
	else if (world->draining || chance(world, 9000))
		link->slow_us = timeout_us(world) / parts[up_to(world, n - 1)];
	else
		link->slow_us = timeout_us(world) / slow[up_to(world, 2)];
	if (world->draining)
		link->slow_us = timeout_us(world) / 1000;
}

static unsigned any_server(struct world *world)
{
	return (unsigned)up_to(world, world->n_servers - 1);
}

/* The server that we talk to, more often than not. */
static unsigned victim(struct world *world)
{
	return chance(world, 7000) ? world->daemon.server : any_server(world);
}

static struct link *any_link(struct world *world)
{
	struct server *server = &world->servers[victim(world)];
	struct link *links[] = {&server->up, &server->down, &world->daemon.out,
				&world->daemon.in,
				&world->terms[world->term].think};

	return links[up_to(world, ZKFS_ARRAY_SIZE(links) - 1)];
}

static void darken(struct world *world)
{
	world->dark_us = world->now_us + up_to(world, 2 * timeout_us(world));
	note(world, "no server can be reached", 0, 0);
}

static void join_later(struct world *world, unsigned number)
{
	post(world, (struct event){.kind = JOIN, .server = number},
	     world->now_us + up_to(world, 2 * timeout_us(world)));
}

static void cut_follower(struct world *world)
{
	unsigned number = victim(world);
	struct server *server = &world->servers[number];
	int64_t which = up_to(world, 3);

	if (server_leads(world, number))
		return;
	note(world, "cut from its leader: server, how", number, which);
	if (which != 0)
		link_cut(&server->up);
	if (which == 0 || which == 3)
		link_cut(&server->down);
	join_later(world, number);
	if (chance(world, 6000))
		darken(world);
}

static void cut_client(struct world *world)
{
	int64_t which = up_to(world, 2);

	note(world, "cut from the servers: how", which, 0);
	if (which != 0)
		link_cut(&world->daemon.out);
	if (which != 1)
		link_cut(&world->daemon.in);
	if (chance(world, 6000))
		darken(world);
}

static void crash_server(struct world *world)
{
	unsigned number = victim(world);

	if (server_leads(world, number))
		return;
	note(world, "crashed: server", number, 0);
	server_leave(world, number);
	join_later(world, number);
}

static void slow_down(struct world *world)
{
	struct link *link = any_link(world);

	link_mood(world, link);
	note(world, "a link is as slow as us", link->slow_us, 0);
}

static void quicken(struct world *world)
{
	for (int i = 0; i < 6; i++)
		any_link(world)->slow_us = timeout_us(world) / 2000;
}

static void stop(struct world *world)
{
	daemon_stop(world, up_to(world, 2 * timeout_us(world)));
}

static void suspend(struct world *world)
{
	link_cut(&world->daemon.out);
	link_cut(&world->daemon.in);
	stop(world);
}

static void drift(struct world *world)
{
	ensemble_drift(world, any_server(world));
}

/* They never arrive, nor does what follows them; what went before does. */
void trouble_with_touches(struct world *world, unsigned number)
{
	struct server *server = &world->servers[number];

	if (world->draining || !chance(world, world->config->lost))
		return;
	note(world, "touches are lost: server", number, 0);
	if (chance(world, 2000))
		server_leave(world, number);
	else
		server->up.cut = true;
	join_later(world, number);
	if (chance(world, 8000))
		darken(world);
}

void trouble(struct world *world)
{
	static void (*const troubles[])(struct world *) = {
		cut_follower, cut_follower, cut_client, crash_server, slow_down,
		quicken,      stop,	    suspend,	drift,	      drift,
	};

	if (chance(world, world->config->election))
		ensemble_elect(world);
	else
		troubles[up_to(world, ZKFS_ARRAY_SIZE(troubles) - 1)](world);
}

void trouble_ends(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	note(world, "trouble ends", 0, 0);
	world->draining = true;
	world->dark_us = 0;
	daemon->stopped_us = 0;
	daemon->lazy = false;
	for (unsigned i = 1; i < world->term; i++)
		term_die(world, i);
	for (unsigned i = 0; i < world->n_servers; i++)
		if (!server_leads(world, i))
			server_join(world, i);
	link_mood(world, &daemon->out);
	link_mood(world, &daemon->in);
	link_mood(world, &world->terms[world->term].think);
}

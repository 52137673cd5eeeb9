/*
 * lease_daemon: our client and its loop. A turn is a row of small steps between
 * any two of which the daemon may be stopped: it reads what has come, keeps its
 * connection as the client library does, tells the lease what is needed, sends
 * what is due, looks at what it holds, and sleeps until the lease's deadline.
 */
#include <string.h>

#include "tests/sim/lease_world.h"

/* -- clock -- */

int64_t daemon_ms(const struct world *world)
{
	return (world->now_us + world->daemon.clock_us) / 1000;
}

static int64_t ms_at(const struct world *world, int64_t true_us)
{
	return (true_us + world->daemon.clock_us) / 1000;
}

static int64_t us_when(const struct world *world, int64_t ms)
{
	return ms * 1000 - world->daemon.clock_us;
}

static int64_t tell(struct world *world, int64_t ms)
{
	if (ms > world->daemon.told_ms)
		world->daemon.told_ms = ms;
	return ms;
}

/* The time for a call. One that lies before what the lease was told already
 * counts as that. */
static int64_t call_ms(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	if (!world->config->calm && !world->draining && chance(world, 500) &&
	    daemon->told_ms == daemon_ms(world))
		return daemon->told_ms - up_to(world, world->timeout_ms / 2);
	return tell(world, daemon_ms(world));
}

/* -- heartbeats in flight -- */

static struct sent_beat *beat_of(struct daemon *daemon, uint64_t id)
{
	for (unsigned i = 0; i < ZKFS_LEASE_BEATS; i++)
		if (daemon->beats[i].id == id)
			return &daemon->beats[i];
	return NULL;
}

static void fail_beat(struct world *world, struct sent_beat *beat)
{
	note(world, "failed heartbeat", (int64_t)beat->id, 0);
	zkfs_lease_failed(&world->daemon.lease, beat->id);
	beat->id = 0;
}

static void fail_all(struct world *world)
{
	for (unsigned i = 0; i < ZKFS_LEASE_BEATS; i++)
		if (world->daemon.beats[i].id != 0)
			fail_beat(world, &world->daemon.beats[i]);
}

static void fail_late(struct world *world)
{
	for (unsigned i = 0; i < ZKFS_LEASE_BEATS; i++) {
		struct sent_beat *beat = &world->daemon.beats[i];

		if (beat->id != 0 &&
		    beat->sent_us + world->daemon.patience_us <= world->now_us)
			fail_beat(world, beat);
	}
}

static void send_beat(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	struct sent_beat *beat = beat_of(daemon, 0);
	uint64_t id;

	if (daemon->connection != IS_CONNECTED)
		violated(world, "a heartbeat is due while not connected");
	if (!beat)
		violated(world, "too many heartbeats are in flight");
	id = zkfs_lease_sent(&daemon->lease, call_ms(world));
	if (id == 0 || beat_of(daemon, id))
		violated(world, "a heartbeat's id is used again");
	*beat = (struct sent_beat){id, world->now_us};
	note(world, "sent heartbeat", (int64_t)id, 0);
	/* It may be stopped before the request goes out. */
	if (!world->config->calm && !world->draining && chance(world, 50)) {
		daemon_stop(world, up_to(world, world->timeout_ms * 1000));
		daemon->out.newest_us = daemon->stopped_us;
	}
	link_send(world, &daemon->out,
		  (struct event){.kind = BEAT,
				 .server = daemon->server,
				 .conn = daemon->conn,
				 .id = id});
}

/* -- the connection -- */

static void disconnect(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	bool connected = daemon->connection == IS_CONNECTED;
	bool first = chance(world, 5000);

	note(world, "disconnected from", daemon->server, 0);
	daemon->connection = NOT_CONNECTED;
	daemon->retry_us =
		world->now_us +
		up_to(world,
		      daemon->wants_ms * (chance(world, 5000) ? 1000 : 10));
	/* What is on its way to the server may come there nevertheless. */
	if (chance(world, 5000))
		link_cut(&daemon->out);
	if (first)
		fail_all(world);
	if (connected)
		zkfs_lease_disconnected(&daemon->lease, call_ms(world));
	fail_all(world);
}

static void mend_links(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	uint64_t life = daemon->out.life;

	link_mend(&daemon->out);
	/* ... so the new connection does not end it. */
	daemon->out.life = life;
	link_mend(&daemon->in);
	link_mood(world, &daemon->out);
	link_mood(world, &daemon->in);
}

static void begin_connection(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	daemon->connection = CONNECTING;
	daemon->conn++;
	daemon->server = (unsigned)up_to(world, world->n_servers - 1);
	if (world->config->followers && server_leads(world, daemon->server))
		daemon->server = (daemon->server + 1) % world->n_servers;
	daemon->begun_us = world->now_us;
	daemon->heard_us = world->now_us;
	mend_links(world);
	note(world, "connecting to, with session", daemon->server,
	     daemon->session);
	link_send(world, &daemon->out,
		  (struct event){.kind = CONNECT,
				 .server = daemon->server,
				 .conn = daemon->conn,
				 .session = daemon->session,
				 .create = daemon->session == 0});
}

/* The client library's pings, which a server answers by itself. */
static bool pinged(const struct world *world)
{
	const struct daemon *daemon = &world->daemon;

	return daemon->connection == IS_CONNECTED && !daemon->out.cut &&
	       !daemon->in.cut &&
	       world->servers[daemon->server].conn == daemon->conn;
}

static void keep_connection(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	if (pinged(world))
		daemon->heard_us = world->now_us;
	if (daemon->connection == NOT_CONNECTED) {
		if (daemon->retry_us <= world->now_us)
			begin_connection(world);
	} else if (daemon->heard_us + daemon->wants_ms * 2000 / 3 <=
		   world->now_us) {
		disconnect(world);
	}
	fail_late(world);
}

static int64_t connection_us(const struct daemon *daemon)
{
	if (daemon->connection == NOT_CONNECTED)
		return daemon->retry_us;
	return daemon->heard_us + daemon->wants_ms * 2000 / 3;
}

static int64_t begun_ms(struct world *world)
{
	int64_t ms = ms_at(world, world->daemon.begun_us);

	if (chance(world, 3000))
		return ZKFS_LEASE_UNKNOWN;
	return !world->config->calm && chance(world, 2000)
		       ? ms - up_to(world, world->timeout_ms)
		       : ms;
}

static void on_connected(struct world *world, const struct event *event)
{
	struct daemon *daemon = &world->daemon;
	struct session *session = &world->sessions[event->session];
	uint64_t epoch = zkfs_lease_epoch(&daemon->lease);

	daemon->connection = IS_CONNECTED;
	if (event->create) {
		daemon->session = event->session;
		daemon->generation++;
	}
	if (event->timeout_ms < session->told_ms)
		session->told_ms = event->timeout_ms;
	daemon->wants_ms = event->timeout_ms;
	note(world, "connected to session, timeout", event->session,
	     event->timeout_ms);
	world->seen[event->create ? SEEN_SESSION : SEEN_RECONNECT]++;
	zkfs_lease_session(&daemon->lease, daemon->generation,
			   event->timeout_ms, begun_ms(world),
			   tell(world, daemon_ms(world)));
	if (event->create && zkfs_lease_epoch(&daemon->lease) == epoch)
		violated(world, "a new session has the epoch of the old one");
	if (!world->alive_by_us)
		world->alive_by_us = world->now_us + event->timeout_ms * 1000;
}

static void on_answer(struct world *world, const struct event *event)
{
	struct daemon *daemon = &world->daemon;
	struct sent_beat *beat = beat_of(daemon, event->id);

	if (!beat)
		return;
	if (!world->config->calm && chance(world, 100)) {
		fail_beat(world, beat);
		return;
	}
	beat->id = 0;
	note(world, "answered heartbeat", (int64_t)event->id, 0);
	zkfs_lease_acked(&daemon->lease, event->id, call_ms(world));
}

static void on_message(struct world *world, const struct event *event)
{
	struct daemon *daemon = &world->daemon;

	if (event->conn != daemon->conn || daemon->connection == NOT_CONNECTED)
		return;
	daemon->heard_us = world->now_us;
	switch (event->kind) {
	case CONNECTED:
		on_connected(world, event);
		break;
	case EXPIRED:
		note(world, "told that session is over", daemon->session, 0);
		daemon->session = 0;
		disconnect(world);
		break;
	case CLOSED:
		disconnect(world);
		break;
	default:
		on_answer(world, event);
		break;
	}
}

/* -- who holds a lock -- */

static void join_or_leave(struct world *world)
{
	struct holder *holder = &world->daemon.holder;
	enum need need = world->draining ? ALWAYS : world->config->need;

	if (holder->joined ? need == ALWAYS || !chance(world, 100)
			   : need == NOT || chance(world, 5000))
		return;
	*holder = (struct holder){
		.joined = !holder->joined,
		.epoch = zkfs_lease_epoch(&world->daemon.lease)};
}

static void tell_loser(struct world *world, bool moved)
{
	struct daemon *daemon = &world->daemon;
	struct holder *holder = &daemon->holder;
	uint64_t epoch = zkfs_lease_epoch(&daemon->lease);

	if (moved != (epoch != daemon->told_epoch))
		violated(world, "a tick does not tell what it has seen");
	daemon->told_epoch = epoch;
	if (!moved)
		return;
	note(world, "epoch", (int64_t)epoch, 0);
	if (holder->granted)
		world->seen[SEEN_LOSS]++;
	*holder = (struct holder){0};
}

static void look(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	struct holder *holder = &daemon->holder;

	tell_loser(world, zkfs_lease_tick(&daemon->lease, call_ms(world)));
	if (!holder->joined || holder->granted ||
	    !zkfs_lease_alive(&daemon->lease, tell(world, daemon_ms(world))))
		return;
	if (holder->epoch != zkfs_lease_epoch(&daemon->lease))
		return;
	holder->granted = true;
	note(world, "granted in epoch", (int64_t)holder->epoch, 0);
	world->seen[SEEN_GRANT]++;
}

/* -- the loop -- */

static void wake_at(struct world *world, int64_t at_us)
{
	post(world, (struct event){.kind = WAKE, .id = ++world->daemon.wake},
	     at_us);
}

void daemon_stop(struct world *world, int64_t us)
{
	note(world, "stopped for us", us, 0);
	world->daemon.stopped_us = world->now_us + us;
}

/* poll(2) ends a little late. */
static int64_t lateness_us(struct world *world)
{
	return up_to(world, 500);
}

static void sleep_on(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	int64_t deadline_ms = zkfs_lease_deadline(&daemon->lease);
	int64_t until_us = connection_us(daemon);

	check_deadline(world);
	if (daemon->inbox_len > 0 &&
	    (!daemon->lazy || deadline_ms == INT64_MAX)) {
		daemon->phase = READING;
		wake_at(world, world->now_us + up_to(world, 100));
		return;
	}
	daemon->phase = SLEEPING;
	if (deadline_ms != INT64_MAX && us_when(world, deadline_ms) < until_us)
		until_us = us_when(world, deadline_ms);
	for (unsigned i = 0; i < ZKFS_LEASE_BEATS; i++) {
		const struct sent_beat *beat = &daemon->beats[i];
		int64_t end_us = beat->sent_us + daemon->patience_us;

		if (beat->id != 0 && end_us < until_us)
			until_us = end_us;
	}
	if (until_us < world->now_us)
		until_us = world->now_us;
	wake_at(world, until_us + lateness_us(world));
}

static bool read_one(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	struct event event;

	if (daemon->inbox_len == 0)
		return false;
	event = daemon->inbox[daemon->inbox_first];
	daemon->inbox_first = (daemon->inbox_first + 1) % MAX_INBOX;
	daemon->inbox_len--;
	on_message(world, &event);
	return true;
}

static bool beat_if_due(struct world *world)
{
	if (!zkfs_lease_due(&world->daemon.lease, daemon_ms(world)))
		return false;
	send_beat(world);
	return true;
}

static void turn(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	switch (daemon->phase) {
	case SLEEPING:
	case READING:
		daemon->phase = read_one(world) ? READING : KEEPING;
		break;
	case KEEPING:
		keep_connection(world);
		daemon->phase = NEEDING;
		break;
	case NEEDING:
		join_or_leave(world);
		zkfs_lease_need(&daemon->lease, daemon->holder.joined,
				call_ms(world));
		daemon->phase = BEATING;
		break;
	case BEATING:
		if (!beat_if_due(world))
			daemon->phase = LOOKING;
		break;
	case LOOKING:
		look(world);
		sleep_on(world);
		return;
	}
	check_deadline(world);
	wake_at(world, world->now_us + up_to(world, 20));
}

static void arrive(struct world *world, const struct event *event)
{
	struct daemon *daemon = &world->daemon;

	if (daemon->inbox_len == MAX_INBOX) {
		world->seen[SEEN_FULL]++;
		return;
	}
	daemon->inbox[(daemon->inbox_first + daemon->inbox_len++) % MAX_INBOX] =
		*event;
	if (daemon->phase == SLEEPING &&
	    (!daemon->lazy || zkfs_lease_deadline(&daemon->lease) == INT64_MAX))
		wake_at(world, world->now_us + up_to(world, 100));
}

void daemon_event(struct world *world, const struct event *event)
{
	struct daemon *daemon = &world->daemon;

	if (event->kind != WAKE)
		arrive(world, event);
	else if (event->id != daemon->wake)
		return;
	else if (daemon->stopped_us > world->now_us)
		wake_at(world, daemon->stopped_us);
	else
		turn(world);
}

void daemon_init(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	daemon->clock_us = up_to(world, 10000000000);
	daemon->told_ms = INT64_MIN;
	daemon->wants_ms = world->timeout_ms;
	daemon->patience_us =
		world->timeout_ms * 1000 * (chance(world, 8000) ? 1 : 4);
	daemon->lazy = !world->config->calm && chance(world, 2000);
	zkfs_lease_init(&daemon->lease);
	wake_at(world, world->now_us);
}

/*
 * lease_ensemble: the servers, as far as the life of a session depends on them.
 * Written after ZooKeeper's sources, which are named where they are followed.
 *
 * A term is what a leader leads, from its election to its death. The sessions
 * are given up by the term that the quorum follows; one that lives on without
 * it answers a `sync` and revalidates a session like any other, but nobody
 * heeds what it expires, and it can create nothing.
 */
#include "tests/sim/lease_world.h"

static struct term *term_of(struct world *world, const struct server *server)
{
	return &world->terms[server->term];
}

bool server_leads(const struct world *world, unsigned number)
{
	const struct server *server = &world->servers[number];

	return server->term != 0 && world->terms[server->term].alive &&
	       world->terms[server->term].leader == number;
}

static int64_t leader_us(struct world *world, const struct term *term)
{
	return clock_us(&world->servers[term->leader].clock, world->now_us);
}

/* -- sessions at the leader: SessionTrackerImpl, ExpiryQueue -- */

static void post_expiry(struct world *world, unsigned number, unsigned session)
{
	const struct term *term = &world->terms[number];
	int64_t expiry_ms = term->sessions[session].expiry_ms;

	post(world,
	     (struct event){.kind = EXPIRY,
			    .term = number,
			    .session = session,
			    .timeout_ms = expiry_ms},
	     clock_when(&world->servers[term->leader].clock, expiry_ms * 1000));
}

/* SessionTrackerImpl.touchSession: not once it is closing. */
static bool touch(struct world *world, unsigned number, unsigned session,
		  int64_t timeout_ms)
{
	struct term *term = &world->terms[number];
	struct tracked *tracked = &term->sessions[session];
	int64_t expiry_ms;

	if (!term->alive || !tracked->known || tracked->closing)
		return false;
	/* ExpiryQueue.update, roundToNextInterval */
	expiry_ms = leader_us(world, term) / 1000 + timeout_ms;
	tracked->expiry_ms = (expiry_ms / term->tick_ms + 1) * term->tick_ms;
	tracked->timeout_ms = timeout_ms;
	post_expiry(world, number, session);
	return true;
}

/* A connection ends; whether the daemon is told. */
static void drop_conn(struct world *world, unsigned number, bool told)
{
	struct server *server = &world->servers[number];

	if (server->conn && told)
		link_send(world, &world->daemon.in,
			  (struct event){.kind = CLOSED, .conn = server->conn});
	server->conn = 0;
	server->session = 0;
}

static void close_session(struct world *world, unsigned number,
			  unsigned session)
{
	struct server *server = &world->servers[number];

	server->touches[session] = 0;
	if (server->session == session)
		drop_conn(world, number, true);
}

static void give_up(struct world *world, const struct term *term,
		    unsigned number)
{
	struct session *session = &world->sessions[number];

	note(world, "GIVEN UP session", number, 0);
	session->given_up = true;
	session->excused = term->sessions[number].timeout_ms < session->told_ms;
	world->seen[session->excused ? SEEN_EXCUSED : SEEN_GIVEN_UP]++;
	for (unsigned i = 0; i < world->n_servers; i++) {
		struct server *server = &world->servers[i];

		if (i == term->leader)
			close_session(world, i, number);
		else if (term_of(world, server) == term)
			link_send(world, &server->down,
				  (struct event){.kind = SESSION_CLOSED,
						 .server = i,
						 .session = number});
	}
}

static void on_expiry(struct world *world, const struct event *event)
{
	struct term *term = &world->terms[event->term];
	struct tracked *tracked = &term->sessions[event->session];

	if (!term->alive || tracked->closing ||
	    tracked->expiry_ms != event->timeout_ms)
		return;
	/* The clock has slowed down meanwhile. */
	if (leader_us(world, term) / 1000 < tracked->expiry_ms) {
		post_expiry(world, event->term, event->session);
		return;
	}
	tracked->closing = true;
	if (event->term == world->term)
		give_up(world, term, event->session);
}

/* 0: it cannot be created. */
static unsigned create_session(struct world *world, unsigned number,
			       int64_t timeout_ms)
{
	unsigned session = world->last_session + 1;

	if (number != world->term || session >= N_SESSIONS)
		return 0;
	world->last_session = session;
	world->sessions[session] = (struct session){
		.created_ms = timeout_ms,
		.told_ms = timeout_ms,
	};
	world->terms[number].sessions[session].known = true;
	(void)touch(world, number, session, timeout_ms);
	note(world, "created session", session, timeout_ms);
	return session;
}

/* -- pings: Leader.lead, LearnerHandler.ping, Learner.ping -- */

static void post_ping(struct world *world, unsigned number)
{
	const struct term *term = &world->terms[number];
	const struct clock *clock = &world->servers[term->leader].clock;
	int64_t half_us = term->tick_ms * 1000 / 2;
	int64_t next_us = half_us * 1000000 / clock->rate;
	/* What lease.h allows for, the clocks' resolution left out. */
	int64_t late_us = term->tick_ms * 1000 * 9 / 16 - next_us - 2000;

	if (chance(world, 5000))
		late_us = up_to(world, late_us);
	if (late_us > 0)
		next_us += late_us;
	post(world, (struct event){.kind = PING_TIME, .term = number},
	     world->now_us + next_us);
}

static void on_ping_time(struct world *world, unsigned number)
{
	if (!world->terms[number].alive)
		return;
	for (unsigned i = 0; i < world->n_servers; i++)
		if (world->servers[i].term == number &&
		    world->terms[number].leader != i)
			link_send(world, &world->servers[i].down,
				  (struct event){.kind = PING, .server = i});
	post_ping(world, number);
}

/* A follower answers with its touches, and forgets them. */
static void on_ping(struct world *world, unsigned number)
{
	struct server *server = &world->servers[number];
	struct event event = {
		.kind = TOUCHES, .server = number, .term = server->term};

	for (unsigned i = 0; i < N_SESSIONS; i++) {
		event.touches[i] = server->touches[i];
		server->touches[i] = 0;
	}
	trouble_with_touches(world, number);
	link_send(world, &server->up, event);
}

static void on_touches(struct world *world, const struct event *event)
{
	for (unsigned i = 0; i < N_SESSIONS; i++)
		if (event->touches[i] != 0)
			(void)touch(world, event->term, i, event->touches[i]);
}

/* -- connections: ZooKeeperServer.processConnectRequest, Learner -- */

static void finish_connect(struct world *world, unsigned number,
			   const struct event *answer)
{
	struct server *server = &world->servers[number];

	if (server->conn != answer->conn)
		return;
	server->session = answer->session;
	server->timeout_ms = answer->timeout_ms;
	link_send(world, &world->daemon.in,
		  (struct event){.kind = answer->session ? CONNECTED : EXPIRED,
				 .conn = answer->conn,
				 .session = answer->session,
				 .timeout_ms = answer->timeout_ms,
				 .create = answer->create});
	if (answer->session == 0)
		server->conn = 0;
}

/* In the leader; the answer is THOUGHT, so that it keeps the order. */
static void validate(struct world *world, unsigned number,
		     const struct event *event)
{
	struct event answer = *event;

	answer.kind = THOUGHT;
	answer.term = number;
	if (event->create)
		answer.session =
			create_session(world, number, event->timeout_ms);
	else if (!touch(world, number, event->session, event->timeout_ms))
		answer.session = 0;
	if (event->create && answer.session == 0)
		return;
	link_send(world, &world->terms[number].think, answer);
}

static void on_connect(struct world *world, const struct event *event)
{
	struct server *server = &world->servers[event->server];
	struct event ask = *event;

	if (server->term == 0 || world->now_us < world->dark_us)
		return;
	server->conn = event->conn;
	server->session = 0;
	ask.kind = VALIDATE;
	ask.term = server->term;
	ask.timeout_ms = server->offer_ms;
	if (server_leads(world, event->server))
		validate(world, server->term, &ask);
	else
		link_send(world, &server->up, ask);
}

/* -- heartbeats -- */

static void on_beat(struct world *world, const struct event *event)
{
	struct server *server = &world->servers[event->server];
	struct event ask = *event;

	if (server->conn != event->conn || server->session == 0)
		return;
	ask.kind = SYNC;
	ask.term = server->term;
	ask.session = server->session;
	if (server_leads(world, event->server)) {
		/* ZooKeeperServer.touch; of a closing session it throws. */
		if (!touch(world, server->term, server->session,
			   server->timeout_ms)) {
			drop_conn(world, event->server, true);
			return;
		}
		ask.kind = THOUGHT;
		link_send(world, &world->terms[server->term].think, ask);
	} else {
		server->touches[server->session] = (int32_t)server->timeout_ms;
		link_send(world, &server->up, ask);
	}
}

static void answer_beat(struct world *world, unsigned number,
			const struct event *event)
{
	if (world->servers[number].conn != event->conn)
		return;
	if (world->servers[number].term != world->term)
		world->seen[SEEN_OLD_ANSWER]++;
	link_send(world, &world->daemon.in,
		  (struct event){.kind = ANSWER,
				 .conn = event->conn,
				 .id = event->id});
}

/* The leader has it: to its own client, or to the follower that asked. */
static void on_thought(struct world *world, const struct event *event)
{
	struct server *server = &world->servers[event->server];
	struct event answer = *event;
	bool beat = event->id != 0;

	if (!world->terms[event->term].alive || server->term != event->term)
		return;
	if (!server_leads(world, event->server)) {
		answer.kind = beat ? SYNCED : VALIDATED;
		link_send(world, &server->down, answer);
	} else if (beat) {
		answer_beat(world, event->server, &answer);
	} else {
		finish_connect(world, event->server, &answer);
	}
}

static void on_sync(struct world *world, const struct event *event)
{
	struct event answer = *event;

	answer.kind = THOUGHT;
	if (world->terms[event->term].alive)
		link_send(world, &world->terms[event->term].think, answer);
}

/* -- who leads, who follows -- */

void server_leave(struct world *world, unsigned number)
{
	struct server *server = &world->servers[number];

	drop_conn(world, number, chance(world, 5000));
	for (unsigned i = 0; i < N_SESSIONS; i++)
		server->touches[i] = 0;
	server->term = 0;
	link_cut(&server->up);
	link_cut(&server->down);
}

static void rise_offer(struct server *server, int64_t tick_ms)
{
	if (server->offer_ms < 2 * tick_ms)
		server->offer_ms = 2 * tick_ms;
}

void server_join(struct world *world, unsigned number)
{
	struct server *server = &world->servers[number];

	if (server->term != 0)
		server_leave(world, number);
	server->term = world->term;
	/* minSessionTimeout of whoever serves in this term. */
	rise_offer(server, world->terms[world->term].tick_ms);
	link_mend(&server->up);
	link_mend(&server->down);
	link_mood(world, &server->up);
	link_mood(world, &server->down);
	note(world, "server joins", number, server->term);
}

/* Whoever was cut off or follows an old leader notices, and joins anew. */
static void on_join(struct world *world, unsigned number)
{
	struct server *server = &world->servers[number];
	bool deaf = server->up.cut || server->down.cut;

	if (server_leads(world, number))
		return;
	if (server->term != world->term || deaf)
		server_join(world, number);
}

static void post_join(struct world *world, unsigned number, int64_t at_us)
{
	post(world, (struct event){.kind = JOIN, .server = number}, at_us);
}

void term_die(struct world *world, unsigned number)
{
	struct term *term = &world->terms[number];

	if (!term->alive)
		return;
	note(world, "term dies", number, 0);
	term->alive = false;
	link_cut(&term->think);
	for (unsigned i = 0; i < world->n_servers; i++) {
		if (world->servers[i].term != number)
			continue;
		server_leave(world, i);
		post_join(world, i,
			  world->now_us +
				  up_to(world, world->timeout_ms * 500));
	}
}

static void begin_term(struct world *world, unsigned leader, int64_t tick_ms)
{
	struct term *term = &world->terms[++world->term];
	struct server *server = &world->servers[leader];

	*term = (struct term){
		.alive = true, .leader = leader, .tick_ms = tick_ms};
	link_mood(world, &term->think);
	note(world, "new term, leader", world->term, leader);
	server->term = world->term;
	rise_offer(server, tick_ms);
	/* SessionTrackerImpl's constructor: with the time-outs of DataTree,
	 * which come from the creations. */
	for (unsigned i = 1; i <= world->last_session; i++) {
		if (world->sessions[i].given_up)
			continue;
		term->sessions[i].known = true;
		(void)touch(world, world->term, i,
			    world->sessions[i].created_ms);
	}
	post_ping(world, world->term);
}

/* The shortest time-out that any session can have. */
static int64_t shortest_ms(const struct world *world)
{
	int64_t ms = world->timeout_ms;

	for (unsigned i = 0; i < world->n_servers; i++)
		if (world->servers[i].offer_ms < ms)
			ms = world->servers[i].offer_ms;
	for (unsigned i = 1; i <= world->last_session; i++)
		if (world->sessions[i].created_ms < ms)
			ms = world->sessions[i].created_ms;
	return ms;
}

/* Up to T/4 on the slowest clock. */
static int64_t old_life_us(struct world *world)
{
	int64_t most_us = shortest_ms(world) * 250 * 1000000 / SLOWEST;

	if (chance(world, 3000))
		return 0;
	return chance(world, 5000) ? most_us : up_to(world, most_us);
}

/* All but a minority of the old leader's followers leave it. */
static void part_followers(struct world *world, unsigned old, bool lives_on)
{
	unsigned stay = lives_on ? (world->n_servers - 1) / 2 : 0;

	for (unsigned i = 0; i < world->n_servers; i++) {
		struct server *server = &world->servers[i];

		if (server->term == world->term || server_leads(world, i))
			continue;
		if (server->term == old && stay > 1 && chance(world, 6000)) {
			stay--;
			continue;
		}
		if (server->term != 0)
			server_leave(world, i);
		post_join(world, i,
			  world->now_us +
				  up_to(world, world->timeout_ms * 200));
	}
}

void ensemble_elect(struct world *world)
{
	unsigned old = world->term;
	unsigned leader = (unsigned)up_to(world, world->n_servers - 1);
	int64_t life_us = old_life_us(world);
	int64_t tick_ms = world->terms[old].tick_ms;

	if (old + 1 >= N_TERMS)
		return;
	for (unsigned i = 1; i < old; i++)
		term_die(world, i);
	if (leader == world->terms[old].leader || life_us == 0) {
		life_us = 0;
		term_die(world, old);
	}
	if (world->servers[leader].term != 0)
		server_leave(world, leader);
	if (world->config->other_timeouts && chance(world, 5000))
		tick_ms += up_to(world, tick_ms / 2);
	begin_term(world, leader, tick_ms);
	part_followers(world, old, life_us > 0);
	if (life_us > 0)
		post(world, (struct event){.kind = TERM_DIES, .term = old},
		     world->now_us + life_us);
	world->seen[SEEN_ELECTION]++;
}

void ensemble_drift(struct world *world, unsigned number)
{
	static const int64_t rates[] = {SLOWEST, FASTEST};
	int64_t rate = SLOWEST + up_to(world, FASTEST - SLOWEST);

	if (chance(world, 7000))
		rate = rates[up_to(world, 1)];
	clock_drift(&world->servers[number].clock, world->now_us, rate);
	if (!server_leads(world, number))
		return;
	for (unsigned i = 1; i <= world->last_session; i++)
		if (world->terms[world->servers[number].term].sessions[i].known)
			post_expiry(world, world->servers[number].term, i);
}

void ensemble_init(struct world *world)
{
	static const int64_t ticks[] = {2, 2, 2, 3, 4, 10, 20};
	static const unsigned sizes[] = {1, 3, 3, 5};
	int64_t tick_ms;

	world->timeout_ms =
		1000 + up_to(world, chance(world, 5000) ? 1000 : 40000);
	tick_ms = world->timeout_ms / ticks[up_to(world, 6)];
	world->n_servers = sizes[up_to(world, 3)];
	if (world->config->followers) {
		world->n_servers = 3;
		tick_ms = world->timeout_ms / 2;
	}
	for (unsigned i = 0; i < world->n_servers; i++) {
		struct server *server = &world->servers[i];

		server->clock.local_us = up_to(world, 1000000000);
		server->clock.rate = 1000000;
		ensemble_drift(world, i);
		server->offer_ms = world->timeout_ms;
		if (world->config->other_timeouts && chance(world, 3000))
			server->offer_ms = world->timeout_ms / 2 +
					   up_to(world, world->timeout_ms);
		rise_offer(server, tick_ms);
		link_cut(&server->up);
		link_cut(&server->down);
	}
	begin_term(world, 0, tick_ms);
	for (unsigned i = 1; i < world->n_servers; i++)
		server_join(world, i);
}

void ensemble_event(struct world *world, const struct event *event)
{
	switch (event->kind) {
	case CONNECT:
		on_connect(world, event);
		break;
	case BEAT:
		on_beat(world, event);
		break;
	case VALIDATE:
		validate(world, event->term, event);
		break;
	case SYNC:
		on_sync(world, event);
		break;
	case TOUCHES:
		on_touches(world, event);
		break;
	case VALIDATED:
		finish_connect(world, event->server, event);
		break;
	case SYNCED:
		answer_beat(world, event->server, event);
		break;
	case PING:
		on_ping(world, event->server);
		break;
	case SESSION_CLOSED:
		close_session(world, event->server, event->session);
		break;
	case THOUGHT:
		on_thought(world, event);
		break;
	case PING_TIME:
		on_ping_time(world, event->term);
		break;
	case EXPIRY:
		on_expiry(world, event);
		break;
	case TERM_DIES:
		term_die(world, event->term);
		break;
	case JOIN:
		on_join(world, event->server);
		break;
	default:
		break;
	}
}

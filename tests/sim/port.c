/*
 * port: see the header. The client's knowledge (connected, generation) and the
 * truth (linked, the session's being alive) are kept apart on purpose.
 */
#include "tests/sim/port.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "tests/sim/memory.h"

/* Where a flight is, and so who frees it. */
enum place {
	ON_WIRE, /* the wire's list */
	INBOUND, /* its message */
	ADRIFT,	 /* lost; its request, which still waits for it */
};

/* A request that has left the client: a copy, as the client may forget it. */
struct flight {
	struct zkfs_link link; /* in the wire */
	enum place place;
	struct zkfs_zk_req *req; /* NULL: forgotten */
	struct sim_call call;
	struct sim_answer answer;
};

/* What reaches the client next: an answer, or a notification. */
struct message {
	struct zkfs_link link;
	struct flight *flight;
	struct sim_event *event;
};

struct live_watch {
	struct zkfs_link link;
	struct zkfs_zk_watch *watch;
	char *path;
	bool child;
};

struct zkfs_zk {
	struct sim_server *server;
	struct sim_random *random;
	struct sim_session *session;

	bool linked;
	bool connected;
	uint64_t generation;

	struct zkfs_link waiting; /* zkfs_zk_req: not sent */
	struct zkfs_link sent;	  /* zkfs_zk_req: in flight, in order */
	struct zkfs_link wire;	  /* flight: not executed */
	struct zkfs_link inbound; /* message */
	struct zkfs_link watches; /* live_watch */
	struct zkfs_link listeners;
	struct zkfs_link *next_listener;
};

static bool is_change(enum zkfs_zk_kind kind)
{
	return kind == ZKFS_ZK_SET || kind == ZKFS_ZK_DELETE ||
	       kind == ZKFS_ZK_MULTI;
}

/* -- copies -- */

static void copy_op(struct zkfs_zk_op *to, const struct zkfs_zk_op *from)
{
	*to = *from;
	to->path = sim_strdup(from->path);
	to->data = sim_memdup(from->data, from->len);
	to->acl = from->acl ? sim_memdup(from->acl, from->acl_len) : NULL;
}

static struct flight *flight_new(struct zkfs_zk_req *req)
{
	struct flight *flight = sim_zalloc(sizeof(*flight));
	struct zkfs_zk_op one = {
		.kind = req->kind == ZKFS_ZK_SET ? ZKFS_ZK_OP_SET
						 : ZKFS_ZK_OP_DELETE,
		.path = req->path,
		.data = req->data,
		.len = req->len,
		.version = req->version,
	};
	const struct zkfs_zk_op *ops = &one;

	flight->req = req;
	flight->call.kind = req->kind;
	flight->call.path = sim_strdup(req->path ? req->path : "");
	flight->call.watch = req->watch != NULL;
	if (!is_change(req->kind))
		return flight;

	flight->call.n_ops = req->kind == ZKFS_ZK_MULTI ? req->n_ops : 1;
	if (req->kind == ZKFS_ZK_MULTI)
		ops = req->ops;
	flight->call.ops = sim_zalloc(flight->call.n_ops * sizeof(*ops));
	for (size_t i = 0; i < flight->call.n_ops; i++)
		copy_op(&flight->call.ops[i], &ops[i]);
	return flight;
}

static void flight_free(struct flight *flight)
{
	assert(!flight->req);
	zkfs_list_remove(&flight->link);
	for (size_t i = 0; i < flight->call.n_ops; i++) {
		free((void *)flight->call.ops[i].path);
		free((void *)flight->call.ops[i].data);
		free((void *)flight->call.ops[i].acl);
	}
	free(flight->call.ops);
	free(flight->call.path);
	sim_answer_fini(&flight->answer);
	free(flight);
}

static void flight_lost(struct flight *flight)
{
	zkfs_list_remove(&flight->link);
	flight->place = ADRIFT;
	if (!flight->req)
		flight_free(flight);
}

static void event_free(struct sim_event *event)
{
	zkfs_list_remove(&event->link);
	free(event->path);
	free(event);
}

static void message_free(struct message *message)
{
	zkfs_list_remove(&message->link);
	if (message->flight)
		flight_free(message->flight);
	if (message->event)
		event_free(message->event);
	free(message);
}

static void push_message(struct zkfs_zk *zk, struct flight *flight,
			 struct sim_event *event)
{
	struct message *message = sim_zalloc(sizeof(*message));

	message->flight = flight;
	message->event = event;
	if (flight)
		flight->place = INBOUND;
	zkfs_list_append(&zk->inbound, &message->link);
}

/* Notifications that the replica has caused stand before what comes next. */
static void collect_events(struct zkfs_zk *zk)
{
	zkfs_list_for_each_safe(it, &zk->session->events) {
		zkfs_list_remove(it);
		push_message(zk, NULL,
			     zkfs_list_entry(it, struct sim_event, link));
	}
}

/* -- watches of the client -- */

static void watch_drop(struct live_watch *live)
{
	live->watch->live = false;
	live->watch->slot = NULL;
	zkfs_list_remove(&live->link);
	free(live->path);
	free(live);
}

static void watch_add(struct zkfs_zk *zk, struct zkfs_zk_watch *watch,
		      const char *path, bool child)
{
	struct live_watch *live = sim_zalloc(sizeof(*live));

	assert(!watch->live);
	live->watch = watch;
	live->path = sim_strdup(path);
	live->child = child;
	watch->live = true;
	watch->slot = live;
	zkfs_list_append(&zk->watches, &live->link);
}

static struct live_watch *find_watch(struct zkfs_zk *zk, const char *path,
				     bool child)
{
	zkfs_list_for_each(it, &zk->watches) {
		struct live_watch *live =
			zkfs_list_entry(it, struct live_watch, link);

		if (!path ||
		    (live->child == child && !strcmp(live->path, path)))
			return live;
	}
	return NULL;
}

/* All of the path (NULL: all there are). A callback may take others back, so
 * that the list is looked through anew each time; those it adds cannot match,
 * as that needs a reply. */
static void fire_all(struct zkfs_zk *zk, const char *path, bool child,
		     enum zkfs_zk_event event)
{
	struct live_watch *live;

	while ((live = find_watch(zk, path, child))) {
		struct zkfs_zk_watch *watch = live->watch;

		watch_drop(live);
		watch->fired(watch, event);
	}
}

void zkfs_zk_unwatch(struct zkfs_zk *zk, struct zkfs_zk_watch *watch)
{
	if (watch->live)
		watch_drop(watch->slot);
}

/* -- requests -- */

static void send_one(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	struct flight *flight = flight_new(req);

	req->call = flight;
	zkfs_list_append(&zk->sent, &req->link);
	if (zk->linked)
		zkfs_list_append(&zk->wire, &flight->link);
	else
		flight_lost(flight);
}

void zkfs_zk_submit(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	assert(!req->active && !req->connection); /* none that comes here is */
	req->active = true;
	req->call = NULL;
	req->link = (struct zkfs_link){0};
	/* An old generation is told apart in deliver: never from in here. */
	if (zk->connected && zkfs_list_empty(&zk->waiting) &&
	    (!req->generation || req->generation == zk->generation))
		send_one(zk, req);
	else
		zkfs_list_append(&zk->waiting, &req->link);
}

/* Takes the request away from the port; its flight goes on without it. */
static void detach(struct zkfs_zk_req *req)
{
	struct flight *flight = req->call;

	zkfs_list_remove(&req->link);
	req->active = false;
	req->call = NULL;
	if (!flight)
		return;
	flight->req = NULL;
	if (flight->place == ADRIFT)
		flight_free(flight);
}

void zkfs_zk_cancel(struct zkfs_zk *zk, struct zkfs_zk_req *req)
{
	if (req->active)
		detach(req);
}

static void finish(struct zkfs_zk *zk, struct zkfs_zk_req *req,
		   enum zkfs_error error)
{
	struct zkfs_zk_reply reply = {.error = error,
				      .generation = zk->generation};

	detach(req);
	req->done(req, &reply);
}

static void flush_waiting(struct zkfs_zk *zk)
{
	while (zk->connected && !zkfs_list_empty(&zk->waiting)) {
		struct zkfs_zk_req *req =
			zkfs_list_entry(zkfs_list_first(&zk->waiting),
					struct zkfs_zk_req, link);

		if (req->generation && req->generation != zk->generation) {
			finish(zk, req, ZKFS_E_EXPIRED);
			continue;
		}
		zkfs_list_remove(&req->link);
		send_one(zk, req);
	}
}

/* -- the network -- */

bool sim_port_execute(struct zkfs_zk *zk)
{
	struct flight *flight;

	if (zkfs_list_empty(&zk->wire) || !zk->session->alive)
		return false;
	flight = zkfs_list_entry(zkfs_list_first(&zk->wire), struct flight,
				 link);
	zkfs_list_remove(&flight->link);
	flight->call.watch = flight->call.watch && zk->linked;
	sim_server_execute(zk->server, zk->session, &flight->call,
			   &flight->answer);
	if (zk->linked) {
		collect_events(zk);
		push_message(zk, flight, NULL);
	} else {
		flight_lost(flight); /* nobody will be told */
	}
	return true;
}

static void deliver_answer(struct zkfs_zk *zk, struct flight *flight)
{
	struct zkfs_zk_req *req = flight->req;
	struct sim_answer *answer = &flight->answer;
	struct zkfs_zk_reply reply = {
		.error = answer->error,
		.stat = answer->has_stat ? &answer->stat : NULL,
		.data = answer->data,
		.len = answer->len,
		.names = (const char *const *)answer->names,
		.n_names = answer->n_names,
		.failed = answer->failed,
		.generation = zk->generation,
	};

	if (answer->zxid > zk->session->seen)
		zk->session->seen = answer->zxid;
	if (!req)
		return;

	if (req->watch && (!answer->error || (answer->error == ZKFS_E_NONODE &&
					      req->kind == ZKFS_ZK_EXISTS)))
		watch_add(zk, req->watch, req->path,
			  req->kind == ZKFS_ZK_CHILDREN);
	for (size_t i = 0; req->kind == ZKFS_ZK_MULTI && i < req->n_ops; i++) {
		const struct zkfs_zk_op *op = &flight->call.ops[i];

		req->ops[i].error = op->error;
		req->ops[i].stat = op->stat;
		memcpy(req->ops[i].name, op->name, sizeof(op->name));
	}
	reply.watched = req->watch && req->watch->live;
	detach(req);
	req->done(req, &reply);
}

bool sim_port_deliver(struct zkfs_zk *zk)
{
	struct message *message;

	/* A request of an old session that was submitted just now. */
	if (zk->connected && !zkfs_list_empty(&zk->waiting)) {
		flush_waiting(zk);
		return true;
	}
	if (zkfs_list_empty(&zk->inbound))
		return false;

	message = zkfs_list_entry(zkfs_list_first(&zk->inbound), struct message,
				  link);
	zkfs_list_remove(&message->link);
	if (message->event)
		fire_all(zk, message->event->path, message->event->child,
			 message->event->event);
	else
		deliver_answer(zk, message->flight);
	message_free(message);
	return true;
}

bool sim_port_advance(struct zkfs_zk *zk)
{
	if (!zk->linked || !sim_server_advance(zk->server, zk->session))
		return false;
	collect_events(zk);
	return true;
}

bool sim_port_time_out(struct zkfs_zk *zk)
{
	struct zkfs_link *lists[] = {&zk->sent, &zk->waiting};

	for (size_t i = 0; i < 2; i++)
		zkfs_list_for_each(it, lists[i]) {
			struct zkfs_zk_req *req =
				zkfs_list_entry(it, struct zkfs_zk_req, link);

			if (req->deadline_ms > zk->server->now_ms)
				continue;
			finish(zk, req,
			       i == 0 && is_change(req->kind)
				       ? ZKFS_E_LOST
				       : ZKFS_E_TIMEDOUT);
			return true;
		}
	return false;
}

/* Keeps the first of a list, some number of them. */
static size_t keep_some(struct zkfs_zk *zk, struct zkfs_link *list)
{
	uint32_t n = 0;

	zkfs_list_for_each(it, list)
		n++;
	return sim_random_below(zk->random, n + 1);
}

static void cut_wire(struct zkfs_zk *zk, size_t keep)
{
	zkfs_list_for_each_safe(it, &zk->wire) {
		struct flight *flight =
			zkfs_list_entry(it, struct flight, link);

		if (keep > 0)
			keep--;
		else
			flight_lost(flight);
	}
}

static void cut_inbound(struct zkfs_zk *zk, size_t keep)
{
	zkfs_list_for_each_safe(it, &zk->inbound) {
		struct message *message =
			zkfs_list_entry(it, struct message, link);

		if (keep > 0) {
			keep--;
			continue;
		}
		if (message->flight)
			flight_lost(zkfs_steal(&message->flight));
		message_free(message);
	}
}

bool sim_port_cut(struct zkfs_zk *zk)
{
	if (!zk->linked)
		return false;
	zk->linked = false;
	sim_server_unlink(zk->session);
	cut_wire(zk, keep_some(zk, &zk->wire));
	cut_inbound(zk, keep_some(zk, &zk->inbound));
	return true;
}

static void tell_listeners(struct zkfs_zk *zk)
{
	zk->next_listener = zk->listeners.next;
	while (zk->next_listener && zk->next_listener != &zk->listeners) {
		struct zkfs_zk_listener *listener = zkfs_list_entry(
			zk->next_listener, struct zkfs_zk_listener, link);

		zk->next_listener = zk->next_listener->next;
		listener->changed(listener);
	}
	zk->next_listener = NULL;
}

/* Reads go back to those that wait, before them; changes are lost. */
static void recall_sent(struct zkfs_zk *zk)
{
	struct zkfs_link reads;
	struct zkfs_link *it;

	zkfs_list_init(&reads);
	while ((it = zkfs_list_first(&zk->sent))) {
		struct zkfs_zk_req *req =
			zkfs_list_entry(it, struct zkfs_zk_req, link);

		if (is_change(req->kind)) {
			finish(zk, req, ZKFS_E_LOST);
			continue;
		}
		detach(req);
		req->active = true;
		zkfs_list_append(&reads, &req->link);
	}
	while (!zkfs_list_empty(&reads)) {
		it = reads.prev;
		zkfs_list_remove(it);
		zkfs_list_prepend(&zk->waiting, it);
	}
}

/* Whether the listener or the watches or the requests hear of it first is not
 * promised. */
bool sim_port_notice(struct zkfs_zk *zk)
{
	bool first = sim_random_below(zk->random, 2);

	if (zk->linked || !zk->connected)
		return false;
	zk->connected = false;
	cut_inbound(zk, 0);
	if (first)
		tell_listeners(zk);
	fire_all(zk, NULL, false, ZKFS_ZK_UNWATCHED);
	recall_sent(zk);
	if (!first)
		tell_listeners(zk);
	return true;
}

bool sim_port_connect(struct zkfs_zk *zk)
{
	bool first = sim_random_below(zk->random, 2);
	int64_t seen;

	if (zk->connected)
		return false;

	/* The server has closed the old connection by now. */
	cut_wire(zk, 0);
	if (!zk->session || !zk->session->alive) {
		zk->session = sim_server_open(zk->server);
		zk->generation++;
	}
	seen = zk->session->seen;
	sim_server_relink(
		zk->session,
		seen + sim_random_below(zk->random,
					(uint32_t)(zk->server->zxid - seen) +
						1));
	zk->linked = true;
	zk->connected = true;
	if (first)
		tell_listeners(zk);
	flush_waiting(zk);
	if (!first)
		tell_listeners(zk);
	return true;
}

bool sim_port_expire(struct zkfs_zk *zk)
{
	if (zk->linked || !zk->session || !zk->session->alive)
		return false;
	cut_wire(zk, 0);
	sim_server_expire(zk->server, zk->session);
	return true;
}

/* -- the rest of the port -- */

bool zkfs_zk_connected(const struct zkfs_zk *zk)
{
	return zk->connected;
}

uint64_t zkfs_zk_generation(const struct zkfs_zk *zk)
{
	return zk->generation;
}

int64_t zkfs_zk_session_id(const struct zkfs_zk *zk)
{
	return zk->session ? zk->session->id : 0;
}

int64_t zkfs_zk_timeout_ms(const struct zkfs_zk *zk)
{
	return SIM_PORT_TIMEOUT_MS;
}

int64_t zkfs_zk_begun_ms(const struct zkfs_zk *zk)
{
	return ZKFS_NEVER;
}

size_t zkfs_zk_data_max(const struct zkfs_zk *zk, const char *path)
{
	return 1000000;
}

void zkfs_zk_listen(struct zkfs_zk *zk, struct zkfs_zk_listener *listener)
{
	zkfs_list_append(&zk->listeners, &listener->link);
}

void zkfs_zk_unlisten(struct zkfs_zk *zk, struct zkfs_zk_listener *listener)
{
	if (zk->next_listener == &listener->link)
		zk->next_listener = listener->link.next;
	zkfs_list_remove(&listener->link);
}

struct sim_session *sim_port_session(const struct zkfs_zk *zk)
{
	return zk->session;
}

bool sim_port_linked(const struct zkfs_zk *zk)
{
	return zk->linked;
}

struct zkfs_zk *sim_port_new(struct sim_server *server,
			     struct sim_random *random)
{
	struct zkfs_zk *zk = sim_zalloc(sizeof(*zk));

	zk->server = server;
	zk->random = random;
	zkfs_list_init(&zk->waiting);
	zkfs_list_init(&zk->sent);
	zkfs_list_init(&zk->wire);
	zkfs_list_init(&zk->inbound);
	zkfs_list_init(&zk->watches);
	zkfs_list_init(&zk->listeners);
	return zk;
}

struct zkfs_zk *sim_port_free(struct zkfs_zk *zk)
{
	/* The users have taken back their requests and watches. */
	assert(zkfs_list_empty(&zk->waiting) && zkfs_list_empty(&zk->sent) &&
	       zkfs_list_empty(&zk->watches));
	cut_wire(zk, 0);
	cut_inbound(zk, 0);
	free(zk);
	return NULL;
}

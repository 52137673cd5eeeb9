/* client: see client.h. */
#include "tests/bench/client.h"

#include <err.h>
#include <poll.h>
#include <stdint.h>

#include "tests/bench/sample.h"

#define SESSION_MS 10000

static struct client *from(const void *data)
{
	/* The library passes its context as const; it is ours. */
	return (struct client *)(uintptr_t)data;
}

void client_answered(struct client *client, int rc)
{
	client->in_flight--;
	if (rc != ZOK && client->error == ZOK)
		client->error = rc;
}

void client_on_data(int rc, const char *value __attribute__((unused)),
		    int len __attribute__((unused)),
		    const struct Stat *stat __attribute__((unused)),
		    const void *client)
{
	client_answered(from(client), rc);
}

void client_on_stat(int rc, const struct Stat *stat __attribute__((unused)),
		    const void *client)
{
	client_answered(from(client), rc);
}

void client_on_made(int rc, const char *value __attribute__((unused)),
		    const void *client)
{
	client_answered(from(client), rc == ZNODEEXISTS ? ZOK : rc);
}

void client_on_list(int rc,
		    const struct String_vector *names __attribute__((unused)),
		    const void *client)
{
	client_answered(from(client), rc);
}

void client_on_void(int rc, const void *client)
{
	client_answered(from(client), rc);
}

static void ignore_event(zhandle_t *zh __attribute__((unused)),
			 int type __attribute__((unused)),
			 int state __attribute__((unused)),
			 const char *path __attribute__((unused)),
			 void *ctx __attribute__((unused)))
{
}

static int timeout_of(const struct timeval *tv)
{
	return (int)(tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000);
}

void client_turn(struct client *client)
{
	int fd = -1, interest = 0, events = 0, rc;
	struct timeval tv = {0};
	struct pollfd pfd;

	rc = zookeeper_interest(client->zh, &fd, &interest, &tv);
	if (rc != ZOK)
		errx(1, "zookeeper_interest: %s", zerror(rc));
	pfd = (struct pollfd){.fd = fd};
	if (interest & ZOOKEEPER_READ)
		pfd.events |= POLLIN;
	if (interest & ZOOKEEPER_WRITE)
		pfd.events |= POLLOUT;
	if (poll(&pfd, 1, timeout_of(&tv)) < 0)
		err(1, "poll");
	if (pfd.revents & (POLLIN | POLLERR | POLLHUP))
		events |= ZOOKEEPER_READ;
	if (pfd.revents & (POLLOUT | POLLERR | POLLHUP))
		events |= ZOOKEEPER_WRITE;
	do {
		rc = zookeeper_process(client->zh, events);
		events = ZOOKEEPER_READ;
	} while (rc == ZOK);
	if (rc != ZNOTHING)
		errx(1, "zookeeper_process: %s", zerror(rc));
}

void client_wait(struct client *client, size_t in_flight)
{
	while (client->in_flight > in_flight)
		client_turn(client);
	if (client->error != ZOK)
		errx(1, "the server says: %s", zerror(client->error));
}

void client_sent(struct client *client, int rc)
{
	if (rc != ZOK)
		errx(1, "not sent: %s", zerror(rc));
	client->in_flight++;
}

void client_open(struct client *client, const char *address,
		 watcher_fn on_event, void *ctx)
{
	int64_t end = sample_now() + (int64_t)SESSION_MS * 1000000;

	*client = (struct client){.error = ZOK};
	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	client->zh = zookeeper_init(address, on_event ? on_event : ignore_event,
				    SESSION_MS, NULL, ctx, 0);
	if (!client->zh)
		err(1, "zookeeper_init");
	(void)zoo_set_servers_resolution_delay(client->zh, -1);
	while (zoo_state(client->zh) != ZOO_CONNECTED_STATE) {
		if (sample_now() > end)
			errx(1, "no session with %s", address);
		client_turn(client);
	}
}

void client_close(struct client *client)
{
	(void)zookeeper_close(client->zh);
}

/*
 * fixture: what the tests of a group share: one server, and for most of them a
 * session of their own.
 */
#ifndef ZKFS_TESTS_SESSION_FIXTURE_H
#define ZKFS_TESTS_SESSION_FIXTURE_H

#include "client.h"
#include "server.h"

/* Far more than any test that does not wait for it needs. */
#define FIXTURE_TIMEOUT_MS 10000

extern struct server server;

int fixture_start_server(void **state);
int fixture_stop_server(void **state);
/* *state is a connected struct client. */
int fixture_connect(void **state);
int fixture_disconnect(void **state);
/* The same, and the test must not have cost the connection. */
int fixture_still_connected(void **state);
/* Ends its session: another client takes it over with its id and password,
 * and closes it. */
void fixture_expire(const struct client *client);

#endif

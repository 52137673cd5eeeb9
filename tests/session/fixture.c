/* fixture: see fixture.h. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/base/log.h"

struct server server;

int fixture_start_server(void **state)
{
	(void)state;
	zkfs_log_set_level(ZKFS_LOG_ERROR);
	server_make(&server);
	return 0;
}

int fixture_stop_server(void **state)
{
	(void)state;
	server_destroy(&server);
	return 0;
}

int fixture_connect(void **state)
{
	struct client *client = calloc(1, sizeof(*client));

	client_connect(client, server.address, "", FIXTURE_TIMEOUT_MS);
	*state = client;
	return 0;
}

int fixture_disconnect(void **state)
{
	struct client *client = *state;

	client_close(client, 1000);
	free(client);
	return 0;
}

int fixture_still_connected(void **state)
{
	const struct client *client = *state;

	assert_int_equal(client->n_losses, 0);
	assert_int_equal(zkfs_zk_generation(client->zk), 1);
	return fixture_disconnect(state);
}

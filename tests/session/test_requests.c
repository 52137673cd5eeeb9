/*
 * session, requests: every kind against a real server, their order, their
 * limits, and cancelling at every stage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"
#include "fixture.h"
#include "fs/base/util.h"
#include "fs/zk/auth.h"

static void test_session_facts(void **state)
{
	struct client *client = *state;

	assert_true(zkfs_zk_connected(client->zk));
	assert_int_equal(zkfs_zk_timeout_ms(client->zk), FIXTURE_TIMEOUT_MS);
	assert_true(zkfs_zk_session_id(client->zk) != 0);
	assert_string_equal(zkfs_session_state(client->zk), "connected");
	assert_int_equal(client->n_connects, 1);
}

static void test_set_and_get(void **state)
{
	struct client *client = *state;
	struct ask ask;

	make(client, "/sg", "", 0);
	ask = ask_set(client, "/sg", "hello", 5, 0);
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.stat.version, 1);
	assert_int_equal(ask.stat.data_length, 5);
	assert_int_equal(ask.generation, 1);
	ask_fini(&ask);
	ask = ask_set(client, "/sg", "again", 5, 0);
	assert_int_equal(ask_run(&ask), ZKFS_E_BADVERSION);
	ask_fini(&ask);
	assert_int_equal(check_data(client, "/sg", "hello"), 1);
	set(client, "/sg", "");
	assert_int_equal(check_data(client, "/sg", ""), 2);
	ask = ask_for(client, ZKFS_ZK_GET, "/sg/none");
	assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
	ask_fini(&ask);
	ask = ask_set(client, "/sg/none", "", 0, ZKFS_ZK_ANY_VERSION);
	assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
	ask_fini(&ask);
}

static void test_exists(void **state)
{
	struct client *client = *state;
	struct ask ask;

	make(client, "/ex", "1234567", ZKFS_ZK_EPHEMERAL);
	ask = ask_for(client, ZKFS_ZK_EXISTS, "/ex");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.stat.ephemeral_owner,
			 zkfs_zk_session_id(client->zk));
	assert_int_equal(ask.stat.data_length, 7);
	assert_int_equal(ask.stat.version, 0);
	assert_int_equal(ask.stat.num_children, 0);
	assert_true(ask.stat.czxid > 0);
	assert_int_equal(ask.stat.czxid, ask.stat.mzxid);
	assert_int_equal(ask.stat.czxid, ask.stat.pzxid);
	assert_true(ask.stat.ctime_ms > 1600000000000);
	assert_int_equal(ask.stat.ctime_ms, ask.stat.mtime_ms);
	ask_fini(&ask);
	ask = ask_for(client, ZKFS_ZK_EXISTS, "/ex/none");
	assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
	ask_fini(&ask);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_children(void **state)
{
	struct client *client = *state;
	struct ask ask;

	make(client, "/ch", "", 0);
	ask = ask_for(client, ZKFS_ZK_CHILDREN, "/ch");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.n_names, 0);
	ask_fini(&ask);
	make(client, "/ch/b", "", 0);
	make(client, "/ch/a", "", 0);
	ask = ask_for(client, ZKFS_ZK_CHILDREN, "/ch");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.n_names, 2);
	qsort(ask.names, ask.n_names, sizeof(char *), by_name);
	assert_string_equal(ask.names[0], "a");
	assert_string_equal(ask.names[1], "b");
	assert_int_equal(ask.stat.num_children, 2);
	assert_int_equal(ask.stat.cversion, 2);
	ask_fini(&ask);
	ask = ask_for(client, ZKFS_ZK_CHILDREN, "/ch/none");
	assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
	ask_fini(&ask);
}

static void test_delete(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_DELETE, "/de");

	assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
	make(client, "/de", "", 0);
	make(client, "/de/a", "", 0);
	assert_int_equal(ask_run(&ask), ZKFS_E_NOTEMPTY);
	drop(client, "/de/a");
	ask.req.version = 7;
	assert_int_equal(ask_run(&ask), ZKFS_E_BADVERSION);
	ask.req.version = 0;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_false(exists(client, "/de"));
	ask_fini(&ask);
}

/* ACLs in the port's form, which only the port reads: "\x1f" is all. */
#define DIGEST_ACL                                                             \
	"\x0f\0\0\0world\0anyone\0"                                            \
	"\x1f\0\0\0digest\0me:016djjlksVQS5RgX3M7biBGyYwY="

static void make_with_acl(struct client *client, const char *path,
			  const char *acl, size_t len)
{
	struct zkfs_zk_op op = {.kind = ZKFS_ZK_OP_CREATE,
				.path = path,
				.acl = acl,
				.acl_len = len};
	struct ask ask = ask_multi(client, &op, 1);

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
}

/* What one znode has can be given to another. */
static void test_acl(void **state)
{
	struct client *client = *state;
	struct ask ask, copied;

	make_with_acl(client, "/acl",
		      DIGEST_ACL "\0\x01\0\0\0ip\0"
				 "10.0.0.1",
		      sizeof(DIGEST_ACL "\0\x01\0\0\0ip\0"
					"10.0.0.1"));
	ask = ask_for(client, ZKFS_ZK_GET_ACL, "/acl/none");
	assert_int_equal(ask_run(&ask), ZKFS_E_NONODE);
	ask_fini(&ask);

	make(client, "/acl/open", "", 0);
	ask = ask_for(client, ZKFS_ZK_GET_ACL, "/acl/open");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.stat.version, 0);
	make_with_acl(client, "/acl/copy", ask.data, ask.len);
	copied = ask_for(client, ZKFS_ZK_GET_ACL, "/acl/copy");
	assert_int_equal(ask_run(&copied), ZKFS_E_OK);
	assert_int_equal(copied.len, ask.len);
	assert_memory_equal(copied.data, ask.data, ask.len);
	ask_fini(&copied);
	ask_fini(&ask);
}

/* To those who may not administer it the server shows no password, and what
 * is shown must not be taken for the whole. */
static void test_hidden_acl(void **state)
{
	struct client *client = *state, owner = {0};
	char scheme[] = "digest", credentials[] = "me:secret";
	struct zkfs_auth_entry entry = {
		.scheme = scheme, .credentials = credentials, .len = 9};
	struct zkfs_auth auth = {.entries = &entry, .n_entries = 1};
	struct ask ask;

	make_with_acl(client, "/hidden", DIGEST_ACL, sizeof(DIGEST_ACL));
	ask = ask_for(client, ZKFS_ZK_GET_ACL, "/hidden");
	assert_int_equal(ask_run(&ask), ZKFS_E_NOAUTH);
	ask_fini(&ask);

	client_open_auth(&owner, server.address, FIXTURE_TIMEOUT_MS, &auth);
	client_wait_connected(&owner, SOON_MS);
	ask = ask_for(&owner, ZKFS_ZK_GET_ACL, "/hidden");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.len, sizeof(DIGEST_ACL));
	assert_memory_equal(ask.data, DIGEST_ACL, sizeof(DIGEST_ACL));
	ask_fini(&ask);
	client_close(&owner, 0);
}

static void test_sync(void **state)
{
	struct client *client = *state;
	struct ask ask = ask_for(client, ZKFS_ZK_SYNC, "/");

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
}

static void test_multi(void **state)
{
	struct client *client = *state;
	struct zkfs_zk_op ops[] = {
		{.kind = ZKFS_ZK_OP_CREATE, .path = "/mu"},
		{.kind = ZKFS_ZK_OP_SET, .path = "/mu", .data = "x", .len = 1},
		{.kind = ZKFS_ZK_OP_CREATE,
		 .path = "/mu/s-",
		 .data = "d",
		 .len = 1,
		 .flags = ZKFS_ZK_EPHEMERAL | ZKFS_ZK_SEQUENCE},
		{.kind = ZKFS_ZK_OP_CREATE,
		 .path = "/mu/s-",
		 .flags = ZKFS_ZK_SEQUENCE},
		{.kind = ZKFS_ZK_OP_CHECK, .path = "/mu", .version = 1},
		{.kind = ZKFS_ZK_OP_CREATE, .path = "/mu/gone"},
		{.kind = ZKFS_ZK_OP_DELETE, .path = "/mu/gone"},
	};
	struct ask ask = ask_multi(client, ops, ZKFS_ARRAY_SIZE(ops));

	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(ops); i++)
		assert_int_equal(ops[i].error, ZKFS_E_OK);
	assert_string_equal(ops[0].name, "mu");
	assert_string_equal(ops[2].name, "s-0000000000");
	assert_string_equal(ops[3].name, "s-0000000001");
	assert_int_equal(ops[1].stat.version, 1);
	assert_int_equal(ops[1].stat.czxid, ops[1].stat.mzxid);
	assert_int_equal(check_data(client, "/mu", "x"), 1);
	assert_int_equal(check_data(client, "/mu/s-0000000000", "d"), 0);
	assert_true(exists(client, "/mu/s-0000000001"));
	assert_false(exists(client, "/mu/gone"));
	ask_fini(&ask);
}

static void test_failed_multi(void **state)
{
	static const struct {
		enum zkfs_zk_op_kind kind;
		const char *path;
		int32_t version;
		enum zkfs_error error;
	} rows[] = {
		{ZKFS_ZK_OP_CREATE, "/fm", 0, ZKFS_E_NODEEXISTS},
		{ZKFS_ZK_OP_CREATE, "/fm/no/where", 0, ZKFS_E_NONODE},
		{ZKFS_ZK_OP_CREATE, "/fm/eph/x", 0, ZKFS_E_NOCHILDREN},
		{ZKFS_ZK_OP_SET, "/fm", 9, ZKFS_E_BADVERSION},
		{ZKFS_ZK_OP_CHECK, "/fm", 9, ZKFS_E_BADVERSION},
		{ZKFS_ZK_OP_CHECK, "/fm/none", 0, ZKFS_E_NONODE},
		{ZKFS_ZK_OP_DELETE, "/fm", -1, ZKFS_E_NOTEMPTY},
	};
	struct client *client = *state;

	make(client, "/fm", "old", 0);
	make(client, "/fm/eph", "", ZKFS_ZK_EPHEMERAL);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rows); i++) {
		struct zkfs_zk_op ops[] = {
			{.kind = ZKFS_ZK_OP_SET,
			 .path = "/fm",
			 .data = "new",
			 .len = 3,
			 .version = 0},
			{.kind = rows[i].kind,
			 .path = rows[i].path,
			 .version = rows[i].version},
			{.kind = ZKFS_ZK_OP_CREATE, .path = "/fm/after"},
		};
		struct ask ask = ask_multi(client, ops, ZKFS_ARRAY_SIZE(ops));

		assert_int_equal(ask_run(&ask), rows[i].error);
		assert_int_equal(ask.failed, 1);
		assert_int_equal(ops[0].error, ZKFS_E_ROLLEDBACK);
		assert_int_equal(ops[1].error, rows[i].error);
		assert_int_equal(ops[2].error, ZKFS_E_ROLLEDBACK);
		assert_false(exists(client, "/fm/after"));
		assert_int_equal(check_data(client, "/fm", "old"), 0);
		ask_fini(&ask);
	}
}

/* Replies come in the order of submission, and a read shows the change that
 * was submitted before it. */
static void test_order(void **state)
{
	enum {
		N = 2000
	};
	struct client *client = *state;
	struct ask *asks = calloc(N, sizeof(*asks));

	make(client, "/or", "", 0);
	for (int i = 0; i < N; i += 2) {
		asks[i] = ask_set(client, "/or", &i, sizeof(i), i / 2);
		asks[i + 1] = ask_for(client, ZKFS_ZK_GET, "/or");
		ask_submit(&asks[i]);
	}
	/* The data is copied when it is sent, so it must stay till then. */
	for (int i = 0; i < N; i += 2)
		zkfs_zk_cancel(client->zk, &asks[i].req);
	for (int i = 0; i < N; i += 2) {
		asks[i].req.data = asks[i].hook_ctx = malloc(sizeof(i));
		memcpy(asks[i].hook_ctx, &i, sizeof(i));
		ask_submit(&asks[i]);
		ask_submit(&asks[i + 1]);
	}
	ask_wait_all(asks, N, SOON_MS);
	for (int i = 0; i < N; i += 2) {
		assert_int_equal(asks[i].error, ZKFS_E_OK);
		assert_int_equal(asks[i + 1].stat.version, i / 2 + 1);
		assert_memory_equal(asks[i + 1].data, &i, sizeof(i));
		assert_int_equal(asks[i + 1].order, asks[i].order + 1);
		if (i > 0)
			assert_int_equal(asks[i].order, asks[i - 1].order + 1);
		free(asks[i].hook_ctx);
		ask_fini(&asks[i]);
		ask_fini(&asks[i + 1]);
	}
	free(asks);
}

static void test_invalid_paths(void **state)
{
	static const char *const paths[] = {
		"",
		"a",
		"/a/",
		"//",
		"/a//b",
		"/.",
		"/a/..",
		"/\x01",
		"/\x7f",
		"/a\xff",
		"/\xf0\x9f\x98\x80",
		"/\xee\x80\x80",
	};
	struct client *client = *state;

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(paths); i++) {
		struct zkfs_zk_op ops[] = {
			{.kind = ZKFS_ZK_OP_CREATE, .path = "/ip"},
			{.kind = ZKFS_ZK_OP_CREATE, .path = paths[i]},
		};
		struct ask ask = ask_multi(client, ops, 2);

		for (int op = ZKFS_ZK_OP_CREATE; op <= ZKFS_ZK_OP_CHECK; op++) {
			ops[1].kind = (enum zkfs_zk_op_kind)op;
			assert_int_equal(ask_run(&ask), ZKFS_E_BADARGUMENTS);
			assert_int_equal(ask.failed, 1);
		}
		for (int kind = 0; kind < _ZKFS_ZK_KIND_N; kind++) {
			struct ask one = ask_for(
				client, (enum zkfs_zk_kind)kind, paths[i]);

			if (kind == ZKFS_ZK_MULTI)
				continue;
			assert_int_equal(ask_run(&one), ZKFS_E_BADARGUMENTS);
			ask_fini(&one);
		}
		ask_fini(&ask);
	}
	assert_false(exists(client, "/ip"));
}

static void test_invalid_multis(void **state)
{
	struct client *client = *state;
	char name[ZKFS_ZK_NAME_MAX + 2];
	struct zkfs_zk_op op = {.kind = ZKFS_ZK_OP_CREATE, .path = name};
	struct ask ask = ask_multi(client, &op, 0);

	assert_int_equal(ask_run(&ask), ZKFS_E_BADARGUMENTS);
	ask.req.n_ops = 1;
	/* The longest name that fits the result, and one more. */
	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[ZKFS_ZK_NAME_MAX] = '\0';
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_string_equal(op.name, name + 1);
	name[ZKFS_ZK_NAME_MAX] = 'n';
	name[ZKFS_ZK_NAME_MAX + 1] = '\0';
	assert_int_equal(ask_run(&ask), ZKFS_E_BADARGUMENTS);
	ask_fini(&ask);
	name[ZKFS_ZK_NAME_MAX - 10] = '\0';
	op = (struct zkfs_zk_op){.kind = ZKFS_ZK_OP_CREATE,
				 .path = name,
				 .flags = ZKFS_ZK_SEQUENCE};
	ask = ask_multi(client, &op, 1);
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(strlen(op.name), ZKFS_ZK_NAME_MAX - 1);
	ask_fini(&ask);
	/* Containers and what else the flags might mean: the server's answer
	 * to such a create in a multi makes the library abort. */
	op = (struct zkfs_zk_op){
		.kind = ZKFS_ZK_OP_CREATE, .path = "/container", .flags = 4};
	ask = ask_multi(client, &op, 1);
	assert_int_equal(ask_run(&ask), ZKFS_E_BADARGUMENTS);
	ask_fini(&ask);
}

/* To the byte: what is let through the server takes. */
static void test_sizes(void **state)
{
	struct client *client = *state;
	size_t max = zkfs_zk_data_max(client->zk, "/sz");
	char *data = malloc(max + 1);
	struct zkfs_zk_op ops[] = {
		{.kind = ZKFS_ZK_OP_SET, .path = "/sz", .version = -1},
		{.kind = ZKFS_ZK_OP_CREATE, .path = "/sz/c", .data = "y"},
	};
	struct ask ask;

	assert_non_null(data);
	memset(data, 'z', max + 1);
	make(client, "/sz", "", 0);
	ask = ask_set(client, "/sz", data, max + 1, ZKFS_ZK_ANY_VERSION);
	assert_int_equal(ask_run(&ask), ZKFS_E_TOOBIG);
	ask.req.len = max;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.stat.data_length, max);
	ask_fini(&ask);
	ask = ask_for(client, ZKFS_ZK_GET, "/sz");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.len, max);
	assert_memory_equal(ask.data, data, max);
	ask_fini(&ask);
	/* 12 bytes around a set, 39 around a create, 9 for each, 8 and 9 for
	 * the multi. */
	ops[0].data = data;
	ops[0].len = 1048575 - 8 - 9 - (9 + 12 + 3) - (9 + 39 + 5 + 1) + 1;
	ops[1].len = 1;
	ask = ask_multi(client, ops, 2);
	assert_int_equal(ask_run(&ask), ZKFS_E_TOOBIG);
	assert_int_equal(ops[0].error, ZKFS_E_TOOBIG);
	ops[0].len--;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ops[0].stat.data_length, ops[0].len);
	ask_fini(&ask);
	set(client, "/sz", "");
	free(data);
}

static void make_many(struct client *client, const char *dir, int from, int to)
{
	size_t n = (size_t)(to - from);
	struct zkfs_zk_op *ops = calloc(n, sizeof(*ops));
	char(*paths)[64] = calloc(n, sizeof(*paths));
	struct ask ask = ask_multi(client, ops, n);

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/child-%06d", dir,
			       from + (int)i);
		ops[i].kind = ZKFS_ZK_OP_CREATE;
		ops[i].path = paths[i];
	}
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_string_equal(ops[n - 1].name, paths[n - 1] + strlen(dir) + 1);
	ask_fini(&ask);
	free(paths);
	free(ops);
}

/* 1.8 MB of names: the client has no limit on replies. */
static void test_large_listing(void **state)
{
	struct client *client = *state;
	struct ask ask;

	make(client, "/ll", "", 0);
	for (int i = 0; i < 100000; i += 10000)
		make_many(client, "/ll", i, i + 10000);
	ask = ask_for(client, ZKFS_ZK_CHILDREN, "/ll");
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.n_names, 100000);
	assert_int_equal(ask.stat.num_children, 100000);
	qsort(ask.names, ask.n_names, sizeof(char *), by_name);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(atoi(ask.names[i] + 6), i);
	ask_fini(&ask);
}

/* The chroot stands in no path, counts in every size, and is "/". */
static void test_chroot(void **state)
{
	struct client *client = *state, inner;
	struct zkfs_zk_op op = {.kind = ZKFS_ZK_OP_CREATE,
				.path = "/s-",
				.flags = ZKFS_ZK_SEQUENCE};
	struct look look;
	struct ask ask;
	char *data;
	size_t max;

	make(client, "/cr", "", 0);
	make(client, "/cr/oot", "top", 0);
	client_connect(&inner, server.address, "/cr/oot", FIXTURE_TIMEOUT_MS);
	assert_int_equal(check_data(&inner, "/", "top"), 0);
	ask = ask_multi(&inner, &op, 1);
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_string_equal(op.name, "s-0000000000");
	assert_true(exists(client, "/cr/oot/s-0000000000"));
	ask_fini(&ask);

	look = look_for(&inner);
	ask = ask_for(&inner, ZKFS_ZK_CHILDREN, "/");
	ask.req.watch = &look.watch;
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	assert_int_equal(ask.n_names, 1);
	assert_true(look.watch.live);
	ask_fini(&ask);
	make(client, "/cr/oot/x", "", 0);
	client_barrier(&inner);
	assert_int_equal(look.n_fired, 1);
	assert_int_equal(look.event, ZKFS_ZK_CHILD);

	max = zkfs_zk_data_max(inner.zk, "/x");
	assert_int_equal(max, zkfs_zk_data_max(client->zk, "/cr/oot/x"));
	data = calloc(1, max + 8);
	ask = ask_set(&inner, "/x", data, max, ZKFS_ZK_ANY_VERSION);
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
	assert_int_equal(zkfs_zk_data_max(inner.zk, "/"),
			 zkfs_zk_data_max(client->zk, "/cr/oot"));
	ask = ask_set(&inner, "/", data, zkfs_zk_data_max(inner.zk, "/"),
		      ZKFS_ZK_ANY_VERSION);
	assert_int_equal(ask_run(&ask), ZKFS_E_OK);
	ask_fini(&ask);
	free(data);
	assert_int_equal(inner.n_losses, 0);
	client_close(&inner, 1000);
}

/* The n-th allocation fails: that request is told, or goes without its watch;
 * the session does not mind. */
static void test_no_memory(void **state)
{
	struct client *client = *state;
	unsigned n, n_refused = 0, n_unwatched = 0;
	bool failed = true;

	make(client, "/nm", "", 0);
	for (n = 1; failed; n++) {
		struct zkfs_zk_op op = {
			.kind = ZKFS_ZK_OP_CHECK, .path = "/nm", .version = -1};
		struct look look = look_for(client);
		struct ask asks[3] = {
			ask_multi(client, &op, 1),
			ask_for(client, ZKFS_ZK_GET, "/nm"),
			ask_set(client, "/nm", "x", 1, ZKFS_ZK_ANY_VERSION),
		};

		asks[1].req.watch = &look.watch;
		for (int i = 0; i < 3; i++)
			ask_submit(&asks[i]);
		fault_arm(n);
		client_dispatch(client, 0); /* sends */
		failed = fault_disarm();
		ask_wait_all(asks, 3, SOON_MS);
		for (int i = 0; i < 3; i++) {
			if (asks[i].error == ZKFS_E_NOMEM)
				n_refused++;
			else
				assert_int_equal(asks[i].error, ZKFS_E_OK);
			ask_fini(&asks[i]);
		}
		n_unwatched += asks[1].error == ZKFS_E_OK && look.n_fired == 0;
		zkfs_zk_unwatch(client->zk, &look.watch);
	}
	assert_int_equal(n_refused, 3);
	assert_true(n_unwatched >= 1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fixture_connect,                 \
					fixture_still_connected)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_session_facts),  TEST(test_set_and_get),
		TEST(test_exists),	   TEST(test_children),
		TEST(test_delete),	   TEST(test_acl),
		TEST(test_hidden_acl),	   TEST(test_sync),
		TEST(test_multi),	   TEST(test_failed_multi),
		TEST(test_order),	   TEST(test_invalid_paths),
		TEST(test_invalid_multis), TEST(test_sizes),
		TEST(test_large_listing),  TEST(test_chroot),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, fixture_start_server,
				      fixture_stop_server);
}

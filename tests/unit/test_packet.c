/*
 * packet: an honest server's packets are taken; each byte less, and each length
 * or count that cannot be, is not.
 */
#include "fs/zk/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/base/util.h"

#define HEAD                                                                   \
	"\0\0\0\7"                                                             \
	"\0\0\0\0\0\0\0\1"
#define OK	     "\0\0\0\0"
#define S17	     "01234567890123456"
#define STAT	     S17 S17 S17 S17
#define PATH	     "\0\0\0\2/a"
#define RESULT(type) "\0\0\0" type "\0" OK
#define DONE                                                                   \
	"\xff\xff\xff\xff"                                                     \
	"\1"                                                                   \
	"\xff\xff\xff\xff"
#define NONE "\0\0\0\0"

struct bytes {
	const char *data;
	size_t len;
};

#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static bool is_reply(int32_t type, const char *data, size_t len)
{
	struct zkfs_packet_request request = {.xid = 7, .type = type};
	/* Exactly so long, for a sanitizer. */
	char *copy = malloc(len + 1);
	bool is;

	assert_non_null(copy);
	memcpy(copy, data, len);
	is = zkfs_packet_is_reply(copy, len, &request);
	free(copy);
	return is;
}

static void test_replies(void **state)
{
	static const struct {
		int32_t type;
		struct bytes record;
	} replies[] = {
		{3, BYTES(STAT)},
		{4, BYTES("\0\0\0\1x" STAT)},
		{4, BYTES("\0\0\0\0" STAT)},
		{4, BYTES("\xff\xff\xff\xff" STAT)},
		{5, BYTES(STAT)},
		{6, BYTES("\0\0\0\1"
			  "\0\0\0\37" PATH PATH STAT)},
		{7, BYTES(STAT)},
		{9, BYTES(PATH)},
		{12, BYTES("\0\0\0\0" STAT)},
		{12, BYTES("\0\0\0\2" PATH PATH STAT)},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(replies); i++) {
		char packet[256] = HEAD OK;
		size_t len = 16 + replies[i].record.len;

		memcpy(packet + 16, replies[i].record.data,
		       replies[i].record.len);
		assert_true(is_reply(replies[i].type, packet, len));
		for (size_t n = 0; n < len; n++)
			assert_false(is_reply(replies[i].type, packet, n));
		packet[3]++;
		assert_false(is_reply(replies[i].type, packet, len));
	}
	/* Behind an error there is nothing. */
	assert_true(is_reply(4, HEAD "\xff\xff\xff\x9b", 16));
	assert_true(is_reply(2, HEAD OK, 16));
}

static void test_impossible_lengths(void **state)
{
	static const struct {
		int32_t type;
		struct bytes packet;
	} wrong[] = {
		{4, BYTES(HEAD OK "\xff\xff\xff\xfe" STAT)},
		{4, BYTES(HEAD OK "\x80\0\0\0" STAT)},
		{4, BYTES(HEAD OK "\x7f\xff\xff\xff" STAT)},
		{12, BYTES(HEAD OK "\xff\xff\xff\xff" STAT)},
		{12, BYTES(HEAD OK "\x7f\xff\xff\xff" STAT)},
		{12, BYTES(HEAD OK "\0\0\0\1"
				   "\xff\xff\xff\xff" STAT)},
		{6, BYTES(HEAD OK "\x7f\xff\xff\xff" STAT)},
		{6,
		 BYTES(HEAD OK "\0\0\0\1" NONE "\xff\xff\xff\xff" PATH STAT)},
		{9, BYTES(HEAD OK "\xff\xff\xff\xff")},
	};

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(wrong); i++)
		if (is_reply(wrong[i].type, wrong[i].packet.data,
			     wrong[i].packet.len))
			fail_msg("%zu", i);
}

/* create, set, delete, check */
static const char multi[] = "\0\0\0\7"
			    "\0\0\0\16" RESULT("\1") PATH
	"\0\0\0\1x"
	"\0\0\0\1"
	"\0\0\0\37" PATH PATH NONE RESULT("\5") PATH
	"\xff\xff\xff\xff" NONE RESULT("\2") PATH NONE RESULT("\15")
		PATH NONE DONE;

static void test_multi(void **state)
{
	static const char good[] = HEAD OK RESULT("\1") PATH RESULT("\5")
		STAT RESULT("\2") RESULT("\15") DONE;
	static const char failed[] =
		HEAD "\xff\xff\xff\x9b" RESULT("\377") NONE RESULT("\377")
			NONE RESULT("\377") NONE RESULT("\377") NONE DONE;
	static const char few[] = HEAD OK RESULT("\1") PATH DONE;
	static const char many[] = HEAD OK RESULT("\1") PATH RESULT("\5")
		STAT RESULT("\2") RESULT("\15") RESULT("\2") DONE;
	static const char others[] = HEAD OK RESULT("\5") STAT RESULT("\1")
		PATH RESULT("\2") RESULT("\15") DONE;
	static const char none[] = HEAD "\xff\xff\xff\x9b";
	struct zkfs_packet_request request = {0};
	char negative[sizeof(failed)];

	(void)state;
	assert_true(
		zkfs_packet_read_request(multi, sizeof(multi) - 1, &request));
	assert_int_equal(request.xid, 7);
	assert_int_equal(request.type, 14);
	assert_int_equal(request.n_ops, 4);
	assert_true(zkfs_packet_is_reply(good, sizeof(good) - 1, &request));
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_false(zkfs_packet_is_reply(good, n, &request));
	memcpy(negative, failed, sizeof(failed));
	for (size_t at = 16; at + 13 < sizeof(failed); at += 13)
		memset(negative + at, 0xff, 4);
	assert_true(
		zkfs_packet_is_reply(negative, sizeof(negative) - 1, &request));
	assert_false(
		zkfs_packet_is_reply(failed, sizeof(failed) - 1, &request));
	assert_false(zkfs_packet_is_reply(few, sizeof(few) - 1, &request));
	assert_false(zkfs_packet_is_reply(many, sizeof(many) - 1, &request));
	assert_false(
		zkfs_packet_is_reply(others, sizeof(others) - 1, &request));
	assert_false(zkfs_packet_is_reply(none, sizeof(none) - 1, &request));
}

static void test_requests(void **state)
{
	struct zkfs_packet_request request = {.xid = 99};

	(void)state;
	for (size_t n = 0; n < sizeof(multi) - 1; n++)
		assert_false(zkfs_packet_read_request(multi, n, &request));
	assert_int_equal(request.xid, 99);
	assert_true(zkfs_packet_read_request("\0\0\0\1\0\0\0\3/", 9, &request));
	assert_int_equal(request.xid, 1);
	assert_int_equal(request.n_ops, 0);
}

static void test_greeting_and_notices(void **state)
{
	static const char greeting[] = "\0\0\0\0"
				       "\0\0\x0f\xa0"
				       "\0\0\0\0\0\0\0\1"
				       "\0\0\0\20"
				       "0123456789abcdef"
				       "\0";
	static const char event[] =
		"\xff\xff\xff\xff"
		"\0\0\0\0\0\0\0\1" OK "\0\0\0\3\0\0\0\3" PATH;
	/* A request for a session: the same, with a zxid before the timeout. */
	static const char asks[16 + 8] = {[23] = 1};
	char wrong[sizeof(greeting)];
	int32_t xid = 0;

	(void)state;
	assert_true(zkfs_packet_renews(asks, sizeof(asks)));
	assert_false(zkfs_packet_renews(asks, sizeof(asks) - 1));
	assert_false(zkfs_packet_renews((char[24]){0}, 24));
	assert_true(zkfs_packet_is_greeting(greeting, 37, true));
	assert_true(zkfs_packet_is_greeting(greeting, 36, true));
	assert_false(zkfs_packet_is_greeting(greeting, 35, true));
	assert_false(zkfs_packet_is_greeting(greeting, 38, true));
	memcpy(wrong, greeting, sizeof(greeting));
	wrong[6] = wrong[7] = 0; /* no timeout, but a session */
	assert_false(zkfs_packet_is_greeting(wrong, 37, true));
	wrong[15] = 0; /* expired: there was one */
	assert_true(zkfs_packet_is_greeting(wrong, 37, true));
	assert_false(zkfs_packet_is_greeting(wrong, 37, false));
	wrong[4] = -1;
	assert_false(zkfs_packet_is_greeting(wrong, 37, true));
	memcpy(wrong, greeting, sizeof(greeting));
	wrong[4] = 0x7f;
	assert_false(zkfs_packet_is_greeting(wrong, 37, true));
	memcpy(wrong, greeting, sizeof(greeting));
	wrong[16] = -1;
	assert_false(zkfs_packet_is_greeting(wrong, 37, true));
	assert_true(zkfs_packet_is_notice(event, sizeof(event) - 1));
	for (size_t n = 0; n < sizeof(event) - 1; n++)
		assert_false(zkfs_packet_is_notice(event, n));
	assert_true(zkfs_packet_xid(event, sizeof(event) - 1, &xid));
	assert_int_equal(xid, -1);
	assert_false(zkfs_packet_xid(event, 15, &xid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_impossible_lengths),
		cmocka_unit_test(test_multi),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_greeting_and_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

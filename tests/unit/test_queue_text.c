/*
 * test_queue_text: the table of a queue: its order and states, what is shown of
 * clients of all kinds, and that no field is ever empty or has a blank in it.
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
#include "fs/base/util.h"
#include "fs/core/queue_text.h"

#define OURS "host=db1 pid=4711 uid=1000 comm=backup since=2026-01-02T03:04:05Z"

static struct zkfs_queue_row row(const char *entry, enum zkfs_lock_mode mode,
				 const char *data)
{
	return (struct zkfs_queue_row){
		.entry = entry,
		.name = entry,
		.contender = true,
		.mode = mode,
		.known = true,
		.stat = {.czxid = 0x1f,
			 .ephemeral_owner = 0x10000abcd0001,
			 .ctime_ms = 1600000000999},
		.data = data,
	};
}

/* The field of a line of the table, both counted from 0, as awk sees it. */
static void field(const char *text, size_t line, size_t n, char out[300])
{
	size_t len;

	for (; line > 0; line--)
		text = strchr(text, '\n') + 1;
	for (; n > 0; n--) {
		text += strcspn(text, " \n");
		text += strspn(text, " ");
	}
	len = strcspn(text, " \n");
	assert_true(len > 0 && len < 300);
	memcpy(out, text, len);
	out[len] = '\0';
}

static void assert_field(const char *text, size_t line, size_t n,
			 const char *wanted)
{
	char got[300];

	field(text, line, n, got);
	assert_string_equal(got, wanted);
}

static void assert_line(const char *text, size_t line,
			const char *const wanted[11])
{
	for (size_t i = 0; i < 11; i++)
		assert_field(text, line, i, wanted[i]);
}

static void assert_shape(const char *text, size_t n_lines)
{
	size_t lines = 0, fields = 0;

	for (const char *at = text; *at; at++) {
		assert_true((unsigned char)*at >= ' ' || *at == '\n');
		if (*at == '\n') {
			assert_int_equal(fields, 11);
			assert_int_not_equal(at[-1], ' ');
			fields = 0;
			lines++;
		} else if (*at != ' ' &&
			   (at == text || at[-1] == ' ' || at[-1] == '\n')) {
			fields++;
		}
	}
	assert_int_equal(lines, n_lines);
}

static void test_empty(void **state)
{
	zkfs_autofree char *text = zkfs_queue_text(NULL, 0);

	assert_string_equal(text, "pos mode state token session host pid user "
				  "command since entry\n");
}

static void test_our_own(void **state)
{
	struct zkfs_queue_row rows[] = {
		row("night", ZKFS_LOCK_EXCLUSIVE, OURS " note=a b host=x"),
	};
	zkfs_autofree char *text = zkfs_queue_text(rows, 1);
	static const char *const wanted[] = {
		"1",
		"exclusive",
		"held",
		"0x000000000000001f",
		"0x10000abcd0001",
		"db1",
		"4711",
		"1000",
		"backup",
		"2026-01-02T03:04:05Z",
		"night",
	};

	assert_shape(text, 2);
	assert_line(text, 1, wanted);
}

static void test_others(void **state)
{
	struct zkfs_queue_row rows[] = {
		row("_c_1-lock-0000000001", ZKFS_LOCK_EXCLUSIVE, "10.0.0.7"),
		row("0a__lock__0000000002", ZKFS_LOCK_EXCLUSIVE, ""),
	};
	zkfs_autofree char *text = zkfs_queue_text(rows, 2);
	static const char *const curator[] = {
		"1",
		"exclusive",
		"held",
		"0x000000000000001f",
		"0x10000abcd0001",
		"10.0.0.7",
		"-",
		"-",
		"-",
		"2020-09-13T12:26:40Z",
		"_c_1-lock-0000000001",
	};

	assert_shape(text, 3);
	assert_line(text, 1, curator);
	assert_field(text, 2, 5, "-");
	assert_field(text, 2, 2, "waiting");
}

static void test_states(void **state)
{
	static const struct {
		const char *modes; /* s or x */
		const char *held;  /* of each: h or w */
	} queues[] = {
		{"xxxxx", "hwwww"}, {"sssss", "hhhhh"}, {"ssxsx", "hhwww"},
		{"xssss", "hwwww"}, {"sxsss", "hwwww"},
	};

	for (size_t q = 0; q < ZKFS_ARRAY_SIZE(queues); q++) {
		zkfs_autofree char *text = NULL;
		struct zkfs_queue_row rows[5];

		for (size_t i = 0; i < 5; i++)
			rows[i] = row("x",
				      queues[q].modes[i] == 's'
					      ? ZKFS_LOCK_SHARED
					      : ZKFS_LOCK_EXCLUSIVE,
				      "");
		text = zkfs_queue_text(rows, 5);
		for (size_t i = 0; i < 5; i++) {
			bool shared = queues[q].modes[i] == 's';
			bool held = queues[q].held[i] == 'h';
			char pos[2] = {(char)('1' + i)};

			assert_field(text, i + 1, 0, pos);
			assert_field(text, i + 1, 1,
				     shared ? "shared" : "exclusive");
			assert_field(text, i + 1, 2, held ? "held" : "waiting");
		}
	}
}

static void test_strays(void **state)
{
	struct zkfs_queue_row rows[] = {
		row("me", ZKFS_LOCK_EXCLUSIVE, OURS),
		row("README", ZKFS_LOCK_EXCLUSIVE, "do not\ntouch"),
	};
	zkfs_autofree char *text = NULL;
	static const char *const wanted[] = {
		"-", "-", "-", "0x000000000000001f",   "0x0",	 "do_not_touch",
		"-", "-", "-", "2020-09-13T12:26:40Z", "README",
	};

	rows[1].contender = false;
	rows[1].stat.ephemeral_owner = 0;
	text = zkfs_queue_text(rows, 2);
	assert_shape(text, 3);
	assert_line(text, 2, wanted);
}

/* Its data cannot be read: our names tell something. */
static void test_unknown(void **state)
{
	struct zkfs_queue_row rows[] = {
		row("foo-0000000001", ZKFS_LOCK_EXCLUSIVE, ""),
		row("night", ZKFS_LOCK_EXCLUSIVE, ""),
	};
	zkfs_autofree char *text = NULL;

	rows[0].known = false;
	rows[1].known = false;
	rows[1].name = "_c_00000000-0000-8000-8000-000000000000-db1.4711.night-"
		       "lock-0000000002";
	text = zkfs_queue_text(rows, 2);
	assert_shape(text, 3);
	for (size_t i = 3; i < 10; i++)
		assert_field(text, 1, i, "-");
	assert_field(text, 2, 3, "-");
	assert_field(text, 2, 5, "db1");
	assert_field(text, 2, 6, "4711");
	assert_field(text, 2, 7, "-");
}

/* Whatever the data says, the table keeps its shape. */
static void test_hostile(void **state)
{
	static const char *const data[] = {
		"host=",
		"host= pid= uid= comm= since=",
		"host= pid=1 uid=2 comm=  since=",
		"host=a b\tc pid=x y uid=\033[2J comm=\"q\" since=\n\n",
		"pid=1 host=x",
		" ",
		"\001\002\377\376",
		"host=x uid=1",
		"host=x since=y comm=z pid=1",
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(data); i++) {
		struct zkfs_queue_row rows[] = {
			row("a b\033", ZKFS_LOCK_SHARED, data[i]),
			row("\303\244", ZKFS_LOCK_SHARED, data[i]),
		};
		zkfs_autofree char *text = zkfs_queue_text(rows, 2);

		assert_shape(text, 3);
		assert_field(text, 1, 10, "a_b?");
		assert_field(text, 2, 10, "\303\244");
	}
}

static void test_widest_columns(void **state)
{
	char entry[256], data[ZKFS_QUEUE_TEXT_DATA_MAX + 1];
	struct zkfs_queue_row rows[2];
	zkfs_autofree char *text = NULL;

	memset(entry, 'e', sizeof(entry) - 1);
	entry[sizeof(entry) - 1] = '\0';
	memset(data, 'd', sizeof(data) - 1);
	data[sizeof(data) - 1] = '\0';
	rows[0] = row(entry, ZKFS_LOCK_SHARED, data);
	rows[1] = row("x", ZKFS_LOCK_SHARED, "y");
	rows[0].stat.czxid = -1;
	rows[0].stat.ephemeral_owner = -1;
	rows[0].stat.ctime_ms = INT64_MAX;
	text = zkfs_queue_text(rows, 2);
	assert_shape(text, 3);
	assert_field(text, 1, 10, entry);
	assert_field(text, 2, 5, "y");
	assert_field(text, 1, 4, "0xffffffffffffffff");
}

static void test_no_memory(void **state)
{
	fault_arm(1);
	assert_null(zkfs_queue_text(NULL, 0));
	assert_true(fault_disarm());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_our_own),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_widest_columns),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * outcome: every short history of one name, in which another client creates,
 * deletes, sets and empties, up to twice before our change and twice after it,
 * and ours is executed or lost on its way. Whatever is found at the end, what
 * is said of our change must be true, and "unknown" only where two histories
 * that end alike differ in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/core/outcome.h"

#define N_EVENTS 5

struct name {
	bool exists;
	struct zkfs_stat stat;
	int64_t zxid;
};

struct history {
	struct name at_first; /* when we looked before our change */
	struct name now;
	bool executed;
};

static void create(struct name *name, int32_t version, int32_t len)
{
	name->exists = true;
	name->stat = (struct zkfs_stat){.czxid = ++name->zxid,
					.mzxid = name->zxid,
					.version = version,
					.data_length = len};
}

static void set(struct name *name, int32_t len)
{
	name->stat.mzxid = ++name->zxid;
	name->stat.version++;
	name->stat.data_length = len;
}

static void other(struct name *name, int event)
{
	if (event == 1 && !name->exists)
		create(name, 0, 0);
	else if (event == 2)
		name->exists = false;
	else if (event == 3 && name->exists)
		set(name, 3);
	else if (event == 4 && name->exists)
		set(name, 0);
}

static const struct zkfs_stat *found(const struct history *h)
{
	return h->now.exists ? &h->now.stat : NULL;
}

/* Our change: whether the server takes it. */
typedef bool change_fn(const struct history *h, struct name *name);
typedef void check_fn(const struct history *h);

static size_t run(bool exists, change_fn *change, check_fn *check)
{
	size_t n = 0;

	for (unsigned code = 0; code < 2 * 625; code++) {
		struct history h = {.at_first.zxid = 10};
		unsigned events = code / 2;

		if (exists)
			create(&h.at_first, 3, 5);
		h.now = h.at_first;
		for (int i = 0; i < 4; i++, events /= N_EVENTS) {
			if (i == 2 && code % 2)
				h.executed = change(&h, &h.now);
			other(&h.now, (int)(events % N_EVENTS));
		}
		check(&h);
		n++;
	}
	return n;
}

static bool do_create(const struct history *h, struct name *name)
{
	(void)h;
	if (name->exists)
		return false;
	create(name, 0, 0);
	return true;
}

static void check_create(const struct history *h)
{
	enum zkfs_outcome outcome = zkfs_outcome_create(found(h));

	/* Made, and removed by another: it may be made again. */
	assert_int_not_equal(outcome, ZKFS_OUTCOME_DONE);
	if (outcome == ZKFS_OUTCOME_NOT_DONE)
		assert_false(h->now.exists);
	else
		assert_true(h->now.exists);
}

static bool do_delete(const struct history *h, struct name *name)
{
	(void)h;
	if (!name->exists)
		return false;
	name->exists = false;
	return true;
}

static void check_delete(const struct history *h)
{
	int64_t czxid = h->at_first.stat.czxid;
	bool there = h->now.exists && h->now.stat.czxid == czxid;

	assert_int_equal(zkfs_outcome_delete(found(h), czxid),
			 there ? ZKFS_OUTCOME_NOT_DONE : ZKFS_OUTCOME_DONE);
	assert_false(there && h->executed);
	assert_int_equal(zkfs_outcome_delete(found(h), 0),
			 h->now.exists ? ZKFS_OUTCOME_UNKNOWN
				       : ZKFS_OUTCOME_DONE);
	assert_int_equal(zkfs_outcome_move_source(found(h), czxid),
			 there ? ZKFS_OUTCOME_NOT_DONE : ZKFS_OUTCOME_DONE);
}

/* The transaction checks the version that was seen, by which its set is the
 * next one of the same incarnation. */
static bool do_replace(const struct history *h, struct name *name)
{
	const struct zkfs_stat *was = &h->at_first.stat;

	if (!name->exists || name->stat.version != was->version ||
	    name->stat.czxid != was->czxid)
		return false;
	set(name, 7);
	return true;
}

/* The source is gone, so somebody has moved or removed it; if the target is the
 * next version the rest of the transaction is the likely cause, and who else
 * has set it must have had the same version, and as much data. */
static void check_replace(const struct history *h)
{
	const struct zkfs_stat *was = &h->at_first.stat;
	const struct zkfs_stat source = {.data_length = 7};
	enum zkfs_outcome outcome =
		zkfs_outcome_move_target(found(h), was, &source, true);

	if (h->executed && h->now.exists && h->now.stat.version == 4 &&
	    h->now.stat.czxid == was->czxid)
		assert_int_equal(outcome, ZKFS_OUTCOME_DONE);
	if (outcome == ZKFS_OUTCOME_DONE) {
		/* What another has set is of another length here. */
		assert_true(h->executed);
		assert_true(h->now.exists);
		assert_int_equal(h->now.stat.czxid, was->czxid);
		assert_int_equal(h->now.stat.version, was->version + 1);
	}
	if (h->now.exists && h->now.stat.version == was->version &&
	    h->now.stat.czxid == was->czxid)
		assert_int_equal(outcome, ZKFS_OUTCOME_UNKNOWN);
}

static bool do_empty(const struct history *h, struct name *name)
{
	(void)h;
	if (!name->exists)
		return false;
	set(name, 0);
	return true;
}

static void check_empty(const struct history *h)
{
	enum zkfs_outcome outcome =
		zkfs_outcome_empty(found(h), &h->at_first.stat);

	if (outcome == ZKFS_OUTCOME_NOT_DONE)
		assert_false(h->executed);
	if (outcome == ZKFS_OUTCOME_DONE)
		assert_int_equal(h->now.stat.data_length, 0);
	if (h->now.exists && h->now.stat.data_length > 0 && h->executed)
		assert_int_equal(outcome, ZKFS_OUTCOME_UNKNOWN);
	assert_int_not_equal(zkfs_outcome_empty(found(h), NULL),
			     ZKFS_OUTCOME_NOT_DONE);
}

static void test_create(void **state)
{
	(void)state;
	assert_int_equal(run(false, do_create, check_create), 1250);
	assert_int_equal(run(true, do_create, check_create), 1250);
}

static void test_delete(void **state)
{
	(void)state;
	assert_int_equal(run(true, do_delete, check_delete), 1250);
}

static void test_replace(void **state)
{
	(void)state;
	assert_int_equal(run(true, do_replace, check_replace), 1250);
}

static enum zkfs_outcome target(const struct zkfs_stat *found,
				const struct zkfs_stat *was, bool is_file)
{
	const struct zkfs_stat source = {.version = 6, .data_length = 5};

	return zkfs_outcome_move_target(found, was, &source, is_file);
}

static void test_new_target(void **state)
{
	struct zkfs_stat was = {.czxid = 5, .version = 1, .data_length = 5};
	struct zkfs_stat made = {.czxid = 9, .version = 1, .data_length = 5};
	struct zkfs_stat other = {.czxid = 9, .version = 1, .data_length = 4};
	struct zkfs_stat since = {.czxid = 9, .version = 2, .data_length = 5};

	(void)state;
	assert_int_equal(target(NULL, NULL, true), ZKFS_OUTCOME_UNKNOWN);
	assert_int_equal(target(&made, NULL, true), ZKFS_OUTCOME_DONE);
	assert_int_equal(target(&other, NULL, true), ZKFS_OUTCOME_UNKNOWN);
	assert_int_equal(target(&since, NULL, true), ZKFS_OUTCOME_UNKNOWN);
	/* A directory is replaced by another one. */
	assert_int_equal(target(&made, &was, false), ZKFS_OUTCOME_DONE);
	assert_int_equal(target(&was, &was, false), ZKFS_OUTCOME_UNKNOWN);
	/* One that was never set is made as it was. */
	made.version = 0;
	assert_int_equal(target(&made, NULL, false), ZKFS_OUTCOME_UNKNOWN);
	assert_int_equal(zkfs_outcome_move_target(
				 &made, NULL,
				 &(struct zkfs_stat){.data_length = 5}, false),
			 ZKFS_OUTCOME_DONE);
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(run(true, do_empty, check_empty), 1250);
}

/* What had no data before tells it by its version. */
static void test_empty_before(void **state)
{
	const struct zkfs_stat found = {.czxid = 5, .version = 3};
	struct zkfs_stat was = found;

	(void)state;
	assert_int_equal(zkfs_outcome_empty(&found, &was),
			 ZKFS_OUTCOME_NOT_DONE);
	was.version--;
	assert_int_equal(zkfs_outcome_empty(&found, &was), ZKFS_OUTCOME_DONE);
	was = found;
	was.czxid--;
	assert_int_equal(zkfs_outcome_empty(&found, &was), ZKFS_OUTCOME_DONE);
	assert_int_equal(zkfs_outcome_empty(&found, NULL), ZKFS_OUTCOME_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_new_target),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_empty_before),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}

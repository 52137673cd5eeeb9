/*
 * test_lease: the rules of lease.h, one by one, to the millisecond. What they
 * amount to is shown by tests/sim/lease_sim.c; here are those whose breach is
 * too rare for chance to find it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "include/zkfs/lease.h"

#define T    3200
#define GAP  900  /* 9/32 T */
#define LIFE 3000 /* 15/16 T */

static struct zkfs_lease lease;

static int setup(void **state)
{
	(void)state;
	zkfs_lease_init(&lease);
	zkfs_lease_session(&lease, 1, T, ZKFS_LEASE_UNKNOWN, 0);
	zkfs_lease_need(&lease, true, 0);
	(void)zkfs_lease_tick(&lease, 0);
	return 0;
}

static void beat(int64_t sent_ms, int64_t acked_ms)
{
	uint64_t id = zkfs_lease_sent(&lease, sent_ms);

	zkfs_lease_acked(&lease, id, acked_ms);
}

/* The lease ends at that time, by the last moment that it was told. */
static void assert_ends(int64_t end_ms)
{
	struct zkfs_lease copy = lease;

	assert_true(zkfs_lease_alive(&copy, end_ms - 1));
	assert_false(zkfs_lease_alive(&copy, end_ms));
}

static void base_is_when_the_first_was_sent(void **state)
{
	(void)state;
	beat(100, 300);
	beat(300 + GAP, 1300);
	assert_false(zkfs_lease_alive(&lease, 1300));
	beat(1400, 1500);
	assert_true(zkfs_lease_alive(&lease, 1500));
	assert_ends(100 + LIFE);
}

static void wait_is_from_the_first_answer(void **state)
{
	(void)state;
	beat(100, 300);
	beat(300 + GAP - 1, 1300);
	beat(1400, 1500);
	beat(1600, 1700);
	/* The second was too early, but the third was not. */
	assert_ends(100 + LIFE);
	zkfs_lease_init(&lease);
	zkfs_lease_session(&lease, 1, T, ZKFS_LEASE_UNKNOWN, 0);
	beat(100, 300);
	beat(300 + GAP - 1, 1300);
	beat(1400, 1500);
	assert_false(zkfs_lease_alive(&lease, 1500));
}

static void third_is_sent_after_the_answer(void **state)
{
	uint64_t second, third;

	(void)state;
	beat(100, 300);
	second = zkfs_lease_sent(&lease, 300 + GAP);
	/* Both in one millisecond, but this one first. */
	third = zkfs_lease_sent(&lease, 1400);
	zkfs_lease_acked(&lease, second, 1400);
	zkfs_lease_acked(&lease, third, 1500);
	assert_false(zkfs_lease_alive(&lease, 1500));
	beat(1500, 1500);
	assert_ends(100 + LIFE);
}

static void answer_counts_when_it_is_told(void **state)
{
	uint64_t first;

	(void)state;
	first = zkfs_lease_sent(&lease, 100);
	(void)zkfs_lease_tick(&lease, 500);
	zkfs_lease_acked(&lease, first, 300);
	beat(300 + GAP, 1300);
	beat(1350, 1360);
	assert_false(zkfs_lease_alive(&lease, 1360));
}

static void failed_is_not_answered(void **state)
{
	(void)state;
	beat(100, 300);
	beat(300 + GAP, 1300);
	zkfs_lease_failed(&lease, zkfs_lease_sent(&lease, 1400));
	assert_false(zkfs_lease_alive(&lease, 1500));
}

/* The tick has grown: the newest timeout is of the present one. */
static void longer_timeout_waits_longer(void **state)
{
	(void)state;
	zkfs_lease_disconnected(&lease, 50);
	zkfs_lease_session(&lease, 1, 2 * T, ZKFS_LEASE_UNKNOWN, 60);
	beat(100, 300);
	beat(300 + 2 * GAP - 1, 2200);
	beat(2210, 2220);
	assert_false(zkfs_lease_alive(&lease, 2220));
	beat(2230, 2240);
	/* ... and the shortest tells how long it lasts. */
	assert_ends(100 + LIFE);
}

static void shorter_timeout_waits_shorter(void **state)
{
	(void)state;
	zkfs_lease_disconnected(&lease, 50);
	zkfs_lease_session(&lease, 1, T / 2, ZKFS_LEASE_UNKNOWN, 60);
	beat(100, 110);
	beat(110 + GAP / 2, 570);
	beat(580, 590);
	assert_ends(100 + LIFE / 2);
}

static void creation_proves_a_session(void **state)
{
	(void)state;
	zkfs_lease_session(&lease, 2, T, 400, 600);
	assert_true(zkfs_lease_tick(&lease, 600));
	assert_ends(400 + LIFE);
}

/* An old leader may have done it. */
static void revalidation_proves_less(void **state)
{
	(void)state;
	zkfs_lease_disconnected(&lease, 50);
	zkfs_lease_session(&lease, 1, T, 2000, 2100);
	assert_ends(2000 - GAP + LIFE);
}

static void loss_is_for_ever(void **state)
{
	uint64_t epoch;

	(void)state;
	zkfs_lease_session(&lease, 2, T, 400, 600);
	(void)zkfs_lease_tick(&lease, 600);
	epoch = zkfs_lease_epoch(&lease);
	beat(700, 800);
	beat(800 + GAP, 1800);
	/* The answer comes when it is over. */
	beat(1900, 400 + LIFE);
	assert_true(zkfs_lease_alive(&lease, 400 + LIFE));
	assert_true(zkfs_lease_epoch(&lease) == epoch + 1);
	assert_int_equal(zkfs_lease_deadline(&lease), 400 + LIFE);
	assert_true(zkfs_lease_tick(&lease, 400 + LIFE));
	assert_false(zkfs_lease_tick(&lease, 400 + LIFE));
}

static void heartbeats_are_due(void **state)
{
	(void)state;
	assert_true(zkfs_lease_due(&lease, 0));
	(void)zkfs_lease_sent(&lease, 10);
	assert_false(zkfs_lease_due(&lease, 10 + T / 12 - 1));
	assert_true(zkfs_lease_due(&lease, 10 + T / 12));
	assert_int_equal(zkfs_lease_deadline(&lease), 10 + T / 12);
	zkfs_lease_need(&lease, false, 20);
	assert_int_equal(zkfs_lease_deadline(&lease), 10 + T / 8);
	zkfs_lease_disconnected(&lease, 30);
	assert_true(zkfs_lease_deadline(&lease) == ZKFS_NEVER);
	assert_false(zkfs_lease_due(&lease, 100 * T));
}

static void heartbeats_in_flight_are_bounded(void **state)
{
	uint64_t first = zkfs_lease_sent(&lease, 0);

	(void)state;
	for (int i = 1; i < ZKFS_LEASE_BEATS; i++) {
		assert_true(zkfs_lease_due(&lease, i * T));
		(void)zkfs_lease_sent(&lease, i * T);
	}
	assert_false(zkfs_lease_due(&lease, 100 * T));
	zkfs_lease_failed(&lease, first);
	assert_true(zkfs_lease_due(&lease, 100 * T));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(base_is_when_the_first_was_sent, setup),
		cmocka_unit_test_setup(wait_is_from_the_first_answer, setup),
		cmocka_unit_test_setup(third_is_sent_after_the_answer, setup),
		cmocka_unit_test_setup(answer_counts_when_it_is_told, setup),
		cmocka_unit_test_setup(failed_is_not_answered, setup),
		cmocka_unit_test_setup(longer_timeout_waits_longer, setup),
		cmocka_unit_test_setup(shorter_timeout_waits_shorter, setup),
		cmocka_unit_test_setup(creation_proves_a_session, setup),
		cmocka_unit_test_setup(revalidation_proves_less, setup),
		cmocka_unit_test_setup(loss_is_for_ever, setup),
		cmocka_unit_test_setup(heartbeats_are_due, setup),
		cmocka_unit_test_setup(heartbeats_in_flight_are_bounded, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

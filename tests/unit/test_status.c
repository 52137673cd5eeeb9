/*
 * status: both pages, letter by letter where it matters; that Prometheus takes
 * the whole of the second is asked in tests/e2e.
 */
#include "fs/core/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault.h"

static struct zkfs_zk_metrics zk_metrics;
static struct zkfs_metrics metrics;

/* As it is right after the mount. */
static struct zkfs_status fresh(void)
{
	memset(&zk_metrics, 0, sizeof(zk_metrics));
	memset(&metrics, 0, sizeof(metrics));
	return (struct zkfs_status){
		.version = "1.2",
		.source = "a:1,b:2/c",
		.mountpoint = "/mnt/z k",
		.now_ms = 1000000,
		.started_ms = 998766,
		.started_unix_ms = 1700000000123,
		.timeo_ms = 10000,
		.lease_left_ms = 3500,
		.zk = {.metrics = &zk_metrics,
		       .state = "connected",
		       .server = "1.2.3.4:2181",
		       .session_id = INT64_MIN + 15,
		       .timeout_ms = 4000,
		       .since_ms = 999000,
		       .connected = true,
		       .watch_budget = 900000},
	};
}

typedef void (*print_fn)(struct zkfs_text *text,
			 const struct zkfs_status *status);

static void print_metrics(struct zkfs_text *text,
			  const struct zkfs_status *status)
{
	zkfs_status_print_metrics(text, status, &metrics);
}

/* Whether the page has the line. */
static bool says(print_fn print, const struct zkfs_status *status,
		 const char *line)
{
	struct zkfs_text text = {0};
	char *wanted;
	bool found;

	zkfs_text_printf(&text, "\n");
	print(&text, status);
	assert_false(text.failed);
	assert_int_equal(text.data[text.len - 1], '\n');
	assert_true(asprintf(&wanted, "\n%s\n", line) > 0);
	found = strstr(text.data, wanted);
	free(wanted);
	zkfs_text_fini(&text);
	return found;
}

static void assert_says(print_fn print, const struct zkfs_status *status,
			const char *line)
{
	if (!says(print, status, line))
		fail_msg("no line \"%s\"", line);
}

static void test_status_of_a_fresh_mount(void **state)
{
	struct zkfs_status status = fresh();
	struct zkfs_text text = {0};

	(void)state;
	zkfs_status_print(&text, &status);
	assert_string_equal(text.data,
			    "version: 1.2\n"
			    "source: a:1,b:2/c\n"
			    "mountpoint: /mnt/z\\040k\n"
			    "uptime_seconds: 1.234\n"
			    "state: connected\n"
			    "state_seconds: 1.000\n"
			    "server: 1.2.3.4:2181\n"
			    "session: 0x800000000000000f\n"
			    "session_timeout_seconds: 4.000\n"
			    "sessions_expired: 0\n"
			    "reconnects: 0\n"
			    "lease: alive\n"
			    "lease_left_seconds: 3.500\n"
			    "server_requests_queued: 0\n"
			    "server_requests_sent: 0\n"
			    "watches: 0\n"
			    "watch_bytes: 0\n"
			    "watch_bytes_max: 900000\n"
			    "watches_refused: 0\n"
			    "request_timeout_seconds: 10.000\n"
			    "oldest_request_seconds: 0.000\n"
			    "requests_pending: 0\n"
			    "nodes: 0\n"
			    "cached_nodes: 0\n"
			    "cached_bytes: 0\n"
			    "cached_absent_names: 0\n"
			    "watched: 0\n"
			    "observed: 0\n"
			    "observing: 0\n"
			    "open_files: 0\n"
			    "open_directories: 0\n"
			    "open_locks: 0\n"
			    "open_texts: 0\n"
			    "locks_held: 0\n"
			    "locks_waiting: 0\n"
			    "locks_leaving: 0\n"
			    "limit: open_max used=0 max=0 refused=0\n"
			    "limit: open_user_max used=0 max=0 refused=0\n"
			    "limit: locks_max used=0 max=0 refused=0\n"
			    "limit: locks_user_max used=0 max=0 refused=0\n"
			    "limit: data_max used=0 max=0 refused=0\n"
			    "limit: data_user_max used=0 max=0 refused=0\n"
			    "limit: listing_max used=0 max=0 refused=0\n"
			    "limit: path_max used=0 max=0 refused=0\n");
	zkfs_text_fini(&text);
}

static void test_status_without_a_server(void **state)
{
	struct zkfs_status status = fresh();

	(void)state;
	status.zk.connected = false;
	status.zk.state = "reconnecting";
	status.zk.server[0] = '\0';
	status.lease_left_ms = 0;
	zk_metrics.connections = 3;
	zk_metrics.expiries = 1;
	assert_says(zkfs_status_print, &status, "state: reconnecting");
	assert_says(zkfs_status_print, &status, "server: none");
	assert_says(zkfs_status_print, &status, "lease: lost");
	assert_says(zkfs_status_print, &status, "lease_left_seconds: 0.000");
	assert_says(zkfs_status_print, &status, "reconnects: 2");
	assert_says(zkfs_status_print, &status, "sessions_expired: 1");
	assert_says(print_metrics, &status, "zkfs_connected 0");
	assert_says(print_metrics, &status, "zkfs_connections_total 3");
}

static void test_limits(void **state)
{
	struct zkfs_status status = fresh();

	(void)state;
	status.limits[ZKFS_LIMIT_locks_user] =
		(struct zkfs_status_limit){.used = 1, .max = 2, .refused = 3};
	assert_says(zkfs_status_print, &status,
		    "limit: locks_user_max used=1 max=2 refused=3");
	assert_says(print_metrics, &status,
		    "zkfs_limit_used{limit=\"locks_user_max\"} 1");
	assert_says(print_metrics, &status,
		    "zkfs_limit_max{limit=\"locks_user_max\"} 2");
	assert_says(print_metrics, &status,
		    "zkfs_limit_refused_total{limit=\"locks_user_max\"} 3");
}

static void test_locks(void **state)
{
	struct zkfs_status_lock locks[] = {
		{.path = "/locks/a b",
		 .entry = "me\n",
		 .mode = ZKFS_LOCK_EXCLUSIVE,
		 .token = 0x1f,
		 .pid = 17,
		 .held_ms = 61005},
		{.path = "/locks/c",
		 .entry = "you",
		 .mode = ZKFS_LOCK_SHARED,
		 .pid = 18},
	};
	struct zkfs_status status = fresh();

	(void)state;
	status.locks = locks;
	status.n_locks = 2;
	status.gauges.locks_held = 2;
	status.gauges.locks_waiting = 5;
	assert_says(zkfs_status_print, &status,
		    "lock: mode=exclusive token=0x000000000000001f pid=17 "
		    "held_seconds=61.005 path=/locks/a\\040b entry=me\\012");
	assert_says(zkfs_status_print, &status,
		    "lock: mode=shared token=0x0000000000000000 pid=18 "
		    "held_seconds=0.000 path=/locks/c entry=you");
	assert_false(says(zkfs_status_print, &status, "locks_not_shown: 0"));
	assert_says(print_metrics, &status, "zkfs_locks{state=\"held\"} 2");
	assert_says(print_metrics, &status, "zkfs_locks{state=\"waiting\"} 5");
	status.gauges.locks_held = 1002;
	assert_says(zkfs_status_print, &status, "locks_not_shown: 1000");
}

static void test_metrics(void **state)
{
	struct zkfs_status status = fresh();

	(void)state;
	status.oldest_us = 2000000;
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 400, 0);
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 400, -ENOENT);
	zkfs_metrics_answered(&metrics, ZKFS_OP_OPEN, 400, -9999);
	zkfs_histogram_add(&metrics.lock_wait, 30000000);
	zkfs_histogram_add(&zk_metrics.kinds[ZKFS_ZK_SET].latency, 1500);
	zk_metrics.kinds[ZKFS_ZK_SET].outcomes[ZKFS_E_OK] = 7;
	zk_metrics.kinds[ZKFS_ZK_SET].outcomes[ZKFS_E_BADVERSION] = 2;
	assert_says(print_metrics, &status,
		    "zkfs_info{version=\"1.2\",source=\"a:1,b:2/c\","
		    "mountpoint=\"/mnt/z k\"} 1");
	assert_says(print_metrics, &status,
		    "zkfs_start_time_seconds 1700000000.123");
	assert_says(print_metrics, &status, "zkfs_oldest_request_seconds 2");
	assert_says(
		print_metrics, &status,
		"zkfs_request_duration_seconds_bucket{op=\"OPEN\",le=\"0.0005"
		"\"} 3");
	assert_says(print_metrics, &status,
		    "zkfs_request_duration_seconds_count{op=\"POLL\"} 0");
	assert_says(print_metrics, &status,
		    "zkfs_request_errors_total{op=\"OPEN\",errno=\"ENOENT\"} "
		    "1");
	assert_says(print_metrics, &status,
		    "zkfs_request_errors_total{op=\"OPEN\",errno=\"other\"} "
		    "1");
	assert_says(print_metrics, &status, "zkfs_lock_wait_seconds_sum 30");
	assert_says(print_metrics, &status,
		    "zkfs_server_request_duration_seconds_count{request=\"set"
		    "\"} 1");
	assert_says(print_metrics, &status,
		    "zkfs_server_request_errors_total{request=\"set\",error="
		    "\"BADVERSION\"} 2");
}

/* Whichever allocation fails, the page has failed, and nothing is left. */
static void test_without_memory(void **state)
{
	static const print_fn pages[] = {zkfs_status_print, print_metrics};
	struct zkfs_status status = fresh();

	(void)state;
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(pages); i++) {
		unsigned n = 1;

		for (;; n++) {
			struct zkfs_text text = {0};
			bool failed;

			fault_arm(n);
			pages[i](&text, &status);
			failed = text.failed;
			zkfs_text_fini(&text);
			if (!fault_disarm())
				break;
			assert_true(failed);
		}
		assert_true(n > 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_of_a_fresh_mount),
		cmocka_unit_test(test_status_without_a_server),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

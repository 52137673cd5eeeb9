/*
 * fuzz_control: what the control files say of a mount, whatever its names are
 * and its numbers: `status` has a key and a value in each line, `metrics` is
 * what Prometheus reads, `.queue` has a fixed number of columns, and the
 * attributes fit the room that there is.
 */
#include <errno.h>
#include <string.h>

#include "fs/core/queue_text.h"
#include "fs/core/status.h"
#include "fs/core/xattrs.h"
#include "tests/fuzz/fuzz.h"

#define NAME	64
#define N_LOCKS 3
#define N_ROWS	4
#define COLUMNS 11

static const char *any_text(struct fuzz_input *in, char text[NAME])
{
	size_t n = fuzz_u8(in) % NAME;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(1 + fuzz_u8(in) % 255);
	text[n] = '\0';
	return text;
}

static int64_t any_number(struct fuzz_input *in)
{
	return (int64_t)((uint64_t)fuzz_u32(in) << 32 | fuzz_u32(in));
}

/* No clock goes further than some thousand years, in microseconds. */
static int64_t any_time(struct fuzz_input *in)
{
	return any_number(in) / 4096;
}

static void any_stat(struct fuzz_input *in, struct zkfs_stat *stat)
{
	*stat = (struct zkfs_stat){
		.czxid = any_number(in),
		.mzxid = any_number(in),
		.ctime_ms = any_number(in),
		.mtime_ms = any_number(in),
		.version = (int32_t)fuzz_u32(in),
		.data_length = (int32_t)fuzz_u32(in),
		.ephemeral_owner = any_number(in),
	};
}

/* Calls `check` for each line of a text that ends with a line's end. */
static void each_line(char *text, void (*check)(const char *line))
{
	size_t len = strlen(text);
	char *save = NULL;

	fuzz_must(len > 0 && text[len - 1] == '\n' && !strstr(text, "\n\n"));
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		check(line);
}

static void check_status_line(const char *line)
{
	const char *colon = strstr(line, ": ");

	fuzz_must(colon && strspn(line, "abcdefghijklmnopqrstuvwxyz_") ==
				   (size_t)(colon - line));
	for (; *line; line++)
		fuzz_must((unsigned char)*line >= ' ' && *line != 0x7f);
}

static void check_metrics_line(const char *line)
{
	const char *value = strrchr(line, ' ');

	fuzz_must(strncmp(line, "# HELP zkfs_", 12) == 0 ||
		  strncmp(line, "# TYPE zkfs_", 12) == 0 ||
		  strncmp(line, "zkfs_", 5) == 0);
	fuzz_must(fuzz_is_utf8(line));
	if (*line == '#')
		return;
	fuzz_must(value && value[1] &&
		  strspn(value + 1, "0123456789.") == strlen(value + 1));
}

static void check_queue_line(const char *line)
{
	unsigned n = 0;

	while (*(line += strspn(line, " "))) {
		size_t len = strcspn(line, " ");

		for (size_t i = 0; i < len; i++)
			fuzz_must((unsigned char)line[i] > ' ' &&
				  line[i] != 0x7f);
		line += len;
		n++;
	}
	fuzz_must(n == COLUMNS);
}

static void check_pages(struct fuzz_input *in)
{
	static struct zkfs_zk_metrics zk;
	static struct zkfs_metrics metrics;
	char text[3 + 2 * N_LOCKS][NAME];
	struct zkfs_status_lock locks[N_LOCKS];
	struct zkfs_text page = {0};
	struct zkfs_status status = {
		.version = any_text(in, text[0]),
		.source = any_text(in, text[1]),
		.mountpoint = any_text(in, text[2]),
		.now_ms = any_time(in),
		.started_ms = any_time(in),
		.started_unix_ms = any_time(in),
		.timeo_ms = (int)fuzz_u32(in),
		.zk = {.metrics = &zk,
		       .state = "connected",
		       .session_id = any_number(in),
		       .timeout_ms = (int)fuzz_u32(in),
		       .since_ms = any_time(in)},
		.lease_left_ms = any_time(in),
		.oldest_us = any_time(in),
		.locks = locks,
		.n_locks = N_LOCKS,
		.gauges.locks_held = N_LOCKS + fuzz_u8(in),
	};

	for (size_t i = 0; i < N_LOCKS; i++)
		locks[i] = (struct zkfs_status_lock){
			.path = any_text(in, text[3 + 2 * i]),
			.entry = any_text(in, text[4 + 2 * i]),
			.token = any_number(in),
			.pid = any_number(in),
			.held_ms = any_time(in)};
	zkfs_metrics_answered(&metrics, fuzz_u8(in) % _ZKFS_OP_KIND_N,
			      (int64_t)fuzz_u32(in), -(int)fuzz_u8(in));
	zkfs_status_print(&page, &status);
	fuzz_must(!page.failed);
	each_line(page.data, check_status_line);
	zkfs_text_fini(&page);
	zkfs_status_print_metrics(&page, &status, &metrics);
	fuzz_must(!page.failed);
	each_line(page.data, check_metrics_line);
	zkfs_text_fini(&page);
}

static void check_queue(struct fuzz_input *in)
{
	char text[3 * N_ROWS][NAME];
	struct zkfs_queue_row rows[N_ROWS];
	char *page;

	for (size_t i = 0; i < N_ROWS; i++) {
		uint8_t kind = fuzz_u8(in);

		rows[i] = (struct zkfs_queue_row){
			.entry = any_text(in, text[3 * i]),
			.name = any_text(in, text[3 * i + 1]),
			.contender = kind & 1,
			.mode = kind & 2 ? ZKFS_LOCK_SHARED
					 : ZKFS_LOCK_EXCLUSIVE,
			.known = kind & 4};
		any_stat(in, &rows[i].stat);
		rows[i].data = any_text(in, text[3 * i + 2]);
		if (kind & 8) /* as we write it, or nearly */
			memcpy(text[3 * i + 2], "host=", 5);
		if (!*rows[i].entry)
			rows[i].entry = "-";
	}
	page = zkfs_queue_text(rows, N_ROWS);
	fuzz_must(page);
	each_line(page, check_queue_line);
	free(page);
}

static void check_attributes(struct fuzz_input *in)
{
	size_t len, room = fuzz_u8(in) % 40;
	const char *list = zkfs_xattrs_list(&len);
	char path[NAME], other[NAME], *value = malloc(room + 1);
	struct zkfs_stat stat;
	ssize_t n;

	fuzz_must(value);
	any_stat(in, &stat);
	(void)any_text(in, path);
	for (const char *name = list; name < list + len;
	     name += strlen(name) + 1) {
		/* Exactly so long, for a sanitizer to see. */
		char *exact = malloc(room ? room : 1);

		fuzz_must(exact && zkfs_xattrs_known(name));
		n = zkfs_xattrs_get(name, path, &stat, exact, room);
		fuzz_must(n == -ERANGE || (n >= 0 && (size_t)n <= room));
		free(exact);
	}
	if (!zkfs_xattrs_known(any_text(in, other)))
		fuzz_must(zkfs_xattrs_get(other, path, &stat, value, room) ==
			  -ENODATA);
	free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {.data = data, .len = len};

	switch (fuzz_u8(&in) % 3) {
	case 0:
		check_pages(&in);
		break;
	case 1:
		check_queue(&in);
		break;
	default:
		check_attributes(&in);
	}
	return 0;
}

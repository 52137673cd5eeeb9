/*
 * queue_text: see queue_text.h. The cells of a row are made twice: once to
 * measure the columns, once to write them.
 */
#include "fs/core/queue_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/base/util.h"

#define MS_PER_S 1000

/* A file name, and the NUL. */
#define CELL_BYTES 256
/* What others say of themselves may be anything, and long. */
#define WORD_MAX 64

enum column {
	POS,
	MODE,
	STATE,
	TOKEN,
	SESSION,
	HOST,
	PID,
	USER,
	COMMAND,
	SINCE,
	ENTRY,
	N_COLUMNS
};

static const char *const titles[N_COLUMNS] = {
	[POS] = "pos",	   [MODE] = "mode",	  [STATE] = "state",
	[TOKEN] = "token", [SESSION] = "session", [HOST] = "host",
	[PID] = "pid",	   [USER] = "user",	  [COMMAND] = "command",
	[SINCE] = "since", [ENTRY] = "entry",
};

struct cells {
	char text[N_COLUMNS][CELL_BYTES];
};

/* What goes before a row. */
struct place {
	size_t pos;
	bool behind_exclusive;
};

/* One word of printable ASCII, so that no terminal and no awk is surprised. */
static void set_word(char *cell, const char *from, size_t len)
{
	len = zkfs_min_size(len, WORD_MAX);
	while (len > 0 && isspace((unsigned char)from[len - 1]))
		len--;
	if (len == 0)
		return;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)from[i];

		if (isspace(c))
			cell[i] = '_';
		else
			cell[i] = c < 0x80 && isgraph(c) ? from[i] : '?';
	}
	cell[len] = '\0';
}

/* The value behind `key`, up to `next`, in what zkfs writes into its primary:
 * "host=... pid=... uid=... comm=... since=...[ note=...]". */
static const char *set_value(char *cell, const char *from, const char *key,
			     const char *next)
{
	const char *value = strstr(from, key), *end;

	if (!value)
		return from;
	value += strlen(key);
	end = strstr(value, next);
	if (!end)
		end = value + strlen(value);
	set_word(cell, value, (size_t)(end - value));
	return end;
}

static void set_owner(struct cells *cells, const char *data)
{
	const char *at = data;

	at = set_value(cells->text[HOST], at, "host=", " pid=");
	at = set_value(cells->text[PID], at, " pid=", " uid=");
	at = set_value(cells->text[USER], at, " uid=", " comm=");
	at = set_value(cells->text[COMMAND], at, " comm=", " since=");
	(void)set_value(cells->text[SINCE], at, " since=", " ");
}

/* Where the data cannot be read, our names tell something, too. */
static void set_from_name(struct cells *cells, const char *name)
{
	struct zkfs_name_parts parts;

	if (!zkfs_names_parse(name, &parts) || !parts.ours)
		return;
	set_word(cells->text[HOST], parts.host, parts.host_len);
	(void)snprintf(cells->text[PID], CELL_BYTES, "%ld", parts.pid);
}

static void set_stat(struct cells *cells, const struct zkfs_stat *stat)
{
	time_t when = (time_t)(stat->ctime_ms / MS_PER_S);
	struct tm tm;

	(void)snprintf(cells->text[TOKEN], CELL_BYTES, "0x%016" PRIx64,
		       (uint64_t)stat->czxid);
	(void)snprintf(cells->text[SESSION], CELL_BYTES, "0x%" PRIx64,
		       (uint64_t)stat->ephemeral_owner);
	if (gmtime_r(&when, &tm))
		(void)strftime(cells->text[SINCE], CELL_BYTES,
			       "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void set_queue(struct cells *cells, const struct zkfs_queue_row *row,
		      struct place *place)
{
	bool shared = row->mode == ZKFS_LOCK_SHARED;
	bool held = shared ? !place->behind_exclusive : place->pos == 0;

	place->pos++;
	place->behind_exclusive |= !shared;
	(void)snprintf(cells->text[POS], CELL_BYTES, "%zu", place->pos);
	(void)snprintf(cells->text[MODE], CELL_BYTES, "%s",
		       shared ? "shared" : "exclusive");
	(void)snprintf(cells->text[STATE], CELL_BYTES, "%s",
		       held ? "held" : "waiting");
}

/* A file name keeps its letters, but for blanks and what is no letter. */
static void set_entry(char *cell, const char *name)
{
	size_t len = zkfs_min_size(strlen(name), CELL_BYTES - 1);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == ' ')
			cell[i] = '_';
		else
			cell[i] = c < ' ' || c == 0x7f ? '?' : name[i];
	}
	cell[len] = '\0';
}

static void set_cells(struct cells *cells, const struct zkfs_queue_row *row,
		      struct place *place)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		memcpy(cells->text[i], "-", 2);
	if (row->contender)
		set_queue(cells, row, place);
	if (row->known)
		set_stat(cells, &row->stat);
	if (row->known && strncmp(row->data, "host=", 5) == 0)
		set_owner(cells, row->data);
	else if (row->known)
		set_word(cells->text[HOST], row->data, strlen(row->data));
	else
		set_from_name(cells, row->name);
	set_entry(cells->text[ENTRY], row->entry);
}

static void set_titles(struct cells *cells)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		(void)snprintf(cells->text[i], CELL_BYTES, "%s", titles[i]);
}

static void measure(const struct cells *cells, size_t widths[N_COLUMNS])
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		widths[i] = zkfs_max_size(widths[i], strlen(cells->text[i]));
}

static char *put(char *at, const struct cells *cells,
		 const size_t widths[N_COLUMNS])
{
	for (size_t i = 0; i < N_COLUMNS - 1; i++)
		at += sprintf(at, "%-*s ", (int)widths[i], cells->text[i]);
	return at + sprintf(at, "%s\n", cells->text[N_COLUMNS - 1]);
}

char *zkfs_queue_text(const struct zkfs_queue_row *rows, size_t n)
{
	size_t widths[N_COLUMNS] = {0}, line = 0;
	struct place place = {0};
	struct cells cells;
	char *text, *at;

	set_titles(&cells);
	measure(&cells, widths);
	for (size_t i = 0; i < n; i++) {
		set_cells(&cells, &rows[i], &place);
		measure(&cells, widths);
	}
	for (size_t i = 0; i < N_COLUMNS; i++)
		line += widths[i] + 1;

	text = malloc((n + 1) * line + 1);
	if (!text)
		return NULL;
	set_titles(&cells);
	at = put(text, &cells, widths);
	place = (struct place){0};
	for (size_t i = 0; i < n; i++) {
		set_cells(&cells, &rows[i], &place);
		at = put(at, &cells, widths);
	}
	return text;
}

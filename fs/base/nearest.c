/*
 * nearest: see nearest.h. The distance is that of Damerau and Levenshtein, in
 * the form in which no part is edited twice ("optimal string alignment"): rows
 * of a table, of which the last three are kept.
 */
#include "fs/base/nearest.h"

#include <string.h>

#include "fs/base/util.h"

/* Longer ones are no slip of a known word. */
#define LEN_MAX 32
/* One letter in so many may be wrong. */
#define LETTERS_A_SLIP 3

static size_t min3(size_t a, size_t b, size_t c)
{
	return zkfs_min_size(a, zkfs_min_size(b, c));
}

/* Both of no more than LEN_MAX bytes. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][LEN_MAX + 1] = {{0}};
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = min3(last[j] + 1, row[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = zkfs_min_size(row[j],
						       before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

void zkfs_nearest_try(struct zkfs_nearest *nearest, const char *known)
{
	size_t len = strlen(nearest->word);
	size_t known_len = strlen(known), d;

	if (len > LEN_MAX || known_len > LEN_MAX)
		return;
	d = distance(nearest->word, len, known, known_len);
	if (d > zkfs_max_size(len, known_len) / LETTERS_A_SLIP)
		return;
	if (nearest->found && d >= nearest->distance)
		return;
	nearest->found = known;
	nearest->distance = d;
}

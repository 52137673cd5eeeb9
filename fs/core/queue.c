/*
 * queue: a child list turned into the order of a lock. The names are parsed,
 * sorted so that those of one contender stand together, folded into entries,
 * and the entries sorted by number. All strings of a queue live in one block.
 */
#include "include/zkfs/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"

/* A contender's name while it is sorted. */
struct item {
	const char *name;
	struct zkfs_name_parts parts;
};

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static bool same_group(const struct item *a, const struct item *b)
{
	return a->parts.group_len == b->parts.group_len &&
	       memcmp(a->parts.group, b->parts.group, a->parts.group_len) == 0;
}

static int compare_groups(const struct zkfs_name_parts *a,
			  const struct zkfs_name_parts *b)
{
	int order = memcmp(a->group, b->group,
			   zkfs_min_size(a->group_len, b->group_len));

	if (order)
		return order;
	return compare_numbers((int64_t)a->group_len, (int64_t)b->group_len);
}

static int compare_items(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	int order = compare_groups(&a->parts, &b->parts);

	if (!order)
		order = compare_numbers(a->parts.sequence, b->parts.sequence);
	return order ? order : strcmp(a->name, b->name);
}

static int compare_entries(const void *pa, const void *pb)
{
	const struct zkfs_queue_entry *a = pa, *b = pb;
	int order = compare_numbers(a->sequence, b->sequence);

	return order ? order : strcmp(a->names[0], b->names[0]);
}

/* The bytes all copies of the items' strings take. */
static size_t measure(const struct item *items, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++) {
		size += strlen(items[i].name) + 1;
		if (items[i].parts.ours)
			size += items[i].parts.label_len + 1;
	}
	return size;
}

static char *copy(char **at, const char *text, size_t len)
{
	char *start = *at;

	memcpy(start, text, len);
	start[len] = '\0';
	*at += len + 1;
	return start;
}

static void add_name(struct zkfs_queue_entry *entry, const struct item *item,
		     char **at)
{
	const struct zkfs_name_parts *parts = &item->parts;

	entry->names[entry->n_names++] =
		copy(at, item->name, strlen(item->name));
	if (parts->mode == ZKFS_LOCK_EXCLUSIVE)
		entry->mode = ZKFS_LOCK_EXCLUSIVE;
	if (parts->ours && !entry->label)
		entry->label = copy(at, parts->label, parts->label_len);

	/* Alone under its UUID it may be stock Curator's (ours, with the list
	 * of families cut down, looks the same and costs a list more). */
	entry->may_downgrade = entry->n_names == 1 &&
			       entry->mode == ZKFS_LOCK_EXCLUSIVE &&
			       parts->family == ZKFS_FAMILY_CURATOR_RW;
}

/* Makes entries of sorted items; returns their number. */
static size_t fold(const struct item *items, size_t n,
		   struct zkfs_queue_entry *entries, char *at)
{
	struct zkfs_queue_entry *entry = NULL;
	size_t n_entries = 0;

	for (size_t i = 0; i < n; i++) {
		if (!entry || entry->n_names == ZKFS_NAMES_MAX ||
		    !same_group(&items[i - 1], &items[i])) {
			entry = &entries[n_entries++];
			*entry = (struct zkfs_queue_entry){
				.sequence = items[i].parts.sequence,
				.mode = ZKFS_LOCK_SHARED,
			};
		}
		add_name(entry, &items[i], &at);
	}
	return n_entries;
}

int zkfs_queue_parse(const char *const *names, size_t n_names,
		     struct zkfs_queue *ret_queue)
{
	zkfs_autofree struct item *items = NULL;
	struct zkfs_queue queue = {0};
	size_t n = 0;

	/* One more of each: malloc(0) may be NULL. */
	items = calloc(n_names + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n_names; i++)
		if (zkfs_names_parse(names[i], &items[n].parts))
			items[n++].name = names[i];
	qsort(items, n, sizeof(*items), compare_items);

	queue.entries = calloc(n + 1, sizeof(*queue.entries));
	queue.bytes = malloc(measure(items, n) + 1);
	if (!queue.entries || !queue.bytes) {
		zkfs_queue_fini(&queue);
		return -ENOMEM;
	}

	queue.n_entries = fold(items, n, queue.entries, queue.bytes);
	qsort(queue.entries, queue.n_entries, sizeof(*queue.entries),
	      compare_entries);
	for (size_t i = 0; i < queue.n_entries; i++)
		queue.may_downgrade |= queue.entries[i].may_downgrade;
	*ret_queue = queue;
	return 0;
}

void zkfs_queue_fini(struct zkfs_queue *queue)
{
	free(queue->entries);
	free(queue->bytes);
	*queue = (struct zkfs_queue){0};
}

static bool has_prefix(const struct zkfs_queue_entry *entry, const char *prefix)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < entry->n_names; i++)
		if (strncmp(entry->names[i], prefix, len) == 0)
			return true;
	return false;
}

const struct zkfs_queue_entry *zkfs_queue_find(const struct zkfs_queue *queue,
					       const char *prefix)
{
	for (size_t i = 0; i < queue->n_entries; i++)
		if (has_prefix(&queue->entries[i], prefix))
			return &queue->entries[i];
	return NULL;
}

/* Shared contenders wait for exclusive ones only (ZooKeeper recipes, "Shared
 * Locks"), exclusive ones for all. */
static bool blocks(const struct zkfs_queue_entry *entry, int64_t sequence,
		   enum zkfs_lock_mode mode, const char *own)
{
	if (entry->sequence > sequence)
		return false;
	if (mode == ZKFS_LOCK_SHARED && entry->mode == ZKFS_LOCK_SHARED)
		return false;
	return !own || !has_prefix(entry, own);
}

const struct zkfs_queue_entry *
zkfs_queue_blocker(const struct zkfs_queue *queue, int64_t sequence,
		   enum zkfs_lock_mode mode, const char *own)
{
	for (size_t i = queue->n_entries; i > 0; i--)
		if (blocks(&queue->entries[i - 1], sequence, mode, own))
			return &queue->entries[i - 1];
	return NULL;
}

/* The first entry behind all with this number and below. */
static size_t upper_bound(const struct zkfs_queue *queue, int64_t sequence)
{
	size_t low = 0, high = queue->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (queue->entries[middle].sequence <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct zkfs_queue_entry *
zkfs_queue_find_at(const struct zkfs_queue *queue, int64_t sequence,
		   const char *prefix)
{
	for (size_t i = upper_bound(queue, sequence);
	     i > 0 && queue->entries[i - 1].sequence == sequence; i--)
		if (has_prefix(&queue->entries[i - 1], prefix))
			return &queue->entries[i - 1];
	return NULL;
}

/* Puts copies of those `n` entries, the last of which is found[0], into a queue
 * of their own. */
static int copy_entries(const struct zkfs_queue *queue, const size_t *found,
			size_t n, struct zkfs_queue *ret_kept)
{
	struct zkfs_queue kept = {0};
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < n; i++)
		size += strlen(queue->entries[found[i]].names[0]) + 1;
	kept.entries = calloc(n + 1, sizeof(*kept.entries));
	kept.bytes = malloc(size + 1);
	if (!kept.entries || !kept.bytes) {
		zkfs_queue_fini(&kept);
		return -ENOMEM;
	}
	at = kept.bytes;
	for (size_t i = n; i > 0; i--) {
		const struct zkfs_queue_entry *from =
			&queue->entries[found[i - 1]];
		struct zkfs_queue_entry *to = &kept.entries[kept.n_entries++];

		*to = *from;
		to->names[0] =
			copy(&at, from->names[0], strlen(from->names[0]));
		to->n_names = 1;
		to->label = NULL;
	}
	*ret_kept = kept;
	return 0;
}

int zkfs_queue_nearest(const struct zkfs_queue *queue, int64_t sequence,
		       enum zkfs_lock_mode mode, const char *own, size_t max,
		       struct zkfs_queue *ret_kept, bool *ret_more)
{
	zkfs_autofree size_t *found = calloc(max + 1, sizeof(*found));
	size_t n = 0;
	int error;

	if (!found)
		return -ENOMEM;
	for (size_t i = upper_bound(queue, sequence); i > 0 && n <= max; i--)
		if (blocks(&queue->entries[i - 1], sequence, mode, own))
			found[n++] = i - 1;
	error = copy_entries(queue, found, zkfs_min_size(n, max), ret_kept);
	if (!error)
		*ret_more = n > max;
	return error;
}

void zkfs_queue_remove(struct zkfs_queue *queue,
		       const struct zkfs_queue_entry *entry)
{
	size_t i = (size_t)(entry - queue->entries);

	assert(i < queue->n_entries);
	queue->n_entries--;
	memmove(&queue->entries[i], &queue->entries[i + 1],
		(queue->n_entries - i) * sizeof(*entry));
}

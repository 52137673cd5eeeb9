/*
 * watch: see watch.h.
 *
 * Callbacks may do anything: leave, cancel, submit, free themselves. So they
 * are first moved to a list on the stack, from which leaving removes them like
 * from any other, and the table is in order before the first is called.
 */
#include "fs/zk/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/list.h"
#include "fs/base/util.h"
#include "fs/zk/size.h"

struct slot {
	struct zkfs_hash_link hash;
	struct zkfs_watch_half halves[_ZKFS_WATCH_KIND_N];
	char path[];
};

static struct slot *slot_of(const struct zkfs_watch_half *half)
{
	return zkfs_container_of(half - half->kind, struct slot, halves);
}

static struct zkfs_zk_watch *watch_of(struct zkfs_link *link)
{
	return zkfs_list_entry(link, struct zkfs_zk_watch, link);
}

static uint64_t hash_of(const char *path)
{
	return zkfs_hash_bytes(0, path, strlen(path));
}

int zkfs_watch_init(struct zkfs_watch_table *table, size_t budget,
		    size_t prefix_len)
{
	zkfs_list_init(&table->idle);
	table->n_idle = 0;
	table->n_charged = 0;
	table->bytes = 0;
	table->budget = budget;
	table->prefix_len = prefix_len;
	return zkfs_hash_init(&table->slots);
}

static struct slot *find_slot(const struct zkfs_watch_table *table,
			      const char *path)
{
	struct zkfs_hash_link *it =
		zkfs_hash_find(&table->slots, hash_of(path));

	for (; it; it = zkfs_hash_find_next(it)) {
		struct slot *slot = zkfs_container_of(it, struct slot, hash);

		if (strcmp(slot->path, path) == 0)
			return slot;
	}
	return NULL;
}

static struct slot *make_slot(struct zkfs_watch_table *table, const char *path)
{
	size_t size = strlen(path) + 1;
	struct slot *slot = calloc(1, sizeof(*slot) + size);

	if (!slot)
		return NULL;
	memcpy(slot->path, path, size);
	for (int kind = 0; kind < _ZKFS_WATCH_KIND_N; kind++) {
		zkfs_list_init(&slot->halves[kind].link);
		slot->halves[kind].kind = (enum zkfs_watch_kind)kind;
	}
	zkfs_hash_add(&table->slots, &slot->hash, hash_of(path));
	return slot;
}

static size_t cost(const struct zkfs_watch_table *table, const char *path)
{
	return zkfs_size_path(path, table->prefix_len) + 4;
}

static void set_idle(struct zkfs_watch_table *table,
		     struct zkfs_watch_half *half, bool idle)
{
	if (idle == half->idle)
		return;
	half->idle = idle;
	if (idle) {
		zkfs_list_append(&table->idle, &half->link);
		table->n_idle++;
	} else {
		zkfs_list_remove(&half->link);
		table->n_idle--;
	}
}

static bool has_subscribers(const struct zkfs_watch_half *half)
{
	return !half->idle && !zkfs_list_empty(&half->link);
}

/* Draws the conclusions from a half's condition: its charge, its idleness. */
static void refresh(struct zkfs_watch_table *table,
		    struct zkfs_watch_half *half)
{
	bool charged = half->armed || half->n_pending > 0;

	assert(half->armed || !has_subscribers(half));
	if (charged && !half->charged) {
		table->bytes += cost(table, slot_of(half)->path);
		table->n_charged++;
	} else if (!charged && half->charged) {
		table->bytes -= cost(table, slot_of(half)->path);
		table->n_charged--;
	}
	half->charged = charged;
	set_idle(table, half,
		 half->armed && half->n_pending == 0 && !has_subscribers(half));
}

static void drop_unused(struct zkfs_watch_table *table, struct slot *slot)
{
	for (int kind = 0; kind < _ZKFS_WATCH_KIND_N; kind++)
		if (slot->halves[kind].charged)
			return;
	zkfs_hash_remove(&table->slots, &slot->hash);
	free(slot);
}

struct zkfs_watch_half *zkfs_watch_reserve(struct zkfs_watch_table *table,
					   const char *path,
					   enum zkfs_watch_kind kind)
{
	struct slot *slot = find_slot(table, path);
	struct zkfs_watch_half *half;
	bool charged = slot && slot->halves[kind].charged;

	if (!charged && table->bytes + cost(table, path) > table->budget)
		return NULL;
	if (!slot)
		slot = make_slot(table, path);
	if (!slot)
		return NULL;
	half = &slot->halves[kind];
	half->n_pending++;
	refresh(table, half);
	return half;
}

void zkfs_watch_settle(struct zkfs_watch_table *table,
		       struct zkfs_watch_half *half, bool set,
		       struct zkfs_zk_watch *watch)
{
	assert(half->n_pending > 0);
	half->n_pending--;
	if (set)
		half->armed = true;
	if (set && watch) {
		assert(!watch->live && !half->idle); /* it was pending */
		zkfs_list_init(&watch->link);
		zkfs_list_append(&half->link, &watch->link);
		watch->slot = half;
		watch->live = true;
	}
	refresh(table, half);
	drop_unused(table, slot_of(half));
}

void zkfs_watch_leave(struct zkfs_watch_table *table,
		      struct zkfs_zk_watch *watch)
{
	struct zkfs_watch_half *half = watch->slot;

	if (!watch->live)
		return;
	zkfs_list_remove(&watch->link);
	watch->live = false;
	watch->slot = NULL;
	/* Without a half it was about to be called. */
	if (half)
		refresh(table, half);
}

static void collect(struct zkfs_watch_half *half, struct zkfs_link *batch)
{
	if (!has_subscribers(half))
		return;
	zkfs_list_for_each_safe(it, &half->link) {
		zkfs_list_remove(it);
		watch_of(it)->slot = NULL;
		zkfs_list_append(batch, it);
	}
}

static void fire(struct zkfs_link *batch, enum zkfs_zk_event event)
{
	struct zkfs_link *link;

	while ((link = zkfs_list_first(batch))) {
		struct zkfs_zk_watch *watch = watch_of(link);

		zkfs_list_remove(link);
		watch->live = false;
		watch->fired(watch, event);
	}
}

static bool concerns(enum zkfs_zk_event event, enum zkfs_watch_kind kind)
{
	switch (event) {
	case ZKFS_ZK_CREATED:
	case ZKFS_ZK_CHANGED:
		return kind == ZKFS_WATCH_DATA;
	case ZKFS_ZK_CHILD:
		return kind == ZKFS_WATCH_CHILD;
	case ZKFS_ZK_DELETED: /* the server sends one for both */
	case ZKFS_ZK_UNWATCHED:
		return true;
	}
	return false;
}

void zkfs_watch_event(struct zkfs_watch_table *table, const char *path,
		      enum zkfs_zk_event event)
{
	struct slot *slot = find_slot(table, path);
	struct zkfs_link batch;

	if (!slot)
		return;
	zkfs_list_init(&batch);
	for (int kind = 0; kind < _ZKFS_WATCH_KIND_N; kind++) {
		struct zkfs_watch_half *half = &slot->halves[kind];

		if (!concerns(event, half->kind))
			continue;
		collect(half, &batch);
		half->armed = false;
		refresh(table, half);
	}
	drop_unused(table, slot);
	fire(&batch, event);
}

/* Disarms both halves; returns whether one was armed. */
static bool disarm(struct zkfs_watch_table *table, struct slot *slot,
		   struct zkfs_link *batch)
{
	bool armed = false;

	for (int kind = 0; kind < _ZKFS_WATCH_KIND_N; kind++) {
		struct zkfs_watch_half *half = &slot->halves[kind];

		armed = armed || half->armed;
		collect(half, batch);
		half->armed = false;
		refresh(table, half);
	}
	return armed;
}

void zkfs_watch_disconnect(struct zkfs_watch_table *table,
			   void (*forget)(void *ctx, const char *path),
			   void *ctx)
{
	struct zkfs_hash_link *it = zkfs_hash_next(&table->slots, NULL);
	struct zkfs_link batch;

	zkfs_list_init(&batch);
	while (it) {
		struct slot *slot = zkfs_container_of(it, struct slot, hash);

		it = zkfs_hash_next(&table->slots, it);
		if (disarm(table, slot, &batch) && forget)
			forget(ctx, slot->path);
		drop_unused(table, slot);
	}
	fire(&batch, ZKFS_ZK_UNWATCHED);
}

void zkfs_watch_fini(struct zkfs_watch_table *table)
{
	struct zkfs_hash_link *it = zkfs_hash_next(&table->slots, NULL);
	struct zkfs_link batch, *link;

	zkfs_list_init(&batch);
	while (it) {
		struct slot *slot = zkfs_container_of(it, struct slot, hash);

		it = zkfs_hash_next(&table->slots, it);
		(void)disarm(table, slot, &batch);
		assert(slot->halves[0].n_pending == 0 &&
		       slot->halves[1].n_pending == 0);
		drop_unused(table, slot);
	}
	while ((link = zkfs_list_first(&batch))) {
		zkfs_list_remove(link);
		watch_of(link)->live = false;
	}
	zkfs_hash_fini(&table->slots);
}

struct zkfs_watch_half *zkfs_watch_victim(struct zkfs_watch_table *table)
{
	struct zkfs_link *link = zkfs_list_first(&table->idle);
	struct zkfs_watch_half *half;

	/* In the way: too many, or near enough to the budget that a new watch
	 * may be refused for them. */
	if (!link || (table->n_idle <= ZKFS_WATCH_IDLE_MAX &&
		      table->bytes < table->budget - table->budget / 8))
		return NULL;
	half = zkfs_list_entry(link, struct zkfs_watch_half, link);
	half->n_pending++;
	refresh(table, half);
	return half;
}

void zkfs_watch_removed(struct zkfs_watch_table *table,
			struct zkfs_watch_half *half, bool gone)
{
	/* Nobody can have subscribed meanwhile and be swept away: a request
	 * that sets the watch again was sent, and is answered, after this. */
	assert(half->n_pending > 0);
	half->n_pending--;
	if (gone && !has_subscribers(half))
		half->armed = false;
	refresh(table, half);
	drop_unused(table, slot_of(half));
}

const char *zkfs_watch_path(const struct zkfs_watch_half *half)
{
	return slot_of(half)->path;
}

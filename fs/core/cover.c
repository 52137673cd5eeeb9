/*
 * cover: see cover.h.
 */
#include "fs/core/cover.h"

#include <assert.h>
#include <stddef.h>

void zkfs_cover_init(struct zkfs_cover *cover)
{
	*cover = (struct zkfs_cover){
		.fired_ms = {-(uint32_t)ZKFS_COVER_CALM_MS,
			     -(uint32_t)ZKFS_COVER_CALM_MS},
	};
}

void zkfs_cover_fini(struct zkfs_cover *cover)
{
	cover->data = zkfs_buf_unref(cover->data);
}

/* What children come and go makes no difference to: an ephemeral has none, and
 * the data of a directory is its data. */
static bool childless(enum zkfs_type type, const struct zkfs_stat *stat)
{
	return type == ZKFS_TYPE_DATA || stat->ephemeral_owner != 0;
}

/* A directory that was made as one stays one without children, too. */
static bool keeps_type(enum zkfs_type type, const struct zkfs_stat *stat)
{
	return childless(type, stat) ||
	       (type == ZKFS_TYPE_DIR && stat->version == 0 &&
		stat->data_length == 0);
}

static bool is_shown(const struct zkfs_cover *cover, enum zkfs_cover_half half)
{
	return cover->live[half] || cover->stale[half];
}

bool zkfs_cover_has_attr(const struct zkfs_cover *cover, enum zkfs_type type,
			 const struct zkfs_stat *stat)
{
	return is_shown(cover, ZKFS_COVER_DATA) &&
	       (is_shown(cover, ZKFS_COVER_CHILD) || childless(type, stat));
}

bool zkfs_cover_has_name(const struct zkfs_cover *cover, enum zkfs_type type,
			 const struct zkfs_stat *stat)
{
	return is_shown(cover, ZKFS_COVER_DATA) &&
	       (is_shown(cover, ZKFS_COVER_CHILD) || keeps_type(type, stat));
}

struct zkfs_buf *zkfs_cover_data(const struct zkfs_cover *cover)
{
	return is_shown(cover, ZKFS_COVER_DATA) ? cover->data : NULL;
}

static bool can_arm(const struct zkfs_cover *cover, enum zkfs_cover_half half)
{
	return !cover->live[half] && !cover->asked[half];
}

static bool is_calm(const struct zkfs_cover *cover, enum zkfs_cover_half half,
		    int64_t now_ms)
{
	return (uint32_t)now_ms - cover->fired_ms[half] >= ZKFS_COVER_CALM_MS;
}

struct zkfs_cover_ask zkfs_cover_next(const struct zkfs_cover *cover,
				      enum zkfs_type type,
				      const struct zkfs_stat *stat,
				      bool want_data, int64_t now_ms)
{
	struct zkfs_cover_ask ask = {
		.kind = want_data ? ZKFS_ZK_GET : ZKFS_ZK_EXISTS,
		.half = ZKFS_COVER_DATA,
	};

	/* After a reconnect: only what has changed is fetched again. */
	if (cover->data && !cover->live[ZKFS_COVER_DATA])
		ask.kind = ZKFS_ZK_EXISTS;

	if (can_arm(cover, ZKFS_COVER_DATA)) {
		ask.arms = true;
	} else if (!want_data && !childless(type, stat) &&
		   can_arm(cover, ZKFS_COVER_CHILD) &&
		   stat->num_children <= ZKFS_COVER_CHILDREN_MAX &&
		   is_calm(cover, ZKFS_COVER_CHILD, now_ms)) {
		ask.kind = ZKFS_ZK_CHILDREN;
		ask.half = ZKFS_COVER_CHILD;
		ask.arms = true;
	}
	return ask;
}

void zkfs_cover_asked(struct zkfs_cover *cover,
		      const struct zkfs_cover_ask *ask)
{
	if (!ask->arms)
		return;
	assert(!cover->asked[ask->half]);
	cover->asked[ask->half] = true;
}

void zkfs_cover_answered(struct zkfs_cover *cover,
			 const struct zkfs_cover_ask *ask,
			 const struct zkfs_stat *stat, bool live)
{
	if (ask->arms) {
		assert(cover->asked[ask->half]);
		cover->asked[ask->half] = false;
		cover->live[ask->half] = live;
	}
	/* What was kept through a time without a watch. */
	if (stat && cover->data && cover->mzxid != stat->mzxid)
		cover->data = zkfs_buf_unref(cover->data);
}

void zkfs_cover_keep(struct zkfs_cover *cover, struct zkfs_buf *data,
		     const struct zkfs_stat *stat)
{
	cover->data = zkfs_buf_unref(cover->data);
	if (!data || !cover->live[ZKFS_COVER_DATA])
		return;
	cover->data = zkfs_buf_ref(data);
	cover->mzxid = stat->mzxid;
}

void zkfs_cover_promise(struct zkfs_cover *cover, unsigned what)
{
	cover->promised |= (uint8_t)what;
}

static unsigned tell(struct zkfs_cover *cover, unsigned what)
{
	unsigned promised = cover->promised & what;

	cover->promised &= (uint8_t)~what;
	return promised;
}

unsigned zkfs_cover_fired(struct zkfs_cover *cover, enum zkfs_cover_half half,
			  enum zkfs_zk_event event, enum zkfs_type type,
			  const struct zkfs_stat *stat, int64_t now_ms)
{
	bool calm = is_calm(cover, half, now_ms);
	unsigned what = ZKFS_COVER_ATTR;

	cover->live[half] = false;
	cover->stale[half] = false;
	cover->fired_ms[half] = (uint32_t)now_ms;
	if (half == ZKFS_COVER_CHILD)
		cover->listed = false;
	/* Kept without a watch: it may be found unchanged. */
	if (half == ZKFS_COVER_DATA && event != ZKFS_ZK_UNWATCHED)
		cover->data = zkfs_buf_unref(cover->data);

	switch (event) {
	case ZKFS_ZK_CREATED:
	case ZKFS_ZK_CHANGED:
		/* An empty directory that is written becomes a file; a file
		 * stays one, but nothing would tell of its end any more. */
		if (type == ZKFS_TYPE_DIR || !calm)
			what |= ZKFS_COVER_NAME;
		else if (cover->promised & ZKFS_COVER_NAME)
			return tell(cover, what) | ZKFS_COVER_REARM;
		break;
	case ZKFS_ZK_CHILD:
		if (!keeps_type(type, stat))
			what |= ZKFS_COVER_NAME;
		break;
	case ZKFS_ZK_DELETED:
	case ZKFS_ZK_UNWATCHED:
		what |= ZKFS_COVER_NAME;
		break;
	}
	return tell(cover, what);
}

void zkfs_cover_lost(struct zkfs_cover *cover, enum zkfs_cover_half half)
{
	cover->live[half] = false;
	cover->stale[half] = true;
}

bool zkfs_cover_is_stale(const struct zkfs_cover *cover)
{
	return cover->stale[ZKFS_COVER_DATA] || cover->stale[ZKFS_COVER_CHILD];
}

unsigned zkfs_cover_found(struct zkfs_cover *cover)
{
	if (!zkfs_cover_is_stale(cover))
		return 0;
	if (cover->stale[ZKFS_COVER_CHILD])
		cover->listed = false;
	for (int half = 0; half < _ZKFS_COVER_HALF_N; half++)
		cover->stale[half] = false;
	return tell(cover, ZKFS_COVER_ATTR | ZKFS_COVER_NAME);
}

void zkfs_cover_listed(struct zkfs_cover *cover)
{
	cover->listed = cover->live[ZKFS_COVER_CHILD];
}

bool zkfs_cover_has_children(const struct zkfs_cover *cover)
{
	return cover->listed && is_shown(cover, ZKFS_COVER_CHILD);
}

unsigned zkfs_cover_revoke(struct zkfs_cover *cover)
{
	for (int half = 0; half < _ZKFS_COVER_HALF_N; half++) {
		cover->live[half] = false;
		cover->stale[half] = false;
	}
	cover->listed = false;
	cover->data = zkfs_buf_unref(cover->data);
	return tell(cover, ZKFS_COVER_ATTR | ZKFS_COVER_NAME);
}

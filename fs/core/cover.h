/*
 * cover: which watches lie over a znode, and what may therefore be believed of
 * it without asking. Pure; one per cached znode, beside the node (core/tree)
 * that keeps the newest Stat.
 *
 * A znode has two halves, each with a one-shot watch of its own:
 *
 *   data   that it is there and is the same one, its data, and the fields of
 *          its Stat that go with those
 *   child  its children, and numChildren, cversion and pzxid with them; also
 *          whether it is a file at all, which a first child ends (core/attr)
 *
 * While a half is live, what the newest Stat says of it is true: every change
 * fires the watch before any reply shows it (facts/zookeeper.md, 2). When it
 * fires, or the connection goes, it is not, and the kernel is told of what it
 * was promised.
 *
 * With -o stale what was live when the connection went is shown until there is
 * another. No reply comes meanwhile, so that it is the newest this client has
 * seen; writes and locks do not rest on it.
 */
#ifndef ZKFS_CORE_COVER_H
#define ZKFS_CORE_COVER_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/base/buf.h"
#include "fs/core/attr.h"
#include "include/zkfs/zk.h"

enum zkfs_cover_half {
	ZKFS_COVER_DATA,
	ZKFS_COVER_CHILD,
	_ZKFS_COVER_HALF_N
};

/* What the kernel keeps on our word, and has to be told of. */
#define ZKFS_COVER_ATTR 1u /* the attributes */
#define ZKFS_COVER_NAME 2u /* that the name means this node */

/* To be asked for with a watch at once, though nobody has asked: the kernel
 * relies on the name, and no watch lies over it. */
#define ZKFS_COVER_REARM 4u

/* More than that are listed only for who asks for them. */
#define ZKFS_COVER_CHILDREN_MAX 1000
/* A half that fired so lately is not armed again unasked, nor a child half when
 * asked: somebody is busy there (fills or empties the directory), and each time
 * would cost a request and an event. */
#define ZKFS_COVER_CALM_MS 100

struct zkfs_cover {
	bool live[_ZKFS_COVER_HALF_N];
	/* A request that arms it is under way. */
	bool asked[_ZKFS_COVER_HALF_N];
	/* It was live when the connection was lost, and is to be shown until
	 * there is another. */
	bool stale[_ZKFS_COVER_HALF_N];
	bool listed;	  /* its children were, since their half is live */
	uint8_t promised; /* ZKFS_COVER_* */
	/* Of the clock the low bits: for a moment in 50 days one may seem to
	 * have fired that has not. */
	uint32_t fired_ms[_ZKFS_COVER_HALF_N];
	struct zkfs_buf *data; /* of the version of `mzxid`; or NULL */
	int64_t mzxid;
};

/* A request that serves the asker and makes the cover more complete. */
struct zkfs_cover_ask {
	enum zkfs_zk_kind kind; /* EXISTS, GET or CHILDREN: all have a Stat */
	bool arms;		/* with a watch, for: */
	enum zkfs_cover_half half;
};

void zkfs_cover_init(struct zkfs_cover *cover);
void zkfs_cover_fini(struct zkfs_cover *cover);

/* Whether all attributes that are derived from `stat` are current. */
bool zkfs_cover_has_attr(const struct zkfs_cover *cover, enum zkfs_type type,
			 const struct zkfs_stat *stat);
/* Whether the name still means this znode, and one of this type. */
bool zkfs_cover_has_name(const struct zkfs_cover *cover, enum zkfs_type type,
			 const struct zkfs_stat *stat);
/* The current data, or NULL if it is not known. */
struct zkfs_buf *zkfs_cover_data(const struct zkfs_cover *cover);

/* What to ask next. `want_data`: the asker needs the data, else a Stat. */
struct zkfs_cover_ask zkfs_cover_next(const struct zkfs_cover *cover,
				      enum zkfs_type type,
				      const struct zkfs_stat *stat,
				      bool want_data, int64_t now_ms);
/* It is under way. */
void zkfs_cover_asked(struct zkfs_cover *cover,
		      const struct zkfs_cover_ask *ask);
/* It was answered, or given up (`stat` NULL); `live`: its watch is. */
void zkfs_cover_answered(struct zkfs_cover *cover,
			 const struct zkfs_cover_ask *ask,
			 const struct zkfs_stat *stat, bool live);
/* Keeps the data that came with `stat`, if the data half is live. Takes a
 * reference. NULL forgets what there was. */
void zkfs_cover_keep(struct zkfs_cover *cover, struct zkfs_buf *data,
		     const struct zkfs_stat *stat);

/* The kernel was given this to keep. */
void zkfs_cover_promise(struct zkfs_cover *cover, unsigned what);
/* A watch has fired. Returns what the kernel has to be told, and perhaps
 * ZKFS_COVER_REARM. */
unsigned zkfs_cover_fired(struct zkfs_cover *cover, enum zkfs_cover_half half,
			  enum zkfs_zk_event event, enum zkfs_type type,
			  const struct zkfs_stat *stat, int64_t now_ms);
/* The connection is lost, but what the half says goes on being shown, and the
 * kernel keeps what it has. */
void zkfs_cover_lost(struct zkfs_cover *cover, enum zkfs_cover_half half);
/* There is a connection again: that ends. As above. */
unsigned zkfs_cover_found(struct zkfs_cover *cover);
/* Whether what is shown may not be so any more. */
bool zkfs_cover_is_stale(const struct zkfs_cover *cover);
/* The children were listed just now. */
void zkfs_cover_listed(struct zkfs_cover *cover);
/* Whether that listing is what there still is. */
bool zkfs_cover_has_children(const struct zkfs_cover *cover);
/* All of it ends: as above. */
unsigned zkfs_cover_revoke(struct zkfs_cover *cover);

#endif

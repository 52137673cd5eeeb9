/*
 * glance: see glance.h.
 */
#include "fs/ops/glance.h"

#include <stddef.h>
#include <string.h>

#include "fs/base/clock.h"

static struct zkfs_glance *find(struct zkfs_glances *glances, pid_t tid)
{
	for (size_t i = 0; i < ZKFS_GLANCES && tid; i++)
		if (glances->all[i].tid == tid)
			return &glances->all[i];
	return NULL;
}

static struct zkfs_glance *find_fresh(struct zkfs_glances *glances, pid_t tid,
				      uint64_t lock, const char *name)
{
	struct zkfs_glance *glance = find(glances, tid);

	if (!glance || glance->lock != lock ||
	    strcmp(glance->name, name) != 0 ||
	    glance->until_ms < zkfs_clock_ms())
		return NULL;
	return glance;
}

void zkfs_glance_forget(struct zkfs_glances *glances, pid_t tid)
{
	struct zkfs_glance *glance = find(glances, tid);

	if (glance)
		glance->tid = 0;
}

/* Of a thread in another pid namespace nothing is known: 0. */
void zkfs_glance_keep(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
		      const char *name, bool busy, bool echo)
{
	struct zkfs_glance *glance =
		&glances->all[glances->next++ % ZKFS_GLANCES];

	zkfs_glance_forget(glances, tid);
	if (tid == 0 || strlen(name) > ZKFS_LABEL_MAX)
		return;
	*glance = (struct zkfs_glance){
		.tid = tid,
		.lock = lock,
		.until_ms = zkfs_clock_ms() + ZKFS_GLANCE_MS,
		.busy = busy,
		.echo = echo,
	};
	memcpy(glance->name, name, strlen(name) + 1);
}

bool zkfs_glance_echoes(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
			const char *name)
{
	struct zkfs_glance *glance = find_fresh(glances, tid, lock, name);

	if (!glance || !glance->echo)
		return false;
	glance->echo = false;
	return true;
}

bool zkfs_glance_take(struct zkfs_glances *glances, pid_t tid, uint64_t lock,
		      const char *name, bool *ret_busy)
{
	struct zkfs_glance *glance = find_fresh(glances, tid, lock, name);

	if (!glance)
		return false;
	glance->tid = 0;
	*ret_busy = glance->busy;
	return true;
}

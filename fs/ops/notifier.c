/*
 * notifier: see notifier.h.
 *
 * What both threads use is under `mutex`, but `fd`, which never changes. It is
 * held for a few instructions at a time, and never while the kernel is told.
 */
#include "fs/ops/notifier.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/list.h"
#include "fs/base/util.h"

/* In linux/fuse.h since 6.16. */
#define NOTIFY_INC_EPOCH 8

#define MS_PER_SEC 1000
#define NS_PER_MS  1000000L
#define NS_PER_SEC 1000000000L

struct changed {
	struct zkfs_link link;
	uint64_t parent;
	uint32_t len;
	char name[];
};

struct zkfs_notifier {
	int fd;
	pthread_t thread;
	bool no_epoch; /* the kernel does not know it; not the thread's */

	pthread_mutex_t mutex;
	pthread_cond_t wake; /* for the thread: a name, or the end */
	pthread_cond_t gone; /* for who waits: the thread has ended */
	struct zkfs_link queue;
	struct zkfs_notifier_counts counts;
	bool closed;
	bool ended;
};

static void lock(struct zkfs_notifier *notifier)
{
	int error = pthread_mutex_lock(&notifier->mutex);

	assert(!error);
	(void)error;
}

static void unlock(struct zkfs_notifier *notifier)
{
	int error = pthread_mutex_unlock(&notifier->mutex);

	assert(!error);
	(void)error;
}

/* What comes back is of no use: ENOENT, as a rule, says that the kernel did not
 * have it, any other that there is no mount any more. */
static void tell(int fd, const struct changed *changed)
{
	struct fuse_notify_inval_entry_out out = {.parent = changed->parent,
						  .namelen = changed->len};
	struct fuse_out_header header = {.error = FUSE_NOTIFY_INVAL_ENTRY};
	struct iovec parts[] = {
		{.iov_base = &header, .iov_len = sizeof(header)},
		{.iov_base = &out, .iov_len = sizeof(out)},
		/* With its NUL, which is not counted above. */
		{.iov_base = (char *)changed->name,
		 .iov_len = changed->len + (size_t)1},
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(parts); i++)
		header.len += (uint32_t)parts[i].iov_len;
	(void)writev(fd, parts, ZKFS_ARRAY_SIZE(parts));
}

/* The next one, taken out; NULL at the end. */
static struct changed *next(struct zkfs_notifier *notifier)
{
	struct zkfs_link *first = NULL;

	while (!notifier->closed &&
	       !(first = zkfs_list_first(&notifier->queue)))
		(void)pthread_cond_wait(&notifier->wake, &notifier->mutex);
	if (!first)
		return NULL;
	zkfs_list_remove(first);
	return zkfs_list_entry(first, struct changed, link);
}

static void *run(void *arg)
{
	struct zkfs_notifier *notifier = arg;
	struct changed *changed;

	lock(notifier);
	while ((changed = next(notifier))) {
		notifier->counts.telling = true;
		unlock(notifier);
		tell(notifier->fd, changed);
		free(changed);
		lock(notifier);
		notifier->counts.telling = false;
		notifier->counts.queued--;
		notifier->counts.sent++;
	}
	notifier->ended = true;
	(void)pthread_cond_signal(&notifier->gone);
	unlock(notifier);
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct zkfs_notifier *notifier)
{
	sigset_t all, old;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&notifier->thread, NULL, run, notifier);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		(void)pthread_setname_np(notifier->thread, "zkfs-notifier");
	return -error;
}

static void init_conditions(struct zkfs_notifier *notifier)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&notifier->wake, NULL);
	(void)pthread_cond_init(&notifier->gone, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

static void destroy(struct zkfs_notifier *notifier)
{
	(void)pthread_cond_destroy(&notifier->gone);
	(void)pthread_cond_destroy(&notifier->wake);
	(void)pthread_mutex_destroy(&notifier->mutex);
	free(notifier);
}

int zkfs_notifier_new(int fd, struct zkfs_notifier **ret_notifier)
{
	struct zkfs_notifier *notifier = calloc(1, sizeof(*notifier));
	int error;

	if (!notifier)
		return -ENOMEM;
	notifier->fd = fd;
	zkfs_list_init(&notifier->queue);
	(void)pthread_mutex_init(&notifier->mutex, NULL);
	init_conditions(notifier);
	error = start_thread(notifier);
	if (error) {
		destroy(notifier);
		return error;
	}
	*ret_notifier = notifier;
	return 0;
}

struct zkfs_notifier *zkfs_notifier_free(struct zkfs_notifier *notifier)
{
	if (!notifier)
		return NULL;
	zkfs_notifier_close(notifier);
	(void)pthread_join(notifier->thread, NULL);
	destroy(notifier);
	return NULL;
}

/* Whether it was taken. */
static bool append(struct zkfs_notifier *notifier, struct changed *changed)
{
	bool room;

	lock(notifier);
	room = changed && !notifier->closed &&
	       notifier->counts.queued < ZKFS_NOTIFIER_NAMES_MAX;
	if (room) {
		zkfs_list_append(&notifier->queue, &changed->link);
		notifier->counts.queued++;
		(void)pthread_cond_signal(&notifier->wake);
	} else {
		notifier->counts.dropped++;
	}
	unlock(notifier);
	return room;
}

int zkfs_notifier_push(struct zkfs_notifier *notifier, uint64_t parent,
		       const char *name)
{
	size_t len = strlen(name);
	struct changed *changed = malloc(sizeof(*changed) + len + 1);

	if (changed) {
		*changed = (struct changed){.parent = parent,
					    .len = (uint32_t)len};
		memcpy(changed->name, name, len + 1);
	}
	if (append(notifier, changed))
		return 0;
	free(changed);
	return -ENOMEM;
}

int zkfs_notifier_expire_all(struct zkfs_notifier *notifier)
{
	const struct fuse_out_header header = {.len = sizeof(header),
					       .error = NOTIFY_INC_EPOCH};

	/* EINVAL: a code that it does not know. Any other: no mount. */
	if (!notifier->no_epoch &&
	    write(notifier->fd, &header, sizeof(header)) < 0 && errno == EINVAL)
		notifier->no_epoch = true;
	return notifier->no_epoch ? -EOPNOTSUPP : 0;
}

void zkfs_notifier_count(struct zkfs_notifier *notifier,
			 struct zkfs_notifier_counts *ret_counts)
{
	lock(notifier);
	*ret_counts = notifier->counts;
	unlock(notifier);
}

void zkfs_notifier_close(struct zkfs_notifier *notifier)
{
	struct zkfs_link forgotten, *first;

	zkfs_list_init(&forgotten);
	lock(notifier);
	notifier->closed = true;
	zkfs_list_splice(&forgotten, &notifier->queue);
	zkfs_list_for_each(it, &forgotten) {
		notifier->counts.queued--;
		notifier->counts.dropped++;
	}
	(void)pthread_cond_signal(&notifier->wake);
	unlock(notifier);
	while ((first = zkfs_list_first(&forgotten))) {
		zkfs_list_remove(first);
		free(zkfs_list_entry(first, struct changed, link));
	}
}

static struct timespec monotonic_in(int ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / MS_PER_SEC;
	at.tv_nsec += (ms % MS_PER_SEC) * NS_PER_MS;
	if (at.tv_nsec >= NS_PER_SEC) {
		at.tv_sec++;
		at.tv_nsec -= NS_PER_SEC;
	}
	return at;
}

bool zkfs_notifier_wait(struct zkfs_notifier *notifier, int limit_ms)
{
	struct timespec until = monotonic_in(limit_ms);
	bool ended;

	lock(notifier);
	while (!notifier->ended &&
	       pthread_cond_timedwait(&notifier->gone, &notifier->mutex,
				      &until) == 0)
		;
	ended = notifier->ended;
	unlock(notifier);
	return ended;
}

/*
 * resolver: see resolver.h.
 *
 * The question is shared by the loop and the thread, and freed by whoever lets
 * go of it last.
 */
#include "fs/zk/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/zk/servers.h"

/* The C library's modules for names are not modest. */
#define STACK_SIZE (512 * 1024)

struct question {
	atomic_uint n_refs;
	atomic_bool answered; /* then the thread touches nothing any more */
	char *hosts;
	char *numeric;
	int error;
	char words[256];
};

struct zkfs_resolver {
	char *hosts;
	struct question *question; /* or NULL */
};

static void question_unref(struct question *question)
{
	if (!question || atomic_fetch_sub(&question->n_refs, 1) > 1)
		return;
	free(question->numeric);
	free(question->hosts);
	free(question);
}

static struct question *question_new(const char *hosts)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	atomic_init(&question->n_refs, 1);
	question->hosts = strdup(hosts);
	if (question->hosts)
		return question;
	question_unref(question);
	return NULL;
}

static void *answer(void *arg)
{
	struct question *question = arg;
	struct zkfs_servers servers = {.hosts = question->hosts};

	question->error =
		zkfs_servers_resolve(&servers, &question->numeric,
				     question->words, sizeof(question->words));
	atomic_store(&question->answered, true);
	question_unref(question);
	return NULL;
}

/* Returns 0 or a negative errno. */
static int start_thread(struct question *question)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, answer, question);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

int zkfs_resolver_new(const char *hosts, struct zkfs_resolver **ret_resolver)
{
	struct zkfs_resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return -ENOMEM;
	resolver->hosts = strdup(hosts);
	if (!resolver->hosts) {
		free(resolver);
		return -ENOMEM;
	}
	*ret_resolver = resolver;
	return 0;
}

struct zkfs_resolver *zkfs_resolver_free(struct zkfs_resolver *resolver)
{
	if (!resolver)
		return NULL;
	question_unref(resolver->question);
	free(resolver->hosts);
	free(resolver);
	return NULL;
}

int zkfs_resolver_ask(struct zkfs_resolver *resolver)
{
	struct question *question;
	int r;

	if (resolver->question)
		return -EALREADY;
	question = question_new(resolver->hosts);
	if (!question)
		return -ENOMEM;
	atomic_fetch_add(&question->n_refs, 1); /* the thread's */
	r = start_thread(question);
	if (r < 0) {
		question_unref(question);
		question_unref(question);
		return r;
	}
	resolver->question = question;
	return 0;
}

bool zkfs_resolver_asking(const struct zkfs_resolver *resolver)
{
	return resolver->question;
}

bool zkfs_resolver_take(struct zkfs_resolver *resolver, char **ret_numeric)
{
	struct question *question = resolver->question;

	if (!question || !atomic_load(&question->answered))
		return false;
	if (question->error)
		zkfs_debug("%s", question->words);
	*ret_numeric = zkfs_steal(&question->numeric);
	question_unref(question);
	resolver->question = NULL;
	return true;
}

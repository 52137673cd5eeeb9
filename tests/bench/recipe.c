/* recipe: see recipe.h. */
#include "tests/bench/recipe.h"

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 10

static struct recipe *from(const void *data)
{
	return (struct recipe *)(uintptr_t)data;
}

/* Only the watch of recipe_acquire() is ever set. */
static void on_event(zhandle_t *zh __attribute__((unused)), int type,
		     int state __attribute__((unused)),
		     const char *path __attribute__((unused)), void *ctx)
{
	if (type != ZOO_SESSION_EVENT)
		from(ctx)->before_went = true;
}

void recipe_init(struct recipe *recipe, const char *address, const char *dir,
		 size_t n_names)
{
	if (n_names < 1 || n_names > RECIPE_NAMES)
		errx(2, "%zu names, not 1 to %d", n_names, RECIPE_NAMES);
	*recipe = (struct recipe){.dir = dir, .n_names = n_names};
	client_open(&recipe->client, address, on_event, recipe);
}

void recipe_fini(struct recipe *recipe)
{
	client_close(&recipe->client);
	free(recipe->before);
}

static const char *digits(const char *name)
{
	size_t len = strlen(name);

	if (len < DIGITS)
		errx(1, "'%s' is no contender", name);
	return name + len - DIGITS;
}

static void on_queue(int rc, const struct String_vector *names,
		     const void *data)
{
	struct recipe *recipe = from(data);
	const char *before = NULL;

	recipe->n_listed = rc == ZOK ? (size_t)names->count : 0;
	for (size_t i = 0; i < recipe->n_listed; i++) {
		const char *name = names->data[i];

		if (strcmp(digits(name), digits(recipe->made[0])) < 0 &&
		    (!before || strcmp(digits(name), digits(before)) > 0))
			before = name;
	}
	free(recipe->before);
	recipe->before = before ? strdup(before) : NULL;
	client_answered(&recipe->client, rc);
}

static void on_before(int rc, const char *value __attribute__((unused)),
		      int len __attribute__((unused)),
		      const struct Stat *stat __attribute__((unused)),
		      const void *data)
{
	struct recipe *recipe = from(data);

	recipe->before_went = rc == ZNONODE;
	client_answered(&recipe->client, rc == ZNONODE ? ZOK : rc);
}

/* One transaction for all names; a single one needs none. */
static void send_join(struct recipe *recipe, zoo_op_t *ops,
		      zoo_op_result_t *results,
		      char paths[RECIPE_NAMES][RECIPE_PATH])
{
	static const char *const names[RECIPE_NAMES] = {
		"_c_bench-lock-", "_c_bench-kazoo__lock__",
		"_c_bench-__WRIT__"};
	struct client *client = &recipe->client;

	for (size_t i = 0; i < recipe->n_names; i++) {
		(void)snprintf(paths[i], RECIPE_PATH, "%s/%s", recipe->dir,
			       names[i]);
		zoo_create_op_init(&ops[i], paths[i], "", 0,
				   &ZOO_OPEN_ACL_UNSAFE,
				   ZOO_EPHEMERAL | ZOO_SEQUENCE,
				   recipe->made[i], RECIPE_PATH);
	}
	client_sent(client, zoo_amulti(client->zh, (int)recipe->n_names, ops,
				       results, client_on_void, client));
}

void recipe_acquire(struct recipe *recipe)
{
	char paths[RECIPE_NAMES][RECIPE_PATH], path[RECIPE_PATH * 2];
	struct client *client = &recipe->client;
	zoo_op_result_t results[RECIPE_NAMES];
	zoo_op_t ops[RECIPE_NAMES];

	send_join(recipe, ops, results, paths);
	client_sent(client, zoo_aget_children(client->zh, recipe->dir, 0,
					      on_queue, recipe));
	client_wait(client, 0);
	if (!recipe->before)
		return;
	recipe->before_went = false;
	(void)snprintf(path, sizeof(path), "%s/%s", recipe->dir,
		       recipe->before);
	client_sent(client, zoo_awget(client->zh, path, on_event, recipe,
				      on_before, recipe));
	client_wait(client, 0);
	while (!recipe->before_went)
		client_turn(client);
}

void recipe_release(struct recipe *recipe)
{
	struct client *client = &recipe->client;
	zoo_op_result_t results[RECIPE_NAMES];
	zoo_op_t ops[RECIPE_NAMES];

	for (size_t i = 0; i < recipe->n_names; i++)
		zoo_delete_op_init(&ops[i], recipe->made[i], -1);
	client_sent(client, zoo_amulti(client->zh, (int)recipe->n_names, ops,
				       results, client_on_void, client));
	client_wait(client, 0);
}

size_t recipe_count(struct recipe *recipe)
{
	struct client *client = &recipe->client;

	client_sent(client, zoo_aget_children(client->zh, recipe->dir, 0,
					      on_queue, recipe));
	client_wait(client, 0);
	return recipe->n_listed;
}

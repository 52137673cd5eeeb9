/*
 * lockq_own: see the header. All names of a contender have the same length
 * whatever the session is, which is why the room is made before it is known.
 */
#include "fs/core/lockq_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The sign and ten digits that the server appends. */
#define DIGITS_MAX 11

static size_t build(const struct zkfs_lockq_config *config, const char *uuid,
		    char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES])
{
	return zkfs_names_build(names, config->mode, config->families, uuid,
				config->host, config->pid, config->label);
}

int zkfs_lockq_own_init(struct zkfs_lockq_own *own,
			const struct zkfs_lockq_config *config)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];
	char uuid[ZKFS_UUID_BYTES];

	zkfs_names_uuid(uuid, 0, 0);
	own->n_names = build(config, uuid, names);
	own->dir_len = strlen(config->lock) + 1;
	for (size_t i = 0; i < own->n_names; i++) {
		struct zkfs_own_name *name = &own->names[i];

		name->base_len = own->dir_len + strlen(names[i]);
		name->path = calloc(1, name->base_len + DIGITS_MAX + 1);
		if (!name->path)
			return -ENOMEM;
	}
	return 0;
}

void zkfs_lockq_own_fini(struct zkfs_lockq_own *own)
{
	for (size_t i = 0; i < ZKFS_NAMES_MAX; i++)
		free(own->names[i].path);
	*own = (struct zkfs_lockq_own){0};
}

void zkfs_lockq_own_set(struct zkfs_lockq_own *own,
			const struct zkfs_lockq_config *config,
			int64_t session_id)
{
	char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES];
	char uuid[ZKFS_UUID_BYTES];

	zkfs_names_uuid(uuid, session_id, config->random);
	(void)snprintf(own->prefix, sizeof(own->prefix), "_c_%s-", uuid);
	(void)build(config, uuid, names);
	for (size_t i = 0; i < own->n_names; i++)
		(void)snprintf(own->names[i].path, own->names[i].base_len + 1,
			       "%s/%s", config->lock, names[i]);
}

static void unmake(struct zkfs_own_name *name)
{
	name->path[name->base_len] = '\0';
	name->made = false;
}

static const char *base_of(const struct zkfs_lockq_own *own, size_t i)
{
	return own->names[i].path + own->dir_len;
}

bool zkfs_lockq_own_adopt(struct zkfs_lockq_own *own, size_t i,
			  const char *name)
{
	struct zkfs_own_name *mine = &own->names[i];
	size_t base_len = mine->base_len - own->dir_len;
	struct zkfs_name_parts parts;
	size_t len = strlen(name);

	unmake(mine);
	if (strncmp(name, base_of(own, i), base_len) != 0 ||
	    len - base_len > DIGITS_MAX || !zkfs_names_parse(name, &parts))
		return false;

	memcpy(mine->path + mine->base_len, name + base_len,
	       len - base_len + 1);
	mine->made = true;
	if (i == 0)
		own->sequence = parts.sequence;
	if (i + 1 == own->n_names)
		own->last = parts.sequence;
	return true;
}

size_t zkfs_lockq_own_adopt_entry(struct zkfs_lockq_own *own,
				  const struct zkfs_queue_entry *entry)
{
	size_t n = 0;

	for (size_t i = 0; i < own->n_names; i++) {
		bool found = false;

		unmake(&own->names[i]);
		for (size_t j = 0; entry && !found && j < entry->n_names; j++)
			found = zkfs_lockq_own_adopt(own, i, entry->names[j]);
		n += found;
	}
	return n;
}

bool zkfs_lockq_own_all_listed(const struct zkfs_lockq_own *own,
			       const struct zkfs_queue *queue)
{
	const struct zkfs_queue_entry *entry =
		zkfs_queue_find_at(queue, own->sequence, own->prefix);
	size_t n = 0;

	for (size_t i = 0; i < own->n_names; i++)
		for (size_t j = 0; entry && j < entry->n_names; j++)
			n += own->names[i].made &&
			     !strcmp(base_of(own, i), entry->names[j]);
	return n == own->n_names;
}

size_t zkfs_lockq_own_creates(struct zkfs_lockq_own *own, const char *data,
			      struct zkfs_zk_op ops[ZKFS_NAMES_MAX])
{
	for (size_t i = 0; i < own->n_names; i++) {
		unmake(&own->names[i]);
		ops[i] = (struct zkfs_zk_op){
			.kind = ZKFS_ZK_OP_CREATE,
			.path = own->names[i].path,
			.data = i == 0 ? data : "",
			.len = i == 0 ? strlen(data) : 0,
			.flags = ZKFS_ZK_EPHEMERAL | ZKFS_ZK_SEQUENCE,
		};
	}
	return own->n_names;
}

size_t zkfs_lockq_own_deletes(const struct zkfs_lockq_own *own,
			      struct zkfs_zk_op ops[ZKFS_NAMES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < own->n_names; i++)
		if (own->names[i].made)
			ops[n++] = (struct zkfs_zk_op){
				.kind = ZKFS_ZK_OP_DELETE,
				.path = own->names[i].path,
				.version = ZKFS_ZK_ANY_VERSION,
			};
	return n;
}

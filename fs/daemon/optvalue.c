/*
 * optvalue: see optvalue.h.
 */
#include "fs/daemon/optvalue.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/core/acltext.h"
#include "include/zkfs/names.h"
#include "include/zkfs/path.h"

#define BYTES_MAX ((unsigned long long)1 << 40)
/* Below this the client cannot tell a slow connect from a dead server. */
#define MIN_SESSION_TIMEOUT_MS 500
#define MIN_TIMEO_MS	       1
#define MAX_SECONDS	       86400

static const struct {
	const char *name;
	unsigned family;
} families[] = {
	{"curator", ZKFS_FAMILY_CURATOR},
	{"kazoo", ZKFS_FAMILY_KAZOO},
	{"curator-rw", ZKFS_FAMILY_CURATOR_RW},
	{"all", ZKFS_FAMILY_ALL},
};

int zkfs_optvalue_fail(struct zkfs_opts_parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(p->words, p->words_len, format, args);
	va_end(args);
	return -EINVAL;
}

int zkfs_optvalue_nomem(struct zkfs_opts_parser *p)
{
	(void)zkfs_optvalue_fail(p, "out of memory");
	return -ENOMEM;
}

static void *field(struct zkfs_opts_parser *p,
		   const struct zkfs_opts_spec *spec)
{
	return (char *)p + spec->offset;
}

/* Stores a copy of `value`, in place of what a duplicate left there. */
int zkfs_optvalue_store(struct zkfs_opts_parser *p, char **at,
			const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return zkfs_optvalue_nomem(p);
	free(*at);
	*at = copy;
	return 0;
}

int zkfs_optvalue_true(struct zkfs_opts_parser *p,
		       const struct zkfs_opts_spec *spec,
		       zkfs_unused const char *value)
{
	*(bool *)field(p, spec) = true;
	return 0;
}

int zkfs_optvalue_inotify(struct zkfs_opts_parser *p,
			  const struct zkfs_opts_spec *spec,
			  zkfs_unused const char *value)
{
	*(enum zkfs_opts_inotify *)field(p, spec) = ZKFS_OPTS_INOTIFY_ALL;
	return 0;
}

int zkfs_optvalue_no_inotify(struct zkfs_opts_parser *p,
			     const struct zkfs_opts_spec *spec,
			     zkfs_unused const char *value)
{
	*(enum zkfs_opts_inotify *)field(p, spec) = ZKFS_OPTS_INOTIFY_OFF;
	return 0;
}

int zkfs_optvalue_false(struct zkfs_opts_parser *p,
			const struct zkfs_opts_spec *spec,
			zkfs_unused const char *value)
{
	*(bool *)field(p, spec) = false;
	return 0;
}

int zkfs_optvalue_file(struct zkfs_opts_parser *p,
		       const struct zkfs_opts_spec *spec, const char *value)
{
	zkfs_autofree char *cwd = NULL, *path = NULL;

	if (value[0] == '/')
		return zkfs_optvalue_store(p, field(p, spec), value);
	cwd = getcwd(NULL, 0);
	if (!cwd && errno != ENOMEM)
		return zkfs_optvalue_fail(p, "option '%s': '%s': %s",
					  spec->name, value, strerror(errno));
	if (!cwd || asprintf(&path, "%s/%s", cwd, value) < 0) {
		path = NULL;
		return zkfs_optvalue_nomem(p);
	}
	return zkfs_optvalue_store(p, field(p, spec), path);
}

/* A decimal number that can be an id: -1 means "no change" to chown(2). */
static bool read_id(const char *text, uint32_t *ret_id)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || number >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)number;
	return true;
}

int zkfs_optvalue_uid(struct zkfs_opts_parser *p,
		      const struct zkfs_opts_spec *spec, const char *value)
{
	const struct passwd *entry;
	uint32_t id;

	if (!read_id(value, &id)) {
		entry = getpwnam(value);
		if (!entry)
			return zkfs_optvalue_fail(
				p, "option '%s': there is no user '%s'",
				spec->name, value);
		id = entry->pw_uid;
	}
	*(uid_t *)field(p, spec) = id;
	return 0;
}

int zkfs_optvalue_gid(struct zkfs_opts_parser *p,
		      const struct zkfs_opts_spec *spec, const char *value)
{
	const struct group *entry;
	uint32_t id;

	if (!read_id(value, &id)) {
		entry = getgrnam(value);
		if (!entry)
			return zkfs_optvalue_fail(
				p, "option '%s': there is no group '%s'",
				spec->name, value);
		id = entry->gr_gid;
	}
	*(gid_t *)field(p, spec) = id;
	return 0;
}

int zkfs_optvalue_mode(struct zkfs_opts_parser *p,
		       const struct zkfs_opts_spec *spec, const char *value)
{
	size_t len = strlen(value);

	if (len > 4 || strspn(value, "01234567") != len ||
	    strtoul(value, NULL, 8) > 0777)
		return zkfs_optvalue_fail(
			p, "option '%s': '%s' is not an octal mode", spec->name,
			value);
	*(mode_t *)field(p, spec) = (mode_t)strtoul(value, NULL, 8);
	return 0;
}

/* Reads "4096", "64K", "1G". */
static bool read_bytes(const char *text, size_t *ret_bytes)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *end;
	unsigned long long bytes;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	bytes = strtoull(text, &end, 10);
	if (errno || bytes > BYTES_MAX)
		return false;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		int shift = 10 * (int)(suffix - suffixes + 1);

		/* Else the highest bits are lost. */
		if (bytes > BYTES_MAX >> shift)
			return false;
		bytes <<= shift;
		end++;
	}
	*ret_bytes = (size_t)bytes;
	return *end == '\0';
}

int zkfs_optvalue_bytes(struct zkfs_opts_parser *p,
			const struct zkfs_opts_spec *spec, const char *value)
{
	if (!read_bytes(value, field(p, spec)))
		return zkfs_optvalue_fail(
			p,
			"option '%s': '%s' is not a number of bytes up to "
			"1024G, as 4096, 64K, 64M or 1G",
			spec->name, value);
	return 0;
}

int zkfs_optvalue_count(struct zkfs_opts_parser *p,
			const struct zkfs_opts_spec *spec, const char *value)
{
	size_t len = strspn(value, "0123456789");

	if (len == 0 || len > 9 || value[len])
		return zkfs_optvalue_fail(p,
					  "option '%s': '%s' is not a number",
					  spec->name, value);
	*(size_t *)field(p, spec) = strtoul(value, NULL, 10);
	return 0;
}

static int refuse_none(struct zkfs_opts_parser *p,
		       const struct zkfs_opts_spec *spec)
{
	if (*(size_t *)field(p, spec) > 0)
		return 0;
	return zkfs_optvalue_fail(p, "option '%s': 0 leaves nothing",
				  spec->name);
}

int zkfs_optvalue_limit_count(struct zkfs_opts_parser *p,
			      const struct zkfs_opts_spec *spec,
			      const char *value)
{
	int r = zkfs_optvalue_count(p, spec, value);

	return r < 0 ? r : refuse_none(p, spec);
}

int zkfs_optvalue_limit_bytes(struct zkfs_opts_parser *p,
			      const struct zkfs_opts_spec *spec,
			      const char *value)
{
	int r = zkfs_optvalue_bytes(p, spec, value);

	return r < 0 ? r : refuse_none(p, spec);
}

/* Reads "12", "0.5", "12.25"; not what strtod(3) takes besides, nor what it
 * makes of a locale. Digits below the millisecond are dropped. A number past
 * `max` s yields a larger one. */
static bool read_seconds(const char *text, int64_t max, int64_t *ret_ms)
{
	int64_t ms = 0;
	int64_t unit = 1000;

	if (!isdigit((unsigned char)text[0]))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (ms <= max * 1000)
			ms = ms * 10 + (*text - '0') * unit;
	if (*text == '.' && !isdigit((unsigned char)text[1]))
		return false;
	if (*text == '.')
		text++;
	for (; isdigit((unsigned char)*text); text++) {
		unit /= 10;
		ms += (*text - '0') * unit;
	}
	*ret_ms = ms;
	return *text == '\0';
}

static int set_seconds(struct zkfs_opts_parser *p,
		       const struct zkfs_opts_spec *spec, const char *value,
		       int min_ms)
{
	int64_t ms;

	if (!read_seconds(value, MAX_SECONDS, &ms))
		return zkfs_optvalue_fail(
			p, "option '%s': '%s' is not a number of seconds",
			spec->name, value);
	if (ms < min_ms || ms > (int64_t)MAX_SECONDS * 1000)
		return zkfs_optvalue_fail(
			p,
			"option '%s': '%s' is not between %g and %d "
			"seconds",
			spec->name, value, min_ms / 1000.0, MAX_SECONDS);
	*(int *)field(p, spec) = (int)ms;
	return 0;
}

int zkfs_optvalue_timeo(struct zkfs_opts_parser *p,
			const struct zkfs_opts_spec *spec, const char *value)
{
	return set_seconds(p, spec, value, MIN_TIMEO_MS);
}

int zkfs_optvalue_session_timeout(struct zkfs_opts_parser *p,
				  const struct zkfs_opts_spec *spec,
				  const char *value)
{
	return set_seconds(p, spec, value, MIN_SESSION_TIMEOUT_MS);
}

int zkfs_optvalue_filename(struct zkfs_opts_parser *p,
			   const struct zkfs_opts_spec *spec, const char *value)
{
	if (!zkfs_path_name_valid(value) || strlen(value) > ZKFS_NAME_MAX)
		return zkfs_optvalue_fail(
			p, "option '%s': '%s' is not a file name", spec->name,
			value);
	return zkfs_optvalue_store(p, field(p, spec), value);
}

/* An empty name is one that no file has. */
int zkfs_optvalue_ctlname(struct zkfs_opts_parser *p,
			  const struct zkfs_opts_spec *spec, const char *value)
{
	if (!value || *value == '\0')
		return zkfs_optvalue_store(p, field(p, spec), "");
	return zkfs_optvalue_filename(p, spec, value);
}

static bool has_lockroot(const struct zkfs_opts *opts, const char *root)
{
	for (size_t i = 0; i < opts->n_lockroots; i++)
		if (strcmp(opts->lockroots[i], root) == 0)
			return true;
	return false;
}

/* Takes `root` over. */
int zkfs_optvalue_add_lockroot(struct zkfs_opts_parser *p, char *root)
{
	struct zkfs_opts *opts = &p->opts;
	char **larger = reallocarray(opts->lockroots, opts->n_lockroots + 1,
				     sizeof(char *));

	if (!larger) {
		free(root);
		return zkfs_optvalue_nomem(p);
	}
	opts->lockroots = larger;
	opts->lockroots[opts->n_lockroots++] = root;
	return 0;
}

int zkfs_optvalue_lockroot(struct zkfs_opts_parser *p,
			   const struct zkfs_opts_spec *spec, const char *value)
{
	size_t len = strlen(value);
	zkfs_autofree char *root = NULL;

	while (len > 1 && value[len - 1] == '/')
		len--;
	root = strndup(value, len);
	if (!root)
		return zkfs_optvalue_nomem(p);
	if (!zkfs_path_valid(root))
		return zkfs_optvalue_fail(
			p,
			"option '%s': '%s' is not an absolute path "
			"of a znode",
			spec->name, value);
	if (has_lockroot(&p->opts, root))
		return 0;
	return zkfs_optvalue_add_lockroot(p, zkfs_steal(&root));
}

/* The family called by the first `len` bytes of `name`, or 0. */
static unsigned find_family(const char *name, size_t len)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(families); i++)
		if (strlen(families[i].name) == len &&
		    memcmp(families[i].name, name, len) == 0)
			return families[i].family;
	return 0;
}

int zkfs_optvalue_locknames(struct zkfs_opts_parser *p,
			    const struct zkfs_opts_spec *spec,
			    const char *value)
{
	unsigned all = 0;

	for (const char *at = value;; at++) {
		size_t len = strcspn(at, ":");
		unsigned family = find_family(at, len);

		if (!family)
			return zkfs_optvalue_fail(
				p,
				"option '%s': '%.*s' is not one of "
				"curator, kazoo, curator-rw, all",
				spec->name, (int)zkfs_min_size(len, 64), at);
		all |= family;
		at += len;
		if (*at == '\0')
			break;
	}
	*(unsigned *)field(p, spec) = all;
	return 0;
}

/* In the place of what a duplicate left there. */
static int read_acl(const char *text, char **acl, size_t *len)
{
	char *bytes;
	int r = zkfs_acltext_parse(text, strlen(text), &bytes, len);

	if (r < 0)
		return r;
	free(*acl);
	*acl = bytes;
	return 0;
}

/* What a contender says of itself is read by whoever waits behind it, with
 * clients of others, too. (Who may break a lock is said by the ACL of the lock:
 * deleting is a right over the parent.) */
int zkfs_optvalue_acl(struct zkfs_opts_parser *p,
		      const struct zkfs_opts_spec *spec, const char *value)
{
	struct zkfs_opts *opts = &p->opts;
	zkfs_autofree char *readable = NULL;
	int r;

	if (asprintf(&readable, "%s,world:anyone:r", value) < 0) {
		readable = NULL;
		return zkfs_optvalue_nomem(p);
	}
	r = read_acl(value, &opts->acl, &opts->acl_len);
	if (r == 0)
		r = read_acl(readable, &opts->contender_acl,
			     &opts->contender_acl_len);
	if (r == -EINVAL)
		return zkfs_optvalue_fail(p,
					  "option '%s': '%s' is not a list of "
					  "SCHEME:ID:PERMISSIONS",
					  spec->name, value);
	return r < 0 ? zkfs_optvalue_nomem(p) : 0;
}

int zkfs_optvalue_remount(struct zkfs_opts_parser *p,
			  const struct zkfs_opts_spec *spec,
			  zkfs_unused const char *value)
{
	return zkfs_optvalue_fail(
		p,
		"option '%s': the options of a mounted tree cannot be "
		"changed; unmount it first",
		spec->name);
}

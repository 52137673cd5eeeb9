/*
 * names: one contender's names on the wire, written and read back. See the
 * header for what they look like and why there are several.
 */
#include "include/zkfs/names.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/util.h"
#include "include/zkfs/path.h"

#define UUID_LEN       (ZKFS_UUID_BYTES - 1)
#define GROUP_LEN      (3 + UUID_LEN + 1) /* _c_<uuid>- */
#define HOST_MAX       64
#define DIGITS	       10
#define TEN_DIGITS_MIN 1000000000 /* a lower one with its sign has nine */
#define PID_DIGITS     18	  /* any more could overflow a long */

/* What stands right before the digits, and what it means. */
static const struct marker {
	const char *text;
	enum zkfs_lock_mode mode;
	enum zkfs_name_family family;
} markers[] = {
	{"__READ__", ZKFS_LOCK_SHARED, ZKFS_FAMILY_CURATOR_RW},
	{"__WRIT__", ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_CURATOR_RW},
	{"__rlock__", ZKFS_LOCK_SHARED, ZKFS_FAMILY_KAZOO},
	{"__lock__", ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_KAZOO},
	{"lock-", ZKFS_LOCK_EXCLUSIVE, ZKFS_FAMILY_CURATOR},
};

/* The layout SSSSSSSS-SSSS-8SSS-vSrr-rrrrrrrrrrrr keeps all 16 digits of the
 * session id in reading order around the version (8: "custom", RFC 9562) and
 * the variant, so that `ls` shows whose contender it is. */
void zkfs_names_uuid(char uuid[ZKFS_UUID_BYTES], int64_t session_id,
		     uint64_t random)
{
	uint64_t s = (uint64_t)session_id;
	unsigned variant = 0x8 | (unsigned)((random >> 56) & 0x3);

	(void)snprintf(uuid, ZKFS_UUID_BYTES,
		       "%08x-%04x-8%03x-%x%x%02x-%012" PRIx64,
		       (unsigned)(s >> 32), (unsigned)(s >> 16) & 0xffff,
		       (unsigned)(s >> 4) & 0xfff, variant, (unsigned)s & 0xf,
		       (unsigned)(random >> 48) & 0xff,
		       random & UINT64_C(0xffffffffffff));
}

bool zkfs_names_label_valid(const char *label)
{
	if (strlen(label) > ZKFS_LABEL_MAX || label[0] == '.' ||
	    !zkfs_path_name_valid(label))
		return false;

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(markers); i++)
		if (strstr(label, markers[i].text))
			return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_host(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-';
}

/* No '.' is left in it, so that host.pid.label can be taken apart, and no
 * '_', so that no marker can stand in it but "lock-", of which Curator and Go
 * look for the last. */
static void clean_host(char out[HOST_MAX + 1], const char *host)
{
	size_t len = strnlen(host, HOST_MAX);

	for (size_t i = 0; i < len; i++)
		out[i] = is_host(host[i]) ? host[i] : '-';
	if (len == 0)
		out[len++] = '-';
	out[len] = '\0';
}

static void put(char *name, const char *uuid, const char *rest)
{
	(void)snprintf(name, ZKFS_NAMES_BYTES, "_c_%s-%s", uuid, rest);
}

static size_t build_exclusive(char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES],
			      unsigned families, const char *uuid,
			      const char *host, long pid, const char *label)
{
	char clean[HOST_MAX + 1];
	size_t n = 0;

	clean_host(clean, host);
	if (families & ZKFS_FAMILY_CURATOR)
		(void)snprintf(names[n++], ZKFS_NAMES_BYTES,
			       "_c_%s-%s.%ld.%s-lock-", uuid, clean, pid,
			       label);
	if (families & ZKFS_FAMILY_KAZOO)
		put(names[n++], uuid, "kazoo__lock__");
	if (families & ZKFS_FAMILY_CURATOR_RW)
		put(names[n++], uuid, "__WRIT__");
	return n;
}

/* Curator has no shared form of its mutex; a mount whose list of families is
 * cut down to that one still needs a name to stand in the queue with. */
static size_t build_shared(char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES],
			   unsigned families, const char *uuid)
{
	size_t n = 0;

	if (families & (ZKFS_FAMILY_CURATOR | ZKFS_FAMILY_CURATOR_RW))
		put(names[n++], uuid, "__READ__");
	if (families & ZKFS_FAMILY_KAZOO)
		put(names[n++], uuid, "kazoo__rlock__");
	return n;
}

size_t zkfs_names_build(char names[ZKFS_NAMES_MAX][ZKFS_NAMES_BYTES],
			enum zkfs_lock_mode mode, unsigned families,
			const char *uuid, const char *host, long pid,
			const char *label)
{
	assert(strlen(label) <= ZKFS_LABEL_MAX);

	if (!(families & ZKFS_FAMILY_ALL))
		families = ZKFS_FAMILY_ALL;
	if (mode == ZKFS_LOCK_SHARED)
		return build_shared(names, families, uuid);
	return build_exclusive(names, families, uuid, host, pid, label);
}

/* "_c_" and a UUID and "-": Curator's protection, and ours. */
static bool has_group(const char *name, size_t len)
{
	if (len < GROUP_LEN || memcmp(name, "_c_", 3) != 0 ||
	    name[GROUP_LEN - 1] != '-')
		return false;

	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		char c = name[3 + i];

		if (dash ? c != '-' : !is_hex(c))
			return false;
	}
	return true;
}

static const struct marker *find_marker(const char *name, size_t len)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(markers); i++) {
		size_t n = strlen(markers[i].text);

		if (len >= n && !memcmp(name + len - n, markers[i].text, n))
			return &markers[i];
	}
	return NULL;
}

/*
 * The server formats its 32 bit counter as "%010d", sign included, so that one
 * that wrapped reads "-2147483648", and a '-' before ten digits is either the
 * sign or the last byte of the prefix ("lock-", "x-<session>-"). It is the
 * sign when the prefix is complete without it, or when the digits alone do not
 * fit. Returns the length of the prefix.
 */
static size_t read_sequence(const char *name, size_t len, int64_t *ret_sequence)
{
	size_t prefix_len = len - DIGITS;
	int64_t value = 0;
	bool negative;

	for (size_t i = prefix_len; i < len; i++)
		value = value * 10 + (name[i] - '0');

	negative = prefix_len > 0 && name[prefix_len - 1] == '-' &&
		   value >= TEN_DIGITS_MIN &&
		   (value > INT32_MAX ||
		    (prefix_len > 1 && name[prefix_len - 2] == '-') ||
		    find_marker(name, prefix_len - 1));
	*ret_sequence = negative ? -value : value;
	return negative ? prefix_len - 1 : prefix_len;
}

/* "<host>.<pid>.<label>-lock-" behind the group. The label may hold dots, the
 * host and the pid do not. */
static bool read_own(const char *text, size_t len,
		     struct zkfs_name_parts *parts)
{
	static const char tail[] = "-lock-";
	size_t tail_len = sizeof(tail) - 1;
	const char *end, *dot, *pid;
	long value = 0;

	if (len <= tail_len || memcmp(text + len - tail_len, tail, tail_len))
		return false;
	end = text + len - tail_len;

	dot = memchr(text, '.', (size_t)(end - text));
	if (!dot || dot == text)
		return false;
	for (pid = dot + 1; pid < end && is_digit(*pid); pid++) {
		if (pid - dot > PID_DIGITS)
			return false;
		value = value * 10 + (*pid - '0');
	}
	if (pid == dot + 1 || pid == end || *pid != '.' || pid + 1 == end)
		return false;

	parts->host = text;
	parts->host_len = (size_t)(dot - text);
	parts->pid = value;
	parts->label = pid + 1;
	parts->label_len = (size_t)(end - pid - 1);
	return true;
}

bool zkfs_names_parse(const char *name, struct zkfs_name_parts *ret_parts)
{
	struct zkfs_name_parts parts = {.mode = ZKFS_LOCK_EXCLUSIVE};
	size_t len = strlen(name), prefix_len;
	const struct marker *marker;

	if (len < DIGITS)
		return false;
	for (size_t i = len - DIGITS; i < len; i++)
		if (!is_digit(name[i]))
			return false;

	prefix_len = read_sequence(name, len, &parts.sequence);
	marker = find_marker(name, prefix_len);
	if (marker) {
		parts.mode = marker->mode;
		parts.family = marker->family;
	}

	parts.group = name;
	parts.group_len = len;
	if (has_group(name, prefix_len)) {
		parts.group_len = GROUP_LEN;
		parts.ours = read_own(name + GROUP_LEN, prefix_len - GROUP_LEN,
				      &parts);
	}
	*ret_parts = parts;
	return true;
}

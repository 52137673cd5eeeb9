/*
 * acltext: see acltext.h. The letters and their order are those of zkCli's
 * getAcl (ZKUtil.getPermString), the bits those of ZooDefs.Perms.
 */
#include "fs/core/acltext.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/text.h"
#include "fs/base/util.h"

static const struct {
	char letter;
	int32_t bit;
} perms[] = {
	{'c', 4}, {'d', 8}, {'r', 1}, {'w', 2}, {'a', 16},
};

/* A part of the text that is read. */
struct span {
	const char *at;
	size_t len;
};

/* Takes one entry off the front of *rest. The comma behind it is taken, too,
 * and has to be followed by another entry. */
static bool take_entry(struct span *rest, struct span *ret_entry)
{
	size_t len = 0;

	while (len < rest->len && rest->at[len] != ',')
		len += rest->at[len] == '\\' && len + 1 < rest->len ? 2 : 1;
	*ret_entry = (struct span){rest->at, len};
	rest->at += len;
	rest->len -= len;
	if (rest->len == 0)
		return true;
	rest->at++;
	rest->len--;
	return rest->len > 0;
}

static bool read_perms(struct span letters, int32_t *ret_perms)
{
	*ret_perms = 0;
	for (size_t i = 0; i < letters.len; i++) {
		size_t j = 0;

		while (j < ZKFS_ARRAY_SIZE(perms) &&
		       perms[j].letter != letters.at[i])
			j++;
		if (j == ZKFS_ARRAY_SIZE(perms))
			return false;
		*ret_perms |= perms[j].bit;
	}
	return *ret_perms != 0;
}

/* Copies it without its backslashes, and a NUL behind. */
static char *unescape(char *to, struct span from)
{
	for (size_t i = 0; i < from.len; i++) {
		if (from.at[i] == '\\' && i + 1 < from.len)
			i++;
		*to++ = from.at[i];
	}
	*to++ = '\0';
	return to;
}

/* Packs one entry at *at, for which there is room. */
static bool read_entry(struct span entry, char **at)
{
	const char *end = entry.at + entry.len;
	const char *first = memchr(entry.at, ':', entry.len);
	const char *last = memrchr(entry.at, ':', entry.len);
	struct span scheme, id, letters;
	int32_t bits;

	if (!first || first == last || first == entry.at)
		return false;
	scheme = (struct span){entry.at, (size_t)(first - entry.at)};
	id = (struct span){first + 1, (size_t)(last - first - 1)};
	letters = (struct span){last + 1, (size_t)(end - last - 1)};
	if (!read_perms(letters, &bits))
		return false;
	memcpy(*at, &bits, sizeof(bits));
	*at = unescape(*at + sizeof(bits), scheme);
	*at = unescape(*at, id);
	return true;
}

/* An entry loses two colons and at least one letter, and gains two NULs and an
 * int. */
static size_t packed_max(struct span text)
{
	size_t entries = 1;

	for (size_t i = 0; i < text.len; i++)
		entries += text.at[i] == ',';
	return text.len + entries * sizeof(int32_t);
}

int zkfs_acltext_parse(const char *text, size_t len, char **ret_bytes,
		       size_t *ret_len)
{
	struct span rest = {text, len}, entry;
	zkfs_autofree char *bytes = NULL;
	char *at;

	if (len == 0 || memchr(text, '\0', len))
		return -EINVAL;
	at = bytes = malloc(packed_max(rest));
	if (!bytes)
		return -ENOMEM;
	while (rest.len > 0)
		if (!take_entry(&rest, &entry) || !read_entry(entry, &at))
			return -EINVAL;
	*ret_len = (size_t)(at - bytes);
	*ret_bytes = zkfs_steal(&bytes);
	return 0;
}

/* Printing */

struct entry {
	int32_t perms;
	const char *scheme;
	const char *id;
};

/* Reads one packed entry and moves on to the next. False at the end. */
static bool next_entry(const char **at, const char *end,
		       struct entry *ret_entry)
{
	if (*at >= end)
		return false;
	memcpy(&ret_entry->perms, *at, sizeof(ret_entry->perms));
	ret_entry->scheme = *at + sizeof(ret_entry->perms);
	ret_entry->id = ret_entry->scheme + strlen(ret_entry->scheme) + 1;
	*at = ret_entry->id + strlen(ret_entry->id) + 1;
	return true;
}

static void print_escaped(struct zkfs_text *text, const char *word)
{
	for (; *word; word++)
		zkfs_text_printf(text, "%s%c",
				 *word == ',' || *word == '\\' ? "\\" : "",
				 *word);
}

static void print_perms(struct zkfs_text *text, int32_t bits)
{
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(perms); i++)
		if (bits & perms[i].bit)
			zkfs_text_printf(text, "%c", perms[i].letter);
}

void zkfs_acltext_print(struct zkfs_text *text, const void *bytes, size_t len)
{
	const char *at = bytes, *end = at + len;
	struct entry entry;

	while (next_entry(&at, end, &entry)) {
		zkfs_text_printf(text, "%s", text->len > 0 ? "," : "");
		print_escaped(text, entry.scheme);
		zkfs_text_printf(text, ":");
		print_escaped(text, entry.id);
		zkfs_text_printf(text, ":");
		print_perms(text, entry.perms);
	}
}

bool zkfs_acltext_has_scheme(const void *bytes, size_t len, const char *scheme)
{
	const char *at = bytes, *end = at + len;
	struct entry entry;

	while (next_entry(&at, end, &entry))
		if (strcmp(entry.scheme, scheme) == 0)
			return true;
	return false;
}

/*
 * fuzz_names: a child list of anything. Names are put together from the parts
 * that names are made of, so that random bytes come near to real ones: what is
 * taken apart must fit together again, and a queue must hold each contender's
 * name once, in order, whatever the list was.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "include/zkfs/names.h"
#include "include/zkfs/queue.h"
#include "tests/fuzz/fuzz.h"

#define N_NAMES	   24
#define NAME_BYTES 120

static const char *const parts[] = {
	"_c_",
	"8a4f9d9c-3bfb-4a4e-8f2e-0d5b7a0e1c22",
	"00000001-0000-8000-8000-000000000001",
	"-",
	"host.7.me",
	".",
	"lock-",
	"-lock-",
	"kazoo__lock__",
	"__rlock__",
	"__READ__",
	"__WRIT__",
	"0000000001",
	"0000000002",
	"2147483647",
	"2147483648",
	"-2147483648",
	"99",
};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void make_name(struct fuzz_input *in, char name[NAME_BYTES])
{
	size_t len = 0;

	for (unsigned n = fuzz_u8(in) % 8; n > 0; n--) {
		uint8_t choice = fuzz_u8(in);
		const char *part = parts[choice % N_PARTS];
		size_t part_len = strlen(part);

		if (choice >= 250) {
			name[len++] = (char)(1 + fuzz_u8(in) % 255);
		} else if (len + part_len + 8 < NAME_BYTES) {
			memcpy(name + len, part, part_len);
			len += part_len;
		}
	}
	name[len] = '\0';
}

static bool inside(const char *text, size_t len, const char *name)
{
	return text >= name && text + len <= name + strlen(name);
}

static void check_parts(const char *name)
{
	struct zkfs_name_parts p;
	char digits[32];
	size_t len;

	if (!zkfs_names_parse(name, &p))
		return;

	/* The number, written as the server writes it, ends the name. */
	len = (size_t)snprintf(digits, sizeof(digits), "%010" PRId64,
			       p.sequence);
	fuzz_must(len <= strlen(name));
	fuzz_must(!strcmp(name + strlen(name) - len, digits));

	fuzz_must(p.group == name && p.group_len <= strlen(name));
	fuzz_must(p.group_len == strlen(name) || p.group_len == 40);
	if (p.ours) {
		fuzz_must(p.group_len == 40);
		fuzz_must(inside(p.host, p.host_len, name) && p.host_len > 0);
		fuzz_must(inside(p.label, p.label_len, name) &&
			  p.label_len > 0);
		fuzz_must(p.pid >= 0);
	}
}

static void check_queue(const char *const *names, size_t n)
{
	struct zkfs_queue queue;
	size_t n_contenders = 0, n_listed = 0;
	struct zkfs_name_parts p;

	for (size_t i = 0; i < n; i++)
		n_contenders += zkfs_names_parse(names[i], &p);
	if (zkfs_queue_parse(names, n, &queue) < 0)
		return;

	for (size_t i = 0; i < queue.n_entries; i++) {
		const struct zkfs_queue_entry *entry = &queue.entries[i];

		fuzz_must(entry->n_names > 0 &&
			  entry->n_names <= ZKFS_NAMES_MAX);
		n_listed += entry->n_names;
		fuzz_must(i == 0 || entry[-1].sequence <= entry->sequence);
		fuzz_must(zkfs_names_parse(entry->names[0], &p) &&
			  p.sequence == entry->sequence);
		fuzz_must(zkfs_queue_find(&queue, entry->names[0]) != NULL);
	}
	fuzz_must(n_listed == n_contenders);

	/* Whoever comes last waits for somebody, if there is anybody. */
	fuzz_must(!zkfs_queue_blocker(&queue, INT64_MAX, ZKFS_LOCK_EXCLUSIVE,
				      NULL) == (queue.n_entries == 0));
	while (queue.n_entries > 0)
		zkfs_queue_remove(&queue,
				  &queue.entries[n_listed++ % queue.n_entries]);
	zkfs_queue_fini(&queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffers[N_NAMES][NAME_BYTES];
	const char *names[N_NAMES];
	struct fuzz_input in = {.data = data, .len = size};

	for (size_t i = 0; i < N_NAMES; i++) {
		make_name(&in, buffers[i]);
		names[i] = buffers[i];
		check_parts(names[i]);
		(void)zkfs_names_label_valid(names[i]);
	}
	check_queue(names, N_NAMES);
	return 0;
}

/*
 * prometheus: see prometheus.h.
 */
#include "fs/core/prometheus.h"

#include <inttypes.h>

#define US_PER_S 1000000

void zkfs_prometheus_family(struct zkfs_text *text, const char *name,
			    const char *type, const char *help)
{
	zkfs_text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
			 type);
}

static void print_name(struct zkfs_text *text, const char *name,
		       const char *suffix, const char *labels)
{
	if (*labels)
		zkfs_text_printf(text, "%s%s{%s} ", name, suffix, labels);
	else
		zkfs_text_printf(text, "%s%s ", name, suffix);
}

/* Without trailing zeroes: "0.00025", "2.5", "60". */
static void print_seconds(struct zkfs_text *text, int64_t us)
{
	int64_t rest = us % US_PER_S;
	int digits = 6;

	zkfs_text_printf(text, "%" PRId64, us / US_PER_S);
	if (rest == 0)
		return;
	for (; rest % 10 == 0; rest /= 10)
		digits--;
	zkfs_text_printf(text, ".%0*" PRId64, digits, rest);
}

void zkfs_prometheus_number(struct zkfs_text *text, const char *name,
			    const char *labels, uint64_t value)
{
	print_name(text, name, "", labels);
	zkfs_text_printf(text, "%" PRIu64 "\n", value);
}

void zkfs_prometheus_seconds(struct zkfs_text *text, const char *name,
			     const char *labels, int64_t us)
{
	print_name(text, name, "", labels);
	print_seconds(text, us < 0 ? 0 : us);
	zkfs_text_printf(text, "\n");
}

/* bound_us less than 0: no bound. */
static void print_bucket(struct zkfs_text *text, const char *name,
			 const char *labels, int64_t bound_us, uint64_t below)
{
	zkfs_text_printf(text, "%s_bucket{%s%sle=\"", name, labels,
			 *labels ? "," : "");
	if (bound_us < 0)
		zkfs_text_printf(text, "+Inf");
	else
		print_seconds(text, bound_us);
	zkfs_text_printf(text, "\"} %" PRIu64 "\n", below);
}

void zkfs_prometheus_histogram(struct zkfs_text *text, const char *name,
			       const char *labels,
			       const struct zkfs_histogram *histogram)
{
	uint64_t below = 0;

	for (size_t i = 0; i <= ZKFS_HISTOGRAM_N_BOUNDS; i++) {
		below += histogram->buckets[i];
		print_bucket(text, name, labels,
			     i < ZKFS_HISTOGRAM_N_BOUNDS
				     ? zkfs_histogram_bound_us(i)
				     : -1,
			     below);
	}
	print_name(text, name, "_sum", labels);
	print_seconds(text, (int64_t)histogram->sum_us);
	zkfs_text_printf(text, "\n");
	print_name(text, name, "_count", labels);
	zkfs_text_printf(text, "%" PRIu64 "\n", below);
}

/* How many bytes the character has that is at the front, or 0 when it is none
 * (RFC 3629, section 4). */
static size_t character_len(const unsigned char *s)
{
	size_t len = s[0] < 0x80	     ? 1
		     : (s[0] & 0xe0) == 0xc0 ? 2
		     : (s[0] & 0xf0) == 0xe0 ? 3
		     : (s[0] & 0xf8) == 0xf0 ? 4
					     : 0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (len == 2 && s[0] < 0xc2)
		return 0;
	if (len == 3 &&
	    ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)))
		return 0;
	if (len == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || s[0] > 0xf4 ||
			 (s[0] == 0xf4 && s[1] > 0x8f)))
		return 0;
	return len;
}

/* The format is UTF-8, and a page that is not is refused as a whole: bytes that
 * are no character are the replacement character. */
void zkfs_prometheus_label(struct zkfs_text *labels, const char *name,
			   const char *value)
{
	zkfs_text_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
	while (*value) {
		size_t len = character_len((const unsigned char *)value);

		if (*value == '\n')
			zkfs_text_printf(labels, "\\n");
		else if (*value == '"' || *value == '\\')
			zkfs_text_printf(labels, "\\%c", *value);
		else if (len > 0)
			zkfs_text_printf(labels, "%.*s", (int)len, value);
		else
			zkfs_text_printf(labels, "\xef\xbf\xbd");
		value += len > 0 ? len : 1;
	}
	zkfs_text_printf(labels, "\"");
}

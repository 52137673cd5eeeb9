/*
 * fuzz_path: paths, names, and the ways in which any text is written into one
 * word. What is escaped is found again, and no two become one.
 */
#include <string.h>

#include "fs/base/text.h"
#include "fs/core/prometheus.h"
#include "include/zkfs/path.h"
#include "tests/fuzz/fuzz.h"

#define BYTES 1024

static int value_of(char digit)
{
	return digit <= '9' ? digit - '0' : digit - 'A' + 10;
}

/* %25 and %2F alone are escapes. */
static void unescape(const char *name, char *to)
{
	for (; *name; name++) {
		if (*name != '%') {
			*to++ = *name;
			continue;
		}
		fuzz_must(!strncmp(name, "%25", 3) || !strncmp(name, "%2F", 3));
		*to++ = (char)(value_of(name[1]) * 16 + value_of(name[2]));
		name += 2;
	}
	*to = '\0';
}

/* The lock of a file. */
static void check_escape(const char *text)
{
	char *name = zkfs_path_escape(text), back[BYTES + 1];

	fuzz_must(name && !strchr(name, '/'));
	unescape(name, back);
	fuzz_must(strcmp(back, text) == 0);
	free(name);
}

/* One word of one line: \\ooo. */
static void check_word(const char *text)
{
	struct zkfs_text word = {0};
	char back[BYTES + 1], *to = back;

	zkfs_text_word(&word, text);
	fuzz_must(!word.failed);
	for (const char *at = word.data; at && *at; at++) {
		fuzz_must((unsigned char)*at > ' ' && *at != 0x7f);
		if (*at == '\\') {
			*to++ = (char)(((at[1] - '0') << 6) +
				       ((at[2] - '0') << 3) + (at[3] - '0'));
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	fuzz_must(strcmp(back, text) == 0);
	zkfs_text_fini(&word);
}

static void check_label(const char *text)
{
	struct zkfs_text label = {0};
	const char *at;

	zkfs_prometheus_label(&label, "name", text);
	fuzz_must(!label.failed && strncmp(label.data, "name=\"", 6) == 0);
	for (at = label.data + 6; *at != '"'; at++) {
		fuzz_must(*at && *at != '\n');
		if (*at == '\\')
			fuzz_must(strchr("\\\"n", *++at));
	}
	fuzz_must(at[1] == '\0');
	fuzz_must(fuzz_is_utf8(label.data));
	zkfs_text_fini(&label);
}

static void check_name(const char *name)
{
	bool valid = zkfs_path_name_valid(name);
	char *path = zkfs_path_join("/", name), *dir;

	fuzz_must(path);
	if (!strchr(name, '/')) {
		fuzz_must(valid == (zkfs_path_valid(path) && *name));
		fuzz_must(strcmp(zkfs_path_base(path), name) == 0);
	} else {
		fuzz_must(!valid);
	}
	fuzz_must(!valid || fuzz_is_utf8(name));
	free(path);
	if (!valid)
		return;
	path = zkfs_path_join("/a/b", name);
	dir = zkfs_path_dir(path);
	fuzz_must(zkfs_path_valid(path) && strcmp(dir, "/a/b") == 0);
	fuzz_must(zkfs_path_within(path, dir) && !zkfs_path_within(dir, path));
	free(dir);
	free(path);
}

static void check_path(const char *path)
{
	size_t len = strlen(path);
	char *dir;

	if (!zkfs_path_valid(path))
		return;
	fuzz_must(path[0] == '/' && !strstr(path, "//"));
	fuzz_must(len == 1 || path[len - 1] != '/');
	fuzz_must(zkfs_path_within(path, "/") && zkfs_path_within(path, path));
	dir = zkfs_path_dir(path);
	fuzz_must(zkfs_path_valid(dir) && zkfs_path_within(path, dir));
	fuzz_must(len == 1 || zkfs_path_name_valid(zkfs_path_base(path)));
	free(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[BYTES + 1];

	if (len > BYTES)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	check_escape(text);
	check_word(text);
	check_label(text);
	check_name(text);
	check_path(text);
	return 0;
}

/*
 * wrap: see wrap.h.
 */
#include "tests/fault/wrap.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **ret, const char *format, va_list args);
FILE *__real_open_memstream(char **ret, size_t *ret_len);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fdopen(int fd, const char *mode);
DIR *__real_opendir(const char *path);
char *__real_realpath(const char *path, char *resolved);
ssize_t __real_getline(char **line, size_t *size, FILE *file);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
__attribute__((format(printf, 2, 0))) int
__wrap_vasprintf(char **ret, const char *format, va_list args);
__attribute__((format(printf, 2, 3))) int
__wrap_asprintf(char **ret, const char *format, ...);
FILE *__wrap_open_memstream(char **ret, size_t *ret_len);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
DIR *__wrap_opendir(const char *path);
char *__wrap_realpath(const char *path, char *resolved);
ssize_t __wrap_getline(char **line, size_t *size, FILE *file);

static bool fails(const void *caller)
{
	if (!fault_is_now(caller))
		return false;
	errno = ENOMEM;
	return true;
}

#define FAILS() fails(__builtin_return_address(0))

void *__wrap_malloc(size_t size)
{
	return FAILS() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return FAILS() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return FAILS() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_reallocarray(void *ptr, size_t n, size_t size)
{
	return FAILS() ? NULL : __real_reallocarray(ptr, n, size);
}

char *__wrap_strdup(const char *s)
{
	return FAILS() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return FAILS() ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **ret, const char *format, va_list args)
{
	return FAILS() ? -1 : __real_vasprintf(ret, format, args);
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list args;
	int n;

	if (FAILS())
		return -1;
	va_start(args, format);
	n = __real_vasprintf(ret, format, args);
	va_end(args);
	return n;
}

FILE *__wrap_open_memstream(char **ret, size_t *ret_len)
{
	return FAILS() ? NULL : __real_open_memstream(ret, ret_len);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return FAILS() ? NULL : __real_fopen(path, mode);
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
	return FAILS() ? NULL : __real_fdopen(fd, mode);
}

DIR *__wrap_opendir(const char *path)
{
	return FAILS() ? NULL : __real_opendir(path);
}

char *__wrap_realpath(const char *path, char *resolved)
{
	return FAILS() ? NULL : __real_realpath(path, resolved);
}

ssize_t __wrap_getline(char **line, size_t *size, FILE *file)
{
	return FAILS() ? -1 : __real_getline(line, size, file);
}

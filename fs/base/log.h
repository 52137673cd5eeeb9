/*
 * log: lines for the operator. They go to stderr, or to the system's log once
 * the daemon is in the background; none is waited for. Library code returns
 * errors; the daemon's outermost callers log them, once.
 *
 * The level is the one global of the program (see STYLE "Shape", 5).
 */
#ifndef ZKFS_BASE_LOG_H
#define ZKFS_BASE_LOG_H

#include <stdbool.h>

#include "fs/base/util.h"

enum zkfs_log_level {
	ZKFS_LOG_ERROR,
	ZKFS_LOG_WARNING,
	ZKFS_LOG_INFO,
	ZKFS_LOG_DEBUG, /* -d: every request */
};

void zkfs_log_set_level(enum zkfs_log_level level);
bool zkfs_log_enabled(enum zkfs_log_level level);
/* From here on lines go to the system's log at `path` (_PATH_LOG), under
 * `ident`; both are kept, not copied. */
void zkfs_log_use_syslog(const char *path, const char *ident);
/* How many lines nobody has taken, until now. */
unsigned long zkfs_log_dropped(void);

void zkfs_log(enum zkfs_log_level level, const char *format, ...)
	zkfs_printf(2, 3);

#define zkfs_error(...)	  zkfs_log(ZKFS_LOG_ERROR, __VA_ARGS__)
#define zkfs_warning(...) zkfs_log(ZKFS_LOG_WARNING, __VA_ARGS__)
#define zkfs_info(...)	  zkfs_log(ZKFS_LOG_INFO, __VA_ARGS__)
#define zkfs_debug(...)                                                        \
	do {                                                                   \
		if (zkfs_log_enabled(ZKFS_LOG_DEBUG))                          \
			zkfs_log(ZKFS_LOG_DEBUG, __VA_ARGS__);                 \
	} while (0)

#endif

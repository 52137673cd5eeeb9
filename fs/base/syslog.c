/*
 * syslog: see syslog.h.
 */
#include "fs/base/syslog.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fs/base/util.h"

#define HEADER_MAX 128
#define LINE_BYTES PIPE_BUF

/* In English, whatever the locale is. */
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void zkfs_syslog_init(struct zkfs_syslog *syslog, const char *path,
		      const char *ident)
{
	*syslog = (struct zkfs_syslog){.path = path, .ident = ident, .fd = -1};
}

void zkfs_syslog_fini(struct zkfs_syslog *syslog)
{
	if (syslog->fd >= 0)
		(void)close(syslog->fd);
	syslog->fd = -1;
}

static bool find_logger(struct zkfs_syslog *syslog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	size_t len = strlen(syslog->path);

	zkfs_syslog_fini(syslog);
	if (len >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, syslog->path, len + 1);
	syslog->fd =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (syslog->fd < 0)
		return false;
	if (connect(syslog->fd, (const struct sockaddr *)&address,
		    sizeof(address)) == 0)
		return true;
	zkfs_syslog_fini(syslog);
	return false;
}

static size_t print_header(char header[HEADER_MAX], int priority,
			   const char *ident)
{
	time_t now = time(NULL);
	struct tm tm = {0};
	int n;

	(void)localtime_r(&now, &tm);
	n = snprintf(header, HEADER_MAX,
		     "<%d>%s %2d %02d:%02d:%02d %s[%d]: ", priority,
		     months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
		     tm.tm_sec, ident, (int)getpid());
	return n < 0 ? 0 : zkfs_min_size((size_t)n, HEADER_MAX - 1);
}

static bool put(const struct zkfs_syslog *syslog, const char *packet,
		size_t len)
{
	return send(syslog->fd, packet, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

bool zkfs_syslog_send(struct zkfs_syslog *syslog, int priority,
		      const char *line, size_t len)
{
	char packet[HEADER_MAX + LINE_BYTES];
	size_t skip = print_header(packet, priority, syslog->ident);

	len = zkfs_min_size(len, LINE_BYTES);
	memcpy(packet + skip, line, len);
	len += skip;
	if (syslog->fd >= 0) {
		if (put(syslog, packet, len))
			return true;
		/* It is there, and does not read. */
		if (errno == EAGAIN || errno == ENOBUFS)
			return false;
	}
	return find_logger(syslog) && put(syslog, packet, len);
}

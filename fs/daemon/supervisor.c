/*
 * supervisor: see supervisor.h.
 */
#include "fs/daemon/supervisor.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "fs/base/log.h"

#define SOCKET_VARIABLE "NOTIFY_SOCKET"

/* "/path" or "@name", an abstract one, which has a NUL in front instead
 * (unix(7)). Other kinds, such as vsock:, are for other machines. */
static socklen_t read_address(const char *text, struct sockaddr_un *ret_address)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 ||
	    len >= sizeof(ret_address->sun_path))
		return 0;
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, text, len + 1);
	if (text[0] == '@') {
		ret_address->sun_path[0] = '\0';
		len--; /* its name ends with its length, not with a NUL */
	}
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

static int open_socket(const char *text)
{
	const struct timeval second = {.tv_sec = 1};
	struct sockaddr_un address;
	socklen_t len = read_address(text, &address);
	int fd, error;

	if (len == 0)
		return -EAFNOSUPPORT;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, len) < 0) {
		error = -errno;
		(void)close(fd);
		return error;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	return fd;
}

void zkfs_supervisor_init(struct zkfs_supervisor *supervisor)
{
	const char *text = getenv(SOCKET_VARIABLE);
	int fd;

	*supervisor = ZKFS_NO_SUPERVISOR;
	if (!text || !*text)
		return;
	fd = open_socket(text);
	if (fd < 0)
		zkfs_warning(
			"cannot reach the supervisor at '%s', which " SOCKET_VARIABLE
			" names: %s; ignoring, but it may "
			"take this mount for one that did not start",
			text, strerror(-fd));
	else
		supervisor->fd = fd;
	(void)unsetenv(SOCKET_VARIABLE);
}

void zkfs_supervisor_fini(struct zkfs_supervisor *supervisor)
{
	if (supervisor->fd >= 0)
		(void)close(supervisor->fd);
	*supervisor = ZKFS_NO_SUPERVISOR;
}

static void tell(struct zkfs_supervisor *supervisor, const char *text,
		 int flags)
{
	if (supervisor->fd >= 0)
		(void)send(supervisor->fd, text, strlen(text),
			   flags | MSG_NOSIGNAL);
}

void zkfs_supervisor_status(struct zkfs_supervisor *supervisor,
			    const char *format, ...)
{
	static const char key[] = "STATUS=";
	size_t skip = sizeof(key) - 1;
	char text[512] = "STATUS=";
	va_list args;

	if (supervisor->fd < 0)
		return;
	va_start(args, format);
	(void)vsnprintf(text + skip, sizeof(text) - skip, format, args);
	va_end(args);
	/* A line end would begin another assignment. */
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20)
			*at = '?';
	tell(supervisor, text, MSG_DONTWAIT);
}

/* Who goes to the background is not the process that was started. */
void zkfs_supervisor_ready(struct zkfs_supervisor *supervisor)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "READY=1\nMAINPID=%d",
		       (int)getpid());
	tell(supervisor, text, 0);
}

void zkfs_supervisor_stopping(struct zkfs_supervisor *supervisor)
{
	tell(supervisor, "STOPPING=1\nSTATUS=unmounting", MSG_DONTWAIT);
}

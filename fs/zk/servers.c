/* servers: see servers.h. */
#include "fs/zk/servers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/util.h"
#include "include/zkfs/path.h"

#define HOST_MAX  256 /* a DNS name is at most 253 */
#define PORT_MAX  65535
#define PROBE_MAX 64 /* sockets at once */

/* One HOST[:PORT] of the list, taken apart. */
struct host {
	char name[HOST_MAX];
	unsigned port;
};

static int bad(char *words, size_t words_len, const char *what,
	       const char *text, size_t len)
{
	(void)snprintf(words, words_len, "%s in \"%.*s\"", what, (int)len,
		       text);
	return -EINVAL;
}

/* Decimal, 1..65535, nothing else. Returns 0 for what is no port. */
static unsigned parse_port(const char *text, size_t len)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port <= PORT_MAX ? port : 0;
}

/* "[v6]" or "[v6]:port": `*ret_rest` is what follows the bracket. */
static bool split_brackets(const char *text, size_t len, size_t *ret_name,
			   size_t *ret_len, size_t *ret_rest)
{
	const char *close = memchr(text, ']', len);
	char name[HOST_MAX];
	struct in6_addr address;
	char *scope;

	if (!close || (size_t)(close - text) >= sizeof(name))
		return false;
	*ret_name = 1;
	*ret_len = (size_t)(close - text) - 1;
	*ret_rest = *ret_len + 2;
	memcpy(name, text + 1, *ret_len);
	name[*ret_len] = '\0';
	scope = strchr(name, '%');
	if (scope)
		*scope = '\0';
	return inet_pton(AF_INET6, name, &address) == 1;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static int parse_host(const char *text, size_t len, struct host *ret_host,
		      char *words, size_t words_len)
{
	size_t name = 0, name_len = 0, rest = 0;

	if (len > 0 && text[0] == '[') {
		if (!split_brackets(text, len, &name, &name_len, &rest))
			return bad(words, words_len, "no IPv6 address", text,
				   len);
	} else {
		while (name_len < len && name_char(text[name_len]))
			name_len++;
		rest = name_len;
	}
	if (name_len == 0)
		return bad(words, words_len, "empty host name", text, len);
	if (name_len >= HOST_MAX)
		return bad(words, words_len, "host name too long", text, len);
	ret_host->port = ZKFS_SERVERS_PORT;
	if (rest < len && text[rest] != ':')
		return bad(words, words_len, "not a host name", text, len);
	if (rest < len) {
		ret_host->port = parse_port(text + rest + 1, len - rest - 1);
		if (ret_host->port == 0)
			return bad(words, words_len, "invalid port", text, len);
	}
	memcpy(ret_host->name, text + name, name_len);
	ret_host->name[name_len] = '\0';
	return 0;
}

/* Calls `each` for the hosts of a list until one returns non-zero. */
static int for_each_host(const char *hosts,
			 int (*each)(void *ctx, const struct host *host),
			 void *ctx, char *words, size_t words_len)
{
	for (;;) {
		size_t len = strcspn(hosts, ",");
		struct host host;
		int r = parse_host(hosts, len, &host, words, words_len);

		if (r == 0)
			r = each(ctx, &host);
		if (r != 0 || hosts[len] == '\0')
			return r;
		hosts += len + 1;
	}
}

static int take_any(void *ctx zkfs_unused, const struct host *host zkfs_unused)
{
	return 0;
}

/* "/a/b/", "/" and "" are "/a/b", "" and "". */
static int parse_chroot(const char *text, char **ret_chroot, char *words,
			size_t words_len)
{
	size_t len = strlen(text);
	char *chroot;

	while (len > 0 && text[len - 1] == '/')
		len--;
	chroot = strndup(text, len);
	if (!chroot)
		return -ENOMEM;
	if (len > 0 && !zkfs_path_valid(chroot)) {
		free(chroot);
		return bad(words, words_len, "not a znode's path", text,
			   strlen(text));
	}
	*ret_chroot = chroot;
	return 0;
}

int zkfs_servers_parse(const char *text, struct zkfs_servers *ret_servers,
		       char *words, size_t words_len)
{
	size_t len = strcspn(text, "/");
	struct zkfs_servers servers = {.hosts = strndup(text, len)};
	int r = -ENOMEM;

	if (servers.hosts)
		r = for_each_host(servers.hosts, take_any, NULL, words,
				  words_len);
	if (r == 0)
		r = parse_chroot(text + len, &servers.chroot, words, words_len);
	if (r == -ENOMEM)
		(void)snprintf(words, words_len, "%s", strerror(ENOMEM));
	if (r < 0) {
		zkfs_servers_fini(&servers);
		return r;
	}
	*ret_servers = servers;
	return 0;
}

void zkfs_servers_fini(struct zkfs_servers *servers)
{
	free(servers->hosts);
	free(servers->chroot);
	*servers = (struct zkfs_servers){0};
}

/*
 * Resolving.
 */

struct resolution {
	char *list; /* "ip:port,..." so far, or NULL */
	char *words;
	size_t words_len;
	int error; /* of the last host that did not resolve */
};

static bool listed(const char *list, const char *address)
{
	size_t len = strlen(address);

	while (list) {
		if (strncmp(list, address, len) == 0 &&
		    (list[len] == ',' || list[len] == '\0'))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

static int append(struct resolution *resolution, const char *address)
{
	char *list;

	if (listed(resolution->list, address))
		return 0;
	if (asprintf(&list, "%s%s%s", resolution->list ? resolution->list : "",
		     resolution->list ? "," : "", address) < 0)
		return -ENOMEM;
	free(resolution->list);
	resolution->list = list;
	return 0;
}

static int append_info(struct resolution *resolution,
		       const struct addrinfo *info, unsigned port)
{
	char ip[NI_MAXHOST], address[NI_MAXHOST + 16];

	if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
		return 0;
	if (getnameinfo(info->ai_addr, info->ai_addrlen, ip, sizeof(ip), NULL,
			0, NI_NUMERICHOST) != 0)
		return 0;
	(void)snprintf(address, sizeof(address),
		       info->ai_family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
		       port);
	return append(resolution, address);
}

static int error_of(int gai)
{
	switch (gai) {
	case EAI_SYSTEM:
		return errno > 0 ? -errno : -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	default:
		return -EHOSTUNREACH;
	}
}

static int resolve_host(void *ctx, const struct host *host)
{
	struct resolution *resolution = ctx;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *infos;
	int gai = getaddrinfo(host->name, NULL, &hints, &infos), r = 0;

	if (gai != 0) {
		resolution->error = error_of(gai);
		(void)snprintf(resolution->words, resolution->words_len,
			       "cannot resolve \"%s\": %s", host->name,
			       gai_strerror(gai));
		return 0;
	}
	for (struct addrinfo *it = infos; it && r == 0; it = it->ai_next)
		r = append_info(resolution, it, host->port);
	freeaddrinfo(infos);
	return r;
}

int zkfs_servers_resolve(const struct zkfs_servers *servers, char **ret_numeric,
			 char *words, size_t words_len)
{
	struct resolution resolution = {.words = words, .words_len = words_len};
	int r = for_each_host(servers->hosts, resolve_host, &resolution, words,
			      words_len);

	if (r == 0 && !resolution.list) {
		r = resolution.error;
		if (r == 0) { /* no address of a family that we know */
			r = -EAFNOSUPPORT;
			(void)snprintf(words, words_len, "%s", strerror(-r));
		}
	}
	if (r == -ENOMEM)
		(void)snprintf(words, words_len, "%s", strerror(ENOMEM));
	if (r < 0) {
		free(resolution.list);
		return r;
	}
	*ret_numeric = resolution.list;
	return 0;
}

static int is_named(void *ctx zkfs_unused, const struct host *host)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *infos;

	if (getaddrinfo(host->name, NULL, &hints, &infos) != 0)
		return 1;
	freeaddrinfo(infos);
	return 0;
}

bool zkfs_servers_named(const char *hosts)
{
	char words[1];

	return for_each_host(hosts, is_named, NULL, words, sizeof(words)) > 0;
}

struct question {
	bool (*is)(void *ctx, const char *host);
	void *ctx;
};

static int ask(void *ctx, const struct host *host)
{
	const struct question *question = ctx;

	return question->is(question->ctx, host->name);
}

bool zkfs_servers_any(const char *hosts,
		      bool (*is)(void *ctx, const char *host), void *ctx)
{
	struct question question = {.is = is, .ctx = ctx};
	char words[1];

	return for_each_host(hosts, ask, &question, words, sizeof(words)) > 0;
}

/*
 * Probing.
 */

struct probe {
	struct pollfd fds[PROBE_MAX];
	size_t n;
	int error; /* of the last address that failed */
	bool found;
};

static void probe_host(struct probe *probe, const struct host *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *info;
	char port[8];
	int fd;

	(void)snprintf(port, sizeof(port), "%u", host->port);
	if (getaddrinfo(host->name, port, &hints, &info) != 0) {
		probe->error = -EINVAL;
		return;
	}
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	if (fd < 0) {
		probe->error = -errno;
	} else if (connect(fd, info->ai_addr, info->ai_addrlen) == 0) {
		probe->found = true;
		close(fd);
	} else if (errno == EINPROGRESS) {
		probe->fds[probe->n++] =
			(struct pollfd){.fd = fd, .events = POLLOUT};
	} else {
		probe->error = -errno;
		close(fd);
	}
	freeaddrinfo(info);
}

static int probe_each(void *ctx, const struct host *host)
{
	struct probe *probe = ctx;

	probe_host(probe, host);
	return probe->found || probe->n == PROBE_MAX;
}

/* Looks at the connects that have ended, and drops the failed ones. */
static void probe_look(struct probe *probe)
{
	size_t n = 0;

	for (size_t i = 0; i < probe->n; i++) {
		struct pollfd pfd = probe->fds[i];
		int error = 0;
		socklen_t len = sizeof(error);

		if (pfd.revents == 0) {
			probe->fds[n++] = pfd;
			continue;
		}
		if (getsockopt(pfd.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (error == 0)
			probe->found = true;
		else
			probe->error = -error;
		close(pfd.fd);
	}
	probe->n = n;
}

int zkfs_servers_probe(const char *numeric, int timeout_ms)
{
	struct probe probe = {.error = -EINVAL};
	int64_t end = zkfs_clock_ms() + timeout_ms;
	char words[1];

	(void)for_each_host(numeric, probe_each, &probe, words, sizeof(words));
	while (!probe.found && probe.n > 0) {
		int64_t left = end - zkfs_clock_ms();

		if (left <= 0) {
			probe.error = -ETIMEDOUT;
			break;
		}
		if (poll(probe.fds, probe.n, (int)left) > 0)
			probe_look(&probe);
	}
	for (size_t i = 0; i < probe.n; i++)
		close(probe.fds[i].fd);
	return probe.found ? 0 : probe.error;
}

/*
 * server: a private ZooKeeper on a free port of 127.0.0.1, which can be killed,
 * started again on its data, stopped and continued. It dies with the test.
 */
#ifndef ZKFS_TESTS_SESSION_SERVER_H
#define ZKFS_TESTS_SESSION_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server {
	char dir[64];
	unsigned port;
	char address[32]; /* "127.0.0.1:port" */
	pid_t pid;	  /* 0: not running */
};

/* Starts one with empty data, and waits until it serves. Fails the test when
 * it does not, as all functions here do. */
void server_make(struct server *server);
/* kill -9, and waits until it is gone. */
void server_kill(struct server *server);
/* Starts it again on its data; `port` 0: the one it had. */
void server_start(struct server *server, unsigned port);
/* SIGSTOP and SIGCONT. */
void server_stop(struct server *server);
void server_continue(struct server *server);
/* How many watches it holds, of all sessions. */
unsigned server_watches(const struct server *server);
/* Kills it and removes its data. */
void server_destroy(struct server *server);

/* A TCP socket on a free port of 127.0.0.1; it listens if backlog > 0. */
int tcp_socket(int backlog, unsigned *ret_port);

#endif

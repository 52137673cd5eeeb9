/*
 * serve: see serve.h. The steps to a mount that answers, in their order, and
 * back again.
 */
#include "fs/daemon/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

#include "fs/base/clock.h"
#include "fs/base/log.h"
#include "fs/base/util.h"
#include "fs/daemon/emitter.h"
#include "fs/daemon/firstlook.h"
#include "fs/daemon/fusectl.h"
#include "fs/daemon/helper.h"
#include "fs/daemon/loop.h"
#include "fs/daemon/mount.h"
#include "fs/daemon/opts.h"
#include "fs/daemon/supervisor.h"
#include "fs/daemon/watchdog.h"
#include "fs/ops/fs.h"
#include "fs/ops/notifier.h"
#include "fs/ops/notify.h"
#include "fs/zk/auth.h"
#include "fs/zk/servers.h"
#include "fs/zk/session.h"
#include "fs/zk/tls.h"

#define PROBE_MS_MAX   5000
#define DRAIN_LIMIT_MS 3000
/* What can be had without an abort is had at once. */
#define NOTIFIER_LIMIT_MS 200
#define WORDS		  512

struct daemon {
	const struct zkfs_opts *opts;
	const struct zkfs_helper *helper;
	struct zkfs_servers servers;
	char *numeric;
	char *path;   /* of the mount point */
	dev_t device; /* what is mounted there */
	struct zkfs_auth auth;
	struct zkfs_tls *tls; /* or NULL */
	struct zkfs_fs fs;
	bool has_fs;
	struct zkfs_loop loop;
	struct zkfs_watchdog watchdog;
	struct zkfs_emitter emitter;
	struct zkfs_supervisor supervisor;
	char **argv;
	int abort_fd; /* ends the connection to the kernel; -1: none */
	int ready_fd; /* the waiting parent; -1: none */
	char words[WORDS];
};

static int min_int(int a, int b)
{
	return a < b ? a : b;
}

static struct zkfs_tls_config tls_config(const struct daemon *d)
{
	return (struct zkfs_tls_config){.cafile = d->opts->cafile,
					.certfile = d->opts->certfile,
					.keyfile = d->opts->keyfile,
					.hosts = d->servers.hosts};
}

static int load_tls(struct daemon *d)
{
	struct zkfs_tls_config config = tls_config(d);

	return d->opts->tls ? zkfs_tls_new(&config, &d->tls, d->words, WORDS)
			    : 0;
}

/* Before the first connection: addresses, credentials, the mount point. */
static int prepare(struct daemon *d)
{
	int error = zkfs_servers_parse(d->opts->source, &d->servers, d->words,
				       WORDS);

	if (!error)
		error = zkfs_mount_check(d->opts->mountpoint, &d->path,
					 d->words, WORDS);
	if (!error && d->opts->authfile)
		error = zkfs_auth_load(d->opts->authfile, &d->auth, d->words,
				       WORDS);
	if (!error)
		error = load_tls(d);
	if (!error)
		error = zkfs_servers_resolve(&d->servers, &d->numeric, d->words,
					     WORDS);
	return error;
}

static int connect_servers(struct daemon *d)
{
	struct zkfs_session_config config = {
		.servers = d->numeric,
		.hosts = d->servers.hosts,
		.chroot = d->servers.chroot,
		.timeout_ms = d->opts->session_timeout_ms,
		.watch_budget = d->opts->watch_paths,
		.auth = d->opts->authfile ? &d->auth : NULL,
		.tls = d->tls,
	};
	int error = zkfs_servers_probe(
		d->numeric, min_int(d->opts->timeo_ms, PROBE_MS_MAX));

	if (!error)
		error = zkfs_session_open(&config, &d->loop.zk);
	if (error)
		(void)snprintf(d->words, WORDS,
			       "cannot reach ZooKeeper at %s: %s; is a server "
			       "running there?",
			       d->servers.hosts, strerror(-error));
	return error;
}

/* fusermount3 does it too, but not if it looks at the mount in the moment
 * before its connection is ended: what it is told then is not ENOTCONN. */
static void leave_mount(void *arg)
{
	const struct daemon *d = arg;

	zkfs_mount_leave(d->path, d->device);
}

/* Now that there is a connection to watch over, and as yet no other thread. */
static void start_watchdog(struct daemon *d)
{
	int error = 0;

	d->abort_fd = zkfs_fusectl_open(minor(d->device));
	if (d->abort_fd < 0)
		error = d->abort_fd;
	else
		error = zkfs_watchdog_start(
			&d->watchdog, d->abort_fd, d->argv, d->path,
			d->opts->auto_unmount ? leave_mount : NULL, d);
	if (error)
		zkfs_warning("no watchdog: %s; ignoring, but if this daemon "
			     "is killed, it may need 'umount -f' to free who "
			     "uses the mount",
			     strerror(-error));
}

/* Nothing can be repeated where nothing can be changed. */
static void start_emitter(struct daemon *d)
{
	bool all;
	int error;

	if (d->opts->inotify == ZKFS_OPTS_INOTIFY_OFF || d->opts->ro)
		return;
	/* Of other users' processes only root sees what they watch. */
	all = d->opts->inotify == ZKFS_OPTS_INOTIFY_ALL ||
	      (d->opts->allow_other && geteuid() != 0);
	error = zkfs_emitter_start(&d->emitter, d->device, d->argv, d->path,
				   !all);
	if (error) {
		zkfs_warning("no emitter: %s; ignoring, but inotify does not "
			     "tell of changes made elsewhere",
			     strerror(-error));
		return;
	}
	zkfs_emit_attach(&d->fs, d->emitter.fd, d->emitter.pid);
	zkfs_observer_start(&d->fs, all);
}

static int set_up_fs(struct daemon *d, const struct zkfs_stat *root)
{
	struct zkfs_fs_config config = {
		.style = {.uid = d->opts->uid,
			  .gid = d->opts->gid,
			  .fmask = d->opts->fmask,
			  .dmask = d->opts->dmask},
		.sync = d->opts->sync,
		.strict = d->opts->strict,
		.sync_open = d->opts->sync_open,
		.stale = d->opts->stale,
		.timeo_ms = d->opts->timeo_ms,
		.hard = d->opts->hard,
		.dataname = d->opts->dataname,
		.ctlname = d->opts->ctlname,
		.lockroots = d->opts->lockroots,
		.n_lockroots = d->opts->n_lockroots,
		.locknames = d->opts->locknames,
		.acl = d->opts->acl,
		.acl_len = d->opts->acl_len,
		.contender_acl = d->opts->contender_acl,
		.contender_acl_len = d->opts->contender_acl_len,
		.version = ZKFS_VERSION,
		.source = d->opts->source,
		.mountpoint = d->path,
		.cache = {.nodes = d->opts->cache_nodes,
			  .bytes = d->opts->cache_data},
		.limits = d->opts->limits,
	};
	int error;

	(void)gethostname(config.host, sizeof(config.host) - 1);
	error = zkfs_fs_init(&d->fs, &config, d->loop.zk);
	if (error) {
		(void)snprintf(d->words, WORDS, "%s", strerror(-error));
		return error;
	}
	d->has_fs = true;
	zkfs_tree_saw(d->fs.tree.root, root, zkfs_clock_ms());
	error = zkfs_mount(d->opts, d->path, &d->fs, &d->loop.session,
			   &d->device, d->words, WORDS);
	if (error)
		return error;
	d->fs.session = d->loop.session;
	d->loop.fs = &d->fs;
	start_watchdog(d);
	start_emitter(d);
	error = zkfs_notify_start(&d->fs);
	if (error)
		(void)snprintf(d->words, WORDS, "cannot start a thread: %s",
			       strerror(-error));
	return error;
}

/* The credentials may have changed. A scheme that the server does not know
 * would end the session, and all locks with it: none is taken that was not
 * there at the start. */
static void reload_auth(struct daemon *d)
{
	struct zkfs_auth auth = {0};
	char words[WORDS] = "";

	if (zkfs_auth_load(d->opts->authfile, &auth, words, WORDS) < 0 ||
	    !zkfs_auth_may_follow(&auth, &d->auth, words, WORDS)) {
		zkfs_error("%s, ignoring; the credentials stay as they were",
			   words);
		zkfs_auth_fini(&auth);
		return;
	}
	zkfs_session_add_auth(d->loop.zk, &auth, &d->auth);
	zkfs_auth_fini(&d->auth);
	d->auth = auth;
	zkfs_info("'%s' was read again; what is new in it is used from now on",
		  d->opts->authfile);
}

/* For the next connection: the one there is may go on. */
static void reload_tls(struct daemon *d)
{
	struct zkfs_tls_config config = tls_config(d);
	char words[WORDS] = "";

	if (zkfs_tls_reload(d->tls, &config, words, WORDS) < 0)
		zkfs_error("%s, ignoring; TLS stays as it was", words);
	else
		zkfs_info(
			"the files of TLS were read again; the next connection is made with them");
}

static void reload(void *arg)
{
	struct daemon *d = arg;

	if (d->opts->authfile)
		reload_auth(d);
	if (d->tls)
		reload_tls(d);
}

/* The mount answers: the command that started us may return. */
static void on_ready(void *arg)
{
	struct daemon *d = arg;
	int null;

	if (d->ready_fd >= 0) {
		/* To who has asked for it, as well as to syslog. */
		if (d->helper->verbose)
			zkfs_info("%s is mounted on %s", d->opts->source,
				  d->path);
		zkfs_log_use_syslog(_PATH_LOG, "zkfs");
		zkfs_log_set_level(ZKFS_LOG_INFO);
	}
	zkfs_info("%s is mounted on %s", d->opts->source, d->path);
	zkfs_supervisor_ready(&d->supervisor);
	if (d->ready_fd < 0)
		return;
	(void)chdir("/");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			(void)close(null);
	}
	/* Only now: until here a ^C in the terminal is meant for us too. */
	(void)setsid();
	/* Who started us has given up: no mount is expected any more. */
	if (write(d->ready_fd, "", 1) != 1)
		d->loop.stop = true;
	(void)close(d->ready_fd);
	d->ready_fd = -1;
}

static int catch_signals(struct daemon *d)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may have ignored it: then no child could be
	 * waited for (wait(2), NOTES). */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	d->loop.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->loop.signal_fd < 0 ? -errno : 0;
}

/* All requests that were read are answered. Others may hold the directory that
 * its thread waits for, and are not read any more. */
static void end_notifier(struct daemon *d)
{
	if (!d->fs.notifier)
		return;
	if (!zkfs_notifier_wait(d->fs.notifier, NOTIFIER_LIMIT_MS)) {
		if (d->abort_fd < 0) {
			zkfs_error("cannot abort the mount on '%s', which the "
				   "kernel holds; it needs 'umount -f'",
				   d->path);
			return;
		}
		zkfs_fusectl_abort(d->abort_fd);
	}
	d->fs.notifier = zkfs_notifier_free(d->fs.notifier);
}

static void tear_down(struct daemon *d)
{
	zkfs_supervisor_stopping(&d->supervisor);
	if (d->has_fs) {
		zkfs_observer_fini(&d->fs);
		zkfs_emit_fini(&d->fs);
	}
	zkfs_emitter_stop(&d->emitter);
	if (d->fs.notifier)
		zkfs_notifier_close(d->fs.notifier);
	if (d->loop.fs)
		zkfs_loop_drain(&d->loop, DRAIN_LIMIT_MS);
	/* Requests under way are answered through the session, so before it
	 * goes. */
	if (d->has_fs)
		zkfs_fs_fini(&d->fs);
	end_notifier(d);
	zkfs_unmount(d->loop.session, d->path, d->device);
	zkfs_watchdog_stop(&d->watchdog);
	if (d->abort_fd >= 0)
		(void)close(d->abort_fd);
	if (d->loop.zk)
		zkfs_session_close(d->loop.zk, DRAIN_LIMIT_MS);
	if (d->loop.signal_fd >= 0)
		(void)close(d->loop.signal_fd);
	zkfs_loop_fini(&d->loop);
	zkfs_supervisor_fini(&d->supervisor);
	zkfs_auth_fini(&d->auth);
	d->tls = zkfs_tls_free(d->tls);
	zkfs_servers_fini(&d->servers);
	free(d->numeric);
	free(d->path);
}

static int serve(struct daemon *d)
{
	struct zkfs_stat root;
	int error = catch_signals(d);

	/* A crash is to free who waits for us at once, not when a core has been
	 * written, for which a thread that is stuck in the kernel is waited. It
	 * would hold credentials besides. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	zkfs_supervisor_init(&d->supervisor);
	d->loop.supervisor = &d->supervisor;
	d->loop.watchdog = &d->watchdog;
	d->loop.emitter = &d->emitter;
	if (!error)
		error = zkfs_helper_enter(d->helper, d->words, WORDS);
	if (!error)
		error = prepare(d);
	if (!error)
		error = connect_servers(d);
	if (!error)
		error = zkfs_firstlook(&d->loop, &d->servers, d->opts->timeo_ms,
				       &root, d->words, WORDS);
	if (!error)
		error = set_up_fs(d, &root);
	if (error) {
		zkfs_error("%s", *d->words ? d->words : strerror(-error));
		zkfs_supervisor_status(&d->supervisor, "%s",
				       *d->words ? d->words : strerror(-error));
		tear_down(d);
		return zkfs_helper_status(d->helper, ZKFS_HELPER_FAILED, error);
	}
	if (d->opts->authfile || d->tls) {
		d->loop.hung_up = reload;
		d->loop.hung_up_arg = d;
	}
	d->loop.ready = on_ready;
	d->loop.ready_arg = d;
	error = zkfs_loop_run(&d->loop);
	if (error)
		zkfs_error("the FUSE device failed under '%s': %s; unmounting",
			   d->path, strerror(-error));
	tear_down(d);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int zkfs_serve(const struct zkfs_opts *opts, const struct zkfs_helper *helper,
	       char **argv, int ready_fd)
{
	struct daemon d = {.opts = opts,
			   .helper = helper,
			   .argv = argv,
			   .ready_fd = ready_fd,
			   .abort_fd = -1,
			   .watchdog = ZKFS_NO_WATCHDOG,
			   .emitter = ZKFS_NO_EMITTER,
			   .supervisor = ZKFS_NO_SUPERVISOR,
			   .loop = {.signal_fd = -1}};

	return serve(&d);
}

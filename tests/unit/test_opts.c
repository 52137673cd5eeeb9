/*
 * opts: what each option means, which are ignored, and the exact words for
 * those that are wrong.
 */
#include "fs/daemon/opts.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "fs/base/util.h"
#include "include/zkfs/names.h"

#define MAX_ARGS 16

/* Parses the arguments up to a NULL, "zkfs" before them. */
static int parse(const char *const *args, struct zkfs_opts *ret_opts,
		 char *words, size_t words_len)
{
	const char *argv[MAX_ARGS] = {"zkfs"};
	int argc = 1;

	for (; *args; args++) {
		assert_true(argc < MAX_ARGS - 1);
		argv[argc++] = *args;
	}
	/* The pointers are those of main(), which C leaves without const. */
	return zkfs_opts_parse(argc, (char *const *)argv, ret_opts, words,
			       words_len);
}

#define ARGS(...) ((const char *[]){__VA_ARGS__, NULL})

static struct zkfs_opts parsed(const char *const *args)
{
	struct zkfs_opts opts;
	char words[256] = "";

	if (parse(args, &opts, words, sizeof(words)) != 0)
		fail_msg("refused: %s", words);
	return opts;
}

/* With one -o and valid operands. */
static struct zkfs_opts with(const char *options)
{
	return parsed(ARGS("host:1", "/mnt", "-o", options));
}

static void assert_words(const char *const *args, const char *want)
{
	struct zkfs_opts opts = {.timeo_ms = 12345};
	char words[256] = "";

	if (parse(args, &opts, words, sizeof(words)) != -EINVAL)
		fail_msg("taken; should be: %s", want);
	assert_string_equal(words, want);
	assert_int_equal(opts.timeo_ms, 12345);
	assert_null(opts.source);
}

static void assert_refused(const char *options, const char *want)
{
	assert_words(ARGS("host:1", "/mnt", "-o", options), want);
}

static void test_defaults(void **state)
{
	struct zkfs_opts opts = parsed(ARGS("host:1/chroot", "/mnt"));
	mode_t mask = umask(077);

	(void)umask(mask);
	assert_int_equal(opts.command, ZKFS_OPTS_MOUNT);
	assert_string_equal(opts.source, "host:1/chroot");
	assert_string_equal(opts.mountpoint, "/mnt");
	assert_false(opts.foreground);
	assert_false(opts.debug);
	assert_int_equal(opts.uid, geteuid());
	assert_int_equal(opts.gid, getegid());
	assert_int_equal(opts.fmask, mask);
	assert_int_equal(opts.dmask, mask);
	assert_false(opts.ro);
	assert_false(opts.sync);
	assert_false(opts.strict);
	assert_false(opts.allow_other);
	assert_false(opts.default_permissions);
	assert_false(opts.auto_unmount);
	assert_false(opts.hard);
	assert_int_equal(opts.timeo_ms, 10000);
	assert_int_equal(opts.session_timeout_ms, 10000);
	assert_string_equal(opts.dataname, ".data");
	assert_string_equal(opts.ctlname, ".zkfs");
	assert_int_equal(opts.n_lockroots, 1);
	assert_string_equal(opts.lockroots[0], "/locks");
	assert_int_equal(opts.locknames, ZKFS_FAMILY_ALL);
	assert_null(opts.authfile);
	assert_false(opts.tls);
	assert_null(opts.cafile);
	zkfs_opts_fini(&opts);
}

static void test_umask_of_the_process_is_kept(void **state)
{
	mode_t before = umask(0137);
	struct zkfs_opts opts = parsed(ARGS("host:1", "/mnt"));

	assert_int_equal(opts.fmask, 0137);
	assert_int_equal(opts.dmask, 0137);
	assert_int_equal(umask(before), 0137);
	zkfs_opts_fini(&opts);
}

/* mount(8), mount.fuse3 and people put the options in all these places. */
static void test_order_of_arguments(void **state)
{
	const char **const cases[] = {
		ARGS("host:1", "/mnt", "-o", "ro", "-f"),
		ARGS("-f", "-o", "ro", "host:1", "/mnt"),
		ARGS("host:1", "-f", "/mnt", "-oro"),
		ARGS("-fo", "ro", "host:1", "/mnt"),
		ARGS("-foro", "host:1", "/mnt"),
		ARGS("-sf", "-o", "ro", "--", "host:1", "/mnt"),
		ARGS("host:1", "/mnt", "-n", "-v", "-f", "-o", "rw", "-o",
		     "ro"),
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(cases); i++) {
		struct zkfs_opts opts = parsed(cases[i]);

		assert_string_equal(opts.source, "host:1");
		assert_string_equal(opts.mountpoint, "/mnt");
		assert_true(opts.foreground);
		assert_false(opts.debug);
		assert_true(opts.ro);
		zkfs_opts_fini(&opts);
	}
}

static void test_argv_is_not_changed(void **state)
{
	char options[] = "uid=5,lockroot=/a\\,b,x-y=1";
	char *argv[] = {(char *)"zkfs", (char *)"h:1",	(char *)"-o",
			options,	(char *)"/mnt", NULL};
	struct zkfs_opts opts;
	char words[64];

	assert_int_equal(zkfs_opts_parse(5, argv, &opts, words, 64), 0);
	assert_string_equal(options, "uid=5,lockroot=/a\\,b,x-y=1");
	assert_string_equal(argv[1], "h:1");
	assert_ptr_equal(argv[3], options);
	zkfs_opts_fini(&opts);
}

static void test_debug_stays_in_the_foreground(void **state)
{
	struct zkfs_opts opts = parsed(ARGS("-d", "host:1", "/mnt"));

	assert_true(opts.debug);
	assert_true(opts.foreground);
	zkfs_opts_fini(&opts);
}

static void assert_command(const char *const *args, enum zkfs_opts_command want)
{
	struct zkfs_opts opts = parsed(args);

	assert_int_equal(opts.command, want);
	zkfs_opts_fini(&opts);
}

static void test_help_and_version(void **state)
{
	assert_command(ARGS("-h"), ZKFS_OPTS_HELP);
	assert_command(ARGS("--help"), ZKFS_OPTS_HELP);
	assert_command(ARGS("-V"), ZKFS_OPTS_VERSION);
	assert_command(ARGS("--version"), ZKFS_OPTS_VERSION);
	assert_command(ARGS("host:1", "-fh"), ZKFS_OPTS_HELP);
	/* They ask for nothing else to be right. */
	assert_command(ARGS("--help", "--nonsense"), ZKFS_OPTS_HELP);
	assert_command(ARGS("a", "b", "--version", "c"), ZKFS_OPTS_VERSION);
	/* Behind "--" it is a name. */
	assert_command(ARGS("host:1", "--", "--help"), ZKFS_OPTS_MOUNT);
}

static void test_operands(void **state)
{
	static const char needed[] =
		"a source and a mount point are needed; see 'zkfs --help'";
	struct zkfs_opts opts = parsed(ARGS("--", "h:1", "-mnt"));

	assert_string_equal(opts.mountpoint, "-mnt");
	zkfs_opts_fini(&opts);
	assert_words(ARGS(NULL), needed);
	assert_words(ARGS("-f"), needed);
	assert_words(ARGS("host:1"), needed);
	assert_words(ARGS("host:1", "-o", "ro"), needed);
	assert_words(ARGS("a", "b", "c"),
		     "unexpected argument 'c'; see 'zkfs --help'");
	assert_words(ARGS("a", "b", "-"),
		     "unexpected argument '-'; see 'zkfs --help'");
	assert_words(ARGS("", "/mnt"), "the source is empty");
	assert_words(ARGS("h:1", ""), "the mount point is empty");
	assert_words(ARGS("--", "-h:1", "/mnt"),
		     "source '-h:1' begins with '-'");
	assert_words(ARGS("-", "/mnt"), "source '-' begins with '-'");
}

static void test_unknown_arguments(void **state)
{
	assert_words(ARGS("-x", "a", "b"),
		     "unknown option '-x'; see 'zkfs --help'");
	assert_words(ARGS("-fx", "a", "b"),
		     "unknown option '-x'; see 'zkfs --help'");
	assert_words(ARGS("--foo", "a", "b"),
		     "unknown option '--foo'; see 'zkfs --help'");
	assert_words(ARGS("a", "b", "-o"), "option '-o' needs a value");
	assert_words(ARGS("a", "b", "-fo"), "option '-o' needs a value");
}

static void test_unknown_options(void **state)
{
	assert_refused("foo", "unknown option 'foo'; 'zkfs --help' lists all");
	assert_refused("ro,foo=bar,sync",
		       "unknown option 'foo'; 'zkfs --help' lists all");
	assert_refused("RO", "unknown option 'RO'; 'zkfs --help' lists all");
	assert_refused("x", "unknown option 'x'; 'zkfs --help' lists all");
	assert_refused("nofial", "unknown option 'nofial'; did you mean "
				 "'nofail'?");
	assert_refused("=5", "unknown option ''; 'zkfs --help' lists all");
	assert_refused("uid =5", "unknown option 'uid '; did you mean 'uid'?");
	assert_refused("stricter",
		       "unknown option 'stricter'; did you mean 'strict'?");
	assert_refused("stric",
		       "unknown option 'stric'; did you mean 'strict'?");
}

static void test_flags(void **state)
{
	struct zkfs_opts opts =
		with("ro,sync,strict,default_permissions,auto_unmount");

	assert_true(opts.ro);
	assert_true(opts.sync);
	assert_true(opts.strict);
	assert_true(opts.default_permissions);
	assert_true(opts.auto_unmount);
	assert_false(opts.allow_other);
	assert_int_equal(opts.inotify, ZKFS_OPTS_INOTIFY_WATCHED);
	zkfs_opts_fini(&opts);
	opts = with("inotify");
	assert_int_equal(opts.inotify, ZKFS_OPTS_INOTIFY_ALL);
	zkfs_opts_fini(&opts);
	opts = with("inotify,noinotify");
	assert_int_equal(opts.inotify, ZKFS_OPTS_INOTIFY_OFF);
	zkfs_opts_fini(&opts);
	opts = with("hard");
	assert_true(opts.hard);
	zkfs_opts_fini(&opts);
	opts = with("hard,soft");
	assert_false(opts.hard);
	zkfs_opts_fini(&opts);
	assert_refused("ro=1", "option 'ro' takes no value");
	assert_refused("strict=", "option 'strict' takes no value");
}

static void test_sizes(void **state)
{
	struct zkfs_opts opts = with("cache_nodes=7,cache_data=64K");

	assert_int_equal(opts.cache_nodes, 7);
	assert_int_equal(opts.cache_data, 65536);
	assert_int_equal(opts.watch_paths, 8 << 20);
	zkfs_opts_fini(&opts);
	opts = with("cache_nodes=0,cache_data=1024G,watch_paths=4096");
	assert_int_equal(opts.cache_nodes, 0);
	assert_true(opts.cache_data == (size_t)1 << 40);
	assert_int_equal(opts.watch_paths, 4096);
	zkfs_opts_fini(&opts);
	assert_refused("cache_nodes=x", "option 'cache_nodes': 'x' is not a "
					"number");
	assert_refused("cache_nodes=-1", "option 'cache_nodes': '-1' is not a "
					 "number");
	assert_refused("cache_nodes=1000000000",
		       "option 'cache_nodes': '1000000000' is not a number");
	for (const char *const *it =
		     (const char *[]){"1025G", "1099511627776G", "5T", "5KB",
				      "-1", "K", "99999999999999999999", "8 M",
				      NULL};
	     *it; it++) {
		char option[64], words[128];

		(void)snprintf(option, sizeof(option), "cache_data=%s", *it);
		(void)snprintf(words, sizeof(words),
			       "option 'cache_data': '%s' is not a number of "
			       "bytes up to 1024G, as 4096, 64K, 64M or 1G",
			       *it);
		assert_refused(option, words);
	}
}

static void test_sloppy(void **state)
{
	struct zkfs_opts opts =
		parsed(ARGS("-s", "host:1", "/mnt", "-o", "bogus,ro,x=1"));

	assert_true(opts.ro);
	zkfs_opts_fini(&opts);
	/* What is known is still looked at. */
	assert_words(ARGS("-s", "host:1", "/mnt", "-o", "timeo=soon"),
		     "option 'timeo': 'soon' is not a number of seconds");
}

/* Each name is taken; with a value if it needs one. */
static void test_names(void **state)
{
	bool value, seen = false;
	const char *name;

	for (size_t i = 0; (name = zkfs_opts_name(i, &value)); i++) {
		struct zkfs_opts opts;
		char words[256] = "";

		(void)parse(ARGS("h", "/m", "-o", name), &opts, words,
			    sizeof(words));
		if (!value || strcmp(name, "ctlname") == 0)
			zkfs_opts_fini(&opts);
		else
			assert_non_null(strstr(words, "needs a value"));
		seen |= strcmp(name, "lockroot") == 0;
		assert_string_not_equal(name, "remount");
	}
	assert_true(seen);
}

static void test_allow_other_checks_permissions(void **state)
{
	struct zkfs_opts opts = with("allow_other");

	assert_true(opts.allow_other);
	assert_true(opts.default_permissions);
	zkfs_opts_fini(&opts);
}

static void test_last_of_opposites_wins(void **state)
{
	struct zkfs_opts opts = with("ro,sync,rw,async");

	assert_false(opts.ro);
	assert_false(opts.sync);
	zkfs_opts_fini(&opts);
	opts = with("rw,async,ro,sync");
	assert_true(opts.ro);
	assert_true(opts.sync);
	zkfs_opts_fini(&opts);
}

static void test_generic_options_are_ignored(void **state)
{
	struct zkfs_opts opts =
		with("rw,dev,nodev,suid,nosuid,noexec,exec,atime,noatime,"
		     "relatime,norelatime,strictatime,nostrictatime,lazytime,"
		     "nolazytime,diratime,nodiratime,auto,noauto,user,nouser,"
		     "users,owner,group,user=bob,users=x,owner=bob,group=adm,"
		     "nofail,_netdev,async,defaults,x-systemd.automount,"
		     "x-systemd.device-timeout=5,X-mount.mkdir,comment=text,"
		     "dirsync,silent,loud,mand,nomand,iversion,noiversion");
	struct zkfs_opts plain = parsed(ARGS("host:1", "/mnt"));

	assert_int_equal(opts.uid, plain.uid);
	assert_int_equal(opts.gid, plain.gid);
	assert_int_equal(opts.ro, plain.ro);
	assert_int_equal(opts.sync, plain.sync);
	assert_int_equal(opts.timeo_ms, plain.timeo_ms);
	zkfs_opts_fini(&opts);
	zkfs_opts_fini(&plain);
	assert_refused("nodev=1", "option 'nodev' takes no value");
}

static void test_empty_options(void **state)
{
	struct zkfs_opts opts = with("");

	assert_false(opts.ro);
	zkfs_opts_fini(&opts);
	opts = with(",,ro,");
	assert_true(opts.ro);
	zkfs_opts_fini(&opts);
}

static void test_remount(void **state)
{
	assert_refused("remount,ro",
		       "option 'remount': the options of a mounted tree "
		       "cannot be changed; unmount it first");
}

static void test_owner(void **state)
{
	const struct passwd *user = getpwnam("nobody");
	const struct group *group = getgrnam("nogroup");
	struct zkfs_opts opts = with("uid=0,gid=4294967294");

	assert_int_equal(opts.uid, 0);
	assert_int_equal(opts.gid, 4294967294);
	zkfs_opts_fini(&opts);
	assert_non_null(user);
	assert_non_null(group);
	opts = with("uid=1,gid=2,uid=nobody,gid=nogroup");
	assert_int_equal(opts.uid, user->pw_uid);
	assert_int_equal(opts.gid, group->gr_gid);
	zkfs_opts_fini(&opts);
}

static void test_owner_refused(void **state)
{
	assert_refused("uid=no-such",
		       "option 'uid': there is no user 'no-such'");
	assert_refused("gid=no-such",
		       "option 'gid': there is no group 'no-such'");
	assert_refused("uid=-1", "option 'uid': there is no user '-1'");
	assert_refused("uid=4294967295",
		       "option 'uid': there is no user '4294967295'");
	assert_refused("uid=99999999999999999999",
		       "option 'uid': there is no user "
		       "'99999999999999999999'");
	assert_refused("uid=5x", "option 'uid': there is no user '5x'");
	assert_refused("uid= 5", "option 'uid': there is no user ' 5'");
	assert_refused("uid", "option 'uid' needs a value");
	assert_refused("uid=", "option 'uid' needs a value");
}

static void test_masks(void **state)
{
	static const struct {
		const char *options;
		mode_t fmask;
		mode_t dmask;
	} cases[] = {
		{"umask=027", 027, 027},
		{"umask=0", 0, 0},
		{"umask=0777", 0777, 0777},
		{"umask=027,fmask=0133", 0133, 027},
		{"dmask=7,umask=027", 027, 07},
		{"fmask=1,dmask=2", 1, 2},
		{"umask=1,umask=2", 2, 2},
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(cases); i++) {
		struct zkfs_opts opts = with(cases[i].options);

		assert_int_equal(opts.fmask, cases[i].fmask);
		assert_int_equal(opts.dmask, cases[i].dmask);
		zkfs_opts_fini(&opts);
	}
	assert_refused("umask=8", "option 'umask': '8' is not an octal mode");
	assert_refused("fmask=1000",
		       "option 'fmask': '1000' is not an octal mode");
	assert_refused("dmask=0x1",
		       "option 'dmask': '0x1' is not an octal mode");
	assert_refused("umask=-1", "option 'umask': '-1' is not an octal mode");
	assert_refused("umask=00022",
		       "option 'umask': '00022' is not an octal mode");
}

static void test_seconds(void **state)
{
	static const struct {
		const char *options;
		int timeo_ms;
		int session_timeout_ms;
	} cases[] = {
		{"timeo=5", 5000, 10000},
		{"timeo=0.25", 250, 10000},
		{"timeo=0.001", 1, 10000},
		{"timeo=2.5009", 2500, 10000},
		{"timeo=086400.000", 86400000, 10000},
		{"session_timeout=0.5", 500, 500},
		{"session_timeout=30", 30000, 30000},
		{"timeo=3,session_timeout=30", 3000, 30000},
		{"session_timeout=30,timeo=3,timeo=4", 4000, 30000},
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(cases); i++) {
		struct zkfs_opts opts = with(cases[i].options);

		assert_int_equal(opts.timeo_ms, cases[i].timeo_ms);
		assert_int_equal(opts.session_timeout_ms,
				 cases[i].session_timeout_ms);
		zkfs_opts_fini(&opts);
	}
}

static void test_seconds_refused(void **state)
{
	static const char *const not_numbers[] = {
		"5x", "x",  "-1",  "+1",  ".5",	 "5.",	  "1e3",
		" 5", "5 ", "0x5", "inf", "nan", "1.2.3",
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(not_numbers); i++) {
		char options[64], want[128];

		(void)snprintf(options, sizeof(options), "timeo=%s",
			       not_numbers[i]);
		(void)snprintf(want, sizeof(want),
			       "option 'timeo': '%s' is not a number of "
			       "seconds",
			       not_numbers[i]);
		assert_refused(options, want);
	}
	assert_refused("timeo=0", "option 'timeo': '0' is not between 0.001 "
				  "and 86400 seconds");
	assert_refused("timeo=86400.001",
		       "option 'timeo': '86400.001' is not between 0.001 and "
		       "86400 seconds");
	assert_refused("timeo=99999999999999999999999999",
		       "option 'timeo': '99999999999999999999999999' is not "
		       "between 0.001 and 86400 seconds");
	assert_refused("session_timeout=0.499",
		       "option 'session_timeout': '0.499' is not between 0.5 "
		       "and 86400 seconds");
	assert_refused("timeo", "option 'timeo' needs a value");
}

static void test_dataname(void **state)
{
	char options[300] = "dataname=";
	struct zkfs_opts opts = with("dataname=a,dataname=@data");

	assert_string_equal(opts.dataname, "@data");
	zkfs_opts_fini(&opts);
	assert_refused("dataname=a/b",
		       "option 'dataname': 'a/b' is not a file name");
	assert_refused("dataname=..",
		       "option 'dataname': '..' is not a file name");
	assert_refused("dataname=", "option 'dataname' needs a value");
	memset(options + strlen(options), 'a', 255);
	opts = with(options);
	assert_int_equal(strlen(opts.dataname), 255);
	zkfs_opts_fini(&opts);
}

static void test_dataname_too_long(void **state)
{
	char options[300] = "dataname=";
	struct zkfs_opts opts;
	char words[64];

	memset(options + strlen(options), 'a', 256);
	assert_int_equal(parse(ARGS("a", "b", "-o", options), &opts, words,
			       sizeof(words)),
			 -EINVAL);
	/* Cut, not overrun. */
	assert_int_equal(strlen(words), sizeof(words) - 1);
}

static void test_ctlname(void **state)
{
	struct zkfs_opts opts = with("ctlname=.control");

	assert_string_equal(opts.ctlname, ".control");
	zkfs_opts_fini(&opts);
	opts = with("ctlname=a,ctlname=");
	assert_string_equal(opts.ctlname, "");
	zkfs_opts_fini(&opts);
	opts = with("ctlname");
	assert_string_equal(opts.ctlname, "");
	zkfs_opts_fini(&opts);
	assert_refused("ctlname=a/b",
		       "option 'ctlname': 'a/b' is not a file name");
	assert_refused("ctlname=.data",
		       "options 'ctlname' and 'dataname' are the same");
	assert_refused("dataname=.zkfs",
		       "options 'ctlname' and 'dataname' are the same");
}

static void test_lockroots(void **state)
{
	struct zkfs_opts opts =
		with("lockroot=/a/b//,lockroot=/,lockroot=/a/b,lockroot=/c");

	assert_int_equal(opts.n_lockroots, 3);
	assert_string_equal(opts.lockroots[0], "/a/b");
	assert_string_equal(opts.lockroots[1], "/");
	assert_string_equal(opts.lockroots[2], "/c");
	zkfs_opts_fini(&opts);
	assert_refused("lockroot=locks", "option 'lockroot': 'locks' is not an "
					 "absolute path of a znode");
	assert_refused("lockroot=/a//b", "option 'lockroot': '/a//b' is not an "
					 "absolute path of a znode");
	assert_refused("lockroot=/a/../b",
		       "option 'lockroot': '/a/../b' is not an absolute path "
		       "of a znode");
	assert_refused("lockroot=", "option 'lockroot' needs a value");
}

static void test_backslash_takes_a_comma_along(void **state)
{
	struct zkfs_opts opts = with("lockroot=/a\\,b,lockroot=/c\\\\d,ro");

	assert_int_equal(opts.n_lockroots, 2);
	assert_string_equal(opts.lockroots[0], "/a,b");
	assert_string_equal(opts.lockroots[1], "/c\\d");
	assert_true(opts.ro);
	zkfs_opts_fini(&opts);
}

static void test_locknames(void **state)
{
	static const struct {
		const char *options;
		unsigned families;
	} cases[] = {
		{"locknames=curator", ZKFS_FAMILY_CURATOR},
		{"locknames=kazoo", ZKFS_FAMILY_KAZOO},
		{"locknames=curator-rw", ZKFS_FAMILY_CURATOR_RW},
		{"locknames=all", ZKFS_FAMILY_ALL},
		{"locknames=kazoo:curator",
		 ZKFS_FAMILY_KAZOO | ZKFS_FAMILY_CURATOR},
		{"locknames=curator:kazoo:curator-rw", ZKFS_FAMILY_ALL},
		{"locknames=all,locknames=kazoo", ZKFS_FAMILY_KAZOO},
	};

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(cases); i++) {
		struct zkfs_opts opts = with(cases[i].options);

		assert_int_equal(opts.locknames, cases[i].families);
		zkfs_opts_fini(&opts);
	}
	assert_refused("locknames=kazoo:go",
		       "option 'locknames': 'go' is not one of curator, "
		       "kazoo, curator-rw, all");
	assert_refused("locknames=kazoo:",
		       "option 'locknames': '' is not one of curator, kazoo, "
		       "curator-rw, all");
	assert_refused("locknames=cur", "option 'locknames': 'cur' is not one "
					"of curator, kazoo, curator-rw, all");
	assert_refused("locknames", "option 'locknames' needs a value");
}

static void test_authfile(void **state)
{
	struct zkfs_opts opts = with("authfile=/a,authfile=/etc/zkfs.auth");

	assert_string_equal(opts.authfile, "/etc/zkfs.auth");
	zkfs_opts_fini(&opts);
	assert_refused("authfile", "option 'authfile' needs a value");
}

/* The daemon goes elsewhere, and reads it again there. */
static void test_file_is_absolute(void **state)
{
	struct zkfs_opts opts = with("authfile=auth");
	char *cwd = getcwd(NULL, 0);
	char want[PATH_MAX];

	(void)state;
	assert_non_null(cwd);
	(void)snprintf(want, sizeof(want), "%s/auth", cwd);
	free(cwd);
	assert_string_equal(opts.authfile, want);
	zkfs_opts_fini(&opts);
}

static void test_tls(void **state)
{
	struct zkfs_opts opts =
		with("tls,cafile=/a,certfile=/b,keyfile=/c,cafile=/d");

	(void)state;
	assert_true(opts.tls);
	assert_string_equal(opts.cafile, "/d");
	assert_string_equal(opts.certfile, "/b");
	assert_string_equal(opts.keyfile, "/c");
	zkfs_opts_fini(&opts);
	opts = with("certfile=/b,tls");
	assert_null(opts.keyfile);
	zkfs_opts_fini(&opts);
	/* Who gives one of these wants TLS: it is not left out in silence. */
	assert_refused("cafile=/a",
		       "option 'cafile' is of use with 'tls' only");
	assert_refused("certfile=/a",
		       "option 'certfile' is of use with 'tls' only");
	assert_refused("tls,keyfile=/a", "option 'keyfile' needs 'certfile'");
	assert_refused("tls=1", "option 'tls' takes no value");
	assert_refused("tls,cafile", "option 'cafile' needs a value");
}

static void test_limits(void **state)
{
	struct zkfs_opts opts = with("ro");

	(void)state;
	assert_int_equal(opts.limits.open, 65536);
	assert_int_equal(opts.limits.open_user, 32768);
	assert_int_equal(opts.limits.locks, 65536);
	assert_int_equal(opts.limits.locks_user, 16384);
	assert_int_equal(opts.limits.data, 1 << 30);
	assert_int_equal(opts.limits.data_user, 1 << 29);
	assert_int_equal(opts.limits.listing, 1 << 26);
	assert_int_equal(opts.limits.path, 65536);
	zkfs_opts_fini(&opts);
	opts = with("open_max=1,open_user_max=2,locks_max=3,locks_user_max=4,"
		    "data_max=5K,data_user_max=6,listing_max=7,path_max=8");
	assert_int_equal(opts.limits.open, 1);
	assert_int_equal(opts.limits.open_user, 2);
	assert_int_equal(opts.limits.locks, 3);
	assert_int_equal(opts.limits.locks_user, 4);
	assert_int_equal(opts.limits.data, 5120);
	assert_int_equal(opts.limits.data_user, 6);
	assert_int_equal(opts.limits.listing, 7);
	assert_int_equal(opts.limits.path, 8);
	zkfs_opts_fini(&opts);
	assert_refused("open_max=0", "option 'open_max': 0 leaves nothing");
	assert_refused("data_max=0K", "option 'data_max': 0 leaves nothing");
	assert_refused("open_max=1K",
		       "option 'open_max': '1K' is not a number");
	assert_refused("path_max", "option 'path_max' needs a value");
}

#define READ_BY_ALL "\1\0\0\0world\0anyone"
#define BOBS	    "\7\0\0\0digest\0bob:x="

static void test_acl(void **state)
{
	struct zkfs_opts opts =
		with("acl=world:anyone:a,acl=digest:bob:x=:rwc");

	(void)state;
	assert_int_equal(opts.acl_len, sizeof(BOBS));
	assert_memory_equal(opts.acl, BOBS, sizeof(BOBS));
	/* Those who wait behind a contender read it. */
	assert_int_equal(opts.contender_acl_len, sizeof(BOBS "\0" READ_BY_ALL));
	assert_memory_equal(opts.contender_acl, BOBS "\0" READ_BY_ALL,
			    opts.contender_acl_len);
	zkfs_opts_fini(&opts);

	opts = with("acl=world:anyone:r\\,digest:bob:x=:crw,ro");
	assert_int_equal(opts.acl_len, sizeof(READ_BY_ALL "\0" BOBS));
	assert_memory_equal(opts.acl, READ_BY_ALL "\0" BOBS, opts.acl_len);
	assert_true(opts.ro);
	zkfs_opts_fini(&opts);

	opts = with("acl=auth::r,authfile=/f");
	assert_non_null(opts.acl);
	zkfs_opts_fini(&opts);
	assert_refused("acl=world:anyone",
		       "option 'acl': 'world:anyone' is not "
		       "a list of SCHEME:ID:PERMISSIONS");
	assert_refused("acl=auth::r", "option 'acl': 'auth' is who 'authfile' "
				      "says, and there is none");
}

static void test_fini_twice(void **state)
{
	struct zkfs_opts opts = with("authfile=/a");

	zkfs_opts_fini(&opts);
	assert_null(opts.source);
	zkfs_opts_fini(&opts);
}

static void test_without_memory(void **state)
{
	const char **args =
		ARGS("h:1", "/mnt", "-o",
		     "lockroot=/a,lockroot=/b,dataname=c,authfile=d", "-o",
		     "dataname=e");
	struct zkfs_opts opts;
	char words[64];
	unsigned n;
	int r;

	for (n = 1;; n++) {
		words[0] = '\0';
		fault_arm(n);
		r = parse(args, &opts, words, sizeof(words));
		if (!fault_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_string_equal(words, "out of memory");
	}
	assert_int_equal(r, 0);
	assert_in_range(n, 8, 20);
	zkfs_opts_fini(&opts);
	for (n = 1;; n++) {
		fault_arm(n);
		r = parse(ARGS("h:1", "/mnt"), &opts, words, sizeof(words));
		if (!fault_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_in_range(n, 5, 10);
	zkfs_opts_fini(&opts);
}

/* Each option that --help explains is one, and none but the opposites and
 * the refused are left unexplained. */
static void test_help_against_the_options(void **state)
{
	static const char *const names[] = {
		"uid",
		"gid",
		"umask",
		"fmask",
		"dmask",
		"ro",
		"sync",
		"strict",
		"allow_other",
		"timeo",
		"auto_unmount",
		"default_permissions",
		"dataname",
		"session_timeout",
		"lockroot",
		"authfile",
		"tls",
		"cafile",
		"certfile",
		"keyfile",
		"locknames",
		"ctlname",
		"cache_nodes",
		"cache_data",
		"watch_paths",
		"sync_open",
		"hard",
		"inotify",
		"noinotify",
		"noexec",
		"acl",
		"open_max",
		"open_user_max",
		"locks_max",
		"locks_user_max",
		"data_max",
		"data_user_max",
		"listing_max",
		"path_max",
		"stale",
	};
	const char *at = strstr(zkfs_opts_help(), "\nMount options");
	size_t n = 0;

	assert_non_null(at);
	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(names); i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "\n  %s", names[i]);
		assert_non_null(strstr(at, line));
		assert_non_null(strchr("= ", strstr(at, line)[strlen(line)]));
	}
	while ((at = strstr(at, "\n  "))) {
		at += 3;
		n += *at != ' ';
	}
	assert_int_equal(n, ZKFS_ARRAY_SIZE(names));
}

static void test_help_fits_a_terminal(void **state)
{
	const char *at = zkfs_opts_help();

	while (*at != '\0') {
		size_t len = strcspn(at, "\n");

		assert_in_range(len, 0, 79);
		assert_int_equal(at[len], '\n');
		at += len + 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_umask_of_the_process_is_kept),
		cmocka_unit_test(test_order_of_arguments),
		cmocka_unit_test(test_argv_is_not_changed),
		cmocka_unit_test(test_debug_stays_in_the_foreground),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_unknown_arguments),
		cmocka_unit_test(test_unknown_options),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sloppy),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_allow_other_checks_permissions),
		cmocka_unit_test(test_last_of_opposites_wins),
		cmocka_unit_test(test_generic_options_are_ignored),
		cmocka_unit_test(test_empty_options),
		cmocka_unit_test(test_remount),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_owner_refused),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_seconds_refused),
		cmocka_unit_test(test_dataname),
		cmocka_unit_test(test_dataname_too_long),
		cmocka_unit_test(test_ctlname),
		cmocka_unit_test(test_lockroots),
		cmocka_unit_test(test_backslash_takes_a_comma_along),
		cmocka_unit_test(test_locknames),
		cmocka_unit_test(test_authfile),
		cmocka_unit_test(test_file_is_absolute),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_acl),
		cmocka_unit_test(test_fini_twice),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_help_against_the_options),
		cmocka_unit_test(test_help_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

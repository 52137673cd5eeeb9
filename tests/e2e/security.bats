#!/usr/bin/env bats
# Security: what users of one machine can do to each other on a mount that all
# may use, and where secrets could show.

load lib

setup() {
	e2e_setup
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	printf 'digest bob:hunter2secret\n' >"$BATS_TEST_TMPDIR/auth"
	chmod 600 "$BATS_TEST_TMPDIR/auth"
}

# nobody CODE ARGUMENT...: py, as that user.
nobody() {
	local code=$1
	shift
	py "import pwd
os.setgroups([])
os.setgid(pwd.getpwnam('nobody').pw_gid)
os.setuid(pwd.getpwnam('nobody').pw_uid)
$code" "$@"
}

# Catches: a mount that lets others in and checks nothing.
@test "security: without allow_other nobody else enters, not even root's friends" {
	zk_mount A
	echo 1 >"$A/f"
	nobody 'expect("EACCES", os.stat, A[0] + "/f")
expect("EACCES", os.listdir, A[0])
expect("EACCES", open, A[0] + "/.zkfs/status")' "$A"
}

# Catches: allow_other without default_permissions.
@test "security: with allow_other the mode bits hold" {
	zk_mount A allow_other,umask=022
	mkdir -p "$A/d" "$A/locks/l"
	echo 1 >"$A/d/f"
	nobody '
same(open(A[0] + "/d/f").read(), "1\n")
expect("EACCES", open, A[0] + "/d/f", "w")
expect("EACCES", os.truncate, A[0] + "/d/f", 0)
expect("EACCES", os.unlink, A[0] + "/d/f")
expect("EACCES", os.mkdir, A[0] + "/d/x")
expect("EACCES", os.mknod, A[0] + "/d/x")
expect("EACCES", os.rename, A[0] + "/d/f", A[0] + "/d/g")
expect("EACCES", os.mkdir, A[0] + "/locks/l/me")
expect("EACCES", os.open, A[0] + "/locks/l/me", os.O_WRONLY | os.O_CREAT)
expect("EACCES", os.setxattr, A[0] + "/d/f", "user.zk.acl", b"world:anyone:r")
expect("EACCES", os.open, A[0] + "/.zkfs/status", os.O_WRONLY)' "$A"
	is "$(cat "$A/d/f")" 1
}

# Catches: an ACL that whoever may write can set, shutting out all others.
@test "security: an ACL is set by the owner and by root" {
	zk_mount A allow_other,umask=0,uid=1
	echo 1 >"$A/f"
	nobody 'expect("EPERM", os.setxattr, A[0], "user.zk.acl", b"world:anyone:r")
open(A[0], "a").write("2\n")' "$A/f"
	py 'os.setuid(1)
os.setxattr(A[0], "user.zk.acl", b"world:anyone:ra")' "$A/f"
	setfattr -n user.zk.acl -v world:anyone:cdrwa "$A/f"
}

# Catches: locks that whoever may make names in the directory can end.
@test "security: a lock is ended by who took it, by the owner and by root" {
	zk_mount A allow_other,umask=0
	zk_mount B
	mkdir -p "$A/locks/a" "$A/locks/b" "$A/locks/c"
	exec 7>"$A/locks/a/root" 8>"$B/locks/b/there"
	mkdir "$A/locks/c/root"
	nobody '
expect("EPERM", os.unlink, A[0] + "/locks/a/root")
expect("EPERM", os.rmdir, A[0] + "/locks/c/root")
expect("EPERM", os.unlink, A[0] + "/locks/b/there")' "$A"
	has "$(cat "$A/locks/a/root")" state=held
	has "$(cat "$A/locks/b/there")" state=held
	exec 7>&-
	rmdir "$A/locks/c/root"
	nobody '
f = os.open(A[0] + "/locks/a/mine", os.O_WRONLY | os.O_CREAT)
os.unlink(A[0] + "/locks/a/mine")
expect("EIO", os.write, f, b"x")
os.mkdir(A[0] + "/locks/c/mine")
os.rmdir(A[0] + "/locks/c/mine")
os.mkdir(A[0] + "/locks/c/mine")
f = os.open(A[0] + "/locks/a/mine", os.O_WRONLY | os.O_CREAT)
os.write(1, b"has it\n")
sys.stdin.read()' "$A" >"$BATS_TEST_TMPDIR/said" < <(
		within 30 test -s "$BATS_TEST_TMPDIR/said"
		rm "$A/locks/a/mine" "$A/locks/b/there"
		rmdir "$A/locks/c/mine"
		echo "done" >"$BATS_TEST_TMPDIR/root"
	)
	is "$(cat "$BATS_TEST_TMPDIR/root")" "done"
	exec 8>&-
}

# Catches: an option of the user's that wins over ours.
@test "security: nosuid and nodev are on, whatever is asked for" {
	zk_mount A suid,dev,exec,allow_other
	has "$(grep -F " $A " /proc/self/mountinfo)" nosuid
	has "$(grep -F " $A " /proc/self/mountinfo)" nodev
}

# Catches: a secret in the log, also that of -d, in the files that show a
# process or a mount, in a core dump, or in what a mount tells of itself.
@test "security: a secret is shown nowhere" {
	local pid
	mkdir "$BATS_TEST_TMPDIR/A"
	(ulimit -c unlimited
	exec "$ZKFS" -d -o "authfile=$BATS_TEST_TMPDIR/auth,session_timeout=4" \
		"$SOURCE" "$BATS_TEST_TMPDIR/A" >"$BATS_TEST_TMPDIR/A.log" 2>&1 3>&- 4>&-) &
	pid=$!
	within 20 is_mounted "$BATS_TEST_TMPDIR/A"
	echo 1 >"$BATS_TEST_TMPDIR/A/f"
	setfattr -n user.zk.acl -v auth::cdrwa "$BATS_TEST_TMPDIR/A/f"
	kill -HUP "$pid"
	within 20 grep -q "was read again" "$BATS_TEST_TMPDIR/A.log"
	cat "$BATS_TEST_TMPDIR"/A/.zkfs/* >"$BATS_TEST_TMPDIR/told"
	cat "/proc/$pid/cmdline" "/proc/$pid/environ" "/proc/$pid/mountinfo" \
		>>"$BATS_TEST_TMPDIR/told"
	if grep -F hunter2 "$BATS_TEST_TMPDIR/A.log" "$BATS_TEST_TMPDIR/told"; then
		fail "shown"
	fi
	# What would be in a core dump is not dumped, whatever the limit.
	nobody 'expect("EACCES", open, "/proc/%s/mem" % A[0])
expect("EACCES", os.listdir, "/proc/%s/fd" % A[0])' "$pid"
	kill -QUIT "$pid"
	wait "$pid" || :
	[ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'core*')" ]
	fusermount3 -uz "$BATS_TEST_TMPDIR/A" || :
}

# Catches: a file that is read once and for all, one that replaces what works by
# what does not, and credentials that end the session.
@test "security: SIGHUP reads the authfile again" {
	zk_mount A "authfile=$BATS_TEST_TMPDIR/auth"
	zk auth digest alice:x
	zk create /a 1
	zk protect /a auth "" read write admin
	fails "Permission denied" cat "$A/a"
	exec 7>"$BATS_TEST_TMPDIR/unused"
	printf 'digest bob:hunter2secret\ndigest alice:x\n' >"$BATS_TEST_TMPDIR/auth"
	kill -HUP "${MOUNT_PID[A]}"
	within 20 grep -q "was read again" "$A.log"
	is "$(cat "$A/a")" 1
	chmod 644 "$BATS_TEST_TMPDIR/auth"
	kill -HUP "${MOUNT_PID[A]}"
	within 20 grep -q "may be read by others.*stay as they were" "$A.log"
	chmod 600 "$BATS_TEST_TMPDIR/auth"
	printf 'nosuch x\n' >"$BATS_TEST_TMPDIR/auth"
	kill -HUP "${MOUNT_PID[A]}"
	within 20 grep -q "scheme 'nosuch' is new.*stay as they were" "$A.log"
	is "$(cat "$A/a")" 1
	is "$(zk_sessions | grep -c "${MOUNT_SESSION[A]}")" 1
}

# Catches: SIGHUP that is nobody's any more without an authfile.
@test "security: SIGHUP without an authfile unmounts" {
	zk_mount A
	kill -HUP "${MOUNT_PID[A]}"
	daemon_ends A
}

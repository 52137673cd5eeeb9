#!/usr/bin/env bats
# ACLs: user.zk.acl, shown and set in zkCli's text form, and -o acl= for what is
# created. The other side (zk acl) prints "SCHEME ID PERMISSIONS" lines.

load lib

setup() {
	e2e_setup
	printf 'digest bob:secret\n' >"$BATS_TEST_TMPDIR/auth"
	chmod 600 "$BATS_TEST_TMPDIR/auth"
}

acl() {
	getfattr --only-values -n user.zk.acl "$1"
}

set_acl() {
	setfattr -n user.zk.acl -v "$2" "$1"
}

# Catches: permissions in another order, entries that are dropped, the wrong
# scheme of a digest.
@test "user.zk.acl is shown and set as zkCli shows and sets it" {
	zk_mount A
	echo 1 >"$A/f"
	mkdir "$A/d"
	is "$(acl "$A/f")" world:anyone:cdrwa
	is "$(acl "$A/d")" world:anyone:cdrwa
	is "$(acl "$A")" world:anyone:cdrwa
	set_acl "$A/f" world:anyone:ra,digest:bob:x=:cdrwa
	is "$(acl "$A/f")" world:anyone:ra,digest:bob:x=:cdrwa
	is "$(zk acl /f)" "world anyone ra
digest bob:x= rwcda"
	# The data of a directory is the directory's znode.
	echo 2 >"$A/d/.data"
	set_acl "$A/d/.data" world:anyone:cra
	is "$(acl "$A/d")" world:anyone:cra
}

# Catches: taking what is not one, and answering another errno for it.
@test "what is no ACL is refused with EINVAL, and changes nothing" {
	zk_mount A
	echo 1 >"$A/f"
	py '
import os
for text in (b"", b"world", b"world:anyone:", b"world:anyone:x", b"a:b:r,",
             b"world:someone:r", b"nosuch:a:r", b"ip:500.1.1.1:r",
             b"auth::r", b"world:anyone:r\0"):
    expect("EINVAL", os.setxattr, A[0], "user.zk.acl", text)
expect("EEXIST", os.setxattr, A[0], "user.zk.acl", b"world:anyone:r",
       os.XATTR_CREATE)
expect("ENOTSUP", os.removexattr, A[0], "user.zk.acl")
os.setxattr(A[0], "user.zk.acl", b"world:anyone:ra", os.XATTR_REPLACE)
' "$A/f"
	is "$(acl "$A/f")" world:anyone:ra
	is "$(getfattr -d "$A/f" | grep -c zk.acl)" 0
}

# Catches: a set that does not name the version, and one that keeps naming the
# old one.
@test "an ACL that was changed since it was read answers ESTALE" {
	zk_mount A
	echo 1 >"$A/f"
	is "$(acl "$A/f")" world:anyone:cdrwa
	zk protect /f world anyone read write admin
	fails "Stale file handle" set_acl "$A/f" world:anyone:ra
	is "$(acl "$A/f")" world:anyone:rwa
	# Our own sets do not make the next one fail.
	set_acl "$A/f" world:anyone:ra
	set_acl "$A/f" world:anyone:cra
	is "$(acl "$A/f")" world:anyone:cra
	# What was never read is set whatever it is.
	echo 1 >"$A/g"
	zk protect /g world anyone read write admin
	set_acl "$A/g" world:anyone:ra
	is "$(acl "$A/g")" world:anyone:ra
	# Nor is one by this name that was read before the file was made anew.
	rm "$A/g"
	echo 2 >"$A/g"
	set_acl "$A/g" world:anyone:ra
}

# Catches: answering what is hidden as if it were the list, and other errnos.
@test "what the server refuses is EACCES" {
	zk_mount A
	zk_mount B "authfile=$BATS_TEST_TMPDIR/auth"
	echo 1 >"$A/f"
	echo 1 >"$B/g"
	set_acl "$B/f" auth::cdrwa
	has "$(acl "$B/f")" digest:bob:
	fails "Permission denied" acl "$A/f"
	fails "Permission denied" set_acl "$A/f" world:anyone:r
	fails "Permission denied" cat "$A/f"
	is "$(cat "$B/f")" 1
	# Read but not administered: the hash is hidden.
	set_acl "$B/g" auth::cdrwa,world:anyone:r
	is "$(cat "$A/g")" 1
	fails "Permission denied" acl "$A/g"
	is "$(stat -c %s "$A/f")" 2
}

# Catches: an ACL left out of one of the ways in which something is made.
@test "-o acl= is the ACL of what is created" {
	zk_mount A "authfile=$BATS_TEST_TMPDIR/auth,acl=auth::cdrwa\\,world:anyone:r"
	mkdir -p "$A/d" "$A/locks/l"
	echo 1 >"$A/d/f"
	flock "$A/d/f" true
	for path in /d /d/f /locks /locks/l /locks/%2Fd%2Ff; do
		has "$(zk acl "$path")" "digest bob:"
		has "$(zk acl "$path")" "world anyone r"
	done
	is "$(zk acl /d/f | wc -l)" 2
}

# Catches: a rename that opens to all what was not, or that shuts out those who
# had the right to what is replaced.
@test "rename takes the ACL along, and leaves that of a file it replaces" {
	zk_mount A "authfile=$BATS_TEST_TMPDIR/auth"
	zk_mount B
	mkdir -p "$A/d/e"
	echo 1 >"$A/d/f"
	echo 2 >"$A/old"
	set_acl "$A/d/f" auth::cdrwa
	set_acl "$A/d/e" world:anyone:cdra
	set_acl "$A/d" world:anyone:cdrwa,ip:127.0.0.1:r
	mv "$A/d" "$A/moved"
	is "$(acl "$A/moved")" world:anyone:cdrwa,ip:127.0.0.1:r
	is "$(acl "$A/moved/e")" world:anyone:cdra
	has "$(acl "$A/moved/f")" digest:bob:
	is "$(cat "$A/moved/f")" 1
	mv "$A/moved/f" "$A/old"
	is "$(acl "$A/old")" world:anyone:cdrwa
	is "$(cat "$A/old")" 1
	# Who may read it but not its ACL cannot take that along.
	echo 3 >"$A/g"
	set_acl "$A/g" auth::cdrwa,world:anyone:r
	fails "Permission denied" mv -T "$B/g" "$B/h"
	is "$(cat "$B/g")" 3
	mv -T "$B/g" "$B/old"
	is "$(cat "$B/old")" 3
}

# Catches: contenders that nobody else can read, and locks that cannot be
# broken or joined by who has the right over the lock.
@test "-o acl=: contenders are read by all, and broken by who may delete in the lock" {
	zk_mount A "authfile=$BATS_TEST_TMPDIR/auth,acl=auth::cdrwa"
	zk_mount B
	zk create /locks
	zk create /locks/l
	exec 8>"$A/locks/l/a"
	name=$(zk ls /locks/l | head -n 1)
	has "$(zk acl "/locks/l/$name")" "digest bob:"
	has "$(zk acl "/locks/l/$name")" "world anyone r"
	has "$(cat "$B/locks/l/a")" "state=held"
	has "$(cat "$B/locks/l/.queue")" "exclusive held"
	echo note >&8
	has "$(cat "$B/locks/l/a")" "note"
	rm "$B/locks/l/a"
	within 20 lost 8
	exec 8>&-
	exec 8>"$B/locks/l/b" 9<"$A/locks/l/b"
	has "$(cat <&9)" "state=held"
	exec 8>&- 9<&-
}

lost() {
	py 'expect("EIO", os.write, int(A[0]), b"x")' "$1"
}

# Catches: a mount that starts and then refuses each create.
@test "-o acl= that cannot be is refused at the start" {
	fails "option 'acl': 'x' is not a list" \
		"$ZKFS" -o acl=x "$SOURCE" "$BATS_TEST_TMPDIR"
	fails "'auth' is who 'authfile' says" \
		"$ZKFS" -o acl=auth::r "$SOURCE" "$BATS_TEST_TMPDIR"
}

# Catches: ACLs that are copied by surprise, and copies that fail for
# attributes that cannot be written.
@test "cp -a, tar and rsync -X copy no ACL, and do not fail" {
	zk_mount A
	mkdir "$A/from"
	echo 1 >"$A/from/f"
	set_acl "$A/from/f" world:anyone:ra
	cp -a "$A/from" "$A/cp"
	is "$(acl "$A/cp/f")" world:anyone:cdrwa
	cp -a "$A/from" "$BATS_TEST_TMPDIR/local"
	cp -a "$BATS_TEST_TMPDIR/local" "$A/back"
	is "$(cat "$A/back/f")" 1
	tar -C "$A/from" --xattrs -cf "$BATS_TEST_TMPDIR/t.tar" .
	mkdir "$A/tar"
	tar -C "$A/tar" --xattrs -xf "$BATS_TEST_TMPDIR/t.tar"
	is "$(cat "$A/tar/f")" 1
	rsync -aX "$A/from/" "$A/rsync"
	is "$(acl "$A/rsync/f")" world:anyone:cdrwa
	is "$(cat "$A/rsync/f")" 1
	py 'import os
was = os.getxattr(A[0], "user.zk.version")
os.setxattr(A[0], "user.zk.version", b"77")
same(os.getxattr(A[0], "user.zk.version"), was)
expect("ENOTSUP", os.setxattr, A[0], "user.other", b"1")' "$A/from/f"
	zk_mount B strict
	py 'import os
expect("EPERM", os.setxattr, A[0], "user.zk.version", b"77")' "$B/from/f"
}

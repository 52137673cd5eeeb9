#!/usr/bin/env bats
# What `meson install` puts where, and that it works from there.

load lib
load installed

@test "install: what belongs together is there" {
	local name
	cd "$INSTALLED"
	for name in zkfs zkfs-local zkfs-lock zkfs-update; do
		[ -x "bin/$name" ]
		[ ! -L "bin/$name" ]
		[ -e "share/bash-completion/completions/$name" ]
		[ -n "$(find share/man -name "$name.[18]*")" ]
	done
	for name in mount.zkfs mount.fuse.zkfs; do
		is "$(readlink -f "sbin/$name")" "$PWD/bin/zkfs"
		[ -n "$(find -L share/man/man8 -name "$name.8*" -type f)" ]
		[ -e "share/bash-completion/completions/$name" ]
	done
	[ -n "$(find share/man/man7 -name "zkfs-locks.7*")" ]
	[ -e share/doc/zkfs/examples/app.conf ]
	# No file but what is meant: names of the build's own parts and tests.
	[ "$INSTALLED" = /usr ] ||
		is "$(find . -name '*test*' -o -name '*.a' -o -name '*.h')" ""
}

@test "install: --dump-config knows where it is" {
	local prefix
	[ "$INSTALLED" != /usr ] || prefix=/usr
	prefix=${INSTALLED#"$BATS_FILE_TMPDIR/root"}
	"$INSTALLED/bin/zkfs" --dump-config >config
	grep -qx "bindir=$prefix/bin" config
	grep -qx "sbindir=$prefix/sbin" config
	grep -qx "mandir=$prefix/share/man" config
}

# Another zkfs is in PATH, and another in ../build.
@test "install: zkfs-local takes the zkfs that it was installed with" {
	mkdir -p path home
	printf '#!/bin/sh\necho "the wrong one" >&2\nexit 1\n' >path/zkfs
	chmod +x path/zkfs
	XDG_STATE_HOME=$PWD/home PATH=$PWD/path:$PATH \
		ZKFS_LOCAL_JAVA_OPTIONS=-Dzookeeper.forceSync=no \
		timeout 60 "$INSTALLED/bin/zkfs-local" start "$PWD/m" \
		3>&- 4>&- >out
	mkdir m/locks
	"$INSTALLED/bin/zkfs-lock" m/locks/x echo locked >>out
	echo 1 >m/n
	"$INSTALLED/bin/zkfs-update" m/n sed s/1/2/
	is "$(<m/n)" 2
	is "$(readlink "/proc/$(daemons_below "$PWD/m")/exe")" \
		"$(readlink -f "$INSTALLED/bin/zkfs")"
	XDG_STATE_HOME=$PWD/home timeout 60 "$INSTALLED/bin/zkfs-local" stop >>out
	grep -qx locked out
	within 10 no_daemons
}

@test "install: nothing of who built it is in the programs" {
	local name
	[ -e "$ZKFS_BUILD/build.ninja" ] || skip "no build"
	# A sanitizer's run-time library has paths of its own makers.
	for name in zkfs zkfs-lock zkfs-update; do
		! grep -qaF "$E2E_TOP" "$INSTALLED/bin/$name" ||
			fail "$name has the path of its sources"
	done
}

@test "install: DESTDIR and the prefix are respected" {
	[ -e "$ZKFS_BUILD/build.ninja" ] || skip "no build"
	# Everything is below both.
	is "$(cd "$BATS_FILE_TMPDIR/root" && find . ! -type d |
		grep -vc "^\.${INSTALLED#"$BATS_FILE_TMPDIR/root"}/")" 0
}

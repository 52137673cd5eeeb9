#!/usr/bin/env bash
# installed.bash: zkfs as it is installed: of this build below a directory, or
# that of the machine if ZKFS_BUILD is no build but where that is. Loaded after
# lib; sets INSTALLED to what is /usr there.

setup_file() {
	local prefix

	INSTALLED=/usr
	if [ -e "$ZKFS_BUILD/build.ninja" ]; then
		DESTDIR=$BATS_FILE_TMPDIR/root meson install -C "$ZKFS_BUILD" \
			--no-rebuild --quiet 3>&- 4>&-
		prefix=$(meson introspect "$ZKFS_BUILD" --buildoptions |
			jq -r '.[] | select(.name == "prefix").value')
		INSTALLED=$BATS_FILE_TMPDIR/root$prefix
	fi
	[ -x "$INSTALLED/bin/zkfs" ]
	export INSTALLED
}

# in_namespace SCRIPT ARGUMENT...: bash in a mount namespace where mount(8)
# finds what is installed, and everybody may use FUSE.
in_namespace() {
	unshare -m true || skip "no mount namespaces here"
	# Who installs for /usr needs none of the links.
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -uc '
		set -e
		installed=$1
		if [ "$installed" != /usr ]; then
			mount --bind "$installed/bin" /usr/local/bin
			mount -t tmpfs -o mode=755 tmpfs /usr/sbin
			ln -s /usr/local/bin/zkfs /usr/sbin/mount.zkfs
			ln -s /usr/local/bin/zkfs /usr/sbin/mount.fuse.zkfs
		fi
		mount -t tmpfs -o dev,mode=755 tmpfs /opt
		mknod -m 666 /opt/fuse c 10 229
		mount --bind /opt/fuse /dev/fuse
		set +e
		eval "$2"' bash "$INSTALLED" "$@" 3>&- 4>&-
}

no_daemons() {
	[ -z "$(daemons_below "$BATS_TEST_TMPDIR")" ]
}

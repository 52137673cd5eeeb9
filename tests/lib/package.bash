# shellcheck shell=bash disable=SC2034,SC2154
# package: the Debian package: built, looked at by lintian, installed on this
# machine, tested as installed, upgraded under a mount, and removed. Not among
# the groups that run without being named: it needs root and changes the
# machine.

package_needs=(autopkgtest debhelper dpkg-dev fakeroot lintian
	systemd-container)
# The package's own test is the whole suite (packaging/debian/tests). It takes
# as long as it does from the build: these ask for what is different when it is
# installed. PACKAGE_TESTS=tests/e2e is all of it.
package_suite=(install mistakes mount service completion systemd read zkfs_lock
	update manual readme)
package_tests=$(printf ' tests/e2e/%s.bats' "${package_suite[@]}")

# Another may be at work in the database of packages.
package_apt() {
	limited 300 env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=200 "$@"
}

# What it says matters when it fails only, and what lintian says is at its end.
package_build() {
	limited 600 packaging/build-deb "$scratch/deb" >"$logs/build-deb.log" \
		2>&1 && return
	tail -n 40 "$logs/build-deb.log"
	return 1
}

# Everything of that name, wherever a package may leave something.
package_traces() {
	find /etc /usr /lib/systemd /var/lib/dpkg/info /var/lib/systemd \
		/run/systemd -xdev -name '*zkfs*' 2>/dev/null | sort -u
}

# The package itself, without the one with its debugging symbols.
package_file() {
	local file
	for file in "$scratch"/deb/zkfs_*_*.deb; do
		echo "$file"
	done
}

# A mount goes on under an upgrade, with the process that it has.
package_upgrade() {
	local state=$scratch/upgrade before after
	mkdir "$state" || return
	XDG_STATE_HOME=$state limited 60 zkfs-local start "$state/m" || return
	echo data >"$state/m/f"
	before=$(pgrep -f "^[^ ]*zkfs .* $state/m\$")
	package_apt install --reinstall "$(package_file)"
	after=$(pgrep -f "^[^ ]*zkfs .* $state/m\$")
	[ -n "$before" ] && [ "$before" = "$after" ] &&
		[ "$(timeout 20 cat "$state/m/f")" = data ]
	local status=$?
	XDG_STATE_HOME=$state limited 60 zkfs-local stop || status=1
	return "$status"
}

# As a distribution runs it, from the source package. This machine is the one
# that it may change ("isolation-machine").
package_autopkgtest() {
	local out=$scratch/autopkgtest status=0
	limited 2400 autopkgtest --no-built-binaries --output-dir="$out" \
		--ignore-restrictions=isolation-machine \
		--env="ZKFS_TESTS=${PACKAGE_TESTS:-$package_tests}" \
		"$scratch"/deb/zkfs_*.dsc -- null \
		>"$logs/autopkgtest.log" 2>&1 || status=$?
	count_tap "$out/installed-stdout"
	grep -q '^installed  *PASS' "$out/summary" && [ "$status" -eq 0 ] &&
		return
	tail -n 40 "$logs/autopkgtest.log"
	return 1
}

package_is_gone() {
	package_traces | diff "$scratch/traces" -
}

group_package() {
	if dpkg-query -W zkfs >/dev/null 2>&1; then
		echo "zkfs is installed here: not replaced by a test"
		return 1
	fi
	package_traces >"$scratch/traces"
	check "packaging/build-deb; lintian says nothing" \
		package_build
	check "it is installed" package_apt install "$(package_file)"
	check "autopkgtest: its own test passes" package_autopkgtest
	check "an upgrade leaves a mount alone" package_upgrade
	TMPDIR=$scratch limited 300 tests/lib/boot "$(package_file)" \
		>"$scratch/boot.tap"
	count_tap "$scratch/boot.tap"
	check "it is purged" package_apt purge zkfs
	check "nothing is left" package_is_gone
}

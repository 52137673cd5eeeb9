# shellcheck shell=bash
# install: the packages that building and testing need, Debian 12's names.

packages=(
	# to build and to run
	gcc libc6-dev meson ninja-build pkg-config
	libfuse3-dev fuse3 libzookeeper-st-dev libssl-dev
	# to look at the code
	git clang clang-format clang-tidy libclang-rt-14-dev cppcheck
	shellcheck python3
	# to test: the frameworks, a server, a foreign client
	libcmocka-dev bats libzookeeper-java default-jre-headless
	python3-kazoo procps
	# to test: Curator's locks, and what compiles the program around them
	libcurator-recipes-java libslf4j-java libguava-java ecj
	# to test: the tools that people use on a mount
	attr busybox dash inotify-tools jq rsync vim xxd
	# to test: TLS: certificates, a server that speaks it, and a tunnel
	openssl libnetty-java stunnel4
	# to test: manuals, units and completions
	mandoc man-db systemd bash-completion
	# to test: what reloads on a change, and a clock that is a month ahead
	entr faketime
	# to test: networks that lose packets
	iproute2
)

# To test: a web server that reads its configuration from a mount. Only
# unpacked, in build-tools/: when it is installed it starts at each boot.
unpacked_package=nginx
unpacked_program=build-tools/usr/sbin/nginx

missing_packages() {
	local package
	for package in "${packages[@]}"; do
		if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" \
			2>/dev/null | grep -qx installed; then
			echo "$package"
		fi
	done
}

# Tests that miss it are skipped, by name.
unpack_package() {
	[ ! -x "$unpacked_program" ] && command -v apt-get >/dev/null || return 0
	mkdir -p build-tools || return
	if ! (
		cd build-tools || exit
		limited 120 apt-get -q download "$unpacked_package" &&
			limited 60 dpkg-deb -x "$unpacked_package"_*.deb .
	); then
		echo "no $unpacked_package; going on without it"
	fi
}

# Installs what is missing; asks nothing, and does nothing when all is there.
install_packages() {
	local missing as_root=()
	mapfile -t missing < <(missing_packages)
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "not a Debian system; these are needed: ${missing[*]}"
		return 1
	fi
	[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
	as_root+=(env DEBIAN_FRONTEND=noninteractive)
	echo "installing: ${missing[*]}"
	limited 300 "${as_root[@]}" apt-get -q update &&
		limited 900 "${as_root[@]}" apt-get -q install -y \
			--no-install-recommends "${missing[@]}"
}

# shellcheck shell=bash
# install: the packages that building and testing need, Debian 12's names.

packages=(
	# to build and to run
	gcc libc6-dev meson ninja-build pkg-config
	libfuse3-dev fuse3 libzookeeper-st-dev
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
	# to test: manuals, units and completions
	mandoc man-db systemd bash-completion
)

missing_packages() {
	local package
	for package in "${packages[@]}"; do
		if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" \
			2>/dev/null | grep -qx installed; then
			echo "$package"
		fi
	done
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

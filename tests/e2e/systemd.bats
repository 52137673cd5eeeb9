#!/usr/bin/env bats
# The units: what systemd-analyze(1) has to say of them.

load lib
load installed

# Neither a server nor a mount.
setup() {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	cd "$BATS_TEST_TMPDIR" || return
	if [ "$INSTALLED" = /usr ]; then
		cp /lib/systemd/system/zkfs@.service .
	else
		# As if it were not below a directory.
		sed "s,=/[^ ]*/bin/zkfs ,=$INSTALLED/bin/zkfs ," \
			"$INSTALLED/lib/systemd/system/zkfs@.service" \
			>zkfs@.service
	fi
	cp "$INSTALLED"/share/doc/zkfs/examples/* .
}

teardown() {
	:
}

# verify FILE...: nothing may be said of our units; of others on the machine
# much is.
verify() {
	SYSTEMD_LOG_LEVEL=warning timeout 60 systemd-analyze verify \
		--man=no "$@" >out 2>&1 </dev/null || :
	grep -F -e "$PWD" -e zkfs -e mnt-zk -e nginx-reload -e one-host out >ours || :
	is "$(<ours)" "" "$*"
}

@test "systemd: the unit is as systemd wants it" {
	cp zkfs@.service zkfs@app.service
	verify "$PWD/zkfs@app.service"
	# The check itself notices what is wrong.
	sed 's/^Restart=.*/Restart=sometimes/' zkfs@.service >zkfs@bad.service
	fails "expected" verify "$PWD/zkfs@bad.service"
}

@test "systemd: so are the examples" {
	sed -i "s,/usr/bin/zkfs-lock,$INSTALLED/bin/zkfs-lock," one-host@.service
	cp one-host@.service one-host@report.service
	verify "$PWD/mnt-zk.automount" "$PWD/mnt-zk.mount"
	verify "$PWD/nginx-reload.path" "$PWD/nginx-reload.service"
	verify "$PWD/one-host@report.service"
}

# What would give the service a mount namespace (systemd.exec(5)), where nobody
# would see what it mounts.
@test "systemd: the mount is everybody's" {
	local line
	while IFS= read -r line; do
		fail "makes a mount namespace: $line" || return
	done < <(grep -E '^(Private(Tmp|Devices|Mounts|Users)|Protect(System|Home|Proc|KernelTunables|KernelModules|KernelLogs|ControlGroups)|ProcSubset|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec|Bind|BindReadOnly)Paths|TemporaryFileSystem|Root(Directory|Image)|DynamicUser|MountFlags|MountAPIVFS|(State|Cache|Logs|Runtime)Directory)=' \
		zkfs@.service)
}

@test "systemd: it is exposed no more than a program that mounts has to be" {
	local exposure
	exposure=$(timeout 60 systemd-analyze security --offline=yes \
		"$PWD/zkfs@.service" 2>&1 | sed -n 's/.*exposure level.*: \([0-9]*\)\..*/\1/p')
	[ -n "$exposure" ]
	[ "$exposure" -le 4 ] || fail "exposure level $exposure"
}

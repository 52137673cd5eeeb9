#!/usr/bin/env bats
# zkfs as mount(8) and fstab(5) know it.

load lib
load installed

@test "mount: -t zkfs and -t fuse.zkfs are the same" {
	local type
	zk create /f data
	mkdir m
	for type in zkfs fuse.zkfs; do
		# shellcheck disable=SC2153 # lib's SOURCE
		in_namespace '
			mount -t "$3" "$4" "$PWD/m" -o nofail,_netdev,umask=077
			cat m/f
			findmnt -rno FSTYPE,SOURCE,OPTIONS m
			umount m' "$type" "127.0.0.1:1,$SOURCE" >out
		[[ $(<out) == "datafuse.zkfs 127.0.0.1:1,$SOURCE rw,nosuid,nodev,"* ]] ||
			fail "$(<out)"
		within 10 no_daemons
	done
}

@test "mount: its process is called zkfs, and outlives nobody's terminal" {
	mkdir m
	in_namespace '
		mount -t zkfs "$3" "$PWD/m"
		pgrep -x zkfs -a | grep -F "$PWD/m" | cut -d " " -f 2-
		umount m' "$SOURCE" >out
	is "$(<out)" "/sbin/mount.zkfs $SOURCE $PWD/m -o rw"
	within 10 no_daemons
}

@test "mount: lines of fstab" {
	zk create /f data
	mkdir ro rw auto
	cat >fstab <<-END
		$SOURCE $PWD/ro zkfs ro,noauto,nofail,_netdev 0 0
		$SOURCE $PWD/rw fuse.zkfs user,noauto,x-systemd.automount,exec,dev,suid 0 0
		$SOURCE $PWD/auto zkfs defaults,relatime,x-systemd.mount-timeout=9 0 0
	END
	in_namespace '
		mount --bind fstab /etc/fstab
		mount "$PWD/ro" && mkdir ro/d
		mount "$PWD/rw" && mkdir rw/d && echo made
		mount -a -t zkfs && cat auto/f && echo
		findmnt -rno TARGET -t fuse.zkfs | grep -F "$PWD/"
		for dir in rw auto; do
			findmnt -rno OPTIONS "$dir" | grep -o "no[sd][^,]*"
		done
		umount ro rw auto' >out 2>err
	is "$(<out)" "made
data
$PWD/ro
$PWD/rw
$PWD/auto
nosuid
nodev
nosuid
nodev"
	is "$(<err)" "mkdir: cannot create directory ‘ro/d’: Read-only file system"
	within 10 no_daemons
}

@test "mount: remount is refused with words" {
	mkdir m
	in_namespace '
		mount -t zkfs "$3" "$PWD/m"
		mount -o remount,ro "$PWD/m"
		echo $?
		mkdir m/d && echo made
		umount m' "$SOURCE" >out 2>err
	is "$(<out)" $'1\nmade'
	has "$(<err)" "zkfs: option 'remount': the options of a mounted tree"
	is "$(wc -l <err)" 1
	within 10 no_daemons
}

# Each flag goes through mount(8), where it is that one's own.
@test "mount: -f is fake, -v says what was done, -n and -s are borne" {
	mkdir m
	in_namespace '
		mount -f -t zkfs no-such-host.invalid:1/a "$PWD/m" && echo fake
		mount -f -v -t zkfs "$3" "$PWD/m" 2>&1
		mount -f -t zkfs "$3" "$PWD/none" || echo $?
		mount -f -t zkfs "$3" "$PWD/m" -o bogus || echo $?
		findmnt -t fuse.zkfs | grep -F "$PWD"
		mount -n -s -v -t zkfs "$3" "$PWD/m" -o bogus 2>&1
		umount m' "$SOURCE" >out 2>err
	is "$(grep -v 'connected to' out)" "fake
zkfs: $SOURCE would be mounted on $PWD/m
32
1
zkfs: $SOURCE is mounted on $PWD/m"
	is "$(<err)" "zkfs: mount point '$PWD/none': No such file or directory; create it first
zkfs: unknown option 'bogus'; 'zkfs --help' lists all"
	within 10 no_daemons
}

@test "mount: -N mounts in another namespace" {
	case $ZKFS in
	*tsan*) skip "setns(2) wants one thread, ThreadSanitizer has its own" ;;
	esac
	mkdir m
	in_namespace '
		unshare -m sleep 60 &
		pid=$!
		until [ "$(readlink "/proc/$pid/ns/mnt")" != \
			"$(readlink /proc/self/ns/mnt)" ]; do sleep 0.02; done
		mount.zkfs "$3" "$PWD/m" -N "$pid" && echo mounted
		findmnt -rno FSTYPE m || echo "not here"
		nsenter -m -t "$pid" findmnt -rno FSTYPE "$PWD/m"
		nsenter -m -t "$pid" umount "$PWD/m"
		kill "$pid"' "$SOURCE" >out
	is "$(<out)" $'mounted\nnot here\nfuse.zkfs'
	within 10 no_daemons
}

# status STATUS WORDS ARGUMENT...: mount -t zkfs ends so, with that one line.
status() {
	local status=$1 words=$2 got=0 output

	shift 2
	output=$(in_namespace 'shift 2; exec timeout 30 mount -t zkfs "$@"' \
		"$@" 2>&1) || got=$?
	is "$got" "$status" "exit status of: $*: $output" || return 1
	has "$output" "$words" || return 1
	is "$(wc -l <<<"$output")" 1 "lines of: $output" || return 1
	no_daemons || fail "a daemon is left: $*"
}

@test "mount: the exit status is mount(8)'s, with one line of why" {
	mkdir m
	: >file
	status 1 "did you mean 'lockroot'?" "$SOURCE" "$PWD/m" -o lokroot=/a
	status 1 "option 'timeo': 'x' is not" "$SOURCE" "$PWD/m" -o timeo=x
	status 32 "'$PWD/none': No such file" "$SOURCE" "$PWD/none"
	status 32 "'$PWD/file': Not a directory" "$SOURCE" "$PWD/file"
	status 32 "'$TREE/none' does not exist on the server; create it first" \
		"$SOURCE/none" "$PWD/m"
	status 32 'in "127.0.0.1:x"' 127.0.0.1:x "$PWD/m"
	status 32 "cannot reach ZooKeeper at 127.0.0.1:1: Connection refused" \
		127.0.0.1:1 "$PWD/m"
	status 32 "'$PWD/auth': No such file" "$SOURCE" "$PWD/m" \
		-o "authfile=$PWD/auth"
	is "$(connections_below "$BATS_TEST_TMPDIR/")" ""
}

# Of each line: the options, the source, the mount point; the exit status, and
# what is said: which is all that is said.
wrong_lines() {
	cat <<-END
		lokroot=/a|$SOURCE|m|1|unknown option 'lokroot'; did you mean 'lockroot'?
		sesion_timeout=3|$SOURCE|m|1|unknown option 'sesion_timeout'; did you mean 'session_timeout'?
		allow-other|$SOURCE|m|1|unknown option 'allow-other'; did you mean 'allow_other'?
		nofial|$SOURCE|m|1|unknown option 'nofial'; did you mean 'nofail'?
		bogus=1|$SOURCE|m|1|unknown option 'bogus'; 'zkfs --help' lists all
		strict=1|$SOURCE|m|1|option 'strict' takes no value
		timeo|$SOURCE|m|1|option 'timeo' needs a value
		timeo=-1|$SOURCE|m|1|option 'timeo': '-1' is not a number of seconds
		session_timeout=0.1|$SOURCE|m|1|option 'session_timeout': '0.1' is not between
		uid=nobody-at-all|$SOURCE|m|1|option 'uid': there is no user 'nobody-at-all'
		gid=nobody-at-all|$SOURCE|m|1|option 'gid': there is no group 'nobody-at-all'
		fmask=888|$SOURCE|m|1|option 'fmask': '888' is not an octal mode
		cache_data=much|$SOURCE|m|1|option 'cache_data': 'much' is not a number of bytes
		lockroot=locks|$SOURCE|m|1|option 'lockroot': 'locks' is not an absolute path
		locknames=zookeeper|$SOURCE|m|1|option 'locknames': 'zookeeper' is not one of
		dataname=.zkfs|$SOURCE|m|1|options 'ctlname' and 'dataname' are the same
		remount|$SOURCE|m|1|option 'remount': the options of a mounted tree cannot be changed; unmount it first
		authfile=$PWD/none|$SOURCE|m|32|authfile '$PWD/none': No such file
		authfile=$PWD/open|$SOURCE|m|32|authfile '$PWD/open': 
		authfile=$PWD/m|$SOURCE|m|32|authfile '$PWD/m': not a regular file
		authfile=$PWD/digest|$SOURCE|m|32|authfile '$PWD/digest': line 1: digest is USER:PASSWORD
		ro|$SOURCE|none|32|mount point '$PWD/none': No such file or directory; create it first
		ro|$SOURCE|open|32|mount point '$PWD/open': Not a directory
		ro|127.0.0.1:99999|m|32|in "127.0.0.1:99999"
		ro|127.0.0.1:1,|m|32|empty host name
		ro|no-such-host.invalid|m|32|cannot resolve "no-such-host.invalid"
		ro|127.0.0.1:1|m|32|cannot reach ZooKeeper at 127.0.0.1:1: Connection refused; is a server running there?
		ro|$SOURCE/none|m|32|'$TREE/none' does not exist on the server; create it first
		ro|$SOURCE//x|m|32|not a znode's path
	END
}

@test "mount: every wrong line of fstab gets one line of what, where and why" {
	local options source dir want words status said
	mkdir m
	: >open
	chmod 644 open
	(umask 077 && echo "digest sesame" >digest)
	wrong_lines >lines
	in_namespace '
		while IFS="|" read -r options source dir _; do
			echo "$source $PWD/$dir zkfs $options 0 0" >fstab
			said=$(timeout 30 mount -T fstab "$PWD/$dir" 2>&1)
			printf "%s|%s\n" "$?" "${said//$'"'\n'"'/<line end>}"
		done <lines
		findmnt -rn -t fuse.zkfs | grep -F "$PWD" >left || :' >answers
	is "$(wc -l <answers)" "$(wc -l <lines)"
	while IFS='|' read -r options source dir want words &&
		IFS='|' read -r status said <&4; do
		is "$status" "$want" "$options $source $dir: $said" || return
		has "$said" "$words" || return
		[[ $said == zkfs:\ * && $said != *"<line end>"* ]] ||
			fail "not one line of ours: $said" || return
		[[ $said != *sesame* ]] || fail "a secret is shown" || return
	done <lines 4<answers
	is "$(<left)" ""
	within 10 no_daemons
}

@test "mount: when it is interrupted it ends with 8, and leaves nothing" {
	local status=0 pid
	mkdir m
	mkfifo port
	/usr/bin/python3 -c '
import socket, time
server = socket.create_server(("127.0.0.1", 0))
open("port", "w").write("%d\n" % server.getsockname()[1])
peer = server.accept()
open("connected", "w").write("x")
time.sleep(60)' 3>&- 4>&- &
	ln -s "$ZKFS" mount.zkfs
	setsid env --default-signal=INT "$PWD/mount.zkfs" \
		"127.0.0.1:$(<port)" "$PWD/m" -o timeo=50 \
		</dev/null >out 2>&1 3>&- 4>&- &
	pid=$!
	within 20 test -s connected
	# mount(8) and what it has called have ends of their own.
	kill -INT "$(cat "/proc/$pid/task/$pid/children")"
	wait "$pid" || status=$?
	is "$status" 8 "$(<out)"
	within 10 no_daemons
}

@test "mount: users mount and unmount their own, and nobody else's" {
	zk create /f data
	in_namespace '
		mount -t tmpfs -o mode=755 tmpfs /mnt
		mkdir -m 700 /mnt/m
		chown nobody /mnt/m
		echo "$3 /mnt/m zkfs noauto,user,comment=$PWD 0 0" >fstab
		chmod 644 fstab
		mount --bind fstab /etc/fstab
		cd /
		setpriv --reuid nobody --regid nogroup --clear-groups bash -c "
			mount /mnt/m && cat /mnt/m/f && echo && mkdir /mnt/m/d
			stat -c %U /mnt/m/f
			findmnt -rno OPTIONS /mnt/m"
		cat /mnt/m/f 2>&1
		setpriv --reuid daemon --regid nogroup --clear-groups \
			umount /mnt/m 2>&1 | grep -o "umount: /mnt/m:"
		setpriv --reuid nobody --regid nogroup --clear-groups \
			umount /mnt/m && echo unmounted
		setpriv --reuid nobody --regid nogroup --clear-groups bash -c "
			zkfs -o comment=$OLDPWD $3 /mnt/m && cat /mnt/m/f && echo
			fusermount3 -u /mnt/m && echo unmounted"' \
		"$SOURCE" >out 2>err
	is "$(sed 's/user_id=.*//' out)" "data
nobody
rw,nosuid,nodev,noexec,relatime,
cat: /mnt/m/f: Permission denied
umount: /mnt/m:
unmounted
data
unmounted" "$(<err)"
	within 10 no_daemons
}

@test "mount: who may not use FUSE is told so" {
	in_namespace '
		mount -t tmpfs -o mode=755 tmpfs /mnt
		mkdir /mnt/m
		chown nobody /mnt/m
		chmod 600 /dev/fuse
		cd /
		setpriv --reuid nobody --regid nogroup --clear-groups \
			zkfs "$3" /mnt/m 2>&1
		echo $?
		chmod 666 /dev/fuse
		setpriv --reuid nobody --regid nogroup --clear-groups \
			zkfs -o allow_other "$3" /mnt/m 2>&1
		chown root /mnt/m
		setpriv --reuid nobody --regid nogroup --clear-groups \
			zkfs "$3" /mnt/m 2>&1' "$SOURCE" >out || :
	is "$(<out)" "zkfs: cannot open /dev/fuse: Permission denied (it must be readable and writable by this user)
1
zkfs: cannot mount on '/mnt/m': option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf
zkfs: cannot mount on '/mnt/m': user has no write access to mountpoint /mnt/m"
}

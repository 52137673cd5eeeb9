#!/usr/bin/env bats
# What znodes look like: types, attributes, listings, names.

load lib

type_of() {
	stat -c %F "$1"
}

@test "tree: an empty znode that was never written is a directory" {
	zk create /empty
	zk create /data x
	zk create /written x
	zk set /written
	zk create /parent/child x
	zk create /both x
	zk create /both/child
	zk ephemeral /fleeting
	zk_mount A
	is "$(type_of "$A/empty")" directory
	is "$(type_of "$A/data")" "regular file"
	is "$(type_of "$A/written")" "regular empty file"
	is "$(type_of "$A/parent")" directory
	is "$(type_of "$A/both")" directory
	is "$(type_of "$A/fleeting")" "regular empty file"
	is "$(type_of "$A")" directory
}

@test "tree: mkdir makes an empty znode, creating a file version 1" {
	zk_mount A
	zk_mount B
	mkdir "$A/dir"
	is "$(zk stat /dir version dataLength)" $'0\n0'
	py 'os.close(os.open(A[0], O_WRONLY | O_CREAT | O_EXCL))' "$A/file"
	is "$(zk stat /file version dataLength)" $'1\n0'
	is "$(type_of "$B/file")" "regular empty file"
	is "$(type_of "$B/dir")" directory
}

@test "tree: a listing shows the type of each entry" {
	zk create /d/dir
	zk create /d/file x
	zk_mount A
	is "$(py 'for e in sorted(os.scandir(A[0]), key=lambda e: e.name):
	print(e.name, e.is_dir(follow_symlinks=False),
	      e.is_file(follow_symlinks=False))' "$A/d")" \
		$'dir True False\nfile False True'
}

@test "tree: the data of a directory is its file .data" {
	zk create /both payload
	zk create /both/child
	zk create /plain/child
	zk_mount A
	is "$(cat "$A/both/.data")" payload
	is "$(ls -A "$A/both")" $'.data\nchild'
	is "$(stat -c '%F %s' "$A/both/.data")" "regular file 7"
	# Without data it is not listed and yet there.
	is "$(ls -A "$A/plain")" child
	is "$(stat -c '%F %s' "$A/plain/.data")" "regular empty file 0"
	is "$(cat "$A/plain/.data")" ""
	echo new >"$A/plain/.data"
	is "$(zk get /plain)" new
	is "$(type_of "$A/plain")" directory
	is "$(ls -A "$A/plain")" $'.data\nchild'
}

@test "tree: writing .data of an empty directory makes it a file" {
	zk create /marker
	zk_mount A
	is "$(type_of "$A/marker")" directory
	printf v >"$A/marker/.data"
	is "$(zk get /marker)" v
	zk_mount B
	is "$(cat "$B/marker")" v
	# Where it was written it stays a directory for a while: cp -a and tar
	# write the data of a directory before its children.
	within 20 test -f "$A/marker"
	is "$(cat "$A/marker")" v
}

@test "tree: -o dataname= gives the data of a directory another name" {
	zk create /both payload
	zk create /both/child
	zk_mount A dataname=_value
	is "$(ls -A "$A/both")" $'_value\nchild'
	is "$(cat "$A/both/_value")" payload
	fails "No such file" cat "$A/both/.data"
}

@test "tree: size, times, owner, mode, links and block size" {
	zk create /f 12345
	zk create /d/x
	zk_mount A uid=1234,gid=5678,fmask=027,dmask=022
	is "$(stat -c '%s %u %g %a %h %o' "$A/f")" "5 1234 5678 640 1 1048576"
	is "$(stat -c '%u %g %a %h' "$A/d")" "1234 5678 755 1"
	is "$(stat -c %Y "$A/f")" "$(($(zk stat /f mtime) / 1000))"
	is "$(stat -c %Y "$A/d")" "$(($(zk stat /d ctime) / 1000))"
}

@test "tree: two writes in one millisecond have different times" {
	zk create /f 0
	zk_mount A
	py '
seen = set()
for i in range(50):
    spew(A[0], b"%d" % i)
    fd = os.open(A[0], O_RDONLY)
    seen.add(os.fstat(fd).st_mtime_ns)
    os.close(fd)
    time.sleep(0.12)  # beyond what the kernel keeps attributes for
    if len(seen) > 8:
        break
same(len(seen), i + 1)
last = os.stat(A[0]).st_mtime_ns
same(max(seen) <= last, True)' "$A/f"
}

@test "tree: an inode number is kept by writes and not by a new znode" {
	zk create /f a
	zk_mount A
	local ino
	ino=$(stat -c %i "$A/f")
	echo b >"$A/f"
	is "$(stat -c %i "$A/f")" "$ino"
	zk delete /f
	zk create /f c
	within 5 other_inode "$A/f" "$ino"
	is "$(cat "$A/f")" c
}

other_inode() {
	[ "$(stat -c %i "$1")" != "$2" ]
}

@test "tree: user.zk attributes show the whole Stat" {
	zk create /f hello
	zk set /f world
	zk_mount A
	local name value
	for name in version cversion aversion ctime mtime dataLength \
		numChildren; do
		value=$(getfattr --only-values -n "user.zk.$name" "$A/f")
		is "$value" "$(zk stat /f "$name")" "$name"
	done
	for name in czxid mzxid pzxid ephemeralOwner; do
		value=$(getfattr --only-values -n "user.zk.$name" "$A/f")
		is "$((value))" "$(zk stat /f "$name")" "$name"
		has "$value" 0x
	done
	is "$(getfattr --only-values -n user.zk.path "$A/f")" /f
	is "$(getfattr "$A/f" 2>/dev/null | grep -c user.zk.)" 12
	zk create /d/x
	is "$(getfattr --only-values -n user.zk.numChildren "$A/d")" 1
	fails "No such attribute" getfattr -n user.zk.nonesuch "$A/f"
	setfattr -n user.zk.version -v 7 "$A/f"
	is "$(zk stat /f version)" 1
}

@test "tree: getfattr shows the owner of an ephemeral" {
	zk ephemeral /e
	zk_mount A
	is "$(getfattr --only-values -n user.zk.ephemeralOwner "$A/e")" \
		"$(zk id)"
}

@test "tree: ls of 10,000 children shows each once" {
	zk fill /many 0 10000 x
	zk_mount A
	is "$(find "$A/many" -mindepth 1 -maxdepth 1 -printf '%f\n' | wc -l)" \
		10000
	is "$(find "$A/many" -mindepth 1 -printf '%f\n' | sort -u | wc -l)" \
		10000
	is "$(find "$A/many" -type f -size 1c | wc -l)" 10000
}

@test "tree: children that come and go disturb no others in a listing" {
	zk fill /many 0 3000
	zk_mount A
	zk churn /many 200
	local i
	for i in 1 2 3 4 5 6 7 8; do
		is "$(find "$A/many" -mindepth 1 -maxdepth 1 -name 'n*' \
			-printf '%f\n' | sort | uniq -c | awk '$1 == 1' |
			wc -l)" 3000 "round $i"
	done
	[ "$(zk unchurn /many)" -gt 0 ]
	is "$(find "$A/many" -mindepth 1 -maxdepth 1 | wc -l)" 3000
}

@test "tree: a directory is listed again after rewinddir and seekdir" {
	zk fill /d 0 500
	zk_mount A
	py '
fd = os.open(A[0], O_RDONLY | O_DIRECTORY)
first = sorted(os.listdir(fd))
os.mkdir(A[0] + "/later")
os.lseek(fd, 0, os.SEEK_SET)
second = sorted(os.listdir(fd))
same(len(first), 500)
same(sorted(first + ["later"]), second)' "$A/d"
}

# in_two_parts DIR WAY: one reading of it on A, while what is in it changes. WAY:
# another reader has listed it meanwhile, or has only opened it, or the second
# part is read by an open of its own, from where the first has got to (seekdir).
in_two_parts() {
	zk fill "/$1" 0 500 x
	py '
way, there = A[2], A[0]
for _ in range(3):
    os.listdir(there)
    os.stat(there)
fd = os.open(there, O_RDONLY | O_DIRECTORY)
first = entries(fd, 4096)
before = {name for name, _ in first}
rest = set(os.listdir(there)) - before
assert len(before) > 20 and len(rest) > 20, (len(before), len(rest))
gone = sorted(before - {".", ".."})[:7] + sorted(rest)[:5]
# The last that was read is where the second part goes on.
if first[-1][0] not in gone:
    gone.append(first[-1][0])
for name in gone:
    os.unlink("%s/%s" % (A[1], name))
for i in range(9):
    spew("%s/new%d" % (A[1], i), b"x")
same(within(20, lambda: not any(os.path.exists(there + "/" + name)
                                for name in gone)), True)
if way == "listed":
    same(within(20, lambda: "new8" in os.listdir(there)), True)
else:
    os.close(os.open(there, O_RDONLY | O_DIRECTORY))
if way == "sought":
    os.close(fd)
    fd = os.open(there, O_RDONLY | O_DIRECTORY)
    os.lseek(fd, first[-1][1], os.SEEK_SET)
second = [name for name, _ in entries_to_end(fd, 4096)]
same(sorted(before.intersection(second)), [])
same(sorted(rest - set(second) - set(gone)), [])
same(len(second), len(set(second)))
new = set(second) - rest
same(new - {"new%d" % i for i in range(9)}, set())' "$A/$1" "$B/$1" "$2"
}

@test "tree: a listing in two parts shows once what was there all the time" {
	local way
	zk_mount A
	zk_mount B
	for way in listed opened sought; do
		in_two_parts "$way" "$way"
	done
	zk_umount A
	zk_mount A cache_nodes=0
	for way in listed opened sought; do
		in_two_parts "uncached-$way" "$way"
	done
}

@test "tree: hostile names are listed, read, written and deleted" {
	local name names=(' lead' 'trail ' '-rf' '*' 'a b' '"q"' "'" 'ü€' '...'
		'.hidden' '%2f' 'back\slash' '$(id)' '~' '#x' ':' ';' 'ä ö')
	zk_mount A
	for name in "${names[@]}"; do
		printf '%s' "$name" >"$A/$name"
		is "$(zk get "/$name")" "$name"
		is "$(cat "$A/$name")" "$name"
	done
	is "$(find "$A" -mindepth 1 -printf '%f\n' | sort)" \
		"$(printf '%s\n' "${names[@]}" | sort)"
	for name in "${names[@]}"; do
		rm -- "$A/$name"
	done
	is "$(zk ls /)" ""
}

@test "tree: names that ZooKeeper refuses: EINVAL to make, ENOENT to find" {
	zk_mount A
	py '
bad = [b"\x01", b"tab\t", b"nl\n", b"\x7f", b"\xff\xfe", "\U0001F600".encode()]
for name in bad:
    path = os.fsencode(A[0]) + b"/" + name
    expect("EINVAL", os.open, path, O_WRONLY | O_CREAT)
    expect("EINVAL", os.mkdir, path)
    expect("ENOENT", os.stat, path)
    expect("ENOENT", os.open, path, O_RDONLY)
    expect("ENOENT", os.unlink, path)
    expect("ENOENT", os.rmdir, path)
spew(A[0] + "/ok", b"x")
for name in bad:
    expect("EINVAL", os.rename, A[0] + "/ok",
           os.fsencode(A[0]) + b"/" + name)
same(os.listdir(A[0]), ["ok"])' "$A"
}

@test "tree: a name of 255 bytes works, a longer one is not listed" {
	local fits long
	fits=$(printf 'a%.0s' {1..255})
	long=$(printf 'b%.0s' {1..256})
	zk create "/$fits" fits
	zk create "/$long" long
	zk create /other x
	zk_mount A
	is "$(cat "$A/$fits")" fits
	is "$(find "$A" -type f -printf '%f\n' | sort)" \
		"$(printf '%s\n' "$fits" other)"
	fails "File name too long" cat "$A/$long"
	fails "File name too long" mkdir "$A/$long"
	rm "$A/$fits"
	is "$(zk ls / | sort)" "$(printf '%s\n' "$long" other)"
}

@test "tree: a path near ZooKeeper's depth of paths works" {
	zk_mount A
	local deep
	deep=$(printf 'level/%.0s' {1..100})
	mkdir -p "$A/$deep"
	echo down >"$A/${deep}file"
	is "$(zk get "/${deep}file")" down
	rm -r "$A/level"
	is "$(zk ls /)" ""
}

@test "tree: rmdir and rm answer what POSIX says" {
	zk create /d/child x
	zk_mount A
	fails "Directory not empty" rmdir "$A/d"
	fails "Is a directory" rm "$A/d"
	py 'expect("ENOTDIR", os.rmdir, A[0])
expect("ENOENT", os.rmdir, A[0] + "no")
expect("ENOENT", os.unlink, A[0] + "no")' "$A/d/child"
	rm "$A/d/child"
	rmdir "$A/d"
	is "$(zk ls /)" ""
}

# The kernel drops what it knows of the names of the mount $A, as it does when it
# wants memory.
kernel_forgets() {
	mount -i -o remount,nosuid,nodev "$A"
}

@test "tree: a directory with data can be emptied, whatever the kernel forgets" {
	[ "$(id -u)" = 0 ] || skip "needs root to make the kernel forget"
	zk create /d data
	zk create /d/child x
	zk_mount A cache_nodes=0
	rm "$A/d/child"
	kernel_forgets
	[ -d "$A/d" ]
	kernel_forgets
	rm "$A/d/.data"
	kernel_forgets
	rmdir "$A/d"
	is "$(zk ls /)" ""
}

@test "tree: rmdir spares a directory that was filled meanwhile" {
	zk create /d
	zk_mount A
	ls "$A/d"
	zk create /d/late x
	fails "Directory not empty" rmdir "$A/d"
	zk exists /d/late
}

@test "tree: mkdir and create lose a race with the right errno" {
	zk_mount A
	fails "No such file" stat "$A/d"
	zk create /d
	zk create /f x
	py 'expect("EEXIST", os.mkdir, A[0] + "/d")
expect("EEXIST", os.open, A[0] + "/f", O_WRONLY | O_CREAT | O_EXCL)
os.close(os.open(A[0] + "/f", O_WRONLY | O_CREAT))
same(read_all(A[0] + "/f"), b"x")' "$A"
}

@test "tree: of many that make one name at once, one makes it" {
	zk_mount A
	zk_mount B
	# Between look-up and creation another may come: the kernel has to look
	# again. O_CREAT alone succeeds for all.
	py '
def race(call, *arguments):
    """What the call comes to in four threads, two on each mount."""
    barrier, got = threading.Barrier(4), []
    def run(place):
        barrier.wait()
        got.append(err(call, place, *arguments))
    threads = [threading.Thread(target=run, args=(A[i % 2],))
               for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sorted(got)
def make(place, name, flags):
    os.close(os.open(place + name, O_WRONLY | O_CREAT | flags, 0o666))
one_of_four = ["EEXIST"] * 3 + ["OK"]
for i in range(40):
    same(race(make, "/plain%d" % i, 0), ["OK"] * 4)
    same(race(make, "/excl%d" % i, os.O_EXCL), one_of_four)
    same(race(lambda place: os.mkdir("%s/dir%d" % (place, i))), one_of_four)
same(len(os.listdir(A[0])), 120)' "$A" "$B"
}

@test "tree: a file becomes a directory and a file again" {
	zk create /n one
	zk_mount A
	is "$(cat "$A/n")" one
	exec 7<"$A/n"
	zk create /n/child x
	within 5 test -d "$A/n"
	is "$(ls -A "$A/n")" $'.data\nchild'
	is "$(cat "$A/n/.data")" one
	is "$(cat <&7)" one "the open file"
	exec 7<&-
	zk delete /n/child
	within 5 test -f "$A/n"
	is "$(cat "$A/n")" one
}

@test "tree: children below a file are refused" {
	zk create /f x
	zk ephemeral /e
	zk_mount A
	fails "Not a directory" mkdir "$A/f/sub"
	fails "Not a directory" cat "$A/f/sub"
	fails "Not a directory" mkdir "$A/e/sub"
}

@test "tree: links, devices and pipes are refused with EPERM" {
	zk create /f x
	zk_mount A
	py '
import socket
expect("EPERM", os.symlink, "f", A[0] + "/s")
expect("EPERM", os.link, A[0] + "/f", A[0] + "/l")
expect("EPERM", os.mkfifo, A[0] + "/p")
expect("EPERM", os.mknod, A[0] + "/c", stat.S_IFCHR | 0o600, os.makedev(1, 3))
expect("EPERM", socket.socket(socket.AF_UNIX).bind, A[0] + "/u")
same(os.listdir(A[0]), ["f"])' "$A"
}

@test "tree: chmod, chown and explicit times succeed and change nothing" {
	zk create /f x
	zk_mount A
	local before
	before=$(stat -c '%a %u %g %s' "$A/f")
	chmod 0600 "$A/f"
	chmod u+s "$A/f"
	chown 1:1 "$A/f"
	touch -d 2001-02-03 "$A/f"
	is "$(stat -c '%a %u %g %s' "$A/f")" "$before"
	has "$(stat -c %y "$A/f")" "$(date +%Y)"
	is "$(zk get /f)" x
}

@test "tree: -o strict refuses what would change nothing" {
	zk create /f x
	zk_mount A strict
	fails "Operation not permitted" chmod 0600 "$A/f"
	fails "Operation not permitted" chown 1:1 "$A/f"
	fails "Operation not permitted" touch -d 2001-02-03 "$A/f"
	chmod "$(stat -c %a "$A/f")" "$A/f"
	chown "$(stat -c %u:%g "$A/f")" "$A/f"
}

@test "tree: what another client makes and deletes is seen" {
	zk_mount A
	fails "No such file" stat "$A/x"
	zk create /x/y z
	within 5 test -f "$A/x/y"
	is "$(cat "$A/x/y")" z
	zk rmr /x
	within 5 missing "$A/x"
	is "$(ls -A "$A")" ""
}

missing() {
	[ ! -e "$1" ]
}

@test "tree: a znode whose ACL hides its data shows attributes only" {
	zk_as owner auth digest me:secret
	zk_as owner create /secret hidden
	zk_as owner create /closed/x
	zk_as owner protect /secret auth '' all
	zk_as owner protect /closed auth '' all
	zk_mount A
	is "$(stat -c %s "$A/secret")" 6
	fails "Permission denied" cat "$A/secret"
	fails "Permission denied" ls "$A/closed"
	fails "Permission denied" mkdir "$A/closed/new"
	fails "Permission denied" rm -r "$A/closed"
	is "$(zk_as owner get /secret)" hidden
}

@test "tree: -o authfile= opens what its credentials may" {
	zk_as owner auth digest me:secret
	zk_as owner create /secret hidden
	zk_as owner protect /secret auth '' all
	printf 'digest me:secret\n' >auth
	chmod 600 auth
	zk_mount A "authfile=$PWD/auth"
	is "$(cat "$A/secret")" hidden
	echo changed >"$A/secret"
	is "$(zk_as owner get /secret)" changed
}

@test "tree: -o ro refuses every change with EROFS" {
	zk create /f x
	zk create /d
	zk_mount A ro
	is "$(cat "$A/f")" x
	py 'p = A[0]
expect("EROFS", os.open, p + "/f", O_WRONLY)
expect("EROFS", os.open, p + "/g", O_WRONLY | O_CREAT)
expect("EROFS", os.mkdir, p + "/e")
expect("EROFS", os.rmdir, p + "/d")
expect("EROFS", os.unlink, p + "/f")
expect("EROFS", os.rename, p + "/f", p + "/g")
expect("EROFS", os.truncate, p + "/f", 0)
expect("EROFS", os.utime, p + "/f")' "$A"
	is "$(zk ls /)" $'d\nf'
}

@test "tree: df answers, and a mount is known by its source" {
	zk_mount A
	df "$A"
	is "$(findmnt -n -o FSTYPE,SOURCE "$A" | tr -s ' ')" \
		"fuse.zkfs $SOURCE"
	has "$(findmnt -n -o OPTIONS "$A")" nosuid
	has "$(findmnt -n -o OPTIONS "$A")" nodev
}

@test "tree: the whole server mounted at its root works" {
	zk create /f x
	zk_mount A '' "127.0.0.1:$E2E_PORT"
	is "$(cat "$A$TREE/f")" x
	has "$(ls "$A")" zookeeper
	test -d "$A/zookeeper"
	fails "" rmdir "$A/zookeeper"
}

#!/usr/bin/env bats
# Moving: one transaction with version checks, or an honest errno.

load lib

@test "rename: a file keeps its data and is a file" {
	zk create /a data
	zk_mount A
	zk_mount B
	mv "$A/a" "$A/b"
	is "$(zk get /b)" data
	fails "no node" zk exists /a
	is "$(<"$B/b")" data
	is "$(ls -A "$B")" b
}

@test "rename: an empty file stays a file" {
	zk_mount A
	touch "$A/a"
	mv "$A/a" "$A/b"
	is "$(stat -c %F "$A/b")" "regular empty file"
}

@test "rename: onto an existing file replaces it in one step" {
	zk create /a new
	zk create /b old
	zk_mount A
	py '
ended = threading.Event()
missing = []
def looker():
    while not ended.is_set():
        got = err(read_all, A[0] + "/b")
        if got != "OK":
            missing.append(got)
t = threading.Thread(target=looker)
t.start()
for i in range(60):
    spew(A[0] + "/a", b"%d" % i)
    os.rename(A[0] + "/a", A[0] + "/b")
ended.set()
t.join()
same(missing, [])
same(read_all(A[0] + "/b"), b"59")' "$A"
	is "$(zk ls /)" b
}

@test "rename: into another directory" {
	zk create /from/a x
	zk create /to/b y
	zk_mount A
	mv "$A/from/a" "$A/to/"
	is "$(zk ls /to)" $'a\nb'
	is "$(zk get /to/a)" x
	is "$(zk ls /from)" ""
}

@test "rename: RENAME_NOREPLACE spares what is there" {
	zk create /a x
	zk create /b y
	zk_mount A
	py 'expect("EEXIST", renameat2, A[0] + "/a", A[0] + "/b", 1)' "$A"
	is "$(zk get /b)" y
	mv -n "$A/a" "$A/b"
	is "$(zk get /b)" y
	py 'expect("OK", renameat2, A[0] + "/a", A[0] + "/c", 1)' "$A"
	is "$(zk get /c)" x
}

@test "rename: RENAME_NOREPLACE spares what another client has just made" {
	zk create /a x
	zk_mount A
	fails "No such file" stat "$A/b"
	zk create /b y
	py 'expect("EEXIST", renameat2, A[0] + "/a", A[0] + "/b", 1)' "$A"
	is "$(zk get /a) $(zk get /b)" "x y"
}

@test "rename: of two RENAME_NOREPLACE to one name at once, one succeeds" {
	zk_mount A
	zk_mount B
	py '
for i in range(40):
    spew(A[0] + "/from0", b"0")
    spew(A[0] + "/from1", b"1")
    barrier, got = threading.Barrier(2), []
    def move(j):
        barrier.wait()
        got.append((err(renameat2, "%s/from%d" % (A[j], j),
                        "%s/to%d" % (A[j], i), 1), j))
    threads = [threading.Thread(target=move, args=(j,)) for j in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    got.sort()
    same([g[0] for g in got], ["EEXIST", "OK"])
    loser, winner = got[0][1], got[1][1]
    same(read_all("%s/to%d" % (A[0], i)), b"%d" % winner)
    same(read_all("%s/from%d" % (A[0], loser)), b"%d" % loser)' "$A" "$B"
}

@test "rename: exchange and whiteout are refused" {
	zk create /a x
	zk create /b y
	zk_mount A
	py 'expect("EINVAL", renameat2, A[0] + "/a", A[0] + "/b", 2)
expect("EINVAL", renameat2, A[0] + "/a", A[0] + "/b", 4)' "$A"
	is "$(zk get /a) $(zk get /b)" "x y"
}

@test "rename: a directory with all below it" {
	zk create /d/sub/leaf x
	zk create /d/file y
	zk set /d/file z
	zk create /d/both data
	zk create /d/both/child w
	zk_mount A
	touch "$A/d/hollow"
	mkdir "$A/d/void"
	mv "$A/d" "$A/e"
	is "$(zk ls /)" e
	is "$(zk get /e/sub/leaf) $(zk get /e/file)" "x z"
	is "$(zk get /e/both) $(zk get /e/both/child)" "data w"
	test -f "$A/e/hollow"
	test -d "$A/e/void"
	is "$(find "$A" -mindepth 1 | wc -l)" 9
}

@test "rename: a tree too big for a transaction is EXDEV, and mv copies" {
	head -c 400000 /dev/urandom >blob
	zk create /d/a "@$PWD/blob"
	zk create /d/b "@$PWD/blob"
	zk create /d/c "@$PWD/blob"
	zk_mount A
	py 'expect("EXDEV", os.rename, A[0] + "/d", A[0] + "/e")' "$A"
	is "$(zk ls /d)" $'a\nb\nc'
	mv "$A/d" "$A/e"
	is "$(zk ls /)" e
	is "$(zk ls /e)" $'a\nb\nc'
	zk get /e/c | cmp blob -
}

@test "rename: a directory replaces an empty one, never a full one" {
	zk create /d/x 1
	zk create /empty
	zk create /full/y 2
	zk_mount A
	py 'p = A[0]
expect("ENOTEMPTY", os.rename, p + "/d", p + "/full")
expect("OK", os.rename, p + "/d", p + "/empty")
same(sorted(os.listdir(p)), ["empty", "full"])
same(os.listdir(p + "/empty"), ["x"])' "$A"
	is "$(zk get /full/y)" 2
}

@test "rename: types must agree, and a directory not enter itself" {
	zk create /d/x 1
	zk create /e
	zk create /f data
	zk_mount A
	py 'p = A[0]
expect("EISDIR", os.rename, p + "/f", p + "/e")
expect("ENOTDIR", os.rename, p + "/d", p + "/f")
expect("EINVAL", os.rename, p + "/d", p + "/d/x2")
expect("ENOENT", os.rename, p + "/none", p + "/g")
expect("ENOENT", os.rename, p + "/f", p + "/none/g")
expect("OK", os.rename, p + "/f", p + "/f")
same(read_all(p + "/f"), b"data")' "$A"
	is "$(zk ls /)" $'d\ne\nf'
}

@test "rename: an ephemeral of another session is not moved" {
	zk ephemeral /e
	zk create /d/x
	zk ephemeral /d/x/fleeting
	zk create /f data
	zk_mount A
	py 'p = A[0]
expect("EPERM", os.rename, p + "/e", p + "/g")
expect("EPERM", os.rename, p + "/d", p + "/h")' "$A"
	is "$(zk ls /)" $'d\ne\nf'
	is "$(zk stat /e ephemeralOwner)" "$(($(zk id)))"
}

@test "rename: a file changed meanwhile is moved with its newest data" {
	zk create /a 0
	zk_mount A
	stat "$A/a" >/dev/null
	zk set /a newest
	mv "$A/a" "$A/b"
	is "$(zk get /b)" newest
}

@test "rename: two mounts that move one file: one succeeds" {
	zk create /a x
	zk_mount A
	zk_mount B
	py '
for i in range(20):
    got = []
    def mover(path, to):
        got.append(err(os.rename, path + "/a", path + to))
    threads = [threading.Thread(target=mover, args=(A[j], "/to%d" % j))
               for j in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same(sorted(got), ["ENOENT", "OK"])
    names = os.listdir(A[0])
    same(len(names), 1)
    os.rename(A[0] + "/" + names[0], A[0] + "/a")
same(read_all(A[0] + "/a"), b"x")' "$A" "$B"
}

@test "rename: a handle open for writing follows the file" {
	zk create /a x
	zk_mount A
	exec 7>>"$A/a"
	mv "$A/a" "$A/b"
	echo more >&7
	exec 7>&-
	is "$(zk get /b)" xmore
	is "$(zk ls /)" b
}

# Each is open for writing before the directory above it moves.
@test "rename: handles open for writing follow their directory" {
	zk create /d
	zk create /d/old x
	zk create /d/sub
	zk create /d/sub/deep x
	zk_mount A
	echo new >"$A/d/new"
	py '
names = ["old", "new", "sub/deep", "sub/made", "sub/.data"]
fds = [os.open(A[0] + "/d/" + name, os.O_RDWR | os.O_CREAT) for name in names]
appended = os.open(A[0] + "/d/old", os.O_WRONLY | os.O_APPEND)
os.write(fds[0], b"before the move")
os.rename(A[0] + "/d", A[0] + "/e")
for fd in fds:
    os.pwrite(fd, b"mine", 0)
    os.fsync(fd)
os.rename(A[0] + "/e", A[0] + "/f")
for fd in fds:
    os.pwrite(fd, b"More", 0)
    os.close(fd)
os.write(appended, b" and on")
os.close(appended)
' "$A"
	is "$(zk ls /)" f
	is "$(zk get /f/old)" "Morere the move and on"
	for name in new sub/deep sub/made sub; do
		is "$(zk get "/f/$name")" More
	done
}

@test "rename: an open file can be read after its move" {
	zk create /a content
	zk_mount A
	exec 7<"$A/a"
	mv "$A/a" "$A/b"
	is "$(cat <&7)" content
	exec 7<&-
}

@test "rename: permission is asked of both directories" {
	zk create /open/f x
	zk create /shut
	zk protect /shut world anyone read
	zk_mount A
	fails "Permission denied" mv "$A/open/f" "$A/shut/f"
	is "$(zk get /open/f)" x
}

@test "rename: out of the mount and into it, mv copies" {
	zk create /f inside
	mkdir plain
	echo outside >plain/g
	zk_mount A
	mv "$A/f" plain/
	is "$(<plain/f)" inside
	mv plain/g "$A/"
	is "$(zk get /g)" outside
	is "$(zk ls /)" g
}

@test "rename: a directory that was moved and replaced is what replaced it" {
	zk_mount A
	mkdir "$A/d"
	mv "$A/d" "$A/e"
	zk delete /e
	zk create /e data
	sync "$A"
	is "$(stat -c %F "$A/e")" "regular file"
	is "$(cat "$A/e")" data
}

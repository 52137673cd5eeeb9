#!/usr/bin/env bats
# Reading: open takes a snapshot of one version; a new open sees the newest.

load lib

@test "read: a new open sees what another client wrote, at once" {
	zk create /f 0
	zk_mount A sync_open
	local i
	for i in {1..50}; do
		zk_as foreign set /f "value $i"
		is "$(<"$A/f")" "value $i"
	done
}

@test "read: an open file keeps its version to the end" {
	zk create /f "the first version"
	zk_mount A
	local first rest
	exec 7<"$A/f"
	IFS= read -r -n 4 first <&7
	zk set /f "a second one, and a longer one than the first"
	IFS= read -r rest <&7 || :
	exec 7<&-
	is "$first$rest" "the first version"
	is "$(<"$A/f")" "a second one, and a longer one than the first"
}

@test "read: a value that grew elsewhere is not cut at its old size" {
	zk create /f short
	zk_mount A
	py '
path = A[0]
same(os.stat(path).st_size, 5)
same(read_all(path), b"short")' "$A/f"
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		stat "$A/f" >/dev/null
		head -c $((i * 7000)) /dev/urandom >blob
		zk set /f "@$PWD/blob" >/dev/null
		cat "$A/f" >got
		cmp blob got
	done
}

@test "read: a value that shrank elsewhere ends where it ends" {
	head -c 200000 /dev/zero >blob
	zk create /f "@$PWD/blob"
	zk_mount A
	stat "$A/f" >/dev/null
	zk set /f tiny
	cat "$A/f" >got
	is "$(cat got)" tiny
	is "$(wc -c <"$A/f")" 4
}

@test "read: pread of an open file survives a foreign shrink" {
	head -c 200000 /dev/zero | tr '\0' a >blob
	zk create /f "@$PWD/blob"
	zk_mount A
	exec 7<"$A/f"
	zk set /f tiny
	py 'same(os.pread(7, 10, 199995), b"aaaaa")
same(os.pread(7, 10, 200000), b"")
same(os.fstat(7).st_size in (4, 200000), True)
same(len(os.pread(7, 1 << 20, 0)), 200000)' 2>&1
	exec 7<&-
	is "$(<"$A/f")" tiny
	kill -0 "${MOUNT_PID[A]}"
}

@test "read: no reader sees half of one version and half of another" {
	head -c 700000 /dev/zero | tr '\0' a >blob
	zk create /f "@$PWD/blob"
	zk_mount A
	py '
ended = threading.Event()
bad = []
rounds = [0]
def reader():
    while not ended.is_set():
        data = bytearray()
        fd = os.open(A[0], O_RDONLY)
        while True:
            part = os.read(fd, 65536)
            if not part:
                break
            data += part
        os.close(fd)
        rounds[0] += 1
        if bytes(data) not in (b"a" * 700000, b"b" * 650000):
            bad.append((len(data), data[:1], data[-1:]))
threads = [threading.Thread(target=reader) for i in range(3)]
for t in threads:
    t.start()
for i in range(40):
    spew(A[0], b"ab"[i % 2:i % 2 + 1] * (650000 if i % 2 else 700000))
ended.set()
for t in threads:
    t.join()
same(bad, [])
same(rounds[0] > 10, True)' "$A/f"
}

@test "read: reading writes nothing" {
	zk create /d/f x
	zk create /d/empty x
	zk set /d/empty
	zk_mount A
	local before
	before=$(zk stat /d/f)$(zk stat /d/empty)$(zk stat /d)
	cat "$A/d/f" "$A/d/empty"
	grep -r x "$A/d"
	cp -r "$A/d" copy
	tar cf archive.tar -C "$A" d
	head -c 0 "$A/d/f"
	exec 7<"$A/d/f"
	exec 7<&-
	md5sum "$A/d/f" "$A/d/empty"
	is "$(zk stat /d/f)$(zk stat /d/empty)$(zk stat /d)" "$before"
}

@test "read: reading a deleted file neither fails nor brings it back" {
	zk create /f still-here
	zk_mount A
	exec 7<"$A/f"
	zk delete /f
	is "$(cat <&7)" still-here
	exec 7<&-
	fails "No such file" cat "$A/f"
	fails "no node" zk exists /f
}

@test "read: a file replaced by a new znode is read anew" {
	zk create /f old
	zk_mount A
	is "$(<"$A/f")" old
	zk delete /f
	zk create /f new
	is "$(<"$A/f")" new
}

@test "read: binary data, no data and the largest data" {
	py '
open("all", "wb").write(bytes(range(256)) * 3)'
	zk create /all "@$PWD/all"
	zk create /none x
	zk set /none
	zk_mount A
	cmp all "$A/all"
	is "$(wc -c <"$A/none")" 0
	# A request of 1 MiB less one byte: its header takes 20 bytes, the path
	# its length.
	head -c $((1048575 - 20 - ${#TREE} - 4)) /dev/urandom >most
	zk create /big x
	zk set /big "@$PWD/most"
	cmp most "$A/big"
	is "$(stat -c %s "$A/big")" "$(stat -c %s most)"
}

@test "read: parts of a file by offset" {
	zk create /f 0123456789
	zk_mount A
	is "$(dd if="$A/f" bs=1 skip=3 count=4 status=none)" 3456
	is "$(tail -c 3 "$A/f")" 789
	is "$(head -c 2 "$A/f")" 01
	py 'import mmap
fd = os.open(A[0], O_RDONLY)
with mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as m:
    same(m[2:5], b"234")
same(os.pread(fd, 4, 10), b"")
same(os.pread(fd, 4, 8), b"89")' "$A/f"
}

@test "read: two handles of one file each have their version" {
	zk create /f one
	zk_mount A
	exec 7<"$A/f"
	zk set /f two
	exec 8<"$A/f"
	zk set /f three
	is "$(cat <&7) $(cat <&8) $(cat "$A/f")" "one two three"
	exec 7<&- 8<&-
}

@test "read: two mounts show the same, each write to the other at once" {
	zk create /f 0
	zk_mount A
	zk_mount B
	local i
	for i in {1..20}; do
		echo "a$i" >"$A/f"
		is "$(<"$B/f")" "a$i"
		echo "b$i" >"$B/f"
		is "$(<"$A/f")" "b$i"
	done
}

@test "read: who is at the end reads on what was appended" {
	zk create /f one,
	zk_mount A
	zk_mount B
	py 'fd = os.open(A[0], O_RDONLY)
same(os.read(fd, 100), b"one,")
same(os.read(fd, 100), b"")
spew(A[1], b"two,", O_WRONLY | O_APPEND)
os.system("sync " + os.path.dirname(A[0]))
same(os.fstat(fd).st_size, 8)
same(os.read(fd, 100), b"two,")
same(os.read(fd, 100), b"")
# What is longer, and not what it was with something behind, is another file
# to who has begun to read this one; the next open shows it.
spew(A[1], b"all is new here", O_WRONLY | O_TRUNC)
os.system("sync " + os.path.dirname(A[0]))
same(os.fstat(fd).st_size, 15)
same(os.read(fd, 100), b"")
same(os.pread(fd, 100, 0), b"one,two,")
same(read_all(A[0]), b"all is new here")' "$A/f" "$B/f"
}

# tail(1) reads on where it is when fstat(2) tells of more.
@test "read: tail -f follows a file, and one that was empty" {
	zk create /f one$'\n'
	zk_mount A
	zk_mount B
	: >"$B/empty"
	timeout 50 tail -s 0.1 -n +1 -f "$A/f" >seen &
	timeout 50 tail -s 0.1 -n +1 -f "$A/empty" >seen.empty &
	within 20 grep -qx one seen
	echo two >>"$B/f"
	echo first >>"$B/empty"
	within 20 grep -qx two seen
	within 20 grep -qx first seen.empty
	echo three >>"$A/f"
	within 20 grep -qx three seen
	is "$(tr '\n' ' ' <seen)" "one two three "
}

@test "read: many readers at a time" {
	zk fill /many 0 200 payload
	zk_mount A
	py '
bad = []
def reader(first):
    for i in range(first, 200, 8):
        data = read_all("%s/n%05d" % (A[0], i))
        if data != b"payload":
            bad.append(data)
threads = [threading.Thread(target=reader, args=(i,)) for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
same(bad, [])' "$A/many"
}

@test "read: cat of a directory is EISDIR, of nothing ENOENT" {
	zk create /d
	zk_mount A
	fails "Is a directory" cat "$A/d"
	fails "No such file" cat "$A/nothing"
	py 'expect("EISDIR", os.open, A[0], O_WRONLY)' "$A/d"
}

@test "read: poll says a file can be read and written" {
	zk create /f x
	zk_mount A
	py 'fd = os.open(A[0], O_RDWR)
p = select.poll()
p.register(fd, select.POLLIN | select.POLLOUT)
same(p.poll(5000), [(fd, select.POLLIN | select.POLLOUT)])
os.close(fd)' "$A/f"
}

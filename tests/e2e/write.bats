#!/usr/bin/env bats
# Writing: whole versions, each committed on the version that was opened.

load lib

@test "write: a write by each shell makes one new version" {
	local sh version=0
	zk create /f 0
	zk_mount A
	for sh in bash dash "busybox sh"; do
		# shellcheck disable=SC2086 # "busybox sh" is two words
		$sh -c 'echo "by $0" >"$1"' "$sh" "$A/f"
		version=$((version + 1))
		is "$(zk get /f)" "by $sh"
		is "$(zk stat /f version)" "$version"
	done
}

@test "write: a watcher sees one event for an overwrite, never an empty file" {
	zk create /f 0
	zk watch /f
	zk_mount A
	echo first >"$A/f"
	is "$(zk events /f 1 5)" "CHANGED 1 first"
	printf second >src
	local i tools=('cp src "$0"' 'cat src >"$0"' 'tee "$0" <src'
		'dd if=src of="$0"' 'python3 -c "
with open(\"$0\", \"w\") as f:
	f.write(\"second\")"')
	for ((i = 0; i < ${#tools[@]}; i++)); do
		bash -c "${tools[i]}" "$A/f"
		# Each event is waited for: a watch is set anew after it.
		is "$(zk events /f $((i + 2)) 5 | sed -n "$((i + 2))p")" \
			"CHANGED $((i + 2)) second" "${tools[i]}"
	done
	is "$(zk stat /f version)" 6
}

@test "write: a file of many writes is one version" {
	zk create /f 0
	zk watch /f
	zk_mount A
	seq 1 20000 >expected
	awk 'BEGIN { for (i = 1; i <= 20000; i++) print i }' >"$A/f"
	cmp expected "$A/f"
	is "$(zk stat /f version)" 1
	is "$(zk events /f 1 5 | grep -c CHANGED)" 1
	dd if=expected of="$A/f" bs=1000 status=none
	is "$(zk stat /f version)" 2
	zk get /f | cmp expected -
	is "$(zk events /f 2 5 | grep -c CHANGED)" 2
}

@test "write: nothing is seen before the commit" {
	zk create /f old
	zk_mount A
	zk_mount B
	# Not echo >&7: the shell closes a copy of the descriptor after it.
	py '
fd = os.open(A[0], O_WRONLY | O_TRUNC)
same(read_all(A[0]), b"old")
os.write(fd, b"half")
same(read_all(A[0]), b"old")
same(read_all(A[1]), b"old")
os.write(fd, b" whole")
same(read_all(A[1]), b"old")
os.close(fd)
same(read_all(A[0]), b"half whole")
same(read_all(A[1]), b"half whole")' "$A/f" "$B/f"
	is "$(zk stat /f version)" 1
}

@test "write: sizes that others stored damaged arrive whole" {
	zk_mount A
	local size
	for size in 1 4095 4096 4097 131071 131072 131073 300000 307200 307201 \
		524288 1000000; do
		head -c "$size" /dev/urandom >blob
		cp blob "$A/f"
		zk get /f | cmp blob -
		cat blob >"$A/g"
		zk get /g | cmp blob -
		cmp blob "$A/f"
	done
}

@test "write: a conflict is ESTALE at fsync, and nothing is overwritten" {
	zk create /f base
	zk_mount A
	exec 7<>"$A/f"
	zk set /f theirs
	py '
same(os.read(7, 99), b"base")
got = err(os.pwrite, 7, b"mine", 0)
if got == "OK":
    got = err(os.fsync, 7)
same(got, "ESTALE")
same(err(os.pwrite, 7, b"again", 0), "ESTALE")
same(err(os.fsync, 7), "ESTALE")
same(err(os.close, 7), "ESTALE")'
	exec 7>&-
	is "$(zk get /f)" theirs
	is "$(zk stat /f version)" 1
}

@test "write: a conflict is ESTALE at close where write could not know" {
	zk create /f base
	zk_mount A
	zk_mount B
	# The write comes first, so that only the commit can find out.
	py '
a = os.open(A[0], O_RDWR)
os.pwrite(a, b"mine", 0)
spew(A[1], b"theirs")
same(err(os.close, a), "ESTALE")' "$A/f" "$B/f"
	is "$(zk get /f)" theirs
}

@test "write: echo in a shell reports a conflict through the same mount" {
	local sh
	zk_mount A
	for sh in bash dash "busybox sh"; do
		echo base >"$A/f"
		# shellcheck disable=SC2086 # "busybox sh" is two words
		run $sh -c 'exec 3<>"$1"; echo theirs >"$1"; echo mine >&3' \
			sh "$A/f"
		[ "$status" -ne 0 ] || fail "$sh: echo did not fail"
		is "$(<"$A/f")" theirs "$sh"
	done
}

@test "write: bash names the conflict: Stale file handle" {
	zk create /f base
	zk_mount A
	# shellcheck disable=SC2016 # for the inner shell
	fails "Stale file handle" bash -c \
		'exec 3<>"$0"; echo theirs >"$0"; echo mine >&3' "$A/f"
}

@test "write: echo reports a foreign conflict once the watch has fired" {
	zk create /f base
	zk_mount A
	exec 7<>"$A/f"
	zk set /f theirs
	within 5 write_fails 7
	# A shell cannot see close fail; the data tells.
	exec 7>&-
	is "$(zk get /f)" theirs
	is "$(zk stat /f version)" 1
}

write_fails() {
	! echo mine >&"$1"
} 2>/dev/null

@test "write: a lone writer never meets a conflict with itself" {
	zk create /f 0
	zk_mount A
	py '
for i in range(300):
    spew(A[0], b"%d" % i)
fd = os.open(A[0], O_RDWR)
for i in range(300):
    os.pwrite(fd, b"%d" % i, 0)
    os.fsync(fd)
os.close(fd)' "$A/f"
	is "$(zk stat /f version)" 600
}

@test "write: fsync commits, later writes of the handle go on from there" {
	zk create /f x
	zk set /f
	zk_mount A
	py '
fd = os.open(A[0], O_RDWR)
os.write(fd, b"one")
os.fsync(fd)
os.fsync(fd)
os.write(fd, b"two")
os.fdatasync(fd)
same(os.pread(fd, 99, 0), b"onetwo")
os.close(fd)' "$A/f"
	is "$(zk get /f)" onetwo
	is "$(zk stat /f version)" 3
}

@test "write: of two that opened one version the second loses" {
	zk create /f base
	zk_mount A
	zk_mount B
	py '
a, b = os.open(A[0], O_RDWR), os.open(A[1], O_RDWR)
os.write(b, b"from b")
os.write(a, b"from a")
same(err(os.close, b), "OK")
same(err(os.close, a), "ESTALE")' "$A/f" "$B/f"
	is "$(zk get /f)" "from b"
}

@test "write: of many writers at once each either commits or is told" {
	zk create /f 0
	zk_mount A
	zk_mount B
	py '
wins, others = [], []
def writer(path, who):
    for i in range(25):
        fd = os.open(path, O_RDWR)
        value = int(os.read(fd, 99))
        text = b"%d" % (value + 1)
        got = err(os.pwrite, fd, text, 0)
        if got == "OK":
            got = err(os.fsync, fd)
        err(os.close, fd)
        (wins if got == "OK" else others).append(got)
threads = [threading.Thread(target=writer, args=(A[i % 2], i))
           for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
same(set(others) <= {"ESTALE"}, True)
same(len(wins) + len(others), 200)
same(int(read_all(A[0])), len(wins))' "$A/f" "$B/f"
}

@test "write: truncation with nothing written is one empty version" {
	local sh
	zk_mount A
	for sh in bash dash "busybox sh"; do
		echo full >"$A/f"
		zk watch /f
		# shellcheck disable=SC2086 # "busybox sh" is two words
		$sh -c ': >"$1"' sh "$A/f"
		is "$(zk events /f 1 5 | wc -l)" 1 "$sh"
		is "$(zk stat /f dataLength)" 0 "$sh"
		zk_as foreign close
	done
	echo full >"$A/f"
	# (Committed by the RELEASE, for which close(2) does not wait.)
	py 'open(A[0], "w").close()' "$A/f"
	within 5 eval '[ "$(zk stat /f dataLength)" = 0 ]'
	echo full >"$A/f"
	cp /dev/null "$A/f"
	within 5 eval '[ "$(zk stat /f dataLength)" = 0 ]'
}

@test "write: truncate -s shortens, lengthens with zeros, and empties" {
	zk create /f 0123456789
	zk_mount A
	truncate -s 4 "$A/f"
	is "$(zk get /f)" 0123
	truncate -s 8 "$A/f"
	zk get /f | cmp - <(printf '0123\0\0\0\0')
	py 'os.truncate(A[0], 2)
fd = os.open(A[0], O_RDWR)
os.ftruncate(fd, 1)
os.close(fd)' "$A/f"
	is "$(zk get /f)" 0
	truncate -s 0 "$A/f"
	is "$(zk stat /f dataLength)" 0
	is "$(zk stat /f version)" 5
}

@test "write: touch makes a new version with the same data" {
	zk create /f same
	zk watch /f
	zk_mount A
	touch "$A/f"
	is "$(zk events /f 1 5)" "CHANGED 1 same"
	touch -a "$A/f" # the access time alone changes nothing
	touch "$A/new"
	is "$(zk stat /new dataLength)" 0
	test -f "$A/new"
}

@test "write: writes at an offset, beyond the end, and overlapping" {
	zk create /f 0123456789
	zk_mount A
	py '
fd = os.open(A[0], O_WRONLY)
os.pwrite(fd, b"ab", 3)
os.pwrite(fd, b"c", 4)
os.pwrite(fd, b"end", 12)
os.close(fd)' "$A/f"
	zk get /f | cmp - <(printf '012ac56789\0\0end')
	is "$(zk stat /f version)" 1
}

@test "write: a handle reads its own writes before the commit" {
	zk create /f 0123456789
	zk_mount A
	py '
fd = os.open(A[0], O_RDWR)
os.pwrite(fd, b"ab", 3)
same(os.pread(fd, 99, 0), b"012ab56789")
same(os.fstat(fd).st_size, 10)
os.pwrite(fd, b"x", 11)
same(os.pread(fd, 99, 0), b"012ab56789\0x")
os.ftruncate(fd, 2)
same(os.pread(fd, 99, 0), b"01")
os.close(fd)' "$A/f"
	is "$(zk get /f)" 01
}

@test "write: appends from two mounts and a client arrive, each once" {
	zk create /log ""
	zk set /log
	zk_mount A
	zk_mount B
	appends "$A/log" a 60 &
	local first=$!
	appends "$B/log" b 60
	wait "$first"
	is "$(sort "$A/log")" "$({ seq -f a%03g 60; seq -f b%03g 60; } | sort)"
	is "$(grep -c . "$A/log")" 120
	is "$(grep a "$A/log")" "$(seq -f a%03g 60)" "order of a writer"
}

appends() {
	local i

	for ((i = 1; i <= $3; i++)); do
		printf '%s%03d\n' "$2" "$i" >>"$1" || return 1
	done
}

@test "write: appends by many threads and handles, also kept open" {
	zk create /log x
	zk set /log
	zk_mount A
	zk_mount B
	py '
def writer(path, who):
    fd = os.open(path, O_WRONLY | O_APPEND)
    for i in range(15):
        os.write(fd, b"%d.%d\n" % (who, i))
        os.fsync(fd)
    os.close(fd)
threads = [threading.Thread(target=writer, args=(A[i % 2], i))
           for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
lines = read_all(A[0]).split()
same(len(lines), 120)
same(len(set(lines)), 120)
for who in range(8):
    mine = [l for l in lines if l.startswith(b"%d." % who)]
    same(mine, [b"%d.%d" % (who, i) for i in range(15)])' "$A/log" "$B/log"
}

@test "write: an append follows what was appended elsewhere" {
	zk create /log "one"
	zk_mount A
	zk_mount B
	py '
fd = os.open(A[0], O_WRONLY | O_APPEND)
os.write(fd, b",mine")
spew(A[1], b",theirs", O_WRONLY | O_APPEND)
os.close(fd)
same(read_all(A[0]), b"one,theirs,mine")' "$A/log" "$B/log"
	is "$(zk stat /log version)" 2
}

# The kernel closes them in the middle of execve(2), and /proc/PID/stat waits for
# the end of that.
@test "write: what is closed on exec is written" {
	zk create /f old
	zk_mount A
	PY_LIMIT=20 py '
fd = os.open(A[0], os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
os.write(fd, b"new")
os.execv("/bin/true", ["true"])
' "$A/f"
	is "$(zk get /f)" new
}

@test "write: a writer killed by a signal leaves the old version" {
	local sig
	zk create /f old
	zk_mount A
	mkfifo feed
	for sig in INT TERM KILL HUP PIPE; do
		# A trap ignored by bats would be ignored by cat as well.
		env --default-signal=INT,PIPE cat feed >"$A/f" &
		local writer=$!
		exec 7>feed
		seq 1 1000 >&7
		within 5 is_in_read "$writer"
		kill -s "$sig" "$writer"
		run ! wait "$writer"
		exec 7>&-
		is "$(zk get /f)" old "$sig"
		is "$(zk stat /f version)" 0 "$sig"
	done
}

# cat has taken all there was and waits for more.
is_in_read() {
	[ "$(cat "/proc/$1/wchan" 2>/dev/null)" = pipe_read ] ||
		[ "$(cat "/proc/$1/wchan" 2>/dev/null)" = anon_pipe_read ]
}

@test "write: timeout -s INT of cat > f in a shell commits nothing" {
	zk create /f old
	zk_mount A
	mkfifo feed
	exec 7<>feed
	echo half >&7
	# shellcheck disable=SC2016 # for the inner shell
	run -124 bash -c 'timeout -s INT 0.5 cat feed >"$0"' "$A/f"
	exec 7>&-
	is "$(zk get /f)" old
	# The shell holds the descriptor too and closes it after the kill.
	exec 7<>feed
	echo half >&7
	# shellcheck disable=SC2016 # for the inner shell
	run bash -c '{ timeout -s INT 0.5 cat feed; } >"$0"' "$A/f"
	exec 7>&-
	is "$(zk get /f)" old
	is "$(zk stat /f version)" 0
}

@test "write: what somebody writes after a kill is committed" {
	zk create /f old
	zk_mount A
	# shellcheck disable=SC2016 # for the inner shells
	bash -c '{ sh -c "printf lost; kill -KILL \$\$"; echo rest; } >"$0"' \
		"$A/f" || :
	is "$(zk get /f)" lostrest
}

@test "write: an exit commits, whatever its status" {
	zk create /f old
	zk_mount A
	# shellcheck disable=SC2016 # for the inner shell
	run -3 bash -c 'exec >"$0"; echo new; exit 3' "$A/f"
	is "$(zk get /f)" new
	py 'os.write(os.open(A[0], O_WRONLY | O_TRUNC), b"left open")
os._exit(4)' "$A/f" || :
	is "$(zk get /f)" "left open"
}

@test "write: what was fsynced before a kill stays" {
	zk create /f old
	zk_mount A
	py '
fd = os.open(A[0], O_WRONLY | O_TRUNC)
os.write(fd, b"safe")
os.fsync(fd)
os.write(fd, b" and lost")
os.kill(os.getpid(), signal.SIGKILL)' "$A/f" || :
	is "$(zk get /f)" safe
	is "$(zk stat /f version)" 1
}

@test "write: O_SYNC and O_DSYNC commit each write and report conflicts" {
	zk create /f x
	zk_mount A
	py '
for flag in (os.O_SYNC, os.O_DSYNC):
    fd = os.open(A[0], O_WRONLY | O_TRUNC | flag)
    before = int(os.getxattr(A[0], "user.zk.version"))
    os.write(fd, b"one")
    os.write(fd, b"two")
    time.sleep(0.11)  # attributes are kept by the kernel for 0.1 s
    same(int(os.getxattr(A[0], "user.zk.version")), before + 2)
    spew(A[0], b"other")
    same(err(os.write, fd, b"three"), "ESTALE")
    same(err(os.close, fd) in ("OK", "ESTALE"), True)
    same(read_all(A[0]), b"other")' "$A/f"
}

@test "write: -o sync makes echo report a foreign conflict" {
	local sh
	zk create /f base
	zk_mount A sync
	for sh in bash dash "busybox sh"; do
		# shellcheck disable=SC2086 # "busybox sh" is two words
		coproc $sh -c 'exec 3<>"$1"; echo opened; read -r go
			echo mine >&3 && echo WRITTEN' sh "$A/f" 2>/dev/null
		local pid=$COPROC_PID answer
		# shellcheck disable=SC2154 # coproc sets it
		read -r -t 10 answer <&"${COPROC[0]}"
		is "$answer" opened
		zk set /f theirs
		echo go >&"${COPROC[1]}"
		run ! wait "$pid"
		is "$(zk get /f)" theirs "$sh"
	done
}

@test "write: more than a request carries is EFBIG and changes nothing" {
	zk create /f old
	zk_mount A
	# setData of LENGTH bytes: 20 bytes and the path beside the data.
	local most=$((1048575 - 20 - ${#TREE} - 2))
	py '
path, most = A[0], int(A[1])
spew(path, b"x" * most)
same(len(read_all(path)), most)
fd = os.open(path, O_WRONLY | O_TRUNC)
same(err(write_all, fd, b"y" * (most + 1)), "EFBIG")
same(err(os.close, fd), "EFBIG")
same(read_all(path), b"x" * most)
fd = os.open(path, O_WRONLY)
same(err(os.pwrite, fd, b"y", most), "EFBIG")
err(os.close, fd)
fd = os.open(path, O_WRONLY | O_APPEND)
same(err(os.write, fd, b"y") == "EFBIG" or err(os.close, fd) == "EFBIG", True)
expect("EFBIG", os.truncate, path, most + 1)
expect("EFBIG", os.truncate, path, 1 << 40)
same(read_all(path), b"x" * most)' "$A/f" "$most"
	is "$(zk stat /f version)" 1
	head -c 3000000 /dev/zero >blob
	fails "File too large" cp blob "$A/f"
	# shellcheck disable=SC2016 # for the inner shell
	fails "File too large" bash -c 'cat blob >"$0"' "$A/f"
	is "$(zk stat /f version dataLength)" "1
$most"
}

@test "write: one request of the largest size is not lost by a byte" {
	zk_mount A
	# Next to the limit in both directions, by new files: cp makes them.
	local size
	for size in 1048000 1048400 1048500; do
		head -c "$size" /dev/urandom >blob
		cp blob "$A/f"
		zk get /f | cmp blob -
	done
}

@test "write: a file unlinked here may be written until it is closed" {
	zk create /f old
	zk_mount A
	py '
fd = os.open(A[0], O_RDWR)
os.unlink(A[0])
os.pwrite(fd, b"new", 0)
os.fsync(fd)
same(os.pread(fd, 99, 0), b"new")
os.pwrite(fd, b"newer", 0)
os.close(fd)
expect("ENOENT", os.stat, A[0])' "$A/f"
	fails "no node" zk exists /f
}

@test "write: a file deleted by another client answers ESTALE" {
	zk create /f old
	zk_mount A
	exec 7<>"$A/f"
	zk delete /f
	py '
got = err(os.pwrite, 7, b"new", 0)
if got == "OK":
    got = err(os.fsync, 7)
same(got, "ESTALE")'
	exec 7>&-
	fails "no node" zk exists /f
}

@test "write: a file deleted and made again is not overwritten" {
	zk create /f old
	zk_mount A
	exec 7<>"$A/f"
	zk delete /f
	zk create /f new
	py '
got = err(os.pwrite, 7, b"mine", 0)
if got == "OK":
    got = err(os.fsync, 7)
same(got, "ESTALE")'
	exec 7>&-
	is "$(zk get /f)" new
}

@test "write: a rename over an open file does not bring its data back" {
	zk create /f old
	zk create /g new
	zk_mount A
	exec 7<>"$A/f"
	mv "$A/g" "$A/f"
	py 'same(err(os.pwrite, 7, b"mine", 0) in ("OK", "ESTALE"), True)
err(os.fsync, 7)'
	exec 7>&- || :
	is "$(zk get /f)" new
	is "$(zk ls /)" f
}

@test "write: no permission is EACCES and changes nothing" {
	zk create /f old
	zk protect /f world anyone read admin
	zk_mount A
	echo mine >src
	fails "Permission denied" cp src "$A/f"
	py '
fd = os.open(A[0], O_WRONLY)
os.write(fd, b"mine")
same(err(os.fsync, fd), "EACCES")
err(os.close, fd)' "$A/f"
	is "$(zk get /f)" old
}

@test "write: a full quota is EDQUOT" {
	local quota=/zookeeper/quota$TREE root=127.0.0.1:$E2E_PORT
	zk create /f x
	zk_at "$root" root create "$quota/zookeeper_limits" \
		"count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=-1"
	zk_at "$root" root create "$quota/zookeeper_stats" "count=2,bytes=1"
	zk_mount A
	head -c 500 /dev/zero >blob
	fails "Disk quota exceeded" cp blob "$A/f"
	is "$(zk get /f)" x
	echo fits >"$A/f"
	is "$(zk get /f)" fits
}

@test "write: exec 3<>f with children, and many echos, commit once" {
	zk create /f old
	zk_mount A
	# shellcheck disable=SC2016 # for the inner shell
	bash -c 'exec 3<>"$0"; echo one >&3; /bin/true; echo two >&3
		/bin/true' "$A/f"
	is "$(zk get /f)" $'one\ntwo'
	# shellcheck disable=SC2016 # for the inner shell
	bash -c '{ echo a; echo b; (echo c); } >"$0"' "$A/f"
	is "$(zk get /f)" $'a\nb\nc'
}

@test "write: a new file is there, empty, before it is written" {
	zk_mount A
	exec 7>"$A/f"
	zk exists /f
	is "$(zk stat /f version)" 1
	echo data >&7
	exec 7>&-
	is "$(zk get /f)" data
	is "$(zk stat /f version)" 2
}

@test "write: sync of a file and of a directory succeed" {
	zk create /d/f x
	zk_mount A
	sync "$A/d/f"
	sync "$A/d"
	sync -f "$A/d"
	dd if=/dev/zero of="$A/d/f" bs=10 count=2 conv=fsync status=none
	is "$(zk stat /d/f dataLength)" 20
}

@test "write: fallocate and other modes are refused, not pretended" {
	zk create /f x
	zk_mount A
	fails "" fallocate -p -o 0 -l 1 "$A/f"
	py 'fd = os.open(A[0], O_RDWR)
os.posix_fallocate(fd, 0, 10)
os.close(fd)' "$A/f"
	is "$(zk stat /f dataLength)" 10
}

#!/usr/bin/env bats
# A reply that is lost is resolved, not guessed: the connection breaks when the
# server has made a change and its answer is on the way, or just before the
# server sees the change at all.

load lib
load proxy

@test "lost: a file that was set is not set twice" {
	zk create /f old
	mount_by_proxy
	reply_lost py 'spew(A[0], b"new")' "$A/f"
	is "$(zk get /f)" new
	is "$(zk stat /f version)" 1
	request_lost py 'spew(A[0], b"newer")' "$A/f"
	is "$(zk get /f)" newer
	is "$(zk stat /f version)" 2
}

@test "lost: where others write, too, what may be theirs is not claimed" {
	zk create /n 0
	mount_by_proxy
	is "$(cat "$A/n")" 0
	zk set /n 1
	is "$(cat "$A/n")" 1
	# Another who raises it would set the same.
	fails "Input/output error" reply_lost py 'spew(A[0], b"2")' "$A/n"
	is "$(zk get /n)" 2
	has "$(cat A.log)" "\"/n\": whether it was stored cannot be known: the \
server's answer was lost; who wrote it gets EIO"
	request_lost py 'spew(A[0], b"3")' "$A/n"
	is "$(zk get /n)" 3
	is "$(zk stat /n version)" 3
	# What is appended is known again.
	reply_lost py 'spew(A[0], b"4", O_WRONLY | O_APPEND)' "$A/n"
	is "$(zk get /n)" 34
}

# has_lost N: so many connections.
has_lost() {
	[ "$(grep -c "lost the connection" A.log)" = "$1" ]
}

# A writer to talk to: $out is what it says, $in what it waits for.
# It opens PATH (/f) with FLAGS and writes, and stores that when it is told to.
start_writer() {
	local word path=${2-/f}

	coproc WRITER { py '
fd = os.open(A[0], eval(A[1]))
os.write(fd, b"mine")
print("written", flush=True)
sys.stdin.readline()
try:
    os.fsync(fd)
    print("stored")
except OSError as error:
    print(errno.errorcode[error.errno])
' "$A$path" "$1"; }
	# The shell closes its own when it sees that the writer has ended.
	exec {out}<&"${WRITER[0]}" {in}>&"${WRITER[1]}"
	writer=$WRITER_PID
	read -rt 20 word <&"$out"
	is "$word" written
}

# What came of it, and what there is now at PATH (/f).
end_writer() {
	local word path=${1-/f}

	read -rt 20 word <&"$out"
	wait "$writer"
	exec {out}<&- {in}>&-
	echo "$word, $(zk get "$path")"
	zk delete "$path"
}

# Of what the two have in common there is the version.
make_anew() {
	zk delete /f
	zk create /f new
}

# writes_while_made_anew FLAGS: what came of a file that was opened with FLAGS and
# written, when its znode was made anew before that was stored.
writes_while_made_anew() {
	local out in writer lost

	zk create /f old
	start_writer "$1"
	lost=$(grep -c "lost the connection" A.log || :)
	order stall
	make_anew
	order cut
	within 20 has_lost $((lost + 1))
	order flow
	echo >&"$in"
	end_writer
}

# connection_of MOUNTPOINT: its number in the kernel.
connection_of() {
	mountpoint -d "$1" | cut -d : -f 2
}

# kernel_waits N [FOR]: for answers on connection N, more than FOR.
kernel_waits() {
	[ "$(<"$E2E_FUSECTL/$1/waiting")" -gt "${2:-0}" ]
}

# writes_in_the_turn_of_a_loss FLAGS: the same, but the daemon finds the request
# and the end of the connection when it looks up, both at once.
writes_in_the_turn_of_a_loss() {
	local out in writer connection

	connection=$(connection_of "$A")
	zk create /f old
	is "$(cat "$A/f")$(cat "$A/f")" oldold
	start_writer "$1"
	kill -STOP "${MOUNT_PID[A]}"
	order stall
	make_anew
	order cut
	echo >&"$in"
	within 20 kernel_waits "$connection"
	order flow
	kill -CONT "${MOUNT_PID[A]}"
	end_writer
}

# Catches: a version that is taken for the file.
@test "lost: a znode that was made anew meanwhile is not the file that was written" {
	mount_by_proxy
	is "$(writes_while_made_anew O_RDWR)" "ESTALE, new"
	is "$(writes_while_made_anew "O_WRONLY | O_TRUNC")" "ESTALE, new"
	is "$(writes_while_made_anew "O_WRONLY | O_APPEND")" "stored, newmine"
}

# write_in_the_turn_of_a_loss FLAGS OUTCOME. Stopped in the middle of a turn the
# daemon sends before it looks up; then what came of it cannot be known.
write_in_the_turn_of_a_loss() {
	local i came

	for ((i = 0; i < 5; i++)); do
		came=$(writes_in_the_turn_of_a_loss "$1")
		[ "$came" = "EIO, new" ] || break
	done
	is "$came" "$2"
}

# Catches: a set that was certain, and is sent by the next connection.
@test "lost: what was certain is so only while the connection lasts" {
	mount_by_proxy
	write_in_the_turn_of_a_loss O_RDWR "ESTALE, new"
	write_in_the_turn_of_a_loss "O_WRONLY | O_TRUNC" "ESTALE, new"
	write_in_the_turn_of_a_loss "O_WRONLY | O_APPEND" "stored, newmine"
}

# Catches: the same of what has never left us, as others fill the way.
@test "lost: what was queued is looked at again by the next connection" {
	local out in writer connection

	mount_by_proxy
	connection=$(connection_of "$A")
	zk create /f old
	zk create /d
	is "$(cat "$A/f")$(cat "$A/f")" oldold
	holding '
fd = os.open(A[0], os.O_RDONLY)
ready()
ask = lambda: os.getxattr(fd, "user.zk.acl")
for i in range(300):
    threading.Thread(target=ask).start()
' "$A/d"
	start_writer O_RDWR
	order stall
	make_anew
	touch go
	within 20 kernel_waits "$connection" 299
	echo >&"$in"
	within 20 kernel_waits "$connection" 300
	order cut
	order flow
	is "$(end_writer)" "ESTALE, new"
	wait "$HOLDER"
}

# The directory has moved, and we have not heard of it yet, when the file is
# looked at, or set, at the old name.
@test "lost: what went to a name that the file has just lost goes to the new one" {
	local out in writer connection how mover lost

	mount_by_proxy
	connection=$(connection_of "$A")
	for how in set looked-at another; do
		zk create /d
		zk create /d/f old
		is "$(cat "$A/d/f")$(cat "$A/d/f")" oldold
		start_writer O_RDWR /d/f
		if [ "$how" != set ]; then
			lost=$(grep -c "lost the connection" A.log || :)
			order cut
			within 20 has_lost $((lost + 1))
			timeout 20 sync "$A"
		fi
		arm hold reply
		timeout 20 mv "$A/d" "$A/e" &
		mover=$!
		within 20 holds_back
		if [ "$how" = another ]; then
			# (Without the mount's knowing it.)
			zk_as foreign create /d
			zk_as foreign create /d/f another
		fi
		echo >&"$in"
		within 20 kernel_waits "$connection" 1
		order go
		wait "$mover"
		is "$(end_writer /e/f)" "stored, mine"
		zk delete /e
	done
	is "$(zk get /d/f)" another
}

# gets: how many the server has answered.
gets() {
	awk '$1 == "zkfs_server_request_duration_seconds_count{request=\"get\"}" {
		print $2 }' "$A/.zkfs/metrics"
}

has_got() {
	[ "$(gets)" -ge "$1" ]
}

# Catches: a rename of what was read over the connection before. It is read level
# by level: when the eighth znode has come the file was among them (the kernel
# looks at no more than four before), and there are as many to come.
@test "lost: what is moved was read over the connection that moves it" {
	local before mover dir=/d i

	zk create /d
	zk create /d/f old
	for ((i = 0; i < 14; i++)); do
		dir+=/s
		zk create "$dir"
	done
	mount_by_proxy timeo=20
	order delay 50
	before=$(gets)
	timeout 30 mv "$A/d" "$A/e" &
	mover=$!
	within 20 has_got $((before + 8))
	zk_as foreign delete /d/f
	zk_as foreign create /d/f new
	order cut
	order delay 0
	wait "$mover"
	is "$(zk get /e/f)" new
}

@test "lost: an append arrives once" {
	zk create /f a
	mount_by_proxy
	reply_lost py 'spew(A[0], b"b", O_WRONLY | O_APPEND)' "$A/f"
	request_lost py 'spew(A[0], b"c", O_WRONLY | O_APPEND)' "$A/f"
	is "$(zk get /f)" abc
}

@test "lost: truncate and touch come to the same" {
	zk create /f abcdef
	mount_by_proxy
	reply_lost py 'os.truncate(A[0], 4)' "$A/f"
	is "$(zk get /f)" abcd
	request_lost py 'os.truncate(A[0], 2)' "$A/f"
	is "$(zk get /f)" ab
	reply_lost py 'os.utime(A[0])' "$A/f"
	is "$(zk get /f)" ab
}

@test "lost: a removal is done, whoever asks" {
	zk create /f x
	zk create /g x
	zk create /d
	zk create /e
	mount_by_proxy
	reply_lost rm "$A/f"
	request_lost rm "$A/g"
	reply_lost rmdir "$A/d"
	request_lost rmdir "$A/e"
	is "$(zk ls /)" ""
	# Of what was empty before only the version tells.
	zk create /d
	request_lost rm "$A/d/.data"
	is "$(zk stat /d version)" 1
}

@test "lost: a name that was not made is made" {
	mount_by_proxy
	request_lost mkdir "$A/d"
	request_lost touch "$A/f"
	is "$(zk ls / | sort)" "$(printf '%s\n' d f)"
	[ -d "$A/d" ] && [ -f "$A/f" ]
}

@test "lost: an open that has made the file does not fail behind it" {
	mount_by_proxy timeo=1
	arm hold rest
	PY_LIMIT=20 py 'fd = os.open(A[0], os.O_RDWR | os.O_CREAT | os.O_EXCL)
assert os.read(fd, 10) == b""' "$A/f"
	holds_back
	order go
	is "$(zk ls /)" f
}

@test "lost: whose a name is that was made cannot be known" {
	mount_by_proxy
	fails "Input/output error" reply_lost mkdir "$A/d"
	# touch(1) would be content with the file that is there.
	reply_lost py 'expect("EIO", os.open, A[0], O_WRONLY | O_CREAT)' "$A/f"
	[ -d "$A/d" ] && [ -f "$A/f" ]
}

@test "lost: a file that was moved is moved" {
	zk create /a one
	zk create /b two
	zk create /c three
	mount_by_proxy
	reply_lost mv "$A/a" "$A/x"
	request_lost mv "$A/b" "$A/y"
	is "$(zk ls / | sort)" "$(printf '%s\n' c x y)"
	is "$(cat "$A/x" "$A/y")" onetwo
	reply_lost mv "$A/x" "$A/c"
	is "$(zk get /c)" one
	request_lost mv "$A/y" "$A/c"
	is "$(zk get /c)" two
	is "$(zk ls /)" c
}

@test "lost: a handle follows the file that was moved" {
	zk create /a one
	mount_by_proxy
	exec 9<>"$A/a"
	reply_lost mv "$A/a" "$A/b"
	printf two >&9
	exec 9>&-
	is "$(zk get /b)" two
	is "$(zk ls /)" b
}

@test "lost: a directory that was moved is moved" {
	zk create /d
	zk create /d/f x
	zk create /e
	mount_by_proxy
	reply_lost mv "$A/d" "$A/x"
	is "$(cat "$A/x/f")" x
	request_lost mv "$A/x" "$A/y"
	reply_lost mv -T "$A/y" "$A/e"
	is "$(cat "$A/e/f")" x
	is "$(zk ls /)" e
}

@test "lost: the data of a directory is removed" {
	zk create /d x
	zk create /d/f
	mount_by_proxy
	reply_lost rm "$A/d/.data"
	is "$(zk get /d)" ""
	zk set /d x
	stat "$A/d" >/dev/null
	request_lost rm "$A/d/.data"
	is "$(zk get /d)" ""
}

@test "lost: an unlock returns though no server answers, and is made good" {
	local since

	zk create /f x
	mount_by_proxy timeo=1
	exec 9<"$A/f"
	flock 9
	since=$(now)
	kill -STOP "$PROXY"
	flock -u 9
	[ $(($(now) - since)) -lt 3000 ]
	kill -CONT "$PROXY"
	within 10 nobody_locks
	exec 9<&-
}

nobody_locks() {
	[ -z "$(zk ls "/locks/$(zk ls /locks)")" ]
}

#!/usr/bin/env bats
# Limits: each has a number, an option and an errno, and is shown in the status.
# Reaching one harms nobody who is there already, and passes.

load lib

# limit OPTION FIELD [MOUNT]: what the status says of it.
limit_of() {
	awk -v option="$1" -v field="$2" '
		$1 == "limit:" && $2 == option {
			for (i = 3; i <= NF; i++)
				if (split($i, pair, "=") && pair[1] == field)
					print pair[2]
		}' "${3:-$A}/.zkfs/status"
}

is_used() {
	[ "$(limit_of "$1" used)" = "$2" ]
}

# Catches: a limit that is not checked, one that does not let go, and one that
# ends what was open before.
@test "limits: open_max is ENFILE, and passes" {
	zk_mount A open_max=3
	echo 1 >"$A/f"
	mkdir "$A/d"
	exec 7<"$A/f" 8<"$A/d" 9<"$A/f"
	py 'expect("ENFILE", open, A[0])
expect("ENFILE", os.listdir, A[1])
expect("ENFILE", open, A[2] + "/.zkfs/status")' "$A/f" "$A/d" "$A"
	is "$(cat <&9)" 1
	exec 9<&-
	is "$(cat "$A/f")" 1
	exec 8<&-
	is "$(limit_of open_max refused)" 3
	is "$(limit_of open_max max)" 3
	# What is closed is let go a moment later.
	within 20 is_used open_max 1
	exec 7<&-
	has "$(cat "$A.log")" "the limit open_max=3 is reached: Too many open files"
	is "$(grep -c "is reached" "$A.log")" 1
}

# Catches: one user who takes what all share, and charges that go to the wrong
# user.
@test "limits: open_user_max is EMFILE for one user, and nothing to others" {
	zk_mount A allow_other,umask=0,open_user_max=2
	echo 1 >"$A/f"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	py 'import pwd
os.setuid(pwd.getpwnam("nobody").pw_uid)
mine = [open(A[0]), open(A[0])]
expect("EMFILE", open, A[0])
mine[0].close()
mine[0] = open(A[0])
os.write(1, b"full\n")
sys.stdin.read()' "$A/f" > >(cat >"$BATS_TEST_TMPDIR/said") < <(
		within 20 test -s "$BATS_TEST_TMPDIR/said"
		cat "$A/f" "$A/f" >"$BATS_TEST_TMPDIR/root"
		limit_of open_user_max used >"$BATS_TEST_TMPDIR/used"
	)
	is "$(cat "$BATS_TEST_TMPDIR/root")" "1
1"
	is "$(cat "$BATS_TEST_TMPDIR/used")" 2
}

# Catches: a way to a lock that is not counted, or not given back.
@test "limits: locks_max is ENOLCK for open, mkdir and flock alike" {
	zk_mount A locks_max=2
	mkdir -p "$A/locks/a" "$A/locks/b" "$A/locks/c"
	echo 1 >"$A/f"
	exec 7>"$A/locks/a/me"
	mkdir "$A/locks/b/me"
	is "$(limit_of locks_max used)" 2
	py 'expect("ENOLCK", os.open, A[0] + "/locks/c/me", os.O_WRONLY | os.O_CREAT)
expect("EAGAIN", os.open, A[0] + "/locks/a/other",
       os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK) # busy: it asks for none
expect("ENOLCK", os.mkdir, A[0] + "/locks/c/me")
f = open(A[0] + "/f", "r+")
expect("ENOLCK", fcntl.flock, f, fcntl.LOCK_EX)
expect("ENOLCK", fcntl.lockf, f, fcntl.LOCK_EX)' "$A"
	is "$(zk ls /locks/c)" ""
	exec 7>&-
	rmdir "$A/locks/b/me"
	within 20 is_used locks_max 0
	flock "$A/f" mkdir "$A/locks/c/me"
}

# Catches: waiters of one user that keep another out.
@test "limits: locks_user_max counts who waits, and keeps nobody else out" {
	zk_mount A allow_other,umask=0,locks_user_max=2
	mkdir -p "$A/locks/a" "$A/locks/b"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	exec 7>"$A/locks/a/root"
	py 'import pwd
os.setuid(pwd.getpwnam("nobody").pw_uid)
def wait(name):
    os.close(os.open(A[0] + "/locks/a/" + name, os.O_WRONLY | os.O_CREAT))
threads = [threading.Thread(target=wait, args=(n,)) for n in ("x", "y")]
for thread in threads:
    thread.start()
while len(os.listdir(A[0] + "/locks/a")) < 3:
    time.sleep(0.01)
expect("ENOLCK", os.open, A[0] + "/locks/a/z", os.O_WRONLY | os.O_CREAT)
os.write(1, b"full\n")
for thread in threads:
    thread.join()' "$A" >"$BATS_TEST_TMPDIR/said" 7>&- &
	within 30 test -s "$BATS_TEST_TMPDIR/said"
	exec 8>"$A/locks/b/root"
	is "$(limit_of locks_user_max used)" 2
	exec 7>&- 8>&-
	wait $!
}

# Catches: writes that are not counted; half a file that is committed; and room
# that stays taken.
@test "limits: data_max is ENOMEM for what does not fit, and the old version stays" {
	zk_mount A data_max=100K
	echo old >"$A/f"
	head -c 60000 /dev/zero >"$A/large"
	py 'f = os.open(A[0], os.O_WRONLY)
g = os.open(A[0], os.O_RDWR | os.O_APPEND)
os.write(f, b"x" * 50000)
expect("ENOMEM", os.write, g, b"y" * 60000)
expect("ENOMEM", os.write, g, b"y")
expect("ENOMEM", os.open, A[1], os.O_RDONLY)
expect("ENOMEM", os.fsync, g)
os.ftruncate(f, 3)
os.close(os.open(A[1], os.O_RDONLY))
expect("ENOMEM", os.ftruncate, f, 200000)
expect("ENOMEM", os.fsync, f)' "$A/f" "$A/large"
	is "$(cat "$A/f")" old
	# An earlier status, a text of some kilobytes, may still be open.
	within 20 is_small data_max
	echo new >"$A/f"
	is "$(cat "$A/f")" new
}

is_small() {
	[ "$(limit_of "$1" used)" -lt 10000 ]
}

# Catches: a listing of which a part is shown, and one that takes the memory of
# all.
@test "limits: a directory with more names than listing_max is EFBIG" {
	zk_mount A listing_max=20
	mkdir "$A/few" "$A/many"
	touch "$A/few/1234567" "$A/few/2345678"
	touch "$A/many/1234567" "$A/many/2345678" "$A/many/3456789"
	is "$(ls "$A/few" | wc -l)" 2
	py 'expect("EFBIG", os.listdir, A[0])' "$A/many"
	rm "$A/many/1234567"
	is "$(ls "$A/many" | wc -l)" 2
}

# Catches: a path that only fails where it is used.
@test "limits: a path of more than path_max is ENAMETOOLONG" {
	zk_mount A path_max=20
	mkdir -p "$A/12345678/1234567890"
	py 'os.chdir(A[0])
for call in (os.stat, os.mkdir, os.rmdir, os.unlink, os.listdir):
    expect("ENAMETOOLONG", call, "x")
expect("ENAMETOOLONG", os.mknod, "x")
' "$A/12345678/1234567890"
	mkdir "$A/y"
	py 'expect("ENAMETOOLONG", os.rename, A[0] + "/y", A[0] + "/12345678/1234567890/y")' "$A"
	zk create /12345678/1234567890/deeper
	is "$(ls "$A/12345678/1234567890")" deeper
}

# Catches: an option, a default or an errno that the manual does not have.
@test "limits: --help, the manual and the status say the same" {
	local option default errno n=0
	zk_mount A
	while read -r option default; do
		is "$(limit_of "$option" max | numfmt --to=iec | sed 's/\.0//')" \
			"$(numfmt --from=iec "$default" | numfmt --to=iec | sed 's/\.0//')"
		errno=$(awk -v option="$option" '
			$1 == ".It" { there = $3 == option }
			there && $1 == ".Pq" { number = $3 }
			there && $1 == ".Er" { print number, $2 }' \
			"$E2E_TOP/packaging/man/zkfs.8" | head -n 1)
		[[ $errno == "$default "E* ]] || fail "$option ($default): $errno"
		n=$((n + 1))
	done < <("$ZKFS" --help | awk '
		/^  [a-z]/ { option = $1; sub(/=.*/, "", option) }
		option ~ /_max$/ && match($0, /\([0-9]+[KMG]?\)/) {
			print option, substr($0, RSTART + 1, RLENGTH - 2)
		}')
	is "$n" "$(grep -c ^limit: "$A/.zkfs/status")"
}

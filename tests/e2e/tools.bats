#!/usr/bin/env bats
# The tools people use. Each script runs twice, in a plain directory and on a
# mount, and must say and leave the same: so a script that is wrong shows as
# well as a filesystem that is.

load lib

setup_file() {
	# What users' settings may change.
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_AUTHOR_DATE="2001-02-03T04:05:06Z"
	export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	export GIT_COMMITTER_DATE="2001-02-03T04:05:06Z"
}

# What a directory holds: types, names, and data of files.
contents() {
	(
		cd "$1" || exit
		find . -path ./.git -prune -o -printf '%y %P\n' | sort
		find . -path ./.git -prune -o -type f -print0 | sort -z |
			xargs -0 -r sha256sum
	)
}

# same SHELL SCRIPT: runs it in both places.
same() {
	local place

	mkdir -p plain
	[ -n "${A:-}" ] || zk_mount A
	mkdir -p "$A/work"
	for place in plain "$A/work"; do
		# The script is told where to put what shall not be compared.
		mkdir -p "scratch.${place//\//_}"
		(
			SCRATCH=$(readlink -f "scratch.${place//\//_}")
			export SCRATCH
			cd "$place" || exit
			# shellcheck disable=SC2086 # "busybox sh" is two words
			timeout 50 $1 -c "$2" </dev/null 2>&1 ||
				echo "status $?"
		) >"out.${place//\//_}"
		contents "$place" >>"out.${place//\//_}"
	done
	diff -u out.plain "out.${A//\//_}_work"
	# It must do all of it in the plain directory, to say anything.
	if grep '^status' out.plain; then
		fail "the script failed: $(<out.plain)"
	fi
}

@test "tools: shells write, append, read, test and glob" {
	local shell
	for shell in bash dash "busybox sh"; do
		# shellcheck disable=SC2016 # for the shell
		same "$shell" 'set -e
			mkdir d; echo one >d/f; echo two >>d/f; cat d/f
			read -r x <d/f; echo "$x"
			printf "%s\n" a b c >d/list
			while read -r l; do echo "<$l>"; done <d/list
			{ echo x; echo y; } >d/group; (echo sub; echo shell) >d/sub
			for f in d/*; do echo "$f"; [ -f "$f" ] && [ -s "$f" ]; done
			: >d/empty; [ -f d/empty ] && [ ! -s d/empty ]
			cat >d/here <<E
here document
E
			set -C; echo no >d/f && echo clobbered; echo "rest"'
		rm -rf plain "$A/work"
	done
}

@test "tools: coreutils make, copy, move, list and remove" {
	same bash 'set -e
		mkdir -p a/b/c; echo 1 >a/f; cp a/f a/b/g; cp -r a z; mv z/f z/h
		install -D a/f inst/all/f; install -m 600 a/f inst/g
		tee t1 t2 <a/f; tee -a t1 <a/f; cat t1
		head -c 100000 /dev/zero >big; split -b 30000 big part.
		cat part.* | cmp - big; sort -o t1 t1; shuf -i 1-1 -o one
		wc -c big a/f; cksum a/f; cmp a/f a/b/g; diff -r a z || echo differ
		ls -R; ls -1 a; stat -c "%n %F" a a/f; test -d a; test ! -e none
		truncate -s 10 big; stat -c %s big; mktemp -p . tmp.XXXXXX | wc -c
		rm tmp.*
		rmdir z/b/c; rm -r z; rm -f none
		csplit -s -f cs t1 2; ls cs*; tac t1; tail -n 1 t1; uniq t1
		mv a moved; mkdir "with space"; mv moved "with space/"; find . | sort'
}

@test "tools: dd with offsets, sync and append" {
	same bash 'set -e
		exec 2>&1
		dd if=/dev/zero of=f bs=1000 count=3 status=none
		printf abc | dd of=f bs=1 seek=10 conv=notrunc status=none
		printf end | dd of=f oflag=append conv=notrunc status=none
		dd if=f bs=1 skip=10 count=3 status=none
		printf x | dd of=g conv=fsync status=none
		printf yy | dd of=g conv=fdatasync oflag=sync status=none
		dd if=f of=h bs=512 status=none; cmp f h; cat g
		dd if=/dev/zero of=sparse bs=1 seek=5000 count=1 status=none
		stat -c %s sparse'
}

@test "tools: sed -i, awk, grep, perl -i, python and jq edit in place" {
	same bash 'set -e
		seq 1 50 >f; sed -i s/7/seven/ f; sed -n 7p f
		sed -i.bak 1d f; wc -l <f; wc -l <f.bak
		awk "{ print > (\"out.\" NR % 3) }" f; wc -l out.*
		grep -rl seven . | sort; grep -c 1 f
		perl -pi -e "s/seven/SEVEN/" f; grep SEVEN f
		echo "{\"a\": 1}" >j; jq .a j
		jq ".a = 2" j >j.new && mv j.new j; cat j
		python3 - <<E
import json, os, tempfile, shutil, pathlib
d = json.load(open("j"))
d["b"] = [1, 2]
json.dump(d, open("j", "w"))
fd, name = tempfile.mkstemp(dir=".")
os.write(fd, b"atomic")
os.fsync(fd)
os.close(fd)
os.replace(name, "atomic")
with open("atomic", "r+") as f:
    f.seek(2)
    f.write("OMI")
    f.truncate()
pathlib.Path("p").write_text("x" * 5000)
shutil.copy2("p", "q")
shutil.copytree(".", os.environ["SCRATCH"] + "/tree")
shutil.move("q", "r")
with open("lines", "a", buffering=1) as f:
    for i in range(20):
        print(i, file=f)
print(open("lines").read(), os.path.getsize("p"))
E
		cat j atomic'
}

@test "tools: vim edits, with its swap and backup files" {
	# shellcheck disable=SC2016 # for the shell
	same bash 'set -e
		seq 1 20 >f
		for opts in "" "set backupcopy=yes" "set backupcopy=no" \
			"set backup" "set nobackup nowritebackup"; do
			vim -u NONE -i NONE -n -es -c "$opts" \
				-c "%s/^1/one/e" -c "\$d" -c wq f
			wc -l <f
		done
		vim -u NONE -i NONE -es -c "set swapfile" -c "1d" -c wq f
		cat f; ls -A'
}

@test "tools: busybox applets" {
	same "busybox sh" 'set -e
		b="busybox"
		$b mkdir -p d/e; $b echo x >d/f; $b cp -r d g; $b mv g/f g/h
		$b sed -i s/x/y/ d/f; $b cat d/f; $b touch t; $b ls d g
		$b tar cf a.tar d; $b mkdir un; $b tar xf a.tar -C un
		$b rm a.tar
		$b find un | $b sort; $b rm -r un; $b dd if=d/f of=dd 2>/dev/null
		$b head -n 1 dd; $b truncate -s 3 dd; $b wc -c dd; $b vi -c q t \
			>/dev/null 2>&1 || true'
}

@test "tools: tar, there and back" {
	# shellcheck disable=SC2016 # for the shell
	same bash 'set -e
		mkdir -p src/a/b src/void; echo 1 >src/a/one; : >src/a/b/none
		head -c 70000 /dev/zero >src/big
		tar cf "$SCRATCH/t.tar" src; tar tf "$SCRATCH/t.tar" | sort
		mkdir un; tar xf "$SCRATCH/t.tar" -C un; diff -r src un/src
		tar czf here.tgz src; tar xzf here.tgz -C "$SCRATCH"
		diff -r src "$SCRATCH/src"
		tar cf - src | tar xf - -C un; diff -r src un/src
		rm here.tgz; find . -type f -name one -delete; find . -empty | sort'
}

@test "tools: cp -a, rsync and mv, there and back" {
	# shellcheck disable=SC2016 # for the shell
	same bash 'set -e
		mkdir -p src/sub; echo 1 >src/one; echo 2 >src/sub/two
		cp -a src copy; diff -r src copy
		cp -a src "$SCRATCH/out"; cp -a "$SCRATCH/out" back; diff -r src back
		rsync -r src/ rs/; diff -r src rs
		rsync -a --no-times --no-perms --no-owner --no-group src/ ra/
		echo changed >src/one; rm src/sub/two; echo 3 >src/three
		rsync -r --checksum --delete src/ rs/; diff -r src rs
		rsync -r --inplace --checksum src/ rs/; diff -r src rs
		rsync -r --append src/ rs/; diff -r src rs
		rsync -rc "$SCRATCH/out/" rr; ls rr
		mv back "$SCRATCH/back"; mv "$SCRATCH/back" again; ls again
		cp -u src/one copy/one2; cp --remove-destination src/one copy/one
		cp -b src/three copy/one; ls copy'
}

@test "tools: a second rsync copies nothing" {
	mkdir -p plain/d
	echo data >plain/d/f
	zk_mount A
	rsync -rc plain/ "$A/copy/"
	is "$(rsync -rci plain/ "$A/copy/")" ""
	is "$(zk stat /copy/d/f version)" 1
}

@test "tools: git init, add, commit, branch, merge, clone, gc and fsck" {
	limit 120
	# shellcheck disable=SC2016 # for the shell
	same bash 'set -e
		exec 2>&1
		git init -q -b main .; echo 1 >f; mkdir d; echo 2 >d/g; git add .
		git commit -q -m one; echo 3 >>f; git commit -q -am two
		git checkout -q -b side HEAD~1; echo 4 >d/h; git add d/h
		git commit -q -m side; git checkout -q main; git merge -q side -m m
		git log --format="%s %H"; git status --short
		git gc -q; git fsck --no-progress; git clone -q . "$SCRATCH/clone"
		git clone -q --no-local "$SCRATCH/clone" "$SCRATCH/two"
		git stash list; echo 5 >f; git stash -q; git stash pop -q; git diff --stat
		git rev-parse HEAD'
}

@test "tools: find with conditions, xargs, and rm -r of a deep tree" {
	same bash 'set -e
		for i in 1 2 3; do for j in 1 2 3; do
			mkdir -p t/$i/$j/x; echo $i$j >t/$i/$j/f; done; done
		find t -type f | sort; find t -type d -name x | wc -l
		find t -size +0 -type f | wc -l; find t -maxdepth 1 | sort
		find t -name f -print0 | xargs -0 cat | sort
		find t -newer t/1/1/f -name nonesuch; find t -path "*/2/*" -name f | sort
		find t -name f -exec sh -c "echo more >>\$0" {} \;
		cat t/*/*/f | wc -l; find t/1 -delete; ls t; du -s t/2 >/dev/null
		rm -r t; ls'
}

@test "tools: rm -r removes trees made by others, with data of their own" {
	zk create /t/both data
	zk create /t/both/child data
	zk create /t/both/child/leaf data
	zk create /t/plain/leaf data
	zk create /t/hollow
	zk fill /t/many 0 500 x
	zk_mount A
	rm -r "$A/t"
	is "$(zk ls /)" ""
}

# Two directories with data of their own, one with nothing at all.
make_tree_with_data() {
	zk create /t/both data
	zk create /t/both/child leaf
	zk create /t/both/sub "more data"
	zk create /t/both/sub/child leaf
	zk create /t/empty
	zk_mount A
}

is_copied() {
	is "$(zk get "$1/both") $(zk get "$1/both/child")" "data leaf"
	is "$(zk get "$1/both/sub") $(zk get "$1/both/sub/child")" \
		"more data leaf"
	zk exists "$1/empty"
}

@test "tools: cp -a keeps directories that have data" {
	make_tree_with_data
	timeout 20 cp -a "$A/t" "$A/copy"
	is_copied /copy
	cp -a "$A/t" plain
	cp -a plain "$A/back"
	is_copied /back
}

@test "tools: tar keeps directories that have data" {
	make_tree_with_data
	tar cf archive.tar -C "$A" t
	mkdir "$A/un"
	timeout 20 tar xf archive.tar -C "$A/un"
	is_copied /un/t
}

@test "tools: rsync keeps directories that have data" {
	make_tree_with_data
	rsync -a "$A/t/" "$A/rs/"
	is_copied /rs
	rsync -a "$A/t/" plain/
	rsync -a plain/ "$A/back/"
	is_copied /back
}

@test "tools: make rebuilds what is older, and nothing else" {
	command -v make >/dev/null || skip "no make"
	zk_mount A
	mkdir "$A/m"
	printf 'out: in\n\tcat in > out\n\techo made\n' >"$A/m/Makefile"
	echo 1 >"$A/m/in"
	has "$(make -s -C "$A/m")" made
	is "$(make -s -C "$A/m")" ""
	sleep_past_mtime "$A/m/out"
	echo 2 >"$A/m/in"
	has "$(make -s -C "$A/m")" made
	is "$(<"$A/m/out")" 2
}

# Waits until a new change has a newer time.
sleep_past_mtime() {
	within 5 is_before_now "$(stat -c %Y "$1")"
}

is_before_now() {
	[ "$(date +%s)" -gt "$1" ]
}

@test "tools: what is not possible says so, and leaves nothing" {
	zk_mount A
	fails "Operation not permitted" ln -s target "$A/link"
	fails "Operation not permitted" mkfifo "$A/pipe"
	echo x >"$A/f"
	fails "Operation not permitted" ln "$A/f" "$A/hard"
	is "$(zk ls /)" f
}
